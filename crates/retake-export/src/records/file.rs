//! The form of a file of records: its version, its checksum, and what is believed of it.

use super::{Records, RecordsError};
use crate::error::ExportError;
use retake_compression::units::FrameRange;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// The version of the format. It is raised only for a change that a reader of this one would misunderstand.
pub(super) const VERSION: u64 = 1;
/// How every file of records begins, so that it is told from any other text.
const BEGINNING: &str = "{\"format\":\"retake records\",\"version\":";
/// What stands before the records themselves.
const BEFORE: &str = ",\"records\":";
/// A file that is longer is not read.
const LONGEST: u64 = 1 << 30;
/// More units or bytes than this would be more than sums are reckoned with.
const MOST_UNITS: usize = 1 << 22;
const MOST_BYTES: u64 = 1 << 40;

impl Records {
    /// The text of the file.
    pub(crate) fn to_text(&self) -> Result<Vec<u8>, ExportError> {
        let text = serde_json::to_string(self).map_err(|error| ExportError::Internal(error.to_string()))?;
        let checksum = checksum(text.as_bytes());
        Ok(format!("{BEGINNING}{VERSION},\"checksum\":\"{checksum}\"{BEFORE}{text}}}\n").into_bytes())
    }

    /// Reads the text of a file at `path`.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, RecordsError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u64,
            #[serde(default)]
            checksum: String,
        }
        #[derive(Deserialize)]
        struct Body {
            records: Records,
        }
        let damaged = |what: String| RecordsError::Damaged { path: path.to_owned(), what };
        let Ok(head) = serde_json::from_slice::<Head>(text) else {
            return Err(match text.starts_with(BEGINNING.as_bytes()) {
                true => damaged("it is not whole".into()),
                false => RecordsError::Foreign { path: path.to_owned() },
            });
        };
        if head.format != "retake records" {
            return Err(RecordsError::Foreign { path: path.to_owned() });
        }
        if head.version > VERSION {
            return Err(RecordsError::Newer { path: path.to_owned(), found: head.version });
        }
        let body = body(text).ok_or_else(|| damaged("it was written by another program".into()))?;
        if checksum(body) != head.checksum {
            return Err(damaged("its checksum does not fit".into()));
        }
        let Body { records } = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        match records.fault() {
            None => Ok(records),
            Some(what) => Err(damaged(what)),
        }
    }

    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, RecordsError> {
        let failed = |source| RecordsError::File { path: path.to_owned(), source };
        let text = read(path).map_err(failed)?;
        Self::parse(path, &text)
    }

    /// What of the records cannot be, in words.
    fn fault(&self) -> Option<String> {
        if self.units.len() > MOST_UNITS {
            return Some("it has more units than any film".into());
        }
        let mut start = 0;
        for unit in &self.units {
            let FrameRange { start: from, end } = unit.range;
            let follows = from == start && end > from && end <= u64::from(u32::MAX);
            let chosen = unit.chosen.is_none_or(|take| take < unit.takes.len());
            if !follows || !chosen || unit.takes.is_empty() {
                return Some(format!("the unit at frame {from} cannot be"));
            }
            let sound = |take: &super::RecordedTake| {
                let record = &take.record;
                take.description < self.descriptions.len()
                    && record.range == unit.range
                    && record.bytes <= MOST_BYTES
                    && record.quality.is_none_or(f64::is_finite)
                    && record.score.is_none_or(|score| score.value.is_finite() && score.error.is_finite())
            };
            if !unit.takes.iter().all(sound) {
                return Some(format!("a take of the unit at frame {from} cannot be"));
            }
            start = end;
        }
        let scale = &self.encoder.scale;
        let finite = [scale.min, scale.max, scale.step, scale.usual].into_iter().all(f64::is_finite);
        let sound = finite && scale.min < scale.max && scale.step > 0.0;
        (!sound).then(|| "the encoder's scale cannot be".into())
    }
}

/// What the checksum is of: the text of the records themselves.
fn body(text: &[u8]) -> Option<&[u8]> {
    let before = BEFORE.as_bytes();
    let head = &text[..text.len().min(256)];
    let start = head.windows(before.len()).position(|window| window == before)? + before.len();
    text.get(start..)?.trim_ascii_end().strip_suffix(b"}")
}

fn checksum(text: &[u8]) -> String {
    format!("{:032x}", xxh3_128(text))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long"));
    }
    Ok(text)
}

/// Whether a file looks like one of records, by how it begins or is named, so that another file is not read
/// for it whole.
pub(super) fn looks_like_records(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(path)?.take(BEGINNING.len() as u64).read_to_end(&mut beginning)?;
    let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    Ok(named || beginning == BEGINNING.as_bytes())
}
