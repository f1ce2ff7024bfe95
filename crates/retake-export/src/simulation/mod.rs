//! The passes of an export over simulated machines: the planner, the dispatch of takes, the store, the queue
//! and the keeper of arrays are the ones that an export has; time, machines, storage, engine and encoder are
//! made up from a seed. It shows what an export of a size costs that nobody has machines for, and what
//! becomes of it when much goes wrong.
//!
//! Inside: `dice` (random numbers), `film` (units, curves of rate and quality), `world` (time, machines,
//! storage), `queue` and `arrays` (the two executors).

#![allow(missing_docs)] // seen by an example and tests alone

mod arrays;
mod dice;
mod film;
mod queue;
#[cfg(test)]
mod tests;
mod world;

use crate::clock::thread_cpu;
use crate::error::ExportError;
use crate::event::Event;
use crate::film::Film;
use crate::index::FilmMap;
use crate::job::identity::RequestIdentity;
use crate::job::request::{Request, Target};
use crate::job::{Began, Job};
use crate::passes::{Passes, Workers};
use crate::stop::StopFlag;
use crate::take::identity::named;
use crate::take::store::TakeStore;
use crate::worker::array::executor::ArrayPlace;
use arrays::SimulatedArrays;
use film::{COARSE, FINE, SimulatedFilm};
use queue::SimulatedQueue;
use std::path::Path;
use std::sync::Mutex;
use world::World;
use xxhash_rust::xxh3::Xxh3;

/// Who hands takes to machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The queue of takes that threads of a process have.
    Queue,
    /// A batch system that runs arrays.
    Arrays,
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// From what the film follows.
    pub seed: u64,
    /// From what follows what the machines do.
    pub machines: u64,
    pub engine: Engine,
    /// The units of the film, and their frames in the mean.
    pub takes: u64,
    pub frames: u64,
    /// Takes at once, and how many of them are on one machine.
    pub workers: u32,
    pub slots: u32,
    /// The bits a second that the film may have; if 0, the floor that its units must reach in VMAF.
    pub rate: u64,
    pub floor: f64,
    /// An encoder whose knob has whole steps.
    pub coarse: bool,
    /// Shares of runs: whose worker crashes, that hang, that are up to eight times as slow, that the batch
    /// system runs twice.
    pub crashing: f64,
    pub hanging: f64,
    pub straggling: f64,
    pub twice: f64,
    /// Share of questions that the batch system does not answer.
    pub silent: f64,
    /// Hours that a machine lasts; it never dies if 0.
    pub hours_between_deaths: f64,
    /// Machines that can run nothing.
    pub broken: u32,
    /// When the storage goes away, in seconds, and for how long.
    pub outage: (f64, f64),
}

impl Setup {
    /// So many takes on so many machines of ten workers each, where nothing goes wrong.
    pub fn calm(takes: u64, workers: u32) -> Self {
        Self {
            seed: 1,
            machines: 1,
            engine: Engine::Queue,
            takes,
            frames: 96,
            workers,
            slots: 10,
            rate: 0,
            floor: 93.0,
            coarse: false,
            crashing: 0.0,
            hanging: 0.0,
            straggling: 0.0,
            twice: 0.0,
            silent: 0.0,
            hours_between_deaths: 0.0,
            broken: 0,
            outage: (0.0, 0.0),
        }
    }

