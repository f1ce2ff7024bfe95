//! Who runs takes: the contract between an export and a pool of workers, wherever those are.
//!
//! A take goes out as its description and comes back as its record and its file. Nothing here assumes that a
//! worker shares memory with the export, or that it is as reliable: it may be a thread, a process or another
//! machine.

use crate::error::ExportError;
use crate::index::ranges::Elsewhere;
use crate::take::finished::FinishedTake;
use crate::take::store::TakeFile;
use retake_compression::take::TakeDescription;
use std::time::Duration;

/// By what a take is named between an export and an executor; chosen by who submits, and never used twice for
/// takes that are outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub u64);

/// A take to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TakeRequest {
    pub ticket: Ticket,
    pub description: TakeDescription,
}

/// What became of a take.
#[derive(Debug)]
pub(crate) enum TakeOutcome {
    /// It was run.
    Done { take: Box<FinishedTake>, place: TakePlace },
    /// It cannot be run: running it again would fail again.
    Failed(ExportError),
    /// Nobody knows what became of it: the worker is gone. Running it again may well succeed.
    Lost(String),
    /// The executor was cancelled before the take was done.
    Cancelled,
}

/// Where a take that was run lies.
#[derive(Debug)]
pub(crate) enum TakePlace {
    /// In a file that holds it whole, and belongs to who gets this.
    Unfinished(TakeFile),
    /// In the store already, safe and under its own name.
    Stored,
}

/// What an executor tells.
#[derive(Debug)]
pub(crate) enum TakeReport {
    /// A take is being run from now on. A hint for people: it may be left out, and comes again when a take is
    /// run again.
    Began(Ticket),
    /// So many more frames went into an encoder. A hint for people: it may be left out, and counts again when
    /// a take is run again.
    Encoded(u64),
    /// All takes wait, and why, for people. It may be left out.
    Waiting(String),
    /// The one outcome of a take.
    Outcome(Ticket, TakeOutcome),
}

/// What an executor can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Takes that run at once.
    pub at_once: u32,
    /// The encoders that its workers have, each with its library's version, as descriptions name them.
    pub encoders: Vec<String>,
}

/// Why a take was not accepted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// As many takes wait as the executor is willing to keep. It is given back: submit it again after the
    /// next report.
    Full(Box<TakeRequest>),
    /// The executor was cancelled.
    Cancelled,
    /// It is run when this process has ended, or by another one: nothing more will be heard of it.
    PutOff,
}

/// Runs takes.
///
/// * For every accepted take there is exactly one outcome, in any order, however the executor comes to it: a
///   take may be run more than once, because its description determines its bytes, so that running it again
///   is harmless.
/// * [`Executor::submit`] does not wait. Where there is no room, the take is given back (back-pressure).
/// * After [`Executor::cancel`] nothing is accepted, and all outstanding outcomes come within moments: most
///   will be [`TakeOutcome::Cancelled`], and those of takes that were done meanwhile may be anything.
/// * No call waits longer than it was told to.
pub(crate) trait Executor: Sync {
    /// What it can do. Does not change.
    fn capabilities(&self) -> Capabilities;

    /// Accepts a take, or gives it back.
    ///
    /// # Errors
    /// [`Refused`].
    fn submit(&self, take: TakeRequest) -> Result<(), Refused>;

    /// The next report; nothing if there was none for so long.
    fn next_report(&self, patience: Duration) -> Option<TakeReport>;

    /// Gives up all that is accepted and not done. May be called again.
    fn cancel(&self);

    /// Who reads ranges of the film where takes are run, if anybody does.
    fn ranges(&self) -> Option<&dyn Elsewhere> {
        None
    }
}

#[cfg(test)]
pub(crate) mod suite {
    //! What every executor has to pass.

    use super::*;
    use crate::take::store::TakeStore;
    use std::collections::BTreeSet;
    use std::time::Instant;

    const PATIENCE: Duration = Duration::from_millis(20);
    /// Much longer than any take of these tests; only there so that a failing executor ends the test.
    const LIMIT: Duration = Duration::from_secs(60);

