//! `retake compare` scores several films against their one source.

use crate::args::{Compare, range};
use crate::exit::{Stopped, Usage};
use crate::measure::measured;
use crate::report::{check_page, with_ending};
use crate::{output, signals};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use retake::report::{compare, save_report};
use retake::{Measurement, Pooling};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(args: &Compare) -> Result<ExitCode> {
    let metric = crate::encode::metric(args.metric.as_deref())?;
    let pool: Pooling = args.floor.parse().map_err(|error| Usage(format!("--floor: {error}")))?;
    let films: Vec<(String, String, PathBuf)> = args.films.iter().map(|film| named(film)).collect();
    let page = args.output.clone().unwrap_or_else(|| with_ending(&films[0].2, ".compared.html"));
    let sources: Vec<&PathBuf> = films.iter().map(|(_, _, film)| film).chain([&args.reference]).collect();
    check_page(&page, &sources, args.overwrite)?;
    let stop = signals::stop_flag(Stopped)?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {prefix}: {pos} frames  {per_sec}")?);
    let range = range(args.from, args.to);
    let mut scores = Vec::new();
    for (name, curve, film) in films {
        bar.set_prefix(output::one_line(&name).into_owned());
        let measurement = Measurement::new(&args.reference, &film)
            .metric(metric)
            .pool(pool)
            .score_at(args.score_at.unwrap_or_default())
            .filters(args.pictures.filters())
            .video_track(args.pictures.video)
            .allow_references(args.allow_references);
        scores.push((name, curve, measured(measurement, range, &stop, &bar)?));
    }
    bar.finish_and_clear();
    let comparison = compare(&args.reference, &scores);
    save_report(&page, &comparison.render(), args.overwrite)?;
    let mut text = String::new();
    writeln!(text, "{}", output::one_line(&comparison.verdict()))?;
    for (curve, other, rate) in comparison.bd_rates() {
        let word = if rate < 0.0 { "fewer" } else { "more" };
        let line = format!("{curve} takes {:.1} % {word} bits than {other} for the same score", rate.abs());
        writeln!(text, "{}", output::one_line(&line))?;
    }
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Returns the name of a film, that of its curve, and its path. A file whose own name holds a `=` is that
/// file.
fn named(film: &Path) -> (String, String, PathBuf) {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    match film.to_str().and_then(|text| text.split_once('=')) {
        Some((curve, file)) if !film.exists() && !curve.is_empty() => {
            (name(Path::new(file)), curve.to_owned(), file.into())
        }
        _ => (name(film), name(film), film.to_owned()),
    }
}
