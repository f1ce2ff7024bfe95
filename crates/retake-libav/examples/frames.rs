//! Prints a film's description, and number, time, duration and fingerprint of each of its frames:
//! `frames FILM [THREADS]`, where `-` is standard input.

use retake_libav::{FrameReader, ReaderOptions, probe};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(film) = arguments.next() else {
        eprintln!("usage: frames FILM [THREADS] [quiet]");
        return ExitCode::from(2);
    };
    let threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    match print(Path::new(&film), threads, arguments.next().is_some()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(film: &Path, threads: u32, quiet: bool) -> Result<(), Box<dyn std::error::Error>> {
    let info = probe(film)?;
    let mut out = std::io::stdout().lock();
    if !quiet {
        eprintln!("{info:#?}");
    }
    let mut reader = FrameReader::open(&info, ReaderOptions { format: info.video.format, threads })?;
    let mut count = 0;
    while let Some(frame) = reader.next()? {
        count += 1;
        if !quiet {
            let sync = if frame.sync { " sync" } else { "" };
            writeln!(out, "{} {} {} {:016x}{sync}", frame.index, frame.pts, frame.duration, frame.hash())?;
        }
    }
    writeln!(out, "{count} frames, {} damaged, {} repaired", reader.damaged(), reader.repaired())?;
    Ok(())
}
