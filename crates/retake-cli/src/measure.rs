//! `retake measure` scores a film against its source.

use crate::args::{Measure, range};
use crate::exit::{Stopped, UNMET, Usage};
use crate::output;
use crate::report::Wanted;
use crate::signals;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use retake::report::FilmPair;
use retake::{ExportError, FilmRange, FilmScore, Measurement, Pooling, StopFlag};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &Measure) -> Result<ExitCode> {
    let metric = crate::encode::metric(args.metric.as_deref())?;
    let pool: Pooling = args.floor.parse().map_err(|error| Usage(format!("--floor: {error}")))?;
    if args.quality.is_some_and(|quality| !quality.is_finite()) {
        return Err(Usage("--quality: a number is needed".into()).into());
    }
    if !(args.unit.is_finite() && args.unit > 0.0) {
        return Err(Usage("--unit: a number of seconds above 0 is needed".into()).into());
    }
    let wanted = Wanted::of_measure(args)?;
    let stop = signals::stop_flag(Stopped)?;
    // indicatif hides the bar where standard error is no terminal
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} frames  {per_sec}")?);
    let range = range(args.from, args.to);
    let measurement = Measurement::new(&args.reference, &args.film)
        .metric(metric)
        .pool(pool)
        .score_at(args.score_at.unwrap_or_default())
        .longest_unit(args.unit)
        .filters(args.pictures.filters())
        .video_track(args.pictures.video)
        .allow_references(args.allow_references);
    let score = measured(measurement, range, &stop, &bar)?;
    bar.finish_and_clear();
    let missed = |unit: f64| args.quality.is_some_and(|floor| unit < floor);
    let below = score.units.iter().filter(|unit| missed(unit.score)).count();
    let findings = [(&args.reference, &score.reference_findings), (&args.film, &score.film_findings)];
    let findings = findings.map(|(file, found)| found.iter().map(move |finding| (file, finding)));
    let findings: Vec<_> = findings.into_iter().flatten().collect();
    let damaged = findings.iter().any(|(_, finding)| finding.kind.is_damage()) && !args.accept_damage;
    let mut text = String::new();
    if args.json {
        writeln!(text, "{}", serde_json::to_string_pretty(&score)?)?;
    } else {
        for unit in &score.units {
            let mark = if missed(unit.score) { "  below" } else { "" };
            writeln!(text, "{:>8}-{:<8} {:>7.2}{mark}", unit.range.start, unit.range.end - 1, unit.score)?;
        }
        let worst = score.units.iter().map(|unit| unit.score).fold(f64::INFINITY, f64::min);
        writeln!(
            text,
            "{} ({}) over {} frames: mean {:.2}, 5 % below {:.2}, worst frame {:.2}, worst unit ({}) {:.2}",
            score.metric,
            metric.scale(),
            score.frames,
            score.mean,
            score.p5,
            score.min,
            score.pool,
            worst
        )?;
        if let Some(floor) = args.quality {
            writeln!(text, "{below} of {} units below {floor}", score.units.len())?;
        }
    }
    if !args.json {
        for (file, finding) in &findings {
            writeln!(text, "note: {}", output::one_line(&format!("{}: {finding}", file.display())))?;
        }
    }
    output::print(&text);
    if let Some(wanted) = wanted {
        let mut report = score.report(&args.reference, &args.film, args.quality);
        report.command = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let pair = FilmPair::new(&args.reference, &args.film, range)
            .filters(args.pictures.filters())
            .video_track(args.pictures.video);
        let detail = &score.detail;
        let scores: Vec<(u64, f64)> = (0..).zip(detail.scores.iter().copied()).collect();
        let added = pair.add_to(&mut report, Some(&scores), |frame| score.seconds_of(frame), &stop);
        wanted.note_loss(&mut report, added.err());
        let frames = serde_json::json!({ "scores": score, "frames": {
            "score": detail.scores, "seconds": detail.seconds, "bytes": detail.bytes,
        }});
        wanted.save(report, Some(&serde_json::to_string(&frames)?))?;
    }
    Ok(if below > 0 || damaged { ExitCode::from(UNMET) } else { ExitCode::SUCCESS })
}

/// Runs a measurement over a part of the source, or all of it, whose films may be objects of a store.
pub(crate) fn measured(
    mut measurement: Measurement,
    range: Option<FilmRange>,
    stop: &StopFlag,
    bar: &ProgressBar,
) -> Result<FilmScore> {
    if let Some(objects) = crate::objects::store() {
        measurement = measurement.objects(objects);
    }
    if let Some(range) = range {
        measurement = measurement.time_range(range);
    }
    match measurement.stop(stop).run(|frames| bar.set_position(frames)) {
        // a measurement leaves no state, so the same command cannot carry it on
        Err(ExportError::Stopped) => Err(Stopped.into()),
        other => Ok(other?),
    }
}
