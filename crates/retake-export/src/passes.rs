//! The passes of a job: plan, run takes, learn, until the planner has nothing more to ask for.

use crate::error::{ExportError, RequestError};
use crate::event::Event;
use crate::film::Film;
use crate::film::history::{History, UnitTake, pass_summary};
use crate::film::rate::Peaks;
use crate::index::journal::Journal;
use crate::index::ranges::Ranges;
use crate::index::scout::{Scout, Scouted};
use crate::index::{FilmMap, ScoutedFrame};
use crate::job::Job;
use crate::job::plan::bytes_at;
use crate::job::request::Goal;
use crate::job::source::{other_bytes, seconds};
use crate::output::overhead;
use crate::records::again::Again;
use crate::stop::StopFlag;
use crate::take::dispatch::{Dispatch, Progress, Supply};
use crate::take::executor::{Executor, TakeRequest, Ticket};
use crate::take::finished::FinishedTake;
use crate::take::identity::{OpenTake, first_take, open_take, retake};
use crate::take::memory::FilmMemory;
use crate::take::store::TakeStore;
use crate::take::threads::ThreadExecutor;
use crossbeam_channel::{Receiver, Sender, unbounded};
use retake_compression::planner::{self, Brief, Objective, Plan, Reason, Retake, UnitState};
use retake_compression::rate_limit::Caps;
use retake_compression::units::FrameRange;
use retake_libav::FrameIndex;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// Why the first pass is made.
const WHOLE_FILM: &str = "the whole film";

/// Who runs the takes of a job.
#[derive(Clone, Copy)]
pub(crate) enum Workers<'a> {
    /// Threads of this process, which take the frames that the scout has decoded.
    Threads(&'a ThreadExecutor),
    /// Anybody, by descriptions alone.
    Any(&'a dyn Executor),
}

impl<'a> Workers<'a> {
    fn executor(self) -> &'a dyn Executor {
        match self {
            Self::Threads(threads) => threads,
            Self::Any(executor) => executor,
        }
    }
}

