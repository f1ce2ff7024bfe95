use crate::driver::Driver;
use crate::options::Refused;
use crate::settings::Lowered;
use crate::shim::ShimTable;
use retake_compression::encoder::{
    ControlSupport, Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings, Preset, QualityScale,
};
use retake_media::{Codec, PixelFormat};

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
    /// Whether the library gives headers only by encoding something.
    pub(crate) dear_headers: bool,
    pub(crate) refused: Refused,
    /// Settings that this encoder alone refuses.
    pub(crate) check: fn(&EncoderSettings) -> Result<(), (&'static str, String)>,
    /// Bytes that an encode holds, from the settings and the frames that wait inside.
    pub(crate) memory: fn(&EncoderSettings, delay: u32) -> u64,
}

/// An encoder library as the registry holds it.
pub(crate) struct Factory {
    spec: Spec,
    info: EncoderInfo,
}

impl Factory {
    pub(crate) fn new(spec: Spec) -> Self {
        let shim = spec.shim;
        let names: Vec<String> = if spec.presets.is_empty() {
            (0..=shim.preset_max).map(|number| number.to_string()).collect()
        } else {
            spec.presets.iter().map(|&name| name.to_owned()).collect()
        };
        let formats = [PixelFormat::I420, PixelFormat::I010];
        let mut controls = ControlSupport::default();
        controls.rate_limit = matches!(spec.name, "x264" | "x265");
        controls.forced_at_rate = spec.name != "svt-av1";
        let info = EncoderInfo {
            name: spec.name,
            codec: spec.codec,
            version: format!("{} {}", spec.library, shim.version()),
            formats: formats.into_iter().filter(|format| shim.has_depth(format.bit_depth())).collect(),
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
            controls,
        };
        Self { spec, info }
    }
}

impl EncoderFactory for Factory {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn memory(&self, settings: &EncoderSettings) -> u64 {
        (self.spec.memory)(settings, self.delay(settings))
    }

    fn delay(&self, settings: &EncoderSettings) -> u32 {
        Lowered::new(&self.spec, &self.info, settings)
            .map_or(0, |lowered| self.spec.shim.delay(lowered.raw()))
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        let lowered = Lowered::new(&self.spec, &self.info, settings)?;
        Ok(Box::new(Driver::open(
            self.spec.name,
            self.spec.codec,
            self.spec.shim,
            self.spec.dear_headers,
            &lowered,
            settings,
        )?))
    }
}
