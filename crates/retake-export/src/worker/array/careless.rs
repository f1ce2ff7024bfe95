//! A batch system for tests, as careless as one may be: it runs takes in threads, in any order, some of them
//! twice, and loses others.

use super::engine::{ArrayEngine, Standing, Unfinished};
use super::executor::{ArrayExecutor, ArrayPlace, Keeper, Work};
use super::{ArrayFile, ArrayId, ArrayWork, run_array_worker};
use crate::index::ScoutedFrame;
use crate::index::ranges::Ranges;
use crate::index::scout::{Scout, Scouted};
use crate::job::Job;
use crate::stop::StopFlag;
use crate::take::executor::{Executor, TakeOutcome, TakeReport, TakeRequest, Ticket, suite};
use crate::take::identity::first_take;
use crate::take::store::TakeStore;
use crate::testing::{self, factory, job};
use crate::worker::WorkerTools;
use retake_compression::encoder::Registry;
use retake_compression::units::FrameRange;
use retake_libav::FrameIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What such a system has done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub lost: AtomicU64,
    pub twice: AtomicU64,
    /// Ranges of the film that were asked for, lost ones too.
    pub ranges: AtomicU64,
    /// Arrays that were taken back when their work was done.
    taken_back: AtomicU64,
}

struct Careless {
    root: PathBuf,
    /// Every how many takes or ranges one is lost; none if 0.
    loses: u64,
    taken: u64,
    /// What was lost: nothing is lost twice, or a take would be given up at times.
    forgotten: BTreeSet<String>,
    counts: Arc<Counts>,
    running: BTreeMap<ArrayId, Vec<(u32, JoinHandle<()>)>>,
    stop: StopFlag,
}

/// An executor over such a system for a job, which loses one of so many takes.
pub(crate) fn start(job: &Job, loses: u64) -> (ArrayExecutor, Arc<Counts>) {
    let root = job.shared_root().unwrap();
    let place = ArrayPlace::of(job, &root).unwrap();
    let counts = Arc::<Counts>::default();
    let engine = Careless {
        root: root.path().to_owned(),
        loses,
        taken: 0,
        forgotten: BTreeSet::new(),
        counts: counts.clone(),
        running: BTreeMap::new(),
        stop: StopFlag::new(),
    };
    (ArrayExecutor::start(Box::new(engine), place).unwrap(), counts)
}

impl ArrayEngine for Careless {
    fn at_once(&self) -> u32 {
        3
    }

