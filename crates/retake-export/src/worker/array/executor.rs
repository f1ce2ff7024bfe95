//! The executor that has a batch system run takes.

use super::engine::{ArrayEngine, Standing, Unfinished};
use super::file::ArrayHead;
use super::objects::ArrayObjects;
use super::watch::{Verdict, Watch};
use super::{ArrayFile, ArrayId, ArrayNames, ArrayWork, Said, TaskReport};
use crate::error::ExportError;
use crate::index::range_file;
use crate::index::ranges::{Elsewhere, FoundRange};
use crate::job::Job;
use crate::job::folder::{ARRAYS, PROGRAM};
use crate::own_folder::Folder;
use crate::stop::StopFlag;
use crate::take::executor::{
    Capabilities, Executor, Refused, TakeOutcome, TakePlace, TakeReport, TakeRequest,
};
use crate::take::queue::LongestFirst;
use crate::worker::child::sentence;
use crate::worker::root::SharedRoot;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, unbounded};
use retake_libav::EntryPoint;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often files of workers are looked for.
const TICK: Duration = Duration::from_millis(50);
/// Where nobody runs anything, takes are handed over when no more of them have come for so long.
const QUIET: Duration = Duration::from_millis(100);
/// The most takes of an array. Slurm takes 1001 unless its owner says otherwise.
const MOST_TAKES: usize = 1000;
/// The most takes that the batch system is given at once, unless twice as many as it runs at once are more.
/// Slurm keeps 10,000 jobs of all its users, and counts each take as one.
const MOST_HANDED: usize = 4 * MOST_TAKES;
/// The most takes that are accepted and not looked at.
const MOST_WAITING: usize = 10_000;
/// The most ranges of the film that are read at once.
const MOST_RANGES: u32 = 32;
/// How long a batch system may fail to answer.
const SILENCE: Duration = Duration::from_secs(60);
/// The most that is read of what a worker wrote, in bytes.
const MOST_TEXT: u64 = 1 << 20;

/// Where the workers of arrays find their job.
pub(crate) struct ArrayPlace {
    /// The folder of arrays.
    pub folder: Folder,
    /// What travels through an object store, where workers do not see this folder.
    pub objects: Option<ArrayObjects>,
    /// This folder, the job folder and the source, below the place that all machines share.
    pub arrays: PathBuf,
    pub job: PathBuf,
    pub source: PathBuf,
    /// The encoder of the job, with its version.
    pub encoder: String,
}

impl ArrayPlace {
    /// Those of a job, and the place that all machines share.
    pub(crate) fn find(job: &Job) -> Result<(Self, PathBuf), ExportError> {
        let (Some(objects), Some(travelling)) = (&job.objects, ArrayObjects::of(job)?) else {
            let root = job.shared_root()?;
            return Ok((Self::of(job, &root)?, root.path().to_owned()));
        };
        let name = PathBuf::from(objects.name());
        let place = Self {
            arrays: name.join(ARRAYS),
            job: name,
            source: job.source.path.clone(),
            encoder: job.description.encoder.clone(),
            folder: job.folder.arrays()?,
            objects: Some(travelling),
        };
        Ok((place, objects.root().into()))
    }

    /// Those of a job in a folder that all machines share.
    pub(crate) fn of(job: &Job, root: &SharedRoot) -> Result<Self, ExportError> {
        let folder = job.folder.arrays()?;
        Ok(Self {
            objects: None,
            arrays: root.relative(folder.path())?,
            job: root.relative(job.folder.path())?,
            source: root.relative_source(&job.source.path)?,
            encoder: job.description.encoder.clone(),
            folder,
        })
    }
}

/// What a batch system is to do.
pub(crate) enum Work {
    Take(Box<TakeRequest>),
    Range(RangeRequest),
}

/// A range of the film that is to be read.
pub(crate) struct RangeRequest {
    entries: Arc<[EntryPoint]>,
    number: usize,
    most: usize,
    /// Its file goes here; nobody answers where it is lost.
    reply: Sender<File>,
}

impl Work {
    /// Frames of work. The scout waits for ranges, which go before all takes.
    fn weight(&self) -> u64 {
        match self {
            Self::Take(take) => take.description.range.len(),
            Self::Range(_) => u64::MAX,
        }
    }

    fn described(&self) -> ArrayWork {
        match self {
            Self::Take(take) => ArrayWork::Take(Box::new(take.description.clone())),
            Self::Range(range) => ArrayWork::Range { number: range.number, most: range.most },
        }
    }
}

/// Takes that a batch system runs. When the value is dropped, what runs is given up.
pub(crate) struct ArrayExecutor {
    work: Option<Sender<Work>>,
    reports: Receiver<TakeReport>,
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    encoder: String,
    at_once: u32,
}

