//! What is told of a process that has ended: how, and its last words.

use std::io::Read;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

/// The most that is kept of what a process says, in bytes.
pub(super) const MOST: usize = 2048;

/// The last of what a process says; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<Vec<u8>>>);

impl LastWords {
    /// Keeps the last of what comes, until it ends.
    pub(super) fn keep(&self, mut said: impl Read) {
        let mut piece = [0; 512];
        while let Ok(read @ 1..) = said.read(&mut piece) {
            let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            words.extend_from_slice(&piece[..read]);
            let surplus = words.len().saturating_sub(MOST);
            words.drain(..surplus);
        }
    }

    /// A sentence about a process that ended in this way, with its last words behind it.
    pub(super) fn told(&self, how: &str) -> String {
        sentence(how, &self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A sentence about a worker that was lost, with its last words behind it.
pub(super) fn sentence(how: &str, words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words).trim().replace('\n', " | ");
    match words.as_str() {
        "" => format!("the worker's process was lost: {how}"),
        words => format!("the worker's process was lost: {how}; it said last: {words}"),
    }
}

/// How a process ended.
pub(super) fn told(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 => " (abort)",
            7 => " (bus error)",
            8 => " (arithmetic error)",
            9 => " (kill: somebody, or the system for want of memory)",
            11 => " (segmentation fault)",
            15 => " (termination)",
            _ => "",
        };
        return format!("signal {signal}{name} ended it");
    }
    match status.code() {
        Some(code) => format!("it ended with exit code {code}"),
        None => "it ended".into(),
    }
}