    fn gather(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn pace(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn launch(&mut self, array: &ArrayId, file: &Path, count: u32) -> io::Result<()> {
        let path = self.root.join(file);
        // the last one first
        for index in (0..count).rev() {
            self.taken += 1;
            let unlucky = self.loses > 0 && self.taken.is_multiple_of(self.loses);
            let (_, work) = ArrayFile::read(std::fs::File::open(&path)?, index)?;
            let name = match work.unwrap() {
                ArrayWork::Take(take) => take.id().to_string(),
                ArrayWork::Range { number, .. } => {
                    self.counts.ranges.fetch_add(1, Ordering::AcqRel);
                    format!("range {number}")
                }
            };
            if unlucky && self.forgotten.insert(name) {
                self.counts.lost.fetch_add(1, Ordering::AcqRel);
                continue;
            }
            let times = 1 + u64::from(self.taken.is_multiple_of(4));
            self.counts.twice.fetch_add(times - 1, Ordering::AcqRel);
            let (root, file, stop) = (self.root.clone(), file.to_owned(), self.stop.clone());
            let run = move || {
                for _ in 0..times {
                    // a failure is written down
                    let _ = run_array_worker(&root, &file, index, &tools(), &stop);
                }
            };
            self.running.entry(array.clone()).or_default().push((index, thread::spawn(run)));
        }
        Ok(())
    }

    fn unfinished(&mut self, _: &[&ArrayId]) -> io::Result<Unfinished> {
        let mut unfinished = Unfinished::new();
        for (array, threads) in &self.running {
            let running = threads
                .iter()
                .filter(|(_, thread)| !thread.is_finished())
                .map(|(index, _)| (*index, Standing::Runs));
            unfinished.insert(array.clone(), running.collect());
        }
        Ok(unfinished)
    }

    fn end_of(&mut self, _: &ArrayId, _: u32) -> Option<String> {
        Some("it was forgotten".into())
    }

    fn cancel(&mut self, array: &ArrayId) {
        self.stop.raise();
        for (_, thread) in self.running.remove(array).into_iter().flatten() {
            thread.join().unwrap();
        }
    }

    fn take_back(&mut self, done: &BTreeSet<ArrayId>) {
        self.counts.taken_back.fetch_add(done.len() as u64, Ordering::AcqRel);
    }
}

/// A job of whose film all is known.
fn known(folder: &Path) -> Job {
    let job = job(folder, |_| ());
    job.folder.note_source(&job.source_facts()).unwrap();
    let (journal, map) = job.index().unwrap();
    let ranges = Ranges::new(&job.source, job.reader, job.ranges, None);
    let (plan, stop) = (job.scout, StopFlag::new());
    let scout = Scout { plan, ranges, cores: &|| 1, hands_on: false, cuts: None, journal, map, stop: &stop };
    scout.run(&mut Nobody).unwrap();
    job
}

/// Nobody listens to the scout.
struct Nobody;

impl Scouted for Nobody {
    fn decoded(&mut self, _: u64) {}
    fn begin(&mut self, _: usize, _: u64, _: Option<u64>) -> bool {
        false
    }
    fn frame(&mut self, _: ScoutedFrame) {}
    fn end(&mut self) {}
    fn written(&mut self, _: &[(usize, FrameRange)], _: &FrameIndex) {}
}

fn take(job: &Job, range: FrameRange) -> TakeRequest {
    TakeRequest { ticket: Ticket(range.start), description: first_take(job, range, 0.0) }
}

fn takes(job: &Job) -> Vec<TakeRequest> {
    (0..testing::FRAMES).step_by(12).map(|start| take(job, FrameRange::new(start, start + 12))).collect()
}

/// A take with other settings than the job's is no take of the job, whoever asks for it.
fn bad_take(job: &Job) -> TakeRequest {
    let mut bad = take(job, FrameRange::new(1, 5));
    bad.description.settings.options.push(("warp".into(), String::new()));
    bad
}

#[test]
fn every_take_has_one_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let job = known(folder.path());
    let (executor, counts) = start(&job, 0);
    let store = TakeStore::open(job.folder.takes().unwrap()).unwrap();
    suite::one_outcome_for_each(&executor, &store, takes(&job), vec![bad_take(&job)]);
    assert!(counts.twice.load(Ordering::Acquire) > 0);
    drop(executor);
    assert!(counts.taken_back.load(Ordering::Acquire) > 0, "what runs again would be left");
    assert!(job.folder.arrays().unwrap().names().unwrap().is_empty(), "files of arrays are left");
}

#[test]
fn cancelled_takes_have_an_outcome_too() {
    let folder = tempfile::tempdir().unwrap();
    let job = known(folder.path());
    let (executor, _) = start(&job, 2);
    suite::cancelled_with_an_outcome_for_each(&executor, takes(&job));
    drop(executor);
    assert!(job.folder.arrays().unwrap().names().unwrap().is_empty(), "files of arrays are left");
}

/// What one machine cannot do is lost there, with the machine's name; what nobody can do has failed.
#[test]
fn a_machine_that_cannot_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let job = known(folder.path());
    std::fs::rename(&job.source.path, folder.path().join("elsewhere")).unwrap();
    let outcome = |executor: &ArrayExecutor| loop {
        if let Some(TakeReport::Outcome(_, outcome)) = executor.next_report(Duration::from_secs(60)) {
            return outcome;
        }
    };
    // the place of the source has to be known, and the source has to be there only for the workers
    std::fs::write(&job.source.path, "").unwrap();
    let (executor, _) = start(&job, 0);
    std::fs::remove_file(&job.source.path).unwrap();
    executor.submit(takes(&job).remove(0)).unwrap();
    let lost = outcome(&executor);
    let name = job.source.path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        matches!(&lost, TakeOutcome::Lost(reason) if reason.starts_with("on ") && reason.contains(&name)),
        "{lost:?}"
    );
}

