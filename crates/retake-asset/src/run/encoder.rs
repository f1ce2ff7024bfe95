//! Encoders of inputs. They are called without the lock of the state, and one call at a time for each input:
//! by the client's thread that appends, and by the thread that ends a pass or a track.

use super::shell::Shared;
use crate::state::intake::Refusal;
use crate::state::track::{Media, TrackId, TrackTask};
use crate::types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::types::error::{AppendError, WriterError};
use retake_libav::TrackFormat;
use retake_media::PixelBufferAttributes;
use std::borrow::Borrow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

type Interrupt = Arc<dyn Fn() + Send + Sync>;

/// The encoder of an input.
pub(crate) struct EncoderHandle<M: ?Sized> {
    /// None once the writer has ended.
    encoder: Mutex<Option<Box<dyn InputEncoder<M>>>>,
    /// Which pictures it takes as they are, once it was opened.
    pictures: OnceLock<PixelBufferAttributes>,
    interrupt: Mutex<Option<Interrupt>>,
}

/// What a writer does with the encoder of an input, whatever it encodes.
pub(crate) trait TrackEncoder: Send + Sync {
    /// Opens it. Answers what comes out, and whether it takes several passes.
    fn open(&self, setup: &EncoderSetup) -> Result<(TrackFormat, bool), WriterError>;

    /// Makes calls of the encoder return soon.
    fn interrupt(&self);

    /// Drops the encoder and all that it keeps. Waits for the call that runs, if one does.
    fn release(&self);

    /// Does a task of its track.
    fn run(&self, task: TrackTask, shared: &Arc<Shared>, id: TrackId);
}

impl<M: ?Sized> EncoderHandle<M> {
    pub(crate) fn new(encoder: Box<dyn InputEncoder<M>>) -> Self {
        Self { encoder: Mutex::new(Some(encoder)), pictures: OnceLock::new(), interrupt: Mutex::default() }
    }

    /// Which pictures it takes as they are, if it was opened and says so.
    pub(crate) fn pictures(&self) -> Option<&PixelBufferAttributes> {
        self.pictures.get()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn InputEncoder<M>>>> {
        // an encoder that panicked answers for itself
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes what is appended to a track, if it is taken.
    pub(crate) fn append<T: Borrow<M>>(
        &self,
        (shared, id): (&Arc<Shared>, TrackId),
        call: &'static str,
        value: T,
        media: &Media,
    ) -> Result<(), AppendError<T>> {
        // what is refused does not wait for an encoder that ends a pass
        if let Err(refusal) = shared.look(|state| state.admits_media(call, id, media)) {
            return Err(refusal.giving_back(value));
        }
        // a second thread waits here, and finds the track as the first has left it
        let mut encoder = self.lock();
        if let Err(refusal) = shared.change(|state| state.append_media(call, id, media)) {
            return Err(refusal.giving_back(value));
        }
        // it is there as long as the writer writes
        let encoded = encoder.as_mut().map_or(Err(WriterError::Cancelled), |encoder| {
            encoder.encode(value.borrow(), media.time())?;
            while let Some(sample) = encoder.next_sample()? {
                shared.change(|state| state.push_encoded(id, sample));
            }
            Ok(())
        });
        encoded.map_err(|error| {
            shared.change(|state| state.fail(error.clone()));
            Refusal::Failed(error).giving_back(value)
        })
    }

    /// Gives the interleaver all that the encoder holds, no faster than it can be stored.
    fn drain(&self, shared: &Arc<Shared>, id: TrackId) -> Result<(), WriterError> {
        let mut encoder = self.lock();
        let Some(encoder) = encoder.as_mut() else { return Ok(()) };
        encoder.finish()?;
        while let Some(sample) = encoder.next_sample()? {
            if !shared.wait(|state, _| state.wants_encoded(id)) {
                return Ok(());
            }
            shared.change(|state| state.push_encoded(id, sample));
        }
        Ok(())
    }
}

impl<M: ?Sized> TrackEncoder for EncoderHandle<M> {
    fn open(&self, setup: &EncoderSetup) -> Result<(TrackFormat, bool), WriterError> {
        let mut encoder = self.lock();
        let encoder = encoder.as_mut().ok_or(WriterError::Cancelled)?;
        let opened = encoder.open(setup)?;
        if let Some(attributes) = encoder.picture_attributes() {
            self.pictures.get_or_init(|| attributes);
        }
        let OpenedEncoder { format, multiple_passes, interrupt } = opened;
        *self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupt);
        Ok((format, multiple_passes))
    }

    fn interrupt(&self) {
        let interrupt = self.interrupt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(interrupt) = interrupt {
            interrupt();
        }
    }

    fn release(&self) {
        let encoder = self.lock().take();
        drop(encoder);
        // it may hold on to what the encoder had
        self.interrupt.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn run(&self, task: TrackTask, shared: &Arc<Shared>, id: TrackId) {
        match task {
            TrackTask::EndPass => {
                let cancelled = || Err(WriterError::Cancelled);
                let wanted = self.lock().as_mut().map_or_else(cancelled, |encoder| encoder.end_pass());
                shared.change(|state| state.pass_ended(id, wanted));
            }
            TrackTask::Drain => {
                let outcome = self.drain(shared, id);
                shared.change(|state| state.drained(id, outcome));
            }
        }
    }
}
