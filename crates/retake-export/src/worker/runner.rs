//! Runs the takes of a job whose folder another process owns.

use crate::error::{ExportError, RequestError};
use crate::index::journal::JournalFollower;
use crate::index::ranges::{FoundRange, read_range};
use crate::job::folder::{JobDescription, PROGRAM, SourceFacts, VisitedFolder};
use crate::job::identity::source_identity;
use crate::stop::StopFlag;
use crate::take::encode::{TakeTools, encode_take};
use crate::take::finished::FinishedTake;
use crate::take::identity::named;
use crate::take::store::TakeStore;
use crate::take::threads::RangeSource;
use crate::worker::WorkerTools;
use retake_compression::encoder::{EncoderFactory, EncoderSettings, Registry};
use retake_compression::take::{self, TakeDescription};
use retake_libav::{EntryPoint, FilmInfo, ReaderOptions, probe_video};
use retake_quality::MetricKind;
use std::path::Path;
use std::sync::Arc;

/// A worker of one job.
pub(crate) struct TakeRunner {
    /// The identity of the source, and the encoder with its version: takes of others are refused.
    source: String,
    encoder: String,
    /// The settings of all takes, which differ in their rates alone: no option comes from elsewhere than from
    /// the request.
    settings: EncoderSettings,
    tools: TakeTools,
    frames: RangeSource,
    index: JournalFollower,
}

impl TakeRunner {
    /// Looks at the job in a folder, and at its source.
    ///
    /// # Errors
    /// [`RequestError::WorkerOfOtherVersion`] for a job of another version of this program, and
    /// [`RequestError::ExecutorLacksEncoder`] for one whose encoder the worker does not have, or has in
    /// another version; [`RequestError::ExecutorScoresOtherwise`] for one whose scores are those of another
    /// version of a library than the worker has; [`RequestError::SourceChanged`] for another film than the
    /// job's.
    pub(crate) fn open(
        folder: &Path,
        source: &Path,
        worker: &WorkerTools,
        stop: StopFlag,
    ) -> Result<Self, ExportError> {
        let folder = VisitedFolder::open(folder)?;
        let (job, facts) = (folder.description()?, folder.source_facts()?);
        if facts.program != PROGRAM {
            return Err(RequestError::WorkerOfOtherVersion { job: facts.program, worker: PROGRAM }.into());
        }
        let factory = encoder_of(&job, &worker.encoders)?;
        scores_alike(&job)?;
        let film = film(source, &facts, worker, &stop)?;
        if source_identity(&film)? != job.source {
            return Err(RequestError::SourceChanged { frame: 0 }.into());
        }
        let time_base = film.video.time_base;
        let (file, path) = folder.index()?;
        let index = JournalFollower::new(file, path, job.subject(), time_base);
        let reader = ReaderOptions { format: facts.format, threads: facts.threads };
        let frames = RangeSource::new(film, reader, index.map.index.clone());
        let store = TakeStore::join(folder.takes()?);
        let tools = TakeTools { factory, store, time_base, stop };
        let JobDescription { source, encoder, settings, .. } = job;
        Ok(Self { source, encoder, settings, tools, frames, index })
    }

    /// The film as it is read.
    pub(crate) fn film(&self) -> &FilmInfo {
        &self.frames.film
    }

    /// The encoder that it runs takes with.
    pub(crate) fn encoder(&self) -> &str {
        &self.encoder
    }

    /// Reads a range of the film for its export, which looks for scenes in it.
    pub(crate) fn read_range(
        &self,
        entries: &[EntryPoint],
        number: usize,
        most: usize,
    ) -> Option<FoundRange> {
        let over = || self.tools.stop.is_raised();
        let read = read_range(&self.frames.film, self.frames.options, (entries, number), most, &over);
        read.map(|(found, _)| found)
    }

    /// Runs a take, and puts it into the store, unless it is there already. `encoded` is told of every few
    /// frames that went into the encoder.
    pub(crate) fn run(
        &mut self,
        description: TakeDescription,
        encoded: &dyn Fn(u64),
    ) -> Result<FinishedTake, ExportError> {
        let known = (take::VERSION, &self.source, &self.encoder);
        let settings = EncoderSettings { rate: self.settings.rate, ..description.settings.clone() };
        let others = (description.version, &description.source, &description.encoder) != known;
        if others || settings != self.settings {
            let what = format!("the take of {} is none of this job", description.range);
            return Err(ExportError::Internal(what));
        }
        // another worker was given it, too, or this one died when it had put it there
        if let Some(take) = self.tools.store.get(&description) {
            return Ok(take);
        }
        if (self.index.map.index.frames.len() as u64) < description.range.end {
            self.index.read_on()?;
            self.frames.learn(self.index.map.index.clone());
        }
        let frames = self.frames.open(&description)?;
        let (take, file) = encode_take(&self.tools, description.into(), frames, encoded)?;
        self.tools.store.adopt(file, &take)?;
        Ok(take)
    }
}

/// Returns the encoder of a job.
fn encoder_of(job: &JobDescription, encoders: &Registry) -> Result<Arc<dyn EncoderFactory>, ExportError> {
    let name = job.encoder.split(' ').next().unwrap_or_default();
    let found = encoders.find(name);
    match found {
        Ok(factory) if named(factory.info()) == job.encoder => Ok(factory),
        found => {
            let mut has: Vec<String> = encoders.encoders().map(named).collect();
            // one of a family is not in that list, and may be there in another version
            let other = found.map(|factory| named(factory.info())).ok();
            has.extend(other.filter(|other| !has.contains(other)));
            Err(RequestError::ExecutorLacksEncoder { encoder: job.encoder.clone(), has }.into())
        }
    }
}

/// Refuses a job whose scores are another library's than those that this worker would find.
fn scores_alike(job: &JobDescription) -> Result<(), ExportError> {
    let Some(metric) = &job.metric else { return Ok(()) };
    let metric: MetricKind = metric.parse().map_err(RequestError::Metric)?;
    let own = metric.other_library();
    if own == job.metric_library {
        return Ok(());
    }
    let said = |library: Option<String>| library.unwrap_or_else(|| "the usual version".to_owned());
    let (needs, has) = (said(job.metric_library.clone()), said(own));
    Err(RequestError::ExecutorScoresOtherwise { metric, needs, has }.into())
}

fn film(
    source: &Path,
    facts: &SourceFacts,
    worker: &WorkerTools,
    stop: &StopFlag,
) -> Result<FilmInfo, ExportError> {
    let access = stop.access(facts.references, worker.objects.as_ref());
    let film = probe_video(source, &access, Some(facts.film.video_number()))?;
    Ok(film.with_facts(facts.film.clone())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::first_take;
    use crate::testing::job;
    use retake_compression::units::FrameRange;

    /// Scores of two versions of a library are never mixed: a worker with another one refuses the job, and
    /// the takes of one are not those of the other.
    #[test]
    fn another_library_of_scores_is_another_job() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(folder.path(), |_| ());
        assert!(job.description.metric.is_some() && scores_alike(&job.description).is_ok());
        let take = first_take(&job, FrameRange::new(0, 10), 0.0);
        job.description.metric_library = Some("libvmaf 2.3.1".into());
        let refused = scores_alike(&job.description).unwrap_err().to_string();
        assert!(refused.contains("libvmaf 2.3.1") && refused.contains("the usual version"), "{refused}");
        assert_ne!(first_take(&job, FrameRange::new(0, 10), 0.0).id(), take.id());
    }
}
