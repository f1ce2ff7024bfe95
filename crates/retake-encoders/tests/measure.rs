//! Compares the memory that factories announce with what encodes take, each in a process of its own, because
//! a process has one peak. `estimates_are_within_a_third_of_the_peak` is the test; the rest measures:
//!
//! * one encode, with its CPU time:
//!   `ENCODER=x264 WIDTH=1920 HEIGHT=1080 cargo test --release -p retake-encoders --test measure -- --ignored
//!   one_encode --nocapture`
//! * every encoder at every size, preset, number of threads and depth, as the table of docs/benchmarks.md:
//!   the same with `memory_of_all`; `ENCODER` keeps to one encoder.
#![allow(clippy::unwrap_used)]

mod common;

use common::{encoders, render, settings, time};
use retake_compression::encoder::{
    Controls, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, Output, RateControl,
};
use retake_media::{PixelBuffer, PixelFormat, Time};
use std::process::Command;

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Returns the peak resident memory in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Returns the seconds of all threads, in user mode and in the kernel.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Encodes without keeping anything, because only the encoder's memory counts. Returns the most frames that
/// were inside.
fn encode<'a>(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    frames: impl Iterator<Item = &'a PixelBuffer>,
) -> Result<u64, EncoderError> {
    let mut encoder = factory.open(settings)?;
    let (mut inside, mut held) = (0, 0);
    for (index, frame) in frames.map(Some).chain([None]).enumerate() {
        match frame {
            Some(frame) => {
                encoder.send(frame, time(index), Time::new(1001, 24000), FrameOptions::default())?;
                inside += 1;
            }
            None => encoder.finish()?,
        }
        loop {
            match encoder.receive()? {
                Output::Frame(_) => inside -= 1,
                Output::Pending | Output::End => break,
                _ => {}
            }
        }
        held = held.max(inside);
    }
    Ok(held)
}

/// Measures one encode in this process, by the variables that say which, and prints it for whoever called.
#[test]
#[ignore = "a measurement"]
fn one_encode() {
    let name = variable("ENCODER", "x264");
    let factory = encoders().into_iter().find(|factory| factory.info().name == name).unwrap();
    let number = |name: &str, default: &str| variable(name, default).parse::<u32>().unwrap();
    let settings = EncoderSettings {
        width: number("WIDTH", "640"),
        height: number("HEIGHT", "360"),
        format: if number("DEPTH", "8") == 10 { PixelFormat::I010 } else { PixelFormat::I420 },
        threads: number("THREADS", "1"),
        reconstruct: number("RECONSTRUCT", "0") == 1,
        // coarse, because that is quick, and memory does not follow from the quality
        rate: RateControl::Quality(
            variable("QUALITY", &(factory.info().quality.usual + 12.0).to_string()).parse().unwrap(),
        ),
        preset: variable("PRESET", factory.info().default_preset),
        controls: Controls {
            first_pass: Some(number("FIRST_PASS", "0")).filter(|frames| *frames > 0),
            ..Controls::default()
        },
        ..settings(&*factory)
    };
    let (estimate, delay) = (factory.memory(&settings), factory.delay(&settings));
    // the pipeline has to be full, and has to move on
    let count = variable("FRAMES", &(delay + 12).to_string()).parse().unwrap();
    // A few pictures are shown again and again there and back, so that the film itself takes hardly any
    // memory.
    let few = render(&settings, 6, 99, 1);
    let (before, started) = (peak(), cpu());
    let held = encode(&*factory, &settings, few.iter().chain(few.iter().rev()).cycle().take(count)).unwrap();
    println!(
        "measured\t{name}\t{}x{}\t{}\t{}\t{}\t{}\t{}\t{}\t{held}\t{delay}\t{:.1}",
        settings.width,
        settings.height,
        settings.format.bit_depth(),
        settings.preset,
        settings.threads,
        u8::from(settings.reconstruct),
        (peak() - before) >> 20,
        estimate >> 20,
        cpu() - started,
    );
}

