//! This module prints to standard output.

use std::io::Write;

/// Prints a text. It ignores a reader that has gone away (as `head` does), because the reader has all it
/// wanted, and an encode must go on without it.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
