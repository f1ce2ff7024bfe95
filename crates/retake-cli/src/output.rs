//! Standard output.

use std::io::Write;

/// Prints a text. A reader that has gone away (as `head` does) is no error: it has read what it wanted, and
/// an encode goes on without it.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
