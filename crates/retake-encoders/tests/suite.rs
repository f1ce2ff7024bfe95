//! Every encoder must keep these parts of the contract: one suite, run over all encoders of the build.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Take, all_encoders, decode, decoded_pix_fmt, elementary, encode, encoders, ffmpeg, flat, luma_error,
    plane_error, probe, render, settings, time, usual_formats,
};
use retake_compression::encoder::{
    Controls, EncoderError, EncoderFactory, EncoderSettings, RateControl, RateLimit,
};
use retake_media::{
    Codec, Colour, ContentLight, MasteringDisplay, PixelFormat, Range, Rational, Sample, SampleKind, Time,
};
use std::sync::Arc;

/// Sets an odd size where the encoder takes one.
fn odd(factory: &dyn EncoderFactory, settings: &EncoderSettings) -> EncoderSettings {
    let odd = EncoderSettings { width: 177, height: 145, ..settings.clone() };
    match factory.open(&odd) {
        Ok(_) => odd,
        Err(EncoderError::Settings { setting, .. }) if setting == "size" => {
            EncoderSettings { width: 178, height: 146, ..settings.clone() }
        }
        Err(error) => panic!("{error}"),
    }
}

/// Returns whether key frames can be forced; SVT-AV1 refuses that while it controls an average bit rate, or
/// where its delay is bounded.
fn can_force(factory: &dyn EncoderFactory, settings: &EncoderSettings) -> bool {
    factory.info().name != "svt-av1"
        || matches!(settings.rate, RateControl::Quality(_)) && settings.controls.max_delay.is_none()
}

#[test]
fn encoders_describe_themselves() {
    for factory in all_encoders() {
        let info = factory.info();
        println!("{info:?}");
        assert!(info.presets.iter().any(|preset| preset.name == info.default_preset));
        assert!(info.quality.min < info.quality.usual && info.quality.usual < info.quality.max);
        let usual = PixelFormat::I420;
        assert!(info.formats[0] == usual || !info.formats.contains(&usual), "the usual one is the first");
    }
}

/// A1, A2, T-2: every frame comes out once with its own time; decode times are the presentation times in
/// order.
#[test]
fn times_follow_rule_t2() {
    for factory in all_encoders() {
        let settings = settings(&*factory);
        let take = encode(&*factory, &settings, &render(&settings, 40, 23, 1), &[]).unwrap();
        let mut indices: Vec<u64> = take.frames.iter().map(|frame| frame.index).collect();
        let reordered = !indices.is_sorted();
        for (k, frame) in take.frames.iter().enumerate() {
            assert_eq!(frame.sample.pts, time(frame.index as usize));
            assert_eq!(frame.sample.dts, time(k));
            assert_eq!(frame.sample.duration, Time::new(1001, 24000));
        }
        indices.sort_unstable();
        assert_eq!(indices, (0..40).collect::<Vec<u64>>());
        assert_eq!(reordered, factory.info().reorders, "{}", factory.info().name);
        assert!(take.frames[0].sample.is_sync());
        assert!(take.held <= factory.delay(&settings) + 1, "{} held {}", factory.info().name, take.held);
        println!(
            "{}: {} bytes, held {} of {}",
            factory.info().name,
            take.bytes(),
            take.held,
            factory.delay(&settings)
        );
    }
}

/// Times of a variable frame rate, and an unknown duration, go through unchanged.
#[test]
fn times_may_be_irregular() {
    for factory in encoders() {
        let settings = settings(&*factory);
        let frames = render(&settings, 12, 99, 1);
        let mut encoder = factory.open(&settings).unwrap();
        let times: Vec<Time> = (0..12).map(|i| Time::new(1_000_000_007 * i + i * i, 90_000)).collect();
        let mut got = Vec::new();
        let mut drain = |encoder: &mut dyn retake_compression::encoder::Encoder| loop {
            match encoder.receive().unwrap() {
                retake_compression::encoder::Output::Frame(frame) => got.push(frame),
                retake_compression::encoder::Output::Picture { .. } => {}
                _ => break,
            }
        };
        for (frame, pts) in frames.iter().zip(&times) {
            encoder.send(frame, *pts, Time::INVALID, Default::default()).unwrap();
            drain(&mut *encoder);
        }
        assert!(encoder.send(&frames[0], times[3], Time::INVALID, Default::default()).is_err(), "EF-1");
        encoder.finish().unwrap();
        encoder.finish().unwrap();
        drain(&mut *encoder);
        assert_eq!(got.len(), 12);
        for (k, frame) in got.iter().enumerate() {
            assert_eq!(frame.sample.pts, times[frame.index as usize]);
            assert_eq!(frame.sample.dts, times[k]);
            assert!(!frame.sample.duration.is_valid());
        }
    }
}

