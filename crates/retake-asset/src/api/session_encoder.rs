//! A compression session as the encoder of an input.

use super::wide_colour::WideColour;
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::WriterError;
use crate::types::media::MediaSample;
use retake_compression::encoder::FrameOptions;
use retake_compression::multi_pass::{MultiPassEncode, MultiPassError};
use retake_compression::property::Property;
use retake_compression::session::{CompressionSession, Outcomes, PassOptions, SessionError, SourceFrame};
use retake_compression::silo::{FrameSilo, SiloError};
use retake_compression::storage::{MultiPassStorage, StorageError, StorageOptions};
use retake_libav::TrackFormat;
use retake_media::{FormatDescription, PixelBuffer, PixelBufferAttributes, SampleBuffer, Time, TimeRange};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Encodes by a session, in one pass or in several. With several, samples are kept until the last is over
/// (section 17.4, AM-15).
pub(super) struct SessionEncoder {
    encode: Encode,
    /// What is known before the first sample: its own description says the rest.
    format: FormatDescription,
    boundaries: Option<Boundaries>,
    /// Takes wide colour from pictures, where it is not allowed.
    narrows: Option<WideColour>,
    first_pass: bool,
    /// No picture comes any more: what is kept can go into the film.
    over: bool,
}

/// The session, and where its samples are until they are fetched.
enum Encode {
    OnePass(CompressionSession, Outcomes),
    /// With the folder of its files, which have no names that a message could tell.
    Passes(Box<MultiPassEncode>, PathBuf),
    /// Several passes could not be begun.
    Failed,
}

/// Where sync samples are wanted because segments begin there.
struct Boundaries {
    interval: Time,
    /// The next one; of the first pass alone.
    next: Option<Time>,
    /// The frames that were asked for: the same in every pass.
    forced: Vec<Time>,
}

impl SessionEncoder {
    pub(super) fn new(
        session: CompressionSession,
        outcomes: Outcomes,
        format: FormatDescription,
        narrows: Option<WideColour>,
    ) -> Self {
        let encode = Encode::OnePass(session, outcomes);
        Self { encode, format, boundaries: None, narrows, first_pass: true, over: false }
    }

    fn options(&mut self, pts: Time) -> FrameOptions {
        let mut options = FrameOptions::default();
        let Some(Boundaries { interval, next, forced }) = &mut self.boundaries else { return options };
        if self.first_pass {
            let mut boundary = next.unwrap_or(pts + *interval);
            if pts >= boundary {
                forced.push(pts);
                // boundaries that passed without a frame are not made up for
                boundary = boundary.first_after(*interval, pts);
            }
            *next = Some(boundary);
        }
        options.force_key_frame = forced.binary_search(&pts).is_ok();
        options
    }
}

impl Encode {
    /// Makes the session one of several passes; leaves it as it is if it cannot be one, with the properties
    /// that it has (AM-3).
    fn begin_passes(self, folder: Option<&Path>) -> Result<Self, WriterError> {
        let Self::OnePass(session, outcomes) = self else { return Ok(self) };
        let named = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let options =
            StorageOptions { temporary_folder: folder.map(Path::to_owned), ..StorageOptions::default() };
        let storage = MultiPassStorage::create(None, &options);
        let storage = storage.map_err(|error| failed(error.into(), &named))?;
        match session.set_multi_pass_storage(Some(&storage), PassOptions::default()) {
            Ok(()) => {}
            Err(SessionError::Parameter { .. } | SessionError::Property(_)) => {
                // nobody has written to it
                let _ = storage.close();
                return Ok(Self::OnePass(session, outcomes));
            }
            Err(error) => return Err(encode_failed(&error)),
        }
        let silo = match folder {
            Some(folder) => FrameSilo::temporary_in(folder, None),
            None => FrameSilo::temporary(None),
        };
        let silo = silo.map_err(|error| failed(error.into(), &named))?;
        let encode = MultiPassEncode::new((session, outcomes), Some(storage), silo);
        let encode = encode.map_err(|error| match error {
            MultiPassError::Session(error) => refused(error),
            error => failed(error, &named),
        })?;
        Ok(Self::Passes(Box::new(encode), named))
    }

    fn session(&self) -> Result<&CompressionSession, WriterError> {
        match self {
            Self::OnePass(session, _) => Ok(session),
            Self::Passes(encode, _) => Ok(encode.session()),
            Self::Failed => Err(WriterError::Cancelled),
        }
    }
}

