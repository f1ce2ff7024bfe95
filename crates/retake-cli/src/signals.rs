//! What signals do: the first one asks the run to stop, and ends it if it has not stopped soon after; the
//! second one ends it at once. Both are safe, because a job folder survives the death of its process at any
//! moment.

use crate::exit::{self, STOPPED};
use anyhow::{Context, Result};
use retake::StopFlag;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often it is looked whether a signal came.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a run may take to stop. A call into an encoder cannot be interrupted, and may take longer; and on
/// a busy machine the system takes a second to give back the memory of a process that has ended.
const DEADLINE: Duration = Duration::from_millis(500);
/// The same where takes run on other machines: they have to be ended there, and this process holds little
/// memory.
const DEADLINE_ELSEWHERE: Duration = Duration::from_millis(1500);

/// The signals that ask for an end.
#[cfg(unix)]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM];

/// Counts the signals that ask for an end, and ends the process with the second.
#[cfg(feature = "restate")]
pub(crate) fn count(came: &Arc<std::sync::atomic::AtomicUsize>) -> Result<()> {
    let once = Arc::new(AtomicBool::new(false));
    let install = || -> std::io::Result<()> {
        for &signal in SIGNALS {
            flag::register_conditional_shutdown(signal, i32::from(STOPPED), once.clone())?;
            flag::register(signal, once.clone())?;
            flag::register_usize(signal, came.clone(), 1)?;
        }
        Ok(())
    };
    install().context("the signal handler could not be installed")
}

/// Returns a flag that the first signal raises. A run that a signal has to end says `stopped`.
pub(crate) fn stop_flag(stopped: impl std::error::Error + Send + Sync + 'static) -> Result<StopFlag> {
    flag_until(stopped, DEADLINE, Arc::new(AtomicBool::new(true)))
}

/// The same for a run whose takes run on other machines.
pub(crate) fn stop_flag_elsewhere(
    stopped: impl std::error::Error + Send + Sync + 'static,
) -> Result<StopFlag> {
    flag_until(stopped, DEADLINE_ELSEWHERE, Arc::new(AtomicBool::new(true)))
}

/// The same for a run that waits for work: while it is not `busy`, a signal ends it well.
pub(crate) fn stop_flag_while(
    busy: Arc<AtomicBool>,
    elsewhere: bool,
    stopped: impl std::error::Error + Send + Sync + 'static,
) -> Result<StopFlag> {
    flag_until(stopped, if elsewhere { DEADLINE_ELSEWHERE } else { DEADLINE }, busy)
}

fn flag_until(
    stopped: impl std::error::Error + Send + Sync + 'static,
    deadline: Duration,
    busy: Arc<AtomicBool>,
) -> Result<StopFlag> {
    let stop = StopFlag::new();
    let came = Arc::new(AtomicBool::new(false));
    let code = i32::from(STOPPED);
    let install = || -> std::io::Result<()> {
        for &signal in SIGNALS {
            // in this order, so that the first signal only sets what makes the second one end the process
            flag::register_conditional_shutdown(signal, code, came.clone())?;
            flag::register(signal, came.clone())?;
        }
        // a file that grows beyond the limit of the process is an error of writing then, and not its death
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(())
    };
    install().context("the signal handler could not be installed")?;
    let raised = stop.clone();
    let watch = move || {
        while !came.load(Ordering::Relaxed) {
            thread::sleep(PATIENCE);
        }
        raised.raise();
        thread::sleep(deadline);
        if !busy.load(Ordering::Relaxed) {
            low_level::exit(0);
        }
        exit::report(&anyhow::Error::new(stopped));
        low_level::exit(code);
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(watch);
    spawned.context("the thread that waits for signals could not be started")?;
    Ok(stop)
}
