use retake_media::codes;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What can go wrong with a [`MultiPassStorage`](super::MultiPassStorage).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// It holds what another kind of encode learned. The client's to mend: with the same settings, or another
    /// storage.
    #[doc(alias = "kVTMultiPassStorageIdentifierMismatchErr")]
    #[error(
        "the multi-pass storage was written for {what} {stored}, not {wanted}: use the same, or another storage"
    )]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// As it is in the storage.
        stored: String,
        /// As it is in the session.
        wanted: String,
    },
    /// Another session has it.
    #[doc(alias = "kVTMultiPassStorageIdentifierMismatchErr")]
    #[error(
        "the multi-pass storage is in use by another session: invalidate that one first, or use another storage"
    )]
    InUse,
    /// It was closed.
    #[doc(alias = "kVTMultiPassStorageInvalidErr")]
    #[error("the multi-pass storage was closed")]
    Closed,
    /// Its file cannot be opened, is damaged, or is no storage. The file is as it was.
    #[doc(alias = "kVTMultiPassStorageInvalidErr")]
    #[error("multi-pass storage{}: it cannot be used: {source}", at(path))]
    Unusable {
        /// The file; none for a temporary one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Its file cannot be written or read any more: a full disk, for one. The system's word is the source.
    #[error("multi-pass storage{}: {doing}: {source}", at(path))]
    File {
        /// The file; none for a temporary one.
        path: Option<PathBuf>,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!(" {}", path.display()))
}

impl StorageError {
    /// The stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Mismatch { .. } | Self::InUse => codes::MULTI_PASS_STORAGE_IDENTIFIER_MISMATCH,
            Self::Closed | Self::Unusable { .. } => codes::MULTI_PASS_STORAGE_INVALID,
            Self::File { .. } => codes::VIDEO_ENCODER_MALFUNCTION,
        }
    }
}

/// What the system said is compared by its words: its errors cannot be compared otherwise.
impl PartialEq for StorageError {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.to_string() == other.to_string()
    }
}

impl Eq for StorageError {}
