//! What is found on the way through a source, and has to be told: damage, changes on the way, and facts that
//! no new film keeps.

use crate::ffi;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The container promises more than the file holds.
    Missing,
    /// The container is damaged, so that samples may be lost.
    Container,
    /// Samples that the decoder refused, so that their pictures are lost.
    Lost,
    /// Pictures that were decoded from damaged samples.
    Damaged,
    /// Samples before the first place where decoding can start.
    Unstarted,
    /// Times that were missing, or went back.
    Times,
    /// A break of the clock that all tracks share.
    Clock,
    /// Pictures of another size than the film.
    Size,
    /// Pictures whose pixels have another shape.
    Shape,
    /// Pictures of another range of values.
    Range,
    /// Pictures of another matrix, other primaries or another transfer function.
    Colour,
    /// Pictures that cannot be converted to the colours of the film.
    ForeignColour,
    /// Dynamic HDR metadata of pictures that were converted, so that they are no longer true.
    ConvertedMetadata,
    /// Pictures that are made of fields in another way.
    Fields,
    /// Pictures that have to be turned in another way.
    Rotation,
    /// The shape of pixels that the stream states, against the container.
    Aspect,
    /// The frame rate that the container states, against the times of the frames.
    FrameRate,
    /// Closed captions (CEA-608, CEA-708).
    Captions,
    /// Dynamic metadata of HDR10+.
    Hdr10Plus,
    /// Dynamic metadata of Dolby Vision.
    DolbyVision,
    /// An arrangement of two views.
    Stereo,
    /// A description of the active part of the picture.
    ActiveFormat,
    /// Time codes.
    TimeCode,
    /// Colour profiles.
    ColourProfile,
    /// A projection of the surroundings.
    Spherical,
    /// Transparency beside the pictures.
    Transparency,
    /// Tracks of a broadcast that are of other programmes.
    Programmes,
    /// What filters found, or could not keep.
    Filtered,
    /// Closed captions of frames that filters left out, or that have other times behind them.
    FilteredCaptions,
}

use FindingKind as Kind;

/// The facts that come with pictures, as the shims number them.
const EXTRAS: [(u32, Kind); 8] = [
    (ffi::CAPTIONS, Kind::Captions),
    (ffi::HDR10_PLUS, Kind::Hdr10Plus),
    (ffi::DOLBY_VISION, Kind::DolbyVision),
    (ffi::STEREO, Kind::Stereo),
    (ffi::ACTIVE_FORMAT, Kind::ActiveFormat),
    (ffi::TIMECODE, Kind::TimeCode),
    (ffi::COLOUR_PROFILE, Kind::ColourProfile),
    (ffi::SPHERICAL, Kind::Spherical),
];

impl FindingKind {
    /// Returns whether the source could not be read whole.
    pub const fn is_damage(self) -> bool {
        matches!(self, Self::Missing | Self::Container | Self::Lost | Self::Damaged)
    }
}

/// One kind of finding: how often, and between which times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// How often it was found: in frames, samples or places.
    pub count: u64,
    /// The first and the last time at which it was found, in seconds from the start of the film; `None` if it
    /// is about the film as a whole.
    pub times: Option<(f64, f64)>,
    /// More about it, in words, of its first occurrence.
    pub detail: String,
}

impl Finding {
    /// A finding about the film as a whole.
    pub(crate) fn whole(kind: FindingKind, count: u64, detail: String) -> Self {
        Self { kind, count, times: None, detail }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, count, detail, .. } = self;
        let (s, was) = if *count == 1 { ("", "was") } else { ("s", "were") };
        let are = if *count == 1 { "is" } else { "are" };
        match kind {
            Kind::Missing
            | Kind::Clock
            | Kind::Aspect
            | Kind::FrameRate
            | Kind::Programmes
            | Kind::Filtered => {
                return f.write_str(detail);
            }
            Kind::Container => write!(f, "the container is damaged in {count} place{s}: {detail}"),
            Kind::Lost => {
                write!(f, "{count} damaged frame{s} could not be decoded and {are} missing: {detail}")
            }
            Kind::Damaged => write!(f, "{count} frame{s} {was} decoded from damaged samples"),
            Kind::Unstarted => {
                write!(f, "{count} sample{s} before the first sync frame cannot be decoded and {are} missing")
            }
            Kind::Times => write!(f, "{count} frame{s} had times that were repaired"),
            Kind::Size => write!(f, "{count} frame{s} of another size {was} scaled: {detail}"),
            Kind::Shape => write!(f, "{count} frame{s} of another pixel aspect ratio {was} scaled: {detail}"),
            Kind::Range => write!(f, "{count} frame{s} of another range of levels {was} converted: {detail}"),
            Kind::Colour => write!(f, "{count} frame{s} of other colour {was} converted: {detail}"),
            Kind::ForeignColour => {
                write!(f, "{count} frame{s} of other colour could not be converted: {detail}")
            }
            Kind::ConvertedMetadata => write!(
                f,
                "the dynamic HDR metadata of {count} frame{s} {are} left out, because the frame{s} {was} converted"
            ),
            Kind::Fields => write!(f, "{count} frame{s}: {detail}"),
            Kind::Rotation => {
                write!(f, "{count} frame{s} must be turned in another way than the film, which is lost")
            }
            Kind::Transparency => write!(f, "transparency is dropped"),
            Kind::FilteredCaptions => write!(
                f,
                "the closed captions of {count} frame{s} {are} left out, because filters moved the frame{s} or left it out"
            ),
            _ => write!(f, "what is lost: {}", self.extra()),
        }?;
        f.write_str(&span(self.times))
    }
}

