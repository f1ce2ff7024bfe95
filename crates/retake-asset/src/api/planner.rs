use super::input::AssetWriterInput;
use crate::output::{Existing, OutputError, OutputTarget};
use crate::types::error::AppendError;
use retake_compression::durable::{entries, uninterrupted};
use retake_compression::parallel::{JobError, JoinError, JoinReport, Joiner, Part, Subdivision, WorkerPool};
use retake_compression::session::{SessionError, SessionHandle};
use retake_compression::silo::{ExistingSilo, FrameSilo, SiloError};
use retake_media::{FormatDescription, SampleBuffer, Time, TimeRange};
use std::error::Error;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;

/// The form of the file that says what was planned.
const VERSION: u32 = 1;

/// How long an input is waited for at once; between two waits a cancellation is looked at.
const WAIT: Duration = Duration::from_millis(50);

/// Writes the tracks of a film in segments, as many at once as wanted, and goes on where an earlier run
/// stopped.
///
/// A planner has a folder of its own, in which each finished segment is a file. What is there is not made
/// again, whatever ended the run before: an error, a cancellation, `kill -9`. So a client plans the same
/// tracks whenever it runs, and [executes](Self::execute) the plan: its handlers are called for the segments
/// that are missing, and the samples of all become one track.
///
/// Closed segments need encoders that know that others come before and after them:
/// [`SegmentRequest::configure`] tells a session so.
#[doc(alias = "AVAssetWritingPlanner")]
pub struct AssetWritingPlanner {
    folder: PathBuf,
    tracks: Vec<PlannedTrack>,
    finished: AtomicUsize,
    cancelled: AtomicBool,
    /// Keeps other planners out of the folder; the lock goes with the file.
    _lock: File,
}

/// What writes a segment.
type SegmentHandler = Box<dyn Fn(&SegmentRequest<'_>) -> Result<(), HandlerError> + Send + Sync>;

/// Why a client could not write a segment.
pub type HandlerError = Box<dyn Error + Send + Sync>;

struct PlannedTrack {
    plan: TrackPlan,
    handler: SegmentHandler,
}

/// How a track is cut into segments.
#[doc(alias = "AVAssetTrackPlan")]
#[doc(alias = "AVAssetVideoTrackPlan")]
#[derive(Debug, Clone, PartialEq)]
pub struct TrackPlan {
    identity: String,
    segments: Vec<PlannedSegment>,
}

/// One segment of a track.
#[doc(alias = "AVPlannedSegmentConfiguration")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedSegment {
    /// Its frames, and its place among the others.
    pub part: Part,
    /// When they are shown: from the first of them to the first of the next segment, or the end.
    pub time_range: TimeRange,
}

impl TrackPlan {
    /// Cuts a track into segments by the rule of parallel sessions. `times` are those at which its frames are
    /// shown, ascending, and `end` is the end of the last. `identity` describes everything that the samples
    /// depend on, such as the source and the settings of the encoder: another one makes finished segments
    /// worthless, and its plan is refused in the same folder.
    #[doc(alias = "initWithMediaType:segmentConfigurations:assemblyTrackID:")]
    pub fn new(identity: impl Into<String>, subdivision: &Subdivision, times: &[Time], end: Time) -> Self {
        let duration = times.first().map(|first| end - *first);
        let parts = subdivision.parts(times.len() as u64, duration);
        let time =
            |frame: u64| usize::try_from(frame).ok().and_then(|frame| times.get(frame)).unwrap_or(&end);
        let segments = parts.into_iter().map(|part| PlannedSegment {
            part,
            time_range: TimeRange::between(*time(part.range.start), *time(part.range.end)),
        });
        Self { identity: identity.into(), segments: segments.collect() }
    }

    /// Its segments, in their order.
    #[doc(alias = "segmentConfigurations")]
    pub fn segments(&self) -> &[PlannedSegment] {
        &self.segments
    }
}

/// Asks a client to write one segment.
#[doc(alias = "AVPlannedSegmentWritingRequest")]
#[doc(alias = "AVPlannedVideoSegmentWritingRequest")]
pub struct SegmentRequest<'a> {
    planner: &'a AssetWritingPlanner,
    /// The track, counted from 0 in the order of planning.
    pub track: usize,
    /// The segment, counted from 0.
    pub number: usize,
    /// What it holds.
    pub segment: PlannedSegment,
    silo: &'a FrameSilo,
}

