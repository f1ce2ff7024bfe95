//! Fractions as containers store them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A fraction of two 32-bit integers, as containers use it for frame rates, time bases and pixel aspect
/// ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rational {
    /// The numerator.
    pub num: i32,
    /// The denominator; a fraction with a denominator of zero is *unknown*.
    pub den: i32,
}

impl Rational {
    /// Makes a fraction of two numbers as they are, without reducing it.
    pub const fn new(num: i32, den: i32) -> Self {
        Self { num, den }
    }

    /// Returns whether both parts are positive, so that the fraction can be a rate, a time base or an aspect
    /// ratio.
    pub const fn is_positive(self) -> bool {
        self.num > 0 && self.den > 0
    }

    /// Returns the nearest floating point number; 0 for an unknown fraction.
    pub fn to_f64(self) -> f64 {
        if self.den == 0 { 0.0 } else { f64::from(self.num) / f64::from(self.den) }
    }

    /// Returns the same fraction in the smallest numbers; a fraction that is not positive stays as it is.
    #[must_use]
    pub const fn reduced(self) -> Self {
        if !self.is_positive() {
            return self;
        }
        // no divisor of a number is greater than the number
        let divisor = greatest_common_divisor(self.num as i128, self.den as i128) as i32;
        Self { num: self.num / divisor, den: self.den / divisor }
    }

    /// Returns the fraction turned upside down, so that a frame rate becomes a frame duration.
    pub const fn inverse(self) -> Self {
        Self { num: self.den, den: self.num }
    }
}

/// Returns the greatest number that divides both; 1 for two zeros. Neither may be negative.
pub const fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}
