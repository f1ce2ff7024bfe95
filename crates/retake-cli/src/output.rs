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
/// not move the cursor, colour what follows, or turn its direction. The numbers are those of JSON, so that an
/// event in it stays one, and says the same.
fn harmless(text: &str) -> Cow<'_, str> {
    shown(text, |c| c != '\n')
}

/// Does the same with a text that has to stay one line whatever is in it.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, |_| true)
}

fn shown(text: &str, of: impl Fn(char) -> bool) -> Cow<'_, str> {
    let obeyed = |c: char| {
        (c.is_control() && of(c))
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return text.into();
    }
    // All of them have four digits at most.
    let number = |c: char| format!("\\u{:04x}", u32::from(c));
    let shown = |c: char| if obeyed(c) { number(c) } else { c.to_string() };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_obey_is_shown() {
        assert_eq!(one_line("a\u{1b}b\nd"), "a\\u001bb\\u000ad");
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{202e}c\nd é"), "a\\u001b[2Jb\\u000d\\u202ec\nd é");
    }

    /// Whatever is in a text, it can be read back from the JSON that is shown.
    #[test]
    fn json_stays_json() {
        for c in (0..=0x2fff).filter_map(char::from_u32) {
            let text = format!("a{c}\\\"b");
            let json = serde_json::to_string(&text).unwrap();
            let read: String = serde_json::from_str(&harmless(&json)).unwrap();
            assert_eq!(read, text, "{:x}", u32::from(c));
        }
    }
}
