//! Any bytes as a take's description and record: no panic, and an identity that survives being stored.

use retake_compression::take::{TakeDescription, TakeRecord};

pub fn run(data: &[u8]) {
    if let Ok(description) = serde_json::from_slice::<TakeDescription>(data) {
        let text = serde_json::to_vec(&description).expect("what was parsed can be written");
        let again: TakeDescription = serde_json::from_slice(&text).expect("what was written can be parsed");
        assert_eq!(again.id(), description.id());
    }
    if let Ok(record) = serde_json::from_slice::<TakeRecord>(data) {
        let text = serde_json::to_vec(&record).expect("what was parsed can be written");
        assert_eq!(
            serde_json::from_slice::<TakeRecord>(&text).expect("what was written can be parsed"),
            record
        );
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds: [&[u8]; 2] =
        [include_bytes!("../seeds/take/description.json"), include_bytes!("../seeds/take/record.json")];
    serde_json::from_slice::<TakeDescription>(seeds[0]).expect("a seed is valid");
    serde_json::from_slice::<TakeRecord>(seeds[1]).expect("a seed is valid");
    seeds.map(<[u8]>::to_vec).to_vec()
}
