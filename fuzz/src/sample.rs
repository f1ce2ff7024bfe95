//! Any bytes as a sample in the form of silos and takes: they are refused, or are what is written for the
//! sample that was read, byte for byte.

use retake_media::sample_codec::{decode, encode_head};
use retake_media::{Sample, SampleAttachments, SampleKind, Time};

pub fn run(data: &[u8]) {
    let Ok(stored) = decode(data.to_vec()) else { return };
    let head = encode_head(&stored.sample, stored.format, &stored.attachments);
    let again = [head.expect("what was read can be written"), stored.sample.data].concat();
    assert_eq!(again, data, "there is no second way to say the same");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let time = |number| Time::new(number, 25);
    let sample = Sample {
        data: vec![7; 9],
        pts: time(2),
        dts: time(1),
        duration: time(1),
        kind: SampleKind::Reference,
    };
    let full = SampleAttachments {
        temporal_layer: 2,
        long_term_reference: Some(3),
        mean_squared_errors: vec![[0.5, 0.25, 0.125]],
        reset_decoder: true,
        ..SampleAttachments::default()
    };
    let seed = |attachments: &SampleAttachments| {
        let head = encode_head(&sample, 1, attachments).expect("a sample that can be written");
        [head, sample.data.clone()].concat()
    };
    let seeds = vec![seed(&SampleAttachments::default()), seed(&full)];
    assert!(seeds.iter().all(|seed| decode(seed.clone()).is_ok()), "a seed is valid");
    seeds
}
