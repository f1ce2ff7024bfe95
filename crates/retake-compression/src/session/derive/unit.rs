//! The settings of a unit that is encoded again.

use super::rate::is_limited;
use crate::encoder::{EncoderInfo, EncoderSettings, RateControl};
use crate::property::Values;
use retake_media::Time;

/// The most bytes of pictures of a unit that wait until all of it is there: for an encoder's own first pass,
/// or because all of it may have to be encoded again.
const UNIT_MEMORY: u64 = 256 << 20;

/// How an encode of its own begins in a session of several passes. The default is that of a pass over
/// everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct UnitStart {
    /// The quality that the unit is encoded again with, on the encoder's scale; `None` to encode as the
    /// properties say.
    pub(in crate::session) quality: Option<f64>,
    /// How many frames the unit has; 0 where that is not known.
    pub(in crate::session) frames: usize,
    /// The samples of the merged stream, as decode time and bytes, that windows of data rate limits still
    /// hold when the unit begins.
    pub(in crate::session) before: Vec<(Time, u64)>,
    /// Those behind the unit that windows may hold which begin in it.
    pub(in crate::session) after: Vec<(Time, u64)>,
}

impl UnitStart {
    /// Whether an encode that was opened for one unit and has had no frame can serve for another.
    pub(in crate::session) fn opens_like(&self, other: &Self) -> bool {
        let frames = |start: &Self| start.quality.map(|_| start.frames);
        self.quality == other.quality && frames(self) == frames(other)
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

/// How many frames a unit has that is encoded again, if all its pictures may wait in memory.
pub(in crate::session) fn frames_in_memory(settings: &EncoderSettings, unit: &UnitStart) -> Option<u32> {
    unit.quality?;
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let fits = |frames: &u32| *frames > 0 && u64::from(*frames).saturating_mul(picture) <= UNIT_MEMORY;
    u32::try_from(unit.frames).ok().filter(fits)
}
