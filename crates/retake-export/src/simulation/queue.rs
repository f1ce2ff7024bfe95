//! Simulated machines as an executor: they take from the queue of takes what the threads of a process would,
//! and an engine tells at once what became of each.

use super::world::{Errand, RunEnd, Work, World};
use crate::error::ExportError;
use crate::take::executor::{
    Capabilities, Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest, Ticket,
};
use crate::take::queue::{self, TakeQueue, WaitingTake};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) struct SimulatedQueue {
    encoder: String,
    at_once: u32,
    state: Mutex<(World<Ticket>, Office)>,
}

struct Office {
    queue: TakeQueue,
    reports: VecDeque<TakeReport>,
    cancelled: bool,
}

impl SimulatedQueue {
    pub(super) fn new(world: World<Ticket>, encoder: String, at_once: u32) -> Self {
        let office = Office { queue: TakeQueue::default(), reports: VecDeque::new(), cancelled: false };
        Self { encoder, at_once, state: Mutex::new((world, office)) }
    }

    pub(super) fn world<R>(&self, ask: impl FnOnce(&mut World<Ticket>) -> R) -> R {
        ask(&mut self.lock().0)
    }

    fn lock(&self) -> MutexGuard<'_, (World<Ticket>, Office)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for SimulatedQueue {
    fn capabilities(&self) -> Capabilities {
        Capabilities { at_once: self.at_once, encoders: vec![self.encoder.clone()] }
    }

    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        let office = &self.lock().1;
        if office.cancelled {
            return Err(Refused::Cancelled);
        }
        let TakeRequest { ticket, description } = take;
        office.queue.push(WaitingTake { ticket, work: queue::Work::Described(description) });
        Ok(())
    }

    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        let (world, office) = &mut *self.lock();
        if office.reports.is_empty() {
            let passed = world.wait_for_storage(office).and_then(|()| world.pass_time(office, patience));
            if let Err(error) = passed {
                // whichever take it is told of, the export ends
                office.reports.push_back(TakeReport::Outcome(Ticket(0), TakeOutcome::Failed(error)));
            }
        }
        office.reports.pop_front()
    }

    fn cancel(&self) {
        let office = &mut self.lock().1;
        office.cancelled = true;
        while let Some(take) = office.queue.try_next() {
            office.reports.push_back(TakeReport::Outcome(take.ticket, TakeOutcome::Cancelled));
        }
    }
}

impl Work<Ticket> for Office {
    fn next(&mut self) -> Option<Errand<Ticket>> {
        let take = self.queue.try_next()?;
        match take.work {
            queue::Work::Described(description) => {
                Some(Errand { key: take.ticket, description, reads: 1500 })
            }
            // no scout hands frames to machines
            queue::Work::Scouted(..) => None,
        }
    }

    fn ended(&mut self, errand: Errand<Ticket>, end: RunEnd) -> Result<(), ExportError> {
        let outcome = match end {
            _ if self.cancelled => TakeOutcome::Cancelled,
            RunEnd::Done(take) => TakeOutcome::Done { take, place: TakePlace::Stored },
            RunEnd::Unable => TakeOutcome::Lost("on a machine without the source".into()),
            RunEnd::Crashed => TakeOutcome::Lost("the worker crashed".into()),
            RunEnd::MachineLost => TakeOutcome::Lost("the machine is gone".into()),
            RunEnd::TimedOut => TakeOutcome::Lost("it lasted too long".into()),
        };
        self.reports.push_back(TakeReport::Outcome(errand.key, outcome));
        Ok(())
    }

    fn has_news(&self) -> bool {
        !self.reports.is_empty()
    }
}
