//! These tests check a journal on backends that fail, and against damaged and hostile bytes.

use super::faults::{Deed, Memory, cuts};
use super::*;
use proptest::prelude::*;

const KIND: u8 = b'X';

/// A step is one action of a journal's client.
#[derive(Debug, Clone)]
enum Step {
    Append(u8, Vec<u8>),
    Commit,
    Sync,
}

fn steps(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u8.., prop::collection::vec(any::<u8>(), 0..longest)).prop_map(|(kind, payload)| Step::Append(kind, payload)),
        2 => Just(Step::Commit),
        1 => Just(Step::Sync),
    ];
    prop::collection::vec(step, 1..14)
}

type Content = Vec<(u8, Vec<u8>)>;

/// Runs the steps. Returns the content of the journal at each commit, and how many commits each sync has made
/// safe.
fn run(memory: &Memory, steps: &[Step]) -> (Vec<Content>, Vec<usize>) {
    let mut journal = Journal::create(memory.clone(), KIND, 1).unwrap();
    let (mut content, mut committed, mut synced) = (Content::new(), vec![Content::new()], vec![0]);
    for step in steps {
        match step {
            Step::Append(kind, payload) => {
                let (front, back) = payload.split_at(payload.len() / 2);
                let location = journal.append(*kind, &[front, back]).unwrap();
                assert_eq!(journal.read(location).unwrap(), Record { kind: *kind, payload: payload.clone() });
                content.push((*kind, payload.clone()));
            }
            Step::Commit => {
                journal.commit(&(content.len() as u64).to_le_bytes()).unwrap();
                committed.push(content.clone());
            }
            Step::Sync => {
                journal.sync().unwrap();
                synced.push(committed.len() - 1);
            }
        }
    }
    journal.flush().unwrap();
    (committed, synced)
}

/// Returns the whole content of a journal, by its chain of commits and by its cursor.
fn content(journal: &Journal<Memory>) -> io::Result<(Content, Vec<u64>)> {
    let mut records = Content::new();
    let mut cursor = Cursor::default();
    while let Some(Record { kind, payload }) = journal.next(&mut cursor)? {
        if kind != COMMIT {
            records.push((kind, payload));
        }
    }
    let mut indices = Vec::new();
    journal.replay(|index| {
        indices.push(u64::from_le_bytes(index.try_into().map_err(|_| damaged("index"))?));
        Ok(())
    })?;
    Ok((records, indices))
}

