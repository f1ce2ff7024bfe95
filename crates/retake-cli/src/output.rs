//! This module prints to standard output and standard error.

use std::borrow::Cow;
use std::io::{self, Write};

/// Prints a text. It ignores a reader that has gone away (as `head` does) and a full disk, because an encode
/// must go on without them.
pub(crate) fn print(text: &str) {
    write(io::stdout().lock(), text);
}

/// Prints a text to standard error, under the same rule.
pub(crate) fn complain(text: &str) {
    write(io::stderr().lock(), text);
}

fn write(mut out: impl Write, text: &str) {
    let _ = out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush());
}

/// Shows characters that a terminal obeys as numbers, because names and messages come from films: a name must
/// not move the cursor, colour what follows, or turn its direction.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return text.into();
    }
    let shown = |c: char| if obeyed(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_obey_is_shown() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{202e}c\nd é"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\nd é");
    }
}
