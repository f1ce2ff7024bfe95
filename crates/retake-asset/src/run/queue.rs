use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

/// A place where work runs one piece after the other, in the order in which it came: never two at a time,
/// never on the caller's stack. Implement it for whatever runs things in your program, or use a
/// [`SerialQueue`].
#[doc(alias = "dispatch_queue_t")]
pub trait Queue: Send + Sync {
    /// Runs `work` later. Must return at once.
    fn dispatch(&self, work: Box<dyn FnOnce() + Send>);
}

/// A [`Queue`] with a thread of its own. When the last handle goes, what was dispatched still runs, then the
/// thread ends.
#[derive(Debug, Clone)]
pub struct SerialQueue {
    work: Sender<Box<dyn FnOnce() + Send>>,
}

impl SerialQueue {
    /// Starts the thread, under this name.
    ///
    /// # Errors
    /// Those of the system when it has no thread to give.
    pub fn new(name: &str) -> std::io::Result<Self> {
        let (work, waiting) = channel::<Box<dyn FnOnce() + Send>>();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for work in waiting {
                // one piece that panics must not take the others with it: they may be all that a writer waits
                // for
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        })?;
        Ok(Self { work })
    }
}

impl Queue for SerialQueue {
    fn dispatch(&self, work: Box<dyn FnOnce() + Send>) {
        // fails only when the thread is gone, which it is not before the last sender
        let _ = self.work.send(work);
    }
}
