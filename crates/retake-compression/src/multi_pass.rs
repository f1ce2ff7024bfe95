//! The loop around a session of several passes: frames in, pass by pass; the newest sample of every frame
//! out.
//!
//! A session says after each pass which time ranges it would like to encode again, a storage keeps what it
//! has learned meanwhile, and a silo holds the newest sample of every frame. Whoever makes several passes
//! needs all three, and has to give the ranges of one to the other. A [`MultiPassEncode`] does that; what is
//! left to the client are its frames.

mod pass_buffer;

use self::pass_buffer::PassBuffer;
use crate::session::{CompressionSession, NextPass, Outcomes, PassOptions, SessionError, SourceFrame};
use crate::silo::{FrameSilo, Samples, SiloError};
use crate::storage::{MultiPassStorage, StorageError, StorageOptions};
use retake_media::{SampleBuffer, TimeRange};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// What can go wrong with an encode of several passes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MultiPassError {
    /// The session refused or failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The samples could not be kept or read.
    #[error(transparent)]
    Silo(#[from] SiloError),
    /// What the passes learn could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl MultiPassError {
    /// The stable number of the error (section 15 of the contract).
    pub fn code(&self) -> i32 {
        match self {
            Self::Session(source) => source.code(),
            Self::Silo(source) => source.code(),
            Self::Storage(source) => source.code(),
        }
    }
}

/// A session with the samples of all its passes, and what it learns in them.
///
/// Frames are pushed in presentation order: in the first pass all, in a later one those of the ranges that
/// [`MultiPassEncode::end_pass`] asked for. A range takes the place of what was in it when all of it came,
/// and not before: whenever a client stops, [`MultiPassEncode::finish`] leaves samples that decode.
///
/// Dropping it ends the session, and closes the storage whoever else still has a handle of either.
pub struct MultiPassEncode {
    encoding: Encoding,
    buffer: PassBuffer,
    pass: u32,
}

/// What ends when the encode is dropped.
struct Encoding {
    session: CompressionSession,
    outcomes: Outcomes,
    /// None in a single pass.
    storage: Option<Arc<MultiPassStorage>>,
}

impl Drop for Encoding {
    fn drop(&mut self) {
        self.session.invalidate();
        if let Some(storage) = &self.storage {
            // nobody is left to tell, and a storage that its client has closed is closed
            let _ = storage.close();
        }
    }
}

impl MultiPassEncode {
    /// Makes a session one of several passes, and begins the first. Its storage and silo are temporary files
    /// in `folder`, by default where the system keeps such files; they are gone when this is dropped.
    ///
    /// `session` comes from [`build_pull`](crate::session::SessionBuilder::build_pull), with its properties
    /// set and without frames. Without `passes` there is one pass and no storage.
    ///
    /// # Errors
    /// [`MultiPassError::Session`] for a session that cannot make several passes, or not with its properties;
    /// [`MultiPassError::Silo`] and [`MultiPassError::Storage`] where the files cannot be made.
    pub fn begin(
        (session, outcomes): (CompressionSession, Outcomes),
        passes: Option<PassOptions>,
        folder: Option<&Path>,
    ) -> Result<Self, MultiPassError> {
        let silo = match folder {
            Some(folder) => FrameSilo::temporary_in(folder, None),
            None => FrameSilo::temporary(None),
        };
        let silo = silo?;
        let Some(options) = passes else { return Self::new((session, outcomes), None, silo) };
        let files =
            StorageOptions { temporary_folder: folder.map(Path::to_owned), ..StorageOptions::default() };
        let storage = MultiPassStorage::create(None, &files)?;
        session.set_multi_pass_storage(Some(&storage), options)?;
        Self::new((session, outcomes), Some(storage), silo)
    }

    /// Begins the first pass of a session whose storage was set already, with a silo of the client's: for
    /// clients that keep one of them, or want to know first whether the session takes the storage.
    ///
    /// # Errors
    /// [`MultiPassError::Session`], as
    /// [`SessionHandle::begin_pass`](crate::session::SessionHandle::begin_pass) gives it.
    pub fn new(
        (session, outcomes): (CompressionSession, Outcomes),
        storage: Option<Arc<MultiPassStorage>>,
        silo: FrameSilo,
    ) -> Result<Self, MultiPassError> {
        let encoding = Encoding { session, outcomes, storage };
        if encoding.storage.is_some() {
            encoding.session.begin_pass()?;
        }
        Ok(Self { encoding, buffer: PassBuffer::new(silo), pass: 1 })
    }

