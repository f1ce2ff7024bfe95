//! This module prints the table at the end of an encode, of one film or of several.

use crate::batch::{held, state};
use crate::output::{self, one_line};
use console::{Alignment, measure_text_width, pad_str};
use indicatif::DecimalBytes;
use retake::batch::{FilmResult, LeftOut};
use retake::{Missed, OtherEffort, Outcome, PassSummary, QualitySummary, SoundSummary, StopReason, Summary};
use std::fmt::Write;

pub(crate) fn print(summary: &Summary) {
    let mut text = String::new();
    // writing to a string cannot fail
    let _ = render(summary, &mut text);
    output::print(&text);
}

fn render(summary: &Summary, text: &mut String) -> std::fmt::Result {
    let rate = |bytes: u64| bytes as f64 * 8.0 / 1000.0 / summary.seconds.max(1e-9);
    for variant in &summary.variants {
        write!(text, "{}: {}x{}", variant.name, variant.width, variant.height)?;
        if let Some(expected) = &variant.expected {
            let rate = expected.bit_rate as f64 / 1000.0;
            write!(text, ", expected {:.2} at {rate:.0} kb/s", expected.score)?;
        }
        writeln!(text)?;
        passes(&variant.passes, variant.quality.as_ref(), &rate, text)?;
        for missed in &variant.missed {
            writeln!(text, "{} missed: {}", variant.name, one_line(&miss(missed)))?;
        }
    }
    if summary.variants.is_empty() {
        passes(&summary.passes, summary.quality.as_ref(), &rate, text)?;
    }
    let outcome = match (summary.outcome, summary.stopped_because) {
        (Outcome::Satisfied, _) => "satisfied",
        (Outcome::Plain, _) => "one plain pass",
        (Outcome::Missed, _)
            if summary.missed.iter().all(|missed| matches!(missed, Missed::Source { .. })) =>
        {
            "done, but the source could not be read whole"
        }
        (Outcome::Missed, StopReason::PassCap) => {
            "not satisfied everywhere: the allowed passes are used up (--passes)"
        }
        (Outcome::Missed, StopReason::NoGainExpected) => {
            "not satisfied everywhere: no further take is expected to help"
        }
        // only the finished file shows this
        (Outcome::Missed, StopReason::Satisfied) => "not satisfied",
    };
    writeln!(text, "{outcome}; {:.1} CPU seconds in {:.1} s", summary.cpu_seconds, summary.wall_seconds)?;
    if !summary.efforts.is_empty() {
        let others: Vec<String> = summary.efforts.iter().map(would_be).collect();
        writeln!(text, "with --effort {}", others.join("; "))?;
    }
    // where there are variants, each has told its own
    for missed in summary.missed.iter().filter(|_| summary.variants.is_empty()) {
        writeln!(text, "missed: {}", one_line(&miss(missed)))?;
    }
    for sound in &summary.sound {
        writeln!(text, "sound: {}", one_line(&become_of(sound)))?;
    }
    for note in &summary.notes {
        writeln!(text, "note: {}", one_line(note))?;
    }
    writeln!(
        text,
        "{}: {} frames, {:.2} s, {} bytes",
        one_line(&summary.output.to_string_lossy()),
        summary.frames,
        summary.seconds,
        summary.file_bytes
    )?;
    Ok(())
}

/// What another effort would have made of the film.
fn would_be(other: &OtherEffort) -> String {
    let than = |times: f64, more: &str, less: &str, same: &str| match (100.0 * (times - 1.0)).round() {
        0.0 => same.to_owned(),
        percent if percent > 0.0 => format!("{percent:.0} % {more}"),
        percent => format!("{:.0} % {less}", -percent),
    };
    let bytes = than(other.bytes, "larger", "smaller", "as large");
    let cpu = than(other.cpu, "more CPU", "less CPU", "as much CPU");
    format!("{}: about {bytes} for {cpu}", other.effort)
}

/// Writes the table of the passes of a film, or of a variant of it, and its scores.
fn passes(
    passes: &[PassSummary],
    quality: Option<&QualitySummary>,
    rate: &dyn Fn(u64) -> f64,
    text: &mut String,
) -> std::fmt::Result {
    writeln!(text, "pass  takes   frames  video kB    kb/s  worst unit  below")?;
    for pass in passes {
        let worst = pass.worst.map_or("-".into(), |worst| format!("{worst:.2}"));
        let below = pass.below.map_or("-".into(), |below| below.to_string());
        writeln!(
            text,
            "{:>4} {:>6} {:>8} {:>9} {:>7.0} {:>11} {:>6}",
            pass.pass,
            pass.takes,
            pass.frames,
            pass.video_bytes / 1000,
            rate(pass.video_bytes),
            worst,
            below
        )?;
    }
    if let Some(quality) = quality {
        let at = quality.size.map_or(String::new(), |(width, height)| format!(", at {width}×{height}"));
        writeln!(
            text,
            "{} ({} of each unit{}): mean {:.2}, worst unit {:.2} ({})",
            quality.metric, quality.pool, at, quality.mean, quality.worst, quality.worst_range
        )?;
    }
    Ok(())
}