impl Drop for SessionEncoder {
    /// The session ends now, whoever still has a handle of it; with several passes, their files go with it.
    fn drop(&mut self) {
        if let Encode::OnePass(session, _) = &self.encode {
            session.invalidate();
        }
    }
}

impl InputEncoder for SessionEncoder {
    fn expected_format(&self) -> Option<TrackFormat> {
        Some(TrackFormat::Video(self.format.clone()))
    }

    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        if setup.real_time {
            self.encode.session()?.set(Property::RealTime(true)).map_err(refused)?;
        }
        self.boundaries = setup.segments.map(|(interval, start)| Boundaries {
            interval,
            next: start.map(|start| start + interval),
            forced: Vec::new(),
        });
        if setup.multi_pass {
            let encode = std::mem::replace(&mut self.encode, Encode::Failed);
            self.encode = encode.begin_passes(setup.directory_for_temporary_files.as_deref())?;
        }
        let handle = self.encode.session()?.handle();
        Ok(OpenedEncoder {
            format: TrackFormat::Video(self.format.clone()),
            multiple_passes: matches!(self.encode, Encode::Passes(..)),
            interrupt: Arc::new(move || handle.invalidate()),
        })
    }

    fn picture_attributes(&self) -> Option<PixelBufferAttributes> {
        self.encode.session().ok()?.encoder_picture_attributes().ok()
    }

    fn encode(&mut self, picture: &PixelBuffer, pts: Time) -> Result<(), WriterError> {
        let narrowed = self.narrows.as_mut().map(|colour| colour.narrow(picture)).transpose()?.flatten();
        let picture = narrowed.as_ref().unwrap_or(picture);
        // how long a frame is shown is what the next one says: it has to be the same in every pass
        let frame = SourceFrame::new(picture, pts).options(self.options(pts));
        match &mut self.encode {
            Encode::Passes(encode, folder) => encode.push(frame).map_err(|error| failed(error, folder)),
            encode => {
                let encoded = encode.session()?.encode(frame, ());
                encoded.map(drop).map_err(|error| encode_failed(&error))
            }
        }
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        let sample = match &mut self.encode {
            Encode::OnePass(_, outcomes) => next_outcome(outcomes)?,
            Encode::Passes(encode, folder) if self.over => {
                encode.next_sample().map_err(|error| failed(error, folder))?
            }
            Encode::Passes(..) | Encode::Failed => None,
        };
        Ok(sample.map(MediaSample::from))
    }

    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        let Encode::Passes(encode, folder) = &mut self.encode else { return Ok(None) };
        self.first_pass = false;
        let ranges = encode.end_pass().map_err(|error| failed(error, folder))?;
        Ok(ranges.map(|ranges| ranges.to_vec()))
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        self.over = true;
        match &mut self.encode {
            Encode::Passes(encode, folder) => encode.finish().map_err(|error| failed(error, folder)),
            encode => {
                let completed = encode.session()?.complete_frames();
                completed.map_err(|error| encode_failed(&error))
            }
        }
    }
}

fn next_outcome(outcomes: &Outcomes) -> Result<Option<SampleBuffer>, WriterError> {
    while let Some(outcome) = outcomes.try_receive() {
        // a dropped frame leaves a gap, which the one before it fills
        if let Some(buffer) = outcome.into_sample().map_err(|error| encode_failed(&error))? {
            return Ok(Some(buffer));
        }
    }
    Ok(None)
}

pub(super) fn refused(error: SessionError) -> WriterError {
    match error {
        SessionError::EncoderNotFound(what) => WriterError::NoEncoder(what),
        other => WriterError::BadSettings(other.to_string()),
    }
}

fn encode_failed(error: &SessionError) -> WriterError {
    WriterError::EncodeFailed { code: error.code(), detail: error.to_string() }
}

fn failed(error: MultiPassError, folder: &Path) -> WriterError {
    match error {
        MultiPassError::Silo(SiloError::File { source, .. }) => WriterError::io(folder)(source),
        MultiPassError::Storage(StorageError::Unusable { source, .. }) => WriterError::io(folder)(source),
        // the session promises decode times that a silo takes
        MultiPassError::Silo(error) => WriterError::io(folder)(io::Error::other(error)),
        error => WriterError::EncodeFailed { code: error.code(), detail: error.to_string() },
    }
}
