//! The film that was chosen: which takes it consists of, and how it came to them.

pub(crate) mod efforts;
pub(crate) mod history;
pub(crate) mod joined;
pub(crate) mod rate;
pub(crate) mod verify;

use crate::error::ExportError;
use crate::index::FilmMap;
use crate::job::Job;
use crate::job::settings::keeps;
use crate::take::finished::FinishedTake;
use crate::take::store::TakeStore;
use history::History;
use joined::Joined;
use retake_libav::Finding;
use std::sync::Arc;

/// A film as takes that are in a store, one for each unit, in order.
pub(crate) struct Film<'a> {
    pub job: &'a Job,
    pub store: &'a TakeStore,
    pub map: Arc<FilmMap>,
    /// At least one.
    pub takes: Vec<Arc<FinishedTake>>,
    /// How it was chosen; nothing for a film that was put together on trial.
    pub history: Option<History>,
}

impl Film<'_> {
    /// Reads its samples.
    pub(crate) fn samples(&self) -> Result<Joined<'_>, ExportError> {
        Joined::open(self.store, &self.takes)
    }

    /// Bytes of all samples.
    pub(crate) fn video_bytes(&self) -> u64 {
        self.takes.iter().map(|take| take.record.bytes).sum()
    }

    pub(crate) fn frames(&self) -> u64 {
        self.map.index.frames.len() as u64
    }

    /// What was found in the source and has to be told, because the film does not keep it.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        let (info, settings) = (self.job.request.encoder.info(), &self.job.description.settings);
        // the index of an earlier version knows of none
        let known = if self.map.findings.is_empty() { &self.job.source.findings } else { &self.map.findings };
        known.iter().filter(|finding| !keeps(info, settings, finding.kind))
    }

    /// The largest `dts - pts` of a sample, in ticks of the source's time base.
    pub(crate) fn reorder_ticks(&self) -> i64 {
        self.takes.iter().map(|take| take.record.reorder_ticks).max().unwrap_or(0)
    }
}
