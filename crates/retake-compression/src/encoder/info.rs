//! This module describes an encoder library: its names, presets, quality scale and abilities.

use super::ControlSupport;
use retake_media::{Codec, PixelFormat};
use serde::{Deserialize, Serialize};

/// The description of an encoder library and its abilities. `retake encoders` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncoderInfo {
    /// The short name that selects it: `x264`, `x265`, `svt-av1`, `libaom`, `vp9`.
    #[doc(alias = "kVTVideoEncoderList_EncoderID")]
    pub name: &'static str,
    /// The codec that it writes.
    #[doc(alias = "kVTVideoEncoderList_CodecType")]
    pub codec: Codec,
    /// The library and the version that is linked.
    pub version: String,
    /// The pixel formats that it takes, the preferred one first.
    #[serde(skip)]
    pub formats: Vec<PixelFormat>,
    /// Its presets, from the slowest to the fastest.
    pub presets: Vec<Preset>,
    /// The preset that applies where none is chosen.
    pub default_preset: &'static str,
    /// Its constant-quality scale.
    pub quality: QualityScale,
    /// True if it returns the pictures that a decoder will see ([`Output::Picture`](super::Output)).
    pub reconstructs: bool,
    /// True if quality can be changed in a running encode
    /// ([`Encoder::set_quality`](super::Encoder::set_quality)).
    pub steers: bool,
    /// True if samples come out in another order than frames went in.
    #[doc(alias = "kVTVideoEncoderList_SupportsFrameReordering")]
    pub reorders: bool,
    /// Its licence as SPDX identifier, because it becomes a condition on binaries that link the library.
    pub licence: &'static str,
    /// The controls that it obeys.
    pub controls: ControlSupport,
}

/// A preset is a named point between speed and compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// The name that the user types.
    pub name: String,
}

/// The constant-quality knob of an encoder (CRF, CQ, QP): lower is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[doc(alias = "crf")]
pub struct QualityScale {
    /// The best value.
    pub min: f64,
    /// The worst value.
    pub max: f64,
    /// The smallest difference that has an effect.
    pub step: f64,
    /// The value where a search begins: it gives ordinary film a good quality.
    pub usual: f64,
}

impl QualityScale {
    /// Returns the nearest value that the encoder accepts.
    pub fn snap(&self, value: f64) -> f64 {
        // it divides where the step is a simple fraction, because 0.1 × 3 is not 0.3
        let per_unit = (1.0 / self.step).round();
        let exact = (per_unit * self.step - 1.0).abs() < 1e-9;
        let snapped = if exact {
            (value * per_unit).round() / per_unit
        } else {
            (value / self.step).round() * self.step
        };
        snapped.clamp(self.min, self.max)
    }
}
