//! What is known of the source: its frame index and its units, kept in a journal that may be cut off at any byte.
//!
//! A record of the journal holds one scene: its units and the index entries of its frames. A scene that the journal does not hold is found
//! again by decoding; detection can start at every scene.

use crate::error::ExportError;
use retake_compression::log::{LogReader, LogWriter};
use retake_compression::units::FrameRange;
use retake_libav::{FrameEntry, FrameIndex};
use retake_media::Rational;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const KIND: u8 = b'I';
const VERSION: u8 = 1;
const SCENE: u8 = b's';
const END: u8 = b'e';

/// Frames and units from the start of the film on.
#[derive(Debug, Clone)]
pub(crate) struct FilmMap {
    pub index: FrameIndex,
    pub units: Vec<FrameRange>,
    /// Whether the end of the film has been reached.
    pub complete: bool,
}

/// A scene, as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Scene {
    pub units: Vec<FrameRange>,
    pub frames: Vec<FrameEntry>,
}

/// The journal on disk, open for more.
pub(crate) struct Journal {
    log: LogWriter<File>,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal at `path`, or begins one where there is none or nothing valid in it.
    pub(crate) fn open(path: &Path, time_base: Rational) -> Result<(Self, FilmMap), ExportError> {
        let mut map = FilmMap {
            index: FrameIndex { time_base, frames: Vec::new() },
            units: Vec::new(),
            complete: false,
        };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(ExportError::file(path, "opening the frame index"))?;
        let valid = read(&file, &mut map);
        let log = match valid {
            Some(position) => file
                .set_len(position)
                .and_then(|()| file.seek(SeekFrom::Start(position)))
                .map(|_| LogWriter::carry_on(file, position)),
            None => file
                .set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| LogWriter::new(file, KIND, VERSION)),
        };
        let log = log.map_err(ExportError::file(path, "writing the frame index"))?;
        Ok((Self { log, path: path.to_owned() }, map))
    }

    /// Adds a scene.
    pub(crate) fn add(&mut self, scene: &Scene) -> Result<(), ExportError> {
        let text = serde_json::to_vec(scene).map_err(|error| ExportError::Internal(error.to_string()))?;
        self.append(SCENE, &text)
    }

    /// Notes that the film has ended.
    pub(crate) fn end(&mut self) -> Result<(), ExportError> {
        self.append(END, &[])
    }

    fn append(&mut self, kind: u8, payload: &[u8]) -> Result<(), ExportError> {
        self.log.append(kind, payload).map_err(ExportError::file(&self.path, "writing the frame index"))?;
        Ok(())
    }
}

/// Reads all whole scenes and says where the last of them ends.
fn read(file: &File, map: &mut FilmMap) -> Option<u64> {
    let mut log = LogReader::open_journal(BufReader::new(file), KIND).ok()?;
    if log.version() != VERSION {
        return None;
    }
    let mut valid = log.position();
    while let Ok(Some(record)) = log.next() {
        if record.kind == END {
            map.complete = true;
        } else if let Ok(scene) = serde_json::from_slice::<Scene>(&record.payload) {
            map.units.extend(scene.units);
            map.index.frames.extend(scene.frames);
        } else {
            break;
        }
        valid = log.position();
    }
    Some(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_journal_gives_its_whole_scenes_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let base = Rational::new(1, 25);
        let scene = |start: u64| Scene {
            units: vec![FrameRange::new(start, start + 2)],
            frames: (start..start + 2)
                .map(|i| FrameEntry { pts: i as i64, duration: 1, hash: u64::MAX - i, sync: i == 0 })
                .collect(),
        };
        let (mut journal, map) = Journal::open(&path, base).unwrap();
        assert!(map.units.is_empty() && !map.complete);
        journal.add(&scene(0)).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        journal.add(&scene(2)).unwrap();
        drop(journal);
        for cut in whole..std::fs::metadata(&path).unwrap().len() {
            let torn = folder.path().join("torn");
            std::fs::copy(&path, &torn).unwrap();
            OpenOptions::new().write(true).open(&torn).unwrap().set_len(cut).unwrap();
            let (mut journal, map) = Journal::open(&torn, base).unwrap();
            assert_eq!((map.units.len(), map.index.frames.len(), map.complete), (1, 2, false));
            journal.add(&scene(2)).unwrap();
            journal.end().unwrap();
            let (_, map) = Journal::open(&torn, base).unwrap();
            assert_eq!((map.units.len(), map.index.frames[3].hash, map.complete), (2, u64::MAX - 3, true));
        }
    }
}