    /// Submits with patience for back-pressure, collecting reports meanwhile.
    fn submit_all(executor: &dyn Executor, takes: Vec<TakeRequest>) -> Vec<(Ticket, TakeOutcome)> {
        let (mut outcomes, began) = (Vec::new(), Instant::now());
        for mut take in takes {
            loop {
                assert!(began.elapsed() < LIMIT, "the executor stays full");
                match executor.submit(take) {
                    Ok(()) => break,
                    Err(Refused::Full(back)) => take = *back,
                    Err(refused) => panic!("nobody cancelled: {refused:?}"),
                }
                outcomes.extend(next(executor));
            }
        }
        outcomes
    }

    fn next(executor: &dyn Executor) -> Option<(Ticket, TakeOutcome)> {
        match executor.next_report(PATIENCE)? {
            TakeReport::Outcome(ticket, outcome) => Some((ticket, outcome)),
            TakeReport::Began(_) | TakeReport::Encoded(_) | TakeReport::Waiting(_) => None,
        }
    }

    fn collect(executor: &dyn Executor, outcomes: &mut Vec<(Ticket, TakeOutcome)>, count: usize) {
        let began = Instant::now();
        while outcomes.len() < count {
            assert!(began.elapsed() < LIMIT, "{} of {count} outcomes came", outcomes.len());
            outcomes.extend(next(executor));
        }
        // and not one more
        assert!(next(executor).is_none(), "more outcomes than takes");
    }

    fn tickets(outcomes: &[(Ticket, TakeOutcome)]) -> BTreeSet<Ticket> {
        let all: BTreeSet<Ticket> = outcomes.iter().map(|(ticket, _)| *ticket).collect();
        assert_eq!(all.len(), outcomes.len(), "two outcomes for one take");
        all
    }

    /// One outcome for each take, whether it can be run or not; a take that cannot be run does not take
    /// others with it.
    pub(crate) fn one_outcome_for_each(
        executor: &dyn Executor,
        store: &TakeStore,
        good: Vec<TakeRequest>,
        bad: Vec<TakeRequest>,
    ) {
        let wanted: BTreeSet<Ticket> = good.iter().chain(&bad).map(|take| take.ticket).collect();
        let fails: BTreeSet<Ticket> = bad.iter().map(|take| take.ticket).collect();
        let described = good.clone();
        let mut all = bad;
        all.extend(good);
        let mut outcomes = submit_all(executor, all);
        collect(executor, &mut outcomes, wanted.len());
        assert_eq!(tickets(&outcomes), wanted);
        for (ticket, outcome) in &outcomes {
            match outcome {
                TakeOutcome::Done { take, place } => {
                    let (description, record) = (&take.description, &take.record);
                    let asked = described.iter().find(|take| take.ticket == *ticket).unwrap();
                    assert_eq!((description, record.range), (&asked.description, asked.description.range));
                    match place {
                        TakePlace::Unfinished(file) => {
                            assert!(file.path().metadata().unwrap().len() > record.bytes);
                        }
                        TakePlace::Stored => {
                            // if it was run twice, it may have taken another time
                            let mut stored = store.get(description).unwrap();
                            stored.record.cpu = record.cpu;
                            assert_eq!(stored, **take);
                        }
                    }
                }
                TakeOutcome::Failed(_) => assert!(fails.contains(ticket), "{ticket:?}: {outcome:?}"),
                other => panic!("{ticket:?}: {other:?}"),
            }
        }
    }

    /// After it was cancelled it takes nothing, and owes nothing.
    pub(crate) fn cancelled_with_an_outcome_for_each(executor: &dyn Executor, takes: Vec<TakeRequest>) {
        let wanted: BTreeSet<Ticket> = takes.iter().map(|take| take.ticket).collect();
        let late = takes[0].clone();
        let mut outcomes = submit_all(executor, takes);
        executor.cancel();
        executor.cancel();
        collect(executor, &mut outcomes, wanted.len());
        assert_eq!(tickets(&outcomes), wanted);
        assert!(matches!(executor.submit(late), Err(Refused::Cancelled)));
        assert!(next(executor).is_none());
    }
}
