//! Nothing waits for ever, and nothing grows: random schedules of threads, and films of very many samples.
//! All memory of this program is counted.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::scripted::*;
use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, Container, MultiPassController, PixelBufferAdaptor,
    PixelBufferReceiver, SampleReceiver, SegmentProfile, SegmentReport, SerialQueue, WriterStatus,
};
use retake_media::{Time, TimeRange};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What one of these tests counts must not be another's.
static ALONE: Mutex<()> = Mutex::new(());

fn live_bytes() -> usize {
    let stats = MEMORY.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// Frames of a schedule: few, so that there can be many schedules.
const FRAMES: i64 = 72;

/// How a client brings pictures.
enum Pictures {
    Waits(AssetWriterInput, PixelBufferAdaptor),
    Requests(AssetWriterInput, PixelBufferAdaptor),
    Receives(PixelBufferReceiver, MultiPassController),
}

/// How a client brings sound.
enum Sounds {
    Waits(AssetWriterInput),
    Requests(AssetWriterInput),
    Receives(SampleReceiver),
}

/// Steps back now and then, by chance.
struct Step(u64);

impl Step {
    fn take(&mut self) {
        let times = (random(&mut self.0) % 8).saturating_sub(4);
        (0..times).for_each(|_| thread::yield_now());
    }
}

fn inside(ranges: &[TimeRange]) -> Vec<i64> {
    let time = |index| Time::new(index, 24);
    (0..FRAMES).filter(|&index| ranges.iter().any(|range| range.contains(time(index)))).collect()
}

/// Goes through all passes; stops early at the picture `stop` of all that come, if that comes.
fn bring_pictures(pictures: Pictures, stop: Option<usize>, mut step: Step, done: Sender<()>) {
    let mut left = stop.unwrap_or(usize::MAX);
    let mut count = move || {
        left = left.saturating_sub(1);
        left > 0
    };
    match pictures {
        Pictures::Waits(input, adaptor) => {
            let mut stopped = false;
            while let Some(pass) = input.current_pass_description().filter(|_| !stopped) {
                for index in inside(pass.source_time_ranges()) {
                    step.take();
                    input.wait_until_ready(LONG);
                    if adaptor.append(blank(), Time::new(index, 24)).is_err() || !count() {
                        stopped = true; // cancelled, or enough
                        break;
                    }
                }
                if !stopped && input.mark_current_pass_as_finished().is_ok() {
                    input.wait_until_ready(LONG);
                }
            }
            let _ = input.mark_as_finished();
            done.send(()).unwrap();
        }
        Pictures::Requests(input, adaptor) => {
            let times: Arc<[Time]> = (0..FRAMES).map(|index| Time::new(index, 24)).collect();
            let step = Mutex::new(step);
            let picture = move |_| {
                step.lock().unwrap().take();
                blank()
            };
            let mut passes = 0;
            answer_passes(&input, Arc::new(adaptor), times, picture, move |pass| {
                passes += 1;
                let goes_on = pass.is_some() && (stop.is_none() || passes == 1);
                if !goes_on {
                    let _ = done.send(());
                }
                goes_on
            });
        }
        Pictures::Receives(receiver, mut passes) => {
            pollster::block_on(async {
                'all: while let Ok(Some(pass)) = passes.next().await {
                    for index in inside(pass.source_time_ranges()) {
                        step.take();
                        if receiver.append(blank(), Time::new(index, 24)).await.is_err() || !count() {
                            break 'all;
                        }
                    }
                }
            });
            let _ = receiver.finish();
            done.send(()).unwrap();
        }
    }
}

fn bring_sounds(sounds: Sounds, count: i64, mut step: Step, done: Sender<()>) {
    match sounds {
        Sounds::Waits(input) => {
            for index in 0..count {
                step.take();
                // one that is cancelled is never ready
                if !input.wait_until_ready(LONG) || input.append(sound(index)).is_err() {
                    break;
                }
            }
            let _ = input.mark_as_finished();
            done.send(()).unwrap();
        }
        Sounds::Requests(input) => {
            let queue = Arc::new(SerialQueue::new("sound").unwrap());
            let mut index = 0;
            let requested = input.request_media_data_when_ready(queue, move |input| {
                while input.is_ready_for_more_media_data() {
                    step.take();
                    if index == count || input.append(sound(index)).is_err() {
                        let _ = input.mark_as_finished();
                        let _ = done.send(());
                        return;
                    }
                    index += 1;
                }
            });
            unless_ended(requested);
        }
        Sounds::Receives(receiver) => {
            pollster::block_on(async {
                for index in 0..count {
                    step.take();
                    if receiver.append(sound(index)).await.is_err() {
                        break;
                    }
                }
            });
            let _ = receiver.finish();
            done.send(()).unwrap();
        }
    }
}

