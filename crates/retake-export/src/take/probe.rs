//! The probe: a few frames of a unit, encoded with a fast preset and scored, tell where the search for its
//! quality begins.

use super::encode::{Scored, TakeTools, run_error};
use super::source::TakeFrame;
use crate::error::ExportError;
use retake_compression::encode_run::{EncodeRun, RunEvent};
use retake_compression::encoder::{Controls, EncoderError, EncoderSettings, FrameOptions, RateControl};
use retake_compression::planner::curve::Point;
use retake_compression::take::{Look, LookRecord};
use retake_compression::units::FrameRange;
use retake_media::Time;
use std::ops::Range;

/// Frames in each of the two windows that are encoded.
const WINDOW: usize = 12;

/// Chooses the quality of a take of `frames`.
pub(crate) fn probe_quality(
    tools: &TakeTools,
    settings: &EncoderSettings,
    look: &Look,
    scored: &Scored<'_>,
    range: FrameRange,
    frames: &[TakeFrame],
) -> Result<(f64, LookRecord), ExportError> {
    let scale = tools.factory.info().quality;
    let Some(model) = scored.family.look().filter(|_| !look.preset.is_empty()) else {
        let quality = scale.snap(scored.family.usual(look.aim));
        return Ok((quality, LookRecord { probes: Vec::new() }));
    };
    let quality = scale.snap(model.quality);
    let settings = EncoderSettings {
        preset: model.preset.to_owned(),
        rate: RateControl::Quality(quality),
        limit: None,
        reconstruct: true,
        // meant for the real encode, and perhaps not even valid with this preset
        options: Vec::new(),
        // a few frames are encoded, from places apart
        controls: Controls { first_pass: None, ..settings.controls.clone() },
        ..settings.clone()
    };
    let point = probe(tools, &settings, quality, scored, range, frames)?;
    let quality = scale.snap(scored.family.quality_for(look.aim, &[], Some(point)));
    Ok((quality, LookRecord { probes: vec![[point.quality, point.score]] }))
}

/// Windows around a quarter and three quarters of a unit; all of a short one.
fn windows(frames: usize) -> Vec<Range<usize>> {
    if frames < 3 * WINDOW {
        return std::iter::once(0..frames).collect();
    }
    [frames / 4, 3 * frames / 4].map(|middle| middle - WINDOW / 2..middle + WINDOW / 2).into()
}

fn probe(
    tools: &TakeTools,
    settings: &EncoderSettings,
    quality: f64,
    scored: &Scored<'_>,
    range: FrameRange,
    frames: &[TakeFrame],
) -> Result<Point, ExportError> {
    let fail = |source: EncoderError| ExportError::Encoder { range, source };
    let windows = windows(frames.len());
    let chosen: u64 = windows.iter().map(|window| window.len() as u64).sum();
    let run = EncodeRun::open(&*tools.factory, settings).map_err(fail)?;
    let mut run = run.scored(scored.scorer(settings, chosen, range)?);
    let mut sent = 0;
    let mut score = None;
    for window in &windows {
        for (position, fed) in frames[window.clone()].iter().enumerate() {
            tools.stop.check()?;
            // only the order of the frames counts
            let pts = Time::new(sent, 1_000_000);
            let options = FrameOptions { force_key_frame: position == 0, ..FrameOptions::default() };
            let picture = fed.frame.picture.cropped(settings.width, settings.height);
            run.push(&picture, pts, Time::INVALID, options).map_err(fail)?;
            sent += 1;
            while run.next().map_err(|error| run_error(error, range))?.is_some() {
                tools.stop.check()?;
            }
        }
    }
    run.finish().map_err(fail)?;
    while let Some(event) = run.next().map_err(|error| run_error(error, range))? {
        tools.stop.check()?;
        if let RunEvent::Score { score: whole, .. } = event {
            score = Some(whole.map_err(|source| ExportError::Quality { range, source })?);
        }
    }
    let score = score.ok_or_else(|| ExportError::Internal(format!("{range}: the probe has no score")))?;
    Ok(Point { quality, score: score.value, error: score.error, ceiling: score.ceiling })
}
