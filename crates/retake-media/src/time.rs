//! Exact times, with the arithmetic of media time stamps.

use crate::rational::greatest_common_divisor;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::time::Duration;

/// Ticks of a nanosecond clock.
const NANOS: i32 = 1_000_000_000;

const VALID: u32 = 1;
const ROUNDED: u32 = 1 << 1;
const POSITIVE_INFINITY: u32 = 1 << 2;
const NEGATIVE_INFINITY: u32 = 1 << 3;
const INDEFINITE: u32 = 1 << 4;
const IMPLIED: u32 = POSITIVE_INFINITY | NEGATIVE_INFINITY | INDEFINITE;

/// An exact instant or duration: `value / timescale` seconds, or one of *invalid*, *indefinite*, ±infinity.
///
/// Comparisons are exact (cross-multiplied in 128 bits), so that 300/30000 equals 1/100. The default value is
/// [`Time::INVALID`]. Equality and order follow the instant, not the representation.
#[doc(alias = "CMTime")]
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Time {
    value: i64,
    timescale: i32,
    flags: u32,
    epoch: i64,
}

impl Time {
    /// The absence of any time. It is greater than every other time.
    #[doc(alias = "kCMTimeInvalid")]
    pub const INVALID: Self = Self { value: 0, timescale: 0, flags: 0, epoch: 0 };
    /// A time that exists but is not known.
    #[doc(alias = "kCMTimeIndefinite")]
    pub const INDEFINITE: Self = Self { value: 0, timescale: 0, flags: VALID | INDEFINITE, epoch: 0 };
    /// The time that is later than every numeric time.
    #[doc(alias = "kCMTimePositiveInfinity")]
    pub const POSITIVE_INFINITY: Self =
        Self { value: 0, timescale: 0, flags: VALID | POSITIVE_INFINITY, epoch: 0 };
    /// The time that is earlier than every numeric time.
    #[doc(alias = "kCMTimeNegativeInfinity")]
    pub const NEGATIVE_INFINITY: Self =
        Self { value: 0, timescale: 0, flags: VALID | NEGATIVE_INFINITY, epoch: 0 };
    /// Zero seconds.
    #[doc(alias = "kCMTimeZero")]
    pub const ZERO: Self = Self { value: 0, timescale: 1, flags: VALID, epoch: 0 };

    /// Makes a time of `value / timescale` seconds. A timescale that is not positive gives [`Time::INVALID`].
    #[doc(alias = "CMTimeMake")]
    pub const fn new(value: i64, timescale: i32) -> Self {
        if timescale <= 0 { Self::INVALID } else { Self { value, timescale, flags: VALID, epoch: 0 } }
    }

    /// Returns the time nearest to `seconds` on a timescale, marked as rounded when it is not exact. The
    /// timescale is halved until the value fits; a number that never fits becomes an infinity, and
    /// not-a-number becomes invalid.
    #[doc(alias = "CMTimeMakeWithSeconds")]
    pub fn from_seconds(seconds: f64, timescale: i32) -> Self {
        if timescale <= 0 || seconds.is_nan() {
            return Self::INVALID;
        }
        let mut scale = timescale;
        loop {
            let scaled = (seconds * f64::from(scale)).round();
            // 2^63 is exactly representable and i64::MAX is not, so only the strict comparison keeps the cast
            // exact.
            if scaled.abs() < 9_223_372_036_854_775_808.0 {
                let mut time = Self::new(scaled as i64, scale);
                if time.seconds() != seconds {
                    time.flags |= ROUNDED;
                }
                return time;
            }
            if scale == 1 {
                return if seconds > 0.0 { Self::POSITIVE_INFINITY } else { Self::NEGATIVE_INFINITY };
            }
            scale /= 2;
        }
    }

    /// Returns the same time in another epoch. Times of different epochs compare by epoch first.
    pub const fn with_epoch(mut self, epoch: i64) -> Self {
        self.epoch = epoch;
        self
    }

    /// Returns the numerator.
    pub const fn value(self) -> i64 {
        self.value
    }

