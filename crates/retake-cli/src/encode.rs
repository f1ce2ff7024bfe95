//! `retake encode`.

use crate::args::Encode;
use crate::exit::{UNMET, Usage};
use crate::output;
use crate::progress::Progress;
use crate::table;
use anyhow::{Context, Result};
use retake::{Codec, EncoderFactory, Event, MetricKind, Outcome, Pool, Request, StopFlag, Target};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(args: &Encode) -> Result<ExitCode> {
    let request = request(args)?;
    let stop = StopFlag::new();
    let flag = stop.clone();
    ctrlc::set_handler(move || flag.raise()).context("the signal handler could not be installed")?;
    let progress = Progress::new(args, &request);
    let summary = retake::export(&request, &stop, &|event| {
        if args.json {
            print_json(&event);
        } else {
            progress.show(&event);
        }
    });
    progress.end();
    let summary = summary?;
    if !args.json && !args.quiet {
        table::print(&summary);
    }
    Ok(match summary.outcome {
        Outcome::Satisfied | Outcome::Plain => ExitCode::SUCCESS,
        Outcome::PassCap | Outcome::NoGainExpected => ExitCode::from(UNMET),
    })
}

fn print_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        output::print(&(line + "\n"));
    }
}

fn request(args: &Encode) -> Result<Request> {
    for (flag, value) in
        [("--jobs", args.jobs), ("--threads", Some(args.threads)), ("--passes", Some(args.passes))]
    {
        if value == Some(0) {
            return Err(Usage(format!("{flag} 0: at least 1 is needed")).into());
        }
    }
    if let Some(tolerance) = args.tolerance.filter(|tolerance| !(tolerance.is_finite() && *tolerance > 0.0)) {
        return Err(Usage(format!("--tolerance {tolerance}: a number above 0 is needed")).into());
    }
    let metric = match &args.metric {
        Some(name) => self::metric(name)?,
        None => retake::default_metric(),
    };
    let pool: Pool = args.floor.parse().map_err(|error| Usage(format!("--floor: {error}")))?;
    let target = match (args.quality, args.bitrate, args.size, args.crf) {
        (_, Some(rate), _, _) => Target::BitRate(rate),
        (_, _, Some(size), _) => Target::Size(size),
        (_, _, _, Some(crf)) => Target::Plain(Some(crf)),
        (None, ..) if args.passes == 1 => Target::Plain(None),
        (quality, ..) => {
            Target::Floor { floor: quality.unwrap_or(metric.default_floor()), tolerance: args.tolerance }
        }
    };
    if let Target::Plain(Some(_)) = target
        && args.passes > 1
        && args.passes != DEFAULT_PASSES
    {
        return Err(
            Usage("--crf asks for one plain pass: leave --passes out, or give --passes 1".into()).into()
        );
    }
    if let Target::Floor { floor, .. } = target
        && !(floor.is_finite() && floor > 0.0 && floor < metric.best())
    {
        return Err(Usage(format!(
            "--quality {floor}: ask for more than 0 and less than {}: {}'s scale is {}",
            metric.best(),
            metric.name(),
            metric.scale()
        ))
        .into());
    }
    if !matches!(target, Target::Floor { .. }) && args.tolerance.is_some() {
        return Err(Usage("--tolerance belongs to a quality target: give --quality with it".into()).into());
    }
    Ok(Request {
        preset: args.preset.clone(),
        options: args.encoder_options.clone(),
        target,
        metric,
        pool,
        max_bit_rate: args.max_bitrate,
        passes: args.passes,
        jobs: args.jobs,
        threads: args.threads,
        memory: args.memory,
        work_dir: args.work_dir.clone(),
        restart: args.restart,
        overwrite: args.overwrite,
        ..Request::new(&args.input, &args.output, encoder(args)?)
    })
}

/// What clap gives when nobody says.
const DEFAULT_PASSES: u32 = 5;

pub(crate) fn metric(name: &str) -> Result<MetricKind> {
    let metric: MetricKind = name.parse().map_err(|error| Usage(format!("--metric: {error}")))?;
    match retake::missing_metrics().into_iter().find(|(missing, _)| *missing == metric) {
        Some((_, remedy)) => Err(Usage(format!("--metric {name} is not in this build: {remedy}")).into()),
        None => Ok(metric),
    }
}

/// The encoder that was asked for, or the default one.
fn encoder(args: &Encode) -> Result<Arc<dyn EncoderFactory>> {
    let registry = retake::encoders();
    if let Some(name) = &args.encoder {
        let found = registry.by_name(name);
        return found.ok_or_else(|| {
            let missing = registry.missing().iter().find(|missing| missing.name == name);
            let names: Vec<&str> = registry.encoders().map(|info| info.name).collect();
            Usage(match missing {
                Some(missing) => format!("--encoder {name} is not in this build: {}", missing.remedy),
                None => format!("--encoder {name} is unknown: this build has {}", names.join(", ")),
            })
            .into()
        });
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