/// Takes of every small length are whole, and so is an encode without frames.
#[test]
fn short_takes_are_whole() {
    for factory in encoders() {
        let settings = settings(&*factory);
        let frames = render(&settings, 9, 99, 1);
        for length in [0, 1, 2, 3, 4, 5, 9] {
            let take = encode(&*factory, &settings, &frames[..length], &[]).unwrap();
            assert_eq!(take.frames.len(), length, "{}", factory.info().name);
            assert_eq!(take.pictures.len(), length);
        }
    }
}

/// An encode that is dropped in the middle leaves nothing behind that disturbs the next.
#[test]
fn encodes_may_be_dropped_at_any_time() {
    for factory in encoders() {
        let settings = settings(&*factory);
        let frames = render(&settings, 30, 99, 1);
        for sent in [0, 1, 7, 30] {
            let mut encoder = factory.open(&settings).unwrap();
            for (index, frame) in frames[..sent].iter().enumerate() {
                encoder.send(frame, time(index), Time::INVALID, Default::default()).unwrap();
                let _ = encoder.receive().unwrap();
            }
            drop(encoder);
        }
        assert_eq!(encode(&*factory, &settings, &frames, &[]).unwrap().frames.len(), 30);
    }
}

/// A9: forced key frames are exactly the requested ones, and decoding may start there.
#[test]
fn forced_key_frames_are_exact_and_decodable() {
    for factory in all_encoders() {
        let settings = settings(&*factory);
        let frames = render(&settings, 40, 99, 1);
        let forced = [5, 6, 17, 39];
        let take = encode(&*factory, &settings, &frames, &forced).unwrap();
        for frame in &take.frames {
            let wanted = frame.index == 0 || forced.contains(&(frame.index as usize));
            assert_eq!(frame.sample.is_sync(), wanted, "{} frame {}", factory.info().name, frame.index);
        }
        if !ffmpeg() {
            continue;
        }
        for start in forced {
            let from = take.frames.iter().position(|frame| frame.index == start as u64).unwrap();
            let samples: Vec<&Sample> = take.frames[from..].iter().map(|frame| &frame.sample).collect();
            assert!(take.frames[from..].iter().all(|frame| frame.index >= start as u64), "a closed group");
            let decoded = decode(&take.format, settings.format, &samples);
            assert_eq!(decoded.len(), 40 - start);
            for (picture, index) in decoded.iter().zip(start as u64..) {
                assert!(*picture == flat(&take.pictures[&index]), "{} picture {index}", factory.info().name);
            }
        }
    }
}

/// A8 in frames: no two sync frames are further apart than the interval, and 1 makes every frame one.
#[test]
fn key_frame_interval_is_a_bound() {
    for factory in encoders() {
        for interval in [1, 2, 10] {
            let settings = EncoderSettings { max_key_frame_interval: interval, ..settings(&*factory) };
            let take = encode(&*factory, &settings, &render(&settings, 35, 99, 1), &[]).unwrap();
            let mut syncs: Vec<u64> =
                take.frames.iter().filter(|frame| frame.sample.is_sync()).map(|frame| frame.index).collect();
            syncs.sort_unstable();
            syncs.push(35);
            let longest = syncs.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert_eq!(longest, u64::from(interval), "{} {syncs:?}", factory.info().name);
        }
    }
}

/// Equal settings and frames give equal bytes, also while other encodes come and go.
#[test]
fn bytes_repeat_also_in_company() {
    for factory in encoders() {
        let limit = Some(RateLimit { bits_per_second: 300_000, window_bits: 150_000 });
        let within = |max_delay| Controls { max_delay: Some(max_delay), ..Controls::default() };
        let mut variants: Vec<EncoderSettings> = vec![
            settings(&*factory),
            EncoderSettings { threads: 1, ..settings(&*factory) },
            EncoderSettings { threads: 4, width: 320, height: 240, ..settings(&*factory) },
            EncoderSettings {
                rate: RateControl::AverageBitRate(200_000),
                reconstruct: false,
                ..settings(&*factory)
            },
            EncoderSettings {
                threads: 2,
                controls: within(factory.info().controls.least_delay.max(8)),
                ..settings(&*factory)
            },
        ];
        // With buffers, the frames in flight in other threads must not count.
        for threads in [2, 4] {
            let limited = EncoderSettings { limit, threads, ..settings(&*factory) };
            let averages = EncoderSettings { rate: RateControl::AverageBitRate(250_000), ..limited.clone() };
            variants.extend([limited, averages].into_iter().filter(|one| factory.open(one).is_ok()));
        }
        for settings in &variants {
            let frames = render(settings, 30, 14, 3);
            let forced: &[usize] = if can_force(&*factory, settings) { &[9] } else { &[] };
            let first = encode(&*factory, settings, &frames, forced).unwrap();
            std::thread::scope(|scope| {
                let runs: Vec<_> = (0..3)
                    .map(|run| {
                        let (factory, frames) = (&factory, &frames);
                        scope.spawn(move || {
                            // The companion has another length, so that openings and endings are staggered.
                            encode(&**factory, settings, &frames[..3 + 4 * run], &[]).unwrap();
                            encode(&**factory, settings, frames, forced).unwrap()
                        })
                    })
                    .collect();
                for run in runs {
                    let again = run.join().unwrap();
                    assert!(again.data() == first.data(), "{} {:?}", factory.info().name, settings.rate);
                    assert_eq!(again.format, first.format);
                }
            });
        }
    }
}

