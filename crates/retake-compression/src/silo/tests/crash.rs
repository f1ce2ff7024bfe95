//! These tests check the content of a silo after a crash, on a full disk, and with a flipped bit.

use super::super::core::{Core, Failure};
use super::at;
use crate::journal::faults::{Memory, cuts};
use proptest::prelude::*;
use retake_media::{Time, TimeRange};
use std::io;

fn seconds(core: &Core<Memory>) -> io::Result<Vec<(i64, Vec<u8>)>> {
    let mut snapshot = core.snapshot(None).unwrap();
    let entries = std::iter::from_fn(|| snapshot.next());
    entries
        .map(|entry| core.read(entry.location).map(|buffer| (buffer.sample.dts.value(), buffer.sample.data)))
        .collect()
}

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::between(Time::new(start, 1), Time::new(end, 1))
}

fn ok(result: Result<(), Failure>) {
    assert!(result.is_ok());
}

/// Runs a pass of ten samples, a pass over a range, a replacement that is given up and one that is committed.
/// Each step is kept and synced. Returns the content of the silo after every step.
fn film(memory: &Memory) -> Vec<Vec<(i64, Vec<u8>)>> {
    let mut core = Core::create(memory.clone(), true, Some(range(0, 10))).unwrap();
    let mut states = vec![Vec::new()];
    let mut keep = |core: &mut Core<Memory>| {
        core.keep().unwrap();
        core.journal.sync().unwrap();
        states.push(seconds(core).unwrap());
    };
    let again = |second: i64| {
        let mut buffer = at(second);
        buffer.sample.data = vec![second as u8; 9];
        buffer
    };
    for second in 0..10 {
        ok(core.add(&at(second)));
        keep(&mut core);
    }
    ok(core.begin_pass(&[range(2, 4)]));
    keep(&mut core);
    for second in 2..4 {
        ok(core.add(&again(second)));
        keep(&mut core);
    }
    for commit in [false, true] {
        ok(core.begin_replacement(&[range(5, 7)]));
        keep(&mut core);
        for second in 5..7 {
            ok(core.add(&again(second)));
            keep(&mut core);
        }
        ok(if commit { core.commit() } else { core.abandon() });
        keep(&mut core);
    }
    states
}

/// A power cut at any byte must leave the silo as it was after some step, and not before the last one synced;
/// a replacement must leave no hole.
#[test]
fn every_power_cut_leaves_an_earlier_silo() {
    let memory = Memory::default();
    let states = film(&memory);
    let mut replaced = 0;
    for (bytes, syncs) in cuts(&memory.deeds()).filter(|(bytes, _)| bytes.len() >= 20) {
        let mut core = Core::open(Memory::with(bytes), None).unwrap();
        let found = seconds(&core).unwrap();
        let next = states.get(syncs + 1).unwrap_or(&states[syncs]);
        assert!(found == states[syncs] || found == *next, "after sync {syncs}");
        if syncs > 14 {
            assert_eq!(found.len(), 10, "a hole after sync {syncs}");
            replaced += 1;
        }
        // the silo must accept further passes
        ok(core.begin_pass(&[range(20, 30)]));
        ok(core.add(&at(20)));
        assert_eq!(seconds(&core).unwrap().len(), found.len() + 1);
    }
    assert!(replaced > 100);
}

/// A flipped bit must never give a sample that was not added: opening fails, reading fails, or the silo is as
/// it was before.
#[test]
fn every_flipped_bit_is_found() {
    let memory = Memory::default();
    let states = film(&memory);
    let bytes = memory.bytes();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let Ok(core) = Core::open(Memory::with(flipped), None) else { continue };
        if let Ok(found) = seconds(&core) {
            assert!(states.contains(&found), "byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// FS-9: a full disk refuses a sample and changes nothing; with room again the same sample is accepted.
    #[test]
    fn a_full_disk_changes_nothing(room in 20u64..1_200_000, size in 1usize..90_000) {
        let memory = Memory::default();
        let mut core = Core::create(memory.clone(), true, Some(range(0, 20))).unwrap();
        memory.limit(Some(room));
        for second in 0..20 {
            let mut buffer = at(second);
            buffer.sample.data = vec![second as u8; size];
            let (before, progress) = (seconds(&core).unwrap(), core.progress().unwrap());
            if let Err(failure) = core.add(&buffer) {
                prop_assert!(matches!(failure, Failure::Io(error) if error.kind() == io::ErrorKind::StorageFull));
                prop_assert_eq!(seconds(&core).unwrap(), before);
                prop_assert_eq!(core.progress().unwrap(), progress);
                memory.limit(None);
                prop_assert!(core.add(&buffer).is_ok());
            }
        }
        prop_assert_eq!(seconds(&core).unwrap().len(), 20);
        memory.limit(None);
        core.keep().unwrap();
        core.journal.flush().unwrap();
        let core = Core::open(Memory::with(memory.bytes()), None).unwrap();
        prop_assert_eq!(seconds(&core).unwrap().len(), 20);
    }
}