/// What the passes of a job work with. The film that they come to borrows the job and the store alone.
pub(crate) struct Passes<'a, 'j> {
    pub job: &'j Job,
    pub store: &'j TakeStore,
    pub workers: Workers<'a>,
    /// Raised by the user, or when anything failed.
    pub stop: &'a StopFlag,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// A unit, and its takes in the order of the passes.
pub(crate) struct Unit {
    pub range: FrameRange,
    pub takes: Vec<UnitTake>,
}

impl<'j> Passes<'_, 'j> {
    /// Runs all passes; gives the film that was chosen. What an earlier run finished is found and kept.
    pub(crate) fn run(&self, journal: Journal, map: FilmMap) -> Result<Film<'j>, ExportError> {
        self.check_executor()?;
        let mut brief = Brief {
            objective: self.job.description.objective,
            scale: self.job.request.encoder.info().quality,
            family: self.job.family,
            max_passes: self.job.request.passes(),
            newest_only: false,
            effort: self.job.request.effort,
        };
        let mut began = Instant::now();
        let again = self.job.request.again.as_deref();
        let again = again.map(|records| Again::plan(records, self.job, &mut brief)).transpose()?;
        let (map, mut units) = self.first_pass(journal, map, again.as_ref())?;
        let map = Arc::new(map);
        match &again {
            Some(again) => again.recall(&mut units),
            None => brief.objective = self.objective(&map, newest(&units))?,
        }
        let mut limit = HighestRate::of(self, &map, units.len());
        let mut passes = Vec::new();
        let mut number = 1;
        let mut reason = WHOLE_FILM.to_owned();
        let mut taken: Vec<usize> = (0..units.len()).collect();
        if let Some(again) = &again {
            (number, reason) = (Again::PASS, again.reason.clone());
            taken.retain(|&unit| again.is_retake(units[unit].range));
        }
        loop {
            let states: Vec<UnitState> = units.iter().map(Unit::state).collect();
            let (plan, above_rate) = limit.plan(&brief, &units, &states, number);
            if plan.retakes.is_empty() && self.make_missing(number, &plan.ship, &mut units)? {
                // only now it is known what the container takes besides
                if again.is_some() {
                    brief.objective = self.objective(&map, choose(&units, &plan.ship))?;
                }
                continue;
            }
            let seconds = began.elapsed().as_secs_f64();
            passes.push(pass_summary(number, &reason, seconds, &taken, &brief, &states, &plan));
            began = Instant::now();
            if plan.retakes.is_empty() {
                let takes = choose(&units, &plan.ship);
                let units = units.into_iter().map(|unit| unit.takes).collect();
                let history = Some(History { brief, units, passes, states, plan, above_rate });
                return Ok(Film { job: self.job, store: self.store, map, takes, history });
            }
            number += 1;
            reason = reasons(&plan.retakes);
            taken = plan.retakes.iter().map(|retake| retake.unit).collect();
            self.retakes(number, &reason, &plan.retakes, &mut units)?;
        }
    }

    /// A take's bytes depend on the encoder's version, so that only an executor that has this very one may
    /// run it.
    fn check_executor(&self) -> Result<(), RequestError> {
        let (encoder, has) = (&self.job.description.encoder, self.workers.executor().capabilities().encoders);
        if has.contains(encoder) {
            return Ok(());
        }
        Err(RequestError::ExecutorLacksEncoder { encoder: encoder.clone(), has })
    }

    /// Makes those of the chosen takes that are known from the records of an earlier job alone. Tells whether
    /// there were any.
    fn make_missing(&self, pass: u32, ship: &[usize], units: &mut [Unit]) -> Result<bool, ExportError> {
        let (sender, supply) = unbounded();
        for (unit, &take) in units.iter().zip(ship).filter(|(unit, take)| unit.takes[**take].recalled) {
            let description = unit.takes[take].take.description.clone();
            self.supply(&sender, TakeRequest { ticket: Ticket(unit.range.start), description });
        }
        drop(sender);
        if supply.is_empty() {
            return Ok(false);
        }
        let mut made = self.by_start(pass, &supply)?;
        for (unit, &take) in units.iter_mut().zip(ship) {
            if let Some(made) = made.remove(&unit.range.start) {
                let taken = &mut unit.takes[take];
                (taken.take, taken.recalled) = (Arc::new(made), false);
            }
        }
        Ok(true)
    }

    /// What is wanted, now that the length of the film and the size of the rest are known.
    fn objective(&self, map: &Arc<FilmMap>, takes: Vec<Arc<FinishedTake>>) -> Result<Objective, ExportError> {
        let Objective::Bytes { at_most, .. } = self.job.description.objective else {
            return Ok(self.job.description.objective);
        };
        let target = match self.job.request.target().goal() {
            Goal::Size(size) => self.video_bytes(size, map, takes)?,
            Goal::BitRate(rate) => bytes_at(rate, map.seconds()),
            Goal::Floor { .. } | Goal::Plain(_) => return Ok(self.job.description.objective),
        };
        Ok(Objective::Bytes { target, at_most })
    }

    /// What the video of a file of `size` bytes may take.
    fn video_bytes(
        &self,
        size: u64,
        map: &Arc<FilmMap>,
        takes: Vec<Arc<FinishedTake>>,
    ) -> Result<u64, ExportError> {
        let film = Film { job: self.job, store: self.store, map: map.clone(), takes, history: None };
        // sizes of samples are stored in as many bytes as they need: they may need one more
        let others = overhead(&film, self.stop)? + film.frames() + 64;
        let video = size.checked_sub(others).filter(|bytes| *bytes > 0);
        video.ok_or_else(|| RequestError::SizeTooSmallForOthers { size, others }.into())
    }

    /// Covers the whole film with takes: those of units that are known from an earlier run read their frames
    /// themselves, the others get them from the scout. What an earlier run finished is kept.
    fn first_pass(
        &self,
        journal: Journal,
        map: FilmMap,
        again: Option<&Again>,
    ) -> Result<(FilmMap, Vec<Unit>), ExportError> {
        let pass = if again.is_some() { Again::PASS } else { 1 };
        (self.tell)(Event::Started {
            frames: self.job.source.video.frames_hint,
            seconds: seconds(&self.job.source).ok(),
            other_bytes: other_bytes(&self.job.others, &self.job.sound),
            jobs: self.workers.executor().capabilities().at_once,
            memory: self.job.memory,
            notes: self.job.notes.clone(),
        });
        let reason = again.map_or(WHOLE_FILM, |again| &again.reason).to_owned();
        (self.tell)(Event::PassStarted { pass, takes: None, frames: None, reason });
        // takes of an earlier job tell more than others of the film
        let memory = FilmMemory::new(self.job, again.is_none());
        let load = Load::default();
        let (sender, supply) = unbounded();
        for (number, &range) in map.units.iter().enumerate() {
            load.given.fetch_add(1, Ordering::Relaxed);
            self.supply_first(&sender, &memory, again, number, range);
        }
        let mut heard = |progress: Progress<'_>| {
            if let Progress::Made(take) | Progress::Kept(take) = progress {
                load.done.fetch_add(1, Ordering::Relaxed);
                memory.finished(take);
            }
            self.tell_progress(pass, &progress);
        };
        let (map, takes) = thread::scope(|scope| {
            let scout = || {
                let scouted = catch_unwind(AssertUnwindSafe(|| {
                    self.scout(journal, map, sender, &load, &memory, again)
                }));
                let panicked = |_| Err(ExportError::Internal("the scout panicked".into()));
                scouted.unwrap_or_else(panicked).inspect_err(|_| self.stop.raise())
            };
            let scout = thread::Builder::new().name("scout".into()).spawn_scoped(scope, scout);
            let scout = scout
                .map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
            let takes = self.dispatch().run(&supply, &mut heard);
            let panicked = |_| Err(ExportError::Internal("the scout panicked".into()));
            match (takes, scout.join().unwrap_or_else(panicked)) {
                (Ok(takes), Ok(map)) => Ok((map, takes)),
                (Err(error), Err(cause)) if error.is_consequence() => Err(cause),
                (Err(error), _) | (_, Err(error)) => Err(error),
            }
        })?;
        if map.units.is_empty() {
            return Err(RequestError::NoFrames { input: self.job.source.path.clone() }.into());
        }
        let mut by_range: BTreeMap<(u64, u64), FinishedTake> =
            takes.into_iter().map(|take| ((take.record.range.start, take.record.range.end), take)).collect();
        // a kept take that ends elsewhere than its unit was none of this job's, and the unit is still to be
        // made
        let (sender, supply) = unbounded();
        let made = |range: &FrameRange| by_range.contains_key(&(range.start, range.end));
        for (number, &range) in map.units.iter().enumerate().filter(|(_, range)| !made(range)) {
            self.supply_first(&sender, &memory, again, number, range);
        }
        drop(sender);
        let more = self.dispatch().run(&supply, &mut heard)?;
        by_range
            .extend(more.into_iter().map(|take| ((take.record.range.start, take.record.range.end), take)));
        let mut units = Vec::with_capacity(map.units.len());
        for &range in &map.units {
            let take = by_range.remove(&(range.start, range.end)).ok_or_else(|| not_taken(range))?;
            let take = UnitTake::first(Arc::new(take));
            units.push(Unit { range, takes: vec![take] });
        }
        Ok((map, units))
    }

    /// Decodes what of the film is not known, and supplies the takes of its units. Their supply ends with it.
    fn scout<'s>(
        &'s self,
        journal: Journal,
        map: FilmMap,
        supply: Sender<Supply<'s>>,
        load: &'s Load,
        memory: &'s FilmMemory<'_>,
        again: Option<&'s Again>,
    ) -> Result<FilmMap, ExportError> {
        if map.complete {
            return Ok(map);
        }
        let jobs = u64::from(self.workers.executor().capabilities().at_once);
        let cores = || load.idle(self.job, jobs);
        let scout = Scout {
            plan: self.job.scout,
            ranges: Ranges::new(
                &self.job.source,
                self.job.reader,
                self.job.ranges,
                self.workers.executor().ranges(),
            ),
            cores: &cores,
            hands_on: self.job.hands_on && matches!(self.workers, Workers::Threads(_)),
            cuts: self.job.cuts.get().cloned(),
            journal,
            map,
            stop: self.stop,
        };
        let map = scout.run(&mut FirstPass { passes: self, supply, open: None, load, memory, again })?;
        if let Workers::Threads(threads) = self.workers {
            threads.source().learn(map.index.clone());
        }
        Ok(map)
    }

    /// Encodes units again.
    fn retakes(
        &self,
        pass: u32,
        reason: &str,
        retakes: &[Retake],
        units: &mut [Unit],
    ) -> Result<(), ExportError> {
        let frames = retakes.iter().map(|retake| units[retake.unit].range.len()).sum();
        (self.tell)(Event::PassStarted {
            pass,
            takes: Some(retakes.len()),
            frames: Some(frames),
            reason: reason.to_owned(),
        });
        let (sender, supply) = unbounded();
        for wanted in retakes {
            let range = units[wanted.unit].range;
            let description = retake(self.job, range, wanted.quality);
            self.supply(&sender, TakeRequest { ticket: Ticket(range.start), description });
        }
        drop(sender);
        let mut by_start = self.by_start(pass, &supply)?;
        for wanted in retakes {
            let unit = &mut units[wanted.unit];
            let take = by_start.remove(&unit.range.start).ok_or_else(|| not_taken(unit.range))?;
            unit.takes.push(UnitTake {
                take: Arc::new(take),
                pass,
                reason: Some(wanted.reason),
                recalled: false,
            });
        }
        Ok(())
    }

    /// Runs all takes that are supplied, of different units, and gives them back by their first frames.
    fn by_start(
        &self,
        pass: u32,
        supply: &Receiver<Supply<'_>>,
    ) -> Result<BTreeMap<u64, FinishedTake>, ExportError> {
        let takes = self.dispatch().run(supply, &mut |progress| self.tell_progress(pass, &progress))?;
        Ok(takes.into_iter().map(|take| (take.record.range.start, take)).collect())
    }

    /// Has the first take of a unit run when the units that it learns from are finished. It is the one that
    /// the records of an earlier job suggest, where they know the unit.
    fn supply_first<'s>(
        &'s self,
        sender: &Sender<Supply<'s>>,
        memory: &'s FilmMemory<'_>,
        again: Option<&'s Again>,
        number: usize,
        range: FrameRange,
    ) {
        memory.begun(number, range.start);
        let known = again.and_then(|again| again.first(range.start)).filter(|known| known.range == range);
        let describe = move || {
            let offset = memory.offset(number)?;
            let description = known.cloned().unwrap_or_else(|| first_take(self.job, range, offset));
            Some(self.supplied(TakeRequest { ticket: Ticket(range.start), description }))
        };
        // the receiver is only gone where everything has failed
        let _ = sender.send(describe().unwrap_or_else(|| Supply::Later(Box::new(describe))));
    }

    /// Has a take run, unless an earlier run finished exactly this one.
    fn supply(&self, sender: &Sender<Supply<'_>>, request: TakeRequest) {
        // the receiver is only gone where everything has failed
        let _ = sender.send(self.supplied(request));
    }

    /// A take to run, unless an earlier run finished exactly this one.
    fn supplied<'s>(&self, request: TakeRequest) -> Supply<'s> {
        let kept = self.store.get(&request.description).map(|kept| Supply::Kept(Box::new(kept)));
        kept.unwrap_or_else(|| Supply::Take(Box::new(request)))
    }

    fn dispatch(&self) -> Dispatch<'_> {
        Dispatch { executor: self.workers.executor(), store: self.store, stop: self.stop }
    }

    fn tell_progress(&self, pass: u32, progress: &Progress<'_>) {
        let (take, kept) = match *progress {
            Progress::Began(ticket, range) => {
                let (start, end) = (ticket.0, range.map(|range| range.end));
                return (self.tell)(Event::TakeStarted { pass, start, end });
            }
            Progress::Encoded(frames) => return (self.tell)(Event::Encoded { pass, frames }),
            Progress::Waiting(reason) => return (self.tell)(Event::Waiting { reason: reason.to_owned() }),
            Progress::Made(take) => (take, false),
            Progress::Kept(take) => (take, true),
        };
        (self.tell)(Event::TakeFinished {
            pass,
            range: take.record.range,
            quality: take.record.quality,
            score: take.record.score.map(|score| score.value),
            bytes: take.record.bytes,
            kept,
            cpu: take.record.cpu,
        });
    }
}

