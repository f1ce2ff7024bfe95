//! DataRateLimits as a hard cap.
//!
//! Encoders keep to a bucket, and overshoot it: at a cut, or where even their coarsest quantizer is too fine.
//! So under a limit samples wait until it is known that they fit into every window. Where one does not, those
//! that wait are thrown away, and their frames begin another encode, with a larger smallest quantizer; where
//! there is none larger, a frame is dropped. For that, pictures are kept as long as their frames are inside
//! the encoder.

use super::edges::Edges;
use super::limit::Watch;
use crate::encoder::{EncodedFrame, EncoderInfo, EncoderSettings, FrameOptions, RateControl};
use crate::property::{DataRateLimit, Values};
use retake_media::{PixelBuffer, Time};
use std::sync::Arc;

/// Where the encoder does not look at windows itself, this fullness is a warning.
const WARNING: f64 = 0.7;
/// Windows that are emptier than this let quantizers be fine again.
const ROOM: f64 = 0.6;
/// Quantizers of a scale of 51 that halve the bytes, about; other scales in proportion.
const HALVES: f64 = 6.0 / 51.0;

/// A frame as an encoder gets it.
pub(super) struct Sending {
    pub(super) number: u64,
    pub(super) pts: Time,
    pub(super) picture: PixelBuffer,
    pub(super) duration: Time,
    pub(super) options: FrameOptions,
    pub(super) values: Arc<Values>,
}

/// The samples of an encode that wait for others, because frames shown before them are not out.
#[derive(Default)]
pub(super) struct Held {
    samples: Vec<EncodedFrame>,
    /// Frames of this encode that are out.
    out: u64,
}

impl Held {
    /// Takes a sample, and gives all that wait as soon as nothing that is shown before one of them is
    /// missing: only there can another encode begin.
    pub(super) fn add(&mut self, sample: EncodedFrame) -> Vec<EncodedFrame> {
        self.samples.push(sample);
        let last = self.samples.iter().map(|sample| sample.index).max().unwrap_or(0);
        if last >= self.out + self.samples.len() as u64 {
            return Vec::new();
        }
        self.out += self.samples.len() as u64;
        std::mem::take(&mut self.samples)
    }
}

/// A sample that does not fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Excess {
    /// How many times what is allowed a window would hold, now or if all went on like this.
    pub(super) times: f64,
    /// The quantizer that the frame was coded with.
    pub(super) qp: f32,
}

/// The first of these samples, which follow each other, that would fill a window above a share of its limit.
pub(super) fn excess(
    watch: &Watch,
    limits: &[DataRateLimit],
    edges: Option<&Edges>,
    samples: &[EncodedFrame],
    share: f64,
) -> Option<Excess> {
    let mut watch = watch.clone();
    samples.iter().find_map(|frame| {
        let fullest = watch.note(limits, edges, frame.sample.dts, frame.sample.data.len() as u64);
        let times = (fullest / share).max(watch.pace(limits));
        (fullest > share).then_some(Excess { times, qp: frame.qp })
    })
}

/// How coarse frames have to be, because finer ones did not fit.
#[derive(Debug, Default)]
pub(super) struct Coarseness {
    floor: Option<u32>,
    /// Since when.
    since: Option<Time>,
    /// How often it was needed: each time it is kept twice as long, because every change begins with a sync
    /// frame.
    times: u32,
}

impl Coarseness {
    /// Up to which share of its limit a window may be filled. An encoder that knows nothing of the limit is
    /// stopped while there is room for a sync frame: what begins the coarser encode.
    pub(super) fn share(&self, info: &EncoderInfo, rate: RateControl) -> f64 {
        let looks = info.controls.rate_limit || matches!(rate, RateControl::ConstantBitRate(_));
        if looks || self.floor.is_some() { 1.0 } else { WARNING }
    }

    /// Whether nothing coarser is left.
    pub(super) fn is_at_end(&self, info: &EncoderInfo, settings: &EncoderSettings) -> bool {
        self.floor == Some(scale(info, settings).1)
    }

    /// Makes frames from this one on coarser. False if they are as coarse as can be.
    pub(super) fn raise(
        &mut self,
        info: &EncoderInfo,
        settings: &EncoderSettings,
        excess: Excess,
        from: Time,
    ) -> bool {
        let (least, most) = scale(info, settings);
        if self.is_at_end(info, settings) {
            return false;
        }
        let span = f64::from(most - least);
        let step = span * HALVES * (0.5 + excess.times.log2());
        self.times += u32::from(self.floor.is_none());
        self.since = Some(from);
        let base = f64::from(self.floor.unwrap_or(least)).max(f64::from(excess.qp));
        self.floor = Some(((base + step).ceil().max(0.0) as u32).clamp(least, most));
        true
    }

    /// Notes how full the fullest window is at a time. True if frames may be fine again from now on.
    pub(super) fn may_end(&mut self, limits: &[DataRateLimit], fullest: f64, now: Time) -> bool {
        let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
        let patience = longest * f64::from(1_u32 << self.times.min(6));
        let long_enough = self.since.is_some_and(|since| now.subtract(since).seconds() >= patience);
        if self.floor.is_none() || fullest > ROOM || !long_enough {
            return false;
        }
        (self.floor, self.since) = (None, None);
        true
    }

    /// What an encode is opened with.
    pub(super) fn apply(&self, info: &EncoderInfo, settings: &mut EncoderSettings) {
        let Some(floor) = self.floor else { return };
        if has_bounds(info, settings) {
            let own = settings.controls.min_qp.unwrap_or(0);
            settings.controls.min_qp = Some(own.max(floor));
        }
        // at constant quality some have no bounds, or do not look at them: both are on one scale
        if let RateControl::Quality(quality) = settings.rate {
            settings.rate = RateControl::Quality(info.quality.snap(quality.max(f64::from(floor))));
        }
    }
}

/// Whether an encode with these settings keeps to a smallest quantizer.
fn has_bounds(info: &EncoderInfo, settings: &EncoderSettings) -> bool {
    let at_rate = matches!(settings.rate, RateControl::AverageBitRate(_) | RateControl::ConstantBitRate(_));
    info.controls.qp_bounds.is_some() && (at_rate || !info.controls.qp_bounds_at_rate_only)
}

/// The scale of quantizers, up to the largest that is allowed.
fn scale(info: &EncoderInfo, settings: &EncoderSettings) -> (u32, u32) {
    let whole = (info.quality.min as u32, info.quality.max as u32);
    let (least, most) = info.controls.qp_bounds.filter(|_| has_bounds(info, settings)).unwrap_or(whole);
    let most = settings.controls.max_qp.map_or(most, |allowed| allowed.min(most));
    (least.min(most), most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{Sample, SampleKind};

    fn sample(index: u64) -> EncodedFrame {
        let time = Time::new(index as i64, 25);
        let sample =
            Sample { data: vec![0; 10], pts: time, dts: time, duration: time, kind: SampleKind::Reference };
        EncodedFrame { sample, index, qp: 30.0, error: None, token: None, layer: 0 }
    }

    /// A sample that is decoded before others and shown after them waits for them.
    #[test]
    fn samples_wait_for_what_is_shown_before() {
        let mut held = Held::default();
        let order = [0, 4, 2, 1, 3, 5, 7, 6];
        let given: Vec<Vec<u64>> = order
            .into_iter()
            .map(|index| held.add(sample(index)).iter().map(|one| one.index).collect())
            .collect();
        let none = Vec::new;
        assert_eq!(given, [vec![0], none(), none(), none(), vec![4, 2, 1, 3], vec![5], none(), vec![7, 6]]);
    }
}
