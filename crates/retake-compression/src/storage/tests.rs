//! These tests check the files, the leases and the content of a storage, also on backends that fail.

use super::content::Content;
use super::*;
use crate::encoder::EncoderData;
use crate::journal::faults::{Memory, cuts};
use proptest::prelude::*;
use retake_media::{Codec, SampleKind, Time};

fn identity() -> StorageIdentity {
    StorageIdentity {
        encoder: "x264".into(),
        version: "164".into(),
        codec: Codec::H264,
        width: 640,
        height: 360,
        settings: "interval 50".into(),
    }
}

fn frame(number: i64) -> FrameRecord {
    FrameRecord {
        pts: Time::new(number * 1001, 30_000),
        duration: if number % 7 == 0 { Time::INVALID } else { Time::new(1001, 30_000) },
        input: number as u64 % 3,
        kind: if number % 50 == 0 { SampleKind::Sync } else { SampleKind::Disposable },
        bits: 800 + number as u64,
        qp: 20.5,
    }
}

fn create(path: Option<&Path>, do_not_delete: bool) -> Result<Arc<MultiPassStorage>, StorageError> {
    let options = StorageOptions { do_not_delete, ..StorageOptions::default() };
    MultiPassStorage::create(path, &options)
}

/// A24, ST-1, ST-3, ST-6: the file is kept or deleted as it must be in every case: new, existing before, or
/// without a name; kept or not; closed or not.
#[test]
fn a24_the_file_goes_only_if_the_storage_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage");
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    for (there, named) in [(false, true), (true, true), (false, false)] {
        for do_not_delete in [false, true] {
            for close in [false, true] {
                let case = format!("there {there}, named {named}, kept {do_not_delete}, closed {close}");
                if there {
                    create(Some(&path), true).unwrap().attach(&identity()).unwrap();
                    assert!(path.exists(), "{case}");
                }
                let options = StorageOptions {
                    do_not_delete,
                    temporary_folder: (!named).then(|| folder.path().to_owned()),
                };
                let target = named.then_some(&*path);
                let storage = MultiPassStorage::create(target, &options).unwrap();
                storage.attach(&identity()).unwrap().begin_pass(0).unwrap();
                if close {
                    storage.close().unwrap();
                }
                assert_eq!(path.exists(), named, "{case}: never before it is dropped");
                drop(storage);
                assert_eq!(path.exists(), there || (named && do_not_delete), "{case}");
                assert_eq!(names(), usize::from(path.exists()), "{case}");
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

/// ST-4, ST-5, MP-25: a kept storage is opened with its content, but only by a session of the same identity.
#[test]
fn a_kept_storage_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage");
    let note = NoteKey { topic: b'p', pass: 0, unit: 3 };
    let storage = create(Some(&path), true).unwrap();
    let session = storage.attach(&identity()).unwrap();
    session.begin_pass(0).unwrap();
    (0..1000).for_each(|number| session.push_frame(frame(number)).unwrap());
    session.put_note(note, b"first").unwrap();
    session.put_note(note, b"statistics").unwrap();
    let end = session.end_pass().unwrap();
    drop((session, storage));
    // ST-11
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000);

    let storage = create(Some(&path), false).unwrap();
    for (what, other) in [
        ("encoder", StorageIdentity { encoder: "x265".into(), ..identity() }),
        ("version", StorageIdentity { version: "165".into(), ..identity() }),
        ("codec", StorageIdentity { codec: Codec::Av1, ..identity() }),
        ("size", StorageIdentity { height: 352, ..identity() }),
        ("settings", StorageIdentity { settings: "interval 25".into(), ..identity() }),
    ] {
        let error = storage.attach(&other).unwrap_err();
        assert!(error.code() == -12213 && error.to_string().contains(what), "{error}");
    }
    let session = storage.attach(&identity()).unwrap();
    assert_eq!((session.passes().unwrap(), session.pass_end(0).unwrap()), (1, Some(end)));
    assert_eq!(session.frames(0).unwrap(), (0..1000).map(frame).collect::<Vec<_>>());
    assert_eq!(session.note(note).unwrap().unwrap(), b"statistics");
    assert_eq!(session.notes(b'p').unwrap(), [note]);
    assert!(session.note(NoteKey { pass: 1, ..note }).unwrap().is_none());
    // the same frames have the same digest, others another one; a pass that begins again forgets its earlier
    // records
    for (last, same) in [(999, true), (998, false)] {
        session.begin_pass(0).unwrap();
        assert_eq!((session.passes().unwrap(), session.notes(b'p').unwrap()), (0, Vec::new()));
        (0..=last).for_each(|number| session.push_frame(frame(number)).unwrap());
        assert_eq!(session.end_pass().unwrap().digest == end.digest, same);
    }
}

/// ST-5: what an encoder keeps about frames is found again by them, in whatever pass it was kept, by later
/// sessions too, and says whose it is; data of another version takes the place of what was there.
#[test]
fn encoders_keep_data_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage");
    let storage = create(Some(&path), true).unwrap();
    let session = storage.attach(&identity()).unwrap();
    session.begin_pass(0).unwrap();
    assert_eq!(session.encoder_data(7).unwrap(), None);
    let (old, new) = (encoder_data(1, b"of an old version"), encoder_data(2, b"statistics"));
    for (frames, data) in [(7, &old), (8, &old), (7, &new)] {
        assert!(session.put_encoder_data(frames, data).unwrap());
    }
    session.end_pass().unwrap();
    drop((session, storage));

    let storage = create(Some(&path), false).unwrap();
    let session = storage.attach(&identity()).unwrap();
    session.begin_pass(0).unwrap();
    assert_eq!(session.encoder_data(7).unwrap(), Some(new));
    assert_eq!(session.encoder_data(8).unwrap(), Some(old));
    storage.close().unwrap();
    assert_eq!(session.encoder_data(7).unwrap_err().code(), -12214);
    assert_eq!(session.put_encoder_data(9, &encoder_data(2, b"late")).unwrap_err().code(), -12214);
}

