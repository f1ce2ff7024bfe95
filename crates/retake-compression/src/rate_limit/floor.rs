//! How coarse the frames of a capped encode have to be: a smallest quantizer, chosen from what recent frames
//! took.
//!
//! Every change of the floor begins another encode, whose sync frame takes room that other frames lack. So a
//! floor is chosen once, far enough, and is kept for a while.

use crate::encoder::{EncodedFrame, EncoderInfo, EncoderSettings, RateControl};
use crate::property::DataRateLimit;
use retake_media::Time;
use std::collections::VecDeque;

/// How full windows are to be: what encoders vary by from one second to the next fits into the rest.
const AIM: f64 = 0.78;
/// Of a window, the end that tells what it would be like if all went on so.
const PART: f64 = 0.25;
/// The share of a window that is left for the sync frame of a coarser encode, at least and at most.
const RESERVE: (f64, f64) = (0.08, 0.3);
/// Windows that are emptier than this let quantizers be fine again, where quantizers of frames are not known.
const ROOM: f64 = 0.6;
/// Quantizers of a scale of 51 that halve the bytes, about; other scales in proportion.
const HALVES: f64 = 6.0 / 51.0;
/// So much fewer quantizers halve the bytes where a floor lifts the finest frames alone, because those that
/// are predicted from them lose as well.
const CLAMPED: f64 = 0.6;
/// A change of the floor by fewer doublings of bytes is not worth its sync frame.
const WORTH: f64 = 0.5;
/// The most windows that a floor is kept for before a finer one is tried.
const PATIENCE: u32 = 8;

/// What is known of a frame that is out.
#[derive(Debug, Clone, Copy)]
struct Coded {
    seconds: f64,
    bytes: f64,
    qp: f64,
}

