//! The one door to an export: set up, run once, watched and cancelled from any thread.

use crate::error::{ExportError, RequestError};
use crate::estimate::{Estimator, LengthEstimate, estimate};
use crate::event::{Event, Summary};
use crate::export::{self, export};
use crate::job::additions::{AddedAudio, AddedSubtitles, ChapterChoice};
use crate::job::grain::Grain;
use crate::job::ladder::{AutoLadder, LadderRung};
use crate::job::preset::ExportPreset;
use crate::job::properties;
use crate::job::request::{Request, ScoreAt, Target, job_folder};
use crate::job::tracks::{MarkRule, TrackRule};
use crate::objects::ObjectStore;
use crate::progress::Progress;
use crate::records::{Records, RecordsPlace};
use crate::resumable;
use crate::sound::request::AudioRule;
use crate::stop::StopFlag;
use crate::worker::Scratch;
use crate::worker::stopping::{Earlier, JobPlace, until_given_up};
use crate::worker::{RunOn, Step, TakeTask};
use retake_compression::encoder::EncoderFactory;
use retake_compression::planner::Effort;
use retake_compression::property::Property;
use retake_libav::{FilmRange, PictureFilters};
use retake_quality::{MetricKind, Pooling};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Where an export is in its life.
#[doc(alias = "AVAssetExportSessionStatus")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportStatus {
    /// Not started: it can be changed.
    Unknown,
    /// At work.
    Exporting,
    /// The film is in place.
    Completed,
    /// It failed. What was finished is kept, and the same export carries on from there.
    Failed,
    /// It was cancelled. What was finished is kept, too.
    Cancelled,
}

/// A property was set, or the export started, after it had been started. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an export is set up before it starts, and starts once")]
pub struct AlreadyStarted;

type Teller = Box<dyn Fn(&Event) + Send + Sync>;

/// One film made from another: the whole way, from decoding the source to the verified output.
///
/// Handles are shared: all clones are the same export. It runs once.
///
/// ```no_run
/// # use retake_export::{Export, Target};
/// # fn run(encoder: std::sync::Arc<dyn retake_compression::encoder::EncoderFactory>) -> Result<(), Box<dyn std::error::Error>> {
/// // one of `retake::encoders()`
/// let export = Export::builder("film.mkv", "film.mp4", encoder)
///     .target(Target::floor(93.0)?)
///     .multi_pass(true)
///     .build();
/// let summary = export.run()?;
/// println!("{} bytes", summary.file_bytes);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "AVAssetExportSession")]
#[derive(Clone)]
pub struct Export(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    stop: StopFlag,
    tell: Option<Teller>,
}

struct State {
    request: Request,
    /// Where job folders go, where that is not the folder of the output.
    temporary: Option<PathBuf>,
    status: ExportStatus,
    progress: Progress,
    estimator: Estimator,
}

impl Export {
    /// An export of `input` (`-` is standard input) to `output`, with this encoder.
    ///
    /// The extension of the output decides what is made: `mp4`, `m4v`, `mov`, `mkv`, `webm` a film in that
    /// container; `m3u8` a stream for HTTP Live Streaming, which is this playlist, and a folder of the same
    /// name that ends in `.media`, with further playlists and segments. The output path holds nothing, or
    /// what it held before, until the finished and verified film is renamed to it.
    #[doc(alias = "initWithAsset:presetName:")]
    pub fn builder(
        input: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
        encoder: Arc<dyn EncoderFactory>,
    ) -> ExportBuilder {
        ExportBuilder {
            request: Request::new(input.into(), output.into(), encoder),
            preset: ExportPreset::default(),
            temporary: None,
            stop: StopFlag::new(),
            tell: None,
        }
    }

    /// Runs it to its end, on this thread.
    ///
    /// # Errors
    /// [`RunError::AlreadyStarted`] for a second run. [`RunError::Failed`] with the cause;
    /// [`ExportError::Stopped`] when it was cancelled. All finished takes are kept then.
    #[doc(alias = "exportToURL:asFileType:")]
    pub fn run(&self) -> Result<Summary, RunError> {
        let request = self.begin()?;
        Ok(self.work(&request)?)
    }

