use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, ticks_to_time};
use crate::input::Input;
use retake_media::{Codec, FormatDescription, Rational, Sample, SampleKind, Time};
use std::path::PathBuf;
use std::str::FromStr;

/// Gives out the compressed samples of a film's video, as the container holds them: no decoding.
///
/// Decode times are the container's own, not those of rule T-2.
pub struct SampleReader {
    file: PathBuf,
    stream: u32,
    input: Input,
    format: FormatDescription,
    time_base: Rational,
    samples: u64,
}

impl SampleReader {
    /// Starts at the first sample.
    ///
    /// # Errors
    /// [`MediaError::NoDecoder`] if the codec is none of [`Codec::ALL`]; else as [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo) -> Result<Self, MediaError> {
        let file = info.path.clone();
        let video = &info.video;
        let codec = Codec::from_str(&video.codec)
            .map_err(|_| MediaError::NoDecoder { file: file.clone(), codec: video.codec.clone() })?;
        let mut input = Input::open(&file).map_err(|failure| MediaError::open(&file, &failure))?;
        input.select(|index| index == video.index);
        let format = FormatDescription {
            codec,
            width: video.width,
            height: video.height,
            config: input.extradata(video.index),
            colour: video.colour,
            pixel_aspect_ratio: video.pixel_aspect_ratio,
            mastering_display: video.mastering_display,
            content_light: video.content_light,
        };
        Ok(Self { file, stream: video.index, input, format, time_base: video.time_base, samples: 0 })
    }

    /// What a decoder has to know before the first sample. The configuration is the container's own.
    pub fn format(&self) -> &FormatDescription {
        &self.format
    }

    /// The next sample, in decode order; `None` after the last.
    ///
    /// # Errors
    /// [`MediaError::Read`], [`MediaError::Internal`].
    #[allow(clippy::should_implement_trait)] // an iterator would have to say what comes after an error
    pub fn next(&mut self) -> Result<Option<Sample>, MediaError> {
        let packet = loop {
            match self.input.read() {
                // opening looked at all tracks, and gives out what it saw
                Ok(Some(packet)) if packet.stream() != self.stream => {}
                Ok(Some(packet)) => break packet,
                Ok(None) => return Ok(None),
                Err(failure) => return Err(self.error(&failure)),
            }
        };
        self.samples += 1;
        let time =
            |ticks: Option<i64>| ticks.map_or(Time::INVALID, |ticks| ticks_to_time(ticks, self.time_base));
        Ok(Some(Sample {
            data: packet.data().to_vec(),
            pts: time(packet.pts()),
            dts: time(packet.dts()),
            duration: time(Some(packet.duration()).filter(|&ticks| ticks > 0)),
            kind: if packet.is_key() { SampleKind::Sync } else { SampleKind::Reference },
        }))
    }

    fn error(&self, failure: &Failure) -> MediaError {
        match failure.io() {
            Some(source) => {
                let (file, byte) = (self.file.clone(), self.input.position());
                MediaError::Read { file, frame: self.samples, byte, source }
            }
            None => MediaError::internal(&self.file, "reading stopped", failure),
        }
    }
}
