//! CPU time of threads and of the process, where the system tells it.

use std::sync::{Mutex, PoisonError};

/// CPU seconds of the calling thread. Where the system does not tell them, seconds of the wall clock since
/// the first call.
pub(crate) fn thread_cpu() -> f64 {
    cpu(Of::Thread)
}

/// CPU seconds of all threads of the process. Where the system does not tell them, seconds of the wall clock
/// since the first call.
pub(crate) fn process_cpu() -> f64 {
    cpu(Of::Process)
}

enum Of {
    Thread,
    Process,
}

#[cfg(unix)]
fn cpu(of: Of) -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(match of {
        Of::Thread => ClockId::ThreadCPUTime,
        Of::Process => ClockId::ProcessCPUTime,
    });
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(not(unix))]
fn cpu(_: Of) -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// The threads that a library has started for itself, for instance those of an encoder.
#[derive(Debug, Default)]
pub(crate) struct LibraryThreads(Vec<String>);

impl LibraryThreads {
    /// Opens something, and notes the threads that it starts. One is opened after another, because all
    /// threads that begin meanwhile are taken for its own; that another part of the program starts one just
    /// then is rare, and costs a wrong figure.
    pub(crate) fn during<T>(&mut self, open: impl FnOnce() -> T) -> T {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tasks();
        let opened = open();
        self.0.extend(tasks().into_iter().filter(|task| !before.contains(task)));
        opened
    }

    /// CPU seconds of those that are still there. It is 0 where the system does not tell them.
    pub(crate) fn cpu(&self) -> f64 {
        let spent = |task: &String| -> Option<f64> {
            let told = std::fs::read_to_string(format!("{TASKS}/{task}/schedstat")).ok()?;
            Some(told.split(' ').next()?.parse::<u64>().ok()? as f64 * 1e-9)
        };
        self.0.iter().filter_map(spent).sum()
    }
}

/// Where Linux lists the threads of a process; other systems have no such place.
const TASKS: &str = "/proc/self/task";

fn tasks() -> Vec<String> {
    let listed = std::fs::read_dir(TASKS).into_iter().flatten().flatten();
    listed.filter_map(|task| task.file_name().into_string().ok()).collect()
}
