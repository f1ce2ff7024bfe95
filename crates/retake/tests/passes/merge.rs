//! What several passes come to, merged.

use super::{FRAMES, RATE, bytes, film, send, session, whole};
use crate::common::{self, at, decode, ffmpeg};
use retake::pixel::FieldDetail;
use retake::property::Property;
use retake::session::{NextPass, PassOptions};
use retake::silo::FrameSilo;
use retake::{EncoderInfo, PixelBuffer, PixelFormat, SampleBuffer, TimeRange};

fn all(silo: &FrameSilo) -> Vec<SampleBuffer> {
    silo.samples(None).unwrap().map(Result::unwrap).collect()
}

/// Mean squared error of luma over the film, as another decoder shows it.
fn error(samples: &[SampleBuffer], frames: &[PixelBuffer]) -> f64 {
    let shown = decode(&samples.iter().collect::<Vec<_>>());
    assert_eq!(shown.len(), frames.len());
    let errors = shown.iter().zip(frames).map(|(shown, frame)| common::luma_error(shown, frame));
    errors.sum::<f64>() / frames.len() as f64
}

/// What one pass makes of the film at another rate.
fn plain(info: &EncoderInfo, rate: u64, frames: &[PixelBuffer]) -> Vec<SampleBuffer> {
    let pull = super::at_rate(info);
    pull.0.set(Property::AverageBitRate(rate)).unwrap();
    send(&pull, frames, None)
}

/// 5.8, FieldCount, MP-20: units that are encoded again are made of the same fields, under one description.
#[test]
fn passes_keep_fields() {
    let frames = common::woven(PixelFormat::I420, 96, false);
    for info in common::encoders().iter().filter(|info| info.controls.fields.is_some()) {
        let (pull, _storage) = session(info, PassOptions { request_once: true, ..PassOptions::default() });
        let fields = [Property::FieldCount(2), Property::FieldDetail(FieldDetail::SpatialFirstLineLate)];
        pull.0.set_all(&fields).unwrap();
        let silo = FrameSilo::temporary(whole()).unwrap();
        pull.0.begin_pass().unwrap();
        send(&pull, &frames, None).iter().for_each(|sample| silo.add(sample).unwrap());
        let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() else { panic!("no second pass") };
        silo.set_time_ranges_for_next_pass(&ranges).unwrap();
        pull.0.begin_pass().unwrap();
        send(&pull, &frames, Some(&ranges)).iter().for_each(|sample| silo.add(sample).unwrap());
        let merged = all(&silo);
        assert!(merged.iter().all(|sample| sample.format == merged[0].format));
        if ffmpeg() {
            let off = error(&merged, &frames);
            assert!(off < 60.0, "{}: {off}", info.name);
            let said = common::probe(&merged.iter().collect::<Vec<_>>());
            assert!(said.contains("interlaced_frame=1\ntop_field_first=0"), "{said}");
        }
    }
}