    /// Runs it on a thread of its own. `completion` is called there, once, whatever happens.
    ///
    /// # Errors
    /// [`RunError::AlreadyStarted`]; [`RunError::Failed`] where there is no thread to be had. The completion
    /// is not called then.
    #[doc(alias = "exportAsynchronouslyWithCompletionHandler:")]
    pub fn start(
        &self,
        completion: impl FnOnce(Result<Summary, ExportError>) + Send + 'static,
    ) -> Result<(), RunError> {
        let (request, export) = (self.begin()?, self.clone());
        let work = move || completion(export.work(&request));
        let spawned = thread::Builder::new().name("retake export".into()).spawn(work);
        spawned.map(drop).map_err(|source| {
            self.lock().status = ExportStatus::Failed;
            ExportError::file("export", "starting its thread")(source).into()
        })
    }

    /// Asks it to stop. It does within moments, and keeps what is finished: the same export, built again,
    /// carries on. One that has not started never will.
    #[doc(alias = "cancelExport")]
    pub fn cancel(&self) {
        self.0.stop.raise();
        let mut state = self.lock();
        if state.status == ExportStatus::Unknown {
            state.status = ExportStatus::Cancelled;
        }
    }

    /// Where it is in its life.
    pub fn status(&self) -> ExportStatus {
        self.lock().status
    }

    /// How much is done, from 0 to 1. It never goes back. How many passes there will be is not known before,
    /// so that it slows down with each.
    pub fn progress(&self) -> f32 {
        self.lock().progress.value()
    }

    /// Estimates how long the file will be, before the export starts; this thread waits. The source is looked
    /// through. Where the target is no rate and no size, some seconds of it are encoded as the export would
    /// do it. What comes of that is also the answer of [`Export::estimated_file_length`] until more is known.
    ///
    /// The whole range of the source is always exported, so that a limit of the size
    /// ([`Target::size`]) never shortens the film, and no longest duration has to be estimated.
    ///
    /// # Errors
    /// [`RunError::AlreadyStarted`] when it has started. [`RunError::Failed`] with what the export itself
    /// would be refused for, and [`MediaError::NotSeekable`](retake_libav::MediaError::NotSeekable) for a
    /// pipe, which can be read only once.
    #[doc(alias = "estimateOutputFileLengthWithCompletionHandler:")]
    pub fn estimate_file_length(&self) -> Result<LengthEstimate, RunError> {
        let request = {
            let state = self.lock();
            if state.status != ExportStatus::Unknown {
                return Err(AlreadyStarted.into());
            }
            state.request.clone()
        };
        let estimate = estimate(&request, &self.0.stop)?;
        self.lock().estimator.learn(estimate);
        Ok(estimate)
    }

    /// How long the file will be, by what is known now: [`Export::estimate_file_length`] before it runs, the
    /// target or the takes that are finished while it does, and the film itself afterwards. `None` if nothing
    /// is known yet.
    #[doc(alias = "estimatedOutputFileLength")]
    pub fn estimated_file_length(&self) -> Option<LengthEstimate> {
        self.lock().estimator.value()
    }

    /// Where the output goes.
    #[doc(alias = "outputURL")]
    pub fn output(&self) -> PathBuf {
        self.lock().request.output.clone()
    }

    /// Whether ranges of the source may be read and encoded again where that brings the film nearer to what
    /// is wanted.
    #[doc(alias = "canPerformMultiplePassesOverSourceMediaData")]
    pub fn multi_pass(&self) -> bool {
        self.lock().request.multi_pass
    }

    /// Allows or forbids further passes. The export itself finds out whether they are of use.
    ///
    /// # Errors
    /// [`AlreadyStarted`].
    #[doc(alias = "canPerformMultiplePassesOverSourceMediaData")]
    pub fn set_multi_pass(&self, allowed: bool) -> Result<(), AlreadyStarted> {
        self.change(|state| state.request.multi_pass = allowed)
    }

    /// Where files go that do not become the output by a rename: the state of the job. Beside the output if
    /// `None`.
    #[doc(alias = "directoryForTemporaryFiles")]
    pub fn directory_for_temporary_files(&self) -> Option<PathBuf> {
        self.lock().temporary.clone()
    }

