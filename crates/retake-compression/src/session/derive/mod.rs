//! From properties to the settings of an encode: the one place where a property gets its meaning for an
//! encoder.
//!
//! [`settings`] is what a session opens its encodes with; [`settings_of`] is the same for whoever has
//! properties and no session. [`EncoderSettings::change_to`] says what it takes to get from the settings of a
//! running encode to others. Everything here is a function of its arguments, but for the number of threads,
//! which is the machine's where nobody asks for one.

mod change;
mod colour;
mod controls;
mod hints;
mod quality;
mod rate;
mod scoring;
mod structure;
mod unit;

pub use change::Change;
pub use hints::Hints;

pub(super) use colour::{described, loses_side_data};
pub(super) use hints::Said;
pub(super) use quality::asked_on_scale;
pub(super) use rate::{average, is_limited, judged_buffer, rate};
pub(super) use scoring::scoring;
pub(super) use structure::{chroma, depth, format, frame_rate};
pub(super) use unit::{UnitStart, hold_back, is_fitted, unit_settings};

use super::SessionError;
use crate::encoder::EncoderSettings;
use crate::property::{Environment, Property, PropertyKey, PropertyValue, Values, hinted_preset, set_value};
use retake_media::ChromaSubsampling;

/// The settings of the encode that a session in this environment would open, if these properties were set and
/// its first frame said what `hints` say.
///
/// Values are checked as [`SessionHandle::set_all`](super::SessionHandle::set_all) checks them:
/// each by the table, by what the encoder has, and against all others. A property that is not named keeps its
/// default; of a property that is named twice the last value counts. Properties that only a session can obey
/// (`RealTime` beside its share in the threads, `MultiPassStorage`, the passes) change nothing else in the
/// settings.
///
/// # Errors
/// [`SessionError::Property`] for a value that a session would refuse, and [`SessionError::Parameter`] where
/// the encoder has no samples of the depth that was asked for.
pub fn settings_of(
    environment: &Environment<'_>,
    properties: &[(PropertyKey, PropertyValue)],
    hints: &Hints,
) -> Result<EncoderSettings, SessionError> {
    let changes: Vec<_> = properties.iter().map(|(key, value)| (*key, Some(value.clone()))).collect();
    let values = Values::default().with(environment, &changes, false)?;
    check_complete(environment, &values, hints)?;
    settings(environment, &values, hints)
}

/// Refuses values that lack what they need beside them, when nothing more will be set.
pub(super) fn check_complete(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Result<(), SessionError> {
    let keys = values.iter().map(Property::key);
    Ok(values.check_complete(environment, frame_rate(values, hints).to_f64(), keys)?)
}

/// The settings of an encode with these values.
pub(super) fn settings(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Result<EncoderSettings, SessionError> {
    let info = environment.info;
    let (rate, limit) = rate(environment, values);
    let (mastering_display, content_light) = colour::hdr(values, hints);
    let format = structure::format(environment, values, hints)?;
    let mut colour = colour::colour(values, hints.colour);
    if format.chroma_subsampling() != ChromaSubsampling::Yuv420 {
        // Headers have a place of chroma samples for 4:2:0 alone.
        colour.chroma_location = 0;
    }
    Ok(EncoderSettings {
        width: environment.width,
        height: environment.height,
        format,
        frame_rate: frame_rate(values, hints),
        colour,
        pixel_aspect_ratio: set_value!(values, PixelAspectRatio).copied().unwrap_or(hints.pixel_aspect_ratio),
        mastering_display,
        content_light,
        preset: hinted_preset(info, values),
        rate,
        limit,
        max_key_frame_interval: structure::key_frame_interval(environment, values),
        threads: structure::threads(values),
        reconstruct: scoring(environment, values).is_some() && info.reconstructs,
        controls: controls::controls(environment, values, hints),
        options: set_value!(values, EncoderOptions).cloned().unwrap_or_default(),
    })
}
