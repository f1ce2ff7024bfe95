//! `retake encode` with several films: one after another, a table in the end, and the exit code of the worst.

use crate::args::Encode;
use crate::encode;
use crate::exit::{self, STOPPED, UNMET, USAGE, Usage};
use crate::output;
use crate::progress::Progress;
use crate::report::EncodeReport;
use crate::table;
use anyhow::Result;
use retake::batch::{Batch, BatchClient, BatchFilm, BatchRules, FilmEnd, FilmResult, OutputNames};
use retake::{Event, ExportBuilder, Outcome, StopFlag, Summary};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Exit codes from the best to the worst. A failure of this program or the machine is worse than a request
/// that somebody can mend; being stopped comes last, because it says that the rest was not even tried.
const BY_WORTH: [u8; 5] = [0, UNMET, USAGE, 1, STOPPED];

/// Makes all the films that the flags ask for.
pub(crate) fn run(args: &Encode, names: OutputNames) -> Result<ExitCode> {
    check(args)?;
    let rules = rules(args, names)?;
    let stop = encode::stop_flag(args)?;
    let batch = Batch::plan(&args.inputs, &rules, &stop)?;
    let code = Maker::new(args, &stop, batch.films().len()).make(&batch);
    if code == STOPPED {
        output::complain(STOPPED_TEXT);
    }
    Ok(ExitCode::from(code))
}

/// What is told of a run that a signal stopped.
pub(crate) const STOPPED_TEXT: &str =
    "retake: stopped; all finished films and takes are kept: run the same command again to carry on\n";

/// Returns how films are looked for.
pub(crate) fn rules(args: &Encode, names: OutputNames) -> Result<BatchRules> {
    Ok(BatchRules {
        names,
        codec: encode::encoder(args)?.info().codec,
        recursive: args.several.recursive,
        references: args.allow_references,
    })
}

/// Returns the flags for one of the films.
pub(crate) fn film_args(args: &Encode, film: &BatchFilm) -> Encode {
    Encode { inputs: vec![film.input.clone()], output: film.output.clone(), ..args.clone() }
}

/// Refuses what is about one film.
pub(crate) fn check(args: &Encode) -> Result<()> {
    let records = args.keep_records.as_deref().is_some_and(|place| place != Path::new("no"));
    let flags = [
        (records, "--keep-records FILE", "without it, each film has its records beside it"),
        (
            matches!(args.report, Some(Some(_))),
            "--report FILE",
            "--report alone makes a page beside each film",
        ),
        (args.plot.is_some(), "--plot", "`retake report FILM --plot FILE` draws each"),
        (args.serve.is_some(), "--serve", "--json tells how far they are"),
        (args.again.is_some(), "--again", "each film has records of its own"),
        (args.engine().is_some(), "--on restate", "an engine is asked for each by a command of its own"),
    ];
    match flags.into_iter().find(|(given, ..)| *given) {
        Some((_, flag, remedy)) => {
            Err(Usage(format!("{flag} is about one film, not several: {remedy}")).into())
        }
        None => Ok(()),
    }
}

/// What has the films made, and tells of them.
pub(crate) struct Maker<'a> {
    args: &'a Encode,
    stop: &'a StopFlag,
    count: usize,
    /// What shows the film that is being made.
    progress: Mutex<Option<Arc<Progress>>>,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(args: &'a Encode, stop: &'a StopFlag, count: usize) -> Self {
        Self { args, stop, count, progress: Mutex::default() }
    }

    /// Makes the films, tells what became of them, and returns the worst of their exit codes.
    pub(crate) fn make(&self, batch: &Batch) -> u8 {
        if self.args.json {
            self.print(&began(batch));
        }
        let results = batch.run(self, self.stop);
        let codes = results.iter().map(|result| code(&result.end));
        let code = codes.max_by_key(|code| worth(*code)).unwrap_or(0);
        if self.args.json {
            self.print(&finished(&results, code));
        } else if !self.args.quiet {
            table::print_batch(&results, batch.left_out(), self.args.verbose);
        }
        code
    }

    fn print(&self, event: &Value) {
        output::print(&format!("{event}\n"));
    }

    fn end_progress(&self) {
        // an option is whole whatever a panicking holder was doing
        if let Some(progress) = self.progress.lock().unwrap_or_else(PoisonError::into_inner).take() {
            progress.end();
        }
    }
}