/// One encode, as it was measured.
struct Measured {
    /// The line of [`one_encode`], for people.
    line: String,
    /// Both in MiB.
    peak: f64,
    estimate: f64,
}

/// Has one encode measured in a process of its own.
fn measure(
    encoder: &str,
    (width, height): (u32, u32),
    depth: u32,
    preset: &str,
    threads: u32,
    reconstruct: bool,
) -> Measured {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_encode", "--ignored", "--nocapture"])
        .env("ENCODER", encoder)
        .envs(
            [("WIDTH", width), ("HEIGHT", height), ("DEPTH", depth), ("THREADS", threads)]
                .map(|(name, value)| (name, value.to_string())),
        )
        .env("PRESET", preset)
        .env("RECONSTRUCT", u8::from(reconstruct).to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.split_once("measured\t"));
    let (_, line) =
        line.unwrap_or_else(|| panic!("{encoder}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    let fields: Vec<&str> = line.split('\t').collect();
    Measured { line: line.to_owned(), peak: fields[6].parse().unwrap(), estimate: fields[7].parse().unwrap() }
}

/// What names of encoders begin with whose workings nobody here knows: their estimate is a guess.
const OF_LIBAVCODEC: &str = "avcodec:";

/// Returns a slow preset, the one that is used where none is asked for, and a fast one.
fn presets(factory: &dyn EncoderFactory) -> [&str; 3] {
    let usual = factory.info().default_preset;
    match factory.info().name {
        "x264" | "x265" => ["slow", usual, "veryfast"],
        "svt-av1" => ["4", usual, "12"],
        name if name.starts_with(OF_LIBAVCODEC) => [usual; 3],
        _ => ["1", usual, "5"],
    }
}

/// Of each encoder, what is quick to measure, and of one of libavcodec that it is not taken for smaller: each
/// preset that counts differently would take minutes. The others are in docs/benchmarks.md, measured by
/// [`memory_of_all`].
#[test]
fn estimates_are_within_a_third_of_the_peak() {
    if peak() == 0 {
        println!("SKIPPED: the system tells no peak of a process");
        return;
    }
    for factory in encoders() {
        let name = factory.info().name;
        let [_, _, fast] = presets(&*factory);
        for (size, depth, preset, threads) in
            [((1280, 720), 8, fast, 1), ((640, 360), 10, fast, 1), ((640, 360), 8, fast, 4)]
        {
            if !factory.info().formats.iter().any(|format| format.bit_depth() == depth) {
                continue;
            }
            let Measured { line, peak, estimate } = measure(name, size, depth, preset, threads, false);
            println!("{line}");
            let guessed = name.starts_with(OF_LIBAVCODEC);
            assert!(
                (estimate - peak).abs() <= peak / 3.0 || guessed && estimate > peak,
                "{name}: {estimate} MiB where {peak} are used: {line}"
            );
        }
    }
}

/// Prints the rows of the table in docs/benchmarks.md. At 4K only what is quick is measured.
#[test]
#[ignore = "a measurement"]
fn memory_of_all() {
    println!("| encoder | size | bits | preset | threads | peak MiB | estimate MiB | ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in [(1280, 720), (1920, 1080), (3840, 2160)] {
        for factory in encoders() {
            let [slow, usual, fast] = presets(&*factory);
            let mut cases = vec![(8, fast, 1), (8, usual, 1), (8, fast, 8), (10, fast, 1)];
            if size.1 < 2000 {
                cases.extend([(8, slow, 1), (8, usual, 2), (8, usual, 8), (10, usual, 8)]);
            }
            for (depth, preset, threads) in cases {
                let name = factory.info().name;
                let Measured { peak, estimate, .. } = measure(name, size, depth, preset, threads, false);
                println!(
                    "| {name} | {}×{} | {depth} | {preset} | {threads} | {peak} | {estimate} | {:.2} |",
                    size.0,
                    size.1,
                    estimate / peak
                );
            }
        }
    }
}
