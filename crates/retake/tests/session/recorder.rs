//! An encoder that codes nothing and remembers everything: what a session asks of encoders, and which memory
//! it hands them.

use retake::session::{CompressionSession, Outcomes};
use retake::{
    Codec, Encoder, EncoderFactory, EncoderInfo, FormatDescription, FrameOptions, PixelBuffer,
    PixelBufferAttributes, PixelFormat, Registry, Sample, SampleKind, Time,
};
use retake_compression::encoder::{
    ControlSupport, EncodedFrame, EncoderError, EncoderSettings, Output, Preset, QualityScale,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// How many bytes a frame takes, from the settings of its encode, its number in it, and its time.
pub(crate) type Size = fn(&EncoderSettings, u64, Time) -> usize;

/// What was asked of the encoder.
#[derive(Default)]
pub(crate) struct Log {
    /// The settings of each encode that was opened.
    pub(crate) opened: Vec<EncoderSettings>,
    /// Where the planes of each picture lay, and its format.
    pub(crate) pictures: Vec<(Vec<usize>, PixelFormat)>,
}

pub(crate) struct Recorder {
    info: EncoderInfo,
    size: Size,
    log: Arc<Mutex<Log>>,
}

/// Which bytes of memory a picture has.
pub(crate) fn address(picture: &PixelBuffer) -> Vec<usize> {
    (0..picture.format().planes()).map(|plane| picture.plane(plane).as_ptr() as usize).collect()
}

/// A registry with a recorder alone, which takes 4:2:0 in planes and in pairs, and its log.
pub(crate) fn recorder(size: Size) -> (Registry, Arc<Mutex<Log>>) {
    let mut controls = ControlSupport::default();
    controls.qp_bounds = Some((0, 51));
    controls.rate_limit = true;
    controls.variable_bit_rate = true;
    controls.forced_at_rate = true;
    controls.forced_within_delay = true;
    (controls.steady_start, controls.steady_end) = (true, true);
    let info = EncoderInfo {
        name: "recorder",
        codec: Codec::H264,
        version: "1".to_owned(),
        formats: vec![PixelFormat::I420, PixelFormat::Nv12, PixelFormat::I010],
        presets: ["slow", "usual", "1", "2", "3", "4"].map(|name| Preset { name: name.to_owned() }).into(),
        default_preset: "usual",
        quality: QualityScale { min: 1.0, max: 51.0, step: 1.0, usual: 23.0 },
        reconstructs: false,
        steers: false,
        reorders: false,
        licence: "MIT",
        controls,
    };
    let log = Arc::new(Mutex::new(Log::default()));
    let mut registry = retake::encoders();
    let transfer = registry.transfer().cloned().unwrap();
    registry = Registry::new();
    registry.add(Arc::new(Recorder { info, size, log: log.clone() }));
    registry.set_transfer(transfer);
    (registry, log)
}

/// A session with a recorder.
pub(crate) fn recording(
    size: Size,
    (width, height): (u32, u32),
    source: Option<PixelBufferAttributes>,
) -> (CompressionSession<usize>, Outcomes<usize>, Arc<Mutex<Log>>) {
    let (registry, log) = recorder(size);
    let mut builder = CompressionSession::builder(&registry, width, height, Codec::H264);
    if let Some(source) = source {
        builder = builder.source_attributes(source);
    }
    let (session, outcomes) = builder.build_pull().unwrap();
    (session, outcomes, log)
}

impl EncoderFactory for Recorder {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn memory(&self, _: &EncoderSettings) -> u64 {
        0
    }

    fn delay(&self, _: &EncoderSettings) -> u32 {
        0
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        self.log.lock().unwrap().opened.push(settings.clone());
        let format = FormatDescription {
            colour: settings.colour,
            pixel_aspect_ratio: settings.pixel_aspect_ratio,
            ..FormatDescription::video(Codec::H264, settings.width, settings.height)
        };
        Ok(Box::new(Recording {
            settings: settings.clone(),
            format,
            size: self.size,
            log: self.log.clone(),
            sent: 0,
            ready: VecDeque::new(),
            finished: false,
        }))
    }
}

struct Recording {
    settings: EncoderSettings,
    format: FormatDescription,
    size: Size,
    log: Arc<Mutex<Log>>,
    sent: u64,
    ready: VecDeque<EncodedFrame>,
    finished: bool,
}

impl Encoder for Recording {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        self.log.lock().unwrap().pictures.push((address(picture), picture.format()));
        let sync = self.sent == 0 || options.force_key_frame;
        let kind = if sync { SampleKind::Sync } else { SampleKind::Reference };
        let data = vec![0; (self.size)(&self.settings, self.sent, pts)];
        let sample = Sample { data, pts, dts: pts, duration, kind };
        self.ready.push_back(EncodedFrame {
            sample,
            index: self.sent,
            qp: 30.0,
            error: None,
            token: None,
            layer: 0,
        });
        self.sent += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        Ok(match self.ready.pop_front() {
            Some(frame) => Output::Frame(frame),
            None if self.finished => Output::End,
            None => Output::Pending,
        })
    }
}