impl BatchClient for Maker<'_> {
    type Error = anyhow::Error;

    fn export(&self, number: usize, film: &BatchFilm) -> Result<ExportBuilder> {
        let mut args = film_args(self.args, film);
        // refused before all the work
        EncodeReport::of(&args)?;
        let work_dir = args.work_dir.take();
        let progress = Arc::new(encode::progress(&args, Some((number + 1, self.count)))?);
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.clone());
        let mut export = encode::builder(&args)?.run_on(encode::run_on(&args)?);
        if let Some(folder) = work_dir {
            // a folder for all jobs, in which each has its own
            export = export.directory_for_temporary_files(folder);
        }
        let json = args.json;
        Ok(export.on_event(move |event| if json { print_event(number, event) } else { progress.show(event) }))
    }

    fn finished(&self, _: usize, film: &BatchFilm, _: &Summary) -> Result<()> {
        let args = film_args(self.args, film);
        EncodeReport::of(&args)?.map_or(Ok(()), |report| report.make(&args, self.stop))
    }

    fn ended(&self, number: usize, result: &FilmResult<anyhow::Error>) {
        self.end_progress();
        if let FilmEnd::Failed(error) = &result.end
            && exit::code(error) != STOPPED
        {
            output::complain(&format!("retake: {}\n", output::one_line(&failure(&result.film, error))));
        }
        if self.args.json {
            self.print(&ended(number, result));
        }
    }
}

/// Says which film failed, and why.
fn failure(film: &BatchFilm, error: &anyhow::Error) -> String {
    let (input, message) = (film.input.display().to_string(), exit::message(error));
    if message.contains(&input) { message } else { format!("{input}: {message}") }
}

/// Returns the exit code that a film would have alone.
fn code(end: &FilmEnd<anyhow::Error>) -> u8 {
    match end {
        FilmEnd::Made(summary) | FilmEnd::MadeBefore(summary) => encode::code(summary.outcome),
        FilmEnd::Failed(error) => exit::code(error),
        FilmEnd::NotBegun => STOPPED,
    }
}

fn worth(code: u8) -> usize {
    BY_WORTH.iter().position(|known| *known == code).unwrap_or(BY_WORTH.len())
}

/// Whether a film holds what was asked for; `None` where nothing was, or there is no film.
pub(crate) fn held(end: &FilmEnd<anyhow::Error>) -> Option<bool> {
    match end.summary()?.outcome {
        Outcome::Satisfied => Some(true),
        Outcome::Missed => Some(false),
        Outcome::Plain => None,
    }
}

/// Says how a film ended.
pub(crate) fn state(end: &FilmEnd<anyhow::Error>) -> &'static str {
    match end {
        FilmEnd::Made(_) => "made",
        FilmEnd::MadeBefore(_) => "made before",
        FilmEnd::Failed(error) if exit::code(error) == STOPPED => "stopped",
        FilmEnd::Failed(_) => "failed",
        FilmEnd::NotBegun => "not begun",
    }
}

/// An event of one film, with its number from 1.
fn print_event(number: usize, event: &Event) {
    if let Ok(mut event) = serde_json::to_value(event) {
        event["film"] = json!(number + 1);
        output::print(&format!("{event}\n"));
    }
}

fn began(batch: &Batch) -> Value {
    let films: Vec<Value> = batch
        .films()
        .iter()
        .map(|film| json!({"input": film.input.to_string_lossy(), "output": film.output.to_string_lossy()}))
        .collect();
    json!({"event": "batch_started", "films": films, "left_out": left_out(batch)})
}

/// What was left out, as it is told.
fn left_out(batch: &Batch) -> Vec<Value> {
    let told = batch
        .left_out()
        .iter()
        .map(|left| json!({"path": left.path.to_string_lossy(), "reason": left.reason.to_string()}));
    told.collect()
}

fn ended(number: usize, result: &FilmResult<anyhow::Error>) -> Value {
    let error = match &result.end {
        FilmEnd::Failed(error) => Some(exit::message(error)),
        _ => None,
    };
    json!({
        "event": "film_ended",
        "film": number + 1,
        "input": result.film.input.to_string_lossy(),
        "output": result.film.output.to_string_lossy(),
        "state": state(&result.end).replace(' ', "_"),
        "code": code(&result.end),
        "source_bytes": result.source_bytes,
        "file_bytes": result.end.summary().map(|summary| summary.file_bytes),
        "held": held(&result.end),
        "seconds": result.seconds,
        "error": error,
    })
}

fn finished(results: &[FilmResult<anyhow::Error>], code: u8) -> Value {
    let count = |name: &str| results.iter().filter(|result| state(&result.end) == name).count();
    json!({
        "event": "batch_finished",
        "films": results.len(),
        "made": count("made"),
        "made_before": count("made before"),
        "failed": count("failed"),
        "not_begun": count("not begun") + count("stopped"),
        "code": code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_counts() {
        let worst = |codes: &[u8]| codes.iter().copied().max_by_key(|code| worth(*code));
        assert_eq!(worst(&[0, 3, 0]), Some(3));
        assert_eq!(
            worst(&[3, 2, 0]),
            Some(2),
            "a film that is missing is worse than one that is a little coarse"
        );
        assert_eq!(worst(&[2, 1, 3]), Some(1));
        assert_eq!(worst(&[1, 130, 2]), Some(130));
    }
}