/// Bytes are the same whatever the number of threads. Headers are those of every rate.
#[test]
fn threads_and_rates_of_libaom_change_nothing_else() {
    for factory in all_encoders().iter().filter(|factory| factory.info().name == "libaom") {
        for rate in [RateControl::Quality(30.0), RateControl::AverageBitRate(200_000)] {
            // no narrower picture has two columns of tiles, which threads could share
            let one = EncoderSettings { rate, threads: 1, width: 1280, height: 64, ..settings(&**factory) };
            let frames = render(&one, 12, 9, 1);
            let [first, again, four] = [1, 1, 4].map(|threads| {
                let settings = EncoderSettings { threads, ..one.clone() };
                encode(&**factory, &settings, &frames, &[7]).unwrap()
            });
            assert!(first.data() == again.data(), "{rate:?}: another encode gives other bytes");
            assert!(first.data() == four.data(), "{rate:?}: four threads give other bytes");
        }
        // headers are kept for encodes of any rate, and so they must not depend on one
        let none_lost = EncoderSettings { rate: RateControl::Lossless, ..settings(&**factory) };
        let take = encode(&**factory, &none_lost, &render(&none_lost, 2, 9, 1), &[]).unwrap();
        let usual = factory.open(&settings(&**factory)).unwrap().format().config.clone();
        assert_eq!(take.format.config, usual);
        assert_eq!(take.frames[0].sample.data[..usual.len() - 4], usual[4..]);
    }
}

/// Headers depend neither on quality, nor on the kind of rate control, nor on the frames.
#[test]
fn headers_are_equal_in_all_takes() {
    for factory in all_encoders() {
        let name = factory.info().name;
        let base = settings(&*factory);
        let quality = factory.info().quality;
        let rates = [quality.min, 10.0, 20.3, quality.usual, 40.0, quality.max]
            .map(|value| RateControl::Quality(value.clamp(quality.min, quality.max)))
            .into_iter()
            .chain([50_000, 300_000, 5_000_000].map(RateControl::AverageBitRate));
        let reference = factory.open(&base).unwrap().format().clone();
        for (seed, rate) in rates.enumerate() {
            let settings = EncoderSettings { rate, ..base.clone() };
            let forced: &[usize] = if can_force(&*factory, &settings) { &[3] } else { &[] };
            let take = encode(&*factory, &settings, &render(&settings, 6, 99, seed as u32), forced).unwrap();
            assert_eq!(take.format.config, reference.config, "{name} {rate:?}");
            if take.format.codec == Codec::Av1 {
                // The sequence header in the samples is the one of the record.
                let header = &take.format.config[4..];
                for frame in take.frames.iter().filter(|frame| frame.sample.is_sync()) {
                    assert_eq!(frame.sample.data[..header.len()], *header, "{name} {rate:?}");
                }
            }
        }
        let big = EncoderSettings { width: 1280, height: 720, ..base };
        let configs: Vec<_> = [RateControl::Quality(quality.usual), RateControl::AverageBitRate(40_000_000)]
            .map(|rate| {
                factory.open(&EncoderSettings { rate, ..big.clone() }).unwrap().format().config.clone()
            })
            .into();
        assert_eq!(configs[0], configs[1], "{name}");
    }
}

/// Two takes of different quality, one after the other, decode to exactly the pictures that the encodes gave
/// back: all depths, an odd size, one and several threads.
#[test]
fn joined_takes_decode_to_the_reconstruction() {
    for factory in encoders() {
        for format in usual_formats(&*factory) {
            for threads in [1, 3] {
                let base = EncoderSettings { format, threads, ..settings(&*factory) };
                for settings in [base.clone(), odd(&*factory, &base)] {
                    join(&factory, &settings);
                }
            }
        }
    }
}

