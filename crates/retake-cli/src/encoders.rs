//! `retake encoders` lists the encoders and metrics of this build, or describes one encoder.

use crate::args::Encoders;
use crate::exit::Usage;
use crate::{output, properties};
use anyhow::Result;
use retake::{EncoderInfo, NoSuchEncoder};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &Encoders) -> Result<ExitCode> {
    let mut text = String::new();
    list(args, &mut text)?;
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

fn list(args: &Encoders, text: &mut String) -> Result<()> {
    let registry = retake::encoders();
    if let Some(name) = &args.name {
        let factory = registry.find(name).map_err(|error| {
            Usage(match error {
                NoSuchEncoder::Unknown { .. } => format!("{name} is unknown: `retake encoders` lists them"),
                error => format!("{name} {error}"),
            })
        })?;
        let info = factory.info();
        if args.json {
            let (id, properties) = properties::of(&registry, info)?;
            let mut all = serde_json::to_value(info)?;
            all["id"] = id.into();
            all["properties"] = serde_json::to_value(properties)?;
            writeln!(text, "{}", serde_json::to_string_pretty(&all)?)?;
        } else {
            let (id, properties) = properties::of(&registry, info)?;
            describe(info, &id, text)?;
            properties::describe(&properties, text)?;
        }
        return Ok(());
    }
    if args.json {
        let missing: Vec<_> = registry
            .missing()
            .iter()
            .map(|missing| serde_json::json!({ "name": missing.name, "codec": missing.codec, "remedy": missing.remedy }))
            .collect();
        let metrics: Vec<&str> = retake::metrics().iter().map(|metric| metric.name()).collect();
        let all = serde_json::json!({
            "encoders": registry.encoders().collect::<Vec<_>>(),
            "list": retake::session::encoder_list(&registry),
            "missing": missing,
            "metrics": metrics,
            "metric_libraries": retake::metrics().iter().filter_map(|metric| metric.library()).collect::<Vec<_>>(),
        });
        writeln!(text, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    writeln!(
        text,
        "{:<10} {:<6} {:<34} {:<14} {:<10} licence",
        "encoder", "codec", "library", "quality scale", "preset"
    )?;
    for info in registry.encoders() {
        let scale = format!("{} - {}", info.quality.min, info.quality.max);
        writeln!(
            text,
            "{:<10} {:<6} {:<34} {:<14} {:<10} {}",
            info.name,
            info.codec.name(),
            info.version,
            scale,
            info.default_preset,
            info.licence
        )?;
    }
    for missing in registry.missing() {
        writeln!(
            text,
            "{:<10} {:<6} not in this build: {}",
            missing.name,
            missing.codec.name(),
            missing.remedy
        )?;
    }
    for family in registry.families() {
        writeln!(text, "{:<10} {}", format!("{}NAME", family.prefix), family.about)?;
    }
    writeln!(text)?;
    let default = retake::default_metric();
    for metric in retake::metrics() {
        let note = if metric == default { " (default)" } else { "" };
        let library = metric.library().map(|library| format!(", {library}")).unwrap_or_default();
        writeln!(text, "metric {:<12} {}{library}{note}", metric.name(), metric.scale())?;
    }
    for (metric, remedy) in retake::missing_metrics() {
        writeln!(text, "metric {:<12} not in this build: {remedy}", metric.name())?;
    }
    Ok(())
}

/// Returns chroma and depth of the pictures that an encoder codes, in words.
pub(crate) fn pixels(info: &EncoderInfo) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for format in &info.formats {
        let words = format!("{} {} bit", format.chroma_subsampling(), format.bit_depth());
        if !all.contains(&words) {
            all.push(words);
        }
    }
    all
}

fn describe(info: &EncoderInfo, id: &str, text: &mut String) -> std::fmt::Result {
    writeln!(text, "{}  {}  {}", info.name, info.codec, info.version)?;
    writeln!(text, "id               {id}")?;
    writeln!(text, "licence          {}", info.licence)?;
    writeln!(
        text,
        "quality scale    {} (best) - {}, in steps of {}",
        info.quality.min, info.quality.max, info.quality.step
    )?;
    let presets: Vec<&str> = info.presets.iter().map(|preset| preset.name.as_str()).collect();
    writeln!(text, "presets          {} (default {})", presets.join(" "), info.default_preset)?;
    writeln!(text, "pixels           {}", pixels(info).join(", "))?;
    writeln!(text, "reorders         {}", if info.reorders { "yes" } else { "no" })?;
    writeln!(
        text,
        "reconstructs     {}",
        if info.reconstructs { "yes: takes are scored without a decode" } else { "no" }
    )?;
    Ok(())
}
