//! The settings that all takes of a job begin with, and what they cannot keep of the source.

use super::plan::limit_of;
use super::properties;
use super::request::{Goal, Request};
use crate::error::{ExportError, RequestError};
use retake_compression::encoder::{Controls, EncoderFactory, EncoderInfo, EncoderSettings, RateControl};
use retake_compression::property::PropertyKey;
use retake_compression::rate_limit::VbvOf;
use retake_libav::{FilmInfo, FindingKind, VideoTrack};
use retake_media::Rational;

/// The settings of a job's takes: what its properties make of them, and in them what the export decides
/// itself. What the source has and they do not is told in `notes`.
pub(crate) fn settings(
    request: &Request,
    film: &FilmInfo,
    notes: &mut Vec<String>,
) -> Result<EncoderSettings, ExportError> {
    let info = request.encoder.info();
    let measured = request.target().is_measured();
    let derived = properties::derived(request, &film.video)?;
    let format = derived.format;
    notes.extend(film.video.conversion(format));
    let (own, coded) = (film.video.format.bit_depth(), format.bit_depth());
    let asked = [PropertyKey::OutputBitDepth, PropertyKey::ProfileLevel];
    if coded < own && !asked.into_iter().any(|key| properties::has(request, key)) {
        notes.push(format!("{} takes {coded} bits a sample: the source's {own} are reduced", info.name));
    }
    let by_quality = [PropertyKey::Quality, PropertyKey::ConstantQualityFactor];
    // Where nothing is judged, nothing is encoded again for a join either.
    let vbv = if measured { VbvOf::JudgedTake } else { VbvOf::UnjudgedTake };
    let mut settings = EncoderSettings {
        preset: if derived.preset.is_empty() { preset(request)? } else { derived.preset },
        rate: if by_quality.into_iter().any(|key| properties::has(request, key)) {
            derived.rate
        } else {
            RateControl::Quality(quality(request)?)
        },
        limit: request
            .max_bit_rate
            .filter(|_| info.controls.rate_limit)
            .and_then(|rate| vbv.rate_limit(&[limit_of(rate)])),
        threads: request.threads(),
        reconstruct: measured && info.reconstructs,
        options: request.options.clone(),
        // a ceiling belongs to sessions at a rate; takes have a quality each
        controls: Controls { quality_ceiling: None, ..derived.controls },
        ..derived
    };
    if !properties::has(request, PropertyKey::FieldCount) {
        keep_fields(request, &film.video, &mut settings, notes);
    }
    Ok(settings)
}

/// Whether takes with these settings keep what was found, so that nothing is lost that would have to be told.
/// What frames bring goes from the reader to the encoder with the frames themselves.
pub(crate) fn keeps(info: &EncoderInfo, settings: &EncoderSettings, found: FindingKind) -> bool {
    match found {
        FindingKind::Captions => info.controls.captions,
        FindingKind::Hdr10Plus => info.controls.hdr10_plus && settings.keeps_hdr10_plus(),
        FindingKind::DolbyVision => settings.controls.dolby_vision.is_some(),
        _ => false,
    }
}

/// Refuses names and numbers that the encoder does not have, before the source is read.
pub(crate) fn check(request: &Request) -> Result<(), RequestError> {
    preset(request)?;
    quality(request)?;
    super::grain::check(request)
}

fn preset(request: &Request) -> Result<String, RequestError> {
    let info = request.encoder.info();
    let preset = request.preset.clone().unwrap_or_else(|| info.default_preset.to_owned());
    if info.presets.iter().any(|known| known.name == preset) {
        return Ok(preset);
    }
    let known = info.presets.iter().map(|preset| preset.name.clone()).collect();
    Err(RequestError::UnknownPreset { encoder: info.name, preset, known })
}

/// The quality that takes begin with, as far as no planner chooses it.
fn quality(request: &Request) -> Result<f64, RequestError> {
    let info = request.encoder.info();
    let (best, worst) = (info.quality.min, info.quality.max);
    match request.target().goal() {
        Goal::Plain(Some(quality)) if (best..=worst).contains(&quality) => Ok(quality),
        Goal::Plain(Some(quality)) => {
            Err(RequestError::QualityOutOfScale { quality, encoder: info.name, best, worst })
        }
        _ => Ok(info.quality.usual),
    }
}

/// Two fields of the source stay two fields where the encoder has them, and no conversion on the way mixes
/// their rows.
fn keep_fields(
    request: &Request,
    video: &VideoTrack,
    settings: &mut EncoderSettings,
    notes: &mut Vec<String>,
) {
    if video.fields.is_none() {
        return;
    }
    let info = request.encoder.info();
    let mut in_fields = settings.clone();
    in_fields.controls.fields = video.fields;
    let reason = match &info.controls.fields {
        None => format!("{} has no fields (x264 has)", info.name),
        Some(support) if !support.fits(video.width, video.height) => {
            format!("{} has none of {}×{}", info.name, video.width, video.height)
        }
        Some(_) if !video.keeps_fields_apart(settings.format) => {
            "the conversion of its colours mixes them".to_owned()
        }
        Some(_) => match request.encoder.open(&in_fields) {
            Ok(_) => {
                *settings = in_fields;
                return;
            }
            // what is refused for another reason is refused again
            Err(error) => error.to_string(),
        },
    };
    notes.push(format!("the source is interlaced, and its fields are coded as whole frames: {reason}"));
}

/// The highest frame rate that every encoder takes.
const FASTEST: Rational = Rational::new(240, 1);

/// Makes sure that the encoder takes the settings, before there is a job: of a size that is not even a row or
/// a column is left out where that helps, and of a frame rate that is too high a lower one is told, because
/// the times of frames are kept in any case.
pub(crate) fn make_acceptable(
    factory: &dyn EncoderFactory,
    settings: EncoderSettings,
    notes: &mut Vec<String>,
) -> Result<EncoderSettings, ExportError> {
    let Err(error) = factory.open(&settings) else { return Ok(settings) };
    let (width, height) = (settings.width, settings.height);
    let even = |settings: &EncoderSettings| EncoderSettings {
        width: width & !1,
        height: height & !1,
        ..settings.clone()
    };
    let slower = match settings.frame_rate.to_f64() > FASTEST.to_f64() {
        true => EncoderSettings { frame_rate: FASTEST, ..settings.clone() },
        false => settings.clone(),
    };
    let ways = [even(&settings), slower.clone(), even(&slower)];
    let accepted = |way: &EncoderSettings| *way != settings && factory.open(way).is_ok();
    let Some(found) = ways.into_iter().find(accepted) else {
        // whatever it is: this film with these settings is not possible
        return Err(RequestError::Encoder(error).into());
    };
    let name = factory.info().name;
    if (found.width, found.height) != (width, height) {
        notes.push(format!(
            "{name} takes even sizes only: {width}×{height} is cropped to {}×{}",
            found.width, found.height
        ));
    }
    if found.frame_rate != settings.frame_rate {
        notes.push(format!(
            "{name} takes no {:.2} frames a second, and is told of {}: the times of frames are kept",
            settings.frame_rate.to_f64(),
            FASTEST.num
        ));
    }
    Ok(found)
}
