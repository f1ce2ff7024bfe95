//! Any bytes as an encoder's headers and one of its payloads: they are refused, or become a configuration
//! record and a sample.

use crate::bytes::Bytes;
use retake_encoders::fuzzing;

pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let codec = input.byte();
    let headers = input.block();
    if let Ok((config, sample)) = fuzzing::headers_and_payload(codec, headers, input.0) {
        assert!(config.len() <= headers.len() + 256, "a record is made of the headers");
        assert!(
            sample.is_none_or(|sample| sample.len() <= headers.len() + input.0.len()),
            "a sample is made of what came"
        );
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 4] = [
        include_bytes!("../seeds/bitstream/cabac"),
        include_bytes!("../seeds/bitstream/cavlc"),
        include_bytes!("../seeds/bitstream/hevc"),
        include_bytes!("../seeds/bitstream/av1"),
    ];
    for file in files {
        let mut input = Bytes(file);
        let codec = input.byte();
        let headers = input.block();
        let (config, sample) =
            fuzzing::headers_and_payload(codec, headers, input.0).expect("a seed is valid");
        assert!(!config.is_empty() && sample.is_some(), "a seed is valid");
    }
    files.map(<[u8]>::to_vec).to_vec()
}
