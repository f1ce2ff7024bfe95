//! Any bytes as the `avcC` of parts and as an IDR picture that each of them begins and ends with: they are
//! refused, or two pictures that follow each other do not have one number.

use crate::bytes::Bytes;
use retake_compression::parallel::Joiner;
use retake_media::{Codec, Colour, FormatDescription, Rational, Sample, SampleKind, Time};

pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    input.byte();
    let config = input.block().to_vec();
    let _ = join(config, input.0);
}

/// Two parts of one picture each, and how many were renumbered.
fn join(config: Vec<u8>, picture: &[u8]) -> Option<u64> {
    let format = FormatDescription {
        codec: Codec::H264,
        width: 64,
        height: 48,
        config,
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        clean_aperture: None,
        fields: None,
        gamma: None,
        icc_profile: None,
        mastering_display: None,
        content_light: None,
        dolby_vision: None,
    };
    let mut joiner = Joiner::default();
    let mut joined = Vec::new();
    for part in 0..2 {
        let time = Time::new(part, 25);
        let (data, kind) = (picture.to_vec(), SampleKind::Sync);
        let mut sample = Sample { data, pts: time, dts: time, duration: Time::new(1, 25), kind };
        joiner.begin(&format).ok()?;
        joiner.sample(&mut sample).ok()?;
        joined.push(sample.data);
    }
    let renumbered = joiner.finish().ok()?.renumbered;
    assert_eq!(joined[0], picture, "the first picture passes as it is");
    assert_eq!(renumbered == 1, joined[0] != joined[1], "what is told is what was done");
    Some(renumbered)
}

pub fn seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 2] = [include_bytes!("../seeds/idr/cabac"), include_bytes!("../seeds/idr/cavlc")];
    for file in files {
        let mut input = Bytes(file);
        input.byte();
        let config = input.block().to_vec();
        assert_eq!(join(config, input.0), Some(1), "a seed is valid");
    }
    files.map(<[u8]>::to_vec).to_vec()
}
