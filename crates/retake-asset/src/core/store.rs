//! The thread of a writer: it takes samples out in their order, and has them stored.

use super::clock::{movie_timescale, timescale};
use super::encoding;
use super::timeline::Timeline;
use super::{Core, Destination, Session, Shared};
use crate::boxes::entry;
use crate::boxes::movie::TrackHeader;
use crate::error::WriterError;
use crate::input::AssetWriterInput;
use crate::media::{MediaSample, MediaType};
use crate::options::{OtherTracks, WriterOptions};
use crate::sink::{Cut, Ending, FilmSink, FragmentSink, Intervals, SegmentSink, Sink, SinkPlan, SinkTrack};
use crate::status::WriterStatus;
use retake_libav::{TrackFormat, time_to_ticks};
use retake_media::{Rational, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How long segments are where nobody says.
const USUAL_SEGMENT: Time = Time::new(6, 1);

/// So many samples are taken out at once.
const BATCH: usize = 64;

/// What the thread is to do next.
enum Task {
    Open(Box<SinkPlan>, Destination, Cut),
    Store(Vec<(usize, MediaSample)>),
    Finish(Session),
    Fail(WriterError),
    Stop,
}

/// Runs until the writer has ended.
pub(crate) fn run(shared: &Arc<Shared>) {
    // a delegate's panic must not leave everybody waiting
    let outcome = catch_unwind(AssertUnwindSafe(|| store_all(shared)));
    let outcome = outcome.unwrap_or(Err(WriterError::Panicked("the segment delegate")));
    let inputs = shared.change(|core| {
        if let Err(error) = &outcome {
            // nobody waits for room that will not come
            core.fail(error.clone());
        }
        core.inputs()
    });
    encoding::release(&inputs);
    shared.change(|core| {
        match outcome {
            _ if core.cancelling => core.end(WriterStatus::Cancelled, Some(WriterError::Cancelled)),
            Ok(notes) => {
                core.notes = notes;
                core.end(WriterStatus::Completed, None);
            }
            Err(error) => core.end(WriterStatus::Failed, Some(error)),
        }
        core.worker = None;
    });
}

/// Stores until all is stored, or cannot be; answers what could not be kept. Temporary files are gone when it returns.
fn store_all(shared: &Arc<Shared>) -> Result<Vec<String>, WriterError> {
    let mut work = None;
    loop {
        match shared.wait(|core| next_task(core, work.is_some())) {
            Task::Stop => return Err(WriterError::Cancelled),
            Task::Fail(error) => return Err(error),
            Task::Open(plan, to, cut) => work = Some(open(*plan, to, cut)?),
            Task::Store(batch) => {
                // room was made
                shared.change(|_| ());
                work.as_mut().map_or(Ok(()), |work| store(work, batch))?;
            }
            Task::Finish(session) => return work.take().map_or(Ok(Vec::new()), |work| finish(work, session)),
        }
    }
}

fn next_task(core: &mut Core, opened: bool) -> Option<Task> {
    if core.cancelling || core.status.is_terminal() {
        return Some(Task::Stop);
    }
    if let Some(error) = &core.failure {
        return Some(Task::Fail(error.clone()));
    }
    let start = match core.session {
        Session::None => return None,
        Session::Started { start } | Session::Ended { start, .. } => start,
    };
    if !opened {
        let all_in = core.finishing && core.interleaver.is_done();
        if !all_in && !core.interleaver.is_primed() {
            return None;
        }
        let destination = core.destination.take()?;
        return Some(Task::Open(Box::new(plan(core)), destination, cut(core, start)));
    }
    let batch: Vec<_> = std::iter::from_fn(|| core.interleaver.pop()).take(BATCH).collect();
    if !batch.is_empty() {
        return Some(Task::Store(batch));
    }
    (core.finishing && core.interleaver.is_done()).then_some(Task::Finish(core.session))
}

/// Where segments are to end.
fn cut(core: &Core, session: Time) -> Cut {
    let next =
        core.segment_boundaries().map(|(interval, start)| (start.unwrap_or(session).add(interval), interval));
    Cut { session, next, track: core.deciding_track() }
}

impl Core {
    /// The distance of the boundaries of segments, and where the first segment begins; the session's start if nothing is said. None where
    /// the client ends segments, or there are none.
    pub(crate) fn segment_boundaries(&self) -> Option<(Time, Option<Time>)> {
        let interval = self.options.preferred_output_segment_interval;
        match interval {
            _ if self.target.segments.is_none() || interval == Time::INDEFINITE => None,
            _ if interval.is_numeric() => Some((interval, Some(self.options.initial_segment_start_time))),
            _ => Some((USUAL_SEGMENT, None)),
        }
    }
}

/// What the first samples tell of the film.
fn plan(core: &Core) -> SinkPlan {
    let tracks = core.lanes.iter().enumerate().filter_map(|(index, lane)| {
        let options = lane.input.options();
        // what the first sample says of itself is better than what an encoder could say before it
        let told = core.interleaver.waiting(index).find_map(|sample| sample.format.as_deref().cloned());
        let format = told.map(TrackFormat::Video).or_else(|| lane.input.format())?;
        let scale = match &format {
            TrackFormat::Audio(sound) => sound.sample_rate,
            _ if options.media_time_scale > 0 => options.media_time_scale,
            _ => timescale(core.interleaver.waiting(index)),
        };
        let group = core.groups.iter().position(|group| group.inputs().contains(&lane.input));
        let number = |input: &AssetWriterInput| core.lanes.iter().position(|lane| lane.input == *input);
        let associations = lane.input.associations();
        let references = associations
            .iter()
            .filter_map(|(kind, input)| Some((kind.reference(), number(input)? as u32 + 1)));
        let header = TrackHeader {
            enabled: options.enabled,
            alternate_group: group.map_or(0, |group| group as u16 + 1),
            volume: options.preferred_volume,
            size: options.natural_size,
            language_tag: options.extended_language_tag,
            references: references.collect(),
            entry: match &format {
                TrackFormat::Video(video) => entry::boxes(video, core.target.container),
                _ => Vec::new(),
            },
        };
        Some(SinkTrack {
            format,
            encoded: lane.input.encoder().is_some(),
            timescale: scale,
            frame_rate: options.frame_rate,
            display_matrix: options.transform,
            language: options.language_code,
            reorder_delay: options.reorder_delay,
            tags: options.metadata,
            header,
        })
    });
    let tracks: Vec<SinkTrack> = tracks.collect();
    let movie_timescale = match core.options.movie_time_scale {
        0 => {
            let copied = core.options.other_tracks.iter().flat_map(OtherTracks::sample_rates);
            movie_timescale(tracks.iter().map(|track| track.timescale).chain(copied))
        }
        scale => scale,
    };
    let session = match core.session {
        Session::None => Time::ZERO,
        Session::Started { start } | Session::Ended { start, .. } => start,
    };
    SinkPlan {
        container: core.target.container,
        output: core.target.file.clone(),
        temporary: core.options.directory_for_temporary_files.clone(),
        fast_start: core.options.fast_start,
        intervals: intervals(core),
        tracks,
        tags: core.options.metadata.clone(),
        movie_timescale,
        session,
        other_tracks: core.options.other_tracks.clone(),
    }
}

/// How often fragments end, if there are any.
fn intervals(core: &Core) -> Option<Intervals> {
    let WriterOptions { movie_fragment_interval, initial_movie_fragment_interval, .. } = core.options;
    let wanted = movie_fragment_interval.is_numeric() && core.target.container.is_iso();
    wanted.then_some(Intervals {
        first: initial_movie_fragment_interval,
        others: movie_fragment_interval,
        number: core.options.initial_movie_fragment_sequence_number,
        duration: core.options.overall_duration_hint,
    })
}

/// The sink, and the time lines of all tracks.
struct Work {
    sink: Box<dyn Sink>,
    tracks: Vec<Timeline>,
    movie: Rational,
}

fn open(plan: SinkPlan, to: Destination, cut: Cut) -> Result<Work, WriterError> {
    let start = cut.session;
    let movie = Rational::new(1, i32::try_from(plan.movie_timescale).unwrap_or(i32::MAX));
    let sound = |track: &SinkTrack| MediaType::of(&track.format) == MediaType::Audio;
    let kinds: Vec<_> = plan.tracks.iter().map(|track| (sound(track), track.encoded)).collect();
    let sink: Box<dyn Sink> = match to {
        Destination::Segments(profile, delegate) => {
            Box::new(SegmentSink::create(plan, cut, profile, delegate)?)
        }
        Destination::Film(target) if plan.intervals.is_some() => {
            Box::new(FragmentSink::create(plan, target)?)
        }
        Destination::Film(target) => Box::new(FilmSink::create(plan, target)?),
    };
    let tracks = kinds.into_iter().enumerate();
    let timeline = |(index, (sound, encoded))| Timeline::new(sink.time_base(index), start, sound, encoded);
    let tracks = tracks.map(timeline).collect();
    Ok(Work { sink, tracks, movie })
}

fn store(work: &mut Work, batch: Vec<(usize, MediaSample)>) -> Result<(), WriterError> {
    for (track, sample) in batch {
        let timeline = &mut work.tracks[track];
        let number = timeline.samples();
        let bad = |detail| WriterError::BadSample { input: track, sample: number, detail };
        for stored in timeline.accept(sample).map_err(bad)?.into_iter().flatten() {
            work.sink.write(track, &stored)?;
        }
    }
    Ok(())
}

fn finish(mut work: Work, session: Session) -> Result<Vec<String>, WriterError> {
    let length = match session {
        Session::Ended { start, end } => Some(end.subtract(start)),
        _ => None,
    };
    let in_ticks = |base| length.and_then(|length| time_to_ticks(length, base));
    let mut last: Vec<_> = Vec::new();
    for (track, timeline) in work.tracks.iter_mut().enumerate() {
        if let Some(stored) = timeline.finish(in_ticks(timeline.base())) {
            let seconds = stored.dts as f64 * timeline.base().to_f64();
            last.push((seconds, track, stored));
        }
    }
    last.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, track, stored) in &last {
        work.sink.write(*track, stored)?;
    }
    let ending = Ending {
        extents: work.tracks.iter().map(Timeline::extent).collect(),
        ends: work.tracks.iter().map(|track| in_ticks(track.base())).collect(),
        length: in_ticks(work.movie).and_then(|ticks| u64::try_from(ticks).ok()),
    };
    work.sink.finish(&ending)
}
