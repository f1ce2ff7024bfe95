//! What an encoder keeps about frames for later encodes of the same frames.

use super::{EncoderInfo, EncoderSettings, RateControl};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// Data of an encoder about the frames of one encode, such as the statistics of its library's first pass. A
/// later encode of the same frames with another quality may use it in place of looking at them again; the
/// samples must be those that it would give without.
///
/// Nothing but the encoder knows what the bytes mean, and they are only of use to the version and the
/// settings that made them: [`is_of`](Self::is_of) tells. What is of another version is ignored.
#[derive(Clone, PartialEq, Eq)]
pub struct EncoderData {
    /// A digest of the encoder, its version and the settings, but for the quality.
    pub identity: u128,
    /// The encoder's own form.
    pub bytes: Vec<u8>,
}

impl EncoderData {
    /// Makes data of an encoder with these settings.
    pub fn new(info: &EncoderInfo, settings: &EncoderSettings, bytes: Vec<u8>) -> Self {
        Self { identity: identity(info, settings), bytes }
    }

    /// Tells whether the data was made by this version of this encoder with these settings, whatever the
    /// quality was.
    pub fn is_of(&self, info: &EncoderInfo, settings: &EncoderSettings) -> bool {
        self.identity == identity(info, settings)
    }
}

fn identity(info: &EncoderInfo, settings: &EncoderSettings) -> u128 {
    // The quality is what differs from one take of the same frames to the next; so does whether the take is
    // scored, which wants reconstructions.
    let rate = match settings.rate {
        RateControl::Quality(_) => RateControl::Quality(info.quality.usual),
        other => other,
    };
    let alike = EncoderSettings { rate, reconstruct: false, ..settings.clone() };
    // The form has field names and is the same for equal settings.
    let text = format!("{}\n{}\n{alike:?}", info.name, info.version);
    xxh3_128(text.as_bytes())
}

impl fmt::Debug for EncoderData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EncoderData { identity, bytes } = self;
        write!(f, "EncoderData({identity:032x}, {} bytes)", bytes.len())
    }
}
