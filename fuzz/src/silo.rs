//! Any content as a frame silo: it is refused, or its samples are handed out, a further one is taken, and a
//! sync and another opening find the same. The bytes of a file, whose checksums were not made again, are
//! handed out in decode order too.

use crate::journalled::{file, inputs};
use retake_compression::silo::{ExistingSilo, FrameSilo};
use retake_media::{
    Codec, Colour, FormatDescription, Rational, Sample, SampleBuffer, SampleKind, Time, TimeRange,
};
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub fn run(data: &[u8]) {
    let real = real();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("silo");
    fs::write(&path, file(data, real[6], real[7])).expect("a temporary file");
    let Some(samples) = read(&path, true) else { return };
    if data.first() == Some(&0) {
        let key =
            |one: &SampleBuffer| if one.sample.dts.is_numeric() { one.sample.dts } else { one.sample.pts };
        assert!(samples.is_sorted_by(|a, b| key(a) < key(b)), "samples are handed out in decode order");
    }
    assert_eq!(read(&path, false), Some(samples), "a silo that was synced is found as it was");
}

/// The samples of a silo, or nothing if it is refused or damaged; one more than before, if wanted.
fn read(path: &Path, add: bool) -> Option<Vec<SampleBuffer>> {
    let silo = FrameSilo::open(path, None).ok()?;
    let _ = silo.progress_of_current_pass();
    if add {
        let _ = silo.add(&sample(i64::MAX / 4));
        silo.sync().expect("a disk with room");
    }
    silo.samples(None).expect("all samples").collect::<Result<_, _>>().ok()
}

fn sample(number: i64) -> SampleBuffer {
    let format = FormatDescription {
        codec: Codec::Hevc,
        width: 64,
        height: 48,
        config: vec![1, 2, 3],
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
    let time = Time::new(number, 25);
    let kind = if number == 0 { SampleKind::Sync } else { SampleKind::Reference };
    let sample =
        Sample { data: vec![number as u8; 9], pts: time, dts: time, duration: Time::new(1, 25), kind };
    SampleBuffer::new(sample, Arc::new(format))
}

/// The file of a silo that was written well.
fn real() -> &'static [u8] {
    static REAL: OnceLock<Vec<u8>> = OnceLock::new();
    REAL.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("silo");
        // a file that is there before the silo is not deleted with it
        fs::write(&path, []).expect("a temporary file");
        let silo = FrameSilo::create(&path, None, ExistingSilo::Empty).expect("a new silo");
        (0..4).for_each(|number| silo.add(&sample(number)).expect("a disk with room"));
        silo.sync().expect("a disk with room");
        let again = TimeRange::new(Time::new(1, 25), Time::new(2, 25));
        silo.set_time_ranges_for_next_pass(&[again]).expect("a range of times");
        silo.add(&sample(1)).expect("a disk with room");
        silo.sync().expect("a disk with room");
        drop(silo);
        fs::read(&path).expect("the silo's file")
    })
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = inputs(real());
    for seed in &seeds {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("silo");
        fs::write(&path, file(seed, real()[6], real()[7])).expect("a temporary file");
        assert!(read(&path, false).is_some(), "a seed is no valid silo");
    }
    seeds
}