    /// Returns the number of units per second.
    pub const fn timescale(self) -> i32 {
        self.timescale
    }

    /// Returns the epoch: 0 unless [`Time::with_epoch`] set another.
    pub const fn epoch(self) -> i64 {
        self.epoch
    }

    /// Returns the flag word: 1 valid, 2 rounded, 4 and 8 positive and negative infinity, 16 indefinite.
    #[doc(alias = "CMTimeFlags")]
    pub const fn flags(self) -> u32 {
        self.flags
    }

    /// Makes a time of the four parts that it is stored as. Parts that contradict each other, as those of a
    /// damaged file may, give [`Time::INVALID`].
    #[doc(alias = "CMTimeMakeFromDictionary")]
    pub const fn from_parts(value: i64, timescale: i32, flags: u32, epoch: i64) -> Self {
        if flags & VALID == 0 || flags & !(VALID | ROUNDED | IMPLIED) != 0 {
            return Self::INVALID;
        }
        if flags & IMPLIED != 0 {
            return Self { value: 0, timescale: 0, flags, epoch };
        }
        if timescale <= 0 { Self::INVALID } else { Self { value, timescale, flags, epoch } }
    }

    /// Returns whether this is a time at all (numeric, indefinite or infinite).
    pub const fn is_valid(self) -> bool {
        self.flags & VALID != 0
    }

    /// Returns whether this is a number of seconds. Only numeric times may be time stamps.
    #[doc(alias = "CMTIME_IS_NUMERIC")]
    pub const fn is_numeric(self) -> bool {
        self.flags & (VALID | IMPLIED) == VALID
    }

    /// Returns whether an operation had to round this time.
    pub const fn has_been_rounded(self) -> bool {
        self.flags & ROUNDED != 0
    }

    /// Returns the seconds as a floating point number, for display and rate arithmetic only: two of these
    /// must never be compared.
    pub fn seconds(self) -> f64 {
        match self.class() {
            Class::Numeric => self.value as f64 / f64::from(self.timescale),
            Class::PositiveInfinity => f64::INFINITY,
            Class::NegativeInfinity => f64::NEG_INFINITY,
            Class::Indefinite | Class::Invalid => f64::NAN,
        }
    }

    /// Returns the same instant on another timescale, rounded to nearest (away from zero on a tie).
    #[doc(alias = "CMTimeConvertScale")]
    pub fn convert_scale(self, timescale: i32) -> Self {
        if !self.is_numeric() || timescale == self.timescale {
            return self;
        }
        if timescale <= 0 {
            return Self::INVALID;
        }
        let numerator = i128::from(self.value) * i128::from(timescale);
        self.fit(numerator, i128::from(self.timescale), timescale, self.epoch, self.flags & ROUNDED)
    }

    /// Returns the first of the times `self`, `self + step`, `self + 2 * step`, … that lies after `time`. It
    /// is computed, not counted up to, because the times of a file may be any. It is infinite where no such
    /// time can be told from `time`, and where `step` is not above zero.
    pub fn first_after(self, step: Self, time: Self) -> Self {
        if self > time {
            return self;
        }
        if !(self.is_numeric() && step.is_numeric() && time.is_numeric()) || step <= Self::ZERO {
            return Self::POSITIVE_INFINITY;
        }
        let (a, b, c) = (i128::from(self.timescale), i128::from(step.timescale), i128::from(time.timescale));
        let common = a / greatest_common_divisor(a, b) * b;
        let (start, width) = (i128::from(self.value) * (common / a), i128::from(step.value) * (common / b));
        // no product has more than 126 bits, because a value has 63, and two timescales have 62
        let steps = (i128::from(time.value) * common - start * c).div_euclid(width * c) + 1;
        let scale = i32::try_from(common).unwrap_or(i32::MAX);
        let sum = (start + steps * width).checked_mul(i128::from(scale));
        let after = sum.map(|sum| self.fit(sum, common, scale, self.epoch, self.flags & ROUNDED));
        after.filter(|after| *after > time).unwrap_or(Self::POSITIVE_INFINITY)
    }

