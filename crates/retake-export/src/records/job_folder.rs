//! The records of a job that has not come to its end: of what its folder holds, without touching it.

use super::keep::Descriptions;
use super::{RecordedIndex, RecordedUnit, Records, RecordsError};
use crate::error::ExportError;
use crate::index::journal::JournalFollower;
use crate::job::folder::{RECORDS, TAKES, VisitedFolder};
use crate::take::finished::FinishedTake;
use crate::take::store::TakeStore;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

impl Records {
    /// Reads what a job has come to so far. The job may be running.
    pub(super) fn of_job_folder(path: &Path) -> Result<Self, RecordsError> {
        let folder = VisitedFolder::open(path).map_err(|error| failed(path, error))?;
        let text = match folder.records() {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RecordsError::Missing {
                    path: path.to_owned(),
                    looked: vec![path.join(RECORDS)],
                });
            }
            Err(source) => return Err(RecordsError::File { path: path.join(RECORDS), source }),
        };
        let mut records = Self::parse(&path.join(RECORDS), &text)?;
        if records.film.is_none() {
            records.learn(path, &folder).map_err(|error| failed(path, error))?;
        }
        records.takes = Some(path.join(TAKES));
        Ok(records)
    }

    /// Adds the index, and the units from the first one on whose takes are there.
    fn learn(&mut self, path: &Path, folder: &VisitedFolder) -> Result<(), ExportError> {
        let Some(time_base) = self.index.time_base else { return Ok(()) };
        let (file, index) = folder.index()?;
        let mut follower = JournalFollower::new(file, index, self.job.subject(), time_base);
        follower.read_on()?;
        self.index = RecordedIndex::of(&follower.map);
        let takes = folder.takes()?;
        let store = TakeStore::join(takes);
        let mut by_range: BTreeMap<(u64, u64), Vec<FinishedTake>> = BTreeMap::new();
        for take in store.all().map_err(ExportError::file(path, "reading the folder of takes"))? {
            let range = take.record.range;
            by_range.entry((range.start, range.end)).or_default().push(take);
        }
        let mut descriptions = Descriptions::default();
        for &range in &follower.map.units {
            let Some(takes) = by_range.remove(&(range.start, range.end)) else { break };
            let takes = takes.iter().map(|take| descriptions.take(take, 0, None)).collect();
            self.units.push(RecordedUnit { range, takes, chosen: None });
        }
        self.descriptions = descriptions.list;
        Ok(())
    }
}

fn failed(path: &Path, error: ExportError) -> RecordsError {
    let source = match error {
        ExportError::File { source, .. } => source,
        other => io::Error::other(other.to_string()),
    };
    RecordsError::File { path: path.to_owned(), source }
}
