use super::input::AssetWriterInput;
use crate::state::track::{AppendMode, Media};
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::{AppendError, Mistake, UsageError, WriterError};
use crate::types::media::MediaSample;
use retake_libav::TrackFormat;
use retake_media::{MetadataError, MetadataFormat, Sample, SampleKind, Time, TimedMetadataGroup, codes};
use std::collections::VecDeque;
use std::sync::Arc;

/// Appends groups of metadata to an input of timed metadata.
#[doc(alias = "AVAssetWriterInputMetadataAdaptor")]
#[derive(Debug)]
pub struct MetadataAdaptor(AssetWriterInput);

impl MetadataAdaptor {
    /// The adaptor of an input; each input has one.
    ///
    /// # Errors
    /// [`Mistake::WrongMedia`](crate::Mistake::WrongMedia) for an input that takes no metadata,
    /// [`Mistake::Status`](crate::Mistake::Status) once the writer has started,
    /// [`Mistake::Adapted`](crate::Mistake::Adapted) for a second one.
    #[doc(alias = "initWithAssetWriterInput:")]
    pub fn new(input: &AssetWriterInput) -> Result<Self, UsageError> {
        input.set_mode("MetadataAdaptor::new", AppendMode::MetadataAdaptor)?;
        Ok(Self(input.clone()))
    }

    /// The input.
    #[doc(alias = "assetWriterInput")]
    pub fn input(&self) -> &AssetWriterInput {
        &self.0
    }

    /// Appends a group, which holds for its range, or until the next group or the session's end if its
    /// duration is [`Time::INVALID`]. Groups come one after the other.
    ///
    /// # Errors
    /// [`AppendError::NotReady`] gives the group back. [`AppendError::Usage`] as
    /// [`AssetWriterInput::append`], and by [`Mistake::BadTime`](crate::Mistake::BadTime) for a start that is
    /// no number or a duration that is not above zero,
    /// [`Mistake::TimeGoesBack`](crate::Mistake::TimeGoesBack),
    /// [`Mistake::Overlaps`](crate::Mistake::Overlaps), and
    /// [`Mistake::BadValue`](crate::Mistake::BadValue) for an item that the input's format does not describe,
    /// or whose value is longer than 16 MiB.
    #[doc(alias = "appendTimedMetadataGroup:")]
    pub fn append(&self, group: TimedMetadataGroup) -> Result<(), AppendError<TimedMetadataGroup>> {
        self.0.append_metadata(group, "append")
    }
}

impl AssetWriterInput {
    /// An input for metadata that holds for a while, which is appended as [`TimedMetadataGroup`]s by a
    /// [`MetadataAdaptor`] or a [`MetadataReceiver`](crate::MetadataReceiver). The format has all keys that
    /// may come. The track is `mebx` of QuickTime and ISO/IEC 14496-12, and ISO files alone have such tracks.
    /// Where nothing holds between two groups, a sample says so.
    #[doc(alias = "initWithMediaType:outputSettings:sourceFormatHint:")]
    #[doc(alias = "AVMediaTypeMetadata")]
    pub fn timed_metadata(format: MetadataFormat) -> Self {
        let encoder = MetadataEncoder { format: format.clone(), ready: VecDeque::new() };
        Self::of_metadata(Box::new(encoder), format)
    }

    pub(super) fn append_metadata(
        &self,
        group: TimedMetadataGroup,
        call: &'static str,
    ) -> Result<(), AppendError<TimedMetadataGroup>> {
        let track = self.attached(call).map_err(AppendError::Usage)?;
        let Some((encoder, format)) = self.metadata_encoder() else {
            return Err(AppendError::usage(call, self.wrong_media()));
        };
        if let Err(error) = format.payload(&group.items) {
            let mistake = Mistake::BadValue(match error {
                MetadataError::TooLong(_) => "a value of metadata has at most 16 MiB",
                _ => "the input's format describes no item of this key, type and language",
            });
            return Err(AppendError::usage(call, mistake));
        }
        let media = Media::Group { range: group.range };
        encoder.append(track, call, group, &media)
    }
}

/// Makes samples of groups of metadata.
struct MetadataEncoder {
    format: MetadataFormat,
    ready: VecDeque<MediaSample>,
}

impl InputEncoder<TimedMetadataGroup> for MetadataEncoder {
    fn expected_format(&self) -> Option<TrackFormat> {
        Some(TrackFormat::Metadata(self.format.clone()))
    }

    fn open(&mut self, _: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        let format = TrackFormat::Metadata(self.format.clone());
        // no call of it takes long
        Ok(OpenedEncoder { format, multiple_passes: false, interrupt: Arc::new(|| ()) })
    }

    fn encode(&mut self, group: &TimedMetadataGroup, pts: Time) -> Result<(), WriterError> {
        let data = self.format.payload(&group.items).map_err(|error| WriterError::EncodeFailed {
            code: codes::PARAMETER,
            detail: error.to_string(),
        })?;
        let duration = group.range.duration;
        let sample = Sample { data, pts, dts: pts, duration, kind: SampleKind::Sync };
        self.ready.push_back(sample.into());
        Ok(())
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        Ok(self.ready.pop_front())
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        Ok(())
    }
}