    /// Puts them elsewhere. The folder has to exist when the export starts.
    ///
    /// # Errors
    /// [`AlreadyStarted`].
    pub fn set_directory_for_temporary_files(&self, folder: Option<PathBuf>) -> Result<(), AlreadyStarted> {
        self.change(|state| state.temporary = folder)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), AlreadyStarted> {
        let mut state = self.lock();
        match state.status {
            ExportStatus::Unknown => change(&mut state),
            _ => return Err(AlreadyStarted),
        }
        Ok(())
    }

    fn begin(&self) -> Result<Request, RunError> {
        let mut state = self.lock();
        match state.status {
            ExportStatus::Unknown => state.status = ExportStatus::Exporting,
            ExportStatus::Cancelled if self.0.stop.is_raised() => return Err(ExportError::Stopped.into()),
            _ => return Err(AlreadyStarted.into()),
        }
        let mut request = state.request.clone();
        if let Some(folder) = &state.temporary {
            request.work_dir = Some(job_folder(folder, &request.output));
        }
        Ok(request)
    }

    fn work(&self, request: &Request) -> Result<Summary, ExportError> {
        // a property may state the target
        let goal = properties::resolve(request).unwrap_or_else(|_| request.clone()).target().goal();
        let tell = |event: Event| {
            {
                let mut state = self.lock();
                state.progress.hear(&event);
                // it is of one film, which none of several variants is
                if !request.has_ladder() || matches!(event, Event::Finished(_)) {
                    state.estimator.hear(&event, goal);
                }
            }
            if let Some(tell) = &self.0.tell {
                tell(&event);
            }
        };
        let done = export(request, &self.0.stop, &tell);
        self.lock().status = match &done {
            Ok(_) => ExportStatus::Completed,
            Err(ExportError::Stopped) => ExportStatus::Cancelled,
            Err(_) => ExportStatus::Failed,
        };
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // every change is whole
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let output = &state.request.output;
        f.debug_struct("Export")
            .field("output", output)
            .field("status", &state.status)
            .finish_non_exhaustive()
    }
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It had been started before.
    #[error(transparent)]
    AlreadyStarted(#[from] AlreadyStarted),
    /// It failed, or was cancelled.
    #[error(transparent)]
    Failed(#[from] ExportError),
}

/// Sets an [`Export`] up. What is not set is as it usually is: a quality floor on the default metric, one
/// pass, one thread for each take, as many takes at once as cores and memory allow.
pub struct ExportBuilder {
    request: Request,
    preset: ExportPreset,
    temporary: Option<PathBuf>,
    stop: StopFlag,
    tell: Option<Teller>,
}

impl ExportBuilder {
    /// The part of the source that the film is made of: a
    /// [`TimeRange`](retake_media::TimeRange) on the clock of the source, whose start is zero, a range of
    /// frame numbers, or a [`FilmRange`] of both. Default: all of it.
    ///
    /// The film has exactly the frames that are shown at or after the beginning and before the end, and
    /// begins with the first of them. All other tracks are cut there, too, and so are subtitles and chapters
    /// that reach over a cut. A range that ends behind the source ends with it. One that no frame can lie in
    /// is refused when the export starts.
    #[doc(alias = "timeRange")]
    #[must_use]
    pub fn time_range(mut self, range: impl Into<FilmRange>) -> Self {
        self.request.range = Some(range.into());
        self
    }

    /// What is done to the pictures of the source before they are encoded. The film is compared with the
    /// filtered source. Default: nothing.
    #[doc(alias = "AVVideoComposition")]
    #[must_use]
    pub fn filters(mut self, filters: PictureFilters) -> Self {
        self.request.filters = filters;
        self
    }

    /// The variants of a stream: its pictures in several sizes, which are cut at the same times, with one
    /// master playlist. Each is what an export of that size would make. Those that are larger than the source
    /// are left out, and told; sound and subtitles are there once. Default: none, one variant of the source's
    /// size.
    ///
    /// What contradicts it ([`LadderError`](crate::LadderError)) is refused when the export starts.
    #[must_use]
    pub fn ladder(mut self, rungs: impl IntoIterator<Item = LadderRung>) -> Self {
        self.request.ladder = rungs.into_iter().collect();
        self
    }

    /// Has the variants of a stream chosen by measured quality: samples of the film are encoded in a few
    /// sizes and qualities, and rungs lie where quality is best for the rate, from the cheapest that reaches
    /// the floor down. Takes the place of [`ladder`](Self::ladder).
    #[must_use]
    pub fn auto_ladder(mut self, ladder: AutoLadder) -> Self {
        self.request.ladder.clear();
        self.request.auto_ladder = Some(ladder);
        self
    }

    /// How good the film has to be, by what it is for. Default: [`ExportPreset::Viewing`]. Takes the place of
    /// a target.
    #[doc(alias = "presetName")]
    #[must_use]
    pub fn preset(mut self, preset: ExportPreset) -> Self {
        self.preset = preset;
        self.request.target = None;
        self
    }

    /// What is wanted in numbers. Takes the place of a preset.
    #[doc(alias = "fileLengthLimit")]
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.request.target = Some(target);
        self
    }

    /// What quality is measured with. Default: VMAF where this build has it, else XPSNR.
    #[doc(alias = "QualityMetric")]
    #[must_use]
    pub fn metric(mut self, metric: MetricKind) -> Self {
        (self.request.metric, self.request.asks_metric) = (metric, true);
        self
    }

    /// How the frames of a unit become one score. Default: their mean.
    #[must_use]
    pub fn pool(mut self, pool: Pooling) -> Self {
        self.request.pool = pool;
        self
    }

    /// The bit rate, in bits per second, that no two seconds of the film exceed, whatever else is asked for.
    /// At least 1. Default: none.
    #[doc(alias = "DataRateLimits")]
    #[must_use]
    pub fn max_bit_rate(mut self, rate: u64) -> Self {
        self.request.max_bit_rate = Some(rate);
        self
    }

    /// Whether several passes over the source are allowed. Default: no.
    #[doc(alias = "canPerformMultiplePassesOverSourceMediaData")]
    #[must_use]
    pub fn multi_pass(mut self, allowed: bool) -> Self {
        self.request.multi_pass = allowed;
        self
    }

    /// How many passes there may be where several are allowed, the first one counted. At least 1. Default: 5.
    #[doc(alias = "MaxPassCount")]
    #[must_use]
    pub fn passes(mut self, passes: u32) -> Self {
        self.request.passes = Some(passes);
        self
    }

    /// At which size pictures of a film that is scaled are compared with those of its source. Default:
    /// [`ScoreAt::Output`]. [`ScoreAt::Source`] is refused where no filter and no ladder scales, and for one
    /// plain pass, which is not scored.
    #[must_use]
    pub fn score_at(mut self, size: ScoreAt) -> Self {
        self.request.score_at = size;
        self
    }

    /// How much may be encoded again for the sake of bytes; a floor is held with each of them. Where the
    /// number of passes is not set, [`Effort::Smallest`] has 8. Default: [`Effort::Balanced`].
    #[must_use]
    pub fn effort(mut self, effort: Effort) -> Self {
        self.request.effort = effort;
        self
    }

    /// One of the encoder's presets, slow to fast. Default: the encoder's own.
    #[doc(alias = "EncoderPreset")]
    #[must_use]
    pub fn encoder_preset(mut self, preset: impl Into<String>) -> Self {
        self.request.preset = Some(preset.into());
        self
    }

    /// What becomes of the film's grain. An encoder that can takes it out, and describes it so that decoders
    /// synthesise such: it costs few bits then. Scores compare what decoders show with the source. Refused
    /// when the export starts where the encoder cannot. Default: [`Grain::Off`].
    #[doc(alias = "film-grain")]
    #[must_use]
    pub fn grain(mut self, grain: Grain) -> Self {
        self.request.grain = grain;
        self
    }

    /// A setting in the encoder's own words; may be called several times. What the encoder does not know is
    /// refused when the export starts.
    #[doc(alias = "EncoderOptions")]
    #[must_use]
    pub fn encoder_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.options.push((key.into(), value.into()));
        self
    }