/// A batch system that has takes and runs none.
struct Idle {
    launched: Arc<AtomicU64>,
    cancelled: Arc<AtomicU64>,
}

impl ArrayEngine for Idle {
    fn at_once(&self) -> u32 {
        2
    }

    fn gather(&self) -> Duration {
        Duration::ZERO
    }

    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn launch(&mut self, _: &ArrayId, _: &Path, _: u32) -> io::Result<()> {
        self.launched.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn unfinished(&mut self, arrays: &[&ArrayId]) -> io::Result<Unfinished> {
        let words = "job 17_0: PENDING (PartitionDown)".to_owned();
        let waits = Standing::Waits { words, is_stuck: true };
        Ok(arrays.iter().map(|array| ((*array).clone(), [(0, waits.clone())].into())).collect())
    }

    fn end_of(&mut self, _: &ArrayId, _: u32) -> Option<String> {
        None
    }

    fn cancel(&mut self, _: &ArrayId) {
        self.cancelled.fetch_add(1, Ordering::AcqRel);
    }

    fn take_back(&mut self, _: &BTreeSet<ArrayId>) {}
}

/// A batch system that says for ever that a take waits is told of, given the take once more, and then given
/// up with its own words; whatever it was given is taken back.
#[test]
fn a_batch_system_that_runs_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let job = known(folder.path());
    let place = ArrayPlace::of(&job, &job.shared_root().unwrap()).unwrap();
    let (launched, cancelled) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let idle = Idle { launched: launched.clone(), cancelled: cancelled.clone() };
    let (sender, reports) = crossbeam_channel::unbounded();
    let began = Instant::now();
    let mut keeper = Keeper::new(Box::new(idle), place, Arc::default(), sender, began);
    let mut told = Vec::new();
    keeper.accept(Work::Take(Box::new(takes(&job).remove(0))), began);
    for second in 0..=1300 {
        let now = began + Duration::from_secs(second);
        keeper.turn(now);
        for report in reports.try_iter() {
            let is_lost = matches!(&report, TakeReport::Outcome(_, TakeOutcome::Lost(_)));
            told.push((second, report));
            if is_lost {
                keeper.accept(Work::Take(Box::new(takes(&job).remove(0))), now);
            }
        }
    }
    let why = "job 17_0: PENDING (PartitionDown)";
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(matches!(&told[0], (55..70, TakeReport::Waiting(reason)) if reason == why), "{told:?}");
    let lost = |reason: &str| reason.starts_with(why) && reason.ends_with("for 10 minutes");
    assert!(
        matches!(&told[1], (595..610, TakeReport::Outcome(_, TakeOutcome::Lost(reason))) if lost(reason)),
        "{told:?}"
    );
    assert!(matches!(&told[2], (_, TakeReport::Waiting(_))), "{told:?}");
    let (1190..1230, TakeReport::Outcome(_, TakeOutcome::Failed(error))) = &told[3] else {
        panic!("{told:?}");
    };
    let words = error.to_string();
    assert!(words.starts_with("the batch system: ") && words.contains(why), "{words}");
    assert_eq!((launched.load(Ordering::Acquire), cancelled.load(Ordering::Acquire)), (2, 2));
    assert!(job.folder.arrays().unwrap().names().unwrap().is_empty(), "files of arrays are left");
}

/// A worker opens nothing outside of the folder that all machines share, and no array that is not there.
#[test]
fn a_worker_stays_in_the_shared_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let file = folder.path().join("0123456789abcdef.json");
    std::fs::write(&file, "{}").unwrap();
    let run = |root: &Path, file: &Path| {
        run_array_worker(root, file, 0, &tools(), &StopFlag::new()).unwrap_err().to_string()
    };
    assert!(run(&inside, &file).contains("is not below"));
    assert!(run(&inside, Path::new("../0123456789abcdef.json")).contains("is not below"));
    assert!(run(&inside, Path::new("none.json")).contains("none.json"));
    assert!(run(folder.path(), &file).contains("reading an array"));
}

fn tools() -> WorkerTools {
    let mut encoders = Registry::new();
    encoders.add(factory());
    WorkerTools { encoders, objects: None }
}