/// What an executor and its keeper have in common.
#[derive(Default)]
pub(crate) struct Shared {
    cancelled: StopFlag,
    /// Milliseconds that workers have spent on processors.
    busy: AtomicU64,
}

impl ArrayExecutor {
    /// Ends what an earlier run left with the batch system, and gets ready.
    pub(crate) fn start(
        mut engine: Box<dyn ArrayEngine>,
        mut place: ArrayPlace,
    ) -> Result<Self, ExportError> {
        let names = place.folder.names();
        let names = names.map_err(ExportError::file(place.folder.path(), "reading the folder of arrays"))?;
        let stored = place.objects.as_ref().map_or(Ok(Vec::new()), ArrayObjects::names)?;
        let earlier: BTreeSet<ArrayId> = names
            .iter()
            .chain(&stored)
            .filter_map(|name| ArrayId::of(name))
            .map(|(array, _)| array)
            .collect();
        earlier.iter().for_each(|array| engine.cancel(array));
        // what cannot be removed only takes space
        names.iter().filter(|name| super::is_name(name)).for_each(|name| drop(place.folder.remove(name)));
        let ((work, waiting), (sender, reports)) = (bounded(MOST_WAITING), unbounded());
        let (shared, encoder, at_once) = (Arc::<Shared>::default(), place.encoder.clone(), engine.at_once());
        if let Some(mut objects) = place.objects.take() {
            objects.begin(&stored)?;
            place.objects = Some(objects.until(&shared.cancelled));
        }
        let mut keeper = Keeper::new(engine, place, shared.clone(), sender, Instant::now());
        let keeper = thread::Builder::new()
            .name("arrays".into())
            .spawn(move || keeper.work(&waiting))
            .map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
        Ok(Self { work: Some(work), reports, shared, keeper: Some(keeper), encoder, at_once })
    }

    /// The CPU seconds that workers say they have spent.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.shared.busy.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

impl Executor for ArrayExecutor {
    fn capabilities(&self) -> Capabilities {
        // a worker that lacks the encoder says so
        Capabilities { at_once: self.at_once, encoders: vec![self.encoder.clone()] }
    }

    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        let Some(work) = self.work.as_ref().filter(|_| !self.shared.cancelled.is_raised()) else {
            return Err(Refused::Cancelled);
        };
        work.try_send(Work::Take(Box::new(take))).map_err(|refused| match refused {
            TrySendError::Full(Work::Take(take)) => Refused::Full(take),
            TrySendError::Full(Work::Range(_)) | TrySendError::Disconnected(_) => Refused::Cancelled,
        })
    }

    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        self.reports.recv_timeout(patience).ok()
    }

    fn cancel(&self) {
        self.shared.cancel();
    }

    fn ranges(&self) -> Option<&dyn Elsewhere> {
        Some(self)
    }
}

impl Elsewhere for ArrayExecutor {
    fn at_once(&self) -> usize {
        self.at_once.min(MOST_RANGES) as usize
    }

