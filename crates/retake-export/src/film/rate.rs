//! A rate that no two seconds of the film exceed: judged on the samples that would be shipped, across the
//! joins of takes.

use crate::error::ExportError;
use crate::job::plan::limit_of;
use crate::take::finished::FinishedTake;
use crate::take::store::TakeStore;
use retake_compression::property::DataRateLimit;
use retake_compression::rate_limit::{TimedBytes, overfull};
use retake_compression::take::TakeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// When the samples of a take are decoded, in seconds, and their bytes.
type Sizes = Vec<(f64, u64)>;

pub(crate) struct Peaks<'a> {
    store: &'a TakeStore,
    limit: DataRateLimit,
    /// Of takes that were looked at.
    known: HashMap<TakeId, Sizes>,
}

impl<'a> Peaks<'a> {
    pub(crate) fn new(store: &'a TakeStore, rate: u64) -> Self {
        Self { store, limit: limit_of(rate), known: HashMap::new() }
    }

    /// Of the takes of all units: those that have a part in two seconds above the rate, and how many times
    /// the rate that is.
    pub(crate) fn broken(
        &mut self,
        takes: &[Arc<FinishedTake>],
    ) -> Result<BTreeMap<usize, f64>, ExportError> {
        let mut samples = Vec::new();
        for (unit, take) in takes.iter().enumerate() {
            let sizes = self.sizes(take)?;
            samples.extend(sizes.iter().map(|&(seconds, bytes)| TimedBytes { seconds, bytes, unit }));
        }
        Ok(overfull(&samples, &[self.limit]))
    }

    fn sizes(&mut self, take: &FinishedTake) -> Result<&Sizes, ExportError> {
        let id = take.description.id();
        if !self.known.contains_key(&id) {
            let mut reader = self.store.read(&take.description)?;
            let mut sizes = Sizes::new();
            reader.format()?;
            while let Some(sample) = reader.next()? {
                sizes.push((sample.dts.seconds(), sample.data.len() as u64));
            }
            self.known.insert(id, sizes);
        }
        // it was put there, if it was not there before
        Ok(self.known.entry(id).or_default())
    }
}