fn join(factory: &Arc<dyn EncoderFactory>, settings: &EncoderSettings) {
    let name = factory.info().name;
    let takes: Vec<_> = [(26, 13, 0.8), (19, 99, 1.2), (1, 99, 1.0), (1, 99, 1.0), (7, 99, 1.0)]
        .into_iter()
        .enumerate()
        .map(|(seed, (count, cut, factor))| {
            let rate = RateControl::Quality(factory.info().quality.usual * factor);
            let settings = EncoderSettings { rate, ..settings.clone() };
            let frames = render(&settings, count, cut, seed as u32);
            let take = encode(&**factory, &settings, &frames, &[]).unwrap();
            assert_eq!(take.pictures.len(), count, "{name}");
            for (index, picture) in &take.pictures {
                let error = luma_error(picture, &frames[*index as usize]);
                assert!(error < 100.0, "{name} picture {index} is not of its frame: {error}");
            }
            take
        })
        .collect();
    assert!(takes.windows(2).all(|pair| pair[0].format == pair[1].format), "{name}");
    if !ffmpeg() {
        return;
    }
    let samples: Vec<&Sample> =
        takes.iter().flat_map(|take| &take.frames).map(|frame| &frame.sample).collect();
    let decoded = decode(&takes[0].format, settings.format, &samples);
    let pictures: Vec<Vec<u8>> = takes.iter().flat_map(|take| take.pictures.values()).map(flat).collect();
    assert_eq!(decoded.len(), pictures.len(), "{name} {settings:?}");
    for (index, (decoded, picture)) in decoded.iter().zip(&pictures).enumerate() {
        assert!(decoded == picture, "{name}: picture {index} differs from what a decoder sees; {settings:?}");
    }
}

/// 12.4: chroma of all kinds is coded as it is, and gets out of another decoder as the encode gave it back.
/// Each plane is that of its source, and not the other one of chroma. The stream states what it is.
#[test]
fn every_chroma_is_coded_as_it_is() {
    let expected: &[(&str, &[&str])] = &[
        ("x264", &["I422", "Nv16", "I210", "I444", "I410", "Y8", "Y10"]),
        ("x265", &["I422", "I210", "I444", "I410", "Y8", "Y10"]),
        ("vp9", &["I422", "I210", "I444", "I410"]),
        ("svt-av1", &[]),
        ("libaom", &["I422", "I210", "I444", "I410", "Y8", "Y10"]),
        ("avcodec:mpeg4", &[]),
        ("avcodec:libx264", &["I422", "I444", "I210", "I410"]),
    ];
    for factory in all_encoders() {
        let name = factory.info().name;
        let usual = usual_formats(&*factory);
        let formats: Vec<_> =
            factory.info().formats.iter().copied().filter(|format| !usual.contains(format)).collect();
        let names: Vec<String> = formats.iter().map(|format| format!("{format:?}")).collect();
        // A build may lack ten bits; those of Debian have all.
        if let Some((_, all)) = expected.iter().find(|(known, _)| *known == name) {
            assert_eq!(names, *all, "{name}");
        }
        for format in formats {
            // The sides are odd where chroma allows it.
            let (across, down) = format.chroma_block().unwrap_or((1, 1));
            let rate = RateControl::Quality(factory.info().quality.usual * 0.7);
            let (width, height) = (96 + across % 2, 80 + down % 2);
            let settings = EncoderSettings { format, rate, width, height, ..settings(&*factory) };
            let frames = render(&settings, 10, 6, 1);
            let take = encode(&*factory, &settings, &frames, &[5]).unwrap();
            for (index, picture) in &take.pictures {
                let source = &frames[*index as usize];
                for plane in 0..picture.format().planes() {
                    let planar = format.is_planar();
                    let error = if planar { plane_error((picture, plane), (source, plane)) } else { 0.0 };
                    assert!(error < 60.0, "{name} {format:?} picture {index} plane {plane}: {error}");
                }
            }
            if format.planes() == 3 {
                let swapped = plane_error((&frames[7], 1), (&frames[7], 2));
                assert!(swapped > 120.0, "the planes of chroma are too much alike: {swapped}");
            }
            if !ffmpeg() {
                continue;
            }
            let samples: Vec<&Sample> = take.frames.iter().map(|frame| &frame.sample).collect();
            let decoded = decode(&take.format, format, &samples);
            let pictures: Vec<_> = take.pictures.values().map(flat).collect();
            assert_eq!(pictures.len(), frames.len());
            assert!(decoded == pictures, "{name} {format:?}: a decoder sees other pictures");
            let (said, wanted) = (
                probe(&take.format, &samples),
                format!("pix_fmt={}", decoded_pix_fmt(take.format.codec, format)),
            );
            assert!(said.lines().any(|line| line == wanted), "{name} lacks {wanted}:\n{said}");
        }
    }
}

