//! An export in steps, for an engine that keeps what has happened and decides who does what comes next.

use super::task::TakeTask;
use crate::event::Summary;
use crate::job::folder::PROGRAM;
use crate::job::objects::StoredIndex;
use crate::take::executor::{Capabilities, Executor, Refused, TakeReport, TakeRequest};
use crate::{error::ExportError, job::Job};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What comes next in an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// These takes are to be run, by [`run_take`](crate::run_take), in any order and anywhere. Then the next
    /// step can be asked for.
    Takes(Vec<TakeTask>),
    /// The film is in place.
    Finished(Box<Summary>),
}

/// Who has takes begin while the film is still being looked through.
pub(crate) type Begin<'a> = &'a (dyn Fn(&TakeTask) + Sync);

/// An executor that runs nothing, and keeps what it should run.
pub(crate) struct PutOff<'a> {
    place: (PathBuf, PathBuf),
    encoder: String,
    tasks: Mutex<Vec<TakeTask>>,
    /// Is told each task as soon as it can be run, before its step ends, where there is such a time: the
    /// frames of a unit are known to workers as soon as they are in a journal that all of them see, and once
    /// the whole film is known, the step ends at once.
    begin: Option<Begin<'a>>,
}

impl<'a> PutOff<'a> {
    pub(crate) fn of(job: &Job, film_is_known: bool, begin: Begin<'a>) -> Result<Self, ExportError> {
        let root = job.shared_root()?;
        let folder = match &job.objects {
            Some(objects) => objects.name().into(),
            None => root.relative(job.folder.path())?,
        };
        let place = (folder, root.relative(&job.source.path)?);
        let begin = (job.objects.is_none() && !film_is_known).then_some(begin);
        Ok(Self { place, encoder: job.description.encoder.clone(), tasks: Mutex::default(), begin })
    }

    /// What was put off. All takes are of a film with this index, where that lies in a store.
    pub(crate) fn tasks(&self, index: Option<&StoredIndex>) -> Vec<TakeTask> {
        // a list is sound whatever a panicking holder was doing
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter_mut().for_each(|task| task.index = index.cloned());
        tasks
    }

    /// Whether nothing was.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Executor for PutOff<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities { at_once: 1, encoders: vec![self.encoder.clone()] }
    }

    fn submit(&self, take: TakeRequest) -> Result<(), Refused> {
        let (job, source) = self.place.clone();
        let task = TakeTask { program: PROGRAM.to_owned(), job, source, take: take.description, index: None };
        if let Some(begin) = self.begin {
            begin(&task);
        }
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Err(Refused::PutOff)
    }

    fn next_report(&self, patience: Duration) -> Option<TakeReport> {
        std::thread::sleep(patience);
        None
    }

    fn cancel(&self) {}
}
