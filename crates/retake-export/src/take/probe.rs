//! The probe: a few frames of a unit, encoded with a fast preset and scored, tell where the search for its
//! quality begins.

use super::encode::{Scored, TakeTools, run_error};
use super::source::{FrameSource, TakeFrame};
use crate::clock::LibraryThreads;
use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_compression::encode_run::{EncodeRun, RunEvent};
use retake_compression::encoder::{Controls, EncoderError, EncoderSettings, FrameOptions, RateControl};
use retake_compression::planner::curve::{LookModel, Point};
use retake_compression::take::{Look, LookRecord, TakeDescription};
use retake_compression::units::FrameRange;
use retake_libav::Frame;
use retake_media::Time;
use std::collections::VecDeque;
use std::ops::Range;

/// Frames in each of the two windows that are encoded.
const WINDOW: usize = 12;

/// The most that the frames of a unit may take between its look and its encode where they can be read again.
/// More are decoded twice, because they cost less that way than a second take at once is worth.
pub(crate) const KEPT_MEMORY: u64 = 1 << 30;

/// How many frames of this size a look keeps in so many bytes, in a unit of so many that are read from the
/// source: all of them, or those of the windows alone.
pub(crate) fn frames_of_a_look(unit: u64, frame: u64, kept: u64) -> u64 {
    if unit.saturating_mul(frame) <= kept { unit } else { unit.min(3 * WINDOW as u64) }
}

/// What a look is made of.
pub(crate) struct LookFrames {
    /// The frames of the whole unit, where all are kept.
    pub all: VecDeque<TakeFrame>,
    /// The frames of each window.
    windows: Vec<Vec<Frame>>,
}

impl LookFrames {
    /// Takes the frames of a take: all of them, if they fit into `kept` bytes or cannot be read again, or
    /// those of the windows alone, and begins anew.
    pub(crate) fn of(
        description: &TakeDescription,
        source: &mut FrameSource,
        kept: u64,
        stop: &StopFlag,
    ) -> Result<Self, ExportError> {
        let settings = &description.settings;
        let bytes = |(width, height)| settings.format.picture_bytes(width, height);
        let unscaled = description.measure.as_ref().and_then(|measure| measure.size);
        let frame = bytes((settings.width, settings.height)) + unscaled.map_or(0, bytes);
        let unit = description.range.len();
        let windows = windows(unit as usize);
        let mut frames: Vec<Vec<Frame>> = vec![Vec::new(); windows.len()];
        let again = source.reader().is_some() && frames_of_a_look(unit, frame, kept) < unit;
        let last = windows.last().map_or(0, |window| window.end);
        let (mut all, mut place) = (VecDeque::new(), 0);
        while (!again || place < last)
            && let Some(fed) = source.next(stop)?
        {
            if let Some(window) = windows.iter().position(|window| window.contains(&place)) {
                frames[window].push(fed.frame.clone());
            }
            if !again {
                all.push_back(fed);
            }
            place += 1;
        }
        if let Some(reader) = source.reader().filter(|_| again) {
            reader.restart();
        }
        Ok(Self { all, windows: frames })
    }
}

/// Chooses the quality of a take. Returns it, what the look found, and the CPU seconds of the library's own
/// threads.
pub(crate) fn probe_quality(
    tools: &TakeTools,
    settings: &EncoderSettings,
    look: &Look,
    model: &LookModel,
    scored: &Scored<'_>,
    range: FrameRange,
    frames: &LookFrames,
) -> Result<(f64, LookRecord, f64), ExportError> {
    let scale = tools.factory.info().quality;
    let mut library = 0.0;
    let mut probes: Vec<Point> = Vec::new();
    let mut next = Some(scale.snap(model.quality));
    while let Some(quality) = next {
        let settings = EncoderSettings {
            preset: model.preset.to_owned(),
            rate: RateControl::Quality(quality),
            limit: None,
            reconstruct: true,
            // meant for the real encode, and perhaps not even valid with this preset
            options: Vec::new(),
            // a few frames are encoded, from places apart
            controls: Controls { first_pass: None, ..settings.controls.clone() },
            ..settings.clone()
        };
        let (point, cpu) = probe(tools, &settings, quality, scored, range, &frames.windows)?;
        next = scored.family.look_again(look.aim, &point).filter(|_| probes.is_empty());
        probes.push(point);
        library += cpu;
    }
    let quality = scale.snap(scored.family.quality_by_look(look.aim, &probes) + look.offset);
    let probes = probes.iter().map(|point| [point.quality, point.score]).collect();
    Ok((quality, LookRecord { probes }, library))
}

