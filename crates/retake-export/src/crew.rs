//! The crew runs the takes of a pass: as many at once as there are places, none depending on another.

use crate::board::Board;
use crate::error::ExportError;
use crate::feed::Feed;
use crate::shoot::{Shot, Stage, shoot};
use crate::stop::StopFlag;
use retake_compression::parallel::{Crew, CrewError};
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
    let raise = || stop.raise();
    let take = |Call { description, feed }| {
        stop.check()?;
        let feed = match feed {
            FeedSource::Ready(feed) => feed,
            FeedSource::Range => open_range(&description)?,
        };
        // it is made safe by the thread that listens, so that no core waits for the disk
        shoot(stage, description, feed)
    };
    thread::scope(|scope| {
        let lead = thread::Builder::new().name("scout".into()).spawn_scoped(scope, move || {
            let result = catch_unwind(AssertUnwindSafe(lead))
                .unwrap_or_else(|_| Err(ExportError::broken("the scout panicked".into())));
            if result.is_err() {
                stop.raise();
            }
            result
        });
        let lead =
            lead.map_err(|error| ExportError::broken(format!("no thread could be started: {error}")))?;
        let crew = Crew { threads: jobs, name: "take", stop: &raise };
        let takes = crew.run(
            || calls.next(),
            |call| format!("the take at frame {}", call.description.range.start),
            take,
            |shot: Shot| {
                let (description, record) = shot.keep()?;
                done(Done { description, record });
                Ok(())
            },
        );
        let lead = lead.join().unwrap_or_else(|_| Err(ExportError::broken("the scout panicked".into())));
        match (takes, lead) {
            (Ok(()), lead) => lead,
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(other)) => {
                let mut cause = Some(error);
                other.keep_cause(&mut cause);
                Err(cause.unwrap_or(ExportError::Stopped))
            }
        }
    })
}

impl CrewError for ExportError {
    fn broken(what: String) -> Self {
        Self::Internal(what)
    }

    fn is_consequence(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}
