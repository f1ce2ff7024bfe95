//! Starts an encode as in the middle of a film, because its samples are joined behind those of another (rule
//! PA-8).
//!
//! Rate control by an average knows nothing of the film at first: it begins with a quantizer that fits no
//! film in particular, and takes the share of the first sync frame for the film's. That shows at every join.
//! So the first frames are encoded twice in a row, and only the second time counts: by then the controller
//! knows what they cost.

use retake_compression::encoder::{EncoderInfo, EncoderSettings, FrameOptions, Output, RateControl};
use retake_media::PixelBuffer;
use std::collections::VecDeque;

/// The longest time that is encoded twice, in seconds.
const SECONDS: f64 = 1.0;
const MOST: u64 = 64;
/// It must be no more than this part of the frames that will come.
const PART: u64 = 4;

/// Returns how many frames an encode with these settings encodes twice; 0 where its start is like any other.
pub(crate) fn frames(info: &EncoderInfo, settings: &EncoderSettings) -> u32 {
    let controls = &settings.controls;
    let by_average = matches!(settings.rate, RateControl::AverageBitRate(_));
    let plain = controls.may_hold_all()
        && !controls.base_qp
        && controls.quality_ceiling.is_none()
        && controls.temporal_layers.unwrap_or(1) < 2;
    if !(controls.more_before && info.controls.steady_start && by_average && plain) {
        return 0;
    }
    // The cast `as` saturates, so that no rate is too much.
    let second = ((settings.frame_rate.to_f64() * SECONDS).ceil() as u64).clamp(1, MOST);
    let share = if controls.frame_count > 0 { controls.frame_count / PART } else { u64::MAX };
    second.min(share) as u32
}

/// The frames that are kept until they are encoded twice, and the outputs that came meanwhile.
#[derive(Default)]
pub(crate) struct WarmUp {
    wanted: usize,
    kept: Vec<(PixelBuffer, FrameOptions)>,
    /// The number of frames that the library saw before the first that counts.
    pub(crate) before: u64,
    pub(crate) ready: VecDeque<Output>,
}

impl WarmUp {
    pub(crate) fn new(frames: u32) -> Self {
        Self { wanted: frames as usize, ..Self::default() }
    }

    /// Returns whether frames are still kept.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wanted > 0
    }

    /// Keeps a frame; returns true when there are enough.
    pub(crate) fn keep(&mut self, picture: &PixelBuffer, options: FrameOptions) -> bool {
        self.kept.push((picture.clone(), options));
        self.kept.len() == self.wanted
    }

    /// Returns the kept frames, which must be encoded twice. No more are kept.
    pub(crate) fn begin(&mut self) -> Vec<(PixelBuffer, FrameOptions)> {
        self.wanted = 0;
        self.before = self.kept.len() as u64;
        std::mem::take(&mut self.kept)
    }
}
