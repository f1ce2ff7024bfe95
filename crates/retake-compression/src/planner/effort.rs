//! How much work a planner may ask for: a point between few retakes and few bytes.
//!
//! An effort changes no first take, so jobs of several efforts share theirs, and never how a floor is held:
//! a unit below it is encoded again whatever the effort is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How much is encoded again for the sake of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Units are encoded again where they miss a floor, and hardly ever to save bytes.
    Fast,
    /// Units are encoded again where the bytes that are expected to be saved are worth the work.
    #[default]
    Balanced,
    /// Units are encoded again until they are within a tenth of the tolerance above the floor, or nothing
    /// more is expected of it.
    Smallest,
}

impl Effort {
    /// All of them, from the least work to the most.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Balanced, Self::Smallest];

    /// The name, as flags and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Smallest => "smallest",
        }
    }

    /// The passes that are allowed where nobody says how many, the first one included.
    pub fn passes(self) -> u32 {
        match self {
            Self::Fast | Self::Balanced => 5,
            Self::Smallest => 8,
        }
    }

    /// The share of the film's bytes that a retake must be expected to save, per share of the film's frames
    /// that it encodes again.
    pub(super) fn worth(self) -> f64 {
        match self {
            Self::Fast => 1.5,
            Self::Balanced => 0.3,
            Self::Smallest => 0.01,
        }
    }

    /// After so many takes a unit that reaches the floor is left as it is, because its curve does not follow
    /// the model.
    pub(super) fn enough(self) -> usize {
        match self {
            Self::Fast | Self::Balanced => 3,
            Self::Smallest => 6,
        }
    }

    /// At most this share of the film's frames is encoded again to move bits.
    pub(super) fn share(self) -> f64 {
        match self {
            Self::Fast => 0.4,
            Self::Balanced => 0.75,
            Self::Smallest => 1.0,
        }
    }

    /// The share of the tolerance by which a unit may be better than the floor without being encoded again.
    pub(super) fn slack(self) -> f64 {
        match self {
            Self::Fast | Self::Balanced => 1.0,
            Self::Smallest => 0.1,
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Effort {
    type Err = UnknownEffort;

    fn from_str(text: &str) -> Result<Self, UnknownEffort> {
        Self::ALL
            .into_iter()
            .find(|effort| effort.name() == text)
            .ok_or_else(|| UnknownEffort(text.to_owned()))
    }
}

/// A word that names no effort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no effort named {0:?}: fast, balanced or smallest")]
pub struct UnknownEffort(String);