    fn read(
        &self,
        entries: &Arc<[EntryPoint]>,
        number: usize,
        frames: usize,
        over: &dyn Fn() -> bool,
    ) -> Option<Box<FoundRange>> {
        let (reply, file) = bounded(1);
        let range = RangeRequest { entries: entries.clone(), number, most: frames, reply };
        self.work.as_ref()?.try_send(Work::Range(range)).ok()?;
        loop {
            match file.recv_timeout(TICK) {
                // a file that cannot be read is as good as none: the range is read here
                Ok(file) => return range_file::read(file, frames).ok().map(Box::new),
                Err(RecvTimeoutError::Timeout) if !over() => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for ArrayExecutor {
    fn drop(&mut self) {
        self.cancel();
        self.work = None;
        if let Some(keeper) = self.keeper.take() {
            // what it leaves behind by a panic is ended by the next run
            let _ = keeper.join();
        }
    }
}

impl Shared {
    pub(crate) fn cancel(&self) {
        self.cancelled.raise();
    }
}

/// Who hands arrays to the batch system, and takes in what workers say. It looks at no clock: it is told what
/// time it is, so that a simulation can run it as the thread of an executor does.
pub(crate) struct Keeper {
    engine: Box<dyn ArrayEngine>,
    place: ArrayPlace,
    shared: Arc<Shared>,
    reports: Sender<TakeReport>,
    /// What is to be handed over, and since when the first of it waits.
    waiting: LongestFirst<Work>,
    since: Instant,
    /// When the last of it came.
    latest: Instant,
    /// When the batch system was asked last.
    asked: Instant,
    /// When it answered last, or had nothing to answer.
    answered: Instant,
    names: ArrayNames,
    arrays: BTreeMap<ArrayId, Array>,
    /// The arrays whose work is done.
    done: BTreeSet<ArrayId>,
    watch: Watch,
}

/// An array that is not done.
struct Array {
    /// What has no outcome, by its index.
    open: BTreeMap<u32, Work>,
    /// Those that the batch system has ended, and since when nothing was heard of them.
    ended: BTreeMap<u32, Instant>,
}

impl Keeper {
    pub(crate) fn new(
        engine: Box<dyn ArrayEngine>,
        place: ArrayPlace,
        shared: Arc<Shared>,
        reports: Sender<TakeReport>,
        now: Instant,
    ) -> Self {
        Self {
            engine,
            place,
            shared,
            reports,
            waiting: LongestFirst::default(),
            since: now,
            latest: now,
            asked: now,
            answered: now,
            names: ArrayNames::new(),
            arrays: BTreeMap::new(),
            done: BTreeSet::new(),
            watch: Watch::new(now),
        }
    }

    fn work(&mut self, work: &Receiver<Work>) {
        loop {
            match work.recv_timeout(TICK) {
                Ok(one) => {
                    let now = Instant::now();
                    self.accept(one, now);
                    work.try_iter().take(MOST_TAKES).for_each(|one| self.accept(one, now));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.give_up();
                    if !self.done.is_empty() {
                        self.engine.take_back(&self.done);
                    }
                    return;
                }
            }
            self.turn(Instant::now());
        }
    }

    /// More work waits.
    pub(crate) fn accept(&mut self, work: Work, now: Instant) {
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.latest = now;
        self.waiting.push(work.weight(), work);
    }

    /// Does what is to be done now: hands work over, hears what workers say, asks the batch system.
    pub(crate) fn turn(&mut self, now: Instant) {
        if self.shared.cancelled.is_raised() {
            return self.give_up();
        }
        // nobody runs anything meanwhile, as where a pass begins
        let is_idle = self.arrays.is_empty() && now.duration_since(self.latest) >= QUIET;
        let gathered = is_idle || now.duration_since(self.since) >= self.engine.gather();
        let mut handed: usize = self.arrays.values().map(|array| array.open.len()).sum();
        let most = MOST_HANDED.max(2 * self.engine.at_once() as usize);
        while self.waiting.len() >= MOST_TAKES || (gathered && !self.waiting.is_empty()) {
            let count = self.waiting.len().min(MOST_TAKES);
            if handed + count > most {
                break;
            }
            handed += count;
            let work = (0..count).filter_map(|_| self.waiting.pop()).collect();
            self.launch(work);
        }
        if let Err(error) = self.bring(now) {
            return self.fail(error);
        }
        self.hear(now);
        if now.duration_since(self.asked) >= self.engine.pace() {
            self.ask(now);
            self.asked = now;
        }
        let over = self.arrays.iter().filter(|(_, state)| state.open.is_empty());
        let over: BTreeSet<ArrayId> = over.map(|(array, _)| array.clone()).collect();
        self.arrays.retain(|array, _| !over.contains(array));
        self.place.forget(&over);
        self.done.extend(over);
    }

    /// Brings what workers have put into the store, if that is where they put it.
    fn bring(&mut self, now: Instant) -> Result<(), ExportError> {
        let Some(objects) = &mut self.place.objects else { return Ok(()) };
        if self.arrays.is_empty() || !objects.is_due(now) {
            return Ok(());
        }
        objects.bring(now, &self.arrays.keys().cloned().collect())
    }

    /// Ends everything.
    fn give_up(&mut self) {
        self.end_all(|| TakeOutcome::Cancelled);
    }

    /// Ends everything, because of this.
    fn fail(&mut self, error: ExportError) {
        let (message, mut error) = (error.to_string(), Some(error));
        self.end_all(|| {
            TakeOutcome::Failed(error.take().unwrap_or_else(|| ExportError::Internal(message.clone())))
        });
    }

    fn end_all(&mut self, mut outcome: impl FnMut() -> TakeOutcome) {
        while let Some(work) = self.waiting.pop() {
            self.tell(work, outcome());
        }
        self.end_arrays(outcome);
    }

    /// Ends all that the batch system has.
    fn end_arrays(&mut self, mut outcome: impl FnMut() -> TakeOutcome) {
        let mut over = BTreeSet::new();
        for (array, state) in std::mem::take(&mut self.arrays) {
            self.engine.cancel(&array);
            for work in state.open.into_values() {
                self.tell(work, outcome());
            }
            over.insert(array);
        }
        self.place.forget(&over);
    }

    fn launch(&mut self, work: Vec<Work>) {
        let array = self.names.next();
        // a film is divided in one way
        let entries = |work: &Work| match work {
            Work::Range(range) => Some(range.entries.to_vec()),
            Work::Take(_) => None,
        };
        let entries = work.iter().find_map(entries).unwrap_or_default();
        let (name, count) = (array.file(), work.len() as u32);
        let described = work.iter().map(Work::described);
        let launched = self.place.put(&array, entries, described).and_then(|()| {
            let launched = self.engine.launch(&array, &self.place.arrays.join(&name), count);
            launched.map_err(|error| engine_error("handing takes over", &error))
        });
        match launched {
            Ok(()) => {
                let open = (0..).zip(work).collect();
                self.arrays.insert(array, Array { open, ended: BTreeMap::new() });
            }
            Err(error) => {
                let (message, mut error) = (error.to_string(), Some(error));
                for work in work {
                    let error = error.take().unwrap_or_else(|| ExportError::Internal(message.clone()));
                    self.tell(work, TakeOutcome::Failed(error));
                }
                self.place.forget(&BTreeSet::from([array]));
            }
        }
    }

    /// Takes in what workers wrote.
    fn hear(&mut self, now: Instant) {
        // a folder that cannot be read now can be read later, or the batch system tells that all have ended
        let Ok(mut names) = self.place.folder.names() else { return };
        // in the order in which they were handed over, and not in one that a file system happens to have
        names.sort_unstable();
        for name in names.iter().filter(|name| name.ends_with(".json")) {
            if let Some((array, Some(index))) = ArrayId::of(name) {
                self.hear_of(&array, index, now);
            }
        }
    }

    /// Takes in what a worker wrote, if it is there.
    fn hear_of(&mut self, array: &ArrayId, index: u32, now: Instant) {
        let name = array.report(index);
        let report = match read_text(&self.place.folder, &name) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => Err(error),
        };
        // what it printed is of no use any more; a folder with all that all workers printed would be slow to
        // read
        let _ = self.place.folder.remove(&name);
        let _ = self.place.folder.remove(&array.log(index));
        let state = self.arrays.get_mut(array);
        let Some(work) = state.and_then(|state| state.open.remove(&index)) else {
            // said twice, or of an earlier run
            return;
        };
        self.watch.has_run(now);
        let outcome = match report {
            Ok(TaskReport { said: Said::Done(done), .. }) => {
                let cpu = done.record.cpu;
                let spent = ((cpu.look + cpu.encode + cpu.measure) * 1000.0) as u64;
                self.shared.busy.fetch_add(spent, Ordering::Relaxed);
                TakeOutcome::Done { take: done, place: TakePlace::Stored }
            }
            Ok(TaskReport { said: Said::Read, .. }) => {
                let file = self.place.folder.read(&array.range(index));
                // a reader that has gone wants nothing, and without a file it hears that there is none
                if let (Work::Range(range), Ok(file)) = (work, file) {
                    let _ = range.reply.send(file);
                }
                return;
            }
            Ok(TaskReport { said: Said::Failed(error), .. }) => TakeOutcome::Failed(error.into()),
            Ok(TaskReport { said: Said::Unable(error), machine }) => {
                if let Some(objects) = &mut self.place.objects {
                    objects.distrust();
                }
                TakeOutcome::Lost(format!("on {machine}: {}", ExportError::from(error)))
            }
            Err(error) => TakeOutcome::Lost(format!("what a worker wrote cannot be read: {error}")),
        };
        self.tell(work, outcome);
    }

    /// Asks the batch system what still waits or runs. What does not, and was not heard of, is lost.
    fn ask(&mut self, now: Instant) {
        let open: Vec<&ArrayId> = self.arrays.keys().collect();
        if open.is_empty() {
            self.answered = now;
            return;
        }
        let unfinished = match self.engine.unfinished(&open) {
            Ok(unfinished) => unfinished,
            Err(error) if now.duration_since(self.answered) > SILENCE => {
                for (_, work) in std::mem::take(&mut self.arrays).into_values().flat_map(|state| state.open) {
                    self.tell(work, TakeOutcome::Failed(engine_error("asking after takes", &error)));
                }
                return;
            }
            Err(_) => return,
        };
        self.answered = now;
        if !self.moves(&unfinished, now) {
            return;
        }
        let (mut lost, mut has_ended) = (Vec::new(), false);
        for (array, state) in &mut self.arrays {
            let unfinished = unfinished.get(array);
            let runs = |index: &u32| unfinished.is_some_and(|indexes| indexes.contains_key(index));
            state.ended.retain(|index, _| !runs(index));
            for index in state.open.keys().filter(|index| !runs(index)) {
                if !state.ended.contains_key(index) {
                    state.ended.insert(*index, now);
                    has_ended = true;
                }
            }
            let late = |since: &Instant| now.duration_since(*since) > self.engine.grace();
            lost.extend(
                state.ended.iter().filter(|(_, since)| late(since)).map(|(i, _)| (array.clone(), *i)),
            );
        }
        if let Some(objects) = self.place.objects.as_mut().filter(|_| has_ended) {
            objects.look_soon();
        }
        for (array, index) in lost {
            if let Some(objects) = &mut self.place.objects {
                // what it speaks of is looked for again where the store does not answer now
                if objects.bring_one(&array, index).is_err() {
                    return;
                }
                objects.distrust();
            }
            // a folder on another machine may be listed as it was; a name that is asked for is looked up
            self.hear_of(&array, index, now);
            if self.arrays.get(&array).is_none_or(|state| !state.open.contains_key(&index)) {
                continue;
            }
            let words = read_text(&self.place.folder, &array.log(index)).unwrap_or_default();
            let from = words.len().saturating_sub(crate::worker::child::MOST);
            let how = self.engine.end_of(&array, index);
            let how = how.unwrap_or_else(|| sentence("the batch system ended it", &words[from..]));
            let state = self.arrays.get_mut(&array);
            if let Some(work) = state.and_then(|state| {
                state.ended.remove(&index);
                state.open.remove(&index)
            }) {
                self.tell(work, TakeOutcome::Lost(how));
            }
        }
    }

    /// Sees to it that takes do not wait for ever. Returns whether they are still with the batch system.
    fn moves(&mut self, unfinished: &Unfinished, now: Instant) -> bool {
        let of = |array, index| unfinished.get(array).and_then(|known| known.get(index));
        let standings = self.arrays.iter().flat_map(|(array, state)| {
            let standings: Vec<Option<&Standing>> = state.open.keys().map(|index| of(array, index)).collect();
            standings
        });
        match self.watch.look(standings, now) {
            Verdict::Wait => true,
            Verdict::Tell(reason) => {
                // nobody listens to an executor that is being dropped
                let _ = self.reports.send(TakeReport::Waiting(reason));
                true
            }
            Verdict::Renew(reason) => {
                self.end_arrays(|| TakeOutcome::Lost(reason.clone()));
                false
            }
            Verdict::End(reason) => {
                self.fail(ExportError::BatchSystem { doing: "waiting for takes to be run", reason });
                false
            }
        }
    }

    /// Says what became of a take. Who waits for a range hears that there is none when its request is
    /// dropped.
    fn tell(&self, work: Work, outcome: TakeOutcome) {
        let Work::Take(take) = work else { return };
        // nobody listens to an executor that is being dropped
        let _ = self.reports.send(TakeReport::Outcome(take.ticket, outcome));
    }
}

fn engine_error(doing: &'static str, error: &io::Error) -> ExportError {
    ExportError::BatchSystem { doing, reason: error.to_string() }
}

impl ArrayPlace {
    /// Puts the file of an array where workers find it.
    fn put(
        &mut self,
        array: &ArrayId,
        entries: Vec<EntryPoint>,
        work: impl Iterator<Item = ArrayWork>,
    ) -> Result<(), ExportError> {
        let index = self.objects.as_mut().map(ArrayObjects::publish).transpose()?;
        let head = ArrayHead { program: PROGRAM, job: &self.job, source: &self.source, entries, index };
        let fail = || ExportError::file(self.folder.path().join(array.file()), "writing an array of takes");
        let text = ArrayFile::text(head, work).map_err(fail())?;
        match &self.objects {
            Some(objects) => objects.put(array, &text),
            None => self.folder.write_whole(&array.file(), &text).map_err(fail()),
        }
    }

    /// Removes the files of arrays, as far as they are there.
    fn forget(&self, arrays: &BTreeSet<ArrayId>) {
        if arrays.is_empty() {
            return;
        }
        let names = self.folder.names().unwrap_or_default();
        let is_its = |name: &&String| ArrayId::of(name).is_some_and(|(of, _)| arrays.contains(&of));
        names.iter().filter(is_its).for_each(|name| drop(self.folder.remove(name)));
        if let Some(objects) = &self.objects {
            objects.forget(arrays);
        }
    }
}

fn read_text(folder: &Folder, name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    folder.read(name)?.take(MOST_TEXT).read_to_end(&mut text)?;
    Ok(text)
}
