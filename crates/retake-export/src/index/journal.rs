//! This module keeps the frame index of the source and its units in a journal that may be cut off at any
//! byte.
//!
//! A commit of the journal holds one scene: its units and the index entries of its frames. A scene that the
//! journal lacks is found again by decoding, because detection can start at every scene.

use super::FilmMap;
use crate::error::ExportError;
use retake_compression::journal::{Cursor, Journal as Log};
use retake_compression::units::{FrameRange, UnitRule};
use retake_libav::{Finding, FrameEntry};
use retake_media::Rational;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const KIND: u8 = b'I';
const VERSION: u8 = 3;

/// A scene as the journal stores it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Scene {
    pub units: Vec<FrameRange>,
    pub frames: Vec<FrameEntry>,
}

/// The journal is on disk, open for further scenes.
pub(crate) struct Journal {
    log: Log<File>,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal in a file, or begins one if there is none or no valid one of this subject.
    pub(crate) fn open(
        file: File,
        path: &Path,
        subject: &Subject,
        time_base: Rational,
    ) -> Result<(Self, FilmMap), ExportError> {
        let mut map = FilmMap::new(time_base);
        let opened = file.try_clone().and_then(|file| Log::open(file, KIND, VERSION));
        if let Some(mut log) = opened.ok().filter(|log| is_of(log, subject)) {
            let mut cursor = Cursor::default();
            if read(&log, &mut cursor, &mut map).is_err() {
                log.rewind(&cursor);
            }
            return Ok((Self { log, path: path.to_owned() }, map));
        }
        let log = Log::create(file, KIND, VERSION);
        let log = log.map_err(ExportError::file(path, "writing the frame index"))?;
        let mut journal = Self { log, path: path.to_owned() };
        journal.commit(&Entry::Subject(subject.clone()))?;
        Ok((journal, map))
    }

    /// Adds a scene.
    pub(crate) fn add(&mut self, scene: &Scene) -> Result<(), ExportError> {
        self.commit(&Entry::Scene(scene.clone()))
    }

    /// Notes that the film has ended, and what was found on the way.
    pub(crate) fn end(&mut self, findings: &[Finding]) -> Result<(), ExportError> {
        self.commit(&Entry::Ended(findings.to_vec()))
    }

    fn commit(&mut self, entry: &Entry) -> Result<(), ExportError> {
        let text = serde_json::to_vec(entry).map_err(|error| ExportError::Internal(error.to_string()))?;
        let added = self.log.commit(&text).and_then(|()| self.log.flush());
        added.map_err(ExportError::file(&self.path, "writing the frame index"))
    }
}

/// What an index is the index of: another film, or other units, need another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The identity of the source.
    pub source: String,
    /// The identity of the film whose units it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuts: Option<String>,
    pub rule: UnitRule,
}

/// Whether the first commit of a journal names this subject.
fn is_of(log: &Log<File>, subject: &Subject) -> bool {
    let first = log.next(&mut Cursor::default());
    let Ok(Some(first)) = first else { return false };
    matches!(serde_json::from_slice(&first.payload), Ok(Entry::Subject(found)) if found == *subject)
}

/// A commit of the journal has this content.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Subject(Subject),
    Scene(Scene),
    /// The film has ended. Earlier versions wrote this without findings.
    End,
    Ended(Vec<Finding>),
}

/// Reads the entries from the cursor on, up to the end or to the first damaged one, before which the cursor
/// then stays.
fn read(log: &Log<File>, cursor: &mut Cursor, map: &mut FilmMap) -> io::Result<()> {
    loop {
        let mut ahead = cursor.clone();
        let Some(record) = log.next(&mut ahead)? else { return Ok(()) };
        match serde_json::from_slice(&record.payload)? {
            Entry::Scene(Scene { units, frames }) => {
                map.scenes.extend(units.first().map(|unit| unit.start));
                map.units.extend(units);
                map.index.frames.extend(frames);
            }
            Entry::Subject(_) => {}
            Entry::End => map.complete = true,
            Entry::Ended(findings) => (map.complete, map.findings) = (true, findings),
        }
        *cursor = ahead;
    }
}

/// Follows a journal that another process writes.
pub(crate) struct JournalFollower {
    file: File,
    path: PathBuf,
    subject: Subject,
    cursor: Cursor,
    /// What was read so far.
    pub map: FilmMap,
}