/// One schedule: what is asked for, how clients bring it, and when they step back, all by chance.
fn run_schedule(seed: u64, studio: &Studio) {
    let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut roll = move |sides: u64| random(&mut dice) % sides;
    let mut wanted = Vec::new();
    for _ in 0..roll(4) {
        let mut units: Vec<i64> = (0..FRAMES / 12).filter(|_| roll(3) == 0).collect();
        if units.is_empty() {
            units.push(roll(6) as i64);
        }
        wanted.push(units.iter().map(|unit| range(unit * 12, unit * 12 + 12)).collect::<Vec<_>>());
    }
    let script = Script::new(&wanted.iter().map(Vec::as_slice).collect::<Vec<_>>(), false);
    script.change(|state| state.slowness = roll(u64::MAX) | 1);
    let film = roll(8) == 0;
    let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
    let writer = if film {
        AssetWriter::new(studio.path("film.mp4"), Container::Mp4)
    } else {
        let bytes = bytes.clone();
        AssetWriter::segments(SegmentProfile::AppleHls, move |data: Vec<u8>, _: &SegmentReport| {
            bytes.lock().unwrap().extend(data);
        })
    };
    let (input, other) = (encoding(&script, true), AssetWriterInput::passthrough(audio_format()));
    let (style, sound_style) = (roll(3), roll(3));
    let pictures = match style {
        2 => {
            let (receiver, passes) = writer.pixel_buffer_receiver_requesting_multi_pass(&input).unwrap();
            Pictures::Receives(receiver, passes)
        }
        _ => {
            let adaptor = PixelBufferAdaptor::new(&input, None).unwrap();
            writer.add(&input).unwrap();
            if style == 1 { Pictures::Requests(input, adaptor) } else { Pictures::Waits(input, adaptor) }
        }
    };
    let sounds = match sound_style {
        2 => Sounds::Receives(writer.sample_receiver(&other).unwrap()),
        _ => {
            writer.add(&other).unwrap();
            if sound_style == 1 { Sounds::Requests(other) } else { Sounds::Waits(other) }
        }
    };
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    let stop = (roll(4) == 0).then(|| 1 + roll(2 * FRAMES as u64) as usize);
    let cancel = roll(8) == 0;
    let (done, over) = channel();
    let (steps, other_steps, count) =
        (Step(roll(u64::MAX) | 1), Step(roll(u64::MAX) | 1), 40 + roll(160) as i64);
    let (tell, tell_too) = (done.clone(), done);
    let feeders = [
        thread::spawn(move || bring_pictures(pictures, stop, steps, tell)),
        thread::spawn(move || bring_sounds(sounds, count, other_steps, tell_too)),
    ];
    if cancel {
        (0..roll(200)).for_each(|_| thread::yield_now());
        writer.cancel_writing();
        assert!(matches!(writer.status(), WriterStatus::Cancelled));
        feeders.into_iter().for_each(|feeder| feeder.join().unwrap());
        return assert_eq!(studio.files(), Vec::<String>::new(), "seed {seed}");
    }
    for _ in 0..2 {
        over.recv_timeout(LONG).unwrap_or_else(|_| panic!("seed {seed}: waits for ever"));
    }
    feeders.into_iter().for_each(|feeder| feeder.join().unwrap());
    writer.finish_writing_and_wait().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    if film {
        *bytes.lock().unwrap() = std::fs::read(studio.path("film.mp4")).unwrap();
        std::fs::remove_file(studio.path("film.mp4")).unwrap();
    }
    if stop.is_none() {
        let newest = |index| {
            1 + wanted
                .iter()
                .rposition(|ranges| inside(ranges).contains(&index))
                .map_or(0, |pass| pass as u32 + 1)
        };
        let expected: Vec<u32> = (0..FRAMES).map(newest).collect();
        assert_eq!(versions(&bytes.lock().unwrap(), FRAMES), expected, "seed {seed}");
    }
}

