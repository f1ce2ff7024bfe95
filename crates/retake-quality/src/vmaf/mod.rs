//! Computes VMAF with its model `vmaf_v0.6.1` by libvmaf.
//!
//! A score is a function of six numbers a frame: four VIF scales and ADM, which compare a picture with its
//! reference, and *motion2*, the lesser of the differences of the reference to the reference before it and
//! after it. VIF and ADM cost 99 % of the time. Two contexts run apart so that each sees only the frames it
//! must: one measures motion on every reference, the other VIF and ADM on the sampled frames. So a sampled
//! frame gets the very score that a run over all frames gives it, whatever the phase; and with the pictures
//! around a take ([`Scorer::lead_in`](crate::Scorer::lead_in)) the one that a run over the whole film gives
//! it.

mod ffi;
#[allow(unsafe_code)]
mod sys;

use crate::engine::Engine;
use crate::{QualityError, ScorerSettings};
use ffi::{Code, Context, Model, Refused};
use retake_media::PixelBuffer;
use std::ffi::CStr;
use std::sync::OnceLock;

const MODEL: &CStr = c"vmaf_v0.6.1";
const MOTION2: &CStr = c"VMAF_integer_feature_motion2_score";

const ADM: &CStr = c"VMAF_integer_feature_adm2_score";

/// The least width and height, because up to 32 ADM reads memory that was never written.
pub(crate) const LEAST_SIZE: u32 = 40;

/// Narrower pictures must use libvmaf's plain code for ADM, because its vector code misreads the edges of
/// narrow bands: up to a width of 372, identical pictures do not score 1, equal ones not the same twice; up
/// to one of 520, widths a little above a multiple of 32 score up to 0.004 beside the plain code, which is
/// the reference. No even width from 522 to 1098 differs (compared at heights of 98 to 962). The plain code
/// is right from 33 on.
const ADM_LEAST_FAST_WIDTH: u32 = 544;

/// The version whose scores are the expected ones: that of the source that is built where the system has no
/// libvmaf.
const PINNED: &str = "3.2.0";

/// Returns the name and the version of the library.
pub(crate) fn library() -> String {
    format!("libvmaf {}", ffi::version())
}

/// Returns whether the library is the pinned version.
pub(crate) fn is_pinned() -> bool {
    ffi::version() == PINNED
}

/// Returns whether libvmaf has the model: a build of it without the tool `xxd` lacks all models, and does not
/// report that.
pub(crate) fn has_model() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| Model::load(MODEL).is_ok())
}

pub(crate) struct Vmaf {
    model: Model,
    motion: Context,
    /// The context for VIF, and for ADM unless there is a context of its own.
    detail: Context,
    /// The context for ADM of narrow pictures.
    adm: Option<Context>,
    /// The number of references that went through `motion`.
    references: u32,
    /// The difference of each frame's reference to the one before; 0 where there is none.
    differences: Vec<f64>,
    /// The *motion2* of the frames that have a score.
    motions: Vec<f64>,
    /// Whether each frame went through `detail`.
    sampled: Vec<bool>,
    /// The scores of the frames whose *motion2* is known: all but the last.
    scores: Vec<Option<f64>>,
}

impl Vmaf {
    pub(crate) fn new(settings: &ScorerSettings) -> Result<Self, QualityError> {
        let context = |features: &[&CStr], code| {
            Context::new(features, code, settings.format, settings.width, settings.height).map_err(at(0))
        };
        let narrow = settings.width < ADM_LEAST_FAST_WIDTH;
        let with_vif: &[&CStr] = if narrow { &[c"vif"] } else { &[c"vif", c"adm"] };
        Ok(Self {
            model: Model::load(MODEL).map_err(at(0))?,
            motion: context(&[c"motion"], Code::Fast)?,
            detail: context(with_vif, Code::Fast)?,
            adm: narrow.then(|| context(&[c"adm"], Code::Plain)).transpose()?,
            references: 0,
            differences: Vec::new(),
            motions: Vec::new(),
            sampled: Vec::new(),
            scores: Vec::new(),
        })
    }

    fn next_difference(&mut self, reference: &PixelBuffer) -> Result<f64, Refused> {
        let index = self.references;
        self.motion.read(reference, None, index)?;
        self.references += 1;
        self.motion.difference(index)
    }

    fn compare(&mut self, reference: &PixelBuffer, picture: &PixelBuffer, index: u32) -> Result<(), Refused> {
        self.detail.read(reference, Some(picture), index)?;
        if let Some(adm) = &mut self.adm {
            adm.read(reference, Some(picture), index)?;
            self.detail.import(ADM, adm.feature(ADM, index)?, index)?;
        }
        Ok(())
    }

    /// Settles the first frame without a score: its *motion2* is the lesser of the differences before and
    /// after it. The first frame of a film has no motion, the last one that of its past.
    fn settle(&mut self, after: Option<f64>) -> Result<(), Refused> {
        let frame = self.scores.len();
        let before = self.differences[frame];
        self.motions.push(before.min(after.unwrap_or(before)));
        let score = self.sampled[frame].then(|| self.score(frame)).transpose()?;
        self.scores.push(score);
        Ok(())
    }

    fn score(&mut self, frame: usize) -> Result<f64, Refused> {
        let index = frame as u32;
        self.detail.import(MOTION2, self.motions[frame], index)?;
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
        if frame > 0 {
            self.settle(Some(difference)).map_err(at(frame - 1))?;
        }
        if sampled {
            self.compare(reference, picture, frame as u32).map_err(at(frame))?;
        }
        self.sampled.push(sampled);
        Ok(())
    }

    fn finish(&mut self, after: Option<&PixelBuffer>) -> Result<Vec<Option<f64>>, QualityError> {
        let frames = self.sampled.len();
        let after = after.map(|reference| self.next_difference(reference)).transpose().map_err(at(frames))?;
        if frames > 0 {
            self.settle(after).map_err(at(frames - 1))?;
        }
        Ok(std::mem::take(&mut self.scores))
    }

    fn settled(&self) -> &[Option<f64>] {
        &self.scores
    }

    fn motion(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.motions)
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
