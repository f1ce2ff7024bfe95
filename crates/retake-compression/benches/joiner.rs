//! What joining costs: the samples of a film in parts of two seconds, 25 a second.

use divan::Bencher;
use divan::counter::BytesCount;
use retake_compression::parallel::Joiner;
use retake_media::{Codec, FormatDescription, Sample, SampleKind, Time};

fn main() {
    divan::main();
}

const PARTS: i64 = 60;
const SAMPLES: i64 = 50;
const BYTES: usize = 8192;

fn format(codec: Codec) -> FormatDescription {
    FormatDescription {
        config: vec![1, 100, 0, 40, 0xFF, 0xE0, 0],
        ..FormatDescription::video(codec, 1920, 1080)
    }
}

/// One NAL unit behind its length.
fn sample(index: i64) -> Sample {
    let time = Time::new(index, 25);
    let mut data = vec![0x41; BYTES];
    data[..4].copy_from_slice(&(BYTES as u32 - 4).to_be_bytes());
    let kind = if index % SAMPLES == 0 { SampleKind::Sync } else { SampleKind::Reference };
    Sample { data, pts: time, dts: time, duration: Time::new(1, 25), kind }
}

#[divan::bench(args = [Codec::H264, Codec::Av1])]
fn join(bencher: Bencher, codec: Codec) {
    let format = format(codec);
    bencher
        .counter(BytesCount::new(PARTS as usize * SAMPLES as usize * BYTES))
        .with_inputs(|| (0..PARTS * SAMPLES).map(sample).collect::<Vec<_>>())
        .bench_values(|mut samples| {
            let mut joiner = Joiner::default();
            for part in samples.chunks_mut(SAMPLES as usize) {
                joiner.begin(&format).expect("all parts have one format");
                for sample in part {
                    joiner.sample(sample).expect("samples in decode order");
                }
            }
            (joiner.finish().expect("no part is empty"), samples)
        });
}
