use crate::encoder::FrameOptions;
use crate::property::Values;
use retake_media::{PixelBuffer, Time};
use std::sync::Arc;

/// A frame as a client submits it.
#[derive(Debug)]
pub(in crate::session) struct Submission<T> {
    pub(in crate::session) picture: PixelBuffer,
    pub(in crate::session) pts: Time,
    pub(in crate::session) duration: Time,
    pub(in crate::session) options: FrameOptions,
    /// The hash of the picture, where passes compare it; else 0.
    pub(in crate::session) hash: u64,
    pub(in crate::session) token: T,
}

/// An accepted frame on its way to the encoder.
#[derive(Debug)]
pub(in crate::session) struct QueuedFrame {
    /// It names the frame in all that is reported about it.
    pub(in crate::session) number: u64,
    pub(in crate::session) picture: PixelBuffer,
    pub(in crate::session) pts: Time,
    pub(in crate::session) duration: Time,
    pub(in crate::session) options: FrameOptions,
    /// The values that held when it was submitted.
    pub(in crate::session) values: Arc<Values>,
    /// In a session of several passes: an encode of its own has to begin with this frame, and has not yet.
    pub(super) begins_unit: bool,
}
