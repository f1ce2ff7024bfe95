//! A disk that is full.

use super::{FRAMES, at_rate, film, send};
use crate::common;

use retake::property::Property;
use retake::storage::{MultiPassStorage, StorageError, StorageOptions};
use std::error::Error;
use std::process::Command;

/// Where the child is to keep its storage.
const FILE: &str = "RETAKE_TEST_STORAGE";

/// ST-9: what the system said when the storage could not be written comes out of the end of the pass, by its
/// number and in its words; all samples are good. A child in which files cannot grow sees it.
#[test]
fn st9_a_full_disk_is_told_at_the_end_of_the_pass() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"trap '' XFSZ; ulimit -f 4 && exec "$0" --exact --ignored --nocapture disk::child"#;
    let child = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, folder.path().join("storage"))
        .output();
    let Ok(child) = child else {
        eprintln!("SKIPPED: there is no bash to limit the size of files");
        return;
    };
    let out = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && out.contains("1 passed"), "{child:?}");
}

#[test]
#[ignore = "the child of another test"]
fn child() {
    let Some(path) = std::env::var_os(FILE) else { return };
    // SVT-AV1 is loaded from a copy of its library, for which there is no room either
    let Some(info) = common::encoders().into_iter().find(|info| info.name != "svt-av1") else { return };
    let pull = at_rate(&info);
    let storage = MultiPassStorage::create(Some(path.as_ref()), &StorageOptions::default());
    let storage = storage.unwrap();
    pull.0.set(Property::MultiPassStorage(storage.clone())).unwrap();
    pull.0.begin_pass().unwrap();
    assert_eq!(send(&pull, &film(), None).len(), FRAMES);
    let error = pull.0.end_pass().unwrap_err();
    assert_eq!(error.code(), -12912);
    assert!(error.to_string().contains("File too large"), "{error}");
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let system = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
    assert_eq!(system, Some(27), "EFBIG: {cause:?}");
    assert!(
        matches!(storage.close(), Err(StorageError::File { .. })),
        "it is told once more, and no pass can follow"
    );
}
