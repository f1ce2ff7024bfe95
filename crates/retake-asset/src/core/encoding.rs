//! Inputs that encode: pictures or sound in, samples into the interleaver, passes in between. Encoders are called without the lock of the state, and
//! one at a time for each input: by the client's thread that appends, and by a helper that ends a pass or an input.

use super::lane::Lane;
use super::{Core, Shared};
use crate::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::error::{AppendError, Mistake, UsageError, WriterError};
use crate::input::AssetWriterInput;
use crate::media::MediaSample;
use crate::passes::machine::{PassDescription, PassEnd};
use crate::status::WriterStatus;
use retake_libav::TrackFormat;
use retake_media::Time;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// The encoder of an input.
pub(crate) struct Encoding<M: ?Sized> {
    /// None once the writer has ended.
    encoder: Mutex<Option<Box<dyn InputEncoder<M>>>>,
    expected: Option<TrackFormat>,
    /// What comes out, and whether it takes several passes.
    opened: OnceLock<(TrackFormat, bool)>,
    interrupt: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

/// What takes long with the encoder of an input.
pub(crate) type Errand = fn(&dyn Encodes, &Arc<Shared>, usize);

/// What a writer does with the encoder of an input, whatever it encodes.
pub(crate) trait Encodes {
    /// What comes out, as far as that is known.
    fn format(&self) -> Option<TrackFormat>;

    /// Whether it takes several passes; `None` before it was opened.
    fn takes_passes(&self) -> Option<bool>;

    fn open(&self, setup: &EncoderSetup) -> Result<(), WriterError>;

    /// Makes calls of the encoder return soon.
    fn interrupt(&self);

    /// Drops the encoder and all that it keeps. Waits for the call that runs, if one does.
    fn release(&self);

    /// Ends a pass in the encoder, and begins the next.
    fn analyse(&self, shared: &Arc<Shared>, index: usize);