/// Requesting pictures changes no byte.
#[test]
fn reconstruction_changes_nothing() {
    for factory in all_encoders() {
        let with = settings(&*factory);
        let without = EncoderSettings { reconstruct: false, ..with.clone() };
        let frames = render(&with, 30, 12, 1);
        let (with, without) = (
            encode(&*factory, &with, &frames, &[]).unwrap(),
            encode(&*factory, &without, &frames, &[]).unwrap(),
        );
        assert!(with.data() == without.data(), "{}", factory.info().name);
        assert!(without.pictures.is_empty());
    }
}

/// 1.3: disposable samples can be left out without harm to any other picture.
#[test]
fn disposable_samples_can_be_dropped() {
    for factory in encoders() {
        let settings = settings(&*factory);
        let take = encode(&*factory, &settings, &render(&settings, 30, 99, 1), &[]).unwrap();
        let kept: Vec<_> =
            take.frames.iter().filter(|frame| frame.sample.kind != SampleKind::Disposable).collect();
        println!("{}: {} disposable", factory.info().name, take.frames.len() - kept.len());
        if kept.len() == take.frames.len() || !ffmpeg() {
            continue;
        }
        let samples: Vec<&Sample> = kept.iter().map(|frame| &frame.sample).collect();
        let mut indices: Vec<u64> = kept.iter().map(|frame| frame.index).collect();
        indices.sort_unstable();
        let decoded = decode(&take.format, settings.format, &samples);
        assert_eq!(decoded.len(), kept.len());
        for (picture, index) in decoded.iter().zip(&indices) {
            assert!(*picture == flat(&take.pictures[index]), "{} picture {index}", factory.info().name);
        }
    }
}

/// A40 and 5.8: colour, aspect and HDR metadata arrive in the stream.
#[test]
fn colour_and_hdr_arrive() {
    for factory in all_encoders() {
        let name = factory.info().name;
        if !factory.info().formats.contains(&PixelFormat::I010) || !ffmpeg() {
            println!("{name}: skipped");
            continue;
        }
        let settings = EncoderSettings {
            format: PixelFormat::I010,
            colour: Colour {
                primaries: 9,
                transfer: 16,
                matrix: 9,
                range: Range::Limited,
                range_known: true,
                chroma_location: 3,
            },
            pixel_aspect_ratio: Rational::new(8, 6),
            mastering_display: Some(MasteringDisplay {
                primaries_gbr: [[8500, 39850], [6550, 2300], [35400, 14600]],
                white_point: [15635, 16450],
                max_luminance: 10_000_000,
                min_luminance: 50,
            }),
            content_light: Some(ContentLight { max_content: 1234, max_frame_average: 321 }),
            ..settings(&*factory)
        };
        let take = encode(&*factory, &settings, &render(&settings, 10, 99, 1), &[]).unwrap();
        let samples: Vec<&Sample> = take.frames.iter().map(|frame| &frame.sample).collect();
        let said = probe(&take.format, &samples);
        let mut wanted = vec!["color_space=bt2020nc"];
        if name != "vp9" {
            wanted.extend([
                "color_transfer=smpte2084",
                "color_primaries=bt2020",
                "chroma_location=topleft",
                "color_range=tv",
            ]);
        }
        if matches!(name, "x264" | "x265") {
            wanted.push("sample_aspect_ratio=4:3");
            let first = &take.frames[0].sample.data;
            // The SEI messages carry ST 2086 and CTA-861.3 as type, length, payload.
            let mastering: Vec<u8> = [8500u16, 39850, 6550, 2300, 35400, 14600, 15635, 16450]
                .iter()
                .flat_map(|value| value.to_be_bytes())
                .chain(10_000_000u32.to_be_bytes())
                .collect();
            let has = |bytes: &[u8]| first.windows(bytes.len()).any(|window| window == bytes);
            assert!(has(&[&[137, 24], &mastering[..]].concat()), "{name}: mastering display");
            assert!(has(&[144, 4, 4, 210, 1, 65]), "{name}: content light");
        }
        if matches!(name, "svt-av1" | "x265" | "libaom") {
            wanted.extend([
                "max_content=1234",
                "max_average=321",
                "side_data_type=Mastering display metadata",
            ]);
        }
        if name == "libaom" {
            // red stands before green, each as a fraction of 2^16
            let red = [46399u16, 19137, 11141, 52232].map(u16::to_be_bytes).concat();
            let sample = &take.frames[0].sample.data;
            assert!(sample.windows(8).any(|window| window == red), "{name}: mastering display");
        }
        if name == "x265" {
            wanted.extend(["red_x=35400/50000", "max_luminance=10000000/10000", "min_luminance=50/10000"]);
        }
        for line in wanted {
            assert!(said.lines().any(|said| said == line), "{name} lacks {line}:\n{said}");
        }
        let full = Colour { range: Range::Full, range_known: true, ..Colour::default() };
        let settings =
            EncoderSettings { colour: full, mastering_display: None, content_light: None, ..settings };
        let take = encode(&*factory, &settings, &render(&settings, 2, 99, 1), &[]).unwrap();
        let samples: Vec<&Sample> = take.frames.iter().map(|frame| &frame.sample).collect();
        let said = probe(&take.format, &samples);
        assert!(said.contains("color_range=pc"), "{name}");
        assert!(!said.contains("Mastering") && !said.contains("Content light"), "{name}");
    }
}