/// ST-11: there is no more data of encoders than its share, and what has no room is refused, not an error.
#[test]
fn data_of_encoders_has_a_bound() {
    let mut content = Content::create(Memory::default()).unwrap();
    content.most_encoder_data = 100;
    let mut put =
        |frames, bytes| content.put_encoder_data(frames, &encoder_data(1, &vec![0; bytes])).unwrap();
    assert_eq!([put(1, 60), put(2, 41), put(2, 40), put(3, 1)], [true, false, true, false]);
    // what it replaces does not count
    assert_eq!([put(1, 61), put(1, 50), put(3, 10), put(3, 11)], [false, true, true, false]);
    assert_eq!(content.encoder_data(3).unwrap().unwrap().bytes.len(), 10);
}

/// MP-3, resolution 38: only one session, and only one process, holds a storage at a time.
#[test]
fn a_storage_is_exclusive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage");
    let storage = create(Some(&path), false).unwrap();
    let session = storage.attach(&identity()).unwrap();
    assert_eq!(storage.attach(&identity()).unwrap_err().code(), -12213);
    // the same by another handle of the file, which another process may have
    assert_eq!(create(Some(&path), false).unwrap_err(), StorageError::InUse);
    assert!(path.exists());
    drop(session);
    storage.attach(&identity()).unwrap();
}

/// ST-6, ST-7: closing is final for all who still hold the storage, and no order of calls crashes.
#[test]
fn a_closed_storage_answers_so() {
    let storage = create(None, false).unwrap();
    let session = storage.attach(&identity()).unwrap();
    session.begin_pass(0).unwrap();
    session.push_frame(frame(0)).unwrap();
    storage.close().unwrap();
    assert!(storage.is_closed());
    let codes = [
        storage.close().unwrap_err().code(),
        session.push_frame(frame(1)).unwrap_err().code(),
        session.end_pass().unwrap_err().code(),
        session.begin_pass(1).unwrap_err().code(),
        session.frames(0).unwrap_err().code(),
        storage.attach(&identity()).unwrap_err().code(),
    ];
    assert_eq!(codes, [-12214; 6]);
    drop(storage);
    assert_eq!(session.passes().unwrap_err().code(), -12214);
}

/// ST-4: a file that is not a storage is refused and left as it is; so is a damaged storage.
#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage");
    std::fs::write(&path, b"a letter").unwrap();
    assert_eq!(create(Some(&path), false).unwrap_err().code(), -12214);
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
    let nowhere = folder.path().join("nowhere/storage");
    assert_eq!(create(Some(&nowhere), false).unwrap_err().code(), -12214);
    // an empty file has no content to lose, so it is used; it existed before, so it stays
    std::fs::write(&path, b"").unwrap();
    create(Some(&path), false).unwrap().attach(&identity()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.is_empty());
    bytes[10] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(create(Some(&path), false).unwrap_err().code(), -12214);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

