//! The samples of all takes of a film, one take after the other.

use crate::error::ExportError;
use crate::take::finished::FinishedTake;
use crate::take::store::{TakeReader, TakeStore};
use retake_compression::parallel::Joiner;
use retake_media::{FormatDescription, Sample};
use std::sync::Arc;

/// Reads the takes that go into a film, in order, and proves that they make one.
pub(crate) struct Joined<'a> {
    store: &'a TakeStore,
    waiting: std::slice::Iter<'a, Arc<FinishedTake>>,
    take: &'a FinishedTake,
    reader: TakeReader,
    /// What all samples are decoded with.
    pub format: FormatDescription,
    joiner: Joiner,
}

impl<'a> Joined<'a> {
    pub(crate) fn open(store: &'a TakeStore, takes: &'a [Arc<FinishedTake>]) -> Result<Self, ExportError> {
        let mut waiting = takes.iter();
        let take = waiting.next().ok_or_else(|| ExportError::Internal("a film without takes".into()))?;
        let mut reader = store.read(&take.description)?;
        let format = reader.format()?;
        let mut joined = Self { store, waiting, take, reader, format, joiner: Joiner::default() };
        joined.joiner.begin(&joined.format).map_err(|error| joined.fail(&error))?;
        Ok(joined)
    }

    /// The next sample of the film; nothing behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Sample>, ExportError> {
        loop {
            if let Some(mut sample) = self.reader.next()? {
                let joined = self.joiner.sample(&mut sample);
                joined.map_err(|error| self.fail(&error))?;
                return Ok(Some(sample));
            }
            let Some(take) = self.waiting.next() else {
                let ended = std::mem::take(&mut self.joiner).finish();
                return ended.map(|_| None).map_err(|error| self.fail(&error));
            };
            self.take = take;
            self.reader = self.store.read(&take.description)?;
            let begun = self.joiner.begin(&self.reader.format()?);
            begun.map_err(|error| self.fail(&error))?;
        }
    }

    /// Takes are made with equal settings, and never empty: what does not fit is a defect.
    fn fail(&self, error: &impl std::fmt::Display) -> ExportError {
        ExportError::Internal(format!("{}: {error}", self.take.description.range))
    }
}
