//! Any bytes as a log file: no panic, no endless reading, and whatever is believed can be written again to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retake_compression::log::{LogReader, LogWriter};
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let Some(&kind) = data.get(6) else { return };
    if let Ok(mut log) = LogReader::open(Cursor::new(data), kind) {
        let _ = log.last();
        while let Ok(Some(_)) = log.next() {}
    }
    let Ok(mut journal) = LogReader::open_journal(Cursor::new(data), kind) else { return };
    let Ok(mut again) = LogWriter::new(Cursor::new(Vec::new()), kind, journal.version()) else { return };
    while let Ok(Some(record)) = journal.next() {
        again.append(record.kind, &record.payload).expect("memory takes everything that was read from memory");
    }
    let valid = journal.position() as usize;
    let written = again.finish().expect("memory takes a footer").into_inner();
    assert_eq!(written[..valid], data[..valid], "the valid part of a journal, read and written again");
    let mut whole = LogReader::open(Cursor::new(&written), kind).expect("a file with a footer");
    while whole.next().expect("records that were just written").is_some() {}
});
