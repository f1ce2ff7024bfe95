//! The quick look: a few frames of a unit, encoded with a fast preset and scored, tell where the search for its quality begins.

use crate::error::ExportError;
use crate::feed::FedFrame;
use crate::shoot::{Stage, new_scorer, parse};
use retake_compression::encoder::{
    Controls, EncoderError, EncoderSettings, FrameOptions, Output, RateControl,
};
use retake_compression::planner::curve::Point;
use retake_compression::take::{Look, LookRecord, Measure};
use retake_compression::units::FrameRange;
use retake_media::Time;
use retake_quality::Pool;
use std::collections::BTreeMap;
use std::ops::Range;

/// Frames in each of the two windows that are looked at.
const WINDOW: usize = 12;

/// Chooses the quality of a take of `frames`.
pub(crate) fn look(
    stage: &Stage,
    settings: &EncoderSettings,
    look: &Look,
    measure: &Measure,
    range: FrameRange,
    frames: &[FedFrame],
) -> Result<(f64, LookRecord), ExportError> {
    let scale = stage.factory.info().quality;
    let Some(model) = stage.family.look().filter(|_| !look.preset.is_empty()) else {
        let quality = scale.snap(stage.family.usual(look.aim));
        return Ok((quality, LookRecord { probes: Vec::new() }));
    };
    let settings = EncoderSettings {
        preset: model.preset.to_owned(),
        rate: RateControl::Quality(scale.snap(model.quality)),
        limit: None,
        reconstruct: true,
        // meant for the real encode, and perhaps not even valid with this preset
        options: Vec::new(),
        // a few frames are looked at, from places apart
        controls: Controls { first_pass: None, ..settings.controls.clone() },
        ..settings.clone()
    };
    let point = probe(stage, &settings, measure, range, frames)?;
    let quality = scale.snap(stage.family.quality_for(look.aim, &[], Some(point)));
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
    stage: &Stage,
    settings: &EncoderSettings,
    measure: &Measure,
    range: FrameRange,
    frames: &[FedFrame],
) -> Result<Point, ExportError> {
    let fail = |source: EncoderError| ExportError::Encoder { range, source };
    let windows = windows(frames.len());
    let chosen: Vec<&FedFrame> = windows.iter().flat_map(|window| &frames[window.clone()]).collect();
    let mut encoder = stage.factory.open(settings).map_err(fail)?;
    let mut scorer = new_scorer(settings, &measure.metric, measure.stride_for(chosen.len() as u64), range)?;
    let mut early = BTreeMap::new();
    let mut scored = 0;
    let mut sent = 0;
    let mut drain = |encoder: &mut dyn retake_compression::encoder::Encoder| -> Result<(), ExportError> {
        loop {
            match encoder.receive().map_err(fail)? {
                Output::Frame(_) | Output::Dropped { .. } => {}
                Output::Picture { index, picture } => {
                    early.insert(index, picture);
                    while let Some(picture) = early.remove(&scored) {
                        let source = chosen.get(scored as usize);
                        let source = source
                            .ok_or_else(|| ExportError::Internal("more pictures than frames".into()))?;
                        scorer
                            .push(&source.frame.picture.cropped(settings.width, settings.height), &picture)
                            .map_err(|source| ExportError::Quality { range, source })?;
                        scored += 1;
                    }
                }
                Output::Pending | Output::End => return Ok(()),
            }
        }
    };
    for window in &windows {
        for (position, fed) in frames[window.clone()].iter().enumerate() {
            stage.stop.check()?;
            let pts = Time::new(sent, 1_000_000);
            let options = FrameOptions { force_key_frame: position == 0, ..FrameOptions::default() };
            let picture = fed.frame.picture.cropped(settings.width, settings.height);
            encoder.send(&picture, pts, Time::INVALID, options).map_err(fail)?;
            sent += 1;
            drain(&mut *encoder)?;
        }
    }
    encoder.finish().map_err(fail)?;
    drain(&mut *encoder)?;
    let scores = scorer.finish().map_err(|source| ExportError::Quality { range, source })?;
    let estimate = scores.estimate(parse::<Pool>(&measure.pool)?);
    let quality = match settings.rate {
        RateControl::Quality(quality) => quality,
        _ => 0.0,
    };
    Ok(Point { quality, score: estimate.value, error: estimate.standard_error, ceiling: scores.ceiling() })
}
