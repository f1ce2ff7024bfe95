//! This module runs independent jobs on threads: no more jobs run at once than there are threads, and the
//! first error stops all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// This trait tells a worker pool the facts about its jobs' errors that it needs.
pub trait JobError: Send {
    /// Makes the error of a job that panicked, or of a thread that could not be started; `what` says which.
    fn broken(what: String) -> Self;

    /// Tells whether the error only says that something else made this job stop.
    fn is_consequence(&self) -> bool;

    /// Replaces `cause` by this error, unless `cause` made this one happen.
    fn keep_cause(self, cause: &mut Option<Self>)
    where
        Self: Sized,
    {
        if cause.as_ref().is_none_or(Self::is_consequence) {
            *cause = Some(self);
        }
    }
}

/// A worker pool is a number of threads and a way to stop their work.
pub struct WorkerPool<'a> {
    /// The number of jobs at once; 0 counts as 1.
    pub threads: u32,
    /// The name of the threads; a number follows it.
    pub name: &'a str,
    /// Makes running jobs end soon, with an error that [is a consequence](JobError::is_consequence). It is
    /// called after the first error, and perhaps again.
    pub stop: &'a (dyn Fn() + Sync),
}

impl WorkerPool<'_> {
    /// Does the jobs that `next` returns until it returns none; `next` may wait for a job. `done` gets every
    /// result on the calling thread, in the order in which they come; `label` names a job in the error of a
    /// panic. No job is begun after the first error.
    ///
    /// # Errors
    /// Returns the first error of a job or of `done` that is not the consequence of another.
    pub fn run<J, R: Send, E: JobError>(
        &self,
        next: impl Fn() -> Option<J> + Sync,
        label: impl Fn(&J) -> String + Sync,
        work: impl Fn(J) -> Result<R, E> + Sync,
        mut done: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = AtomicBool::new(false);
        let fail = || {
            failed.store(true, Ordering::Release);
            (self.stop)();
        };
        let (results, finished) = channel();
        let worker = |results: std::sync::mpsc::Sender<Result<R, E>>| {
            while !failed.load(Ordering::Acquire) {
                let Some(job) = next() else { break };
                let name = label(&job);
                let result = catch_unwind(AssertUnwindSafe(|| work(job)))
                    .unwrap_or_else(|_| Err(E::broken(format!("{name} panicked"))));
                if result.is_err() {
                    fail();
                }
                // sending cannot fail, because the receiver outlives all senders: it is drained below
                let _ = results.send(result);
            }
        };
        thread::scope(|scope| {
            let mut cause = None;
            for number in 0..self.threads.max(1) {
                let results = results.clone();
                let worker = &worker;
                let spawned = thread::Builder::new()
                    .name(format!("{}-{number}", self.name))
                    .spawn_scoped(scope, move || worker(results));
                if let Err(error) = spawned {
                    fail();
                    E::broken(format!("no thread could be started: {error}")).keep_cause(&mut cause);
                    break;
                }
            }
            drop(results);
            for result in finished {
                if let Err(error) = result.and_then(&mut done) {
                    fail();
                    error.keep_cause(&mut cause);
                }
            }
            cause.map_or(Ok(()), Err)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;

    #[derive(Debug, PartialEq, Eq)]
    enum Fault {
        Own(u32),
        Stopped,
        Broken(String),
    }

    impl JobError for Fault {
        fn broken(what: String) -> Self {
            Self::Broken(what)
        }

        fn is_consequence(&self) -> bool {
            *self == Self::Stopped
        }
    }

    fn pool(stop: &(dyn Fn() + Sync)) -> WorkerPool<'_> {
        WorkerPool { threads: 3, name: "test", stop }
    }

    fn numbers(count: u32) -> impl Fn() -> Option<u32> + Sync {
        let left = Mutex::new(0..count);
        move || left.lock().unwrap().next()
    }

    #[test]
    fn every_job_is_done_once() {
        let mut seen = Vec::new();
        let result = pool(&|| {}).run(numbers(100), u32::to_string, Ok::<_, Fault>, |job| {
            seen.push(job);
            Ok(())
        });
        seen.sort_unstable();
        assert_eq!((result, seen), (Ok(()), (0..100).collect()));
    }

    /// PA-13: all who wait are told to stop, no job is begun any more, and the error is the one that began
    /// it.
    #[test]
    fn the_first_error_stops_all_and_is_the_one_that_is_told() {
        let (stopped, begun) = (AtomicBool::new(false), AtomicU32::new(0));
        let stop = || stopped.store(true, Ordering::Release);
        let work = |job: u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            if job == 2 {
                return Err(Fault::Own(job));
            }
            while !stopped.load(Ordering::Acquire) {
                thread::yield_now();
            }
            Err::<(), _>(Fault::Stopped)
        };
        let result = pool(&stop).run(numbers(1000), u32::to_string, work, Ok);
        assert_eq!(result, Err(Fault::Own(2)));
        assert_eq!(begun.into_inner(), 3);
    }

    #[test]
    fn a_panic_is_an_error_that_names_its_job() {
        let result = pool(&|| {}).run(
            numbers(1),
            |job| format!("job {job}"),
            |_| -> Result<(), Fault> { panic!("on purpose") },
            Ok,
        );
        assert_eq!(result, Err(Fault::Broken("job 0 panicked".to_owned())));
    }

    #[test]
    fn an_error_of_the_listener_stops_too() {
        let stopped = AtomicBool::new(false);
        let stop = || stopped.store(true, Ordering::Release);
        let work = |job| match stopped.load(Ordering::Acquire) && job > 0 {
            true => Err(Fault::Stopped),
            false => Ok(job),
        };
        let result = pool(&stop).run(numbers(10), u32::to_string, work, |job| Err(Fault::Own(job)));
        assert!(matches!(result, Err(Fault::Own(_))) && stopped.into_inner(), "{result:?}");
    }
}