/// What is left out of folders is listed up to so many.
const LISTED: usize = 10;

/// Prints what became of several films. `all` lists all that was left out.
pub(crate) fn print_batch(results: &[FilmResult<anyhow::Error>], left_out: &[LeftOut], all: bool) {
    let mut text = String::new();
    // writing to a string cannot fail
    let _ = render_batch(results, left_out, all, &mut text);
    output::print(&text);
}

fn render_batch(
    results: &[FilmResult<anyhow::Error>],
    left_out: &[LeftOut],
    all: bool,
    text: &mut String,
) -> std::fmt::Result {
    let none = || "-".to_owned();
    let mut rows = vec![["film", "state", "size", "ratio", "held", "time"].map(str::to_owned)];
    let (mut bytes, mut source_bytes, mut seconds) = (0_u64, 0_u64, 0.0);
    for result in results {
        let size = result.end.summary().map(|summary| summary.file_bytes);
        let ratio = size.zip(result.source_bytes.filter(|bytes| *bytes > 0));
        if let Some((size, source)) = ratio {
            (bytes, source_bytes) = (bytes.saturating_add(size), source_bytes.saturating_add(source));
        }
        seconds += result.seconds;
        rows.push([
            one_line(&result.film.input.to_string_lossy()).into_owned(),
            state(&result.end).to_owned(),
            size.map_or_else(none, |size| DecimalBytes(size).to_string()),
            ratio.map_or_else(none, |(size, source)| format!("{:.1} %", size as f64 / source as f64 * 100.0)),
            held(&result.end).map_or_else(none, |held| if held { "yes" } else { "no" }.to_owned()),
            duration(result.seconds),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let side = if column < 2 { Alignment::Left } else { Alignment::Right };
            pad_str(cell, *width, side, None)
        });
        writeln!(text, "{}", cells.collect::<Vec<_>>().join("  "))?;
    }
    let there = results.iter().filter(|result| result.end.summary().is_some()).count();
    let sizes = match source_bytes {
        0 => String::new(),
        _ => format!(", {} of {}", DecimalBytes(bytes), DecimalBytes(source_bytes)),
    };
    writeln!(text, "{there} of {} films are there{sizes}, in {}", results.len(), duration(seconds))?;
    let most = if all { left_out.len() } else { LISTED };
    for left in left_out.iter().take(most) {
        let left = format!("{}: {}", left.path.display(), left.reason);
        writeln!(text, "left out: {}", one_line(&left))?;
    }
    match left_out.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(text, "left out: {more} more (--verbose lists them)"),
    }
}

/// Seconds, or hours, minutes and seconds.
fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Says in words what became of a track of sound.
fn become_of(sound: &SoundSummary) -> String {
    let mut words = format!("track {} ({})", sound.track, sound.source);
    let Some(codec) = &sound.codec else { return words + " is left out" };
    // writing to a string cannot fail
    let _ = write!(words, " is {codec}");
    if let Some(rate) = sound.bit_rate {
        let _ = write!(words, ", {} kb/s", rate / 1000);
    }
    if let Some(rate) = sound.sample_rate {
        let _ = write!(words, ", {rate} Hz");
    }
    if let Some(channels) = sound.channels {
        let _ = write!(words, ", {channels} {}", if channels == 1 { "channel" } else { "channels" });
    }
    if let Some(level) = &sound.level {
        if let Some(loudness) = level.loudness {
            let _ = write!(words, ", from {loudness:.1} to {:.1} LUFS", loudness + level.gain);
        }
        let _ = write!(words, ", gain {:+.2} dB", level.gain);
    }
    words
}

/// Says in words which target was missed, with the flag that asked for it.
fn miss(missed: &Missed) -> String {
    match missed {
        Missed::Floor { units, of } => format!("{units} of {of} units are below the floor"),
        Missed::BitRate { wanted, got } => {
            format!("--bitrate makes {wanted} bytes of video, and there are {got}")
        }
        Missed::Size { wanted, got } => format!("--size allows {wanted} bytes, and the file has {got}"),
        Missed::MaxBitRate { units, of, times, worst } => format!(
            "--max-bitrate is exceeded in {units} of {of} units, at most {times:.2} times ({worst}): allow more passes, or a higher rate"
        ),
        Missed::Source { damage } => {
            let damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
            format!("the source: {} (--accept-damage makes this fine)", damage.join("; "))
        }
        other => format!("{other:?}"),
    }
}
