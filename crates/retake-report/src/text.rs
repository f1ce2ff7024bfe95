//! How text and numbers come into a page: names, titles and tags of a source are anybody's, so that nothing
//! is written into markup but through this module.

use std::fmt::{self, Display, Write};

/// Markup that is being written. Only literals come into it as they are; all else is escaped by [`put!`].
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

/// Writes a literal with values in it, as `format!` does. Each value is escaped, so that it can neither be
/// markup nor end the attribute that it stands in.
macro_rules! put {
    ($markup:expr, $literal:literal $(, $value:expr)* $(,)?) => {
        $markup.write(format_args!($literal $(, $crate::text::Escaped(&$value))*))
    };
}
pub(crate) use put;

impl Markup {
    /// Writes what [`put!`] has escaped.
    pub(crate) fn write(&mut self, text: fmt::Arguments<'_>) {
        // A string takes whatever it is given.
        let _ = self.0.write_fmt(text);
    }

    /// Adds text that is safe already: a file of this crate, or JSON of [`script_json`].
    pub(crate) fn trusted(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Adds other markup.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Shows a value as text of HTML and of SVG. What no XML may hold, and what turns the direction of the text
/// around it, is shown as U+FFFD.
pub(crate) struct Escaped<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Display + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c if is_harmful(c) => self.0.write_char('\u{fffd}')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Tells what no XML may hold, or turns directions.
fn is_harmful(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns JSON that can stand inside `<script>`: no character is left that could end the element, begin a
/// comment, or end a line of a script. Inside of JSON, these characters stand in strings alone.
pub(crate) fn script_json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text
}

/// Shows a number with at most so many decimals, and no zeros at its end.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

/// Shows a count, with thin spaces between groups of three digits.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Shows a number of bytes, in powers of 1000 as sizes are asked for.
pub(crate) fn bytes(value: u64) -> String {
    scaled(value as f64, &["bytes", "kB", "MB", "GB", "TB"])
}

/// Shows a bit rate.
pub(crate) fn bit_rate(bits_per_second: f64) -> String {
    scaled(bits_per_second, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"])
}

fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut place = 0;
    while value >= 999.5 && place + 1 < units.len() {
        value /= 1000.0;
        place += 1;
    }
    let decimals = match value {
        _ if place == 0 => 0,
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}\u{a0}{}", units[place])
}

/// Shows a place in a film: `1:02:03.5`, without hours where there are none.
pub(crate) fn place(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (hours, minutes) = (tenths / 36_000, tenths / 600 % 60);
    let rest = tenths % 600;
    let fraction = if rest.is_multiple_of(10) { String::new() } else { format!(".{}", rest % 10) };
    match hours {
        0 => format!("{minutes}:{:02}{fraction}", rest / 10),
        _ => format!("{hours}:{minutes:02}:{:02}{fraction}", rest / 10),
    }
}

/// Shows how long something took: `1 h 2 min`, `3 min 4 s`, `5.6 s`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{}\u{a0}s", number(seconds.max(0.0), 1)),
        60..3600 => format!("{}\u{a0}min {}\u{a0}s", whole / 60, whole % 60),
        _ => format!("{}\u{a0}h {}\u{a0}min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a name holds, what is left of it has no character that markup is made of, and JSON reads
        /// back as it was.
        #[test]
        fn no_text_becomes_markup(text in any::<String>()) {
            let mut markup = Markup::default();
            put!(markup, "{}", text);
            let markup = markup.finish();
            prop_assert!(!markup.contains(['<', '>', '"', '\'']), "markup");
            let json = script_json(&serde_json::Value::String(text.clone()));
            prop_assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "json");
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("it is JSON"), text);
        }
    }

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!([number(93.0, 2), number(93.128, 2), number(-0.001, 1)], ["93", "93.13", "0"]);
        assert_eq!([number(100.0, 0), number(f64::NAN, 1)], ["100", "–"]);
        assert_eq!([count(999), count(1234), count(1_234_567)], ["999", "1234", "1\u{202f}234\u{202f}567"]);
        assert_eq!([bytes(999), bytes(12_345_678)], ["999\u{a0}bytes", "12.3\u{a0}MB"]);
        assert_eq!([bit_rate(999_600.0), bit_rate(2.5e6)], ["1.00\u{a0}Mbit/s", "2.50\u{a0}Mbit/s"]);
        assert_eq!([place(0.0), place(62.5), place(3723.0)], ["0:00", "1:02.5", "1:02:03"]);
        assert_eq!([place(59.96), place(3599.96)], ["1:00", "1:00:00"]);
        let minutes = "3\u{a0}min 4\u{a0}s";
        assert_eq!(
            [duration(5.62), duration(184.0), duration(59.7)],
            ["5.6\u{a0}s", minutes, "1\u{a0}min 0\u{a0}s"]
        );
    }
}