/// A18, MP-16, MP-19, MP-20, MP-21, MP-26, MP-27, MP-32, FS-4, FS-12: the loop of section 8.5 with passes
/// over parts of the film: all frames, once, in order; another decoder shows them; bytes within 2 % of the
/// rate; and not worse than one pass with as many bytes.
#[test]
fn a18_passes_over_parts_meet_the_rate() {
    let frames = film();
    let target = RATE as f64 / 8.0 * FRAMES as f64 / 24.0;
    for info in common::encoders() {
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.set(Property::SourceFrameCount(FRAMES as u64)).unwrap();
        let silo = FrameSilo::temporary(whole()).unwrap();
        pull.0.begin_pass().unwrap();
        let first = send(&pull, &frames, None);
        first.iter().for_each(|sample| silo.add(sample).unwrap());
        let (mut passes, mut partial, mut work) = (1, false, FRAMES);
        let mut next = pull.0.end_pass().unwrap();
        println!("{}: {:+.2} %", info.name, (bytes(&first) as f64 / target - 1.0) * 100.0);
        while let NextPass::Requested(ranges) = next {
            silo.set_time_ranges_for_next_pass(&ranges).unwrap();
            pull.0.begin_pass().unwrap();
            let samples = send(&pull, &frames, Some(&ranges));
            assert_eq!(pull.0.time_ranges_for_next_pass().unwrap(), ranges, "MP-19: through the whole pass");
            // MP-21: the silo looks at decode times, in ranges of presentation times
            samples.iter().for_each(|sample| silo.add(sample).unwrap());
            assert_eq!(silo.progress_of_current_pass().unwrap(), 1.0);
            assert!(samples.iter().all(|sample| sample.format == first[0].format));
            partial |= samples.len() < FRAMES;
            work += samples.len();
            let off = bytes(&all(&silo)) as f64 / target - 1.0;
            println!("{}: {} frames again, {:+.2} %", info.name, samples.len(), off * 100.0);
            (passes, next) = (passes + 1, pull.0.end_pass().unwrap());
        }
        assert_eq!(pull.0.frame_count_mismatch(), None, "MP-27: later passes do not count");
        let merged = all(&silo);
        let off = bytes(&merged) as f64 / target - 1.0;
        println!(
            "{}: {passes} passes, {:.2} films, {:+.2} %",
            info.name,
            work as f64 / FRAMES as f64,
            off * 100.0
        );
        assert!(partial && passes > 1, "{}: no part was encoded again", info.name);
        assert_eq!(merged.len(), FRAMES);
        let mut shown: Vec<_> = merged.iter().map(|sample| sample.sample.pts).collect();
        assert!(merged.windows(2).all(|pair| pair[0].sample.dts < pair[1].sample.dts));
        shown.sort();
        assert!(shown.into_iter().eq((0..FRAMES).map(at)));
        assert!(off.abs() < 0.02, "{}: {off}", info.name);
        if ffmpeg() {
            // one pass with as many bytes, between two that were made
            let other = plain(&info, (RATE as f64 * target / bytes(&first) as f64 * 0.98) as u64, &frames);
            let point =
                |samples: &[SampleBuffer]| ((bytes(samples) as f64).ln(), error(samples, &frames).ln());
            let (a, b, (x, after)) = (point(&first), point(&other), point(&merged));
            let before =
                if (a.0 - b.0).abs() < 1e-3 { a.1 } else { a.1 + (x - a.0) * (b.1 - a.1) / (b.0 - a.0) };
            println!("{}: error {:.2}, in one pass {:.2}", info.name, after.exp(), before.exp());
            assert!(after < before + 0.01, "{}: {} {}", info.name, after.exp(), before.exp());
        }
    }
}

/// A19, MP-16, MP-20: whichever of the ranges are replaced, and whichever are not, another decoder shows all
/// frames, each as one of the two passes has it. Every unit has its own fate.
#[test]
fn a19_any_of_the_ranges_may_be_replaced() {
    if !ffmpeg() {
        return;
    }
    let frames = film();
    for info in common::encoders() {
        let (pull, _storage) = session(&info, PassOptions { most: 2, ..PassOptions::default() });
        pull.0.begin_pass().unwrap();
        let first = send(&pull, &frames, None);
        let Ok(NextPass::Requested(ranges)) = pull.0.end_pass() else {
            panic!("{}: met its rate at once", info.name);
        };
        pull.0.begin_final_pass().unwrap();
        let second = send(&pull, &frames, Some(&ranges));
        pull.0.end_final_pass().unwrap();
        // units side by side are one range: here each second of one counts for itself, as units begin with
        // every second
        let units: Vec<TimeRange> = (0..FRAMES)
            .step_by(24)
            .map(|index| TimeRange::between(at(index), at(index + 24)))
            .filter(|unit| ranges.iter().any(|range| range.contains(unit.start)))
            .collect();
        let shown_first = decode(&first.iter().collect::<Vec<_>>());
        let replaced = |chosen: &[TimeRange]| {
            let silo = FrameSilo::temporary(whole()).unwrap();
            first.iter().for_each(|sample| silo.add(sample).unwrap());
            silo.set_time_ranges_for_next_pass(chosen).unwrap();
            for sample in &second {
                let inside = chosen.iter().any(|range| range.contains(sample.sample.dts));
                assert_eq!(silo.add(sample).is_ok(), inside, "{}", info.name);
            }
            let merged = all(&silo);
            assert_eq!(merged.len(), FRAMES);
            decode(&merged.iter().collect::<Vec<_>>())
        };
        let shown_second = replaced(&units);
        let subsets = if units.len() <= 2 { 1u32 << units.len() } else { 5 };
        for number in 0..subsets {
            // any odd factor walks through all subsets
            let subset = number.wrapping_mul(0x9e37_79b9) >> if units.len() <= 2 { 0 } else { 7 };
            let is_chosen = |unit: usize| subset & (1 << (unit % 32)) != 0;
            let chosen: Vec<TimeRange> =
                (0..units.len()).filter(|unit| is_chosen(*unit)).map(|unit| units[unit]).collect();
            let shown = replaced(&chosen);
            assert_eq!(shown.len(), FRAMES, "{}: {subset:b}", info.name);
            for (index, picture) in shown.iter().enumerate() {
                let from = if chosen.iter().any(|range| range.contains(at(index))) {
                    &shown_second
                } else {
                    &shown_first
                };
                assert!(*picture == from[index], "{}: {subset:b}: frame {index}", info.name);
            }
        }
    }
}