impl Coded {
    fn of(frame: &EncodedFrame) -> Self {
        let seconds = frame.sample.dts.seconds();
        Self { seconds, bytes: frame.sample.data.len() as f64, qp: f64::from(frame.qp) }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct QpFloor {
    floor: Option<u32>,
    /// Since when, as decode time.
    since: Option<Time>,
    /// How often it was needed: each time it is kept twice as long.
    times: u32,
    /// Frames of the longest window, in decode order.
    recent: VecDeque<Coded>,
    /// The last sync frame.
    sync: Option<Coded>,
}

impl QpFloor {
    /// Up to which share of its limit a window may be filled. An encoder that knows nothing of the limit is
    /// stopped while there is room for a sync frame, because a coarser encode begins with one.
    pub(super) fn share(
        &self,
        info: &EncoderInfo,
        settings: &EncoderSettings,
        limits: &[DataRateLimit],
    ) -> f64 {
        let looks = info.controls.rate_limit || matches!(settings.rate, RateControl::ConstantBitRate(_));
        if looks || self.is_at_end(info, settings) {
            return 1.0;
        }
        let (least, most) = scale(info, settings);
        let smallest = limits.iter().map(|limit| limit.bytes).min().unwrap_or(u64::MAX) as f64;
        let sync = self.sync.map_or(0.0, |sync| scaled(&sync, f64::from(most), f64::from(most - least)));
        1.0 - (1.5 * sync / smallest).clamp(RESERVE.0, RESERVE.1)
    }

    /// Whether nothing coarser is left.
    pub(super) fn is_at_end(&self, info: &EncoderInfo, settings: &EncoderSettings) -> bool {
        self.floor == Some(scale(info, settings).1)
    }

    /// Makes frames from the first of these on coarser, because they do not fit. False if they are as coarse
    /// as can be.
    pub(super) fn raise(
        &mut self,
        info: &EncoderInfo,
        settings: &EncoderSettings,
        limits: &[DataRateLimit],
        group: &[EncodedFrame],
    ) -> bool {
        let (least, most) = scale(info, settings);
        if self.is_at_end(info, settings) {
            return false;
        }
        let span = f64::from(most - least);
        self.times += u32::from(self.floor.is_none());
        self.since = group.first().map(|frame| frame.sample.dts);
        let current = f64::from(self.floor.unwrap_or(least));
        let group: Vec<Coded> = group.iter().map(Coded::of).collect();
        let fits = |qp: f64| limits.iter().all(|limit| self.fits(limit, &group, qp, span));
        let lowest = (current + span * HALVES * WORTH).ceil() as u32;
        let floor = (lowest.min(most)..most).find(|&floor| fits(f64::from(floor))).unwrap_or(most);
        self.floor = Some(floor);
        true
    }

    /// Whether frames like these, which begin another encode, fit with this floor: for long, and at once.
    fn fits(&self, limit: &DataRateLimit, group: &[Coded], floor: f64, span: f64) -> bool {
        let now = group.last().map_or(0.0, |last| last.seconds);
        let part = limit.seconds * PART;
        let recent = self.recent.iter().chain(group).filter(|frame| frame.seconds > now - part);
        let to_come: f64 = recent.map(|frame| scaled(frame, floor.max(frame.qp), span)).sum();
        let last = self.recent.back().map_or(now, |last| last.seconds);
        let staying = self.recent.iter().filter(|frame| frame.seconds > last - limit.seconds + part);
        let sync = self.sync.map_or(0.0, |sync| scaled(&sync, floor.max(sync.qp), span));
        let room = limit.bytes as f64 - staying.map(|frame| frame.bytes).sum::<f64>();
        to_come <= AIM * PART * limit.bytes as f64 && to_come + sync <= room
    }

    /// The floor that makes an encode which is held back as a whole coarser: its fullest window is so many
    /// times too full, and `fits` tells whether it would be with other sizes. None if it is as coarse as can
    /// be.
    pub(super) fn raised_whole(
        mut self,
        info: &EncoderInfo,
        settings: &EncoderSettings,
        times: f64,
        fits: impl Fn(&dyn Fn(&EncodedFrame) -> f64) -> bool,
    ) -> Option<Self> {
        let (least, most) = scale(info, settings);
        if self.is_at_end(info, settings) {
            return None;
        }
        let span = f64::from(most - least);
        let floor = match (settings.rate, self.floor) {
            (RateControl::Quality(quality), floor) => {
                let base = floor.map_or(quality, f64::from);
                (base + (span * HALVES * times.log2()).max(1.0)).ceil().max(0.0) as u32
            }
            (_, floor) => {
                let lowest = floor.or(settings.controls.min_qp).unwrap_or(least) + 1;
                let clamped = |floor: u32| {
                    move |frame: &EncodedFrame| {
                        let coded = Coded::of(frame);
                        scaled(&coded, coded.qp.max(f64::from(floor)), CLAMPED * span)
                    }
                };
                (lowest..most).find(|&floor| fits(&clamped(floor))).unwrap_or(most)
            }
        };
        self.floor = Some(floor.clamp(least, most));
        Some(self)
    }

    /// Notes a frame that is out, and how full the fullest window is that ends with it. True if frames from
    /// now on may be finer.
    pub(super) fn note(
        &mut self,
        info: &EncoderInfo,
        settings: &EncoderSettings,
        limits: &[DataRateLimit],
        fullest: f64,
        frame: &EncodedFrame,
    ) -> bool {
        let longest = limits.iter().map(|limit| limit.seconds).fold(0.0, f64::max);
        let coded = Coded::of(frame);
        self.recent.push_back(coded);
        while self.recent.front().is_some_and(|first| first.seconds <= coded.seconds - longest) {
            self.recent.pop_front();
        }
        if frame.sample.is_sync() {
            self.sync = Some(coded);
        }
        let patience = longest * f64::from((1_u32 << self.times.min(6)).min(PATIENCE));
        let long_enough = self.since.is_some_and(|since| (frame.sample.dts - since).seconds() >= patience);
        let Some(floor) = self.floor.filter(|_| long_enough) else { return false };
        let (least, most) = scale(info, settings);
        let span = f64::from(most - least);
        let known = self.recent.iter().all(|frame| frame.qp + 0.5 >= f64::from(floor));
        let finest = if known {
            let fits = |&lower: &u32| limits.iter().all(|limit| self.would_fit(limit, floor, lower, span));
            (least..floor).find(fits).unwrap_or(floor)
        } else if fullest <= ROOM {
            least
        } else {
            floor
        };
        if f64::from(floor - finest) < span * HALVES * WORTH {
            return false;
        }
        (self.floor, self.since) =
            if finest == least { (None, None) } else { (Some(finest), Some(frame.sample.dts)) };
        true
    }

    /// Whether the frames of the last window would have fitted with a lower floor.
    fn would_fit(&self, limit: &DataRateLimit, floor: u32, lower: u32, span: f64) -> bool {
        let now = self.recent.back().map_or(0.0, |last| last.seconds);
        let finer = |frame: &Coded| {
            // what is coarser than the floor is not held up by it
            let held = frame.qp <= f64::from(floor) + 0.5;
            if held { scaled(frame, f64::from(lower), span) } else { frame.bytes }
        };
        let bytes: f64 =
            self.recent.iter().filter(|frame| frame.seconds > now - limit.seconds).map(finer).sum();
        bytes <= AIM * limit.bytes as f64
    }

    /// The settings that an encode is opened with.
    pub(super) fn applied(&self, info: &EncoderInfo, settings: &EncoderSettings) -> EncoderSettings {
        let mut settings = settings.clone();
        let Some(floor) = self.floor else { return settings };
        if has_bounds(info, &settings) {
            let own = settings.controls.min_qp.unwrap_or(0);
            settings.controls.min_qp = Some(own.max(floor));
        }
        // At constant quality some have no bounds, or do not look at them: both are on one scale.
        if let RateControl::Quality(quality) = settings.rate {
            settings.rate = RateControl::Quality(info.quality.snap(quality.max(f64::from(floor))));
        }
        settings
    }
}

/// The bytes that a frame would take with another quantizer.
fn scaled(frame: &Coded, qp: f64, span: f64) -> f64 {
    frame.bytes * ((frame.qp - qp) / (span * HALVES)).exp2()
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
