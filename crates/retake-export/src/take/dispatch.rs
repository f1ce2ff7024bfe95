//! Hands takes to an executor and brings what comes back into the store, until there are no more.

use super::executor::{Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest, Ticket};
use super::finished::FinishedTake;
use super::store::TakeStore;
use crate::error::ExportError;
use crate::stop::StopFlag;
use crossbeam_channel::{Receiver, TryRecvError};
use retake_compression::units::FrameRange;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long a report is waited for before other things are looked at.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often a take is handed out that nobody brings back, where others come back.
const ATTEMPTS: u32 = 3;
/// How often at most, where others are lost as well.
const MOST_ATTEMPTS: u32 = 10;
/// The chance to give up a film although no take is to blame.
const BAD_LUCK: f64 = 0.01;

/// What there is to do.
pub(crate) enum Supply<'a> {
    /// A take to run.
    Take(Box<TakeRequest>),
    /// A take that the executor was given already: its outcome is to be waited for.
    Begun(Ticket),
    /// A take that an earlier run finished.
    Kept(Box<FinishedTake>),
    /// A take that can be described when others are finished. It is asked for after each of them, and after
    /// all that were supplied like this before it.
    Later(Describe<'a>),
}

/// Describes a take as soon as it can be described.
type Describe<'a> = Box<dyn Fn() -> Option<Supply<'a>> + Send + 'a>;

/// What is told while takes run.
pub(crate) enum Progress<'a> {
    /// A take is being run from now on; its frames, where they are known.
    Began(Ticket, Option<FrameRange>),
    /// So many more frames went into an encoder.
    Encoded(u64),
    /// All takes wait, for this reason.
    Waiting(&'a str),
    /// A take is done, and safe.
    Made(&'a FinishedTake),
    /// A take of an earlier run is used again.
    Kept(&'a FinishedTake),
}

/// Who runs takes, and where they go.
pub(crate) struct Dispatch<'a> {
    pub executor: &'a dyn Executor,
    pub store: &'a TakeStore,
    /// Raised when a take failed, so that whoever supplies more ends, too.
    pub stop: &'a StopFlag,
}

impl Dispatch<'_> {
    /// Runs all takes that come through `supply`, until all its senders are gone, and gives them back in the
    /// order in which they were done.
    ///
    /// # Errors
    /// The first error that is not the consequence of another. All outcomes were waited for then.
    pub(crate) fn run<'b>(
        &self,
        supply: &Receiver<Supply<'b>>,
        told: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<FinishedTake>, ExportError> {
        let mut state = State::default();
        loop {
            state.take_supply(supply, told);
            state.take_later(told);
            if state.cause.is_none() && self.stop.is_raised() {
                self.fail(&mut state, ExportError::Stopped);
            }
            self.submit(&mut state);
            if state.supply_ended && state.waiting.is_empty() && state.outstanding.is_empty() {
                if state.cause.is_none() && !state.put_off && !state.later.is_empty() {
                    let reason = "takes wait for others that nobody makes".into();
                    return Err(ExportError::Internal(reason));
                }
                // what was put off is missing, and this run ends with that
                let put_off = state.put_off.then_some(ExportError::Stopped);
                return state.cause.or(put_off).map_or(Ok(state.finished), Err);
            }
            match self.executor.next_report(PATIENCE) {
                None => {}
                Some(TakeReport::Began(ticket)) => {
                    let request = state.outstanding.get(&ticket).and_then(Option::as_ref);
                    let range = request.map(|request| request.description.range);
                    told(Progress::Began(ticket, range));
                }
                Some(TakeReport::Encoded(frames)) => told(Progress::Encoded(frames)),
                Some(TakeReport::Waiting(reason)) => told(Progress::Waiting(&reason)),
                Some(TakeReport::Outcome(ticket, outcome)) => self.outcome(&mut state, ticket, outcome, told),
            }
        }
    }

    /// Submits what waits, as far as the executor accepts it.
    fn submit(&self, state: &mut State<'_>) {
        if state.cause.is_some() {
            state.waiting.clear();
            state.later.clear();
        }
        while let Some(take) = state.waiting.pop_front() {
            let known = take.clone();
            match self.executor.submit(take) {
                Ok(()) => {
                    *state.attempts.entry(known.ticket).or_default() += 1;
                    state.handed += 1;
                    state.outstanding.insert(known.ticket, Some(known));
                }
                Err(Refused::Full(take)) => return state.waiting.push_front(*take),
                Err(Refused::PutOff) => state.put_off = true,
                Err(Refused::Cancelled) => {
                    self.fail(state, ExportError::Stopped);
                    state.waiting.clear();
                }
            }
        }
    }

    fn outcome(
        &self,
        state: &mut State<'_>,
        ticket: Ticket,
        outcome: TakeOutcome,
        told: &mut dyn FnMut(Progress<'_>),
    ) {
        let request = state.outstanding.remove(&ticket);
        if request.is_none() {
            state.early.insert(ticket);
        }
        match outcome {
            TakeOutcome::Done { take, place } => {
                let safe = match place {
                    // it is made safe here, so that no thread waits for the disk
                    TakePlace::Unfinished(file) => self.store.adopt(file, &take).map(|()| *take),
                    // the store is believed, and not who ran the take, which another one may have run since:
                    // then all is equal but the time that it took
                    TakePlace::Stored => match self.store.get(&take.description) {
                        Some(stored) => Ok(stored),
                        None => {
                            let reason = "it was said to be done, and is not there".into();
                            return self.lost(state, ticket, request.flatten(), reason);
                        }
                    },
                };
                match safe {
                    Ok(take) => {
                        told(Progress::Made(&take));
                        state.finished.push(take);
                    }
                    Err(error) => self.fail(state, error),
                }
            }
            TakeOutcome::Failed(error) => self.fail(state, error),
            TakeOutcome::Cancelled => self.fail(state, ExportError::Stopped),
            TakeOutcome::Lost(reason) => self.lost(state, ticket, request.flatten(), reason),
        }
    }

    /// Hands a take out again that nobody brought back, unless that happened too often.
    fn lost(&self, state: &mut State<'_>, ticket: Ticket, request: Option<TakeRequest>, reason: String) {
        let attempts = state.attempts.get(&ticket).copied().unwrap_or(1);
        state.lost += 1;
        match request {
            Some(request) if attempts < state.attempts(attempts) => state.waiting.push_back(request),
            // of a take that was begun with decoded frames nobody else has these frames
            request => {
                let start = FrameRange::new(ticket.0, ticket.0 + 1);
                let range = request.map_or(start, |request| request.description.range);
                self.fail(state, ExportError::LostTake { range, attempts, reason });
            }
        }
    }

    fn fail(&self, state: &mut State<'_>, error: ExportError) {
        if state.cause.as_ref().is_none_or(ExportError::is_consequence) {
            state.cause = Some(error);
        }
        self.stop.raise();
        self.executor.cancel();
    }
}

#[derive(Default)]
struct State<'a> {
    supply_ended: bool,
    /// To be submitted.
    waiting: VecDeque<TakeRequest>,
    /// To be described when others are finished.
    later: VecDeque<Describe<'a>>,
    /// Accepted, and without an outcome; with what was submitted, where it was submitted here.
    outstanding: BTreeMap<Ticket, Option<TakeRequest>>,
    /// Takes whose outcome came before it was said that they had begun.
    early: BTreeSet<Ticket>,
    /// How often takes were submitted.
    attempts: BTreeMap<Ticket, u32>,
    /// How often any were submitted, and how often any were lost.
    handed: u64,
    lost: u64,
    finished: Vec<FinishedTake>,
    /// Whether takes are left to be run later.
    put_off: bool,
    /// Why it comes to no good end, if so.
    cause: Option<ExportError>,
}

