//! `retake encode` turns flags into a request of an export, and decides nothing else.

use crate::args::{Encode, Pixels, range};
use crate::batch;
use crate::encoders;
use crate::exit::{UNMET, Usage};
use crate::output;
use crate::progress::Progress;
use crate::report::EncodeReport;
use crate::serve::Server;
use crate::signals;
use anyhow::{Context, Result};
use retake::batch::{Batch, OutputNames};
use retake::objects::object_address;
use retake::property::Property;
use retake::{
    Codec, EncoderFactory, EncoderInfo, Event, Export, ExportBuilder, ExportError, Ladder, MetricKind,
    Outcome, PixelFormat, Pooling, Records, RecordsPlace, RunError, RunOn, StopFlag, Target, WorkerProgram,
};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(args: &Encode) -> Result<ExitCode> {
    let names = OutputNames::of(&args.output).map_err(|error| Usage(format!("--output: {error}")))?;
    let several = args.inputs.len() > 1
        || args.inputs.iter().any(|input| object_address(input).is_none() && input.is_dir());
    match (several, names) {
        (false, None) => one(args),
        (false, Some(_)) if args.engine().is_some() => {
            Err(Usage(format!("--output {}: an engine is told the file itself", args.output.display()))
                .into())
        }
        (false, Some(names)) => {
            let batch = Batch::plan(&args.inputs, &batch::rules(args, names)?, &StopFlag::new())?;
            let film = batch.films().first().context("a film that was named is missing")?;
            let _folders = film.make_folder()?;
            one(&batch::film_args(args, film))
        }
        (true, Some(names)) => batch::run(args, names),
        (true, None) => {
            let text = format!(
                "--output {}: several films do not become one file: end it with / for a folder, or give it a \
                 field such as {{stem}}",
                args.output.display()
            );
            Err(Usage(text).into())
        }
    }
}

/// Encodes one film, whose output has its name.
fn one(args: &Encode) -> Result<ExitCode> {
    let report = EncodeReport::of(args)?;
    #[cfg(feature = "restate")]
    if let Some(engine) = args.engine() {
        if args.again.is_some()
            || args.keep_takes
            || args.keep_records.as_deref().is_some_and(|to| to != Path::new("no"))
        {
            let text = "--on restate: an engine keeps records beside the film alone, and begins with none (--again, \
                        --keep-records, --keep-takes)";
            return Err(Usage(text.into()).into());
        }
        return crate::remote::encode(args, engine);
    }
    let stop = stop_flag(args)?;
    let progress = Arc::new(progress(args, None)?);
    let (told, json) = (progress.clone(), args.json);
    let server = args.serve.map(|address| Server::start(address, args)).transpose()?;
    let shown = server.clone();
    let export = builder(args)?.run_on(run_on(args)?).stop(&stop).on_event(move |event| {
        if let Some(server) = &shown {
            server.hear(event);
        }
        if json { print_json(event) } else { told.show(event) }
    });
    let summary = export.build().run();
    progress.end();
    let summary = summary.map_err(|error| match error {
        RunError::Failed(error) => anyhow::Error::from(error),
        RunError::AlreadyStarted(error) => error.into(),
    })?;
    if let Some(report) = report {
        report.make(args, &stop)?;
    }
    Ok(ExitCode::from(code(summary.outcome)))
}

/// Returns the flag that stops the encodes that the flags ask for.
pub(crate) fn stop_flag(args: &Encode) -> Result<StopFlag> {
    match args.on {
        Some(_) => signals::stop_flag_elsewhere(ExportError::Stopped),
        None => signals::stop_flag(ExportError::Stopped),
    }
}

/// Returns the exit code of a film that is done.
pub(crate) fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Satisfied | Outcome::Plain => 0,
        Outcome::Missed => UNMET,
    }
}

/// Returns what shows a person how an encode goes. `place` is the number of the film, from 1, and how many
/// there are, where it is one of several.
pub(crate) fn progress(args: &Encode, place: Option<(usize, usize)>) -> Result<Progress> {
    let (metric, pool) = (self::metric(args.metric.as_deref())?, pool(args)?);
    Ok(Progress::new(args, place, encoder(args)?.info(), target(args)?, metric, pool))
}

