//! Describes an encoder library before anything is encoded with it: the table of its peculiarities, and the
//! account that clients read.

use crate::options::Refused;
use crate::raw::RawAvcodec;
use crate::shim::ShimTable;
use retake_compression::encoder::{ControlSupport, EncoderInfo, EncoderSettings, Preset, QualityScale};
use retake_media::{ChromaSubsampling, Codec, PixelFormat};

/// The peculiarities of one encoder, apart from its shim.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) codec: Codec,
    pub(crate) library: &'static str,
    pub(crate) licence: &'static str,
    pub(crate) shim: &'static ShimTable,
    /// The names from the slowest to the fastest; empty where presets are numbers from 0 on.
    pub(crate) presets: &'static [&'static str],
    pub(crate) default_preset: &'static str,
    pub(crate) usual_quality: f64,
    pub(crate) reorders: bool,
    /// The formats of 8 bits with pairs of Cb and Cr that the library takes, too.
    pub(crate) pairs: &'static [PixelFormat],
    /// Whether the library gives headers only by encoding something.
    pub(crate) dear_headers: bool,
    pub(crate) refused: Refused,
    /// Whether frames that are encoded before those that count teach its rate control what these will cost.
    /// They do not where a forced sync frame makes the library forget everything.
    pub(crate) warms_up: bool,
    /// Refuses settings that this encoder alone cannot take.
    pub(crate) check: fn(&EncoderSettings) -> Result<(), (&'static str, String)>,
    /// Returns the controls that it obeys. The shim must carry out the rest of those listed here.
    pub(crate) controls: fn() -> ControlSupport,
    /// Returns the bytes that an encode holds, from the settings and the number of frames that wait inside.
    pub(crate) memory: fn(&EncoderSettings, delay: u32) -> u64,
    /// Returns the number of threads that can have work at once, whatever the settings allow.
    pub(crate) parallelism: fn(&EncoderSettings) -> u32,
    /// Returns the number of frames from one sync frame to the next (the GOP) where the settings leave it to
    /// the encoder.
    pub(crate) usual_interval: fn(&EncoderSettings) -> u32,
}

/// The description of a library, which its encodes share.
pub(crate) struct Library {
    pub(crate) spec: Spec,
    pub(crate) info: EncoderInfo,
    /// What the shim of libavcodec has to know of its encoder.
    pub(crate) avcodec: Option<Box<RawAvcodec>>,
}

impl Library {
    pub(crate) fn new(spec: Spec) -> Self {
        let shim = spec.shim;
        let names: Vec<String> = if spec.presets.is_empty() {
            (0..=shim.preset_max).map(|number| number.to_string()).collect()
        } else {
            spec.presets.iter().map(|&name| name.to_owned()).collect()
        };
        use ChromaSubsampling::{Monochrome, Yuv420, Yuv422, Yuv444};
        // Of formats that fit equally well the first is chosen, which must be the most usual one.
        let formats = [Yuv420, Yuv422, Yuv444, Monochrome].into_iter().flat_map(|chroma| {
            let pairs = spec.pairs.iter().copied().filter(move |pair| pair.chroma_subsampling() == chroma);
            let planar = |depth| PixelFormat::planar(chroma, depth);
            planar(8).into_iter().chain(pairs).chain(planar(10))
        });
        let info = EncoderInfo {
            name: spec.name,
            codec: spec.codec,
            version: format!("{} {}", spec.library, shim.version()),
            formats: formats.filter(|format| shim.codes(*format)).collect(),
            presets: names.into_iter().map(|name| Preset { name }).collect(),
            default_preset: spec.default_preset,
            quality: QualityScale {
                min: shim.quality_min,
                max: shim.quality_max,
                step: shim.quality_step,
                usual: spec.usual_quality,
            },
            reconstructs: true,
            steers: shim.set_quality.is_some(),
            reorders: spec.reorders,
            licence: spec.licence,
            controls: (spec.controls)(),
        };
        Self { spec, info, avcodec: None }
    }

    /// Returns the number of frames from one sync frame to the next (the GOP).
    pub(crate) fn key_frame_interval(&self, settings: &EncoderSettings) -> u32 {
        match settings.max_key_frame_interval {
            _ if settings.controls.intra_only => 1,
            0 => (self.spec.usual_interval)(settings),
            frames => frames,
        }
    }
}
