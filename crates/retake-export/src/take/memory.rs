//! The film's memory: what finished first takes tell those that are not begun ([`planner::film`]), and when
//! those can be described.
//!
//! A first take is described by what the units that it learns from have become. The scout and whoever hands
//! takes out ask here, each in a thread of its own.

use super::finished::FinishedTake;
use super::identity::{first_aim, taught};
use crate::job::Job;
use crate::stop::StopFlag;
use retake_compression::planner::film::{self, FirstTake};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long is waited before the stop flag is looked at.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is known of the units of a job in its first pass.
pub(crate) struct FilmMemory<'a> {
    job: &'a Job,
    /// What first takes aim at; `None` where units learn nothing.
    aim: Option<f64>,
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    /// Units whose first takes were begun or handed out, by their first frames, with their numbers.
    begun: BTreeMap<u64, usize>,
    /// What came of those that are finished, by number. `None` where a take tells nothing.
    finished: BTreeMap<usize, Option<FirstTake>>,
    /// All units with lower numbers were begun, and of the others these.
    whole: usize,
    ahead: BTreeSet<usize>,
}

impl<'a> FilmMemory<'a> {
    /// The memory of a job; one that `learns` nothing gives every unit an offset of 0 at once.
    pub(crate) fn new(job: &'a Job, learns: bool) -> Self {
        let aim = first_aim(job).filter(|_| learns);
        Self { job, aim, known: Mutex::default(), changed: Condvar::new() }
    }

    /// Notes that the take of a unit will be made without anything that is not there yet, or was found.
    pub(crate) fn begun(&self, number: usize, start: u64) {
        let mut known = self.lock();
        known.begun.insert(start, number);
        known.ahead.insert(number);
        while let whole = known.whole
            && known.ahead.remove(&whole)
        {
            known.whole += 1;
        }
    }

    /// Notes what became of a first take.
    pub(crate) fn finished(&self, take: &FinishedTake) {
        let mut known = self.lock();
        if let Some(&number) = known.begun.get(&take.record.range.start) {
            known.finished.insert(number, taught(self.job, take));
        }
        self.changed.notify_all();
    }

    /// How far the first take of a unit is to be moved, in steps of the knob; `None` where one that it learns
    /// from is not finished.
    pub(crate) fn offset(&self, number: usize) -> Option<f64> {
        self.offset_by(&self.lock(), number)
    }

    /// As [`Self::offset`], but takes that were begun are waited for. It returns `None` where others are
    /// missing, or the work has been stopped.
    pub(crate) fn wait_for_offset(&self, number: usize, stop: &StopFlag) -> Option<f64> {
        let mut known = self.lock();
        loop {
            let offset = self.offset_by(&known, number);
            if offset.is_some() || known.whole < film::teachers(number).end || stop.is_raised() {
                return offset;
            }
            let waited = self.changed.wait_timeout(known, PATIENCE);
            known = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn offset_by(&self, known: &Known, number: usize) -> Option<f64> {
        let Some(aim) = self.aim else { return Some(0.0) };
        let teachers: Option<Vec<Option<FirstTake>>> =
            film::teachers(number).map(|teacher| known.finished.get(&teacher).copied()).collect();
        Some(film::offset(&self.job.family, aim, teachers?.into_iter().flatten()))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // what is known is noted in single steps, so that it is sound whatever a panicking holder was doing
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