    /// A property, as sessions have it. Those that ask for a part of the request stand for it
    /// (`AverageBitRate` is a target); the others change the settings of every take. One that has no meaning
    /// for an export, or says something else than another call, is refused by name when the export starts. Of
    /// two values of one property the last counts.
    #[doc(alias = "VTSessionSetProperty")]
    #[must_use]
    pub fn property(mut self, property: &Property) -> Self {
        self.request.properties.push((property.key(), property.value()));
        self
    }

    /// Several properties, as [`ExportBuilder::property`].
    #[doc(alias = "VTSessionSetProperties")]
    #[must_use]
    pub fn properties(self, properties: &[Property]) -> Self {
        properties.iter().fold(self, Self::property)
    }

    /// A property by its name, with its value as text: `true` or `false`, a number, a word, or JSON for
    /// arrays, bytes and dictionaries.
    ///
    /// # Errors
    /// [`RequestError::UnknownProperty`], and [`RequestError::Property`] for a text that is no value of it.
    pub fn property_named(mut self, name: &str, text: &str) -> Result<Self, RequestError> {
        self.request.properties.push(properties::parse(name, text)?);
        Ok(self)
    }

    /// Threads of each encoder. At least 1. Default: 1. The bytes of some encoders depend on it; takes run in
    /// parallel anyway.
    #[doc(alias = "ThreadCount")]
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.request.threads = Some(threads);
        self
    }

    /// Takes at once, as far as memory allows. At least 1. Default: as many as there are cores.
    #[must_use]
    pub fn jobs(mut self, jobs: u32) -> Self {
        self.request.jobs = Some(jobs);
        self
    }

    /// Memory budget, in bytes. Default: half of the machine's memory.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.request.memory = Some(bytes);
        self
    }

    /// Where the state of this job lives until it is done. Default: beside the output, by its name with
    /// `.retake` behind it.
    #[must_use]
    pub fn job_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.request.work_dir = Some(folder.into());
        self
    }

    /// Keeps the state of this job in a folder of the client's, under a name of the client's. An export that
    /// was stopped, or that died, is found there by [`resumable_exports`](crate::resumable_exports), and
    /// carried on by the same export under the same name; when it is done, nothing is left of it there. Takes
    /// the place of [`ExportBuilder::job_folder`]. The folder has to exist when the export starts.
    ///
    /// # Errors
    /// [`RequestError::ExportName`] for a name that is empty, begins with a dot, is longer than 150 bytes, or
    /// has a character that file systems do not take.
    #[doc(alias = "configureForResumableExport")]
    pub fn configure_for_resumable_export(
        mut self,
        folder: impl AsRef<Path>,
        name: &str,
    ) -> Result<Self, RequestError> {
        self.request.work_dir = Some(resumable::job_folder(folder.as_ref(), name)?);
        Ok(self)
    }

    /// Whether several takes may be encoded at once. The bytes are the same either way. Default: yes, as far
    /// as [`ExportBuilder::jobs`] and memory allow.
    #[doc(alias = "allowsParallelizedExport")]
    #[must_use]
    pub fn allows_parallelized_export(mut self, allowed: bool) -> Self {
        self.request.parallel = allowed;
        self
    }

    /// A folder in which the job folder gets a name of its own. Takes the place of
    /// [`ExportBuilder::job_folder`].
    #[doc(alias = "directoryForTemporaryFiles")]
    #[must_use]
    pub fn directory_for_temporary_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temporary = Some(folder.into());
        self
    }

    /// Forget what an earlier run left in the job folder. Default: it is carried on.
    #[must_use]
    pub fn restart(mut self, restart: bool) -> Self {
        self.request.restart = restart;
        self
    }

    /// Replace an existing output. Default: it is refused, unless the same request has made it of the same
    /// source, which is told as when it was made.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.request.overwrite = overwrite;
        self
    }

    /// Leave an output alone that the same request has made of the same source, also where others are
    /// replaced ([`ExportBuilder::overwrite`], [`ExportBuilder::restart`]): it is told as when it was made.
    /// Default: no.
    #[must_use]
    pub fn skip_done(mut self, skip: bool) -> Self {
        self.request.skip_done = skip;
        self
    }

    /// Whether the source may be a playlist (HLS, DASH, a list of files to be joined) that names other files
    /// of this machine, which are then opened, too. Default: no, because a text that somebody else made could
    /// name any film that only you can read.
    #[must_use]
    pub fn allow_references(mut self, allowed: bool) -> Self {
        self.request.references = allowed;
        self
    }

    /// A source that is damaged, or of which a part is missing, is fine. Default: the film is made of what
    /// can be read, and [`Missed::Source`](crate::Missed::Source) says what could not. All of it is told in
    /// the notes in either case.
    #[must_use]
    pub fn accept_damage(mut self, accept: bool) -> Self {
        self.request.accept_damage = accept;
        self
    }

    /// What becomes of some tracks of sound; may be called several times. Of two rules for the same tracks
    /// the last counts, and one for a track goes before one for a language, and that before one for all.
    /// Default: all sound is copied.
    ///
    /// What is encoded begins with the film and has no gaps: where the source has no sound, it is silence,
    /// and every sample is where it was, give or take half a sample. A range of the source cuts it to the
    /// sample. A track that is no sound, and what a container or an encoder cannot do, is refused when the
    /// export starts.
    #[doc(alias = "audioMix")]
    #[must_use]
    pub fn audio(mut self, rule: AudioRule) -> Self {
        self.request.audio.add(rule);
        self
    }

    /// The integrated loudness (EBU R 128) that tracks of sound get which are encoded, in LUFS, -70 to -5, by
    /// one gain for all of a track; with it, [`AudioChoice::Auto`](crate::AudioChoice::Auto) encodes all. The
    /// true peak before encoding stays at -1 dBTP or below; where that makes the gain less, it is told.
    /// Default: the level of the source.
    #[must_use]
    pub fn loudness(mut self, loudness: f64) -> Self {
        self.request.audio.loudness = Some(loudness);
        self
    }

    /// Whether some tracks of subtitles are copied; may be called several times. Of two rules for the same
    /// tracks the last counts, and of two that hold for a track the more special one: a number before several
    /// facts, these before a mark, a language, a kind, and all. Default: what
    /// [`tracks`](ExportBuilder::tracks) says.
    #[must_use]
    pub fn subtitles(mut self, rule: TrackRule) -> Self {
        self.request.tracks.subtitles.retain(|other| other.tracks != rule.tracks);
        self.request.tracks.subtitles.push(rule);
        self
    }

    /// Whether some tracks of any kind are copied: sound that [`audio`](ExportBuilder::audio) says nothing
    /// of, subtitles that [`subtitles`](ExportBuilder::subtitles) says nothing of, further video, covers and
    /// attached files. Rules count as for subtitles. Default: all are copied, as far as the container holds
    /// them.
    #[must_use]
    pub fn tracks(mut self, rule: TrackRule) -> Self {
        self.request.tracks.tracks.retain(|other| other.tracks != rule.tracks);
        self.request.tracks.tracks.push(rule);
        self
    }

    /// Which tracks of the film are played or shown where nobody chooses; may be called several times, and
    /// later rules count where they contradict. The first of each kind that is named is the default of its
    /// kind, and no other of that kind is. Tracks that the rule takes the mark from are no default. Default:
    /// marks are those of the source.
    #[must_use]
    pub fn default_track(mut self, rule: MarkRule) -> Self {
        self.request.tracks.default.push(rule);
        self
    }

    /// Which tracks of the film are shown also to people who understand what is spoken; may be called several
    /// times, and later rules count where they contradict. Default: marks are those of the source.
    #[must_use]
    pub fn forced_track(mut self, rule: MarkRule) -> Self {
        self.request.tracks.forced.push(rule);
        self
    }

    /// The track of video that is encoded, by its number in the source; others are copied. Default: the one
    /// that moves, is marked as default, and is the largest, in this order.
    #[must_use]
    pub fn video_track(mut self, number: u32) -> Self {
        self.request.video = Some(number);
        self
    }

    /// Adds a file of subtitles, whose times count from the start of the source; may be called several times.
    /// It is cut where the film is, and goes into the film behind the tracks of the source, converted to what
    /// the container holds. It has the next number after them, by which
    /// [`default_track`](ExportBuilder::default_track) may name it. A file that is none, or whose letters are
    /// not known, is refused when the export starts.
    #[must_use]
    pub fn add_subtitles(mut self, file: AddedSubtitles) -> Self {
        self.request.additions.subtitles.push(file);
        self
    }

    /// Adds a track of sound of another file; may be called several times. The instant at which that file
    /// begins is the start of the source, so that a delay in it is kept, and the sound is cut where the film
    /// is. It goes into the film behind the tracks of the source, with the next number after them, and before
    /// subtitles that are added. What [`audio`](ExportBuilder::audio) says of it by its number, its language
    /// or of all tracks holds for it, too, but that a rule which leaves sound out does not leave it out.
    /// Where nothing is said, it is copied if the container holds it, and else encoded. A file that has no
    /// sound is refused when the export starts.
    #[must_use]
    pub fn add_audio(mut self, file: AddedAudio) -> Self {
        self.request.additions.audio.push(file);
        self
    }

    /// Which chapters the film has. Default: those of the source.
    #[must_use]
    pub fn chapters(mut self, choice: ChapterChoice) -> Self {
        self.request.additions.chapters = choice;
        self
    }

    /// A picture that stands for the film, JPEG or PNG, in place of those of the source. Default: those.
    #[must_use]
    pub fn cover(mut self, picture: impl Into<PathBuf>) -> Self {
        self.request.additions.cover = Some(picture.into());
        self
    }

    /// Gives the film a tag with FFmpeg's name (`title`, `artist`, `date`, …) in place of that of the source,
    /// or takes it away where the value is empty; may be called several times. Tags that say of the file what
    /// only its writer knows (`encoder`) are refused. Default: those of the source.
    #[doc(alias = "metadata")]
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.additions.tags.push((name.into(), value.into()));
        self
    }

    /// Where takes run. Default: [`RunOn::Threads`].
    #[must_use]
    pub fn run_on(mut self, run_on: RunOn) -> Self {
        self.request.run_on = run_on;
        self
    }

    /// The folder that all machines share, as this one sees it, where takes run on others: source and job
    /// folder have to lie below it. A worker may see it at another place. Default: the deepest folder that
    /// holds both.
    ///
    /// It may be an address in the store that [`ExportBuilder::objects`] gives, as in `s3://bucket/jobs`:
    /// takes travel through the store then, the source has to be an object, and the job folder may lie
    /// anywhere.
    #[must_use]
    pub fn shared_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.request.shared_root = Some(folder.into());
        self
    }

    /// What opens a source that is an object of a store, as in `s3://bucket/film.mkv`, and makes a film that
    /// is to be one. Default: none, and such addresses are refused.
    #[must_use]
    pub fn objects(mut self, objects: Arc<dyn ObjectStore>) -> Self {
        self.request.objects = Some(objects);
        self
    }

    /// Keeps the records of the job: all that was asked for, found and measured, as
    /// [`Records`](crate::records::Records) has it. Default: nowhere. A file that is there is replaced where
    /// it holds records of the same source, or where [`ExportBuilder::overwrite`] allows it; otherwise the
    /// export is refused.
    #[must_use]
    pub fn keep_records(mut self, place: RecordsPlace) -> Self {
        self.request.records = Some(place);
        self
    }

    /// Keeps all takes of the job, and the index of its source, in a folder beside its records: of
    /// `film.mp4.retake.json` in `film.mp4.retake-takes`. Another wish then takes them over
    /// ([`ExportBuilder::again`]). Default: no. Without records, nothing is kept.
    #[must_use]
    pub fn keep_takes(mut self, keep: bool) -> Self {
        self.request.keep_takes = keep;
        self
    }

    /// Begins with what an earlier job over the same source has found out and made. Its takes count as those
    /// of the first pass; only what the target still needs is encoded, and those of its takes that go into
    /// the film and were not kept. The film is the same whether or not they were kept. Records of another
    /// source, encoder, version of it, or of other settings are refused when the export starts.
    #[must_use]
    pub fn again(mut self, records: Records) -> Self {
        self.request.again = Some(Arc::new(records));
        self
    }

    /// The words of a command line that asked for this export, for its records alone. Default: none.
    #[must_use]
    pub fn command_line(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.request.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// A flag that stops the export when it is raised, as [`Export::cancel`] does. The flag stays the
    /// caller's.
    #[must_use]
    pub fn stop(mut self, stop: &StopFlag) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Has every event told, from several threads. The teller must not wait for the export.
    #[must_use]
    pub fn on_event(mut self, tell: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.tell = Some(Box::new(tell));
        self
    }

    /// Has every event told to another one, before whoever was to hear it.
    pub(crate) fn hear_first(mut self, hear: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let then = self.tell.take();
        self.on_event(move |event| {
            hear(event);
            then.iter().for_each(|tell| tell(event));
        })
    }

    /// Goes one step of the way, on this thread, for an engine that has others run the takes: as far as the
    /// takes go that were run. Then either these takes are to be run with [`run_take`](crate::run_take), and
    /// the next step can be asked for, here or on another machine that shares the folder, or the film is in
    /// place. The same export, built again, may be asked again at any time, and after any death of anything:
    /// what is in the job folder counts, and steps come to the same film as [`Export::run`].
    ///
    /// The first step decodes the whole film. [`ExportBuilder::run_on`] is
    /// [`RunOn::Steps`] then.
    ///
    /// Where [`ExportBuilder::shared_root`] is an address in an object store, source and output have to be
    /// below it; the job lies there, too, and each step brings all its takes into a temporary folder.
    ///
    /// # Errors
    /// What [`Export::run`] fails with.
    pub fn step(self) -> Result<Step, ExportError> {
        self.step_and_begin(&|_| ())
    }

    /// Says that the next step follows another one that was asked for together with it. If the export was
    /// given up since then ([`ExportBuilder::give_up`]), it ends with [`ExportError::Stopped`]; a first step
    /// carries on an export that was given up, because whoever asks again has thought better of it.
    #[must_use]
    pub fn follows_a_step(mut self) -> Self {
        self.request.follows_a_step = true;
        self
    }

    /// Does the same as [`ExportBuilder::step`], and tells takes as soon as they can be run, so that workers
    /// need not wait until all of the film is looked through. Those that are not done when the step ends are
    /// in [`Step::Takes`] nevertheless, whether they have begun or not. None are told before the end where
    /// the job lies in an object store, because workers find the frames of a take in an index that is put
    /// there when it is whole.
    ///
    /// `begin` is called from another thread, and the takes behind wait for it.
    ///
    /// # Errors
    /// What [`Export::run`] fails with.
    pub fn step_and_begin(self, begin: &(dyn Fn(&TakeTask) + Sync)) -> Result<Step, ExportError> {
        let (mut request, stop, tell) = self.for_steps();
        let place = JobPlace::of(&request, &stop)?;
        let _scratch = match &place {
            JobPlace::Objects(objects) => {
                let scratch = Scratch::new()?;
                request.work_dir = Some(scratch.path().join(objects.name()));
                Some(scratch)
            }
            JobPlace::Folder(_) => None,
        };
        let tell = |event: Event| tell.iter().for_each(|tell| tell(&event));
        let earlier = if request.follows_a_step { Earlier::Counts } else { Earlier::CarriedOn };
        if request.follows_a_step && place.is_given_up() {
            return Err(ExportError::Stopped);
        }
        until_given_up(&place, &stop, earlier, |stop| export::step(&request, stop, begin, &tell))?
    }

    /// Has all workers that run takes of this export give them up, within a second or so, and begin no more:
    /// until the next [`ExportBuilder::step`] that follows none. Finished takes are kept. Where there is no
    /// such job, nothing happens.
    ///
    /// # Errors
    /// [`ExportError::File`] where that cannot be written down.
    pub fn give_up(self) -> Result<(), ExportError> {
        let (request, stop, _) = self.for_steps();
        JobPlace::of(&request, &stop)?.give_up()
    }

    fn for_steps(self) -> (Request, StopFlag, Option<Teller>) {
        let Self { mut request, preset, temporary, stop, tell } = self;
        request.purpose = preset;
        request.run_on = RunOn::Steps;
        if let Some(folder) = &temporary {
            request.work_dir = Some(job_folder(folder, &request.output));
        }
        (request, stop, tell)
    }

    /// The export. Whether it can be done is found out when it starts.
    pub fn build(self) -> Export {
        let Self { mut request, preset, temporary, stop, tell } = self;
        request.purpose = preset;
        let state = State {
            request,
            temporary,
            status: ExportStatus::Unknown,
            progress: Progress::default(),
            estimator: Estimator::default(),
        };
        Export(Arc::new(Inner { state: Mutex::new(state), stop, tell }))
    }
}
