//! Exports on an engine: asked for, watched and given up from here, and made by workers.

use crate::args::{Args, Encode, RemoteJob, Worker};
use crate::exit::{Stopped, Usage};
use crate::{encode, output, signals};
use anyhow::{Context, Result};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, CommandFactory, Parser};
use retake::{
    AddedAudio, AddedSubtitles, ChapterChoice, Event, ExportBuilder, ExportError, SharedRoot, StopFlag,
    WorkerTools,
};
use retake_restate::{Engine, EngineError, ExportRequest, Job, Serving, Site, Status};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often an engine is asked.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is about this side alone, and is not told to workers.
const HERE: [&str; 7] = ["on", "detach", "shared_root", "json", "quiet", "profile", "profiles"];
/// What has no meaning for an export that is made in steps, because each of them would begin anew, and what
/// could lead a worker out of its root.
const REFUSED: [&str; 6] = ["isolate", "restart", "allow_references", "filter", "burn", "ladder"];

/// Has an engine make a film, and waits for it unless the flags say otherwise.
pub(crate) fn encode(args: &Encode, engine: &str) -> Result<ExitCode> {
    let engine = open(engine)?;
    // what no worker could do is refused here
    drop(encode::builder(args)?);
    if args.input() == Path::new("-") {
        return Err(Usage("standard input is no film that other machines can read".into()).into());
    }
    let root = match &args.shared_root {
        Some(root) => SharedRoot::open(root)?,
        None => SharedRoot::around(&[args.input(), &args.output])?,
    };
    // with the flags of a profile
    let matches = Args::command().get_matches_from(&args.words);
    let matches = matches.subcommand_matches("encode").context("the arguments cannot be read again")?;
    let request =
        ExportRequest { output: root.relative_place(&args.output)?, arguments: words(matches, &root)? };
    let job = engine.submit(&request).map_err(told)?;
    if args.detach {
        output::print(&format!("{}\n", job.key));
        return Ok(ExitCode::SUCCESS);
    }
    let stop = signals::stop_flag(ExportError::Stopped)?;
    let progress = encode::progress(args, None)?;
    let show = |event: &Event| if args.json { encode::print_json(event) } else { progress.show(event) };
    let how_far = |status: &Status| {
        if !args.json && !args.quiet {
            output::complain(&(line(status) + "\n"));
        }
    };
    let ended = wait(&engine, &job, &stop, how_far);
    progress.end();
    let mut summary = ended?;
    summary.output = args.output.clone();
    let outcome = summary.outcome;
    show(&Event::Finished(summary));
    Ok(ExitCode::from(encode::code(outcome)))
}

/// Tells how far an export is.
pub(crate) fn status(args: &RemoteJob) -> Result<ExitCode> {
    let status = open(&args.engine)?.status(&args.job).map_err(told)?;
    output::print(&if args.json { serde_json::to_string(&status)? + "\n" } else { line(&status) + "\n" });
    Ok(ExitCode::SUCCESS)
}

/// Waits for an export.
pub(crate) fn attach(args: &RemoteJob) -> Result<ExitCode> {
    let engine = open(&args.engine)?;
    let status = engine.status(&args.job).map_err(told)?;
    let job = Job { key: args.job.clone(), invocation: status.invocation };
    let stop = signals::stop_flag(Stopped)?;
    let how_far = |status: &Status| {
        if !args.json {
            output::complain(&(line(status) + "\n"))
        }
    };
    let summary = wait(&engine, &job, &stop, how_far)?;
    let outcome = summary.outcome;
    if args.json {
        encode::print_json(&Event::Finished(summary));
    } else {
        output::print(&format!("{} bytes\n", summary.file_bytes));
    }
    Ok(ExitCode::from(encode::code(outcome)))
}

