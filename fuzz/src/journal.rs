//! Any bytes as a journal: no panic, no endless reading; whatever is believed is read again after something
//! was appended; and where a journal that was written well lost its end, it is as it was at a commit.

use crate::bytes::Bytes;
use crate::logged::{Memory, file, inputs};
use retake_compression::log::{Cursor, Log, Record};

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
    let Ok(mut log) = Log::open(Memory(file.to_vec()), KIND, VERSION) else { return Vec::new() };
    let _ = log.last_index();
    let _ = log.replay(|_| Ok(()));
    let read = |log: &Log<Memory>| {
        let (mut records, mut cursor) = (Vec::new(), Cursor::default());
        while let Ok(Some(record)) = log.next(&mut cursor) {
            records.push(record);
        }
        records
    };
    let records = read(&log);
    log.append(1, &[b"one", b" more"]).expect("memory takes a record");
    log.commit(b"and a commit").expect("memory takes a commit");
    log.flush().expect("memory takes everything");
    let again = Log::open(log.backend().clone(), KIND, VERSION).expect("what was just committed");
    assert!(read(&again).starts_with(&records), "appending changed what was there");
    assert_eq!(again.last_index().expect("what was just committed"), b"and a commit");
    records
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut log = Log::create(Memory::default(), KIND, VERSION).expect("memory takes a header");
    for number in 0..3u8 {
        log.append(7, &[&[number; 20]]).expect("memory takes a record");
        log.commit(&[number]).expect("memory takes a commit");
    }
    log.flush().expect("memory takes everything");
    inputs(&log.backend().0)
}
