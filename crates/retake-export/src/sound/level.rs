//! How loud a track is, and the one gain that it gets.
//!
//! One gain for all of a track changes nothing but its level (EBU R 128 calls it normalisation): there is no
//! compressor and no limiter.

use super::placed::PlacedSound;
use super::request::AudioLayout;
use crate::error::ExportError;
use crate::stop::StopFlag;
use ebur128::{Channel, EbuR128, Mode};
use serde::{Deserialize, Serialize};

/// The highest true peak of sound whose loudness is set, in dBTP, as EBU R 128 has it.
pub(crate) const TRUE_PEAK: f64 = -1.0;

/// What a gain is chosen for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LevelRule {
    /// The sound stays as it is.
    Keep,
    /// The sound is made quieter if it would exceed full scale: that of several channels mixed to one may.
    NoClipping,
    /// The sound gets this loudness, in LUFS, as far as its true peak allows.
    Loudness(f64),
}

/// How loud a track was, and what was made of that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SoundLevel {
    /// The integrated loudness before, in LUFS, of the channels that are encoded; `None` where it was not
    /// measured, or where there is nothing but silence.
    pub loudness: Option<f64>,
    /// The true peak before, in dBTP; `None` as above.
    pub true_peak: Option<f64>,
    /// The gain, in decibels.
    pub gain: f64,
    /// Whether the gain is less than the loudness asked for, for the sake of the true peak.
    pub limited: bool,
}

/// Measures a track from its start to its end, and chooses its gain.
pub(crate) fn measure(
    sound: &mut PlacedSound,
    rule: LevelRule,
    (rate, channels, layout): (u32, u32, u64),
    stop: &StopFlag,
) -> Result<Option<SoundLevel>, ExportError> {
    let mode = match rule {
        LevelRule::Keep => return Ok(None),
        LevelRule::NoClipping => Mode::SAMPLE_PEAK,
        LevelRule::Loudness(_) => Mode::I | Mode::TRUE_PEAK,
    };
    let failed = |error: ebur128::Error| ExportError::Internal(format!("measuring loudness: {error}"));
    let mut meter = EbuR128::new(channels, rate, mode).map_err(failed)?;
    meter.set_channel_map(&places(channels, layout)).map_err(failed)?;
    while let Some(samples) = sound.next()? {
        stop.check()?;
        meter.add_frames_f32(&samples).map_err(failed)?;
    }
    let peak = |of: &dyn Fn(u32) -> Result<f64, ebur128::Error>| {
        let peaks = (0..channels).map(of).collect::<Result<Vec<f64>, _>>();
        peaks.map(|peaks| peaks.into_iter().fold(0.0, f64::max)).map_err(failed)
    };
    let decibels = |peak: f64| (peak > 0.0).then(|| 20.0 * peak.log10());
    Ok(Some(match rule {
        LevelRule::Loudness(wanted) => {
            let loudness = meter.loudness_global().map_err(failed)?;
            let true_peak = decibels(peak(&|channel| meter.true_peak(channel))?);
            for_loudness(wanted, Some(loudness).filter(|loudness| loudness.is_finite()), true_peak)
        }
        _ => without_clipping(decibels(peak(&|channel| meter.sample_peak(channel))?)),
    }))
}

/// Chooses a gain for a loudness.
fn for_loudness(wanted: f64, loudness: Option<f64>, true_peak: Option<f64>) -> SoundLevel {
    // silence has no loudness that could be changed
    let (Some(before), Some(peak)) = (loudness, true_peak) else {
        return SoundLevel { loudness, true_peak, gain: 0.0, limited: false };
    };
    let (gain, most) = (hundredths(wanted - before), TRUE_PEAK - peak);
    let limited = gain > most;
    SoundLevel { loudness, true_peak, gain: if limited { down(most) } else { gain }, limited }
}

/// Chooses a gain that keeps peaks at full scale.
fn without_clipping(peak: Option<f64>) -> SoundLevel {
    let gain = down(-peak.unwrap_or(0.0)).min(0.0);
    SoundLevel { loudness: None, true_peak: None, gain, limited: false }
}

/// Nobody hears a hundredth of a decibel, and machines that reckon a little differently agree on it.
fn hundredths(gain: f64) -> f64 {
    (gain * 100.0).round() / 100.0
}

fn down(gain: f64) -> f64 {
    (gain * 100.0).floor() / 100.0
}

/// The weights of channels, as ITU-R BS.1770 has them: the bits of a mask in their order.
fn places(channels: u32, layout: u64) -> Vec<Channel> {
    let usual = || AudioLayout::of(channels).map_or(0, AudioLayout::mask);
    let mask = if layout.count_ones() == channels { layout } else { usual() };
    let mut places: Vec<Channel> = (0..64)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| match bit {
            0 => Channel::Left,
            1 => Channel::Right,
            // low frequencies do not count
            3 | 35 => Channel::Unused,
            // those behind and beside the listener weigh more
            4 | 8 | 9 => Channel::LeftSurround,
            5 | 10 => Channel::RightSurround,
            _ => Channel::Center,
        })
        .collect();
    places.resize(channels as usize, Channel::Center);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_reaches_the_loudness_or_the_true_peak() {
        let level = for_loudness(-23.0, Some(-30.0), Some(-12.0));
        assert_eq!((level.gain, level.limited), (7.0, false));
        let level = for_loudness(-14.0, Some(-30.0), Some(-12.0));
        assert_eq!((level.gain, level.limited), (11.0, true));
        let level = for_loudness(-23.0, Some(-10.0), Some(0.5));
        assert_eq!((level.gain, level.limited), (-13.0, false));
        let level = for_loudness(-23.0, Some(-23.0), Some(-0.505));
        assert_eq!((level.gain, level.limited), (-0.5, true));
        let level = for_loudness(-23.0, None, None);
        assert_eq!((level.gain, level.limited), (0.0, false));
        assert_eq!(without_clipping(Some(3.004)).gain, -3.01);
        assert_eq!(without_clipping(Some(-3.0)).gain, 0.0);
        assert_eq!(without_clipping(None).gain, 0.0);
    }

    #[test]
    fn channels_weigh_as_they_lie() {
        use Channel::{Center, Left, LeftSurround, Right, RightSurround, Unused};
        assert_eq!(places(6, 0), [Left, Right, Center, Unused, LeftSurround, RightSurround]);
        assert_eq!(places(6, 0x60F), [Left, Right, Center, Unused, LeftSurround, RightSurround]);
        assert_eq!(places(2, 0), [Left, Right]);
        assert_eq!(places(1, 0x4), [Center]);
        assert_eq!(places(9, 0).len(), 9);
    }
}
