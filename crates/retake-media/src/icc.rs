//! ICC colour profiles as containers carry them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Every profile begins with a header of so many bytes (ICC.1, 7.2).
const HEADER: usize = 128;
/// Profiles of displays and cameras are smaller; a larger file is no profile, or one for printers.
const LARGEST: usize = 1 << 20;

/// An ICC colour profile tells how the colours of a picture must be shown where tags do not say it.
///
/// The bytes may come from anywhere. A container relies on their length and on the mark of the header, so
/// only these are checked.
#[doc(alias = "kVTCompressionPropertyKey_ICCProfile")]
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct IccProfile(Vec<u8>);

impl IccProfile {
    /// The largest number of bytes that a profile may have: 1 MiB.
    pub const LARGEST: usize = LARGEST;

    /// Takes these bytes as a profile. Returns `None` if they are not one, or more than
    /// [`IccProfile::LARGEST`].
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let fits = (HEADER..=LARGEST).contains(&bytes.len());
        let size = bytes.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize);
        (fits && size == Some(bytes.len()) && bytes[36..40] == *b"acsp").then_some(Self(bytes))
    }

    /// Returns the bytes of the profile.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for IccProfile {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::new(bytes).ok_or("not an ICC profile")
    }
}

impl From<IccProfile> for Vec<u8> {
    fn from(profile: IccProfile) -> Self {
        profile.0
    }
}

impl fmt::Debug for IccProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IccProfile({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
        bytes[36..40].copy_from_slice(b"acsp");
        bytes
    }

    /// Spec 5.8, ICCProfile: bytes that are no profile, or too many for one, are refused.
    #[test]
    fn only_profiles_are_taken() {
        for length in [HEADER, 560, LARGEST] {
            assert_eq!(IccProfile::new(bytes(length)).unwrap().as_bytes().len(), length);
        }
        assert!(IccProfile::new(Vec::new()).is_none());
        assert!(IccProfile::new(bytes(HEADER - 1)).is_none());
        assert!(IccProfile::new(bytes(LARGEST + 1)).is_none());
        assert!(IccProfile::new([bytes(560), vec![0]].concat()).is_none(), "another length than it says");
        let mut unmarked = bytes(560);
        unmarked[36] = b'A';
        assert!(IccProfile::new(unmarked).is_none());
    }
}