/// Returns the times from when to when something was, that was at this time, too.
pub(crate) fn widened(times: Option<(f64, f64)>, seconds: f64) -> (f64, f64) {
    let (first, last) = times.unwrap_or((seconds, seconds));
    (first.min(seconds), last.max(seconds))
}

/// Says in words when something was, in seconds of the film; nothing where that is not known.
pub(crate) fn span(times: Option<(f64, f64)>) -> String {
    match times {
        Some((first, last)) if first < last => format!(" (from {first:.3} s to {last:.3} s)"),
        Some((first, _)) => format!(" (at {first:.3} s)"),
        None => String::new(),
    }
}

impl Finding {
    /// Names a fact that comes with pictures.
    fn extra(&self) -> String {
        let what = match self.kind {
            Kind::Captions => "closed captions (CEA-608/708)",
            Kind::Hdr10Plus => "dynamic metadata of HDR10+",
            Kind::DolbyVision => "dynamic metadata of Dolby Vision",
            Kind::Stereo => "the arrangement of two views",
            Kind::ActiveFormat => "active format descriptions",
            Kind::TimeCode => "time codes",
            Kind::ColourProfile => "colour profiles",
            _ => "the spherical projection",
        };
        let s = if self.count == 1 { "" } else { "s" };
        format!("{what} of {} frame{s}", self.count)
    }
}

/// Times in seconds are computed in floating point, and may be off by much less than this.
const ROUNDING: f64 = 1e-6;

/// All findings of one way through a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Findings {
    /// The part of the film that counts, in seconds; `None` is all of it.
    within: Option<(f64, f64)>,
    /// The places at which the film is divided, in seconds, and what was found in each of its ranges.
    places: Vec<f64>,
    ranges: Vec<Vec<Noted>>,
    /// How many findings were noted first of their kind in a range.
    noted: u64,
}

/// A finding, and when it was noted first: the words are those of the first of all ranges.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Noted {
    finding: Finding,
    order: u64,
}

impl Default for Findings {
    fn default() -> Self {
        Self { within: None, places: Vec::new(), ranges: vec![Vec::new()], noted: 0 }
    }
}

impl Findings {
    /// Begins a list for a part of a film, in seconds from its start. What is found elsewhere does not
    /// matter, because no new film is made of it.
    pub(crate) fn within(extent: Option<(f64, f64)>) -> Self {
        Self { within: extent, ..Self::default() }
    }

    /// Keeps apart what will be found in each of the ranges between places, in seconds from the start of the
    /// film. Nothing may have been found yet.
    pub(crate) fn divide(&mut self, places: Vec<f64>) {
        self.ranges = vec![Vec::new(); places.len() + 1];
        self.places = places;
    }

    /// Takes over what another reader has found in the ranges before one, instead of what this one has.
    pub(crate) fn follow(&mut self, earlier: Self, range: usize) {
        for noted in self.ranges.iter_mut().skip(range).flatten() {
            noted.order += earlier.noted;
        }
        self.noted += earlier.noted;
        for (own, earlier) in self.ranges.iter_mut().zip(earlier.ranges).take(range) {
            *own = earlier;
        }
    }

    /// Notes something at a time, in seconds from the start of the film.
    pub(crate) fn note(&mut self, kind: FindingKind, seconds: f64, detail: impl FnOnce() -> String) {
        if self.within.is_some_and(|(from, to)| seconds < from - ROUNDING || seconds >= to - ROUNDING) {
            return;
        }
        let range = self.places.partition_point(|place| *place <= seconds);
        let found = self.ranges[range].iter_mut().map(|noted| &mut noted.finding);
        match found.into_iter().find(|finding| finding.kind == kind) {
            Some(finding) => {
                finding.count += 1;
                finding.times = Some(widened(finding.times, seconds));
            }
            None => {
                let times = Some((seconds, seconds));
                let finding = Finding { kind, count: 1, times, detail: detail() };
                self.ranges[range].push(Noted { finding, order: self.noted });
                self.noted += 1;
            }
        }
    }

    /// Notes the facts that came with a picture.
    pub(crate) fn note_extras(&mut self, extras: u32, seconds: f64) {
        for (bit, kind) in EXTRAS {
            if extras & bit != 0 {
                self.note(kind, seconds, String::new);
            }
        }
    }

