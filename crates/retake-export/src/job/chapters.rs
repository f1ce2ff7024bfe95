//! Chapters of a file: FFmpeg's metadata, or a list of times and names.

use crate::error::{ExportError, RequestError};
use retake_libav::{Access, chapters_of_file, read_small};
use retake_media::{Caption, Time, TimeRange};
use std::path::Path;

/// The ticks a second in which times are read.
const TICKS: i32 = 1_000_000_000;

/// The longest name of a chapter, in bytes, because ISO files count it in 16 bits.
const LONGEST_NAME: usize = u16::MAX as usize;

/// Reads the chapters of a file, in the order of their times.
///
/// # Errors
/// [`RequestError::Chapters`] with the line that is none, and those of files that cannot be read.
pub(crate) fn read(path: &Path, access: &Access) -> Result<Vec<Caption>, ExportError> {
    let refused = |(line, problem): (usize, &'static str)| {
        ExportError::from(RequestError::Chapters { file: path.to_owned(), line, problem })
    };
    let bytes = read_small(path, access)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        refused((line, "it is not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.starts_with(";FFMETADATA") {
        return parse(text).map_err(refused);
    }
    let chapters = chapters_of_file(path, access)?;
    match chapters.iter().all(|chapter| chapter.range.start.is_numeric()) {
        _ if chapters.is_empty() => Err(refused((1, "there is no [CHAPTER]"))),
        false => Err(refused((1, "a [CHAPTER] has no START"))),
        true => Ok(chapters),
    }
}

/// Reads a list of chapters: lines of a time and a name (`0:05:00 Evening`), or pairs of lines as mkvmerge
/// has them (`CHAPTER01=00:05:00.000`, `CHAPTER01NAME=Evening`). What is no such list is refused with the
/// number of the line, from 1.
pub(crate) fn parse(text: &str) -> Result<Vec<Caption>, (usize, &'static str)> {
    let mut chapters: Vec<(Time, String)> = Vec::new();
    // the key of the last chapter that has no name yet
    let mut unnamed: Option<String> = None;
    let mut last = 0;
    for (number, line) in text.lines().enumerate() {
        let (number, line) = (number + 1, line.trim());
        if line.is_empty() {
            continue;
        }
        last = number;
        if line.len() > LONGEST_NAME || line.contains('\0') {
            return Err((number, "it is no name of a chapter"));
        }
        let keyed = line.split_once('=').filter(|(key, _)| key.get(..7).is_some_and(|key| key == "CHAPTER"));
        let (start, name) = match keyed {
            Some((key, name)) if key.ends_with("NAME") => {
                let of = key.strip_suffix("NAME").unwrap_or_default();
                match (unnamed.take(), chapters.last_mut()) {
                    (Some(key), Some(chapter)) if key == of => chapter.1 = name.trim().to_owned(),
                    _ => return Err((number, "it names no chapter of the line before")),
                }
                continue;
            }
            Some((key, start)) => {
                unnamed = Some(key.to_owned());
                (start, "")
            }
            None => {
                unnamed = None;
                line.split_once(char::is_whitespace).unwrap_or((line, ""))
            }
        };
        let start = time(start.trim())
            .ok_or((number, "it does not begin with a time such as 0:05:00 or 00:05:00.000"))?;
        if chapters.last().is_some_and(|before| start <= before.0) {
            return Err((number, "the chapter begins no later than the one before"));
        }
        chapters.push((start, name.trim().to_owned()));
    }
    if chapters.is_empty() {
        return Err((last.max(1), "there is no chapter"));
    }
    // where each ends follows from the next
    let unknown = |start| TimeRange::new(start, Time::INVALID);
    Ok(chapters.into_iter().map(|(start, name)| Caption::new(name, unknown(start))).collect())
}

/// Reads `[HH:]MM:SS[.fraction]`.
fn time(text: &str) -> Option<Time> {
    let mut parts = text.rsplit(':');
    let (seconds, minutes) = (parts.next()?, parts.next()?);
    let hours = parts.next().unwrap_or("0");
    let (seconds, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, "0"));
    let number = |text: &str, most: i64| {
        let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| digits && *number <= most)
    };
    let whole = number(hours, 9999)? * 3600 + number(minutes, 59)? * 60 + number(seconds, 59)?;
    let digits = u32::try_from(fraction.len()).ok()?;
    let ticks = number(fraction, i64::MAX)? * 10_i64.checked_pow(9_u32.checked_sub(digits)?)?;
    parts.next().is_none().then(|| Time::new(whole * i64::from(TICKS) + ticks, TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(f64, String)> {
        let chapters = parse(text).unwrap();
        chapters.into_iter().map(|chapter| (chapter.range.start.seconds(), chapter.text)).collect()
    }

    #[test]
    fn lists_of_times_and_names_are_chapters() {
        let expected = [(0.0, "Morning".to_owned()), (65.5, "The evening = late".to_owned())];
        assert_eq!(told("0:00 Morning\n\n01:05.5\tThe evening = late\n"), expected);
        assert_eq!(told("00:00:00 Morning\r\n0:01:05,500 The evening = late"), expected);
        let ogm = "CHAPTER01=00:00:00.000\nCHAPTER01NAME=Morning\nCHAPTER02=00:01:05.500\n\
                   CHAPTER02NAME=The evening = late\n";
        assert_eq!(told(ogm), expected);
        assert_eq!(
            told("CHAPTER01=00:00:00.000\nCHAPTER02=10:00:00.000"),
            [(0.0, String::new()), (36000.0, String::new())]
        );
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("\n\n", 1),
            ("Morning", 1),
            ("0:00 a\n0:61 b", 2),
            ("0:00 a\n\n0:00 b", 3),
            ("1:00 a\n0:30 b", 2),
            ("0:00 a\n60:00 b", 2),
            ("-0:01 a", 1),
            ("0:0:0:1 a", 1),
            ("0:00.0000000001 a", 1),
            ("CHAPTER01NAME=a", 1),
            ("CHAPTER01=0:00:00\nCHAPTER02NAME=a", 2),
            ("CHAPTER01=later", 1),
        ] {
            assert_eq!(parse(text).map_err(|(line, _)| line), Err(line), "{text:?}");
        }
    }
}
