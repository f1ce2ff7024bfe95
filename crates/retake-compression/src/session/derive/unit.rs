//! The settings of a unit that is encoded again.

use super::rate::{is_limited, judged_buffer};
use crate::encoder::{EncoderInfo, EncoderSettings, RateControl};
use crate::planner::pace::Target;
use crate::property::{Values, set_value};
use crate::rate_limit::HoldBack;
use retake_media::Time;

/// Frames that are encoded by themselves come in multiples of this, which is the largest mini-group of
/// pictures that encoders have.
const GROUP: u32 = 32;

/// Which share of its buffer an encode begins with at least: less is not enough for a sync frame.
const LEAST_FULLNESS: f64 = 0.25;

/// Which share of its buffer an encode is not told of, because encoders overshoot their buffer by a little.
const OVERSHOOT: f64 = 0.05;

/// How an encode of its own begins in a session of several passes. The default is that of a pass over
/// everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct UnitStart {
    /// The quality that the unit is encoded again with, on the encoder's scale; `None` to encode as the
    /// properties say.
    pub(in crate::session) quality: Option<f64>,
    /// What the unit is to take in the last pass under a rate.
    pub(in crate::session) target: Option<Target>,
    /// How many frames the unit has; 0 where that is not known.
    pub(in crate::session) frames: usize,
    /// A digest of the unit's frames: of their times, pictures and options. 0 where nothing is kept by it.
    pub(in crate::session) digest: u128,
    /// The samples of the merged stream, as decode time and bytes, that windows of data rate limits still
    /// hold when the unit begins.
    pub(in crate::session) before: Vec<(Time, u64)>,
    /// Those behind the unit that windows may hold which begin in it.
    pub(in crate::session) after: Vec<(Time, u64)>,
    /// Which share of the decoder's buffer the samples before the unit leave full, where there is a buffer.
    pub(in crate::session) fullness: Option<f64>,
}

impl UnitStart {
    /// Whether an encode that was opened for one unit and has had no frame can serve for another.
    pub(in crate::session) fn opens_like(&self, other: &Self) -> bool {
        let frames = |start: &Self| start.quality.map(|_| start.frames);
        self.quality == other.quality
            && frames(self) == frames(other)
            && self.fullness == other.fullness
            && self.target.is_some() == other.target.is_some()
    }
}

/// The settings of a unit, from those that its properties alone would give.
pub(in crate::session) fn unit_settings(
    info: &EncoderInfo,
    values: &Values,
    settings: EncoderSettings,
    unit: &UnitStart,
) -> EncoderSettings {
    let Some(quality) = unit.quality else { return settings };
    let mut settings = EncoderSettings { rate: RateControl::Quality(quality), ..settings };
    settings.controls.first_pass = first_pass(info, values, &settings, unit);
    settings.controls.quality_ceiling = None;
    // At constant quality only encoders that know limits have a buffer.
    settings.controls.buffer = settings.controls.buffer.filter(|_| info.controls.rate_limit);
    // An encoder that keeps to a greatest rate as to a limit is told of the buffer in its own right, because
    // a limit says how large it is, and not how full the samples before the unit have left it.
    if settings.limit.is_some()
        && !is_limited(values)
        && let Some(buffer) = judged_buffer(values).filter(|_| info.controls.variable_bit_rate)
    {
        (settings.controls.buffer, settings.limit) = (Some(buffer), None);
    }
    settings.controls.limit_kept_by_caller = is_limited(values) && is_fitted(&settings, unit);
    if let (Some(buffer), Some(fullness)) = (&mut settings.controls.buffer, unit.fullness) {
        buffer.initial = (fullness - OVERSHOOT).max(LEAST_FULLNESS);
    }
    settings
}

/// How many frames the encoder's own first pass may look at. A unit that is encoded again is there as a
/// whole, and an encoder that saw all of it spends its bits better. Not under a limit, because there the rest
/// is encoded by what came out so far; and not where the pictures that have to wait would take too much
/// memory.
fn first_pass(
    info: &EncoderInfo,
    values: &Values,
    settings: &EncoderSettings,
    unit: &UnitStart,
) -> Option<u32> {
    let frames = frames_in_memory(settings, unit);
    frames.filter(|_| info.controls.first_pass && !is_limited(values))
}

/// Whether a unit is encoded until it takes its bytes. Then what comes out is judged by the windows of
/// limits, for an encoder that knows limits as well: the buffer that it is told of holds less than the limits
/// allow, and what a unit takes in it does not follow from the quality alone.
pub(in crate::session) fn is_fitted(settings: &EncoderSettings, unit: &UnitStart) -> bool {
    unit.target.is_some() && frames_in_memory(settings, unit).is_some()
}

/// How many frames a unit has that is encoded again, if all its pictures may wait in memory: for an encoder's
/// own first pass, or because all of it may have to be encoded again. None where the client bounds the delay,
/// because the frame that it waits for would be one of those that wait (EF-11).
fn frames_in_memory(settings: &EncoderSettings, unit: &UnitStart) -> Option<u32> {
    unit.quality?;
    let fits = |frames: &u32| (1..=HoldBack::most_frames(settings)).contains(frames);
    u32::try_from(unit.frames).ok().filter(|frames| settings.controls.may_hold_all() && fits(frames))
}

/// How long a cap of the rate holds samples back. Encoders that know neither limits nor constant rates have
/// to be begun again where they break a limit. In a group or a unit that is begun again as a whole no sync
/// frame comes into the middle, and nothing has to become very coarse in a hurry.
pub(in crate::session) fn hold_back(
    info: &EncoderInfo,
    values: &Values,
    settings: &EncoderSettings,
    unit: &UnitStart,
) -> HoldBack {
    if let Some(frames) = frames_in_memory(settings, unit) {
        return HoldBack::Whole { frames };
    }
    let real_time = set_value!(values, RealTime) == Some(&true);
    let waits = !real_time && settings.controls.may_hold_all();
    let knows_no_limit = !info.controls.rate_limit && matches!(settings.rate, RateControl::AverageBitRate(_));
    if unit.quality.is_some() || !waits || !knows_no_limit {
        return HoldBack::Reordered;
    }
    let limits = set_value!(values, DataRateLimits).into_iter().flatten();
    let window = limits.map(|limit| limit.seconds * settings.frame_rate.to_f64()).fold(0.0, f64::max);
    let room = HoldBack::most_frames(settings);
    let groups = (window / f64::from(GROUP)).ceil().clamp(1.0, f64::from((room / GROUP).max(1)));
    HoldBack::Groups { frames: GROUP * groups as u32 }
}
