//! When a sync frame is due: kept around the encoder, because no encoder knows times.

use crate::encoder::{Encoder, EncoderData, EncoderError, FrameOptions, Output, Reconfiguration};
use crate::property::{Values, set_value};
use retake_media::{FormatDescription, PixelBuffer, Time};
use std::sync::{Arc, Mutex, PoisonError};

/// The intervals of sync frames. 0 stands for none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct KeyFrameIntervals {
    intra_only: bool,
    seconds: f64,
    /// Frames, unless the encoder itself keeps to that.
    frames: u32,
}

impl KeyFrameIntervals {
    /// What the values ask for, of an encoder that keeps to an interval of so many frames itself; 0 if to
    /// none.
    pub(super) fn of(values: &Values, kept_by_encoder: u32) -> Self {
        let frames = set_value!(values, MaxKeyFrameInterval).copied().unwrap_or(0);
        let kept = kept_by_encoder > 0 && kept_by_encoder <= frames;
        Self {
            intra_only: set_value!(values, AllowTemporalCompression) == Some(&false),
            seconds: set_value!(values, MaxKeyFrameIntervalDuration).copied().unwrap_or(0.0),
            frames: if kept { 0 } else { frames },
        }
    }
}

/// The intervals that hold now, for an encode and those that replace it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedIntervals(Arc<Mutex<KeyFrameIntervals>>);

impl SharedIntervals {
    pub(super) fn set(&self, intervals: KeyFrameIntervals) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = intervals;
    }

    fn get(&self) -> KeyFrameIntervals {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An encode whose sync frames come as often as the intervals ask for.
///
/// It counts from the last sync frame that was forced or began the encode. Sync frames that the encoder put
/// in by itself are not counted from: when they become known depends on the encoder's delay, and bytes may
/// not.
pub(super) struct KeyFrameSchedule<E> {
    encoder: E,
    intervals: SharedIntervals,
    last: Option<Time>,
    since: u32,
}

impl<E> KeyFrameSchedule<E> {
    pub(super) fn new(encoder: E, intervals: SharedIntervals) -> Self {
        Self { encoder, intervals, last: None, since: 0 }
    }

    /// Whether the frame has to be a sync frame by the intervals.
    pub(super) fn due(&self, pts: Time) -> bool {
        let Some(last) = self.last else { return true };
        let KeyFrameIntervals { intra_only, seconds, frames } = self.intervals.get();
        intra_only
            || seconds > 0.0 && (pts - last).seconds() >= seconds - 1e-9
            || frames > 0 && self.since >= frames
    }
}

impl<E: Encoder> Encoder for KeyFrameSchedule<E> {
    fn format(&self) -> &FormatDescription {
        self.encoder.format()
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        let sync = options.force_key_frame || self.due(pts);
        // The first frame is a sync frame anyway.
        let options = FrameOptions { force_key_frame: sync && self.last.is_some(), ..options };
        self.encoder.send(picture, pts, duration, options)?;
        if sync {
            (self.last, self.since) = (Some(pts), 0);
        }
        self.since = self.since.saturating_add(1);
        Ok(())
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        self.encoder.set_quality(quality)
    }

    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        self.encoder.reconfigure(change)
    }

    fn offer(&mut self, data: &EncoderData) {
        self.encoder.offer(data);
    }

    fn data(&mut self) -> Option<EncoderData> {
        self.encoder.data()
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.encoder.finish()
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        self.encoder.receive()
    }
}