/// Counts the takes of the first pass, which tell how many cores are idle.
#[derive(Default)]
struct Load {
    /// Takes that were given to the executor, or found, and those of them that are done.
    given: AtomicU64,
    done: AtomicU64,
}

impl Load {
    /// Returns how many cores, one at least, have nothing to do but to decode: those for which the scout has
    /// not found takes yet, of as many as there may be takes at once.
    fn idle(&self, job: &Job, jobs: u64) -> usize {
        // Takes on other machines leave all cores of this one.
        if job.request.run_on.is_elsewhere() {
            return usize::try_from(job.cores).unwrap_or(1);
        }
        let (done, given) = (self.done.load(Ordering::Relaxed), self.given.load(Ordering::Relaxed));
        if given < job.ranges.after {
            return 1;
        }
        let idle = job.cores.min(jobs).saturating_sub(given.saturating_sub(done)).max(1);
        usize::try_from(idle).unwrap_or(1)
    }
}

/// Makes takes of what the scout finds.
struct FirstPass<'a> {
    passes: &'a Passes<'a, 'a>,
    load: &'a Load,
    memory: &'a FilmMemory<'a>,
    supply: Sender<Supply<'a>>,
    /// Where the frames of the unit go that is being decoded, if anybody wants them.
    open: Option<Sender<Option<ScoutedFrame>>>,
    again: Option<&'a Again>,
}

