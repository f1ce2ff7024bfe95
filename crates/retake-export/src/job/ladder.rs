//! What is asked of the variants of a stream: their sizes, and what is wanted of each.

use super::request::{Goal, Request, Target};
use crate::worker::RunOn;
use retake_libav::Scale;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// One variant of a stream: so many rows, and what is wanted of it where that is not what is wanted of all.
///
/// ```
/// # use retake_export::LadderRung;
/// let rung: LadderRung = "720p@90".parse().unwrap();
/// assert_eq!((rung.rows(), rung.to_string().as_str()), (720, "720p@90"));
/// assert!("720".parse::<LadderRung>().is_err() && "720p=0".parse::<LadderRung>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LadderRung {
    rows: u32,
    own: Option<Own>,
}

/// What is wanted of one variant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Own {
    Floor(f64),
    BitRate(u64),
}

impl LadderRung {
    /// Returns the rows of the pictures.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Returns its name: its rows, as in `720p`.
    pub(crate) fn name(&self) -> String {
        format!("{}p", self.rows)
    }

    /// Returns what is wanted of it alone. Its numbers were checked when it was read.
    fn target(&self) -> Option<Target> {
        let target = match self.own? {
            Own::Floor(floor) => Target::floor(floor),
            Own::BitRate(rate) => Target::bit_rate(rate),
        };
        target.ok()
    }
}

impl fmt::Display for LadderRung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.own {
            None => write!(f, "{}p", self.rows),
            Some(Own::Floor(floor)) => write!(f, "{}p@{floor}", self.rows),
            Some(Own::BitRate(rate)) => write!(f, "{}p={rate}", self.rows),
        }
    }
}

impl FromStr for LadderRung {
    type Err = LadderError;

    /// Reads rows (`720p`), and behind them, where it has one of its own, a floor (`720p@90`) or an average
    /// bit rate (`720p=2M`).
    fn from_str(text: &str) -> Result<Self, LadderError> {
        let wrong = || LadderError::Rung { text: text.into() };
        let (size, own) = match (text.split_once('@'), text.split_once('=')) {
            (Some((size, floor)), None) => {
                let floor: f64 = floor.parse().map_err(|_| wrong())?;
                Target::floor(floor).map_err(|_| wrong())?;
                (size, Some(Own::Floor(floor)))
            }
            (None, Some((size, rate))) => (size, Some(Own::BitRate(bit_rate(rate).ok_or_else(wrong)?))),
            (None, None) => (text, None),
            (Some(_), Some(_)) => return Err(wrong()),
        };
        let digits =
            size.strip_suffix('p').is_some_and(|rows| rows.bytes().all(|byte| byte.is_ascii_digit()));
        match size.parse() {
            Ok(Scale::Height(rows)) if digits => Ok(Self { rows, own }),
            _ => Err(wrong()),
        }
    }
}

/// Reads a bit rate above zero: `2M`, `800k`, `1500000`.
fn bit_rate(text: &str) -> Option<u64> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1.0), |number| (number, 1e6)),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let rate = number.parse::<f64>().ok().filter(|_| plain)? * factor;
    (1.0..1e15).contains(&rate).then_some(rate.round() as u64)
}

/// What is wrong with a ladder.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LadderError {
    /// It is no rung.
    #[error(
        "'{text}' is no rung: even rows (720p), and behind them a floor (720p@90) or a bit rate (720p=2M)"
    )]
    Rung {
        /// What was said.
        text: String,
    },
    /// Two variants have as many rows.
    #[error("{rows}p is there twice")]
    Twice {
        /// The rows.
        rows: u32,
    },
    /// A film has no variants.
    #[error("{output}: only a stream (.m3u8) has several variants")]
    NoStream {
        /// The output.
        output: PathBuf,
    },
    /// All variants are larger than the source.
    #[error("{input}: all variants have more rows than the source, which has {rows}")]
    TooLarge {
        /// The source.
        input: PathBuf,
        /// Its rows.
        rows: u32,
    },
    /// A size says nothing of how it is divided among variants.
    #[error("a size is that of one film: give each variant a bit rate (720p=2M), or all a floor")]
    Size,
    /// One bit rate for variants of several sizes is nobody's wish.
    #[error("a bit rate is that of one variant: give each its own (1080p=4M,720p=2M)")]
    BitRate,
    /// The ladder says the sizes.
    #[error("pictures are scaled to the sizes of the ladder: no other size can be asked for")]
    Scale,
    /// A source that can be read only once.
    #[error("what comes through a pipe can be read only once, and each variant reads it: store it first")]
    Pipe,
    /// Something that is about one video alone.
    #[error("{what}: this is for outputs of one variant")]
    OneVariant {
        /// What was asked for.
        what: &'static str,
    },
}