/// ST-10: other processes cannot find a temporary storage.
#[test]
fn a_temporary_storage_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        StorageOptions { temporary_folder: Some(folder.path().to_owned()), ..StorageOptions::default() };
    let storage = MultiPassStorage::create(None, &options).unwrap();
    storage.attach(&identity()).unwrap();
    if cfg!(unix) {
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

type Seen = (bool, Vec<FrameRecord>, Vec<Vec<u8>>, u32);

fn seen(content: &Content<Memory>) -> io::Result<Seen> {
    let mut frames = Vec::new();
    for pass in 0..3 {
        content.frames(pass, |frame| frames.push(frame))?;
    }
    let notes: io::Result<Vec<_>> =
        content.notes().map(|key| Ok(content.note(key)?.unwrap_or_default())).collect();
    let mut kept = notes?;
    for unit in 0..3 {
        kept.extend(content.encoder_data(unit)?.map(|data| data.bytes));
    }
    Ok((content.identity.is_some(), frames, kept, content.passes()))
}

/// What an encoder of this version keeps.
fn encoder_data(version: u128, bytes: &[u8]) -> EncoderData {
    EncoderData { identity: version, bytes: bytes.to_vec() }
}

/// Records two passes with notes and data of an encoder, and returns the content of the storage whenever it
/// was kept.
fn passes(memory: &Memory) -> Vec<Seen> {
    let mut content = Content::create(memory.clone()).unwrap();
    let mut states = vec![seen(&content).unwrap()];
    let mut note = |content: &mut Content<Memory>| {
        content.keep(true).unwrap();
        states.push(seen(content).unwrap());
    };
    content.set_identity(&identity()).unwrap();
    note(&mut content);
    for pass in 0..2 {
        content.begin_pass(pass).unwrap();
        note(&mut content);
        for number in 0..6 {
            content.push_frame(frame(number)).unwrap();
            content
                .put_note(NoteKey { topic: b'q', pass, unit: number as u32 / 2 }, &[pass as u8; 20])
                .unwrap();
            let kept = encoder_data(pass.into(), &[number as u8; 30]);
            content.put_encoder_data(number as u128 / 2, &kept).unwrap();
            note(&mut content);
        }
        content.end_pass().unwrap();
        note(&mut content);
    }
    states
}

/// ST-8: after a power cut at any byte, the storage has the content of the last time it was kept, or the one
/// that was being kept.
#[test]
fn every_power_cut_leaves_an_earlier_storage() {
    let memory = Memory::default();
    let states = passes(&memory);
    for (bytes, syncs) in cuts(&memory.deeds()).filter(|(bytes, _)| bytes.len() >= 20) {
        let found = Content::open(Memory::with(bytes)).unwrap();
        let found = seen(&found).unwrap();
        let next = states.get(syncs + 1).unwrap_or(&states[syncs]);
        // frames and notes of one step come in two commits
        let between = found.1.len() >= states[syncs].1.len() && found.1.len() <= next.1.len();
        assert!(found == states[syncs] || found == *next || between, "after sync {syncs}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// ST-8: a flipped bit is found, or the storage is as it was earlier.
    #[test]
    fn a_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let memory = Memory::default();
        let states = passes(&memory);
        let mut bytes = memory.bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(found) = Content::open(Memory::with(bytes)).and_then(|content| seen(&content)) {
            prop_assert!(states.contains(&found));
        }
    }

    /// ST-9: a full disk refuses a record, reports the system's error, and changes nothing; with room again
    /// the storage goes on.
    #[test]
    fn a_full_disk_keeps_its_word(room in 20u64..80_000) {
        let memory = Memory::default();
        let mut content = Content::create(memory.clone()).unwrap();
        memory.limit(Some(room));
        let mut refused = 0;
        let mut tries = |content: &mut Content<Memory>, step: &dyn Fn(&mut Content<Memory>) -> io::Result<()>| {
            if let Err(error) = step(content) {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                refused += 1;
                memory.limit(None);
                step(content).unwrap();
            }
        };
        tries(&mut content, &|content| content.begin_pass(0));
        for number in 0..1500 {
            tries(&mut content, &|content| content.push_frame(frame(number)));
        }
        tries(&mut content, &|content| content.end_pass().map(|_| ()));
        tries(&mut content, &|content| content.keep(true));
        prop_assert!(refused <= 1);
        let content = Content::open(Memory::with(memory.bytes())).unwrap();
        prop_assert_eq!(seen(&content).unwrap().1, (0..1500).map(frame).collect::<Vec<_>>());
    }
}
