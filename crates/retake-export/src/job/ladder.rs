//! What is asked of the variants of a stream: their sizes, and what is wanted of each.

use super::request::{Goal, Request, Target};
use crate::ladder::ChosenRung;
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

/// A ladder whose rungs are chosen by measured quality: how many there are at most.
///
/// ```
/// # use retake_export::AutoLadder;
/// let auto: AutoLadder = "auto:4".parse().unwrap();
/// assert_eq!((auto.most(), auto.to_string().as_str()), (4, "auto:4"));
/// assert!("auto:0".parse::<AutoLadder>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoLadder {
    most: u8,
}

impl AutoLadder {
    /// The most rungs that can be asked for.
    const MOST: u8 = 12;

    /// Returns how many rungs there are at most.
    pub fn most(self) -> u8 {
        self.most
    }
}

/// At most six rungs.
impl Default for AutoLadder {
    fn default() -> Self {
        Self { most: 6 }
    }
}

impl fmt::Display for AutoLadder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "auto:{}", self.most)
    }
}

impl FromStr for AutoLadder {
    type Err = LadderError;

    /// Reads `auto`, or `auto:4` with the most rungs.
    fn from_str(text: &str) -> Result<Self, LadderError> {
        if text == "auto" {
            return Ok(Self::default());
        }
        let most = text.strip_prefix("auto:").and_then(|most| most.parse().ok());
        let most = most.filter(|most| (1..=Self::MOST).contains(most));
        most.map(|most| Self { most }).ok_or_else(|| LadderError::Auto { text: text.into() })
    }
}

/// A ladder as it is asked for: rungs, or that they be chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Ladder {
    /// These variants.
    Rungs(Vec<LadderRung>),
    /// Variants that are chosen by measured quality.
    Auto(AutoLadder),
}

impl FromStr for Ladder {
    type Err = LadderError;

    /// Reads rungs with commas between them, or what [`AutoLadder`] reads.
    fn from_str(text: &str) -> Result<Self, LadderError> {
        if text.starts_with("auto") {
            return text.parse().map(Self::Auto);
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Rungs)
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
    /// It is no ladder that is chosen.
    #[error("'{text}' is no ladder: auto, or with the most rungs, auto:1 to auto:{}", AutoLadder::MOST)]
    Auto {
        /// What was said.
        text: String,
    },
    /// Rungs are chosen from a floor down.
    #[error("the rungs of an automatic ladder are chosen by quality: ask for a floor, or for nothing")]
    AutoWants,
    /// The quality of an encoder's pictures cannot be measured without them.
    #[error("{encoder} does not give its pictures back, by which rungs are chosen: name the rungs")]
    NoPictures {
        /// The encoder.
        encoder: &'static str,
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
    if request.auto_ladder.is_some() && !matches!(request.target().goal(), Goal::Floor { .. }) {
        return Err(LadderError::AutoWants);
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
pub(crate) fn words(request: &Request) -> Vec<String> {
    match request.auto_ladder {
        // which rungs were chosen follows from the rest
        Some(auto) => vec![auto.to_string()],
        None => sorted(&request.ladder).iter().map(ToString::to_string).collect(),
    }
}

/// Returns the names of variants: their rows, and behind these, for further ones of a size, a number.
fn names(rungs: &[LadderRung]) -> Vec<String> {
    let before =
        |number: usize| rungs[..number].iter().filter(|rung| rung.rows == rungs[number].rows).count();
    let name = |number: usize| match before(number) {
        0 => rungs[number].name(),
        alike => format!("{}-{}", rungs[number].name(), alike + 1),
    };
    (0..rungs.len()).map(name).collect()
}

/// Returns the rung of a ladder that was chosen.
pub(crate) fn chosen(rung: &ChosenRung) -> LadderRung {
    LadderRung { rows: rung.rows, own: (!rung.to_floor).then_some(Own::BitRate(rung.bit_rate)) }
}

/// Returns the names of all variants that a ladder may have, whatever the source is.
pub(crate) fn all_names(ladder: &[LadderRung]) -> Vec<String> {
    names(&sorted(ladder))
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
    let variant = |(number, (name, rung)): (usize, (String, &LadderRung))| {
        let mut variant = request.clone();
        variant.filters.scale = (rung.rows < rows).then_some(Scale::Height(rung.rows));
        variant.target = rung.target().or(request.target);
        if number > 0 {
            variant.ladder.clear();
            variant.auto_ladder = None;
            variant.work_dir = Some(folder(&request.work_dir(), &name));
            variant.records = None;
            variant.without_other_tracks();
        }
        (name, variant)
    };
    let named = names(&rungs).into_iter().zip(&rungs);
    Ok(Variants {
        requests: named.enumerate().map(variant).collect(),
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

    #[test]
    fn ladders_are_rungs_or_chosen() {
        assert_eq!("auto".parse(), Ok(Ladder::Auto(AutoLadder { most: 6 })));
        assert_eq!("auto:12".parse(), Ok(Ladder::Auto(AutoLadder { most: 12 })));
        let Ok(Ladder::Rungs(rungs)) = "720p,360p=1M".parse() else { panic!() };
        assert_eq!(rungs.len(), 2);
        for wrong in
            ["auto:", "auto:0", "auto:13", "auto:-1", "auto,720p", "automatic", "720p,auto", "", "720p,"]
        {
            assert!(wrong.parse::<Ladder>().is_err(), "{wrong}");
        }
    }

    /// Variants of one size have names of their own, in the order of their rates.
    #[test]
    fn chosen_rungs_may_share_a_size() {
        let mut request = Request::new("film.mkv".into(), "s.m3u8".into(), factory());
        let rung = |rows, bit_rate, to_floor| chosen(&ChosenRung { rows, bit_rate, score: 90.0, to_floor });
        request.ladder =
            vec![rung(720, 4_000_000, true), rung(720, 2_000_000, false), rung(360, 900_000, false)];
        let requests = variants(&request, 720).unwrap().requests;
        let names: Vec<&str> = requests.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["720p", "720p-2", "360p"]);
        assert_eq!(requests[0].1.target, None);
        assert_eq!(requests[1].1.target, Target::bit_rate(2_000_000).ok());
        assert_eq!(requests[1].1.work_dir(), Path::new("s.m3u8.720p-2.retake"));
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