/// Issue 5, AW-6, AM-14: pictures of several passes and sound of one, each brought by a thread in one of
/// three ways, in a thousand schedules: with passes by chance, stops in the middle, and cancels. No wait is
/// longer than it may be, the newest version of each frame is in the film, and nothing is left in memory.
#[test]
fn a_thousand_schedules_of_two_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let studio = Studio::empty();
    (0..20).for_each(|seed| run_schedule(seed + 5000, &studio));
    let before = live_bytes();
    (0..1000).for_each(|seed| run_schedule(seed, &studio));
    let after = live_bytes();
    assert!(after < before + (1 << 20), "{before} bytes, and {after} after a thousand schedules");
}

/// What a film of so many samples took: allocations, their bytes, and the greatest number of bytes at once.
struct Work {
    allocations: usize,
    bytes: usize,
    most: usize,
}

/// A film of `seconds` of 60 pictures and 60.4 packets of sound a second, a few bytes each, by two threads.
fn write_tiny(seconds: i64) -> Work {
    let studio = Studio::empty();
    let file = studio.path("a.mp4");
    let (before, live) = (MEMORY.stats(), live_bytes());
    let (most, refused) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
    let (writer, inputs) = started(&file, &[video_format(), audio_format()]);
    writer.start_session(Time::ZERO).unwrap();
    let bring = |input: &AssetWriterInput, count: i64, make: fn(i64) -> retake_media::Sample| {
        for index in 0..count {
            let mut sample = make(index);
            loop {
                match input.append(sample) {
                    Ok(()) => break,
                    Err(AppendError::NotReady(back)) => {
                        sample = back.sample;
                        refused.store(true, Ordering::Relaxed);
                        assert!(input.wait_until_ready(LONG));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            if index % 256 == 0 {
                most.fetch_max(live_bytes().saturating_sub(live), Ordering::Relaxed);
            }
        }
        input.mark_as_finished().unwrap();
    };
    let at_60 = |index: i64| {
        let mut sample = picture(index);
        (sample.pts, sample.dts, sample.duration) =
            (Time::new(index, 60), Time::new(index, 60), Time::new(1, 60));
        sample
    };
    let at_60_4 = |index: i64| {
        let mut sample = sound(index);
        let time = Time::new(index * 795, 48_000);
        (sample.pts, sample.dts, sample.duration) = (time, time, Time::new(795, 48_000));
        sample.data.truncate(2);
        sample
    };
    thread::scope(|scope| {
        scope.spawn(|| bring(&inputs[0], seconds * 60, at_60));
        scope.spawn(|| bring(&inputs[1], seconds * 48_000 / 795, at_60_4));
    });
    writer.finish_writing_and_wait().unwrap();
    assert!(refused.load(Ordering::Relaxed), "all were taken in at once");
    // each track has its number of samples
    let bytes = std::fs::read(&file).unwrap();
    let tables = (4..bytes.len() - 12).filter(|&at| bytes[at..].starts_with(b"stsz"));
    let counts = tables.map(|at| i64::from(u32::from_be_bytes(bytes[at + 12..at + 16].try_into().unwrap())));
    assert_eq!(counts.collect::<Vec<_>>(), [seconds * 60, seconds * 48_000 / 795]);
    let after = MEMORY.stats();
    Work {
        allocations: after.allocations + after.reallocations - before.allocations - before.reallocations,
        bytes: after.bytes_allocated - before.bytes_allocated,
        most: most.load(Ordering::Relaxed),
    }
}

/// Bytes that the whole program has had in memory at once, where the system says.
fn most_resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

/// Issue 5: a film of three hours, of 1.3 million tiny samples, takes twice the work of one of an hour and a
/// half, counted in allocations and their bytes, and no more memory of ours at once: what waits is bounded.
/// The index of the file is all that grows, by some bytes a sample.
#[test]
fn a_film_of_very_many_tiny_samples() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let half = write_tiny(5400);
    let whole = write_tiny(10_800);
    let ratio = |whole: usize, half: usize| whole as f64 / half as f64;
    let ratios = [ratio(whole.allocations, half.allocations), ratio(whole.bytes, half.bytes)];
    println!("{ratios:?}, {} and {} bytes at once, resident {:?}", half.most, whole.most, most_resident());
    assert!(ratios.iter().all(|ratio| (1.8..2.2).contains(ratio)), "{ratios:?}");
    assert!(whole.most < 16 << 20 && whole.most < half.most + (4 << 20), "{} and {}", half.most, whole.most);
    // libavformat keeps its index in memory, too
    assert!(
        most_resident().is_none_or(|bytes| bytes < 1_300_000 * 160 + (64 << 20)),
        "{:?}",
        most_resident()
    );
}
