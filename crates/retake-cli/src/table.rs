//! The table at the end.

use retake::{Outcome, Summary};

pub(crate) fn print(summary: &Summary) {
    println!("pass  takes   frames  video kB    kb/s  worst unit  below");
    let rate = |bytes: u64| bytes as f64 * 8.0 / 1000.0 / summary.seconds.max(1e-9);
    for pass in &summary.passes {
        let worst = pass.worst.map_or("-".into(), |worst| format!("{worst:.2}"));
        let below = pass.below.map_or("-".into(), |below| below.to_string());
        println!(
            "{:>4} {:>6} {:>8} {:>9} {:>7.0} {:>11} {:>6}",
            pass.pass,
            pass.takes,
            pass.frames,
            pass.video_bytes / 1000,
            rate(pass.video_bytes),
            worst,
            below
        );
    }
    if let Some(quality) = &summary.quality {
        println!(
            "{} ({} of each unit): mean {:.2}, worst unit {:.2} ({})",
            quality.metric, quality.pool, quality.mean, quality.worst, quality.worst_range
        );
    }
    let outcome = match summary.outcome {
        Outcome::Satisfied => "satisfied",
        Outcome::PassCap => "not satisfied everywhere: the allowed passes are used up (--passes)",
        Outcome::NoGainExpected => "not satisfied everywhere: no further take is expected to help",
        Outcome::Plain => "one plain pass",
    };
    println!(
        "{outcome}; {:.1} CPU seconds in {:.1} s",
        summary.cpu_seconds, summary.wall_seconds
    );
    for note in &summary.notes {
        println!("note: {note}");
    }
    println!(
        "{}: {} frames, {:.2} s, {} bytes",
        summary.output.display(),
        summary.frames,
        summary.seconds,
        summary.file_bytes
    );
}