impl SegmentRequest<'_> {
    /// Where its samples go: one of each frame of the segment, with the times that they have in the film. A
    /// client that encodes in several passes replaces samples as in any silo.
    #[doc(alias = "segmentFileOutputURL")]
    pub fn silo(&self) -> &FrameSilo {
        self.silo
    }

    /// Tells a session its place among those of the other segments, so that their samples can be joined.
    ///
    /// # Errors
    /// Those of [`SessionHandle::set_all`].
    #[doc(alias = "createResumableCompressionSessionWithAllocator")]
    pub fn configure<T: Send + 'static>(&self, session: &SessionHandle<T>) -> Result<(), SessionError> {
        session.set_all(&self.segment.part.properties(&session.supported_properties()?))
    }

    /// Whether the plan is not to be executed to its end: then the handler ends soon, with any error.
    pub fn is_cancelled(&self) -> bool {
        self.planner.cancelled.load(Ordering::Acquire)
    }
}

/// How much of a plan is done.
#[doc(alias = "AVAssetWritingPlannerProgress")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannerProgress {
    /// The segments that are finished, by this run or an earlier one.
    pub finished: usize,
    /// All segments of all tracks.
    pub segments: usize,
}

/// Why a plan could not be executed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlannerError {
    /// Another planner, of this or another process, has the folder.
    #[error("{}: another planner works in this folder", .folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds segments of another plan.
    #[error("{}: this folder holds segments of another plan: use another folder, or remove it", .folder.display())]
    OtherPlan {
        /// The folder.
        folder: PathBuf,
    },
    /// The system cannot read or write a file.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A finished segment cannot be put in place.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The samples of a segment cannot be stored or read.
    #[error(transparent)]
    Silo(#[from] SiloError),
    /// The client could not write a segment.
    #[error("segment {number} of track {track} could not be written: {source}")]
    Handler {
        /// The track, counted from 0.
        track: usize,
        /// The segment, counted from 0.
        number: usize,
        /// What the client said.
        source: HandlerError,
    },
    /// The client wrote something else than was planned.
    #[error("segment {number} of track {track} {what}")]
    Segment {
        /// The track, counted from 0.
        track: usize,
        /// The segment, counted from 0.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The segments do not make one track.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// An input does not take the samples of a track.
    #[error("the samples of a track cannot be appended: {0}")]
    Append(String),
    /// The plan was cancelled. What was finished is kept.
    #[error("the plan was cancelled")]
    Cancelled,
    /// A handler panicked, or no thread could be started.
    #[error("{0}")]
    Broken(String),
}

impl JobError for PlannerError {
    fn broken(what: String) -> Self {
        Self::Broken(what)
    }

    fn is_consequence(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

impl PlannerError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl AssetWritingPlanner {
    /// Opens a folder for a plan, or makes it. It must be used for nothing else.
    ///
    /// # Errors
    /// [`PlannerError::InUse`] and [`PlannerError::Io`].
    #[doc(alias = "initWithDirectoryForTemporaryFiles:")]
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PlannerError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(PlannerError::io(&folder))?;
        let path = folder.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(PlannerError::io(&path))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(PlannerError::InUse { folder });
        }
        remove_unfinished(&folder).map_err(PlannerError::io(&folder))?;
        let (finished, cancelled) = (AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Self { folder, tracks: Vec::new(), finished, cancelled, _lock: lock })
    }

    /// Adds a track. `handler` writes one segment of it each time that it is called, perhaps several of them
    /// at once from several threads. A segment is finished when it returns `Ok`, and as long as it was
    /// planned.
    #[doc(alias = "planTrack:withSegmentsGeneratedBy:")]
    pub fn plan_track(
        &mut self,
        plan: TrackPlan,
        handler: impl Fn(&SegmentRequest<'_>) -> Result<(), HandlerError> + Send + Sync + 'static,
    ) {
        self.tracks.push(PlannedTrack { plan, handler: Box::new(handler) });
    }

    /// How much is done. Before [`execute`](Self::execute) nothing is known of earlier runs.
    pub fn progress(&self) -> PlannerProgress {
        let segments = self.tracks.iter().map(|track| track.plan.segments.len()).sum();
        PlannerProgress { finished: self.finished.load(Ordering::Acquire), segments }
    }

    /// Has [`execute`](Self::execute) end soon, in whatever thread it runs. What is finished is kept.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Has all segments written that are missing, by at most so many handlers at once (0 counts as one), and
    /// gives the tracks. Damaged segments are missing ones.
    ///
    /// # Errors
    /// The first that keeps a segment from being written; [`PlannerError::OtherPlan`],
    /// [`PlannerError::Cancelled`]. What was finished stays, and another call goes on there.
    #[doc(alias = "executePlanWithCompletionHandler")]
    pub fn execute(&self, at_once: u32) -> Result<Vec<AssembledTrack>, PlannerError> {
        self.check_plan()?;
        let mut missing = Vec::new();
        let mut finished = 0;
        for (track, planned) in self.tracks.iter().enumerate() {
            for number in 0..planned.plan.segments.len() {
                match self.open_segment(track, number).is_some() {
                    true => finished += 1,
                    false => missing.push((track, number)),
                }
            }
        }
        self.finished.store(finished, Ordering::Release);
        let next = AtomicUsize::new(0);
        let pool = WorkerPool { threads: at_once, name: "segment", stop: &|| () };
        pool.run(
            || missing.get(next.fetch_add(1, Ordering::Relaxed)).copied(),
            |(track, number)| format!("segment {number} of track {track}"),
            |(track, number)| self.write_segment(track, number),
            |()| {
                self.finished.fetch_add(1, Ordering::AcqRel);
                Ok(())
            },
        )?;
        let tracks = self.tracks.iter().enumerate().map(|(track, planned)| {
            let silos = (0..planned.plan.segments.len()).map(|number| {
                let lost = PlannerError::Segment { track, number, what: "was damaged after it was finished" };
                self.open_segment(track, number).ok_or(lost)
            });
            Ok(AssembledTrack { silos: silos.collect::<Result<_, PlannerError>>()? })
        });
        tracks.collect()
    }

    /// Removes everything that the planner has in its folder, once the film is where it belongs; and the
    /// folder, if nothing else is in it.
    ///
    /// # Errors
    /// [`PlannerError::Io`] for a file that cannot be removed.
    pub fn discard(self) -> Result<(), PlannerError> {
        let segments =
            self.tracks.iter().enumerate().flat_map(|(track, planned)| {
                (0..planned.plan.segments.len()).map(move |number| (track, number))
            });
        let names = segments.map(|(track, number)| self.segment_file(track, number));
        for path in names.chain([self.plan_file(), self.folder.join("lock")]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PlannerError::io(&path)(error));
                }
                _ => {}
            }
        }
        // it stays if the client has put something there
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    fn segment_file(&self, track: usize, number: usize) -> PathBuf {
        self.folder.join(format!("segment-{track}-{number}.silo"))
    }

    fn plan_file(&self) -> PathBuf {
        self.folder.join("plan")
    }

    /// Compares the plan with that of earlier runs, whole, or notes it.
    fn check_plan(&self) -> Result<(), PlannerError> {
        let mut plan = format!("retake writing plan {VERSION}\n").into_bytes();
        for PlannedTrack { plan: TrackPlan { identity, segments }, .. } in &self.tracks {
            plan.extend(format!("track {} {}\n{identity}\n", segments.len(), identity.len()).bytes());
            for PlannedSegment { part, time_range: TimeRange { start, duration } } in segments {
                let times = [*start, *duration].map(|time| format!("{}/{}", time.value(), time.timescale()));
                let line = format!("{} {} {}\n", part.range.start, part.range.end, times.join(" "));
                plan.extend(line.bytes());
            }
        }
        let path = self.plan_file();
        match fs::read(&path) {
            Ok(earlier) if earlier == plan => Ok(()),
            Ok(_) => Err(PlannerError::OtherPlan { folder: self.folder.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = OutputTarget::new(&path, Existing::Keep);
                let mut file = target.unfinished_file(&self.folder)?;
                file.write_all(&plan).map_err(PlannerError::io(&path))?;
                Ok(target.put_file(file)?)
            }
            Err(error) => Err(PlannerError::io(&path)(error)),
        }
    }

    /// The samples of a finished segment; `None` if it is not there, or not what was planned.
    fn open_segment(&self, track: usize, number: usize) -> Option<FrameSilo> {
        let segment = self.tracks[track].plan.segments[number];
        let silo = FrameSilo::open(&self.segment_file(track, number), segment.time_range).ok()?;
        check_segment(&silo, &segment).ok()?.is_none().then_some(silo)
    }

    fn write_segment(&self, track: usize, number: usize) -> Result<(), PlannerError> {
        if self.cancelled.load(Ordering::Acquire) {
            return Err(PlannerError::Cancelled);
        }
        let PlannedTrack { plan, handler } = &self.tracks[track];
        let segment = plan.segments[number];
        let target = OutputTarget::new(self.segment_file(track, number), Existing::Replace);
        let file = target.unfinished_file(&self.folder)?;
        let silo = FrameSilo::create(file.path(), segment.time_range, ExistingSilo::Refuse)?;
        let request = SegmentRequest { planner: self, track, number, segment, silo: &silo };
        handler(&request).map_err(|source| match self.cancelled.load(Ordering::Acquire) {
            true => PlannerError::Cancelled,
            false => PlannerError::Handler { track, number, source },
        })?;
        if let Some(what) = check_segment(&silo, &segment)? {
            return Err(PlannerError::Segment { track, number, what });
        }
        silo.sync()?;
        // the silo has a lock on its file, and the file gets its name when nobody writes to it any more
        drop(silo);
        Ok(target.put_file(file)?)
    }
}

/// Removes what a killed program was writing. The folder is the planner's own, and locked.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in entries(folder)? {
        let name = entry.file_name();
        let ours = |name: &str| name.starts_with("segment-") || name.starts_with("plan.");
        if name.to_str().is_some_and(|name| ours(name) && name.contains(".unfinished-")) {
            uninterrupted(|| fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// What is wrong with the samples of a segment, if anything.
fn check_segment(silo: &FrameSilo, segment: &PlannedSegment) -> Result<Option<&'static str>, SiloError> {
    let (mut count, mut outside, mut sync) = (0, false, true);
    silo.for_each::<SiloError>(None, |buffer| {
        sync &= count > 0 || buffer.sample.is_sync();
        outside |= !segment.time_range.contains(buffer.sample.pts);
        count += 1;
        Ok(())
    })?;
    Ok(match () {
        () if count != segment.part.range.len() => Some("has not as many samples as it has frames"),
        () if outside => Some("has samples that are shown outside of it"),
        () if !sync => Some("does not begin with a sync sample"),
        () => None,
    })
}

/// A track whose segments are all finished.
pub struct AssembledTrack {
    silos: Vec<FrameSilo>,
}

impl fmt::Debug for AssembledTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssembledTrack").field("segments", &self.silos.len()).finish_non_exhaustive()
    }
}

