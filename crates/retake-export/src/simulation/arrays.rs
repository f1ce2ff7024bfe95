//! A simulated batch system under the executor for arrays: what hands arrays over, hears workers and asks
//! after them is the executor's own keeper; arrays, reports and takes are files in a folder.

use super::dice::Dice;
use super::world::{Errand, RunEnd, Work, World};
use super::{Setup, machine};
use crate::error::{ExportError, RequestError};
use crate::own_folder::Folder;
use crate::take::executor::{Capabilities, Executor, Refused, TakeOutcome, TakeReport, TakeRequest, Ticket};
use crate::worker::array::engine::{ArrayEngine, Standing, Unfinished};
use crate::worker::array::executor::{self as array_executor, ArrayPlace, Keeper, Shared};
use crate::worker::array::{ArrayFile, ArrayId, ArrayWork, Said, TaskReport, slurm};
use crate::worker::messages::WorkerError;
use crossbeam_channel::{Receiver, unbounded};
use retake_compression::take::TakeDescription;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// By what the batch system knows a take.
type Place = (ArrayId, u32);

pub(super) struct SimulatedArrays {
    encoder: String,
    at_once: u32,
    shared: Arc<Shared>,
    reports: Receiver<TakeReport>,
    state: Mutex<State>,
    batch: Arc<Mutex<Batch>>,
}

struct State {
    world: World<Place>,
    keeper: Keeper,
    /// What the world's time is counted from.
    began: Instant,
}

/// The batch system: a queue in the order in which it was filled.
struct Batch {
    waiting: VecDeque<Errand<Place>>,
    /// What waits or runs, of each array.
    unfinished: BTreeMap<ArrayId, BTreeSet<u32>>,
    folder: Folder,
    dice: Dice,
    setup: Setup,
    /// How often it was asked.
    asked: u64,
}

/// What the keeper knows of the batch system.
struct Desk {
    batch: Arc<Mutex<Batch>>,
    root: PathBuf,
    at_once: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedArrays {
    pub(super) fn new(world: World<Place>, setup: &Setup, place: ArrayPlace, root: PathBuf) -> Self {
        let batch = Arc::new(Mutex::new(Batch {
            waiting: VecDeque::new(),
            unfinished: BTreeMap::new(),
            folder: place.folder.clone(),
            dice: Dice::new(setup.machines, "batch system"),
            setup: setup.clone(),
            asked: 0,
        }));
        let desk = Desk { batch: batch.clone(), root, at_once: setup.workers };
        let (encoder, shared, began) = (place.encoder.clone(), Arc::<Shared>::default(), Instant::now());
        let (sender, reports) = unbounded();
        let keeper = Keeper::new(Box::new(desk), place, shared.clone(), sender, began);
        let state = Mutex::new(State { world, keeper, began });
        Self { encoder, at_once: setup.workers, shared, reports, state, batch }
    }

    pub(super) fn world<R>(&self, ask: impl FnOnce(&mut World<Place>) -> R) -> R {
        let asked = lock(&self.batch).asked;
        let state = &mut *lock(&self.state);
        state.world.figures.engine_asked = asked;
        ask(&mut state.world)
    }
}

impl Executor for SimulatedArrays {
    fn capabilities(&self) -> Capabilities {
        Capabilities { at_once: self.at_once, encoders: vec![self.encoder.clone()] }
    }

    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        let State { world, keeper, began } = &mut *lock(&self.state);
        keeper.accept(array_executor::Work::Take(Box::new(take)), *began + Duration::from_micros(world.now));
        Ok(())
    }

    /// A turn of the keeper, as its thread makes one, and then the time until the next.
    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        if let Ok(report) = self.reports.try_recv() {
            return Some(report);
        }
        let State { world, keeper, began } = &mut *lock(&self.state);
        let mut work = Hands(&self.batch);
        let passed = world.wait_for_storage(&mut work).and_then(|()| {
            keeper.turn(*began + Duration::from_micros(world.now));
            world.pass_time(&mut work, patience)
        });
        match passed {
            Ok(()) => self.reports.try_recv().ok(),
            // whichever take it is told of, the export ends
            Err(error) => Some(TakeReport::Outcome(Ticket(0), TakeOutcome::Failed(error))),
        }
    }

    fn cancel(&self) {
        self.shared.cancel();
    }
}

