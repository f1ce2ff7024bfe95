//! The crew runs the takes of a pass: as many at once as there are places, none depending on another.

use crate::board::Board;
use crate::error::ExportError;
use crate::feed::Feed;
use crate::shoot::{Shot, Stage, shoot};
use crate::stop::StopFlag;
use crossbeam_channel::unbounded;
use retake_compression::take::{TakeDescription, TakeRecord};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// A take to run.
pub(crate) struct Call {
    pub description: TakeDescription,
    pub feed: FeedSource,
}

/// Where its frames come from.
pub(crate) enum FeedSource {
    Ready(Feed),
    /// Opened by the worker that runs the take, so that no more readers are open than takes run.
    Range,
}

/// A take that was run.
pub(crate) struct Done {
    pub description: TakeDescription,
    pub record: TakeRecord,
}

/// Runs all calls that come, on `jobs` threads, while `lead` runs on its own thread and `done` is told of each take on the calling thread.
/// The first error stops everything.
pub(crate) fn run<T: Send>(
    stage: &Stage,
    jobs: u32,
    calls: &Board,
    open_range: &(dyn Fn(&TakeDescription) -> Result<Feed, ExportError> + Sync),
    lead: impl FnOnce() -> Result<T, ExportError> + Send,
    mut done: impl FnMut(Done),
) -> Result<T, ExportError> {
    let stop: &StopFlag = stage.stop;
    let (results, finished) = unbounded();
    thread::scope(|scope| {
        let lead = thread::Builder::new().name("scout".into()).spawn_scoped(scope, move || {
            let result = catch_unwind(AssertUnwindSafe(lead))
                .unwrap_or_else(|_| Err(ExportError::Internal("the scout panicked".into())));
            if result.is_err() {
                stop.raise();
            }
            result
        });
        let lead = lead.map_err(thread_error)?;
        for number in 0..jobs {
            let results = results.clone();
            let worker = move || {
                while let Some(Call { description, feed }) = calls.next() {
                    let start = description.range.start;
                    let take = || {
                        stop.check()?;
                        let feed = match feed {
                            FeedSource::Ready(feed) => feed,
                            FeedSource::Range => open_range(&description)?,
                        };
                        shoot(stage, description, feed)
                    };
                    // it is made safe by the thread that listens, so that no core waits for the disk
                    let result = catch_unwind(AssertUnwindSafe(take)).unwrap_or_else(|_| {
                        Err(ExportError::Internal(format!("the take at frame {start} panicked")))
                    });
                    if result.is_err() {
                        stop.raise();
                    }
                    // the receiver outlives all senders: it is drained below
                    let _ = results.send(result);
                }
            };
            let spawned = thread::Builder::new().name(format!("take-{number}")).spawn_scoped(scope, worker);
            if let Err(error) = spawned {
                stop.raise();
                return Err(thread_error(error));
            }
        }
        drop(results);
        let mut failure = None;
        for result in finished {
            match result.and_then(Shot::keep) {
                Ok((description, record)) => done(Done { description, record }),
                Err(error) => {
                    stop.raise();
                    keep_cause(&mut failure, error);
                }
            }
        }
        let lead = lead.join().unwrap_or_else(|_| Err(ExportError::Internal("the scout panicked".into())));
        match (failure, lead) {
            (None, lead) => lead,
            (Some(error), Ok(_)) => Err(error),
            (Some(error), Err(other)) => {
                let mut failure = Some(error);
                keep_cause(&mut failure, other);
                Err(failure.unwrap_or(ExportError::Stopped))
            }
        }
    })
}

/// Keeps the error that made the others stop.
fn keep_cause(failure: &mut Option<ExportError>, error: ExportError) {
    if failure.is_none() || matches!(failure, Some(ExportError::Stopped)) {
        *failure = Some(error);
    }
}

fn thread_error(error: std::io::Error) -> ExportError {
    ExportError::Internal(format!("no thread could be started: {error}"))
}
