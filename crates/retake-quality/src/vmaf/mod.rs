//! VMAF, model `vmaf_v0.6.1`, by libvmaf.
//!
//! A score is a function of six numbers a frame: four VIF scales and ADM, which compare a picture with its reference, and *motion2*,
//! the lesser of the differences of the reference to the reference before it and after it. VIF and ADM cost 99 % of the time. Two
//! contexts run apart so that each sees only the frames it must: one measures motion on every reference, the other VIF and ADM
//! on the sampled frames. A sampled frame so gets the very score that a run over all frames gives it, whatever the phase; and with the
//! pictures around a take ([`Scorer::lead_in`](crate::Scorer::lead_in)) the one that a run over the whole film gives it.

mod ffi;

use crate::engine::Engine;
use crate::{QualityError, ScorerSettings};
use ffi::{Context, Model, Refused};
use retake_media::PixelBuffer;
use std::ffi::CStr;

const MODEL: &CStr = c"vmaf_v0.6.1";
const MOTION: &CStr = c"VMAF_integer_feature_motion_sad_score";
const MOTION2: &CStr = c"VMAF_integer_feature_motion2_score";

/// The least width and height: below, VIF's filters at its fourth scale are wider than the picture.
pub(crate) const LEAST_SIZE: u32 = 32;

pub(crate) struct Vmaf {
    model: Model,
    motion: Context,
    detail: Context,
    /// References that went through `motion`.
    references: u32,
    /// The difference of each frame's reference to the one before; 0 where there is none.
    differences: Vec<f64>,
    /// Whether each frame went through `detail`.
    sampled: Vec<bool>,
}

impl Vmaf {
    pub(crate) fn new(settings: &ScorerSettings) -> Result<Self, QualityError> {
        let context = |features: &[&CStr]| {
            Context::new(features, settings.format, settings.width, settings.height).map_err(at(0))
        };
        Ok(Self {
            model: Model::load(MODEL).map_err(at(0))?,
            motion: context(&[c"motion"])?,
            detail: context(&[c"vif", c"adm"])?,
            references: 0,
            differences: Vec::new(),
            sampled: Vec::new(),
        })
    }

    fn next_difference(&mut self, reference: &PixelBuffer) -> Result<f64, Refused> {
        let index = self.references;
        self.motion.read(reference, None, index)?;
        self.references += 1;
        self.motion.feature(MOTION, index)
    }

    fn score(&mut self, frame: usize, after: Option<f64>) -> Result<f64, Refused> {
        let index = frame as u32;
        let before = self.differences[frame];
        let after = self.differences.get(frame + 1).copied().or(after);
        // the first frame of a film has no motion, the last one that of its past
        self.detail.import(MOTION2, before.min(after.unwrap_or(before)), index)?;
        self.detail.score(&mut self.model, index)
    }
}

impl Engine for Vmaf {
    fn lead_in(&mut self, reference: &PixelBuffer) -> Result<(), QualityError> {
        self.next_difference(reference).map(|_| ()).map_err(at(0))
    }

    fn push(
        &mut self,
        reference: &PixelBuffer,
        picture: &PixelBuffer,
        sampled: bool,
    ) -> Result<(), QualityError> {
        let frame = self.sampled.len();
        let difference = self.next_difference(reference).map_err(at(frame))?;
        self.differences.push(difference);
        if sampled {
            self.detail.read(reference, Some(picture), frame as u32).map_err(at(frame))?;
        }
        self.sampled.push(sampled);
        Ok(())
    }

    fn finish(&mut self, after: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError> {
        let frames = self.sampled.len();
        let after = after.map(|reference| self.next_difference(reference)).transpose().map_err(at(frames))?;
        let score = |frame: usize| {
            if !self.sampled[frame] {
                return Ok(None);
            }
            self.score(frame, after).map(Some).map_err(at(frame))
        };
        (0..frames).map(score).collect()
    }
}

fn at(frame: usize) -> impl Fn(Refused) -> QualityError {
    move |Refused { call, code }| QualityError::Library {
        library: "libvmaf",
        call,
        frame: frame as u64,
        code: code.to_string(),
    }
}