impl Scouted for FirstPass<'_> {
    fn decoded(&mut self, frames: u64) {
        (self.passes.tell)(Event::Indexed { frames });
    }

    fn begin(&mut self, number: usize, start: u64, end: Option<u64>) -> bool {
        let Workers::Threads(threads) = self.passes.workers else { return false };
        // a unit that learns from one whose frames were not handed on is made like that one, after it
        let Some(offset) = self.memory.wait_for_offset(number, self.passes.stop) else { return false };
        self.memory.begun(number, start);
        self.load.given.fetch_add(1, Ordering::Relaxed);
        let known = self.again.and_then(|again| again.first(start)).cloned();
        let take = known.map_or_else(|| open_take(self.passes.job, start, end, offset), OpenTake::from);
        let ticket = Ticket(start);
        let supply = match self.passes.store.find(take.known()) {
            Some(kept) => Supply::Kept(Box::new(kept)),
            None => {
                self.open = Some(threads.begin(ticket, take));
                Supply::Begun(ticket)
            }
        };
        let _ = self.supply.send(supply);
        true
    }

    fn frame(&mut self, frame: ScoutedFrame) {
        if let Some(open) = &self.open {
            // who listened is only gone where the take has failed
            let _ = open.send(Some(frame));
        }
    }

    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            let _ = open.send(None);
        }
    }

    fn written(&mut self, units: &[(usize, FrameRange)], index: &FrameIndex) {
        if let Workers::Threads(threads) = self.passes.workers {
            threads.source().learn(index.clone());
        }
        for &(number, range) in units {
            self.load.given.fetch_add(1, Ordering::Relaxed);
            self.passes.supply_first(&self.supply, self.memory, self.again, number, range);
        }
    }
}

