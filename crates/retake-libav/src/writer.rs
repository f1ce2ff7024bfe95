use crate::container::Container;
use crate::copier::{Copier, common_multiple, copy_tags, timescale};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, ticks_to_time, time_to_ticks};
use crate::input::Input;
use crate::output::{Output, Stamps};
use crate::tags::keeps_for_film;
use crate::video::{NewVideo, add_video};
use retake_media::{FormatDescription, Rational, Sample, SampleKind, Time};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The finest clock that a whole ISO file gets; edit lists are written in its ticks.
const FINEST_MOVIE_SCALE: u32 = 1_000_000_000;

/// What a film is written with.
#[derive(Debug, Clone)]
pub struct WriterSettings<'a> {
    /// The file to write: a temporary one, which the caller renames when all is done and verified. An existing file is emptied.
    pub path: &'a Path,
    /// The kind of file; the ending of [`WriterSettings::path`] plays no role.
    pub container: Container,
    /// The video's codec, size, configuration record and tags.
    pub format: &'a FormatDescription,
    /// Seconds a tick of the samples' times: the source's. ISO files keep all times to this tick, Matroska rounds to milliseconds.
    pub time_base: Rational,
    /// The average frame rate.
    pub frame_rate: Rational,
    /// What is taken off all times, of the video and of copied tracks: [`FilmInfo::start`], or the first frame's time.
    pub start: Time,
    /// The greatest `dts − pts` of all samples, in ticks: all decode times are shifted down by it. 0 without reordering.
    pub max_reorder: i64,
    /// How the picture is to be turned or mirrored: [`VideoTrack::display_matrix`](crate::VideoTrack::display_matrix).
    pub display_matrix: Option<[i32; 9]>,
    /// The film whose other tracks, chapters and tags are copied. Those of a source that cannot be read again stay behind.
    pub copy_from: Option<&'a FilmInfo>,
    /// Whether an ISO file starts with its index, so that it plays while it is downloaded.
    pub fast_start: bool,
    /// What the file says it was encoded with.
    pub encoder: &'a str,
}

/// One thing that is different in the new file, in a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The track of the source, if it is about one.
    pub track: Option<u32>,
    /// The sentence, without a full stop.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Samples of video.
    pub samples: u64,
    /// Packets of all copied tracks.
    pub copied_packets: u64,
    /// What had to be repaired or left out on the way.
    pub notes: Vec<Note>,
}

/// Writes a film: its video sample by sample, and all other tracks of a source in step with it.
pub struct FilmWriter {
    path: PathBuf,
    output: Output,
    copier: Option<Copier>,
    track: u32,
    time_base: Rational,
    shift: i64,
    max_reorder: i64,
    last_dts: Option<i64>,
    fallback_duration: i64,
    samples: u64,
}

impl FilmWriter {
    /// Creates the file and writes its head. The notes say what of the source cannot be copied, and why.
    ///
    /// # Errors
    /// [`MediaError::CannotHold`], [`MediaError::Write`] if the system cannot write, [`MediaError::Mux`] if FFmpeg refuses a track,
    /// and those of [`probe`](crate::probe()) if the source cannot be opened again.
    pub fn create(settings: &WriterSettings<'_>) -> Result<(Self, Vec<Note>), MediaError> {
        let WriterSettings { path, container, format, time_base, start, .. } = *settings;
        container.check(format.codec)?;
        let refused =
            |failure: Failure| MediaError::write(path, 0, "the head of the file cannot be written", &failure);
        let mut notes = Vec::new();
        let source = open_source(settings, &mut notes)?;
        let mut output = Output::create(container.muxer(), path).map_err(refused)?;
        let disposition =
            source.as_ref().map_or(0, |(info, input)| input.stream(info.video.index).disposition);
        let video = NewVideo {
            container,
            format,
            time_base,
            frame_rate: settings.frame_rate,
            display_matrix: settings.display_matrix,
            disposition,
            encoder: settings.encoder,
        };
        let track = add_video(video, &mut output, &mut notes).map_err(refused)?;
        let copier = match source {
            Some((info, input)) => {
                copy_film_tags(&input, info, &mut output, track, container, start).map_err(refused)?;
                Some(Copier::open(info, input, container, start, &mut output, &mut notes).map_err(refused)?)
            }
            None => None,
        };
        output.tag(Some(track), "encoder", settings.encoder).map_err(refused)?;
        output.tag(None, "encoding_tool", settings.encoder).map_err(refused)?;
        if container.is_iso() {
            let scale = timescale(time_base);
            let rates = copier.iter().flat_map(Copier::sample_rates);
            let movie =
                rates.fold(scale, |all, rate| common_multiple(all, rate, FINEST_MOVIE_SCALE).unwrap_or(all));
            output.option("video_track_timescale", &scale.to_string()).map_err(refused)?;
            output.option("movie_timescale", &movie.to_string()).map_err(refused)?;
            if settings.fast_start {
                output.option("movflags", "+faststart").map_err(refused)?;
            }
        }
        output.header().map_err(refused)?;
        let frame = settings.frame_rate.inverse();
        let nominal = time_to_ticks(Time::new(i64::from(frame.num), frame.den), time_base).unwrap_or(0);
        let writer = Self {
            path: path.into(),
            output,
            copier,
            track,
            time_base,
            shift: time_to_ticks(start, time_base).unwrap_or(0),
            max_reorder: settings.max_reorder.max(0),
            last_dts: None,
            fallback_duration: nominal.max(1),
            samples: 0,
        };
        Ok((writer, notes))
    }

