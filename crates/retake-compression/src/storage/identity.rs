use super::StorageError;
use retake_media::Codec;
use serde::{Deserialize, Serialize};

/// What a storage's content is good for: sessions with an equal identity can go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageIdentity {
    /// The encoder's name.
    pub encoder: String,
    /// Its library's version: statistics of one version are nothing to another.
    pub version: String,
    /// What it writes.
    pub codec: Codec,
    /// Luma samples per row.
    pub width: u32,
    /// Luma rows.
    pub height: u32,
    /// Everything else that structure and rate depend on, as text that is equal for equal settings.
    pub settings: String,
}

impl StorageIdentity {
    /// Says what differs, if anything does.
    pub(super) fn check(&self, wanted: &Self) -> Result<(), StorageError> {
        let size = |identity: &Self| format!("{}x{}", identity.width, identity.height);
        let parts = [
            ("encoder", self.encoder.clone(), wanted.encoder.clone()),
            ("version", self.version.clone(), wanted.version.clone()),
            ("codec", self.codec.to_string(), wanted.codec.to_string()),
            ("size", size(self), size(wanted)),
            ("settings", self.settings.clone(), wanted.settings.clone()),
        ];
        match parts.into_iter().find(|(_, stored, wanted)| stored != wanted) {
            Some((what, stored, wanted)) => Err(StorageError::Mismatch { what, stored, wanted }),
            None => Ok(()),
        }
    }
}
