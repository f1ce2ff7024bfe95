//! This module writes one track of a stream: it has an asset writer, and the folder that its segments go to.

use super::super::track::{TrackWriter, misused};
use super::names::{INIT, SEGMENT};
use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_asset::{AssetWriter, AssetWriterInput, InputOptions, SegmentKind, SegmentProfile, SegmentReport};
use retake_compression::durable::uninterrupted;
use retake_media::{Sample, Time};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A segment records the facts of a file that playlists need.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// The number counts from 1.
    pub(super) number: usize,
    pub(super) bytes: u64,
    /// The segment is shown for this long, up to the segment after it.
    pub(super) seconds: f64,
    /// Of video, these are the bytes up to the end of its first frame.
    pub(super) first_frame: Option<u64>,
    pub(super) starts: Time,
    pub(super) ends: Time,
}

impl Segment {
    pub(super) fn name(&self) -> String {
        format!("{:05}{SEGMENT}", self.number)
    }
}

/// Segments begin at the first sync sample at or after each of these times.
#[derive(Clone, Copy)]
pub(super) struct Cuts<'a> {
    pub(super) at: &'a [Time],
    /// The next cut is this far behind the last of them, if there are more.
    pub(super) step: Option<Time>,
}

/// A rendition is a track that is being written.
pub(super) struct Rendition {
    track: TrackWriter,
    cuts: VecDeque<Time>,
    /// The next cut is this far behind the last one, if there are more than the given ones.
    step: Option<Time>,
    written: Arc<Mutex<Written>>,
}

struct Written {
    folder: PathBuf,
    segments: Vec<Segment>,
    failure: Option<ExportError>,
}

impl Rendition {
    /// Writes a track into a new folder. `start` is the time on the track's clock at which the stream begins.
    pub(super) fn create(
        folder: PathBuf,
        input: AssetWriterInput,
        options: impl FnOnce(&mut InputOptions),
        start: Time,
        Cuts { at, step }: Cuts<'_>,
    ) -> Result<Self, ExportError> {
        uninterrupted(|| fs::create_dir(&folder)).map_err(ExportError::file(&folder, "making a folder"))?;
        let written = Arc::new(Mutex::new(Written { folder, segments: Vec::new(), failure: None }));
        let keep = written.clone();
        let delegate = move |data: Vec<u8>, report: &SegmentReport| lock(&keep).add(&data, report);
        // each stream has one track, so that a film may have several of sound, and players fetch only those
        // that they play
        let writer = AssetWriter::segments(SegmentProfile::Cmaf, delegate);
        writer
            .configure(|options| options.preferred_output_segment_interval = Some(Time::INDEFINITE))
            .map_err(misused)?;
        input.configure(options).map_err(misused)?;
        let track = TrackWriter::start(writer, input, start)?;
        let mut cuts: VecDeque<Time> = at.iter().copied().collect();
        if let Some(step) = step.filter(|_| cuts.is_empty()) {
            cuts.push_back(start + step);
        }
        Ok(Self { track, cuts, step, written })
    }

    /// Writes the next sample.
    pub(super) fn append(&mut self, sample: Sample, stop: &StopFlag) -> Result<(), ExportError> {
        if sample.is_sync() && self.cuts.front().is_some_and(|&cut| sample.pts >= cut) {
            while let Some(cut) = self.cuts.front().copied().filter(|cut| sample.pts >= *cut) {
                self.cuts.pop_front();
                if let Some(step) = self.step.filter(|_| self.cuts.is_empty()) {
                    self.cuts.push_back(cut.first_after(step, sample.pts));
                }
            }
            self.track.writer().flush_segment().map_err(misused)?;
        }
        if let Some(failure) = lock(&self.written).failure.take() {
            return Err(failure);
        }
        self.track.append(sample, stop)
    }

    /// Ends the track, and returns its segments.
    pub(super) fn finish(self) -> Result<Vec<Segment>, ExportError> {
        let ended = self.track.finish();
        let mut written = lock(&self.written);
        if let Some(failure) = written.failure.take() {
            return Err(failure);
        }
        ended?;
        let mut segments = std::mem::take(&mut written.segments);
        let starts: Vec<Time> = segments.iter().skip(1).map(|segment| segment.starts).collect();
        for (number, segment) in segments.iter_mut().enumerate() {
            // a segment's sample durations cannot tell when the next one begins, because they are those of
            // decoding
            let ends = starts.get(number).copied().unwrap_or(segment.ends);
            segment.seconds = (ends - segment.starts).seconds().max(0.0);
        }
        Ok(segments)
    }
}

impl Written {
    fn add(&mut self, data: &[u8], report: &SegmentReport) {
        if self.failure.is_some() {
            return;
        }
        let number = self.segments.len() + 1;
        let track = report.tracks.first();
        let starts = track.map_or(Time::INVALID, |track| track.earliest_presentation_time);
        let segment = Segment {
            number,
            bytes: data.len() as u64,
            seconds: 0.0,
            first_frame: track
                .and_then(|track| track.first_video_sample)
                .map(|sample| sample.offset + sample.length),
            starts,
            ends: track.map_or(Time::INVALID, |track| starts + track.duration),
        };
        let name = if report.kind == SegmentKind::Initialization { INIT.into() } else { segment.name() };
        match write_file(&self.folder.join(name), data) {
            Ok(()) if report.kind == SegmentKind::Separable => self.segments.push(segment),
            Ok(()) => {}
            Err(error) => self.failure = Some(error),
        }
    }
}

/// Writes a new file, and waits until it is on the disk.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), ExportError> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(ExportError::file(path, "writing"))
}

fn lock(written: &Mutex<Written>) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}