    /// Writes the next sample, in decode order, and what is copied up to its time. The sample's times are the source's, with decode
    /// times by rule T-2.
    ///
    /// # Errors
    /// [`MediaError::BadSample`], [`MediaError::Write`], [`MediaError::Mux`], [`MediaError::Read`] of a copied track. The file is
    /// of no use after any of them.
    pub fn write(&mut self, sample: &Sample) -> Result<(), MediaError> {
        let ticks = |time: Time| time_to_ticks(time, self.time_base);
        let (Some(pts), Some(dts)) = (ticks(sample.pts), ticks(sample.dts)) else {
            return Err(self.bad("its times are no numbers"));
        };
        let duration = ticks(sample.duration).filter(|&ticks| ticks > 0).unwrap_or(self.fallback_duration);
        let decode = dts.saturating_sub(self.max_reorder);
        if decode > pts {
            return Err(self.bad("it is decoded after it is shown: the reordering is deeper than was said"));
        }
        if self.last_dts.is_some_and(|last| last >= decode) {
            return Err(self.bad("it is not decoded after the sample before it"));
        }
        self.last_dts = Some(decode);
        if let Some(copier) = &mut self.copier {
            copier.advance(ticks_to_time(decode, self.time_base), &self.path, &mut self.output)?;
        }
        let stamps = Stamps { pts: pts - self.shift, dts: decode - self.shift, duration };
        let disposable = sample.kind == SampleKind::Disposable;
        self.output
            .write(self.track, self.time_base, stamps, sample.is_sync(), disposable, &sample.data)
            .map_err(|failure| {
                MediaError::write(&self.path, self.output.bytes(), "a sample cannot be written", &failure)
            })?;
        self.samples += 1;
        Ok(())
    }

    /// Copies what is left, writes the index, and flushes the file to the disk.
    ///
    /// # Errors
    /// As [`FilmWriter::write`].
    pub fn finish(mut self) -> Result<Written, MediaError> {
        let (mut notes, mut copied_packets) = (Vec::new(), 0);
        if let Some(copier) = &mut self.copier {
            copier.advance(Time::POSITIVE_INFINITY, &self.path, &mut self.output)?;
            notes = copier.notes();
            copied_packets = copier.packets;
        }
        let bytes = self.output.bytes();
        self.output.finish().map_err(|failure| {
            MediaError::write(&self.path, bytes, "the file cannot be completed", &failure)
        })?;
        let written = |source| MediaError::Write { file: self.path.clone(), byte: bytes, source };
        let file = File::options().read(true).write(true).open(&self.path).map_err(written)?;
        let length = file.metadata().map_err(written)?;
        if length.is_file() {
            file.sync_all().map_err(written)?;
        }
        Ok(Written { bytes: length.len(), samples: self.samples, copied_packets, notes })
    }

    fn bad(&self, detail: &str) -> MediaError {
        MediaError::BadSample { file: self.path.clone(), sample: self.samples, detail: detail.into() }
    }
}

/// The film that is copied from, opened again.
fn open_source<'a>(
    settings: &WriterSettings<'a>,
    notes: &mut Vec<Note>,
) -> Result<Option<(&'a FilmInfo, Input)>, MediaError> {
    let Some(info) = settings.copy_from else { return Ok(None) };
    if !info.seekable {
        if !info.tracks.is_empty() {
            let text = "only the video is written: the source is a pipe, which cannot be read a second time";
            notes.push(Note { track: None, text: text.into() });
        }
        return Ok(None);
    }
    let input = Input::open(&info.path).map_err(|failure| MediaError::open(&info.path, &failure))?;
    if input.film().streams as usize <= info.tracks.len() {
        return Err(MediaError::SourceChanged { file: info.path.clone(), frame: 0 });
    }
    Ok(Some((info, input)))
}

fn copy_film_tags(
    input: &Input,
    info: &FilmInfo,
    output: &mut Output,
    track: u32,
    container: Container,
    start: Time,
) -> Result<(), Failure> {
    for (name, value) in input.tags(None) {
        if keeps_for_film(&name) {
            output.tag(None, &name, &value)?;
        }
    }
    copy_tags(input, info.video.index, output, track, container, true)?;
    if start.is_numeric() {
        output.chapters(input, start.value(), i64::from(start.timescale()))?;
    }
    Ok(())
}