/// The rate that no two seconds of the film exceed, where one was asked for.
struct HighestRate<'a>(Option<(Peaks<'a>, Caps)>);

/// A plan, and what of it is above the highest rate: units, and how many times the rate that is.
type Planned = (Plan, BTreeMap<usize, f64>);

impl<'a> HighestRate<'a> {
    fn of(passes: &Passes<'_, '_>, map: &'a FilmMap, units: usize) -> Self {
        let per_frame = |rate: u64| rate as f64 / 8.0 * map.seconds() / map.index.frames.len().max(1) as f64;
        let rate = passes.job.description.max_bit_rate;
        Self(rate.map(|rate| (Peaks::new(&map.index, rate), Caps::new(units, per_frame(rate)))))
    }

    /// Plans the next pass so that the rate holds.
    fn plan(&mut self, brief: &Brief, units: &[Unit], states: &[UnitState], passes: u32) -> Planned {
        let Some((peaks, caps)) = &mut self.0 else {
            return (planner::plan(brief, states, passes), BTreeMap::new());
        };
        caps.plan_within(brief, states, passes, |ship| peaks.broken(&choose(units, ship)))
    }
}

impl Unit {
    fn state(&self) -> UnitState {
        UnitState { range: self.range, trials: self.takes.iter().map(|taken| taken.take.trial()).collect() }
    }
}

