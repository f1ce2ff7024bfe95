use super::input::AssetWriterInput;
use crate::state::track::{AppendMode, Media};
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::{AppendError, Mistake, WriterError};
use crate::types::media::MediaSample;
use retake_libav::{MediaError, SoundEncoder, SoundSettings, TrackFormat};
use retake_media::codes;
use retake_media::{AudioFormat, Sample, SampleAttachments, SampleKind, Time};
use std::sync::Arc;

/// How samples of sound lie: so many a second of each channel, side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoundLayout {
    rate: i32,
    channels: usize,
}

impl AssetWriterInput {
    /// An input that encodes sound. What is appended has the rate and the channels of
    /// [`SoundSettings::source`], and is converted where the track has others. It is appended by
    /// [`append_sound`](Self::append_sound) or a [`SoundReceiver`](crate::SoundReceiver). What the encoder
    /// adds at both ends (priming, and the rest of the last packet) is edited out of the film. Lossless
    /// formats add nothing.
    ///
    /// # Errors
    /// [`WriterError::NoEncoder`] if there is none for the coding format, or it refuses the settings. No
    /// writer has failed then: there is none yet.
    #[doc(alias = "initWithMediaType:outputSettings:")]
    pub fn sound(settings: &SoundSettings) -> Result<Self, WriterError> {
        let samples =
            SoundSamples::open(settings).map_err(|error| WriterError::NoEncoder(error.to_string()))?;
        let source = samples.encoder.source();
        let rate = i32::try_from(source.sample_rate).unwrap_or(i32::MAX);
        let layout = SoundLayout { rate, channels: (source.channels as usize).max(1) };
        Ok(Self::of_sound(Box::new(PacketEncoder(samples)), layout))
    }

    /// Encodes sound: samples of -1 to 1, one of each channel after the other, the first of them at `time`.
    /// Each stretch begins where the one before it ended, give or take less than a sample; silence has to be
    /// appended as such.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives the samples back; else as [`AssetWriterInput::append`].
    #[doc(alias = "appendSampleBuffer:")]
    pub fn append_sound(&self, samples: Vec<f32>, time: Time) -> Result<(), AppendError<Vec<f32>>> {
        const CALL: &str = "append_sound";
        match self.mode() {
            Some(AppendMode::SoundReceiver) => Err(AppendError::usage(CALL, Mistake::RECEIVER)),
            _ => self.append_stretch(samples, time, CALL),
        }
    }

    pub(super) fn append_stretch(
        &self,
        samples: Vec<f32>,
        time: Time,
        call: &'static str,
    ) -> Result<(), AppendError<Vec<f32>>> {
        let refuse = |mistake| Err(AppendError::usage(call, mistake));
        let track = self.attached(call).map_err(AppendError::Usage)?;
        let Some((encoder, layout)) = self.sound_encoder() else {
            return refuse(self.wrong_media());
        };
        if !samples.len().is_multiple_of(layout.channels) {
            return refuse(Mistake::BadValue("samples of some channels are missing"));
        }
        if !samples.iter().all(|sample| sample.is_finite()) {
            return refuse(Mistake::BadValue("samples of sound have to be numbers"));
        }
        let length = Time::new((samples.len() / layout.channels) as i64, layout.rate);
        let media = Media::Sound { time, length, sample: Time::new(1, layout.rate) };
        encoder.append(track, call, samples, &media)
    }
}

/// Encodes sound to the samples of a track: what an input of [`AssetWriterInput::sound`] does, for who
/// appends them to a [passed-through](AssetWriterInput::passthrough) input.
///
/// What the encoder adds at both ends is marked to be trimmed. The first samples may lie before the time of
/// the first sound, because they prime the decoder.
pub struct SoundSamples {
    encoder: SoundEncoder,
    /// When the first sample is heard.
    begin: Option<Time>,
    over: bool,
}

impl SoundSamples {
    /// Opens an encoder.
    ///
    /// # Errors
    /// Those of [`SoundEncoder::open`].
    pub fn open(settings: &SoundSettings) -> Result<Self, MediaError> {
        Ok(Self { encoder: SoundEncoder::open(settings)?, begin: None, over: false })
    }

    /// Returns the format of the track.
    pub fn format(&self) -> &AudioFormat {
        self.encoder.format()
    }

    /// Takes sound as [`SoundEncoder::send`] does. The first of all begins at `time`; what follows begins
    /// where that before it ended.
    ///
    /// # Errors
    /// Those of [`SoundEncoder::send`].
    pub fn send(&mut self, samples: &[f32], time: Time) -> Result<(), MediaError> {
        self.begin.get_or_insert(time);
        self.encoder.send(samples)
    }

    /// Ends the sound.
    ///
    /// # Errors
    /// Those of [`SoundEncoder::finish`].
    pub fn finish(&mut self) -> Result<(), MediaError> {
        self.over = true;
        match self.begin {
            Some(_) => self.encoder.finish(),
            None => Ok(()),
        }
    }

    /// Returns the next sample that is ready.
    pub fn next_sample(&mut self) -> Option<MediaSample> {
        let (begin, packet) = (self.begin?, self.encoder.next_packet()?);
        let rate = i32::try_from(self.encoder.format().sample_rate).unwrap_or(i32::MAX);
        let time = |samples: i64| Time::new(samples, rate);
        let (length, came) =
            (i64::from(packet.length), i64::try_from(self.encoder.came()).unwrap_or(i64::MAX));
        let trim = |samples: i64| (samples > 0).then(|| time(samples.min(length)));
        let pts = begin + time(packet.start);
        let sample =
            Sample { data: packet.data, pts, dts: pts, duration: time(length), kind: SampleKind::Sync };
        let mut sample = MediaSample::from(sample);
        sample.attachments = SampleAttachments {
            trim_at_start: trim(-packet.start),
            trim_at_end: if self.over { trim(packet.start + length - came) } else { None },
            ..SampleAttachments::default()
        };
        Some(sample)
    }
}

/// libavcodec's encoders as the encoder of an input.
struct PacketEncoder(SoundSamples);

impl InputEncoder<[f32]> for PacketEncoder {
    fn expected_format(&self) -> Option<TrackFormat> {
        Some(TrackFormat::Audio(self.0.format().clone()))
    }

    fn open(&mut self, _: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        let format = TrackFormat::Audio(self.0.format().clone());
        // no call of it takes long
        Ok(OpenedEncoder { format, multiple_passes: false, interrupt: Arc::new(|| ()) })
    }

    fn encode(&mut self, samples: &[f32], pts: Time) -> Result<(), WriterError> {
        self.0.send(samples, pts).map_err(failed)
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        Ok(self.0.next_sample())
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        self.0.finish().map_err(failed)
    }
}

fn failed(error: MediaError) -> WriterError {
    WriterError::EncodeFailed { code: codes::VIDEO_ENCODER_MALFUNCTION, detail: error.to_string() }
}
