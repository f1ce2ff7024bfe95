//! Pools the scores of many frames into one.

use crate::QualityError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Chooses how the scores of many frames become one.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The score that 5 % of the frames do not reach: number ⌊n × 0.05⌋ of the sorted scores, counted from 0.
    P5,
    /// The score of the worst frame.
    Min,
}

impl Pooling {
    /// All poolings.
    pub const ALL: [Self; 3] = [Self::Mean, Self::P5, Self::Min];

    /// Returns the name that flags and files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P5 => "p5",
            Self::Min => "min",
        }
    }

    /// Returns one score for many; NaN for none.
    pub fn pool(&self, scores: &[f64]) -> f64 {
        if scores.is_empty() {
            return f64::NAN;
        }
        match self {
            Self::Mean => scores.iter().sum::<f64>() / scores.len() as f64,
            Self::P5 => {
                let mut sorted = scores.to_vec();
                let rank = (sorted.len() as f64 * 0.05) as usize;
                *sorted.select_nth_unstable_by(rank, f64::total_cmp).1
            }
            Self::Min => scores.iter().copied().fold(f64::INFINITY, f64::min),
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Pooling {
    type Err = QualityError;

    fn from_str(name: &str) -> Result<Self, QualityError> {
        let found = Self::ALL.into_iter().find(|pool| pool.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| QualityError::UnknownPool(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_by_hand() {
        let mut scores: Vec<f64> = (0..40).map(f64::from).collect();
        scores.reverse();
        assert_eq!(Pooling::Mean.pool(&scores), 19.5);
        assert_eq!(Pooling::P5.pool(&scores), 2.0);
        assert_eq!(Pooling::P5.pool(&scores[..39]), 2.0, "⌊39 × 0.05⌋ is 1, and the list starts at 1");
        assert_eq!(Pooling::Min.pool(&scores), 0.0);
        assert!(Pooling::ALL.iter().all(|pool| pool.pool(&[7.0]) == 7.0 && pool.pool(&[]).is_nan()));
        assert_eq!("P5".parse(), Ok(Pooling::P5));
        assert!("harmonic".parse::<Pooling>().is_err());
    }
}