/// Gives an export up.
pub(crate) fn cancel(args: &RemoteJob) -> Result<ExitCode> {
    open(&args.engine)?.cancel(&args.job).map_err(told)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers the calls of an engine, until a signal comes.
pub(crate) fn serve(
    args: &Worker,
    address: SocketAddr,
    root: PathBuf,
    tools: WorkerTools,
) -> Result<ExitCode> {
    let shared = SharedRoot::open(&root)?;
    let root = shared.path().to_owned();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // requests come over the network, and are to lead to nothing outside of the root
    let objects = shared.address().map(|_| tools.store(&root)).transpose()?;
    let tools = WorkerTools { objects, ..tools };
    let build = Box::new(move |request: &ExportRequest| export(request, &shared));
    let engine = args.engine.as_deref().map(open).transpose()?;
    let site = Site { root, tools, build, at_once: args.jobs.unwrap_or(cores).max(1), engine };
    let serving = Serving { address, identity_key: args.identity_key.clone() };
    let signals = Arc::new(AtomicUsize::new(0));
    signals::count(&signals)?;
    let ready = |address| output::complain(&format!("retake: waits for calls at {address}\n"));
    retake_restate::serve(site, &serving, ready, move || signals.load(Ordering::Relaxed) > 0)
        .with_context(|| format!("listening at {address}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The flags of an encode, as they come to a worker.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Asked {
    #[command(flatten)]
    encode: Encode,
}

/// Builds the export that a request asks for. Nothing outside of the shared place can be named.
fn export(request: &ExportRequest, root: &SharedRoot) -> Result<ExportBuilder, ExportError> {
    let refused = |message: String| ExportError::Worker {
        message,
        code: ExportError::from(retake::RequestError::EmptyInput).code(),
        fault: retake::Fault::Request,
    };
    let asked = Asked::try_parse_from(&request.arguments);
    let mut args = asked.map_err(|error| refused(crate::exit::one_line(&error)))?.encode;
    let graphs = args.pictures.filter.is_some() || args.pictures.burn.is_some();
    let leads_out = args.allow_references || graphs;
    if args.on.is_some() || args.isolate || args.restart || leads_out {
        let none = "--on, --isolate, --restart, --allow-references, --filter and --burn";
        return Err(refused(format!("a worker takes no {none}")));
    }
    let [input] = &args.inputs[..] else { return Err(refused("a worker makes one film".into())) };
    args.inputs = vec![root.resolve(input)?];
    args.output = root.resolve_place(&args.output)?;
    if args.work_dir.is_some() && root.address().is_some() {
        return Err(refused("a worker of an object store takes no --work-dir".into()));
    }
    if args.output != root.resolve_place(&request.output)? {
        return Err(refused(format!("{}: another output was asked for", request.output.display())));
    }
    args.cover = args.cover.map(|file| root.resolve(&file)).transpose()?;
    for added in &mut args.add_audio {
        added.path = root.resolve(&added.path)?;
    }
    for added in &mut args.add_subtitles {
        added.path = root.resolve(&added.path)?;
    }
    if let Some(ChapterChoice::File(file)) = &mut args.chapters {
        *file = root.resolve(file)?;
    }
    args.work_dir = args.work_dir.map(|folder| root.resolve_place(&folder)).transpose()?;
    let built = encode::builder(&args).map_err(|error| match error.downcast::<ExportError>() {
        Ok(error) => error,
        Err(error) => match error.downcast::<retake::RequestError>() {
            Ok(error) => error.into(),
            Err(error) => refused(error.to_string()),
        },
    })?;
    let words = ["retake", "encode"].map(str::to_owned).into_iter().chain(request.arguments.iter().cloned());
    Ok(built.shared_root(root.path()).command_line(words))
}

/// Returns the flags that were given, in words for a worker: with paths below the shared place.
fn words(matches: &ArgMatches, root: &SharedRoot) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for arg in Encode::augment_args(clap::Command::new("encode")).get_arguments() {
        let id = arg.get_id().as_str();
        let given =
            matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine);
        if !given || HERE.contains(&id) {
            continue;
        }
        if REFUSED.contains(&id) {
            let id = id.replace('_', "-");
            return Err(Usage(format!("--{id} has no meaning with --on restate")).into());
        }
        if id == "work_dir" && root.address().is_some() {
            let text = "--work-dir has no meaning where --shared-root is in an object store";
            return Err(Usage(text.into()).into());
        }
        let values = matches.get_raw(id).into_iter().flatten();
        for value in values {
            let value = match id {
                "inputs" => root.relative(Path::new(value))?,
                "output" | "work_dir" => root.relative_place(Path::new(value))?,
                "cover" => root.relative(Path::new(value))?,
                "chapters" if value != "none" => root.relative(Path::new(value))?,
                "add_audio" => {
                    let unknown = || Usage(format!("--add-audio: {} is not UTF-8", value.display()));
                    let mut added: AddedAudio = value.to_str().ok_or_else(unknown)?.parse()?;
                    added.path = root.relative(&added.path)?;
                    added.to_string().into()
                }
                "add_subtitles" => {
                    let unknown = || Usage(format!("--add-subtitles: {} is not UTF-8", value.display()));
                    let mut added: AddedSubtitles = value.to_str().ok_or_else(unknown)?.parse()?;
                    added.path = root.relative(&added.path)?;
                    added.to_string().into()
                }
                _ => PathBuf::from(value),
            };
            let unknown = || Usage(format!("{}: only UTF-8 can be told to other machines", value.display()));
            let value = value.to_str().ok_or_else(unknown)?;
            match arg.get_long() {
                Some(long) if arg.get_action().takes_values() => words.push(format!("--{long}={value}")),
                Some(long) => words.push(format!("--{long}")),
                None => words.push(value.to_owned()),
            }
        }
    }
    Ok(words)
}

fn open(engine: &str) -> Result<Engine> {
    Engine::open(engine).map_err(told)
}

/// Waits for the end of an export. A signal gives it up.
fn wait(engine: &Engine, job: &Job, stop: &StopFlag, how_far: impl Fn(&Status)) -> Result<retake::Summary> {
    let mut shown = None;
    loop {
        if stop.is_raised() {
            engine.cancel(&job.key).map_err(told)?;
            return Err(ExportError::Stopped.into());
        }
        if let Some(summary) = engine.outcome(job).map_err(told)? {
            return Ok(summary);
        }
        // another export of the same output may come first
        if let Ok(status) = engine.status(&job.key)
            && status.invocation == job.invocation
            && shown.as_ref() != Some(&status)
        {
            how_far(&status);
            shown = Some(status);
        }
        thread::sleep(PATIENCE);
    }
}

fn line(status: &Status) -> String {
    let Status { output, plans, takes, done, .. } = status;
    let output = output::one_line(&output.to_string_lossy()).into_owned();
    match (plans, takes) {
        (0 | 1, 0) => format!("{output}: the film is looked through"),
        (_, 0) => format!("{output}: plan {plans}"),
        _ => format!("{output}: plan {plans}, {done} of {takes} takes"),
    }
}

/// What an engine says, in the words and with the code of this command.
fn told(error: EngineError) -> anyhow::Error {
    match error {
        EngineError::Failed(failure) => ExportError::from(failure).into(),
        EngineError::Cancelled => ExportError::Stopped.into(),
        EngineError::Address(_) | EngineError::Unknown { .. } => Usage(error.to_string()).into(),
        EngineError::NoWorkers { .. } => Usage(format!(
            "{error}: start `retake worker --listen`, and tell the engine of it (docs/many-machines.md)"
        ))
        .into(),
        other => other.into(),
    }
}