impl JournalFollower {
    pub(crate) fn new(file: File, path: PathBuf, subject: Subject, time_base: Rational) -> Self {
        Self { file, path, subject, cursor: Cursor::default(), map: FilmMap::new(time_base) }
    }

    /// Reads what was added since the last time.
    ///
    /// # Errors
    /// [`ExportError::File`] where it is no journal of this subject.
    pub(crate) fn read_on(&mut self) -> Result<(), ExportError> {
        let fail = || ExportError::file(&self.path, "reading the frame index");
        let file = self.file.try_clone().map_err(fail())?;
        let log = Log::open(file, KIND, VERSION).map_err(fail())?;
        if !is_of(&log, &self.subject) {
            let other = io::Error::new(io::ErrorKind::InvalidData, "it is the index of another film");
            return Err(fail()(other));
        }
        let read = read(&log, &mut self.cursor, &mut self.map);
        read.map_err(ExportError::file(&self.path, "reading the frame index"))
    }
}

/// Returns the content of all commits of an index: what of it does not differ by chance.
#[cfg(test)]
pub(crate) fn commits(path: &Path) -> Vec<Vec<u8>> {
    let log = Log::open(File::open(path).unwrap(), KIND, VERSION).unwrap();
    let mut cursor = Cursor::default();
    std::iter::from_fn(|| log.next(&mut cursor).unwrap()).map(|record| record.payload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn open(path: &Path, source: &str) -> (Journal, FilmMap) {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        let subject = Subject { source: source.into(), cuts: None, rule: UnitRule { longest: 4, window: 0 } };
        Journal::open(file, path, &subject, Rational::new(1, 25)).unwrap()
    }

    /// Units of another film, or cut by another rule, are none of this job.
    #[test]
    fn an_index_of_another_film_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let (mut journal, _) = open(&path, "one");
        journal.add(&Scene { units: vec![FrameRange::new(0, 2)], frames: Vec::new() }).unwrap();
        drop(journal);
        assert_eq!(open(&path, "one").1.units.len(), 1);
        assert_eq!(open(&path, "another").1.units.len(), 0);
        assert_eq!(open(&path, "one").1.units.len(), 0);
    }

    #[test]
    fn a_torn_journal_gives_its_whole_scenes_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let scene = |start: u64| Scene {
            units: vec![FrameRange::new(start, start + 2)],
            frames: (start..start + 2)
                .map(|i| FrameEntry { pts: i as i64, duration: 1, hash: u64::MAX - i, sync: i == 0 })
                .collect(),
        };
        let (mut journal, map) = open(&path, "");
        assert!(map.units.is_empty() && !map.complete);
        journal.add(&scene(0)).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        journal.add(&scene(2)).unwrap();
        drop(journal);
        for cut in whole..std::fs::metadata(&path).unwrap().len() {
            let torn = folder.path().join("torn");
            std::fs::copy(&path, &torn).unwrap();
            OpenOptions::new().write(true).open(&torn).unwrap().set_len(cut).unwrap();
            let (mut journal, map) = open(&torn, "");
            assert_eq!((map.units.len(), map.index.frames.len(), map.complete), (1, 2, false));
            journal.add(&scene(2)).unwrap();
            journal.end(&[]).unwrap();
            let (_, map) = open(&torn, "");
            assert_eq!((map.units.len(), map.index.frames[3].hash, map.complete), (2, u64::MAX - 3, true));
        }
    }

    #[test]
    fn a_damaged_scene_ends_what_is_believed_and_the_journal_goes_on_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let scene = |start: u64| Scene { units: vec![FrameRange::new(start, start + 2)], frames: Vec::new() };
        let (mut journal, _) = open(&path, "");
        for start in [0, 2, 4] {
            journal.add(&scene(start)).unwrap();
        }
        drop(journal);
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            let (mut journal, map) = open(&path, "");
            let starts: Vec<u64> = map.units.iter().map(|unit| unit.start).collect();
            assert_eq!(starts, [0, 2, 4][..starts.len()]);
            assert!(starts.len() < 3);
            journal.add(&scene(starts.len() as u64 * 2)).unwrap();
            let (_, again) = open(&path, "");
            assert_eq!(again.units.len(), starts.len() + 1);
        }
    }
}