/// What is wanted of a ladder can be refused before the source is looked at.
pub(crate) fn check(request: &Request) -> Result<(), LadderError> {
    if !is_stream(&request.output) {
        return Err(LadderError::NoStream { output: request.output.clone() });
    }
    let mut rows: Vec<u32> = request.ladder.iter().map(LadderRung::rows).collect();
    rows.sort_unstable();
    if let Some(pair) = rows.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(LadderError::Twice { rows: pair[0] });
    }
    if request.filters.scale.is_some() {
        return Err(LadderError::Scale);
    }
    let shared = request.ladder.iter().any(|rung| rung.own.is_none());
    match request.target.map(Target::goal) {
        Some(Goal::Size(_)) => return Err(LadderError::Size),
        Some(Goal::BitRate(_)) if shared => return Err(LadderError::BitRate),
        _ => {}
    }
    let alone = [
        (request.again.is_some(), "the takes of an earlier job"),
        (request.keep_takes, "takes that are kept"),
        (request.run_on == RunOn::Steps, "an export on an engine"),
    ];
    match alone.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(LadderError::OneVariant { what }),
        None => Ok(()),
    }
}

fn is_stream(output: &Path) -> bool {
    output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("m3u8"))
}

/// Returns a ladder in the words of its flag, the largest variant first.
pub(crate) fn words(ladder: &[LadderRung]) -> Vec<String> {
    sorted(ladder).iter().map(ToString::to_string).collect()
}

fn sorted(ladder: &[LadderRung]) -> Vec<LadderRung> {
    let mut rungs = ladder.to_vec();
    rungs.sort_by_key(|rung| std::cmp::Reverse(rung.rows));
    rungs
}

/// The requests for the variants of a stream, the largest first.
pub(crate) struct Variants {
    pub requests: Vec<(String, Request)>,
    /// What of the ladder is left out, in plain sentences.
    pub notes: Vec<String>,
}

/// Makes a request for each variant of a film that has so many rows. The first one has all else that goes
/// into the stream, and the others have pictures alone.
pub(crate) fn variants(request: &Request, rows: u32) -> Result<Variants, LadderError> {
    let (rungs, larger): (Vec<_>, Vec<_>) =
        sorted(&request.ladder).into_iter().partition(|rung| rung.rows <= rows);
    if rungs.is_empty() {
        return Err(LadderError::TooLarge { input: request.input.clone(), rows });
    }
    let note = |rung: &LadderRung| format!("{} is left out: the source has {rows} rows", rung.name());
    let variant = |(number, rung): (usize, &LadderRung)| {
        let mut variant = request.clone();
        variant.filters.scale = (rung.rows < rows).then_some(Scale::Height(rung.rows));
        variant.target = rung.target().or(request.target);
        if number > 0 {
            variant.ladder.clear();
            variant.work_dir = Some(folder(&request.work_dir(), &rung.name()));
            variant.records = None;
            variant.without_other_tracks();
        }
        (rung.name(), variant)
    };
    Ok(Variants {
        requests: rungs.iter().enumerate().map(variant).collect(),
        notes: larger.iter().map(note).collect(),
    })
}

/// Returns the job folder of a variant, beside that of the first one.
pub(crate) fn folder(first: &Path, name: &str) -> PathBuf {
    let is_usual = first.extension().is_some_and(|ending| ending == "retake");
    let mut folder = if is_usual { first.with_extension("") } else { first.to_owned() }.into_os_string();
    folder.push(format!(".{name}"));
    if is_usual {
        folder.push(".retake");
    }
    folder.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::factory;

    #[test]
    fn rungs_are_rows_and_what_is_wanted_of_them() {
        for (text, rows, target) in [
            ("1080p", 1080, None),
            ("720p@90.5", 720, Target::floor(90.5).ok()),
            ("480p=800k", 480, Target::bit_rate(800_000).ok()),
            ("360p=1.5M", 360, Target::bit_rate(1_500_000).ok()),
        ] {
            let rung: LadderRung = text.parse().unwrap();
            assert_eq!((rung.rows, rung.target()), (rows, target), "{text}");
            assert_eq!(rung.to_string().parse(), Ok(rung));
        }
        for wrong in [
            "",
            "p",
            "720",
            "721p",
            "0p",
            "-720p",
            "+720p",
            "720p@",
            "720p@-1",
            "720p@nan",
            "720p=",
            "720p=0",
            "720p=inf",
            "720p=1e3",
            "720p@90=1M",
            "720p=1M@90",
            "-2x720",
            "1280x720",
            "99999999p",
        ] {
            assert!(wrong.parse::<LadderRung>().is_err(), "{wrong}");
        }
    }

    /// The largest comes first, with its tracks; what is larger than the source is told.
    #[test]
    fn variants_are_in_order_and_fit_the_source() {
        let mut request = Request::new("film.mkv".into(), "a/s.m3u8".into(), factory());
        request.ladder = ["360p", "2160p", "720p@90"].map(|rung| rung.parse().unwrap()).into();
        let Variants { requests, notes } = variants(&request, 720).unwrap();
        let names: Vec<&str> = requests.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["720p", "360p"]);
        assert_eq!(notes, ["2160p is left out: the source has 720 rows"]);
        assert_eq!(requests[0].1.filters.scale, None);
        assert_eq!(requests[1].1.filters.scale, Some(Scale::Height(360)));
        assert_eq!(requests[1].1.work_dir(), Path::new("a/s.m3u8.360p.retake"));
        assert_eq!(folder(Path::new("work"), "360p"), Path::new("work.360p"));
        assert!(variants(&request, 300).is_err());
    }
}
