//! This module prints the table at the end of an encode.

use crate::output::{self, one_line};
use retake::{Missed, Outcome, SoundSummary, StopReason, Summary};
use std::fmt::Write;

pub(crate) fn print(summary: &Summary) {
    let mut text = String::new();
    // writing to a string cannot fail
    let _ = render(summary, &mut text);
    output::print(&text);
}

fn render(summary: &Summary, text: &mut String) -> std::fmt::Result {
    writeln!(text, "pass  takes   frames  video kB    kb/s  worst unit  below")?;
    let rate = |bytes: u64| bytes as f64 * 8.0 / 1000.0 / summary.seconds.max(1e-9);
    for pass in &summary.passes {
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
    if let Some(quality) = &summary.quality {
        writeln!(
            text,
            "{} ({} of each unit): mean {:.2}, worst unit {:.2} ({})",
            quality.metric, quality.pool, quality.mean, quality.worst, quality.worst_range
        )?;
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
    for missed in &summary.missed {
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