    fn combine(self, other: Self, sign: i64) -> Self {
        let theirs = match (other.class(), sign) {
            (Class::PositiveInfinity, -1) => Class::NegativeInfinity,
            (Class::NegativeInfinity, -1) => Class::PositiveInfinity,
            (class, _) => class,
        };
        match (self.class(), theirs) {
            (Class::Invalid, _) | (_, Class::Invalid) => Self::INVALID,
            (Class::PositiveInfinity, Class::NegativeInfinity)
            | (Class::NegativeInfinity, Class::PositiveInfinity) => Self::INVALID,
            (Class::PositiveInfinity, _) | (_, Class::PositiveInfinity) => Self::POSITIVE_INFINITY,
            (Class::NegativeInfinity, _) | (_, Class::NegativeInfinity) => Self::NEGATIVE_INFINITY,
            (Class::Indefinite, _) | (_, Class::Indefinite) => Self::INDEFINITE,
            (Class::Numeric, Class::Numeric) => self.combine_numeric(other, sign),
        }
    }

    fn combine_numeric(self, other: Self, sign: i64) -> Self {
        let epoch = match (self.epoch, other.epoch) {
            (a, b) if a == b => {
                if sign < 0 {
                    0
                } else {
                    a
                }
            }
            (a, 0) => a,
            (0, b) => b,
            _ => return Self::INVALID,
        };
        let flags = (self.flags | other.flags) & ROUNDED;
        let (a, b) = (i128::from(self.timescale), i128::from(other.timescale));
        let common = a / greatest_common_divisor(a, b) * b;
        let sum =
            i128::from(self.value) * (common / a) + i128::from(sign) * i128::from(other.value) * (common / b);
        let scale = i32::try_from(common).unwrap_or(i32::MAX);
        self.fit(sum * i128::from(scale), common, scale, epoch, flags)
    }

    /// Returns `numerator / denominator` ticks of `scale`, and halves the scale until the value fits.
    fn fit(self, numerator: i128, denominator: i128, mut scale: i32, epoch: i64, mut flags: u32) -> Self {
        let (mut numerator, mut denominator) = (numerator, denominator);
        loop {
            let value = round_div(numerator, denominator);
            if let Ok(value_64) = i64::try_from(value) {
                if value * denominator != numerator {
                    flags |= ROUNDED;
                }
                return Self { value: value_64, timescale: scale, flags: VALID | flags, epoch };
            }
            if scale == 1 {
                return if numerator > 0 { Self::POSITIVE_INFINITY } else { Self::NEGATIVE_INFINITY };
            }
            let halved = scale / 2;
            numerator = round_div(numerator * i128::from(halved), i128::from(scale));
            denominator = denominator.max(1);
            scale = halved;
            flags |= ROUNDED;
        }
    }

    fn class(self) -> Class {
        if self.flags & VALID == 0 {
            Class::Invalid
        } else if self.flags & POSITIVE_INFINITY != 0 {
            Class::PositiveInfinity
        } else if self.flags & NEGATIVE_INFINITY != 0 {
            Class::NegativeInfinity
        } else if self.flags & INDEFINITE != 0 {
            Class::Indefinite
        } else {
            Class::Numeric
        }
    }
}

/// The classes of times in the order of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NegativeInfinity,
    Numeric,
    Indefinite,
    PositiveInfinity,
    Invalid,
}

fn round_div(numerator: i128, denominator: i128) -> i128 {
    let half = denominator / 2;
    if numerator >= 0 { (numerator + half) / denominator } else { (numerator - half) / denominator }
}

/// The sum of two times. It is invalid where an operand is, and where infinities cancel each other; a sum
/// that does not fit is rounded, and at last infinite.
impl Add for Time {
    type Output = Self;

    #[doc(alias = "CMTimeAdd")]
    fn add(self, other: Self) -> Self {
        self.combine(other, 1)
    }
}

/// The difference of two times, as [`Time::add`] has it. Two times of one epoch give a duration, whose epoch
/// is 0.
impl Sub for Time {
    type Output = Self;

