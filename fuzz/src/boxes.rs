//! Any bytes as boxes of ISO files: they are refused, or taken apart and put together as the same; and what
//! is changed in an index or in fragments stays boxes that add up.

use retake_asset::fuzzing;

pub fn run(data: &[u8]) {
    fuzzing::boxes(data);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 2] =
        [include_bytes!("../seeds/boxes/film"), include_bytes!("../seeds/boxes/fragments")];
    for file in files {
        assert!(fuzzing::boxes(file), "a seed is valid");
    }
    files.map(<[u8]>::to_vec).to_vec()
}
