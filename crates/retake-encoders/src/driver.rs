use crate::bitstream::Bitstream;
use crate::headers;
use crate::settings::Lowered;
use crate::shim::{Event, Fault, Shim, ShimTable};
use crate::times::Times;
use retake_compression::encoder::{
    EncodedFrame, Encoder, EncoderError, EncoderSettings, FrameOptions, Output,
};
use retake_media::{
    Codec, FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Sample, SampleKind, Time,
};

/// Runs one encode of a shim: the library sees frame indices, the caller sees times.
pub(crate) struct Driver {
    name: &'static str,
    shim: Shim,
    bitstream: Bitstream,
    description: FormatDescription,
    format: PixelFormat,
    times: Times,
    /// Where reconstructed pictures go, if they are wanted.
    pool: Option<PixelBufferPool>,
    finished: bool,
}

impl Driver {
    pub(crate) fn open(
        name: &'static str,
        codec: Codec,
        table: &'static ShimTable,
        dear_headers: bool,
        lowered: &Lowered,
        settings: &EncoderSettings,
    ) -> Result<Self, EncoderError> {
        let refused = |fault: Fault| match fault.setting.is_empty() {
            true => EncoderError::Open { encoder: name, reason: fault.reason },
            false => EncoderError::Settings { encoder: name, setting: fault.setting, reason: fault.reason },
        };
        let mut shim = Shim::open(table, lowered.raw()).map_err(refused)?;
        let headers =
            if dear_headers { headers::cached(name, settings, || shim.headers()) } else { shim.headers() };
        let headers = headers.map_err(refused)?;
        let (bitstream, config) = Bitstream::new(codec, &headers, settings)
            .map_err(|reason| EncoderError::Open { encoder: name, reason })?;
        let description = FormatDescription {
            codec,
            width: settings.width,
            height: settings.height,
            config,
            colour: settings.colour,
            pixel_aspect_ratio: settings.pixel_aspect_ratio,
            mastering_display: settings.mastering_display,
            content_light: settings.content_light,
        };
        let pool = settings
            .reconstruct
            .then(|| PixelBufferPool::new(settings.format, settings.width, settings.height));
        let times = Times::default();
        Ok(Self { name, shim, bitstream, description, format: settings.format, times, pool, finished: false })
    }

    fn malfunction(&self, reason: String) -> EncoderError {
        EncoderError::Malfunction { encoder: self.name, frame: self.times.accepted(), reason }
    }

    fn at_end(&self) -> Result<Output, EncoderError> {
        let pictures = if self.pool.is_some() { self.times.missing_pictures() } else { 0 };
        match (self.times.missing(), pictures) {
            (0, 0) => Ok(Output::End),
            (0, lost) => {
                Err(self.malfunction(format!("the library kept {lost} reconstructed pictures for itself")))
            }
            (lost, _) => Err(self.malfunction(format!("the library lost {lost} frames"))),
        }
    }
}

impl Encoder for Driver {
    fn format(&self) -> &FormatDescription {
        &self.description
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        self.shim.set_quality(quality)
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        if self.finished {
            return Err(self.malfunction("a frame was sent after the last one".to_owned()));
        }
        let (width, height) = (self.description.width, self.description.height);
        if (picture.width(), picture.height(), picture.format()) != (width, height, self.format) {
            let wanted = self.format;
            return Err(self
                .malfunction(format!("{picture:?} was sent where {wanted:?} {width}×{height} is encoded")));
        }
        let index = self.times.accept(pts, duration).map_err(|reason| self.malfunction(reason))?;
        let force_key = options.force_key_frame || index == 0;
        self.shim.send(picture, index as i64, force_key).map_err(|fault| self.malfunction(fault.reason))
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.shim.flush().map_err(|fault| self.malfunction(fault.reason))
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        let outcome = match self.shim.receive() {
            Ok(Event::Pending) => return Ok(Output::Pending),
            Ok(Event::End) => return self.at_end(),
            Ok(Event::Sample { data, index, sync, disposable, qp }) => {
                let kind = match (sync, disposable) {
                    (true, _) => SampleKind::Sync,
                    (_, true) => SampleKind::Disposable,
                    _ => SampleKind::Reference,
                };
                self.bitstream.sample(data, sync).and_then(|data| {
                    let stamp = self.times.emit(index)?;
                    let sample =
                        Sample { data, pts: stamp.pts, dts: stamp.dts, duration: stamp.duration, kind };
                    Ok(Output::Frame(EncodedFrame {
                        sample,
                        index: index as u64,
                        qp,
                        error: None,
                        token: None,
                        layer: 0,
                    }))
                })
            }
            Ok(Event::Picture { index }) => match &self.pool {
                None => Err("the library gave a picture that nobody asked for".to_owned()),
                Some(pool) => self.times.picture(index).map(|()| {
                    let mut buffer = pool.take();
                    self.shim.picture(&mut buffer);
                    Output::Picture { index: index as u64, picture: buffer.freeze() }
                }),
            },
            Err(fault) => Err(fault.reason),
        };
        outcome.map_err(|reason| self.malfunction(reason))
    }
}