impl AssembledTrack {
    /// The format of its samples, for an input that they are passed through; `None` if it has none.
    ///
    /// # Errors
    /// [`PlannerError::Silo`].
    pub fn format(&self) -> Result<Option<FormatDescription>, PlannerError> {
        for silo in &self.silos {
            if let Some(sample) = silo.samples(None)?.next() {
                return Ok(Some(sample?.format.as_ref().clone()));
            }
        }
        Ok(None)
    }

    /// Gives the samples of all segments in decode order, as those of one track.
    ///
    /// # Errors
    /// [`PlannerError::Join`] where they make none, [`PlannerError::Silo`], and those of `each`.
    pub fn for_each(
        &self,
        mut each: impl FnMut(SampleBuffer) -> Result<(), PlannerError>,
    ) -> Result<JoinReport, PlannerError> {
        let mut joiner = Joiner::default();
        for silo in &self.silos {
            for (index, sample) in silo.samples(None)?.enumerate() {
                let mut buffer = sample?;
                if index == 0 {
                    joiner.begin(&buffer.format)?;
                }
                joiner.sample(&mut buffer.sample)?;
                each(buffer)?;
            }
        }
        Ok(joiner.finish()?)
    }

    /// Appends all samples to an input that passes them through, waiting as long as it is not ready, and
    /// marks it as finished.
    ///
    /// # Errors
    /// [`PlannerError::Append`] for an input that does not take them, or takes no more; else as
    /// [`for_each`](Self::for_each).
    #[doc(alias = "resumableAssetWriterInputWithMediaType")]
    pub fn append_to(&self, input: &AssetWriterInput) -> Result<JoinReport, PlannerError> {
        let refused = |error: &dyn Error| PlannerError::Append(error.to_string());
        let report = self.for_each(|buffer| {
            let mut waiting = Some(buffer);
            while let Some(buffer) = waiting.take() {
                match input.append(buffer.clone()) {
                    Ok(()) => {}
                    Err(AppendError::NotReady(_)) => {
                        input.wait_until_ready(WAIT);
                        waiting = Some(buffer);
                    }
                    Err(error) => return Err(refused(&error)),
                }
            }
            Ok(())
        })?;
        input.mark_as_finished().map_err(|error| refused(&error))?;
        Ok(report)
    }
}