    #[doc(alias = "CMTimeSubtract")]
    fn sub(self, other: Self) -> Self {
        self.combine(other, -1)
    }
}

/// The time as far on the other side of zero; an infinity becomes the other one.
impl Neg for Time {
    type Output = Self;

    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl AddAssign for Time {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Time {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Exact to the nanosecond; [`Time::POSITIVE_INFINITY`] beyond 292 years.
impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        i64::try_from(duration.as_nanos()).map_or(Self::POSITIVE_INFINITY, |value| Self::new(value, NANOS))
    }
}

/// A time that is no [`Duration`]: not a number of seconds, or less than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no duration: it has to be a number of seconds, and not less than 0")]
pub struct NoDuration(pub Time);

/// Rounded to the nearest nanosecond.
impl TryFrom<Time> for Duration {
    type Error = NoDuration;

    fn try_from(time: Time) -> Result<Self, NoDuration> {
        if !time.is_numeric() || time.value < 0 {
            return Err(NoDuration(time));
        }
        let (value, scale) = (time.value as u64, time.timescale as u64);
        let nanos = (value % scale * NANOS as u64 + scale / 2) / scale;
        // The nanoseconds can be rounded up to a whole second.
        Ok(Self::from_secs(value / scale) + Self::from_nanos(nanos))
    }
}

impl Ord for Time {
    #[doc(alias = "CMTimeCompare")]
    fn cmp(&self, other: &Self) -> Ordering {
        self.class().cmp(&other.class()).then_with(|| {
            if self.class() != Class::Numeric {
                return Ordering::Equal;
            }
            self.epoch.cmp(&other.epoch).then_with(|| {
                let left = i128::from(self.value) * i128::from(other.timescale);
                let right = i128::from(other.value) * i128::from(self.timescale);
                left.cmp(&right)
            })
        })
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Time {}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            Class::Numeric => write!(f, "{}/{}", self.value, self.timescale),
            Class::PositiveInfinity => f.write_str("+infinity"),
            Class::NegativeInfinity => f.write_str("-infinity"),
            Class::Indefinite => f.write_str("indefinite"),
            Class::Invalid => f.write_str("invalid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As adding step by step has it, and as far away as times can be.
        #[test]
        fn the_first_time_after_another_is_computed(
            start in -1000i64..1000, scale in 1i32..100, step in 1i64..500, step_scale in 1i32..100, by in -200i64..5000,
        ) {
            let (start, step) = (Time::new(start, scale), Time::new(step, step_scale));
            let time = start + Time::new(by, 7);
            let mut counted = start;
            while counted <= time {
                counted += step;
            }
            prop_assert_eq!(start.first_after(step, time), counted);
            for far in [3_000_000_000_000, i64::MAX / 4] {
                let far = Time::new(far, 1);
                let after = start.first_after(step, far);
                prop_assert!(after > far && (after == Time::POSITIVE_INFINITY || after - far <= step + step));
            }
        }
    }

    /// T-1: equality is exact and by value.
    #[test]
    fn equal_instants_on_different_scales_are_equal() {
        assert_eq!(Time::new(300, 30_000), Time::new(1, 100));
        assert_ne!(Time::new(i64::MAX, 3), Time::new(i64::MAX - 1, 3));
    }

    /// Section 1.1: a time can be made again from its parts; parts that contradict each other give no time.
    #[test]
    fn parts_make_the_time_again() {
        for time in
            [Time::new(-7, 90_000).with_epoch(3), Time::from_seconds(0.1, 3), Time::INDEFINITE, Time::INVALID]
        {
            let again = Time::from_parts(time.value(), time.timescale(), time.flags(), time.epoch());
            assert_eq!(again, time);
            assert_eq!(again.flags(), time.flags());
        }
        for (timescale, flags) in [(0, 1), (-1, 3), (1, 0), (1, 33)] {
            assert!(!Time::from_parts(1, timescale, flags, 0).is_valid());
        }
    }

    /// Section 1.1: −infinity < numeric < indefinite < +infinity < invalid.
    #[test]
    fn classes_are_ordered() {
        let order = [
            Time::NEGATIVE_INFINITY,
            Time::new(-5, 1),
            Time::ZERO,
            Time::INDEFINITE,
            Time::POSITIVE_INFINITY,
            Time::INVALID,
        ];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(Time::new(9, 1) < Time::new(-9, 1).with_epoch(1));
    }

    #[test]
    fn implied_values_dominate_sums() {
        assert_eq!(Time::POSITIVE_INFINITY + Time::NEGATIVE_INFINITY, Time::INVALID);
        assert_eq!(Time::POSITIVE_INFINITY - Time::POSITIVE_INFINITY, Time::INVALID);
        assert_eq!(Time::POSITIVE_INFINITY + Time::INDEFINITE, Time::POSITIVE_INFINITY);
        assert_eq!(Time::INDEFINITE + Time::ZERO, Time::INDEFINITE);
        assert_eq!(Time::ZERO + Time::INVALID, Time::INVALID);
    }

    #[test]
    fn durations_become_times_and_back() {
        let duration = Duration::new(3, 500_000_000);
        assert_eq!(Time::from(duration), Time::new(7, 2));
        assert_eq!(Duration::try_from(Time::new(7, 2)), Ok(duration));
        assert_eq!(Duration::try_from(Time::new(1, 3)), Ok(Duration::from_nanos(333_333_333)));
        assert_eq!(Duration::try_from(Time::new(i64::MAX, 1)), Ok(Duration::from_secs(i64::MAX as u64)));
        let almost = Time::new(i64::from(i32::MAX) - 1, i32::MAX);
        assert_eq!(Duration::try_from(almost), Ok(Duration::from_secs(1)), "rounded up");
        for time in [Time::INVALID, Time::INDEFINITE, Time::POSITIVE_INFINITY, Time::new(-1, 9)] {
            assert_eq!(Duration::try_from(time), Err(NoDuration(time)));
        }
        assert_eq!(Time::from(Duration::MAX), Time::POSITIVE_INFINITY);
    }

    #[test]
    fn a_time_is_negated() {
        assert_eq!(-Time::new(3, 7), Time::new(-3, 7));
        assert_eq!(-Time::POSITIVE_INFINITY, Time::NEGATIVE_INFINITY);
        assert_eq!(-Time::INDEFINITE, Time::INDEFINITE);
        assert_eq!(-Time::INVALID, Time::INVALID);
        let mut time = Time::new(1, 2);
        time += Time::new(1, 3);
        time -= Time::new(1, 6);
        assert_eq!(time, Time::new(2, 3));
    }

    #[test]
    fn a_sum_that_does_not_fit_loses_scale_not_sense() {
        let big = Time::new(i64::MAX, 1000);
        let sum = big + big;
        assert!(sum.has_been_rounded());
        assert!((sum.seconds() / (2.0 * big.seconds()) - 1.0).abs() < 1e-6);
        assert_eq!(Time::new(i64::MAX, 1) + Time::new(i64::MAX, 1), Time::POSITIVE_INFINITY);
    }

    proptest! {
        #[test]
        fn addition_is_exact_where_the_scales_allow(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000,
                                                    s in 1i32..40_000, t in 1i32..40_000) {
            let (x, y) = (Time::new(a, s), Time::new(b, t));
            let sum = x + y;
            prop_assert!(!sum.has_been_rounded());
            prop_assert_eq!(sum - y, x);
            // The reference is cross-multiplied in 128 bits.
            let expected = i128::from(a) * i128::from(t) + i128::from(b) * i128::from(s);
            prop_assert_eq!(i128::from(sum.value()) * i128::from(s) * i128::from(t), expected * i128::from(sum.timescale()));
        }

        #[test]
        fn seconds_survive(value in -1_000_000i64..1_000_000, scale in 1i32..100_000) {
            let time = Time::new(value, scale);
            prop_assert_eq!(Time::from_seconds(time.seconds(), scale), time);
        }
    }
}
