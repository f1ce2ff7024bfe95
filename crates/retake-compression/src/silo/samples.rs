//! This module reads a silo.

use super::snapshot::Snapshot;
use super::{FrameSilo, SiloError};
use retake_media::{SampleBuffer, Time, TimeRange};
use std::thread;

impl FrameSilo {
    /// Returns the samples with decode times in a range, in decode order; `None` selects all.
    /// They are a snapshot of this moment, so later additions and removals do not change it. Reading removes
    /// no sample.
    ///
    /// # Errors
    /// [`SiloError::TimeRange`] for a range that is not numeric.
    #[doc(alias = "VTFrameSiloCallBlockForEachSampleBuffer")]
    pub fn samples(&self, range: impl Into<Option<TimeRange>>) -> Result<Samples<'_>, SiloError> {
        let mut state = self.lock();
        let snapshot = state.core.snapshot(range.into())?;
        state.readers += 1;
        Ok(Samples { silo: self, snapshot })
    }

    /// Returns the first sample above a decode time (with `None`, the first of all), with its own decode
    /// time. A reader that holds no iterator steps with it, and sees additions and removals between its
    /// steps. This is an extension.
    ///
    /// # Errors
    /// [`SiloError::File`] for a sample that cannot be read.
    pub fn next_after(&self, key: Option<Time>) -> Result<Option<(Time, SampleBuffer)>, SiloError> {
        let state = self.lock();
        let next = state.core.next_after(key).map(|entry| Ok((entry.key, state.core.read(entry.location)?)));
        next.transpose().map_err(self.fail("reading a sample"))
    }

    /// Calls `each` for each of [`FrameSilo::samples`], on the calling thread, until `each` fails; its error
    /// is returned as it is. The callback must not change the silo.
    ///
    /// # Errors
    /// It fails as [`FrameSilo::samples`] does, with [`SiloError::File`] for a sample that cannot be read,
    /// and with the errors of `each`.
    #[doc(alias = "VTFrameSiloCallFunctionForEachSampleBuffer")]
    pub fn for_each<E: From<SiloError>>(
        &self,
        range: impl Into<Option<TimeRange>>,
        mut each: impl FnMut(SampleBuffer) -> Result<(), E>,
    ) -> Result<(), E> {
        let samples = self.samples(range)?;
        let _inside = Callback::enter(self);
        for sample in samples {
            each(sample?)?;
        }
        Ok(())
    }
}

/// An iterator over the samples of a silo as they were when reading began, in decode order.
pub struct Samples<'a> {
    silo: &'a FrameSilo,
    snapshot: Snapshot,
}

impl Iterator for Samples<'_> {
    type Item = Result<SampleBuffer, SiloError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.snapshot.next()?;
        let sample = self.silo.lock().core.read(entry.location);
        Some(sample.map_err(|error| self.silo.fail("reading a sample")(error)))
    }
}

impl Drop for Samples<'_> {
    fn drop(&mut self) {
        self.silo.lock().readers -= 1;
    }
}

/// A thread counts as in a callback as long as this lives, also where the callback panics.
struct Callback<'a>(&'a FrameSilo);

impl<'a> Callback<'a> {
    fn enter(silo: &'a FrameSilo) -> Self {
        silo.lock().callbacks.push(thread::current().id());
        Self(silo)
    }
}

impl Drop for Callback<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let callbacks = &mut state.callbacks;
        let mine = thread::current().id();
        if let Some(index) = callbacks.iter().position(|thread| *thread == mine) {
            callbacks.swap_remove(index);
        }
    }
}
