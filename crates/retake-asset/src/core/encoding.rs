//! Inputs that encode: pictures in, samples into the interleaver, passes in between. Encoders are called without the lock of the state, and one
//! at a time for each input: by the client's thread that appends, and by a helper that ends a pass or an input.

use super::{Core, Shared};
use crate::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
use crate::error::{AppendError, Mistake, UsageError, WriterError};
use crate::input::AssetWriterInput;
use crate::media::MediaSample;
use crate::passes::machine::{PassDescription, PassEnd};
use crate::status::WriterStatus;
use retake_media::{PixelBuffer, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// The encoder of an input.
pub(crate) struct Encoding {
    encoder: Mutex<Box<dyn InputEncoder>>,
    opened: OnceLock<OpenedEncoder>,
}

impl Encoding {
    pub(crate) fn new(encoder: Box<dyn InputEncoder>) -> Self {
        Self { encoder: Mutex::new(encoder), opened: OnceLock::new() }
    }

    pub(crate) fn opened(&self) -> Option<&OpenedEncoder> {
        self.opened.get()
    }

    pub(crate) fn open(&self, setup: &EncoderSetup) -> Result<(), WriterError> {
        let opened = self.lock().open(setup)?;
        // a writer opens its inputs once
        let _ = self.opened.set(opened);
        Ok(())
    }

    pub(crate) fn interrupt(&self) {
        if let Some(opened) = self.opened.get() {
            (opened.interrupt)();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn InputEncoder>> {
        // an encoder that panicked answers for itself
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encodes a picture, if the input is ready and the time belongs into the pass.
pub(crate) fn append(
    shared: &Arc<Shared>,
    index: usize,
    encoding: &Encoding,
    picture: PixelBuffer,
    time: Time,
    call: &'static str,
) -> Result<(), AppendError<PixelBuffer>> {
    // a second thread waits here, and finds the input as the first has left it
    let mut encoder = encoding.lock();
    let picture = shared.change(|core| {
        core.admits(call, index)?;
        let refuse = |mistake| Err(AppendError::usage(call, mistake));
        if !time.is_numeric() {
            return refuse(Mistake::BadTime(time));
        }
        let lane = &mut core.lanes[index];
        if lane.last.is_some_and(|last| time <= last) {
            return refuse(Mistake::TimeGoesBack(time));
        }
        if let Err(mistake) = lane.passes.admits(time) {
            return refuse(mistake);
        }
        if !lane.ready {
            return Err(AppendError::NotReady(Box::new(picture)));
        }
        lane.last = Some(time);
        lane.appended += 1;
        Ok(picture)
    })?;
    let encoded = encoder.encode(&picture, time).and_then(|()| {
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
        let end = lane.passes.end_pass().map_err(|mistake| UsageError { call: CALL, mistake })?;
        lane.drop_request();
        match end {
            PassEnd::NoMore => self.announce_pass(shared, index),
            PassEnd::Analyse => self.help(shared, index, analyse),
        }
        Ok(())
    }

    /// An input is over: its encoder gives what it still holds.
    pub(crate) fn drain(&mut self, shared: &Arc<Shared>, index: usize) {
        self.help(shared, index, pour);
    }

    /// Runs something that takes long on a thread of its own.
    fn help(&mut self, shared: &Arc<Shared>, index: usize, work: fn(&Arc<Shared>, usize, &AssetWriterInput)) {
        let input = self.lanes[index].input.clone();
        self.helpers += 1;
        let shared = shared.clone();
        self.tell(move || {
            let own = shared.clone();
            let spawned = thread::Builder::new().name("retake input".into()).spawn(move || {
                let done = catch_unwind(AssertUnwindSafe(|| work(&own, index, &input)));
                own.change(|core| {
                    core.helpers -= 1;
                    if done.is_err() {
                        core.fail(WriterError::Panicked("the encoder of an input"));
                    }
                });
            });
            if let Err(error) = spawned {
                shared.change(|core| {
                    core.helpers -= 1;
                    let file = core.target.file.clone();
                    core.fail(WriterError::io(file)(error));
                });
            }
        });
    }
}

/// Ends a pass in the encoder, and begins the next.
fn analyse(shared: &Arc<Shared>, index: usize, input: &AssetWriterInput) {
    let Some(encoding) = input.encoder() else { return };
    let wanted = encoding.lock().end_pass();
    shared.change(|core| {
        match wanted {
            Ok(wanted) => {
                let lane = &mut core.lanes[index];
                lane.passes.decided(wanted.map(PassDescription::new));
                lane.last = None;
                core.announce_pass(shared, index);
            }
            Err(error) => core.fail(error),
        };
    });
}

/// Gives the interleaver all that the encoder holds, no faster than it can be stored.
fn pour(shared: &Arc<Shared>, index: usize, input: &AssetWriterInput) {
    let Some(encoding) = input.encoder() else { return };
    let mut encoder = encoding.lock();
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
