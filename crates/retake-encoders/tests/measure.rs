//! Prints CPU time and memory of one encode, and the factory's estimate. It is no test of right and wrong:
//! `ENCODER=x264 WIDTH=1920 HEIGHT=1080 cargo test --release -p retake-encoders --test measure -- --ignored
//! --nocapture`
#![allow(clippy::unwrap_used)]

mod common;

use common::{encode, encoders, render, settings};
use retake_compression::encoder::{Controls, EncoderSettings};

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

#[test]
#[ignore = "a measurement"]
fn one_encode() {
    let name = variable("ENCODER", "x264");
    let factory = encoders().into_iter().find(|factory| factory.info().name == name).unwrap();
    let number = |name: &str, default: &str| variable(name, default).parse::<u32>().unwrap();
    let settings = EncoderSettings {
        width: number("WIDTH", "640"),
        height: number("HEIGHT", "360"),
        threads: number("THREADS", "1"),
        reconstruct: number("RECONSTRUCT", "0") == 1,
        preset: variable("PRESET", factory.info().default_preset),
        controls: Controls {
            first_pass: Some(number("FIRST_PASS", "0")).filter(|frames| *frames > 0),
            ..Controls::default()
        },
        ..settings(&*factory)
    };
    // A few pictures are shown again and again there and back, so that the film itself takes hardly any
    // memory.
    let few = render(&settings, 12, 99, 1);
    let frames: Vec<_> =
        few.iter().chain(few.iter().rev()).cycle().take(number("FRAMES", "150") as usize).cloned().collect();
    let (before, started) = (peak(), cpu());
    let take = encode(&*factory, &settings, &frames, &[]).unwrap();
    let pictures: u64 = take.pictures.values().map(|picture| picture.memory()).sum();
    println!(
        "{name} {}x{} threads {} preset {} reconstruct {}: {:.2} CPU s, {} MB more ({} MB of it pictures kept by the test), estimate {} MB, held {} of {}, {} bytes",
        settings.width,
        settings.height,
        settings.threads,
        settings.preset,
        settings.reconstruct,
        cpu() - started,
        (peak() - before) >> 20,
        pictures >> 20,
        factory.memory(&settings) >> 20,
        take.held,
        factory.delay(&settings),
        take.bytes(),
    );
}
