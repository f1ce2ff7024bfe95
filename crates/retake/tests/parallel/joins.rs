//! What parts come to, joined.

use super::{Film, RATE, is_one_film, job, joined};
use crate::common::{self, decode, ffmpeg};
use retake::parallel::{JoinError, Joiner, Subdivision};
use retake::property::{DataRateLimit, H264EntropyMode, Property, PropertyKey};
use retake::session::PassOptions;
use retake::{Codec, SampleBuffer, SampleKind};
use std::io::Write;
use std::process::Command;
use std::slice;

fn sizes(samples: &[SampleBuffer]) -> Vec<usize> {
    samples.iter().map(|sample| sample.sample.data.len()).collect()
}

/// A26, PA-1, PA-5, PA-6, PA-7, PA-8, PA-10: 400 frames in four parts, of which none sees the frames of
/// another, make one film in their order; no window of a second with a join in it holds more than 1.1 times
/// the largest window beside it.
#[test]
fn a26_four_parts_make_one_film_with_steady_joins() {
    let film = Film(common::render(400, 400, 12));
    let registry = retake::encoders();
    for info in common::encoders() {
        let parts =
            job(&registry, &info, &[Property::AverageBitRate(250_000)]).run(&film, &|_| true).unwrap();
        let table: Vec<_> = parts
            .parts()
            .iter()
            .map(|part| {
                (part.part.more_before, part.part.more_after, part.part.range.start, part.part.range.len())
            })
            .collect();
        let rows =
            [(false, true, 0, 100), (true, true, 100, 100), (true, true, 200, 100), (true, false, 300, 100)];
        assert_eq!(table, rows);
        let sizes = sizes(&is_one_film(&info, &parts, 400));
        let windows: Vec<usize> = sizes.windows(RATE).map(|window| window.iter().sum()).collect();
        for join in [100, 200, 300] {
            let largest = |from: usize, to: usize| windows[from..to].iter().copied().max().unwrap();
            let across = largest(join + 1 - RATE, join);
            let beside = largest(join + 1 - 3 * RATE, join + 1 - RATE).max(largest(join, join + RATE));
            let ratio = across as f64 / beside as f64;
            println!("{}: at frame {join} {ratio:.3} of the windows beside it", info.name);
            assert!(ratio <= 1.1, "{}: frame {join}: {across} bytes beside {beside}", info.name);
        }
    }
}

/// A27, PA-6: the same where groups of pictures may be open, and where an encoder has lower bounds: joins are
/// closed.
#[test]
fn a27_open_groups_end_at_joins() {
    let film = Film(common::render(100, 40, 4));
    let registry = retake::encoders();
    for info in common::encoders().iter().filter(|info| info.controls.open_gop) {
        // W3: at a rate, the first second of a part is encoded twice, and only the second time counts.
        for target in [Property::Quality(0.4), Property::AverageBitRate(200_000)] {
            let open = [Property::AllowOpenGOP(true), Property::MaxKeyFrameInterval(9), target];
            let parts = job(&registry, info, &open).run(&film, &|_| true).unwrap();
            is_one_film(info, &parts, 100);
        }
    }
}

/// W3, PA-6: the joiner asks the bitstream. A part that begins in an open group is refused, even if its flags
/// call it a sync sample.
#[test]
fn a_part_that_begins_in_an_open_group_is_refused() {
    for info in common::encoders().iter().filter(|info| info.controls.open_gop) {
        let pull = common::session(info);
        pull.0.set_all(&[Property::AllowOpenGOP(true), Property::MaxKeyFrameInterval(9)]).unwrap();
        let samples = common::encode(&pull, &common::render(60, 99, 4), &[]);
        let open = samples.iter().position(|(_, buffer)| buffer.attachments.partial_sync).unwrap();
        let mut joiner = Joiner::new(Vec::new());
        joiner.begin(&samples[0].1.format).unwrap();
        joiner.sample(&mut samples[0].1.sample.clone()).unwrap();
        joiner.begin(&samples[0].1.format).unwrap();
        let mut first = samples[open].1.sample.clone();
        first.kind = SampleKind::Sync;
        assert!(matches!(joiner.sample(&mut first), Err(JoinError::NotSync { part: 1 })), "{}", info.name);
    }
}