    /// Gives the interleaver all that the encoder holds, no faster than it can be stored.
    fn pour(&self, shared: &Arc<Shared>, index: usize);
}

impl<M: ?Sized> Encoding<M> {
    pub(crate) fn new(encoder: Box<dyn InputEncoder<M>>) -> Self {
        let expected = encoder.expected_format();
        let (encoder, interrupt) = (Mutex::new(Some(encoder)), Mutex::default());
        Self { encoder, expected, opened: OnceLock::new(), interrupt }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn InputEncoder<M>>>> {
        // an encoder that panicked answers for itself
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: ?Sized> Encodes for Encoding<M> {
    fn format(&self) -> Option<TrackFormat> {
        self.opened.get().map(|opened| opened.0.clone()).or_else(|| self.expected.clone())
    }

    fn takes_passes(&self) -> Option<bool> {
        self.opened.get().map(|opened| opened.1)
    }

    fn open(&self, setup: &EncoderSetup) -> Result<(), WriterError> {
        let mut encoder = self.lock();
        let opened = encoder.as_mut().ok_or(WriterError::Cancelled)?.open(setup)?;
        let OpenedEncoder { format, multiple_passes, interrupt } = opened;
        // a writer opens its inputs once
        let _ = self.opened.set((format, multiple_passes));
        *self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupt);
        Ok(())
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

    fn analyse(&self, shared: &Arc<Shared>, index: usize) {
        let wanted = self.lock().as_mut().map_or(Err(WriterError::Cancelled), |encoder| encoder.end_pass());
        shared.change(|core| match wanted {
            Ok(wanted) => {
                let lane = &mut core.lanes[index];
                lane.passes.decided(wanted.map(PassDescription::new));
                lane.last = None;
                core.announce_pass(shared, index);
            }
            Err(error) => core.fail(error),
        });
    }

    fn pour(&self, shared: &Arc<Shared>, index: usize) {
        let mut encoder = self.lock();
        let Some(encoder) = encoder.as_mut() else { return };
        let poured = encoder.finish().and_then(|()| {
            while let Some(sample) = encoder.next_sample()? {
                let wanted = shared.wait(|core| match core.takes_encoded() {
                    true => core.interleaver.has_room(index).then_some(true),
                    false => Some(false),
                });
                if !wanted {
                    return Ok(());
                }
                shared.change(|core| core.take_encoded(index, sample));
            }
            Ok(())
        });
        shared.change(|core| match poured {
            Ok(()) if core.takes_encoded() => core.interleaver.finish(index),
            Ok(()) => {}
            Err(error) => core.fail(error),
        });
    }
}

/// Encodes what is appended to an input at a time: if `admit` takes it, and the input is ready. `accept` notes that it was taken.
pub(crate) fn append<M: ?Sized, T: std::borrow::Borrow<M>>(
    (shared, index): (&Arc<Shared>, usize),
    encoding: &Encoding<M>,
    (media, time): (T, Time),
    call: &'static str,
    admit: impl Fn(&Lane) -> Result<(), Mistake>,
    accept: impl FnOnce(&mut Lane),
) -> Result<(), AppendError<T>> {
    let admits = |core: &Core| {
        core.admits(call, index)?;
        if !time.is_numeric() {
            return Err(AppendError::usage(call, Mistake::BadTime(time)));
        }
        admit(&core.lanes[index]).map_err(|mistake| AppendError::usage(call, mistake))
    };
    // what is refused does not wait for an encoder that ends a pass
    shared.look(admits)?;
    // a second thread waits here, and finds the input as the first has left it
    let mut encoder = encoding.lock();
    let media = shared.change(|core| {
        admits(core)?;
        let lane = &mut core.lanes[index];
        if !lane.ready {
            return Err(AppendError::NotReady(Box::new(media)));
        }
        accept(lane);
        lane.appended += 1;
        Ok(media)
    })?;
    // it is there as long as the writer writes
    let encoded = encoder.as_mut().map_or(Err(WriterError::Cancelled), |encoder| {
        encoder.encode(media.borrow(), time)?;
        while let Some(sample) = encoder.next_sample()? {
            shared.change(|core| core.take_encoded(index, sample));
        }
        Ok(())
    });
    encoded.map_err(|error| {
        shared.change(|core| core.fail(error.clone()));
        AppendError::Failed(error)
    })
}

impl Core {
    fn take_encoded(&mut self, index: usize, sample: MediaSample) {
        if self.takes_encoded() {
            self.interleaver.push(index, sample);
            self.unpark_others(index);
        }
    }

    /// Whether what an encoder still gives is of use: longer than what clients append.
    fn takes_encoded(&self) -> bool {
        self.status == WriterStatus::Writing && !self.cancelling && self.failure.is_none()
    }

    /// The thread that stores ends everything by this error.
    pub(crate) fn fail(&mut self, error: WriterError) {
        if self.status == WriterStatus::Writing && self.failure.is_none() {
            self.failure = Some(error);
        }
    }

    /// The client ends a pass (AM-6, AM-7).
    pub(crate) fn mark_pass_finished(
        &mut self,
        shared: &Arc<Shared>,
        index: usize,
    ) -> Result<(), UsageError> {
        const CALL: &str = "mark_current_pass_as_finished";
        match self.status {
            WriterStatus::Unknown => return Err(self.wrong_status(CALL, "writing")),
            status if status.is_terminal() => return Ok(()),
            _ => {}
        }
        let lane = &mut self.lanes[index];
        let end = lane.passes.end_pass(lane.last).map_err(|mistake| UsageError { call: CALL, mistake })?;
        lane.drop_request();
        match end {
            PassEnd::NoMore => self.announce_pass(shared, index),
            PassEnd::Analyse => {
                self.help(shared, index, |encoder, shared, index| encoder.analyse(shared, index))
            }
        }
        Ok(())
    }

    /// An input is over: its encoder gives what it still holds.
    pub(crate) fn drain(&mut self, shared: &Arc<Shared>, index: usize) {
        self.help(shared, index, |encoder, shared, index| encoder.pour(shared, index));
    }

    /// Has a thread do something that takes long, after all that it does for this input already: an input that is told to end ends after the
    /// pass that is being ended, not instead of it.
    fn help(&mut self, shared: &Arc<Shared>, index: usize, errand: Errand) {
        let lane = &mut self.lanes[index];
        lane.errands.push_back(errand);
        // the first of them is being done
        if lane.errands.len() > 1 {
            return;
        }
        let input = lane.input.clone();
        self.helpers += 1;
        let shared = shared.clone();
        self.tell(move || {
            let own = shared.clone();
            let spawned = thread::Builder::new().name("retake input".into()).spawn(move || {
                while let Some(errand) = next_errand(&own, index) {
                    let work = || input.encoder().map(|encoder| errand(encoder, &own, index));
                    let done = catch_unwind(AssertUnwindSafe(work));
                    own.change(|core| match done {
                        Ok(_) => drop(core.lanes[index].errands.pop_front()),
                        Err(_) => core.drop_errands(index, WriterError::Panicked("the encoder of an input")),
                    });
                }
            });
            if let Err(error) = spawned {
                shared.change(|core| {
                    core.helpers -= 1;
                    let file = core.target.file.clone();
                    core.drop_errands(index, WriterError::io(file)(error));
                });
            }
        });
    }

    fn drop_errands(&mut self, index: usize, error: WriterError) {
        self.lanes[index].errands.clear();
        self.fail(error);
    }
}

/// What the thread of an input is to do, unless it is done.
fn next_errand(shared: &Arc<Shared>, index: usize) -> Option<Errand> {
    shared.change(|core| {
        let next = core.lanes[index].errands.front().copied();
        core.helpers -= usize::from(next.is_none());
        next
    })
}

/// Drops the encoders of all inputs, with all that they keep, as soon as they stop.
pub(crate) fn release(inputs: &[AssetWriterInput]) {
    let encoders = || inputs.iter().filter_map(AssetWriterInput::encoder);
    encoders().for_each(Encodes::interrupt);
    encoders().for_each(Encodes::release);
}