impl ArrayEngine for Desk {
    fn at_once(&self) -> u32 {
        self.at_once
    }

    fn gather(&self) -> Duration {
        slurm::GATHER
    }

    fn pace(&self) -> Duration {
        slurm::PACE
    }

    fn grace(&self) -> Duration {
        slurm::GRACE
    }

    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()> {
        let text = std::fs::read(self.root.join(file))?;
        let head = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        let batch = &mut *lock(&self.batch);
        for index in 0..count {
            let (array_file, work) = ArrayFile::read(io::Cursor::new(&text), index)?;
            let Some(ArrayWork::Take(description)) = work else { return Err(io::ErrorKind::NotFound.into()) };
            let description = *description;
            // a worker reads the first line and its own
            let line = (text.len() - head) / array_file.ends.len().max(1);
            let reads = (head + line) as u64;
            let twice = batch.dice.chance(batch.setup.twice);
            batch.put(array, index, description.clone(), reads);
            if twice {
                batch.waiting.push_back(Errand { key: (array.clone(), index), description, reads });
            }
        }
        Ok(())
    }

    fn unfinished(&mut self, _: &[&ArrayId]) -> io::Result<Unfinished> {
        let batch = &mut *lock(&self.batch);
        batch.asked += 1;
        if batch.dice.chance(batch.setup.silent) {
            return Err(io::Error::other("it does not answer"));
        }
        let standing =
            |indexes: &BTreeSet<u32>| indexes.iter().map(|index| (*index, Standing::Runs)).collect();
        Ok(batch.unfinished.iter().map(|(array, indexes)| (array.clone(), standing(indexes))).collect())
    }

    fn end_of(&mut self, _: &ArrayId, _: u32) -> Option<String> {
        None
    }

    fn cancel(&mut self, array: &ArrayId) {
        let batch = &mut *lock(&self.batch);
        batch.unfinished.remove(array);
        batch.waiting.retain(|errand| errand.key.0 != *array);
    }

    fn take_back(&mut self, _: &BTreeSet<ArrayId>) {}
}

impl Batch {
    fn put(&mut self, array: &ArrayId, index: u32, description: TakeDescription, reads: u64) {
        self.unfinished.entry(array.clone()).or_default().insert(index);
        self.waiting.push_back(Errand { key: (array.clone(), index), description, reads });
    }
}

/// The batch system as machines see it.
struct Hands<'a>(&'a Mutex<Batch>);

impl Work<Place> for Hands<'_> {
    fn next(&mut self) -> Option<Errand<Place>> {
        let batch = &mut *lock(self.0);
        let errand = batch.waiting.pop_front()?;
        // it writes there what the worker prints
        let log = batch.folder.path().join(errand.key.0.log(errand.key.1));
        let _ = std::fs::write(log, "");
        Some(errand)
    }

    fn ended(&mut self, errand: Errand<Place>, end: RunEnd) -> Result<(), ExportError> {
        let batch = &mut *lock(self.0);
        let (array, index) = &errand.key;
        let said = match end {
            RunEnd::Done(take) => Some(Said::Done(take)),
            RunEnd::Unable => {
                let lacks = RequestError::WorkerOfOtherVersion { job: "1".into(), worker: "2" };
                Some(Said::Unable(WorkerError::from(&ExportError::from(lacks))))
            }
            RunEnd::Crashed | RunEnd::TimedOut => None,
            RunEnd::MachineLost => {
                // what ran on a machine that is lost goes back into the queue
                let known = batch.unfinished.get(array).is_some_and(|known| known.contains(index));
                if known {
                    batch.waiting.push_back(errand);
                }
                return Ok(());
            }
        };
        if let Some(said) = said {
            let report = TaskReport { machine: machine(), said };
            let text = serde_json::to_vec(&report).map_err(|e| ExportError::Internal(e.to_string()))?;
            let written = batch.folder.write_whole(&array.report(*index), &text);
            written.map_err(ExportError::file(batch.folder.path(), "writing what became of a take"))?;
        }
        if let Some(known) = batch.unfinished.get_mut(array) {
            known.remove(index);
            if known.is_empty() {
                batch.unfinished.remove(array);
            }
        }
        Ok(())
    }

    /// A keeper looks when it is time, and not before.
    fn has_news(&self) -> bool {
        false
    }
}
