//! `retake compare` scores several films against their one source.

use crate::args::{Compare, range};
use crate::exit::{Stopped, Usage};
use crate::{output, signals};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use retake::report::{check_report, compare, save_report};
use retake::{ExportError, Measurement, Pooling};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(args: &Compare) -> Result<ExitCode> {
    let metric = crate::encode::metric(args.metric.as_deref())?;
    let pool: Pooling = args.floor.parse().map_err(|error| Usage(format!("--floor: {error}")))?;
    let films: Vec<(String, String, PathBuf)> = args.films.iter().map(|film| named(film)).collect();
    let page = args.output.clone().unwrap_or_else(|| {
        let mut page = films[0].2.clone().into_os_string();
        page.push(".compared.html");
        page.into()
    });
    if films.iter().any(|(_, _, film)| *film == page) || args.reference == page {
        return Err(Usage(format!("{}: it is one of the films", page.display())).into());
    }
    check_report(&page, args.overwrite)?;
    let stop = signals::stop_flag(Stopped)?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {prefix}: {pos} frames  {per_sec}")?);
    let mut scores = Vec::new();
    for (name, curve, film) in films {
        bar.set_prefix(output::one_line(&name).into_owned());
        let mut measurement = Measurement::new(&args.reference, &film)
            .metric(metric)
            .pool(pool)
            .allow_references(args.allow_references)
            .stop(&stop);
        if let Some(objects) = crate::objects::store() {
            measurement = measurement.objects(objects);
        }
        if let Some(range) = range(args.from, args.to) {
            measurement = measurement.time_range(range);
        }
        let score = match measurement.run(|frames| bar.set_position(frames)) {
            Err(ExportError::Stopped) => return Err(Stopped.into()),
            other => other?,
        };
        scores.push((name, curve, score));
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