/// The newest takes of all units.
fn newest(units: &[Unit]) -> Vec<Arc<FinishedTake>> {
    units.iter().filter_map(|unit| unit.takes.last()).map(|taken| taken.take.clone()).collect()
}

/// The takes that go into the film.
fn choose(units: &[Unit], ship: &[usize]) -> Vec<Arc<FinishedTake>> {
    units.iter().zip(ship).map(|(unit, &take)| unit.takes[take].take.clone()).collect()
}

fn not_taken(range: FrameRange) -> ExportError {
    ExportError::Internal(format!("{range} were not taken"))
}

/// In words why units are encoded again.
pub(crate) fn reasons(retakes: &[Retake]) -> String {
    let parts = [
        (Reason::BelowFloor, "below the floor"),
        (Reason::AboveTolerance, "better than asked for"),
        (Reason::Rate, "to meet the rate"),
        (Reason::Cap, "above the highest rate"),
    ];
    let parts = parts.iter().filter_map(|(reason, words)| {
        let count = retakes.iter().filter(|retake| retake.reason == *reason).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ranges::RangePlan;
    use crate::index::scout::ScoutPlan;
    use crate::index::scout::held_back;
    use crate::job::request::Target;
    use crate::take::encode::TakeTools;
    use crate::take::threads::RangeSource;
    use crate::testing::{self, factory_that_keeps_all, job};
    use crate::worker::array::careless;
    use retake_media::{Sample, Time};
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;

    /// What came of the passes of a job: the description of each chosen take, and all samples.
    type Came = (Vec<(FrameRange, Option<f64>, u64)>, Vec<Sample>);

    fn came(film: &Film<'_>) -> Came {
        let takes = film.takes.iter().map(|take| (take.record.range, take.record.quality, take.record.bytes));
        let (mut samples, mut all) = (film.samples().unwrap(), Vec::new());
        while let Some(sample) = samples.next().unwrap() {
            all.push(sample);
        }
        (takes.collect(), all)
    }

    fn run(job: &Job, store: &TakeStore, workers: Workers<'_>, stop: &StopFlag) -> Came {
        let (journal, map) = job.index().unwrap();
        let events = Mutex::new(Vec::new());
        let tell = |event: Event| events.lock().unwrap().push(event);
        let film = Passes { job, store, workers, stop, tell: &tell }.run(journal, map).unwrap();
        if !job.request.target().is_measured() {
            return came(&film);
        }
        let history = film.history.as_ref().unwrap();
        assert!(history.passes.len() > 1, "a film of one pass shows too little: {:?}", history.passes);
        let begun: BTreeSet<String> = history
            .units
            .iter()
            .map(|takes| format!("{:?}", takes[0].take.description.settings.rate))
            .collect();
        assert!(begun.len() > 1, "units that learn nothing show too little: {begun:?}");
        let made = |event: &&Event| matches!(event, Event::TakeFinished { kept: false, .. });
        assert!(events.lock().unwrap().iter().filter(made).count() > film.takes.len());
        came(&film)
    }

    fn with_threads(job: &Job) -> Came {
        let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
        let stop = StopFlag::new();
        let tools = TakeTools {
            factory: job.request.encoder.clone(),
            store: store.clone(),
            time_base: job.source.video.time_base,
            stop: stop.clone(),
        };
        let index = retake_libav::FrameIndex::new(job.source.video.time_base);
        let source = RangeSource::new(job.source.clone(), job.reader, index);
        let threads = ThreadExecutor::start(job.jobs, tools, source).unwrap();
        run(job, &store, Workers::Threads(&threads), &stop)
    }

    /// A take goes out as its description and comes back through the store: a batch system that shares
    /// nothing with the export but a folder, runs takes in any order, some of them twice, and loses every
    /// third, comes to the same film as the threads, which are given decoded frames.
    #[test]
    fn any_executor_makes_the_same_film() {
        let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let expected = with_threads(&job(near.path(), |_| ()));
        let job = job(far.path(), |_| ());
        let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
        job.folder.note_source(&job.source_facts()).unwrap();
        let (executor, counts) = careless::start(&job, 3);
        let found = run(&job, &store, Workers::Any(&executor), &StopFlag::new());
        assert!(
            counts.lost.load(Ordering::Acquire) > 0 && counts.twice.load(Ordering::Acquire) > 0,
            "none was lost, or run twice, and the test shows less than it says"
        );
        assert_eq!(found.0, expected.0);
        assert!(found.1 == expected.1, "other samples");
    }

    /// An encoder that keeps more frames than it says holds nothing up: the room of a frame between scout and
    /// takes is free again as soon as the encoder has it, so that the scout never waits for a frame that an
    /// encoder keeps until the scout has given more. There is as little room here as a plan can leave.
    #[test]
    fn a_job_does_not_wait_for_frames_that_its_encoder_keeps() {
        for target in [Target::plain(), Target::floor(40.0).unwrap().tolerance(0.5).unwrap()] {
            let came = [false, true].map(|keeps_all| {
                let folder = tempfile::tempdir().unwrap();
                let mut job = job(folder.path(), |request| {
                    request.multi_pass = target.is_measured();
                    request.target = Some(target);
                    request.jobs = Some(1);
                    if keeps_all {
                        request.encoder = factory_that_keeps_all();
                    }
                });
                let ScoutPlan { rule, streaming, .. } = job.scout;
                let taken = if streaming { 8 } else { rule.longest };
                job.scout.permits = (held_back(rule, streaming) + taken) as usize;
                assert!(!streaming || job.scout.permits < testing::FRAMES as usize, "there is room for all");
                with_threads(&job)
            });
            assert!(came[0] == came[1], "other samples");
        }
    }

    /// However many scouts there are, and whoever runs the takes: workers read ranges, too, some twice, and
    /// some that they lose. (That ranges come in any order, and that frames are handed on or not, is tested
    /// where they are joined.)
    #[test]
    fn the_number_of_scouts_changes_nothing() {
        let asked = AtomicU64::new(0);
        let came = |scouts: usize, loses: Option<u64>| {
            let folder = tempfile::tempdir().unwrap();
            let mut job = job(folder.path(), |request| request.jobs = Some(4));
            let least = Time::new(1, 2);
            job.ranges = RangePlan { scouts, after: 0, memory: u64::MAX, least, times: 1 };
            job.cores = 64;
            let Some(loses) = loses else { return with_threads(&job) };
            let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
            job.folder.note_source(&job.source_facts()).unwrap();
            let (executor, counts) = careless::start(&job, loses);
            let came = run(&job, &store, Workers::Any(&executor), &StopFlag::new());
            asked.fetch_add(counts.ranges.load(Ordering::Acquire), Ordering::AcqRel);
            came
        };
        let one = came(0, None);
        for scouts in [0, 1, 2, 5] {
            for loses in [None, Some(0), Some(2)] {
                assert!(came(scouts, loses) == one, "{scouts} scouts, one of {loses:?} lost");
            }
        }
        assert!(asked.into_inner() > 0, "no worker was asked for a range");
    }

    /// Whatever memory there is: whether the scout hands its frames on, or takes read them themselves.
    #[test]
    fn the_memory_changes_nothing() {
        let came = [64 << 30, 98 << 20].map(|memory| {
            let folder = tempfile::tempdir().unwrap();
            let job = job(folder.path(), |request| request.memory = Some(memory));
            (job.hands_on, with_threads(&job))
        });
        assert!(came[0].0 && !came[1].0, "both were worked on alike");
        assert!(came[0].1 == came[1].1, "another film");
    }

    /// However many takes run at once.
    #[test]
    fn the_number_of_threads_changes_nothing() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, four] = [1, 4].map(|jobs| {
            with_threads(&job(folders[usize::from(jobs == 4)].path(), |request| request.jobs = Some(jobs)))
        });
        assert!(one == four);
    }
}