/// A10: no window of the limit's length holds more than it allows.
#[test]
fn limits_hold_or_are_refused() {
    for factory in encoders() {
        for rate in
            [RateControl::Quality(factory.info().quality.min + 9.0), RateControl::AverageBitRate(400_000)]
        {
            let limit = RateLimit { bits_per_second: 500_000, window_bits: 500_000 };
            let settings = EncoderSettings {
                rate,
                limit: Some(limit),
                frame_rate: Rational::new(24000, 1001),
                ..settings(&*factory)
            };
            let frames = render(&settings, 60, 30, 1);
            let take = match encode(&*factory, &settings, &frames, &[]) {
                Err(EncoderError::Settings { setting, reason, .. }) => {
                    assert_eq!(setting, "limit", "{reason}");
                    println!("{}: {rate:?}: {reason}", factory.info().name);
                    continue;
                }
                result => result.unwrap(),
            };
            let sizes: Vec<f64> =
                take.frames.iter().map(|frame| frame.sample.data.len() as f64 * 8.0).collect();
            // The level is that of a leaky bucket, which may overflow nowhere.
            let mut level: f64 = 0.0;
            let mut worst: f64 = 0.0;
            for bits in &sizes {
                level = (level - 500_000.0 * 1001.0 / 24000.0).max(0.0) + bits;
                worst = worst.max(level);
            }
            println!(
                "{} {rate:?}: {:.0} bits at most, {} in all",
                factory.info().name,
                worst,
                take.bytes() * 8
            );
            assert!(worst <= 500_000.0, "{}: {worst}", factory.info().name);
            let free = encode(&*factory, &EncoderSettings { limit: None, ..settings }, &frames, &[]).unwrap();
            if matches!(rate, RateControl::Quality(_)) {
                assert!(free.bytes() > take.bytes(), "{}: the limit has no effect", factory.info().name);
            }
        }
    }
}

/// A film may have less than a frame a second, or many: each frame comes out, at a quality and at a rate,
/// with a bounded delay and without. SVT-AV1 2.3 ends the process where it controls the rate of less than
/// one.
#[test]
fn films_of_any_frame_rate_are_encoded() {
    for factory in encoders() {
        let name = factory.info().name;
        let base = settings(&*factory);
        let frames = render(&base, 12, 3, 1);
        let make = |frame_rate: Rational, rate: RateControl, max_delay: Option<u32>| {
            let controls = Controls { max_delay, ..base.controls.clone() };
            let settings = EncoderSettings { rate, frame_rate, controls, ..base.clone() };
            let take = encode(&*factory, &settings, &frames, &[]);
            let take = take.unwrap_or_else(|error| panic!("{name}, {frame_rate:?}, {rate:?}: {error}"));
            assert_eq!(take.frames.len(), 12, "{name}, {frame_rate:?}, {rate:?}");
            take.frames.into_iter().map(|frame| frame.sample.data).collect::<Vec<_>>()
        };
        for frame_rate in [(1, 10), (3, 4), (5, 4), (240, 1)].map(|(num, den)| Rational::new(num, den)) {
            for rate in
                [RateControl::Quality(factory.info().quality.usual), RateControl::AverageBitRate(100_000)]
            {
                for max_delay in [None, Some(factory.info().controls.least_delay.max(2))] {
                    make(frame_rate, rate, max_delay);
                }
            }
        }
        if name == "svt-av1" {
            // A tenth of the frames a second, and of the bits, is as many bits for each frame.
            let slow = make(Rational::new(1, 10), RateControl::AverageBitRate(10_000), None);
            let whole = make(Rational::new(1, 1), RateControl::AverageBitRate(100_000), None);
            assert!(slow == whole, "{name}: other samples");
        }
    }
}

