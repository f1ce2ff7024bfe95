//! What is simulated: time, machines that work and die, storage, and what an engine does with its takes. Only
//! what happens here is made up; who asks for it is the export itself.

use super::dice::Dice;
use super::film::SimulatedFilm;
use super::{Figures, Setup};
use crate::clock::thread_cpu;
use crate::error::ExportError;
use crate::take::finished::FinishedTake;
use crate::take::store::TakeStore;
use retake_compression::take::{TakeDescription, TakeId};
use retake_media::{Codec, FormatDescription};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

/// The bytes of a frame in the source: 20 Mbit/s.
const SOURCE_FRAME: f64 = 20e6 / 8.0 / super::film::RATE as f64;
/// What a machine's network and the storage carry, in bytes a second.
const NETWORK: f64 = 125e6;
const STORAGE: f64 = 5e9;
/// How long a worker waits for the storage besides, in seconds: to open job, source and index, to sync and
/// rename what it made.
const LATENCY: f64 = 0.05;
/// How long a worker takes that cannot run a take, in seconds.
const UNABLE: f64 = 0.5;
/// How long it takes until an engine notices that a machine is gone, in seconds.
const NOTICED: f64 = 30.0;
/// How long a machine is gone, in seconds.
const REPAIR: f64 = 600.0;
/// How long a take may last before an engine ends it, as a multiple of how long it should.
const LIMIT: f64 = 20.0;

/// A take that a machine runs or is to run.
#[derive(Debug, Clone)]
pub(super) struct Errand<K> {
    pub key: K,
    pub description: TakeDescription,
    /// What its worker reads before it can begin, in bytes.
    pub reads: u64,
}

/// How a run of a take ended.
#[derive(Debug)]
pub(super) enum RunEnd {
    /// Its take is in the store.
    Done(Box<FinishedTake>),
    /// The machine cannot run takes.
    Unable,
    /// The worker is gone: the engine knows that its process has ended.
    Crashed,
    /// The machine is gone, as the engine has noticed.
    MachineLost,
    /// It lasted too long, and the engine has ended it.
    TimedOut,
}

/// Who gives machines their work, and hears of its end.
pub(super) trait Work<K> {
    /// The next take for a machine that is free, if there is one.
    fn next(&mut self) -> Option<Errand<K>>;

    /// A run has ended.
    fn ended(&mut self, errand: Errand<K>, end: RunEnd) -> Result<(), ExportError>;

    /// Whether there is something to tell, for which the time stands still.
    fn has_news(&self) -> bool;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A run comes to its end, or to where it goes wrong.
    Ends(u64),
    MachineDies(u32),
    MachineIsBack(u32),
}

/// What will become of a run, decided when it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Done,
    Unable,
    Crashed,
    MachineLost,
    TimedOut,
}

struct Run<K> {
    errand: Errand<K>,
    worker: u32,
    fate: Fate,
    began: u64,
    /// When it goes wrong or is done, and when the engine knows of that.
    until: u64,
    due: u64,
}

/// Simulated machines, their time and their storage. Times are microseconds since the beginning.
pub(super) struct World<K> {
    setup: Setup,
    film: SimulatedFilm,
    store: TakeStore,
    dice: Dice,
    pub now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Numbers events and runs, so that those of one moment have an order.
    number: u64,
    speeds: Vec<f64>,
    /// Machines that are gone.
    gone: BTreeSet<u32>,
    /// Workers that wait for work.
    free: Vec<u32>,
    runs: BTreeMap<u64, Run<K>>,
    /// Work that each pass needs, by description: each counts once.
    needed: BTreeMap<u32, BTreeMap<TakeId, f64>>,
    pass: u32,
    pub figures: Figures,
    /// CPU seconds spent on the simulation itself.
    spent: f64,
    /// When the storage is away.
    outage: std::ops::Range<u64>,
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

impl<K: Clone> World<K> {
    pub(super) fn new(setup: &Setup, film: SimulatedFilm, store: TakeStore) -> Self {
        let mut dice = Dice::new(setup.machines, "machines");
        let machines = setup.workers.div_ceil(setup.slots.max(1));
        let speeds = (0..machines).map(|_| dice.about(1.0, 0.2)).collect();
        let (from, length) = setup.outage;
        let mut world = Self {
            setup: setup.clone(),
            film,
            store,
            dice,
            now: 0,
            events: BinaryHeap::new(),
            number: 0,
            speeds,
            gone: BTreeSet::new(),
            free: (0..setup.workers).collect(),
            runs: BTreeMap::new(),
            needed: BTreeMap::new(),
            pass: 1,
            figures: Figures::default(),
            spent: 0.0,
            outage: micros(from)..micros(from + length),
        };
        for machine in 0..machines {
            world.plan_death(machine);
        }
        world
    }

