//! A compression session as the encoder of an input.

use super::pass_buffer::PassBuffer;
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::WriterError;
use crate::types::media::MediaSample;
use retake_compression::encoder::FrameOptions;
use retake_compression::property::Property;
use retake_compression::session::{CompressionSession, NextPass, Outcomes, PassOptions, SessionError};
use retake_compression::storage::{MultiPassStorage, StorageError, StorageOptions};
use retake_libav::TrackFormat;
use retake_media::{FormatDescription, PixelBuffer, SampleBuffer, Time, TimeRange};
use std::sync::Arc;

/// Encodes by a session, in one pass or in several. With several, samples are kept until the last is over
/// (section 17.4, AM-15).
pub(super) struct SessionEncoder {
    session: CompressionSession,
    outcomes: Outcomes,
    /// What is known before the first sample: its own description says the rest.
    format: FormatDescription,
    buffer: Option<PassBuffer>,
    /// What the session learns in its passes.
    storage: Option<Arc<MultiPassStorage>>,
    boundaries: Option<Boundaries>,
    first_pass: bool,
    /// No picture comes any more: what is kept can go into the film.
    over: bool,
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
    pub(super) fn new(session: CompressionSession, outcomes: Outcomes, format: FormatDescription) -> Self {
        Self {
            session,
            outcomes,
            format,
            buffer: None,
            storage: None,
            boundaries: None,
            first_pass: true,
            over: false,
        }
    }

    /// Makes the session one of several passes; `false` if it cannot be one, with the properties that it has.
    fn begin_passes(&mut self, setup: &EncoderSetup) -> Result<bool, WriterError> {
        let folder = setup.directory_for_temporary_files.as_deref();
        let temporary_folder = folder.map(|folder| folder.to_owned());
        let options = StorageOptions { temporary_folder, ..StorageOptions::default() };
        let place = || folder.map_or_else(std::env::temp_dir, |folder| folder.to_owned());
        let storage = MultiPassStorage::create(None, TimeRange::INVALID, &options);
        let storage = storage.map_err(|error| match error {
            StorageError::Unusable { source, .. } => WriterError::io(place())(source),
            other => failed(other.into()),
        })?;
        match self.session.set_multi_pass_storage(Some(&storage), PassOptions::default()) {
            Ok(()) => {}
            // AM-3: not to be had of this session, or not with these properties
            Err(SessionError::Parameter { .. } | SessionError::Property(_)) => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        self.storage = Some(storage);
        self.buffer = Some(PassBuffer::create(folder)?);
        self.session.begin_pass(false).map_err(refused)?;
        Ok(true)
    }

    fn options(&mut self, pts: Time) -> FrameOptions {
        let mut options = FrameOptions::default();
        let Some(Boundaries { interval, next, forced }) = &mut self.boundaries else { return options };
        if self.first_pass {
            let mut boundary = next.unwrap_or(pts.add(*interval));
            if pts >= boundary {
                forced.push(pts);
                // boundaries that passed without a frame are not made up for
                while pts >= boundary {
                    boundary = boundary.add(*interval);
                }
            }
            *next = Some(boundary);
        }
        options.force_key_frame = forced.binary_search(&pts).is_ok();
        options
    }

    fn next_outcome(&mut self) -> Result<Option<SampleBuffer>, WriterError> {
        while let Some(outcome) = self.outcomes.try_receive() {
            // a dropped frame leaves a gap, which the one before it fills
            if let Some(buffer) = outcome.into_sample().map_err(failed)? {
                return Ok(Some(buffer));
            }
        }
        Ok(None)
    }

    /// Puts what has come out where it is kept; of an encode in one pass, nothing.
    fn take_outcomes(&mut self) -> Result<(), WriterError> {
        if self.buffer.is_none() {
            return Ok(());
        }
        while let Some(buffer) = self.next_outcome()? {
            if let Some(pass_buffer) = &mut self.buffer {
                pass_buffer.add(&buffer)?;
            }
        }
        Ok(())
    }
}

impl Drop for SessionEncoder {
    /// The files of passes go now, whoever still has a handle of the session.
    fn drop(&mut self) {
        self.session.invalidate();
        if let Some(storage) = &self.storage {
            // nobody reads it again
            let _ = storage.close();
        }
    }
}

impl InputEncoder for SessionEncoder {
    fn expected_format(&self) -> Option<TrackFormat> {
        Some(TrackFormat::Video(self.format.clone()))
    }

    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        if setup.real_time {
            self.session.set(Property::RealTime(true)).map_err(refused)?;
        }
        self.boundaries = setup.segments.map(|(interval, start)| Boundaries {
            interval,
            next: start.map(|start| start.add(interval)),
            forced: Vec::new(),
        });
        let multiple_passes = setup.multi_pass && self.begin_passes(setup)?;
        let handle = self.session.handle();
        let format = TrackFormat::Video(self.format.clone());
        let interrupt = Arc::new(move || handle.invalidate());
        Ok(OpenedEncoder { format, multiple_passes, interrupt })
    }

    fn encode(&mut self, picture: &PixelBuffer, pts: Time) -> Result<(), WriterError> {
        let options = self.options(pts);
        // how long a frame is shown is what the next one says: it has to be the same in every pass
        self.session.encode(picture, pts, Time::INVALID, options, ()).map_err(failed)?;
        self.take_outcomes()
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        let buffer = match &mut self.buffer {
            Some(pass_buffer) if self.over => pass_buffer.next()?,
            Some(_) => None,
            None => self.next_outcome()?,
        };
        Ok(buffer.map(MediaSample::from))
    }

    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        let next = self.session.end_pass().map_err(failed)?;
        self.take_outcomes()?;
        self.first_pass = false;
        if let Some(pass_buffer) = &mut self.buffer {
            pass_buffer.end_pass()?;
        }
        let NextPass::Requested(ranges) = next else { return Ok(None) };
        self.session.begin_pass(false).map_err(failed)?;
        if let Some(pass_buffer) = &mut self.buffer {
            pass_buffer.begin(&ranges);
        }
        Ok(Some(ranges.to_vec()))
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        self.session.complete_frames(Time::INVALID).map_err(failed)?;
        self.take_outcomes()?;
        self.over = true;
        self.buffer.as_mut().map_or(Ok(()), PassBuffer::stop)
    }
}

pub(super) fn refused(error: SessionError) -> WriterError {
    match error {
        SessionError::EncoderNotFound(what) => WriterError::NoEncoder(what),
        other => WriterError::BadSettings(other.to_string()),
    }
}

fn failed(error: SessionError) -> WriterError {
    WriterError::EncodeFailed { code: error.code(), detail: error.to_string() }
}