/// Returns the export that the flags ask for, wherever it is run.
pub(crate) fn builder(args: &Encode) -> Result<ExportBuilder> {
    let (encoder, metric, pool) = (encoder(args)?, self::metric(args.metric.as_deref())?, pool(args)?);
    let target = target(args)?;
    let info = encoder.info().clone();
    let mut export = Export::builder(args.input(), &args.output, encoder)
        .pool(pool)
        .multi_pass(true)
        .restart(args.restart)
        .overwrite(args.overwrite)
        .skip_done(args.several.skip_done)
        .allow_references(args.allow_references)
        .accept_damage(args.accept_damage)
        .filters(args.pictures.filters());
    export = match &args.ladder {
        Some(Ladder::Rungs(rungs)) => export.ladder(rungs.iter().copied()),
        Some(Ladder::Auto(auto)) => export.auto_ladder(*auto),
        None => export,
    };
    if let Some(range) = range(args.from, args.to) {
        export = export.time_range(range);
    }
    export = args.audio.iter().fold(export, |export, rule| export.audio(rule.clone()));
    export = args.subtitles.iter().fold(export, |export, rule| export.subtitles(rule.clone()));
    export = args.tracks.iter().fold(export, |export, rule| export.tracks(rule.clone()));
    export = args.default.iter().fold(export, |export, rule| export.default_track(rule.clone()));
    export = args.forced.iter().fold(export, |export, rule| export.forced_track(rule.clone()));
    export = args.add_audio.iter().fold(export, |export, file| export.add_audio(file.clone()));
    export = args.add_subtitles.iter().fold(export, |export, file| export.add_subtitles(file.clone()));
    export = args.tag.iter().fold(export, |export, (name, value)| export.tag(name, value));
    if let Some(number) = args.pictures.video {
        export = export.video_track(number);
    }
    if let Some(chapters) = &args.chapters {
        export = export.chapters(chapters.clone());
    }
    if let Some(cover) = &args.cover {
        export = export.cover(cover);
    }
    if let Some(loudness) = args.loudness {
        export = export.loudness(loudness);
    }
    if args.metric.is_some() {
        export = export.metric(metric);
    }
    if let Some(target) = target {
        export = export.target(target);
    }
    if let Some(pixels) = &args.pixel_format {
        export = export.properties(&pixel_properties(pixels, &info)?);
    }
    if let Some(depth) = args.depth {
        export = export.properties(&depth_properties(depth, &info)?);
    }
    for (name, value) in &args.set {
        export = export.property_named(name, value)?;
    }
    if let Some(passes) = args.passes {
        export = export.passes(passes);
    }
    if let Some(size) = args.score_at {
        export = export.score_at(size);
    }
    if let Some(effort) = args.effort {
        export = export.effort(effort);
    }
    if let Some(threads) = args.threads {
        export = export.threads(threads);
    }
    if let Some(jobs) = args.jobs {
        export = export.jobs(jobs);
    }
    if let Some(memory) = args.memory {
        export = export.memory(memory);
    }
    if let Some(rate) = args.max_bitrate {
        export = export.max_bit_rate(rate);
    }
    if let Some(objects) = crate::objects::store() {
        export = export.objects(objects);
    }
    let records = match args.keep_records.as_deref() {
        None => Some(RecordsPlace::Beside),
        Some(no) if no == Path::new("no") && args.keep_takes => {
            return Err(Usage(
                "--keep-takes: takes are kept with records, so leave --keep-records no out".into(),
            )
            .into());
        }
        Some(no) if no == Path::new("no") => None,
        Some(file) => Some(RecordsPlace::File(file.to_owned())),
    };
    if let Some(place) = records {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        export = export.keep_records(place).keep_takes(args.keep_takes).command_line(words);
    }
    if let Some(earlier) = &args.again {
        export = export.again(Records::open(earlier)?);
    }
    if let Some(root) = &args.shared_root {
        export = export.shared_root(root);
    }
    if let Some(folder) = &args.work_dir {
        export = export.job_folder(folder);
    }
    if let Some(preset) = &args.preset {
        export = export.encoder_preset(preset);
    }
    export = export.grain(args.grain);
    for (key, value) in &args.encoder_options {
        export = export.encoder_option(key, value);
    }
    Ok(export)
}

/// Returns where takes run.
pub(crate) fn run_on(args: &Encode) -> Result<RunOn> {
    let worker = || -> Result<WorkerProgram> {
        let program = std::env::current_exe().context("the program's own file cannot be found")?;
        Ok(WorkerProgram { program, arguments: vec!["worker".into()] })
    };
    let Some(place) = &args.on else {
        return Ok(if args.isolate { RunOn::Processes(worker()?) } else { RunOn::Threads });
    };
    Ok(match place.split_once(':') {
        None if place == "slurm" => RunOn::Slurm { worker: worker()?, options: Vec::new() },
        Some(("slurm", options)) => {
            let options = options.split_whitespace().map(str::to_owned).collect();
            RunOn::Slurm { worker: worker()?, options }
        }
        Some(("array", command)) => RunOn::Array { command: command.to_owned() },
        _ => {
            let engine = if cfg!(feature = "restate") { ", or restate://HOST:PORT" } else { "" };
            let text = format!("--on {place}: it is slurm, slurm:OPTIONS or array:COMMAND{engine}");
            return Err(Usage(text).into());
        }
    })
}

