//! Real films, which are no part of the repository.

use std::path::{Path, PathBuf};

/// A clip of real film from the folder in `RETAKE_CLIPS`, or beside the repository; `None`, with a visible
/// word, if it is not there.
pub fn clip(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RETAKE_CLIPS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clips"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {name} in {}; set RETAKE_CLIPS to the folder of clips", folder.display());
    None
}