/// `idr_pic_id` of each picture, as FFmpeg reads it.
fn numbers(samples: &[SampleBuffer]) -> Vec<u32> {
    let (stream, format) = common::elementary(&samples[0].format, &samples.iter().collect::<Vec<_>>());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream).unwrap();
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-f", format, "-i"])
        .arg(file.path())
        .args(["-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr);
    let lines = text.lines().filter(|line| line.contains("idr_pic_id"));
    lines.map(|line| line.rsplit('=').next().unwrap().trim().parse().unwrap()).collect()
}

/// A27, PA-11: frames that are all sync frames, in parts of an odd number of them. No two H.264 pictures in a
/// row have the same number, and the pictures are those that the parts have by themselves.
#[test]
fn a27_all_intra() {
    let film = Film(common::render(36, 40, 4));
    let registry = retake::encoders();
    for info in common::encoders() {
        let mut variants = vec![vec![Property::AllowTemporalCompression(false), Property::Quality(0.4)]];
        if info.codec == Codec::H264 {
            let cavlc = Property::H264EntropyMode(H264EntropyMode::Cavlc);
            variants.push([variants[0].clone(), vec![cavlc]].concat());
            for properties in variants.clone() {
                variants.push([properties, vec![Property::FieldCount(2)]].concat());
            }
        }
        for properties in variants {
            let parts = job(&registry, &info, &properties).run(&film, &|_| true).unwrap();
            let samples = is_one_film(&info, &parts, 36);
            assert!(samples.iter().all(|sample| sample.sample.is_sync()), "{}", info.name);
            if info.codec != Codec::H264 || !ffmpeg() {
                continue;
            }
            let alone: Vec<Vec<SampleBuffer>> = parts
                .parts()
                .iter()
                .map(|part| part.silo.samples(None).unwrap().map(Result::unwrap).collect())
                .collect();
            let repeats = |numbers: &[u32]| numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
            assert_eq!(repeats(&numbers(&alone.concat())), 3, "as they come out of the sessions");
            let found = numbers(&samples);
            assert_eq!((found.len(), repeats(&found)), (36, 0), "{found:?}");
            assert_eq!(joined(&parts).1.renumbered, 3);
            let pictures: Vec<_> =
                alone.iter().flat_map(|part| decode(&part.iter().collect::<Vec<_>>())).collect();
            assert!(decode(&samples.iter().collect::<Vec<_>>()) == pictures);
        }
    }
}

/// A28, PA-10, PA-12: one session at once, two, or four: the bytes are the same, by quality and by rate.
#[test]
fn a28_the_number_of_sessions_at_once_changes_no_byte() {
    let film = Film(common::render(96, 96, 8));
    let registry = retake::encoders();
    for info in common::encoders() {
        for target in [Property::Quality(0.4), Property::AverageBitRate(200_000)] {
            let run = |at_once| {
                let job = job(&registry, &info, std::slice::from_ref(&target)).at_once(at_once);
                joined(&job.run(&film, &|_| true).unwrap()).0
            };
            let one = run(1);
            for at_once in [2, 4] {
                assert!(run(at_once) == one, "{}: {at_once} sessions at once, {target:?}", info.name);
            }
        }
    }
}

/// A28, PA-12: with one thread, two, or four in each session, an encode gives the same bytes each time. Where
/// the number of threads changes none either, as `docs/contract.md` says of an encoder, that holds, too.
#[test]
fn a28_equal_threads_give_equal_bytes() {
    let film = Film(common::render(50, 25, 8));
    let registry = retake::encoders();
    for info in common::encoders() {
        for target in [Property::Quality(0.4), Property::AverageBitRate(200_000)] {
            let run = |threads, at_once| {
                let more = [target.clone(), Property::ThreadCount(threads)];
                let job = job(&registry, &info, &more).subdivision(Subdivision::at_most(2));
                joined(&job.at_once(at_once).run(&film, &|_| true).unwrap()).0
            };
            let one = run(1, 2);
            for threads in [2, 4] {
                let several = run(threads, 1);
                assert!(several == run(threads, 2), "{}: {threads} threads, {target:?}", info.name);
                let independent = info.name == "svt-av1" || info.name == "vp9";
                println!("{}: {threads} threads, {target:?}: as one {}", info.name, several == one);
                assert!(!independent || several == one, "{}: {threads} threads, {target:?}", info.name);
            }
        }
    }
}

/// PA-15: each part makes the passes that are asked of it, with a storage and a silo of its own; joined, they
/// are one film.
#[test]
fn parts_make_passes() {
    let film = Film(common::render(96, 24, 20));
    let registry = retake::encoders();
    for info in common::encoders() {
        let options = PassOptions { request_once: true, most: 3, ..PassOptions::default() };
        let job = job(&registry, &info, &[Property::AverageBitRate(150_000)]).passes(options);
        let parts = job.run(&film, &|_| true).unwrap();
        assert!(parts.parts().iter().all(|part| (2..=3).contains(&part.passes)), "{}", info.name);
        is_one_film(&info, &parts, 96);
    }
}

/// Resolution 45, PA-8: the joiner tells of every limit that a window of the joined film breaks, those across
/// joins among them; and there is none where sessions are told that others come before and after.
#[test]
fn limits_hold_across_joins() {
    let film = Film(common::render(200, 50, 60));
    let registry = retake::encoders();
    let second =
        |sizes: &[usize]| sizes.windows(RATE).map(|window| window.iter().sum::<usize>()).max().unwrap();
    for info in common::encoders() {
        let pull = common::session(&info);
        assert!(common::has(&pull, PropertyKey::MoreFramesAfterEnd), "{}", info.name);
        let quality = Property::Quality(0.9);
        let free = job(&registry, &info, slice::from_ref(&quality)).run(&film, &|_| true).unwrap();
        // what hurts at joins, too
        let limit = DataRateLimit { bytes: second(&sizes(&joined(&free).0)) as u64 * 11 / 20, seconds: 1.0 };
        let properties = [Property::DataRateLimits(vec![limit]), quality];
        let parts = job(&registry, &info, &properties).run(&film, &|_| true).unwrap();
        let (samples, report) = joined(&parts);
        assert_eq!(samples.len(), film.0.len(), "{}", info.name);
        let fullest = second(&sizes(&samples));
        println!("{}: {fullest} of {} bytes in the fullest window", info.name, limit.bytes);
        let broken = fullest as u64 > limit.bytes;
        assert_eq!(!report.violations.is_empty(), broken, "{}: {:?}", info.name, report.violations);
        if broken {
            let told = report.violations.iter().map(|violation| violation.bytes).max();
            assert_eq!(told, Some(fullest as u64), "{}", info.name);
        }
        assert!(!broken, "{}", info.name);
        assert!(fullest as u64 > limit.bytes / 3, "{}", info.name);
    }
}