    /// The same with all that may go wrong.
    pub fn rough(self) -> Self {
        Self {
            crashing: 0.002,
            hanging: 0.0001,
            straggling: 0.02,
            twice: 0.01,
            silent: 0.01,
            hours_between_deaths: 24.0,
            outage: (300.0, 30.0),
            ..self
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// The film that was chosen, as a hash of its takes.
    pub film: String,
    pub video_bytes: u64,
    pub below_floor: usize,
    pub passes: usize,
    /// Frames of the film.
    pub frames: u64,
    /// Seconds that it took, and those that it would have taken with nothing going wrong and no worker
    /// waiting within a pass.
    pub makespan: f64,
    pub ideal: f64,
    /// CPU seconds of all work that had to be done, on a machine of speed 1.
    pub work: f64,
    /// Takes that were made, takes that were found to be there when they were run again, and runs.
    pub takes: u64,
    pub made_twice: u64,
    pub runs: u64,
    pub runs_lost: u64,
    /// Seconds of workers that came to nothing.
    pub seconds_lost: f64,
    pub machines_lost: u64,
    /// What workers read of the source and of descriptions, and wrote as takes.
    pub bytes_of_source: u64,
    pub bytes_of_descriptions: u64,
    pub bytes_of_takes: u64,
    /// Questions to the batch system.
    pub engine_asked: u64,
    /// CPU seconds of the export itself, and those of them that went into planning.
    pub controller: f64,
    pub planning: f64,
    /// Takes told as finished, over all passes: one for each take that a pass wants.
    pub told: u64,
    pub wanted: u64,
}

impl Figures {
    /// Those that do not depend on how fast this machine is.
    pub fn simulated(&self) -> Self {
        Self { controller: 0.0, planning: 0.0, ..self.clone() }
    }
}

/// What is heard while passes run.
#[derive(Default)]
struct Heard {
    told: u64,
    wanted: u64,
    /// CPU seconds of this thread when the last take came in, and those spent since then until the next pass.
    last: f64,
    planning: f64,
}

/// The name of a machine, for people.
fn machine() -> String {
    "a simulated machine".to_owned()
}

/// Runs the passes of an export in a folder, which has to be empty.
///
/// # Errors
/// [`ExportError`], as any export: also where too much goes wrong.
pub fn simulate(setup: &Setup, folder: &Path) -> Result<Figures, ExportError> {
    let source = film::stand_in(folder).map_err(ExportError::file(folder, "writing a film"))?;
    let knob = if setup.coarse { COARSE } else { FINE };
    let mut request = Request::new(source, folder.join("out.mp4"), film::encoder(&knob));
    request.target = Some(match setup.rate {
        0 => Target::floor(setup.floor)?,
        rate => Target::bit_rate(rate)?,
    });
    request.multi_pass = true;
    let (identity, stop) = (RequestIdentity::of(&request), StopFlag::new());
    let job = Job::prepare(&request, identity, Began::now(), &stop)?;
    let store = TakeStore::open(job.folder.takes()?)?;
    let film = SimulatedFilm { seed: setup.seed, knob };
    match setup.engine {
        Engine::Queue => {
            let (world, encoder) = (World::new(setup, film, store.clone()), named(request.encoder.info()));
            let executor = SimulatedQueue::new(world, encoder, setup.workers);
            let workers = Workers::Any(&executor);
            run(setup, &job, &store, film, workers, &|pass| executor.world(|world| world.at_pass(pass)))
        }
        Engine::Arrays => {
            let root = job.shared_root()?;
            let place = ArrayPlace::of(&job, &root)?;
            let world = World::new(setup, film, store.clone());
            let executor = SimulatedArrays::new(world, setup, place, root.path().to_owned());
            let workers = Workers::Any(&executor);
            run(setup, &job, &store, film, workers, &|pass| executor.world(|world| world.at_pass(pass)))
        }
    }
}

/// Runs the passes of a job. `at_pass` tells the world which pass it is, and gives what has happened so far.
fn run(
    setup: &Setup,
    job: &Job,
    store: &TakeStore,
    film: SimulatedFilm,
    workers: Workers<'_>,
    at_pass: &(dyn Fn(u32) -> (Figures, f64) + Sync),
) -> Result<Figures, ExportError> {
    let (journal, _) = job.index()?;
    let units = film.units(setup.takes, setup.frames);
    let end = units.last().map_or(0, |last| last.end);
    let index = SimulatedFilm::index(end);
    let map = FilmMap { units, complete: true, ..FilmMap::new(index.time_base) };
    let map = FilmMap { index, ..map };
    let heard = Mutex::new(Heard { wanted: setup.takes, ..Heard::default() });
    let tell = |event: Event| {
        let mut heard = heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::TakeFinished { .. } => {
                heard.told += 1;
                heard.last = thread_cpu();
            }
            Event::PassStarted { pass, takes, .. } => {
                at_pass(pass);
                if let Some(takes) = takes {
                    heard.wanted += takes as u64;
                    heard.planning += thread_cpu() - heard.last;
                }
            }
            _ => {}
        }
    };
    let stop = StopFlag::new();
    let began = thread_cpu();
    let came = Passes { job, store, workers, stop: &stop, tell: &tell }.run(journal, map)?;
    let busy = thread_cpu() - began;
    let heard = heard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (happened, spent) = at_pass(0);
    Ok(Figures {
        film: digest(&came),
        video_bytes: came.video_bytes(),
        below_floor: came.history.as_ref().and_then(|history| history.below_floor()).unwrap_or(0),
        passes: came.history.as_ref().map_or(0, |history| history.passes.len()),
        frames: end,
        controller: busy - spent,
        planning: heard.planning,
        told: heard.told,
        wanted: heard.wanted,
        ..happened
    })
}

/// A hash of the takes of a film, in order.
fn digest(film: &Film<'_>) -> String {
    let mut content = Xxh3::new();
    for take in &film.takes {
        content.update(take.description.id().to_string().as_bytes());
        content.update(&take.record.bytes.to_le_bytes());
    }
    format!("{:032x}", content.digest128())
}