fn reopen(bytes: Vec<u8>) -> io::Result<Journal<Memory>> {
    Journal::open(Memory::with(bytes), KIND, 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// ST-8: whatever the moment of a power cut, the journal is as it was at some commit, and not before the
    /// last synced one; and it accepts further records.
    #[test]
    fn every_power_cut_leaves_an_earlier_state(steps in steps(60)) {
        let memory = Memory::default();
        let (committed, synced) = run(&memory, &steps);
        for (bytes, syncs) in cuts(&memory.deeds()).filter(|(bytes, _)| bytes.len() as u64 >= FILE_HEADER) {
            let mut journal = reopen(bytes).unwrap();
            let (records, indices) = content(&journal).unwrap();
            let found = committed.iter().rposition(|state| *state == records);
            prop_assert!(found.is_some_and(|found| found >= synced[syncs]));
            prop_assert!(committed[indices.len()] == records);
            prop_assert!(indices.iter().zip(&committed[1..]).all(|(index, state)| *index == state.len() as u64));
            journal.append(9, &[b"more"]).unwrap();
            journal.commit(&1u64.to_le_bytes()).unwrap();
            journal.flush().unwrap();
            let journal = reopen(journal.backend().bytes()).unwrap();
            prop_assert!(!journal.is_torn());
            prop_assert_eq!(content(&journal).unwrap().0.len(), records.len() + 1);
        }
    }

    /// ST-8: if bytes appended after a sync reach the disk in part or not at all, the journal is still as it
    /// was at some commit, or says that it is damaged; synced bytes stay.
    #[test]
    fn unsynced_bytes_that_never_came_are_not_believed(steps in steps(60), holes in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let memory = Memory::default();
        let (committed, synced) = run(&memory, &steps);
        let deeds = memory.deeds();
        let last = deeds.iter().rposition(|deed| matches!(deed, Deed::Sync));
        let safe = cuts(&deeds[..last.map_or(0, |last| last + 1)]).last().map_or(FILE_HEADER as usize, |(bytes, _)| bytes.len());
        let mut bytes = memory.bytes();
        for hole in holes {
            let start = hole.index(bytes.len()).max(safe);
            let end = bytes.len().min(start + 30);
            bytes[start.min(end)..end].fill(0);
        }
        let journal = reopen(bytes).unwrap();
        if let Ok((records, _)) = content(&journal) {
            let found = committed.iter().rposition(|state| *state == records);
            prop_assert!(found.is_some_and(|found| found >= *synced.last().unwrap()));
        }
    }

    /// A flipped bit must never give other records: the file is refused, a record is, or an earlier commit
    /// counts.
    #[test]
    fn every_flipped_bit_is_found(steps in steps(20)) {
        let memory = Memory::default();
        let (committed, _) = run(&memory, &steps);
        let bytes = memory.bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(journal) = reopen(flipped) else { continue };
            let Ok((records, _)) = content(&journal) else { continue };
            prop_assert!(committed.contains(&records));
        }
    }

    /// Random bytes are refused or read as an empty journal. They must never cause a panic, nor take more
    /// memory than there are bytes.
    #[test]
    fn noise_is_harmless(noise in prop::collection::vec(any::<u8>(), 0..300), keep in any::<bool>()) {
        let memory = Memory::default();
        Journal::create(memory.clone(), KIND, 1).unwrap();
        let header = if keep { memory.bytes() } else { Vec::new() };
        if let Ok(journal) = reopen([header, noise].concat()) {
            prop_assert_eq!(content(&journal).unwrap(), (Vec::new(), Vec::new()));
        }
    }

    /// A full disk refuses a record that does not fit and changes nothing, and the journal goes on when there
    /// is room again.
    #[test]
    fn a_full_disk_changes_nothing(steps in steps(90_000), room in 20u64..200_000) {
        let memory = Memory::default();
        let mut journal = Journal::create(memory.clone(), KIND, 1).unwrap();
        memory.limit(Some(room));
        let (mut all, mut committed) = (Content::new(), 0);
        for step in &steps {
            let end = journal.end();
            let result = match step {
                Step::Append(kind, payload) => journal.append(*kind, &[payload]).map(|_| all.push((*kind, payload.clone()))),
                Step::Commit => journal.commit(&(all.len() as u64).to_le_bytes()).map(|()| committed = all.len()),
                Step::Sync => journal.sync(),
            };
            if let Err(error) = result {
                prop_assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                prop_assert_eq!(journal.end(), end);
            }
        }
        memory.limit(None);
        journal.commit(&(all.len() as u64).to_le_bytes()).unwrap();
        journal.sync().unwrap();
        prop_assert!(committed <= all.len());
        let journal = reopen(memory.bytes()).unwrap();
        prop_assert!(!journal.is_torn());
        prop_assert_eq!(content(&journal).unwrap().0, all);
    }
}

/// The payload is a journal itself, with whole records and commits, and the outer journal ends torn. None of
/// the inner records must be believed.
#[test]
fn a_payload_that_is_a_log_itself_is_not_believed() {
    let inner = Memory::default();
    run(&inner, &[Step::Append(7, vec![1; 30]), Step::Commit]);
    let outer = Memory::default();
    let mut journal = Journal::create(outer.clone(), KIND, 1).unwrap();
    journal.append(1, &[&inner.bytes()]).unwrap();
    journal.flush().unwrap();
    let journal = reopen(outer.bytes()).unwrap();
    assert!(journal.is_torn());
    assert_eq!(content(&journal).unwrap(), (Vec::new(), Vec::new()));
}

/// Opening follows commits, not bytes, so a journal of many records and few commits is opened with few reads.
#[test]
fn opening_takes_time_in_commits() {
    struct Counting(Memory, std::sync::Mutex<u64>);
    impl Backend for Counting {
        fn length(&self) -> io::Result<u64> {
            self.0.length()
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            *self.1.lock().unwrap() += buffer.len() as u64;
            self.0.read_at(offset, buffer)
        }
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.append(bytes)
        }
        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.0.truncate(length)
        }
        fn sync(&mut self) -> io::Result<()> {
            self.0.sync()
        }
    }
    let memory = Memory::default();
    let mut journal = Journal::create(memory.clone(), KIND, 1).unwrap();
    for _ in 0..10 {
        for _ in 0..1000 {
            journal.append(1, &[&[5; 1000]]).unwrap();
        }
        journal.commit(&0u64.to_le_bytes()).unwrap();
    }
    // a crash leaves a rest behind
    journal.append(1, &[&[5; 100_000]]).unwrap();
    journal.flush().unwrap();
    let journal = Journal::open(Counting(memory, 0.into()), KIND, 1).unwrap();
    let mut commits = 0;
    journal
        .replay(|_| {
            commits += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(commits, 10);
    let read = *journal.backend().1.lock().unwrap();
    assert!(read < 300_000, "{read} bytes read of 10 million");
}
