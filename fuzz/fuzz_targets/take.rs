//! Any bytes as a take's description and record: no panic, and an identity that survives being stored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retake_compression::take::{TakeDescription, TakeRecord};

fuzz_target!(|data: &[u8]| {
    if let Ok(description) = serde_json::from_slice::<TakeDescription>(data) {
        let text = serde_json::to_vec(&description).expect("what was parsed can be written");
        let again: TakeDescription = serde_json::from_slice(&text).expect("what was written can be parsed");
        assert_eq!(again.id(), description.id());
    }
    if let Ok(record) = serde_json::from_slice::<TakeRecord>(data) {
        let text = serde_json::to_vec(&record).expect("what was parsed can be written");
        assert_eq!(serde_json::from_slice::<TakeRecord>(&text).expect("what was written can be parsed"), record);
    }
});
