//! Measures ranges: `ranges FILM [THREADS]` decodes a film in ranges from sync frame to sync frame, each with
//! a reader of its own.

use retake_libav::{FrameEntry, FrameIndex, FrameReader, RangeReader, ReaderOptions, SeekTrust, probe};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let info = probe(Path::new(arguments.first().ok_or("usage: ranges FILM [THREADS]")?))?;
    let threads = arguments.get(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let options = ReaderOptions { format: info.video.format, threads };
    let begin = Instant::now();
    let mut reader = FrameReader::open(&info, options)?;
    let mut index = FrameIndex::new(info.video.time_base);
    while let Some(frame) = reader.next()? {
        index.frames.push(FrameEntry::from(&frame));
    }
    println!("linear, with fingerprints: {:.2} s", begin.elapsed().as_secs_f64());
    let count = index.frames.len() as u64;
    let cuts: Vec<u64> = (1..count).filter(|&i| index.frames[i as usize].sync).chain([count]).collect();
    let index = Arc::new(index);
    for (name, backwards) in [("forwards", false), ("backwards", true)] {
        let begin = Instant::now();
        let trust = SeekTrust::new();
        let mut fallbacks = 0;
        let mut ranges: Vec<_> = [0].iter().chain(&cuts).zip(&cuts).map(|(a, b)| *a..*b).collect();
        if backwards {
            ranges.reverse();
        }
        for range in &ranges {
            let mut reader = RangeReader::open(&info, index.clone(), range.clone(), options, trust.clone())?;
            while reader.next()?.is_some() {}
            fallbacks += reader.fallbacks();
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{} ranges {name}: {seconds:.2} s, {fallbacks} fallbacks, seeks trusted: {}",
            ranges.len(),
            !trust.is_lost()
        );
    }
    Ok(())
}