/// Windows around a quarter and three quarters of a unit; all of a short one.
fn windows(frames: usize) -> Vec<Range<usize>> {
    if frames < 3 * WINDOW {
        return std::iter::once(0..frames).collect();
    }
    [frames / 4, 3 * frames / 4].map(|middle| middle - WINDOW / 2..middle + WINDOW / 2).into()
}

fn probe(
    tools: &TakeTools,
    settings: &EncoderSettings,
    quality: f64,
    scored: &Scored<'_>,
    range: FrameRange,
    windows: &[Vec<Frame>],
) -> Result<(Point, f64), ExportError> {
    let fail = |source: EncoderError| ExportError::Encoder { range, source };
    let chosen: u64 = windows.iter().map(|window| window.len() as u64).sum();
    let mut threads = LibraryThreads::default();
    let run = threads.during(|| EncodeRun::open(&*tools.factory, settings)).map_err(fail)?;
    let mut run = run.scored(scored.scorer(settings, chosen, range)?);
    let mut sent = 0;
    let mut score = None;
    for window in windows {
        for (position, frame) in window.iter().enumerate() {
            tools.stop.check()?;
            // only the order of the frames counts
            let pts = Time::new(sent, 1_000_000);
            let options = FrameOptions { force_key_frame: position == 0, ..FrameOptions::default() };
            let picture = frame.picture.cropped(settings.width, settings.height);
            let reference = frame.unscaled.as_ref().unwrap_or(&picture);
            run.push_scored_by(&picture, reference, pts, Time::INVALID, options).map_err(fail)?;
            sent += 1;
            while run.next().map_err(|error| run_error(error, range))?.is_some() {
                tools.stop.check()?;
            }
        }
    }
    run.finish().map_err(fail)?;
    while let Some(event) = run.next().map_err(|error| run_error(error, range))? {
        tools.stop.check()?;
        if let RunEvent::Score { score: whole, .. } = event {
            score = Some(whole.map_err(|source| ExportError::Quality { range, source })?);
        }
    }
    let score = score.ok_or_else(|| ExportError::Internal(format!("{range}: the probe has no score")))?;
    let point = Point { quality, score: score.value, error: score.error, ceiling: score.ceiling };
    Ok((point, threads.cpu()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::first_take;
    use crate::take::threads::RangeSource;
    use crate::testing::{FRAMES, job};
    use retake_libav::{FrameEntry, FrameIndex, FrameReader};
    use retake_media::picture_hash;

    /// A look at frames that are all kept and one at frames that are read again see the same pictures, and so
    /// does the encode behind them.
    #[test]
    fn frames_that_are_read_again_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), |_| ());
        let mut index = FrameIndex::new(job.source.video.time_base);
        let mut reader = FrameReader::open(&job.source, job.reader).unwrap();
        while let Some(frame) = reader.next().unwrap() {
            index.frames.push(FrameEntry::from(&frame));
        }
        let hashes: Vec<u64> = index.frames.iter().map(|entry| entry.hash).collect();
        let source = RangeSource::new(job.source.clone(), job.reader, index);
        for range in [FrameRange::new(7, FRAMES), FrameRange::new(5, 40), FrameRange::new(3, 20)] {
            let description = first_take(&job, range, 0.0);
            let stop = StopFlag::new();
            for kept in [u64::MAX, 0] {
                let mut frames = source.open(&description).unwrap();
                let mut look = LookFrames::of(&description, &mut frames, kept, &stop).unwrap();
                assert_eq!(look.all.is_empty(), kept == 0 && range.len() > 36, "{range}");
                let expected: Vec<Vec<u64>> = windows(range.len() as usize)
                    .into_iter()
                    .map(|window| hashes[range.start as usize..][window].to_vec())
                    .collect();
                let seen: Vec<Vec<u64>> =
                    look.windows.iter().map(|window| window.iter().map(Frame::hash).collect()).collect();
                assert_eq!(seen, expected, "{range}");
                let mut all = Vec::new();
                while let Some(fed) = look.all.pop_front() {
                    all.push(picture_hash(&fed.frame.picture));
                }
                while let Some(fed) = frames.next(&stop).unwrap() {
                    all.push(picture_hash(&fed.frame.picture));
                }
                assert_eq!(all, hashes[range.start as usize..range.end as usize], "{range}");
            }
        }
    }
}