impl<'a> State<'a> {
    /// How often a take may be handed out that was lost so many times: more often where others are lost as
    /// well, because then it is not the take that is to blame. Of very many takes, some are lost three times
    /// in a row where a few in a hundred are lost. Where so many are lost that more attempts would not help,
    /// none are made.
    fn attempts(&self, own: u32) -> u32 {
        let others = self.handed.saturating_sub(own.into());
        let lost = self.lost.saturating_sub(own.into()) as f64 / others.max(1) as f64;
        let takes = self.attempts.len() as f64;
        let enough = |attempts: &u32| takes * lost.powf((*attempts).into()) <= BAD_LUCK;
        (ATTEMPTS..=MOST_ATTEMPTS).find(enough).unwrap_or(ATTEMPTS)
    }

    fn take_supply(&mut self, supply: &Receiver<Supply<'a>>, told: &mut dyn FnMut(Progress<'_>)) {
        while !self.supply_ended {
            match supply.try_recv() {
                Ok(supplied) => self.take(supplied, told),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.supply_ended = true,
            }
        }
    }

    /// Takes those that can be described now.
    fn take_later(&mut self, told: &mut dyn FnMut(Progress<'_>)) {
        while let Some(supplied) = self.later.front().and_then(|describe| describe()) {
            self.later.pop_front();
            self.take(supplied, told);
        }
    }

    fn take(&mut self, supplied: Supply<'a>, told: &mut dyn FnMut(Progress<'_>)) {
        match supplied {
            Supply::Take(take) => self.waiting.push_back(*take),
            Supply::Begun(ticket) => {
                if !self.early.remove(&ticket) {
                    self.outstanding.insert(ticket, None);
                }
            }
            Supply::Kept(take) => {
                told(Progress::Kept(&take));
                self.finished.push(*take);
            }
            Supply::Later(describe) => self.later.push_back(describe),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A take is blamed for its losses as far as others are not lost: three times in general, more often
    /// among many takes of which some are lost, and three times again where nearly all are.
    #[test]
    fn a_take_that_is_lost_with_others_is_tried_more_often() {
        let attempts = |takes: u64, handed: u64, lost: u64, own: u32| {
            let attempts = (0..takes).map(|take| (Ticket(take), 1)).collect();
            State { attempts, handed, lost, ..State::default() }.attempts(own)
        };
        assert_eq!(attempts(10, 12, 3, 3), 3);
        assert_eq!(attempts(1, 3, 3, 3), 3);
        assert_eq!(attempts(100_000, 100_200, 203, 3), 3);
        assert_eq!(attempts(100_000, 101_000, 1003, 3), 4);
        assert_eq!(attempts(100_000, 106_000, 6003, 3), 6);
        assert_eq!(attempts(100_000, 150_000, 50_000, 3), 3);
    }
}
