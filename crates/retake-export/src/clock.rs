//! CPU time of threads and of the process, where the system tells it.

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