    /// The session: for its handles, and for what can be set or asked while it encodes.
    pub fn session(&self) -> &CompressionSession {
        &self.encoding.session
    }

    /// The pass that is open or was ended last, counted from 1.
    pub fn pass(&self) -> u32 {
        self.pass
    }

    /// Encodes the next frame of this pass, and keeps the samples that have come out. In a later
    /// pass a frame must come as it came in the first. Waits while too many frames wait.
    ///
    /// # Errors
    /// [`MultiPassError::Session`], also for an earlier frame that failed; [`MultiPassError::Silo`].
    pub fn push(&mut self, frame: SourceFrame) -> Result<(), MultiPassError> {
        let taken = self.encoding.session.encode(frame, ());
        // what befell an earlier frame is nearer to the cause
        self.collect()?;
        taken?;
        Ok(())
    }

    /// Ends a pass of which all frames came: encodes what is still inside, and begins the next pass if the
    /// session would like one. Gives the ranges of presentation times that are to be pushed again: at least
    /// one, ascending, apart; or nothing where what came out is what it is going to be, or where the session
    /// shares a plan and others have to end their pass first ([`MultiPassEncode::next_pass`]).
    ///
    /// # Errors
    /// [`MultiPassError::Session`], also where frames of the ranges are missing; [`MultiPassError::Silo`].
    pub fn end_pass(&mut self) -> Result<Option<Arc<[TimeRange]>>, MultiPassError> {
        let session = &self.encoding.session;
        let ended = match self.encoding.storage {
            Some(_) => session.end_pass(),
            None => session.complete_frames().map(|()| NextPass::Finished),
        };
        self.collect()?;
        let ended = ended?;
        self.buffer.end_pass()?;
        self.begin_next(ended)
    }

    /// Of a session that [shares a plan](crate::session::SessionHandle::share_plan), between passes: begins
    /// the next pass if the plan asks for one by now. Gives its ranges as [`MultiPassEncode::end_pass`] does;
    /// nothing where others have to end their pass first, and where nothing more is asked for. When all parts
    /// were asked one after another, and each gave nothing, all are finished.
    ///
    /// # Errors
    /// [`MultiPassError::Session`].
    pub fn next_pass(&mut self) -> Result<Option<Arc<[TimeRange]>>, MultiPassError> {
        if self.encoding.storage.is_none() {
            return Ok(None);
        }
        let next = self.encoding.session.next_pass()?;
        self.begin_next(next)
    }

    fn begin_next(&mut self, next: NextPass) -> Result<Option<Arc<[TimeRange]>>, MultiPassError> {
        let NextPass::Requested(ranges) = next else { return Ok(None) };
        self.encoding.session.begin_pass()?;
        self.pass += 1;
        self.buffer.begin(&ranges);
        Ok(Some(ranges))
    }

    /// No more frames come, be the pass complete or not: a range of which only a part came stays as it was
    /// before. After [`MultiPassEncode::end_pass`] it changes nothing.
    ///
    /// # Errors
    /// [`MultiPassError::Session`]; [`MultiPassError::Silo`].
    pub fn finish(&mut self) -> Result<(), MultiPassError> {
        let completed = self.encoding.session.complete_frames();
        self.collect()?;
        completed?;
        Ok(self.buffer.stop()?)
    }

    /// The newest sample of every frame, in decode order, as they are at this moment.
    ///
    /// # Errors
    /// [`MultiPassError::Silo`]; each sample may fail with a [`SiloError`] as well.
    pub fn samples(&self) -> Result<Samples<'_>, MultiPassError> {
        Ok(self.buffer.silo().samples(None)?)
    }

    /// Hands out one sample after the other, in decode order, to those who cannot hold
    /// [`MultiPassEncode::samples`]; nothing behind the last one. Meant for the time after the last pass: it
    /// never goes back to an earlier time.
    ///
    /// # Errors
    /// [`MultiPassError::Silo`].
    pub fn next_sample(&mut self) -> Result<Option<SampleBuffer>, MultiPassError> {
        Ok(self.buffer.next_sample()?)
    }

    /// The silo with all samples; the session is over.
    pub fn into_silo(self) -> FrameSilo {
        self.buffer.into_silo()
    }

    /// Keeps what has come out.
    fn collect(&mut self) -> Result<(), MultiPassError> {
        while let Some(outcome) = self.encoding.outcomes.try_receive() {
            // a frame that was dropped leaves a gap
            if let Some(sample) = outcome.into_sample()? {
                self.buffer.add(&sample)?;
            }
        }
        Ok(())
    }
}
