//! Any content as a multi-pass storage: it is refused, or says what it holds, records a further pass, and is
//! found again as it was closed.

use crate::journalled::{file, inputs};
use retake_compression::storage::{
    FrameRecord, MultiPassStorage, NoteKey, StorageIdentity, StorageLease, StorageOptions,
};
use retake_media::{Codec, SampleKind, Time};
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub fn run(data: &[u8]) {
    let real = real();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("storage");
    fs::write(&path, file(data, real[6], real[7])).expect("a temporary file");
    let Some(storage) = open(&path) else { return };
    // another identity than the seeds' is refused, and nothing else is asked of such a storage
    let Ok(lease) = storage.attach(&identity()) else { return };
    read(&lease);
    let pass = lease.passes().expect("an open storage");
    lease.begin_pass(pass).expect("a disk with room");
    lease.push_frame(frame(7)).expect("a disk with room");
    lease.end_pass().expect("a disk with room");
    drop(lease);
    storage.close().expect("a disk with room");
    drop(storage);
    let storage = open(&path).expect("a storage that was closed");
    let lease = storage.attach(&identity()).expect("the identity that it had");
    assert_eq!(lease.frames(pass).expect("the pass that was recorded"), [frame(7)]);
}

fn open(path: &Path) -> Option<Arc<MultiPassStorage>> {
    MultiPassStorage::create(Some(path), &StorageOptions::default()).ok()
}

/// Whether everything in it can be read.
fn read(lease: &StorageLease) -> bool {
    let passes = lease.passes().expect("an open storage");
    let mut sound = true;
    for pass in (0..passes.min(4)).chain([passes.saturating_sub(1), passes]) {
        let _ = lease.pass_end(pass);
        sound &= lease.frames(pass).is_ok();
    }
    for topic in [0, 1, TOPIC] {
        for key in lease.notes(topic).expect("an open storage") {
            sound &= lease.note(key).is_ok();
        }
    }
    sound
}

const TOPIC: u8 = b'q';

fn identity() -> StorageIdentity {
    StorageIdentity {
        encoder: "x264".into(),
        version: "1".into(),
        codec: Codec::H264,
        width: 64,
        height: 48,
        settings: "{}".into(),
    }
}

fn frame(number: i64) -> FrameRecord {
    let kind = if number == 0 { SampleKind::Sync } else { SampleKind::Disposable };
    let (pts, duration) = (Time::new(number, 25), Time::new(1, 25));
    FrameRecord { pts, duration, input: 0, kind, bits: 800, qp: 23.5 }
}

/// The file of a storage that was written well.
fn real() -> &'static [u8] {
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    REAL.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("storage");
        let options = StorageOptions { do_not_delete: true, ..StorageOptions::default() };
        let storage = MultiPassStorage::create(Some(&path), &options).expect("a new storage");
        let lease = storage.attach(&identity()).expect("a new storage");
        for pass in 0..2 {
            lease.begin_pass(pass).expect("a disk with room");
            (0..3).for_each(|number| lease.push_frame(frame(number)).expect("a disk with room"));
            lease.put_note(NoteKey { topic: TOPIC, pass, unit: 1 }, b"a note").expect("a disk with room");
            lease.end_pass().expect("a disk with room");
        }
        drop(lease);
        storage.close().expect("a disk with room");
        fs::read(&path).expect("the storage's file")
    })
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = inputs(real());
    for seed in &seeds {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("storage");
        fs::write(&path, file(seed, real()[6], real()[7])).expect("a temporary file");
        let storage = open(&path).expect("a seed is no valid storage");
        let lease = storage.attach(&identity()).expect("a seed has another identity");
        assert!(read(&lease) && lease.passes().expect("an open storage") == 2, "a seed is no whole storage");
    }
    seeds
}
