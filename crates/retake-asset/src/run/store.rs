//! The thread of a writer: it takes samples out in their order, and has them stored.

use super::clients::{Clients, OpenOutput};
use super::plan::{cut, plan};
use super::shell::Shared;
use crate::sink::{
    Cut, Ending as SinkEnding, FilmSink, FragmentSink, SegmentSink, Sink, SinkPlan, SinkTrack,
};
use crate::state::timeline::{Durations, Timeline};
use crate::state::{Ending, Session, StoreStep, WriterState};
use crate::types::error::WriterError;
use crate::types::media::MediaSample;
use retake_libav::{TrackFormat, time_to_ticks};
use retake_media::{MetadataFormat, Rational, TextFormat};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

/// What the thread is to do next.
enum Task {
    Open(Box<SinkPlan>, OpenOutput, Cut),
    Store(Vec<(usize, MediaSample)>),
    Finish(Session),
    Fail(WriterError),
}

/// Starts the thread, which runs until the writer has ended.
pub(crate) fn spawn(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new().name("retake writer".into());
    thread.spawn(move || {
        shared.begin_worker();
        run(&shared);
    })?;
    Ok(())
}

fn run(shared: &Arc<Shared>) {
    // a delegate's panic must not leave everybody waiting
    let outcome = catch_unwind(AssertUnwindSafe(|| store_all(shared)));
    let outcome = outcome.unwrap_or(Err(WriterError::Panicked("the segment delegate")));
    if let Err(error) = &outcome {
        // nobody waits for room that will not come
        shared.change(|state| state.fail(error.clone()));
    }
    shared.release_encoders();
    shared.end_worker(|state| {
        state.end(match outcome {
            Ok(notes) => Ending::Completed(notes),
            Err(error) => Ending::Failed(error),
        });
    });
}

/// Stores until all is stored, or cannot be; answers what could not be kept. Temporary files are gone when it
/// returns.
fn store_all(shared: &Arc<Shared>) -> Result<Vec<String>, WriterError> {
    let mut work = None;
    loop {
        match shared.wait(|state, clients| next_task(state, clients, work.is_some())) {
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

fn next_task(state: &mut WriterState, clients: &mut Clients, opened: bool) -> Option<Task> {
    Some(match state.next_store_step(opened)? {
        StoreStep::Open => Task::Open(Box::new(plan(state)), clients.output.take()?, cut(state)),
        StoreStep::Store(batch) => Task::Store(batch),
        StoreStep::Finish(session) => Task::Finish(session),
        StoreStep::Fail(error) => Task::Fail(error),
    })
}

/// The sink, and the time lines of all tracks.
struct Work {
    sink: Box<dyn Sink>,
    tracks: Vec<Timeline>,
    movie: Rational,
}

fn open(plan: SinkPlan, to: OpenOutput, cut: Cut) -> Result<Work, WriterError> {
    let start = cut.session;
    let movie = Rational::new(1, i32::try_from(plan.movie_timescale).unwrap_or(i32::MAX));
    let narrow = plan.container.is_iso();
    let durations = |track: &SinkTrack| match &track.format {
        TrackFormat::Audio(_) => Durations::Own,
        TrackFormat::Text(format) if !narrow && *format != TextFormat::QuickTimeText => {
            Durations::OwnAndTogether
        }
        TrackFormat::Text(format) => {
            Durations::Filled { nothing: format.payload(""), ends: *format == TextFormat::TimedText }
        }
        TrackFormat::Metadata(_) => {
            Durations::Filled { nothing: MetadataFormat::NOTHING.to_vec(), ends: false }
        }
        _ => Durations::UntilNext,
    };
    let kinds: Vec<_> = plan.tracks.iter().map(|track| (durations(track), track.encoded)).collect();
    let sink: Box<dyn Sink> = match to {
        OpenOutput::Segments(profile, delegate) => {
            Box::new(SegmentSink::create(plan, cut, profile, delegate)?)
        }
        OpenOutput::Film(target) if plan.intervals.is_some() => Box::new(FragmentSink::create(plan, target)?),
        OpenOutput::Film(target) => Box::new(FilmSink::create(plan, target)?),
    };
    let tracks = kinds.into_iter().enumerate();
    let timeline = |(index, (durations, encoded))| {
        Timeline::new(sink.time_base(index), start, durations, encoded, narrow)
    };
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
        Session::Ended { start, end } => Some(end - start),
        _ => None,
    };
    let in_ticks = |base| length.and_then(|length| time_to_ticks(length, base));
    let mut last: Vec<_> = Vec::new();
    for (track, timeline) in work.tracks.iter_mut().enumerate() {
        for stored in timeline.finish(in_ticks(timeline.base())).into_iter().flatten() {
            let seconds = stored.dts as f64 * timeline.base().to_f64();
            last.push((seconds, track, stored));
        }
    }
    last.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, track, stored) in &last {
        work.sink.write(*track, stored)?;
    }
    let ending = SinkEnding {
        extents: work.tracks.iter().map(Timeline::extent).collect(),
        ends: work.tracks.iter().map(|track| in_ticks(track.base())).collect(),
        length: in_ticks(work.movie).and_then(|ticks| u64::try_from(ticks).ok()),
    };
    work.sink.finish(&ending)
}
