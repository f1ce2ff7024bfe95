//! What it takes to get a running encode from its settings to others.

use crate::encoder::{ControlSupport, Controls, EncoderSettings, Reconfiguration};

/// What a change of settings means for a running encode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Nothing: it goes on as it is. What begins with an encode (a preset, the number of threads) or is
    /// counted above it (the interval of sync frames) may differ all the same; it holds from the next encode
    /// on.
    None,
    /// It can be told while it runs, if the encoder takes such changes ([`ControlSupport::takes`]). Otherwise
    /// as [`Change::Reopen`].
    Live(Reconfiguration),
    /// It has to end, and another one to begin.
    Reopen,
}

impl EncoderSettings {
    /// What a running encode with these settings needs in order to go on with others.
    pub fn change_to(&self, new: &Self) -> Change {
        let (old, old_controls) = (self, &self.controls);
        // What may differ without a new encode is taken from the new settings: all else has to be equal.
        let adapted = Self {
            rate: new.rate,
            limit: new.limit,
            frame_rate: new.frame_rate,
            max_key_frame_interval: new.max_key_frame_interval,
            preset: new.preset.clone(),
            threads: new.threads,
            controls: Controls {
                min_qp: new.controls.min_qp,
                max_qp: new.controls.max_qp,
                frame_count: new.controls.frame_count,
                ..old_controls.clone()
            },
            ..old.clone()
        };
        // A change says what holds from now on; it cannot say that something no longer holds, and a limit has
        // to be there from the start.
        let unsayable = old.limit.is_some() != new.limit.is_some()
            || old_controls.min_qp.is_some() && new.controls.min_qp.is_none()
            || old_controls.max_qp.is_some() && new.controls.max_qp.is_none()
            || std::mem::discriminant(&old.rate) != std::mem::discriminant(&new.rate);
        if adapted != *new || unsayable {
            return Change::Reopen;
        }
        let change = Reconfiguration {
            rate: (new.rate != old.rate).then_some(new.rate),
            limit: new.limit.filter(|_| new.limit != old.limit),
            min_qp: new.controls.min_qp.filter(|_| new.controls.min_qp != old_controls.min_qp),
            max_qp: new.controls.max_qp.filter(|_| new.controls.max_qp != old_controls.max_qp),
            frame_rate: (new.frame_rate != old.frame_rate).then_some(new.frame_rate),
        };
        if change == Reconfiguration::default() { Change::None } else { Change::Live(change) }
    }
}

impl ControlSupport {
    /// Whether running encodes of this encoder take such a change. Some of them may still answer no.
    pub fn takes(&self, change: &Reconfiguration) -> bool {
        let rates = change.rate.is_some() || change.limit.is_some() || change.frame_rate.is_some();
        let bounds = change.min_qp.is_some() || change.max_qp.is_some();
        (!rates || self.live_rate) && (!bounds || self.live_qp_bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{RateControl, RateLimit};
    use retake_media::{Colour, PixelFormat, Rational};

    fn settings() -> EncoderSettings {
        EncoderSettings {
            width: 64,
            height: 64,
            format: PixelFormat::I420,
            frame_rate: Rational::new(25, 1),
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            mastering_display: None,
            content_light: None,
            preset: String::new(),
            rate: RateControl::AverageBitRate(100_000),
            limit: Some(RateLimit { bits_per_second: 200_000, window_bits: 100_000 }),
            max_key_frame_interval: 0,
            threads: 1,
            reconstruct: false,
            controls: Controls { min_qp: Some(10), max_qp: Some(40), ..Controls::default() },
            options: Vec::new(),
        }
    }

    /// PR-1, section 3.3: what each change of settings means for a running encode.
    #[test]
    fn what_a_change_means() {
        type Edit = fn(&mut EncoderSettings);
        let live = |change| Change::Live(change);
        let usual = Reconfiguration::default();
        let limit = RateLimit { bits_per_second: 300_000, window_bits: 100_000 };
        let table: [(&str, Edit, Change); 16] = [
            ("nothing", |_| {}, Change::None),
            ("what begins with an encode", |new| new.preset = "slow".into(), Change::None),
            ("threads", |new| new.threads = 4, Change::None),
            ("what is counted above", |new| new.max_key_frame_interval = 12, Change::None),
            ("the number of frames", |new| new.controls.frame_count = 9, Change::None),
            (
                "the rate",
                |new| new.rate = RateControl::AverageBitRate(90_000),
                live(Reconfiguration { rate: Some(RateControl::AverageBitRate(90_000)), ..usual }),
            ),
            ("another kind of rate", |new| new.rate = RateControl::Quality(20.0), Change::Reopen),
            (
                "the limit",
                |new| {
                    new.limit = Some(RateLimit { bits_per_second: 300_000, window_bits: 100_000 });
                },
                live(Reconfiguration { limit: Some(limit), ..usual }),
            ),
            ("no limit any more", |new| new.limit = None, Change::Reopen),
            (
                "a bound",
                |new| new.controls.min_qp = Some(12),
                live(Reconfiguration { min_qp: Some(12), ..usual }),
            ),
            ("no smallest quantizer any more", |new| new.controls.min_qp = None, Change::Reopen),
            ("no largest quantizer any more", |new| new.controls.max_qp = None, Change::Reopen),
            (
                "the frame rate",
                |new| new.frame_rate = Rational::new(30, 1),
                live(Reconfiguration { frame_rate: Some(Rational::new(30, 1)), ..usual }),
            ),
            ("the size", |new| new.width = 128, Change::Reopen),
            ("a control", |new| new.controls.open_gop = true, Change::Reopen),
            (
                "the rate, and what only another encode has",
                |new| (new.rate, new.height) = (RateControl::AverageBitRate(1), 32),
                Change::Reopen,
            ),
        ];
        for (what, edit, expected) in table {
            let mut new = settings();
            edit(&mut new);
            assert_eq!(settings().change_to(&new), expected, "{what}");
        }
    }

    /// G-1: a change that an encoder does not take while it runs is not said to it.
    #[test]
    fn changes_are_told_to_encoders_that_take_them() {
        let rate = Reconfiguration { frame_rate: Some(Rational::new(30, 1)), ..Reconfiguration::default() };
        let bound = Reconfiguration { max_qp: Some(3), ..Reconfiguration::default() };
        for (live_rate, live_qp_bounds) in [(false, false), (false, true), (true, false), (true, true)] {
            let support = ControlSupport { live_rate, live_qp_bounds, ..ControlSupport::default() };
            assert_eq!((support.takes(&rate), support.takes(&bound)), (live_rate, live_qp_bounds));
        }
    }
}