    pub(crate) fn count(&self, kind: FindingKind) -> u64 {
        self.all().filter(|noted| noted.finding.kind == kind).map(|noted| noted.finding.count).sum()
    }

    /// Returns whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Returns whether damage was found in this range or behind it.
    pub(crate) fn has_damage(&self, range: usize) -> bool {
        self.ranges.iter().skip(range).flatten().any(|noted| noted.finding.kind.is_damage())
    }

    /// Adds a finding, wherever it is.
    pub(crate) fn push(&mut self, finding: Finding) {
        self.ranges[0].push(Noted { finding, order: self.noted });
        self.noted += 1;
    }

    /// Returns whether findings are kept apart in the ranges between so many places.
    pub(crate) fn is_divided_by(&self, places: usize) -> bool {
        self.places.len() == places && self.ranges.len() == places + 1
    }

    /// Returns these and all others that are of kinds which are not among them, by kind.
    pub(crate) fn with(&self, others: &[Finding]) -> Vec<Finding> {
        let mut all = self.clone();
        let known: Vec<FindingKind> = all.sorted().iter().map(|finding| finding.kind).collect();
        let unknown = others.iter().filter(|found| !known.contains(&found.kind));
        unknown.for_each(|found| all.push(found.clone()));
        all.sorted()
    }

    fn all(&self) -> impl Iterator<Item = &Noted> {
        self.ranges.iter().flatten()
    }

    /// Returns all findings, by kind, damage first.
    pub(crate) fn sorted(&self) -> Vec<Finding> {
        let Some((first, others)) = self.ranges.split_first() else { return Vec::new() };
        let mut all = first.clone();
        for noted in others.iter().flatten() {
            match all.iter_mut().find(|known| known.finding.kind == noted.finding.kind) {
                Some(known) => known.add(noted),
                None => all.push(noted.clone()),
            }
        }
        all.sort_by_key(|noted| noted.finding.kind);
        all.into_iter().map(|noted| noted.finding).collect()
    }
}

impl Noted {
    /// Adds what was found of the same kind in another range.
    fn add(&mut self, other: &Self) {
        let (own, added) = (&mut self.finding, &other.finding);
        own.count += added.count;
        own.times = match (own.times, added.times) {
            (Some(own), Some(added)) => Some((own.0.min(added.0), own.1.max(added.1))),
            (own, added) => own.or(added),
        };
        if other.order < self.order {
            (own.detail, self.order) = (added.detail.clone(), other.order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(findings: &mut Findings, events: &[(u8, u32)]) {
        for (number, &(kind, time)) in events.iter().enumerate() {
            let kind = [Kind::Size, Kind::Captions, Kind::Times][usize::from(kind)];
            findings.note(kind, f64::from(time), || format!("{number}"));
        }
    }

    proptest! {
        /// However a film is divided, what is found in all of it is the same; and so it is where another
        /// reader found the same things up to some place, and something else before it itself came there.
        #[test]
        fn findings_of_ranges_are_those_of_the_whole(
                events in prop::collection::vec((0u8..3, 0u32..100), 0..40),
                before in prop::collection::vec((0u8..3, 0u32..50), 0..9),
                places in prop::collection::btree_set(0u32..100, 0..5), range in 0usize..5) {
            let mut whole = Findings::default();
            note(&mut whole, &events);
            let places: Vec<f64> = places.into_iter().map(f64::from).collect();
            let range = range.min(places.len());
            let divided = || {
                let mut findings = Findings::default();
                findings.divide(places.clone());
                findings
            };
            let mut first = divided();
            note(&mut first, &events);
            prop_assert_eq!(first.sorted(), whole.sorted());
            // the second begins in front of its range, and comes upon what the first one came upon in it
            let from = if range == 0 { 0.0 } else { places[range - 1] };
            let (mut second, mut early) = (divided(), divided());
            let outside: Vec<(u8, u32)> = before.into_iter().filter(|(_, at)| f64::from(*at) < from).collect();
            note(&mut second, &outside);
            let is_early = |event: &&(u8, u32)| f64::from(event.1) < from;
            let sorted: Vec<(u8, u32)> = {
                let (early, late): (Vec<&(u8, u32)>, Vec<_>) = events.iter().partition(is_early);
                early.into_iter().chain(late).copied().collect()
            };
            let mut in_order = Findings::default();
            note(&mut in_order, &sorted);
            let split = sorted.iter().take_while(is_early).count();
            note(&mut early, &sorted);
            for (number, &(kind, time)) in sorted.iter().enumerate().skip(split) {
                let kind = [Kind::Size, Kind::Captions, Kind::Times][usize::from(kind)];
                second.note(kind, f64::from(time), || format!("{number}"));
            }
            second.follow(early, range);
            prop_assert_eq!(second.sorted(), in_order.sorted());
        }
    }
}
