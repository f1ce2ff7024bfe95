//! A take is one encode of one range with one group of settings; this module describes takes and records
//! their results.
//!
//! A take runs from its [`TakeDescription`] alone. Its result is stored under a name that contains the
//! description's [`TakeId`], so that doing a take twice is harmless.

use crate::encoder::EncoderSettings;
use crate::property::DataRateLimit;
use crate::units::FrameRange;
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// This is the version of [`TakeDescription`]'s meaning. It must be raised whenever equal descriptions could
/// give other bytes than before.
pub const VERSION: u32 = 3;

/// A description holds everything that determines a take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeDescription {
    /// The [`VERSION`] that wrote the description.
    pub version: u32,
    /// The identity of the source film.
    pub source: String,
    /// The frames to encode, in the source's presentation order.
    pub range: FrameRange,
    /// The encoder's name and library version.
    pub encoder: String,
    /// The settings of the encoder. Where [`TakeDescription::look`] is set, the search begins at their
    /// quality.
    pub settings: EncoderSettings,
    /// If set, a quick look at the frames chooses the quality first.
    pub look: Option<Look>,
    /// If set, the take corrects its quality while it runs, so that its mean score comes out here.
    pub steer: Option<f64>,
    /// If set, the take is scored in this way.
    pub measure: Option<Measure>,
    /// Limits that the take keeps by itself, at its joins too, because nothing judges it together with
    /// others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<DataRateLimit>,
}

/// A quick look chooses the quality of a take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The score to aim at, on the scale of [`Measure::metric`].
    pub aim: f64,
    /// The fast preset of the look.
    pub preset: String,
    /// What is added to the quality that the look suggests, because looks at other units of the film were off
    /// by as much.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f64,
}

/// A measure tells how a take is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The metric's name.
    pub metric: String,
    /// The way in which a take's frames become one number: `mean`, `p5` or `min`.
    pub pool: String,
    /// Every how many frames one is scored, at most; 0 counts as 1.
    pub stride: u32,
    /// True if short takes are scored more densely. It must be false for takes that begin before their length
    /// is known.
    pub adapt: bool,
    /// Name and version of the library that computes the scores. Left out where it is the usual one, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// Width and height at which pictures are scored: those of the source before it was scaled, to which they
    /// are scaled up again. `None` is the size at which they are encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
}

impl Measure {
    /// An estimate from fewer scored frames than this is not worth much.
    const FEWEST: u64 = 12;

    /// Returns the stride (at least 1) at which a take of `frames` frames is scored.
    pub fn stride_for(&self, frames: u64) -> u32 {
        if !self.adapt {
            return self.stride.max(1);
        }
        let dense = u32::try_from(frames / Self::FEWEST).unwrap_or(u32::MAX);
        match self.stride.min(dense) {
            // every second frame is always the same kind of B-frame: errors of such samples are 2.7 times
            // what they seem to be
            2 if self.stride > 2 => 1,
            stride => stride.max(1),
        }
    }
}

/// An id is the identity of a description.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakeId(u128);

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TakeDescription {
    /// Returns the identity. It is equal for equal descriptions, on every machine.
    pub fn id(&self) -> TakeId {
        // serde_json writes fields in their order and floats in shortest round-trip form, so the text is
        // canonical as it is
        let text = serde_json::to_vec(self).expect("a description holds strings, numbers and lists only");
        TakeId(xxh3_128(&text))
    }
}

/// A record tells how a take came out. It is stored behind the take's samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeRecord {
    /// The frames that were encoded.
    pub range: FrameRange,
    /// The quality that was used, on the encoder's scale; `None` where a rate decided.
    pub quality: Option<f64>,
    /// The mean quantizer of the frames, on the encoder's own scale; 0 where the encoder does not tell it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub qp: f64,
    /// The bytes of all samples.
    pub bytes: u64,
    /// The largest `dts - pts` of a sample, in ticks of the source's time base. A container must shift decode
    /// times by as much. It is 0 in a session, because its times have no time base in common.
    #[serde(default, skip_serializing_if = "no_ticks")]
    pub reorder_ticks: i64,
    /// The score, where the take was measured.
    pub score: Option<Score>,
    /// The bytes of each sample, in decode order. It is empty in a session, which keeps them for each frame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u64>,
    /// The scores of single frames, where the take was measured and they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_scores: Option<FrameScores>,
    /// The hash of each picture as a decoder will see it, in presentation order, where the encoder delivered
    /// pictures and the hashes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Vec<u64>>,
    /// The probes of the quick look, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<LookRecord>,
    /// The CPU seconds spent, including the look. A session does not measure them.
    #[serde(default, skip_serializing_if = "CpuSeconds::is_none")]
    pub cpu: CpuSeconds,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

fn no_ticks(ticks: &i64) -> bool {
    *ticks == 0
}

