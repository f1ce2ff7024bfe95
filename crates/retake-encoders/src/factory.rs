use crate::driver::Driver;
use crate::options::Refused;
use crate::settings::Lowered;
use crate::shim::ShimTable;
use crate::warm_up;
use retake_compression::encoder::{
    ControlSupport, Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings, Preset, QualityScale,
};
use retake_media::{Codec, PixelFormat};
use std::sync::Arc;

/// What is particular to one encoder, apart from its shim.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) codec: Codec,
    pub(crate) library: &'static str,
    pub(crate) licence: &'static str,
    pub(crate) shim: &'static ShimTable,
    /// From the slowest to the fastest; empty where presets are numbers from 0 on.
    pub(crate) presets: &'static [&'static str],
    pub(crate) default_preset: &'static str,
    pub(crate) usual_quality: f64,
    pub(crate) reorders: bool,
    /// Whether the library takes chroma as pairs of Cb and Cr, too; of 8 bit.
    pub(crate) pairs: bool,
    /// Whether the library gives headers only by encoding something.
    pub(crate) dear_headers: bool,
    pub(crate) refused: Refused,
    /// Settings that this encoder alone refuses.
    pub(crate) check: fn(&EncoderSettings) -> Result<(), (&'static str, String)>,
    /// What it obeys. The shim does the rest of what is told here.
    pub(crate) controls: fn() -> ControlSupport,
    /// Bytes that an encode holds, from the settings and the frames that wait inside.
    pub(crate) memory: fn(&EncoderSettings, delay: u32) -> u64,
    /// Threads that can have work at once, whatever the settings allow.
    pub(crate) parallelism: fn(&EncoderSettings) -> u32,
    /// Frames from one sync frame to the next where the settings leave it to the encoder.
    pub(crate) usual_interval: fn(&EncoderSettings) -> u32,
}

/// An encoder library as the registry holds it.
pub(crate) struct Factory {
    library: Arc<Library>,
}

/// What is known of a library; shared with its encodes.
pub(crate) struct Library {
    pub(crate) spec: Spec,
    pub(crate) info: EncoderInfo,
}

impl Library {
    /// Settings as the shim takes them.
    pub(crate) fn lower(&self, settings: &EncoderSettings) -> Result<Lowered, EncoderError> {
        Lowered::new(&self.spec, &self.info, settings)
    }
}

impl Factory {
    pub(crate) fn new(spec: Spec) -> Self {
        let shim = spec.shim;
        let names: Vec<String> = if spec.presets.is_empty() {
            (0..=shim.preset_max).map(|number| number.to_string()).collect()
        } else {
            spec.presets.iter().map(|&name| name.to_owned()).collect()
        };
        let pairs = spec.pairs.then_some(PixelFormat::Nv12);
        let formats = [Some(PixelFormat::I420), pairs, Some(PixelFormat::I010)];
        let has_depth = |format: &PixelFormat| shim.has_depth(format.bit_depth());
        let info = EncoderInfo {
            name: spec.name,
            codec: spec.codec,
            version: format!("{} {}", spec.library, shim.version()),
            formats: formats.into_iter().flatten().filter(has_depth).collect(),
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
        Self { library: Arc::new(Library { spec, info }) }
    }

    /// Frames that wait in the library.
    fn inside(&self, settings: &EncoderSettings) -> u32 {
        let shim = self.library.spec.shim;
        self.library.lower(settings).map_or(0, |lowered| shim.delay(lowered.raw()))
    }
}

/// Frames that are kept before the library codes the first of them.
fn kept(info: &EncoderInfo, settings: &EncoderSettings) -> u32 {
    settings.controls.first_pass.unwrap_or_else(|| warm_up::frames(info, settings))
}

impl EncoderFactory for Factory {
    fn info(&self) -> &EncoderInfo {
        &self.library.info
    }

    fn memory(&self, settings: &EncoderSettings) -> u64 {
        let picture = settings.format.picture_bytes(settings.width, settings.height);
        let kept = u64::from(kept(&self.library.info, settings));
        (self.library.spec.memory)(settings, self.inside(settings)) + kept * picture
    }

    fn delay(&self, settings: &EncoderSettings) -> u32 {
        self.inside(settings) + kept(&self.library.info, settings)
    }

    fn useful_threads(&self, settings: &EncoderSettings) -> u32 {
        (self.library.spec.parallelism)(settings).clamp(1, settings.threads.max(1))
    }

    fn key_frame_interval(&self, settings: &EncoderSettings) -> u32 {
        match settings.max_key_frame_interval {
            _ if settings.controls.intra_only => 1,
            0 => (self.library.spec.usual_interval)(settings),
            frames => frames,
        }
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        Ok(Box::new(Driver::open(Arc::clone(&self.library), settings)?))
    }
}