/// Rates have an effect in the right direction, and an average is met roughly even on two seconds.
#[test]
fn rates_have_an_effect() {
    for factory in encoders() {
        let name = factory.info().name;
        let base = settings(&*factory);
        let frames = render(&base, 60, 30, 1);
        let bytes = |rate| {
            encode(&*factory, &EncoderSettings { rate, ..base.clone() }, &frames, &[]).unwrap().bytes()
        };
        let scale = factory.info().quality;
        let usual = scale.usual;
        let sizes = [usual - 8.0, usual, usual + 8.0]
            .map(|quality| bytes(RateControl::Quality(quality.clamp(scale.min, scale.max))));
        assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{name} {sizes:?}");
        let step = factory.info().quality.step;
        let fine = bytes(RateControl::Quality(usual + step));
        assert_ne!(fine, sizes[1], "{name}: one step of {step} has no effect");
        let low = bytes(RateControl::AverageBitRate(150_000));
        let high = bytes(RateControl::AverageBitRate(600_000));
        println!("{name}: {sizes:?}, 150k {low}, 600k {high} of {}", 600_000 * 60 / 24 / 8);
        assert!(low * 2 < high, "{name}: {low} {high}");
    }
}

/// Impossible settings are refused by name, with a reason.
#[test]
fn what_cannot_be_done_is_refused_by_name() {
    for factory in all_encoders() {
        let name = factory.info().name;
        let base = settings(&*factory);
        let refused = |settings: EncoderSettings| match factory.open(&settings) {
            Err(EncoderError::Settings { setting, reason, .. }) => {
                println!("{name}: {setting}: {reason}");
                setting
            }
            Err(other) => panic!("{name}: {other}"),
            Ok(_) => panic!("{name} took {settings:?}"),
        };
        let option = |key: &str, value: &str| EncoderSettings {
            options: vec![(key.to_owned(), value.to_owned())],
            ..base.clone()
        };
        assert_eq!(refused(option("no-such-option", "1")), "no-such-option");
        let (threads, bad) = match name {
            "svt-av1" => ("lp", ("tile-rows", "many")),
            "x264" => ("threads", ("ref", "many")),
            "x265" => ("frame-threads", ("ref", "many")),
            _ => ("threads", ("aq-mode", "many")),
        };
        assert_eq!(refused(option(threads, "4")), threads);
        assert_eq!(refused(option(bad.0, bad.1)), bad.0);
        assert_eq!(refused(EncoderSettings { preset: "quick".to_owned(), ..base.clone() }), "preset");
        assert_eq!(refused(EncoderSettings { width: 0, ..base.clone() }), "size");
        assert_eq!(refused(EncoderSettings { threads: 0, ..base.clone() }), "threads");
        assert_eq!(
            refused(EncoderSettings { frame_rate: Rational::new(0, 1), ..base.clone() }),
            "frame rate"
        );
        assert_eq!(
            refused(EncoderSettings { rate: RateControl::Quality(1000.0), ..base.clone() }),
            "quality"
        );
        assert_eq!(
            refused(EncoderSettings { rate: RateControl::Quality(f64::NAN), ..base.clone() }),
            "quality"
        );
        assert_eq!(
            refused(EncoderSettings { rate: RateControl::AverageBitRate(0), ..base.clone() }),
            "bit rate"
        );
        let mut encoder = factory.open(&base).unwrap();
        let other = render(&EncoderSettings { width: 64, height: 64, ..base.clone() }, 1, 9, 1);
        assert!(encoder.send(&other[0], Time::ZERO, Time::INVALID, Default::default()).is_err());
    }
}

/// Options in the encoder's own words reach it.
#[test]
fn options_have_an_effect() {
    for factory in encoders() {
        let base = settings(&*factory);
        let frames = render(&base, 20, 9, 1);
        let options: &[(&str, &str)] = match factory.info().name {
            "x264" => &[("bframes", "0"), ("tune", "grain"), ("profile", "main"), ("no-deblock", "1")],
            "x265" => &[("bframes", "0"), ("tune", "grain"), ("aq_mode", "0")],
            "svt-av1" => &[("tile-rows", "1"), ("aq-mode", "0"), ("enable-tf", "0")],
            "libaom" => &[("aq_mode", "1"), ("tune", "ssim"), ("enable-cdef", "0"), ("lag-in-frames", "10")],
            "avcodec:mpeg4" => &[("bf", "2"), ("mbd", "rd"), ("trellis", "1")],
            "avcodec:libx264" => &[("bf", "0"), ("tune", "grain"), ("aq-mode", "0")],
            // what the options of another one are is not known here
            name if name.starts_with("avcodec:") => &[],
            _ => &[("aq_mode", "1"), ("tune", "ssim"), ("sharpness", "5")],
        };
        let plain = encode(&*factory, &base, &frames, &[]).unwrap();
        for &(key, value) in options {
            let settings =
                EncoderSettings { options: vec![(key.to_owned(), value.to_owned())], ..base.clone() };
            let take = encode(&*factory, &settings, &frames, &[]).unwrap();
            assert!(take.data() != plain.data(), "{}: {key}={value} has no effect", factory.info().name);
        }
    }
}