/// A score of a take that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The pooled score.
    pub value: f64,
    /// The standard error of `value`; 0 if every frame was scored.
    pub error: f64,
    /// The mean luma PSNR of all frames, in dB.
    pub psnr: f64,
    /// The score that the metric cannot exceed on these frames, where it has such a ceiling (VMAF, by the
    /// motion of the source).
    pub ceiling: Option<f64>,
}

/// The scores of single frames of a take, at equal distances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameScores {
    /// The first frame that has a score, counted from the first frame of the take.
    pub first: u64,
    /// The distance from one frame that has a score to the next; at least 1.
    pub every: u64,
    /// The scores, rounded to five digits, because a picture of them needs no more.
    pub values: Vec<f64>,
}

impl TakeRecord {
    /// Returns the bytes of each sample in decode order. Where they are not known, all are alike.
    pub fn sample_sizes(&self) -> impl Iterator<Item = u64> {
        let frames = self.range.len();
        let alike = self.bytes / frames.max(1);
        let known = self.sizes.len() as u64 == frames;
        (0..frames).map(move |frame| if known { self.sizes[frame as usize] } else { alike })
    }
}

impl FrameScores {
    /// Makes them of one score, or none, for each frame. Returns `None` where no frame has one, and where
    /// those that have one do not lie at equal distances.
    pub fn of(frames: &[Option<f64>]) -> Option<Self> {
        let scored: Vec<(u64, f64)> =
            (0..).zip(frames).filter_map(|(frame, score)| Some((frame, (*score)?))).collect();
        let (first, _) = *scored.first()?;
        let every = scored.get(1).map_or(1, |(second, _)| second - first);
        let even = scored.windows(2).all(|pair| pair[1].0 - pair[0].0 == every);
        let values = scored.iter().map(|(_, score)| five_digits(*score)).collect();
        even.then_some(Self { first, every, values })
    }
}

fn five_digits(number: f64) -> f64 {
    // a number that is written with digits is always one that can be read
    format!("{number:.4e}").parse().unwrap_or(number)
}

/// The findings of a quick look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookRecord {
    /// Quality and score of each probe.
    pub probes: Vec<[f64; 2]>,
}

/// CPU seconds are counted by their purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuSeconds {
    /// The quick look.
    pub look: f64,
    /// Encoding, which includes waiting for frames to be converted.
    pub encode: f64,
    /// Scoring.
    pub measure: f64,
}

impl CpuSeconds {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_a_unit() -> TakeRecord {
        TakeRecord {
            range: FrameRange::new(50, 100),
            quality: Some(23.5),
            qp: 26.25,
            bytes: 1234,
            reorder_ticks: 0,
            score: None,
            sizes: Vec::new(),
            frame_scores: None,
            pictures: None,
            look: None,
            cpu: CpuSeconds::default(),
        }
    }

    /// A record has one form, as `docs/job-folder.md` gives it: fields that its writer does not know are left
    /// out.
    #[test]
    fn a_record_has_one_form() {
        let text = r#"{"range":{"start":50,"end":100},"quality":23.5,"qp":26.25,"bytes":1234,"score":null}"#;
        assert_eq!(serde_json::to_string(&of_a_unit()).unwrap(), text);
        assert_eq!(serde_json::from_str::<TakeRecord>(text).unwrap(), of_a_unit());
        let full = TakeRecord {
            quality: None,
            qp: 0.0,
            reorder_ticks: 2,
            score: Some(Score { value: 95.1, error: 0.1, psnr: 41.0, ceiling: None }),
            sizes: vec![1000, 234],
            frame_scores: Some(FrameScores { first: 1, every: 3, values: vec![94.5] }),
            pictures: Some(vec![u64::MAX, 0]),
            look: Some(LookRecord { probes: vec![[30.0, 91.5]] }),
            cpu: CpuSeconds { look: 0.5, encode: 2.0, measure: 0.25 },
            ..of_a_unit()
        };
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(
            text,
            r#"{"range":{"start":50,"end":100},"quality":null,"bytes":1234,"reorder_ticks":2,"score":{"value":95.1,"error":0.1,"psnr":41.0,"ceiling":null},"sizes":[1000,234],"frame_scores":{"first":1,"every":3,"values":[94.5]},"pictures":[18446744073709551615,0],"look":{"probes":[[30.0,91.5]]},"cpu":{"look":0.5,"encode":2.0,"measure":0.25}}"#
        );
        assert_eq!(serde_json::from_str::<TakeRecord>(&text).unwrap(), full);
    }

    /// Scores at equal distances are kept with five digits; others are not kept.
    #[test]
    fn scores_of_frames_lie_at_equal_distances() {
        let sampled = [None, Some(93.456_78), None, None, Some(0.987_654_3), None];
        let expected = FrameScores { first: 1, every: 3, values: vec![93.457, 0.987_65] };
        assert_eq!(FrameScores::of(&sampled), Some(expected));
        assert_eq!(FrameScores::of(&[Some(1.0), Some(1.0), None, Some(1.0)]), None);
        assert_eq!(FrameScores::of(&[None, None]), None);
    }
}
