//! Any bytes as a journal: no panic, no endless reading; whatever is believed is read again after something
//! was appended; and where a journal that was written well lost its end, it is as it was at a commit.

use crate::bytes::Bytes;
use crate::journalled::{Memory, file, inputs};
use retake_compression::journal::{Cursor, Journal, Record};

const KIND: u8 = b'X';
const VERSION: u8 = 1;

pub fn run(data: &[u8]) {
    let whole = file(data, KIND, VERSION);
    let records = check(&whole);
    let cut = usize::from(Bytes(data.get(1..).unwrap_or(&[])).word()) % (whole.len() + 1);
    if data.first() != Some(&0) {
        // the rest of a crash: a journal as it was at some commit
        let earlier = check(&whole[..cut]);
        assert!(records.starts_with(&earlier), "a torn journal holds what was not written");
    }
}

/// What is read of a file, up to the first record that is damaged.
fn check(file: &[u8]) -> Vec<Record> {
    let Ok(mut journal) = Journal::open(Memory(file.to_vec()), KIND, VERSION) else { return Vec::new() };
    let _ = journal.last_index();
    let _ = journal.replay(|_| Ok(()));
    let read = |journal: &Journal<Memory>| {
        let (mut records, mut cursor) = (Vec::new(), Cursor::default());
        while let Ok(Some(record)) = journal.next(&mut cursor) {
            records.push(record);
        }
        records
    };
    let records = read(&journal);
    journal.append(1, &[b"one", b" more"]).expect("memory takes a record");
    journal.commit(b"and a commit").expect("memory takes a commit");
    journal.flush().expect("memory takes everything");
    let again = Journal::open(journal.backend().clone(), KIND, VERSION).expect("what was just committed");
    assert!(read(&again).starts_with(&records), "appending changed what was there");
    assert_eq!(again.last_index().expect("what was just committed"), b"and a commit");
    records
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut journal = Journal::create(Memory::default(), KIND, VERSION).expect("memory takes a header");
    for number in 0..3u8 {
        journal.append(7, &[&[number; 20]]).expect("memory takes a record");
        journal.commit(&[number]).expect("memory takes a commit");
    }
    journal.flush().expect("memory takes everything");
    inputs(&journal.backend().0)
}
