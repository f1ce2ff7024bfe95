//! This module lists properties as `retake encoders NAME` prints them.

use anyhow::Result;
use retake::property::{PropertyType, SupportedProperties, SupportedProperty};
use retake::session::{EncoderSpecification, supported_properties_for_encoder};
use retake::{EncoderInfo, Registry};
use std::fmt::Write;

/// Properties may depend on the size of a session, as rates in presets do. Any size will do to list them.
const SIZE: (u32, u32) = (1920, 1080);

/// This many words of an enumeration are printed; the rest is only counted.
const WORDS: usize = 6;

/// Returns the properties of sessions with this encoder, and its id.
pub(crate) fn of(registry: &Registry, info: &EncoderInfo) -> Result<(String, SupportedProperties)> {
    let specification =
        EncoderSpecification { encoder: Some(info.name.to_owned()), ..EncoderSpecification::default() };
    Ok(supported_properties_for_encoder(registry, SIZE.0, SIZE.1, info.codec, &specification)?)
}

pub(crate) fn describe(properties: &SupportedProperties, text: &mut String) -> std::fmt::Result {
    for (title, writable) in [("properties to set", true), ("properties to read", false)] {
        writeln!(text, "\n{title}")?;
        for (key, entry) in properties.iter().filter(|(_, entry)| entry.writable == writable) {
            let live = if entry.live { "; also between frames" } else { "" };
            writeln!(text, "  {:<36} {}{live}", key.name(), values(entry))?;
            writeln!(text, "  {:<36} {}", "", entry.documentation)?;
        }
    }
    Ok(())
}

fn values(entry: &SupportedProperty) -> String {
    let mut text = match entry.property_type {
        Some(PropertyType::Boolean) => "true, false".to_owned(),
        Some(PropertyType::Enumeration) => words(&entry.list),
        Some(PropertyType::Number) => match (entry.minimum, entry.maximum) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            _ => "number".to_owned(),
        },
        _ => "value".to_owned(),
    };
    if !entry.unit.is_empty() {
        text += &format!(" {}", entry.unit);
    }
    if let Some(default) = &entry.default {
        text += &format!(" [{default}]");
    }
    text
}

fn words(list: &[String]) -> String {
    match list.get(..WORDS) {
        Some(first) if list.len() > WORDS => {
            format!("{} … ({} in all, see --json)", first.join(", "), list.len())
        }
        _ => list.join(", "),
    }
}
