//! Plans changes to a running encode, for a library that sees frames of one nominal rate from beginning to
//! end.

use crate::controls::Refusal;
use crate::raw::RawChange;
use retake_compression::encoder::{
    EncoderInfo, EncoderSettings, QualityScale, RateControl, RateLimit, Reconfiguration,
};
use retake_media::Rational;

/// The values that a running encode works by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Live {
    qp_bounds: Option<(u32, u32)>,
    quality: QualityScale,
    /// The frame rate that the library was opened with.
    nominal: Rational,
    frame_rate: Rational,
    rate: RateControl,
    limit: Option<RateLimit>,
    min_qp: Option<u32>,
    max_qp: Option<u32>,
}

impl Live {
    pub(crate) fn new(info: &EncoderInfo, settings: &EncoderSettings) -> Self {
        Self {
            qp_bounds: info.controls.qp_bounds,
            quality: info.quality,
            nominal: settings.frame_rate,
            frame_rate: settings.frame_rate,
            rate: settings.rate,
            limit: settings.limit,
            min_qp: settings.controls.min_qp,
            max_qp: settings.controls.max_qp,
        }
    }

    /// Records a quality that was set by itself.
    pub(crate) fn set_quality(&mut self, quality: f64) {
        self.rate = RateControl::Quality(quality);
    }

    /// Returns the change for the library, and the values afterwards; `None` where this encode cannot make
    /// it.
    pub(crate) fn plan(&self, change: &Reconfiguration) -> Result<Option<(RawChange, Self)>, Refusal> {
        let mut next = *self;
        if let Some(rate) = change.frame_rate {
            if !rate.is_positive() {
                return Err(("frame rate", format!("{rate} is not a positive fraction")));
            }
            next.frame_rate = rate;
        }
        if let Some(rate) = change.rate {
            if !self.check_rate(rate)? {
                return Ok(None);
            }
            next.rate = rate;
        }
        if let Some(limit) = change.limit {
            if self.limit.is_none() {
                return Ok(None);
            }
            next.limit = Some(limit);
        }
        next.min_qp = change.min_qp.or(self.min_qp);
        next.max_qp = change.max_qp.or(self.max_qp);
        next.check_bounds()?;
        next.check_limit()?;
        let raw = self.difference(&next);
        Ok(Some((raw, next)))
    }

    fn check_rate(&self, rate: RateControl) -> Result<bool, Refusal> {
        match (self.rate, rate) {
            (RateControl::Quality(_), RateControl::Quality(quality)) => {
                let (min, max) = (self.quality.min, self.quality.max);
                if !(min..=max).contains(&quality) {
                    return Err(("quality", format!("{quality} is not between {min} and {max}")));
                }
            }
            (RateControl::AverageBitRate(_), RateControl::AverageBitRate(rate))
            | (RateControl::ConstantBitRate(_), RateControl::ConstantBitRate(rate)) => {
                if !(1000..=4_000_000_000).contains(&rate) {
                    return Err(("bit rate", format!("{rate} bit/s is not between 1 kbit/s and 4 Gbit/s")));
                }
            }
            (RateControl::Lossless, RateControl::Lossless) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn check_bounds(&self) -> Result<(), Refusal> {
        for (name, value) in [("min_qp", self.min_qp), ("max_qp", self.max_qp)] {
            let outside = value.zip(self.qp_bounds).filter(|(qp, (min, max))| qp < min || qp > max);
            if let Some((qp, (min, max))) = outside {
                return Err((name, format!("{qp} is not a whole number from {min} to {max}")));
            }
        }
        match (self.min_qp, self.max_qp) {
            (Some(min), Some(max)) if min > max => Err(("min_qp", "is above max_qp".to_owned())),
            _ => Ok(()),
        }
    }

    fn check_limit(&self) -> Result<(), Refusal> {
        let Some(limit) = self.limit else { return Ok(()) };
        if !(1000..=4_000_000_000).contains(&limit.bits_per_second)
            || !(1000..=1 << 40).contains(&limit.window_bits)
        {
            return Err(("limit", "the rate and the window have to be at least 1000 bits".to_owned()));
        }
        match self.rate {
            RateControl::AverageBitRate(rate) if rate > limit.bits_per_second => {
                Err(("limit", "is below the average bit rate".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the bits in a second as the library counts seconds, so that a frame gets the same bits.
    fn scaled(&self, bits: u64) -> i64 {
        let factor = self.nominal.to_f64() / self.frame_rate.to_f64();
        ((bits as f64 * factor).round() as i64).max(1000)
    }

    fn bit_rate(&self) -> i64 {
        match self.rate {
            RateControl::AverageBitRate(rate) | RateControl::ConstantBitRate(rate) => self.scaled(rate),
            RateControl::Quality(_) | RateControl::Lossless => -1,
        }
    }

    fn limit(&self) -> (i64, i64) {
        self.limit.map_or((-1, -1), |limit| (self.scaled(limit.bits_per_second), limit.window_bits as i64))
    }

    fn difference(&self, next: &Self) -> RawChange {
        let mut raw = RawChange::NOTHING;
        if next.bit_rate() != self.bit_rate() {
            raw.bit_rate = next.bit_rate();
        }
        if next.limit() != self.limit() {
            (raw.limit_rate, raw.limit_window) = next.limit();
        }
        if let RateControl::Quality(quality) = next.rate
            && next.rate != self.rate
        {
            raw.quality = self.quality.snap(quality);
        }
        let bound = |before: Option<u32>, after: Option<u32>| match after {
            Some(qp) if before != after => qp as i32,
            _ => -1,
        };
        raw.min_qp = bound(self.min_qp, next.min_qp);
        raw.max_qp = bound(self.max_qp, next.max_qp);
        raw
    }
}