    fn machine(&self, worker: u32) -> u32 {
        worker / self.setup.slots.max(1)
    }

    fn plan_death(&mut self, machine: u32) {
        if self.setup.hours_between_deaths > 0.0 {
            let wait = micros(self.dice.wait(self.setup.hours_between_deaths * 3600.0));
            self.at(self.now + wait, Event::MachineDies(machine));
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, event)));
    }

    /// Lets time pass, up to a moment, or to the first news.
    pub(super) fn pass_time(&mut self, work: &mut dyn Work<K>, by: Duration) -> Result<(), ExportError> {
        let began = thread_cpu();
        let passed = self.run_until(work, self.now + by.as_micros() as u64);
        self.spent += thread_cpu() - began;
        passed
    }

    /// Whoever asks the storage while it is away waits, as with every file on a network.
    pub(super) fn wait_for_storage(&mut self, work: &mut dyn Work<K>) -> Result<(), ExportError> {
        if !self.outage.contains(&self.now) {
            return Ok(());
        }
        let began = thread_cpu();
        while self.now < self.outage.end {
            self.run_until(work, self.outage.end)?;
        }
        self.spent += thread_cpu() - began;
        Ok(())
    }

    fn run_until(&mut self, work: &mut dyn Work<K>, until: u64) -> Result<(), ExportError> {
        self.give_work(work);
        while let Some(&Reverse((time, _, event))) = self.events.peek()
            && time <= until
        {
            self.events.pop();
            self.now = time;
            self.happens(work, event)?;
            self.give_work(work);
            if work.has_news() {
                return Ok(());
            }
        }
        self.now = until;
        Ok(())
    }

    fn give_work(&mut self, work: &mut dyn Work<K>) {
        while !self.free.is_empty()
            && let Some(errand) = work.next()
        {
            // which machine is asked next is nobody's plan
            let worker = self.free.swap_remove(self.dice.below(self.free.len()));
            self.begin(worker, errand);
        }
    }

    /// Begins a run. What becomes of it is thrown now.
    fn begin(&mut self, worker: u32, errand: Errand<K>) {
        let machine = self.machine(worker);
        let setup = &self.setup;
        let source = SOURCE_FRAME * errand.description.range.len() as f64;
        let carries = NETWORK.min(STORAGE / (self.runs.len() + 1) as f64);
        let moves = (source + errand.reads as f64) / carries + LATENCY;
        let nominal = self.film.seconds(&errand.description) / self.speeds[machine as usize];
        let slower = match self.dice.chance(setup.straggling) {
            true => 2.0 + 6.0 * self.dice.share(),
            false => 1.0,
        };
        let broken = machine < setup.broken;
        let (fate, seconds) = if broken {
            (Fate::Unable, UNABLE)
        } else if self.dice.chance(setup.hanging) {
            (Fate::TimedOut, LIMIT * nominal)
        } else if self.dice.chance(setup.crashing) {
            (Fate::Crashed, nominal * self.dice.share())
        } else {
            (Fate::Done, moves + nominal * slower)
        };
        self.figures.runs += 1;
        self.figures.bytes_of_source += source as u64;
        self.figures.bytes_of_descriptions += errand.reads;
        self.number += 1;
        let (number, began, until) = (self.number, self.now, self.now + micros(seconds));
        self.runs.insert(number, Run { errand, worker, fate, began, until, due: until });
        self.at(until, Event::Ends(number));
    }

    fn happens(&mut self, work: &mut dyn Work<K>, event: Event) -> Result<(), ExportError> {
        match event {
            Event::MachineDies(machine) => {
                self.figures.machines_lost += 1;
                self.gone.insert(machine);
                let slots = self.setup.slots.max(1);
                self.free.retain(|worker| worker / slots != machine);
                let lost: Vec<u64> = self
                    .runs
                    .iter()
                    .filter(|(_, run)| run.worker / slots == machine)
                    .map(|(number, _)| *number)
                    .collect();
                let (now, noticed) = (self.now, self.now + micros(NOTICED));
                for number in lost {
                    if let Some(run) = self.runs.get_mut(&number) {
                        (run.fate, run.until, run.due) = (Fate::MachineLost, now, noticed);
                    }
                    self.at(noticed, Event::Ends(number));
                }
                self.at(self.now + micros(REPAIR), Event::MachineIsBack(machine));
                Ok(())
            }
            Event::MachineIsBack(machine) => {
                self.gone.remove(&machine);
                let slots = self.setup.slots.max(1);
                self.free
                    .extend((machine * slots..(machine + 1) * slots).filter(|w| *w < self.setup.workers));
                self.plan_death(machine);
                Ok(())
            }
            Event::Ends(number) => self.ends(work, number),
        }
    }

    fn ends(&mut self, work: &mut dyn Work<K>, number: u64) -> Result<(), ExportError> {
        // a run on a machine that died has two ends: the one that it would have had, and the one that it has
        let Some(run) = self.runs.get_mut(&number).filter(|run| run.due <= self.now) else { return Ok(()) };
        if run.fate == Fate::Done && self.outage.contains(&self.now) {
            // what it made is put down when the storage is there again
            run.due = self.outage.end;
            self.at(self.outage.end, Event::Ends(number));
            return Ok(());
        }
        let Some(run) = self.runs.remove(&number) else { return Ok(()) };
        let machine = self.machine(run.worker);
        if !self.gone.contains(&machine) {
            self.free.push(run.worker);
        }
        let end = match run.fate {
            Fate::Done => RunEnd::Done(Box::new(self.make(&run.errand.description)?)),
            Fate::Unable => RunEnd::Unable,
            Fate::Crashed => RunEnd::Crashed,
            Fate::MachineLost => RunEnd::MachineLost,
            Fate::TimedOut => RunEnd::TimedOut,
        };
        if !matches!(end, RunEnd::Done(_)) {
            self.figures.runs_lost += 1;
            self.figures.seconds_lost += (run.until - run.began) as f64 * 1e-6;
        }
        work.ended(run.errand, end)
    }

    /// Makes a take, and puts it into the store, as every worker does: one that is there is not made again.
    fn make(&mut self, description: &TakeDescription) -> Result<FinishedTake, ExportError> {
        let needed = self.needed.entry(self.pass).or_default();
        needed.insert(description.id(), self.film.seconds(description));
        if let Some(there) = self.store.get(description) {
            self.figures.made_twice += 1;
            return Ok(there);
        }
        let take = FinishedTake { description: description.clone(), record: self.film.encode(description) };
        let mut writer = self.store.begin()?;
        let settings = &description.settings;
        writer.format(&FormatDescription::video(Codec::H264, settings.width, settings.height))?;
        self.store.adopt(writer.finish(&take)?, &take)?;
        self.figures.takes += 1;
        self.figures.bytes_of_takes += take.record.bytes;
        Ok(take)
    }

    /// How long the work would have taken if nothing had gone wrong, and no worker had waited within a pass,
    /// in seconds.
    fn ideal(&self) -> f64 {
        let workers = (0..self.setup.workers).filter(|worker| self.machine(*worker) >= self.setup.broken);
        let speed: f64 = workers.map(|worker| self.speeds[self.machine(worker) as usize]).sum();
        self.needed.values().map(|pass| pass.values().sum::<f64>() / speed.max(f64::MIN_POSITIVE)).sum()
    }

    /// The passes have come to this one, or to their end if it is 0. Tells what has happened so far, and the
    /// CPU seconds that went into making it up.
    pub(super) fn at_pass(&mut self, pass: u32) -> (Figures, f64) {
        self.pass = pass;
        let figures = Figures {
            makespan: self.now as f64 * 1e-6,
            ideal: self.ideal(),
            work: self.needed.values().flat_map(BTreeMap::values).sum(),
            ..self.figures.clone()
        };
        (figures, self.spent)
    }
}