pub(crate) fn print_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        output::print(&(line + "\n"));
    }
}

/// Returns the target that the flags ask for. Without any, one pass alone is a plain encode; otherwise `None`
/// leaves the target to the properties, and to the metric's usual floor.
fn target(args: &Encode) -> Result<Option<Target>> {
    let target = match (args.quality, args.bitrate, args.size, args.crf) {
        (_, Some(rate), _, _) => Some(Target::bit_rate(rate)?),
        (_, _, Some(size), _) => Some(Target::size(size)),
        (_, _, _, Some(crf)) => Some(Target::plain_at(crf)),
        (Some(quality), ..) => Some(Target::floor(quality)?),
        (None, ..) if args.passes == Some(1) && args.set.is_empty() => Some(Target::plain()),
        (None, ..) => None,
    };
    Ok(match (target, args.tolerance) {
        (Some(target), Some(tolerance)) => Some(target.tolerance(tolerance)?),
        (None, Some(tolerance)) => {
            let usual = self::metric(args.metric.as_deref())?.default_floor();
            Some(Target::floor(usual)?.tolerance(tolerance)?)
        }
        (target, None) => target,
    })
}

/// Returns the properties that stand for `--pixel-format`.
fn pixel_properties(pixels: &Pixels, info: &EncoderInfo) -> Result<Vec<Property>> {
    let Pixels { name, chroma, depth } = pixels;
    let coded = |format: &&PixelFormat| {
        chroma.subsampling().is_none_or(|chroma| format.chroma_subsampling() == chroma)
            && depth.is_none_or(|depth| format.bit_depth() == depth)
    };
    if !info.formats.iter().any(|format| coded(&format)) {
        let text =
            format!("--pixel-format {name}: {} codes {}", info.name, encoders::pixels(info).join(", "));
        return Err(Usage(text).into());
    }
    let depth = depth.map(Property::OutputBitDepth);
    Ok([Property::OutputChromaSubsampling(*chroma)].into_iter().chain(depth).collect())
}

/// Returns the properties that stand for `--depth`.
fn depth_properties(depth: u32, info: &EncoderInfo) -> Result<Vec<Property>> {
    if info.formats.iter().any(|format| format.bit_depth() == depth) {
        return Ok(vec![Property::OutputBitDepth(depth)]);
    }
    let text = format!("--depth {depth}: {} codes {}", info.name, encoders::pixels(info).join(", "));
    Err(Usage(text).into())
}

fn pool(args: &Encode) -> Result<Pooling> {
    Ok(args.floor.parse().map_err(|error| Usage(format!("--floor: {error}")))?)
}

/// Returns the metric of that name, or the default one.
pub(crate) fn metric(name: Option<&str>) -> Result<MetricKind> {
    let Some(name) = name else { return Ok(retake::default_metric()) };
    let metric: MetricKind = name.parse().map_err(|error| Usage(format!("--metric: {error}")))?;
    match retake::missing_metrics().into_iter().find(|(missing, _)| *missing == metric) {
        Some((_, remedy)) => Err(Usage(format!("--metric {name} is not in this build: {remedy}")).into()),
        None => Ok(metric),
    }
}

/// Returns the encoder that the flags ask for, or the default one.
pub(crate) fn encoder(args: &Encode) -> Result<Arc<dyn EncoderFactory>> {
    let registry = retake::encoders();
    if let Some(name) = &args.encoder {
        return registry.find(name).map_err(|error| Usage(format!("--encoder {name} {error}")).into());
    }
    if let Some(name) = &args.codec {
        let codec: Codec = name.parse().map_err(|error| Usage(format!("--codec: {error}")))?;
        return registry.by_codec(codec).ok_or_else(|| {
            let remedy = registry
                .missing()
                .iter()
                .find(|missing| missing.codec == codec)
                .map_or("", |missing| missing.remedy);
            Usage(format!("--codec {codec}: this build has no encoder for it: {remedy}")).into()
        });
    }
    [Codec::Av1, Codec::H264, Codec::Hevc, Codec::Vp9]
        .into_iter()
        .find_map(|codec| registry.by_codec(codec))
        .ok_or_else(|| Usage("this build has no encoder: see `retake encoders`".into()).into())
}