/// Presets have an effect, and each of the faster half works.
#[test]
fn presets_work() {
    for factory in encoders() {
        let base = settings(&*factory);
        let frames = render(&base, 12, 9, 1);
        let presets = &factory.info().presets;
        let mut sizes = Vec::new();
        for preset in &presets[presets.len() / 2..] {
            let settings = EncoderSettings { preset: preset.name.clone(), ..base.clone() };
            let take = encode(&*factory, &settings, &frames, &[]).unwrap();
            assert_eq!(take.frames.len(), 12);
            sizes.push(take.bytes());
        }
        let differ = sizes.iter().any(|size| *size != sizes[0]);
        assert!(differ || presets.len() == 1, "{}: {sizes:?}", factory.info().name);
    }
}

/// Many small encodes open and close all over each other.
#[test]
fn hundreds_of_encodes_in_four_threads() {
    for factory in encoders() {
        let settings = EncoderSettings { width: 96, height: 80, threads: 1, ..settings(&*factory) };
        let frames = render(&settings, 5, 99, 1);
        let expected = encode(&*factory, &settings, &frames, &[]).unwrap();
        let started = std::time::Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let take = encode(&*factory, &settings, &frames, &[]).unwrap();
                        assert!(take.data() == expected.data());
                    }
                });
            }
        });
        println!("{}: 200 encodes in {:.1} s", factory.info().name, started.elapsed().as_secs_f64());
    }
}

/// Section 12.4: where chroma may come in pairs, equal pictures give equal bytes in either layout, and equal
/// errors.
#[test]
fn pairs_of_chroma_make_no_difference() {
    for factory in encoders() {
        let name = factory.info().name;
        assert_eq!(factory.info().formats.contains(&PixelFormat::Nv12), ["x264", "vp9"].contains(&name));
        if !factory.info().formats.contains(&PixelFormat::Nv12) {
            continue;
        }
        let controls = Controls { frame_errors: true, ..Controls::default() };
        let planar = EncoderSettings { width: 182, height: 142, controls, ..settings(&*factory) };
        let paired = EncoderSettings { format: PixelFormat::Nv12, ..planar.clone() };
        let [one, other] = [planar, paired]
            .map(|settings| encode(&*factory, &settings, &render(&settings, 30, 15, 1), &[]).unwrap());
        assert!(one.data() == other.data() && one.format == other.format, "{name}");
        let errors = |take: &Take| take.frames.iter().map(|frame| frame.error).collect::<Vec<_>>();
        assert_eq!(errors(&one), errors(&other), "{name}");
    }
}

/// The record agrees with the elementary stream, as far as another reader can tell.
#[test]
fn streams_are_of_the_size_and_depth_that_was_asked_for() {
    if !ffmpeg() {
        return;
    }
    for factory in encoders() {
        for &format in &factory.info().formats {
            let settings = odd(&*factory, &EncoderSettings { format, ..settings(&*factory) });
            let take = encode(&*factory, &settings, &render(&settings, 3, 99, 1), &[]).unwrap();
            let samples: Vec<&Sample> = take.frames.iter().map(|frame| &frame.sample).collect();
            let (_file, _) = elementary(&take.format, &samples);
            let said = probe(&take.format, &samples);
            for line in [
                format!("width={}", settings.width),
                format!("height={}", settings.height),
                format!("pix_fmt={}", decoded_pix_fmt(take.format.codec, format)),
            ] {
                assert!(
                    said.lines().any(|said| said == line),
                    "{} lacks {line}:\n{said}",
                    factory.info().name
                );
            }
        }
    }
}

/// No encoder runs its threads at a real-time priority, as SVT-AV1 does by itself for root: on a small
/// machine nothing else would run. (Whoever is not root cannot see this fail.)
#[cfg(target_os = "linux")]
#[test]
fn threads_have_the_usual_priority() {
    // the 41st word of a thread's `stat`, counted behind its name, which may have spaces
    let policies = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        let words =
            stats.filter_map(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(38)?.parse::<i32>().ok());
        words.collect::<Vec<_>>()
    };
    for factory in encoders() {
        let settings = EncoderSettings { threads: 2, ..settings(&*factory) };
        let encoder = factory.open(&settings).unwrap();
        assert!(policies().len() > 1, "{}", factory.info().name);
        // another test of this process may be within the call that gives its threads another one
        let is_usual = || policies().iter().all(|&policy| policy == 0);
        let mut tries = (0..200).map(|_| std::thread::sleep(std::time::Duration::from_millis(20)));
        while !is_usual() {
            assert!(tries.next().is_some(), "{}: {:?}", factory.info().name, policies());
        }
        drop(encoder);
    }
}
