//! This module decides which sessions can go on with a storage.

use super::StorageError;
use retake_media::Codec;
use serde::{Deserialize, Serialize};

/// An identity describes the encode that filled a storage. Sessions with an equal identity can go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageIdentity {
    /// The encoder's name.
    pub encoder: String,
    /// The version of the encoder's library, because statistics of one version are useless to another.
    pub version: String,
    /// The codec that it writes.
    pub codec: Codec,
    /// The luma samples per row.
    pub width: u32,
    /// The luma rows.
    pub height: u32,
    /// All other settings that structure and rate depend on, as text that is equal for equal settings.
    pub settings: String,
}

impl StorageIdentity {
    /// Fails with the first field that differs, if any does.
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
