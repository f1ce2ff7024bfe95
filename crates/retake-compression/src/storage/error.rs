use retake_media::codes;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Calls of a [`MultiPassStorage`](super::MultiPassStorage) fail with this.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage belongs to another kind of encode. The client must use the same settings, or another
    /// storage.
    #[doc(alias = "kVTMultiPassStorageIdentifierMismatchErr")]
    #[error(
        "the multi-pass storage was written for {what} {stored}, not {wanted}: use the same, or another storage"
    )]
    Mismatch {
        /// The field that differs.
        what: &'static str,
        /// Its value in the storage.
        stored: String,
        /// Its value in the session.
        wanted: String,
    },
    /// Another session holds the storage, or another storage has its file.
    #[doc(alias = "kVTMultiPassStorageIdentifierMismatchErr")]
    #[error(
        "the multi-pass storage is in use by another session: invalidate that one first, or use another storage"
    )]
    InUse,
    /// The storage was closed.
    #[doc(alias = "kVTMultiPassStorageInvalidErr")]
    #[error("the multi-pass storage was closed")]
    Closed,
    /// The storage's file cannot be opened, is damaged, or is no storage. The file is unchanged.
    #[doc(alias = "kVTMultiPassStorageInvalidErr")]
    #[error("multi-pass storage{}: it cannot be used: {source}", at(path))]
    Unusable {
        /// The file, or `None` if it is a temporary one.
        path: Option<PathBuf>,
        /// The reason.
        source: io::Error,
    },
    /// The storage's file cannot be written or read any more, for example because the disk is full. The
    /// source is the error of the system.
    #[error("multi-pass storage{}: {doing}: {source}", at(path))]
    File {
        /// The file, or `None` if it is a temporary one.
        path: Option<PathBuf>,
        /// The activity that failed.
        doing: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!(" {}", path.display()))
}

impl StorageError {
    /// Returns the stable number of the error (section 15 of the contract).
    pub const fn code(&self) -> i32 {
        match self {
            Self::Mismatch { .. } | Self::InUse => codes::MULTI_PASS_STORAGE_IDENTIFIER_MISMATCH,
            Self::Closed | Self::Unusable { .. } => codes::MULTI_PASS_STORAGE_INVALID,
            Self::File { .. } => codes::VIDEO_ENCODER_MALFUNCTION,
        }
    }
}

/// Errors of the system are compared by their text, because they cannot be compared otherwise.
impl PartialEq for StorageError {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.to_string() == other.to_string()
    }
}

impl Eq for StorageError {}
