//! The takes of a job on disk: one file each, written under a temporary name, synced, and renamed to a name
//! that contains the identity of the take's description.

use super::finished::FinishedTake;
use crate::durable::{UNFINISHED, sync_folder};
use crate::error::ExportError;
use retake_compression::journal::{Cursor, Journal};
use retake_compression::take::{TakeDescription, TakeId, TakeRecord};
use retake_media::sample_codec::{self, SampleCodecError};
use retake_media::{FormatDescription, Sample, SampleAttachments};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

const KIND: u8 = b'T';
const VERSION: u8 = 3;
const FORMAT: u8 = b'f';
const SAMPLE: u8 = b's';

/// The folder of takes.
#[derive(Debug, Clone)]
pub(crate) struct TakeStore {
    folder: PathBuf,
    /// What earlier runs left.
    found: BTreeSet<String>,
}

impl TakeStore {
    /// Opens the folder, or makes it, and removes what unfinished takes left.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, ExportError> {
        fs::create_dir_all(&folder).map_err(ExportError::file(&folder, "making the folder of takes"))?;
        let entries =
            fs::read_dir(&folder).map_err(ExportError::file(&folder, "reading the folder of takes"))?;
        let mut found = BTreeSet::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) {
                // what cannot be removed only takes space
                let _ = fs::remove_file(entry.path());
            } else {
                found.insert(name);
            }
        }
        Ok(Self { folder, found })
    }

    /// A take that an earlier run finished, of frames from the same one on and like `description` in
    /// everything but the end of its range.
    pub(crate) fn find(&self, description: &TakeDescription) -> Option<FinishedTake> {
        let prefix = format!("{:08}-", description.range.start);
        let names = self.found.range(prefix.clone()..).take_while(|name| name.starts_with(&prefix));
        names.filter_map(|name| read_ends(&self.folder.join(name)).ok()).find_map(|(found, record)| {
            let wanted = TakeDescription { range: found.range, ..description.clone() };
            let same = found == wanted && record.range == found.range;
            same.then_some(FinishedTake { description: found, record })
        })
    }

    fn path(&self, start: u64, id: TakeId) -> PathBuf {
        self.folder.join(format!("{start:08}-{id}.take"))
    }

    /// The error that a take turned out not to be what its record says.
    pub(crate) fn disowned(&self, description: &TakeDescription, what: String) -> ExportError {
        let path = self.path(description.range.start, description.id());
        ExportError::DamagedTake { path, source: io::Error::other(what) }
    }

    /// Exactly this take, if it was finished and is sound at its end.
    pub(crate) fn get(&self, description: &TakeDescription) -> Option<FinishedTake> {
        let path = self.path(description.range.start, description.id());
        let (_, record) = read_ends(&path).ok()?;
        (record.range == description.range).then(|| FinishedTake { description: description.clone(), record })
    }

    /// Begins a take.
    pub(crate) fn begin(&self) -> Result<TakeWriter, ExportError> {
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder);
        let file = file.map_err(ExportError::file(&self.folder, "beginning a take"))?;
        let (file, path) = file.into_parts();
        let journal =
            Journal::create(file, KIND, VERSION).map_err(ExportError::file(&*path, "writing a take"))?;
        Ok(TakeWriter { journal, path })
    }

    /// Makes a take safe that was run: after this it is on disk under its final name, and survives
    /// everything. The file has to be on the same file system as the store, and has to hold what is said of
    /// it.
    pub(crate) fn adopt(&self, file: TakeFile, take: &FinishedTake) -> Result<(), ExportError> {
        let TakeFile(unfinished) = file;
        let fail = |doing| ExportError::file(&*unfinished, doing);
        let description = read_description(&unfinished).map_err(fail("reading a take"))?;
        if description != take.description {
            let what = format!("the file of the take of {} holds another take", take.description.range);
            return Err(ExportError::Internal(what));
        }
        // a handle that may write, because some systems sync no other
        let handle = File::options().write(true).open(&*unfinished);
        handle.and_then(|file| file.sync_all()).map_err(fail("syncing a take"))?;
        let path = self.path(description.range.start, description.id());
        unfinished.persist(&path).map_err(|error| ExportError::file(&path, "naming a take")(error.error))?;
        sync_folder(&self.folder);
        Ok(())
    }

    /// Opens a finished take to read its samples.
    pub(crate) fn read(&self, description: &TakeDescription) -> Result<TakeReader, ExportError> {
        let path = self.path(description.range.start, description.id());
        let journal = open(&path).map_err(ExportError::file(&path, "opening a take"))?;
        Ok(TakeReader { journal, cursor: Cursor::default(), path })
    }
}

/// What stands at the end of a take's file.
#[derive(Serialize, Deserialize)]
struct Ends {
    description: TakeDescription,
    record: TakeRecord,
}

/// Opens a take that is whole: it ends with its commit.
fn open(path: &Path) -> io::Result<Journal<File>> {
    let journal = Journal::open(File::open(path)?, KIND, VERSION)?;
    if journal.is_torn() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(journal) }
}

fn read_ends(path: &Path) -> io::Result<(TakeDescription, TakeRecord)> {
    let Ends { description, record } = serde_json::from_slice(&open(path)?.last_index()?)?;
    Ok((description, record))
}

/// What a whole take is the take of.
fn read_description(path: &Path) -> io::Result<TakeDescription> {
    #[derive(Deserialize)]
    struct Described {
        description: TakeDescription,
    }
    let Described { description } = serde_json::from_slice(&open(path)?.last_index()?)?;
    Ok(description)
}

/// The file of a take that was run. It is removed when dropped, unless a store adopts it.
#[derive(Debug)]
pub(crate) struct TakeFile(TempPath);

impl TakeFile {
    /// Where it is.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// A take being written.
pub(crate) struct TakeWriter {
    journal: Journal<File>,
    path: TempPath,
}

impl TakeWriter {
    pub(crate) fn format(&mut self, format: &FormatDescription) -> Result<(), ExportError> {
        let text = serde_json::to_vec(format).map_err(|error| ExportError::Internal(error.to_string()))?;
        self.append(FORMAT, &[&text])
    }

    pub(crate) fn sample(&mut self, sample: &Sample) -> Result<(), ExportError> {
        let head = sample_codec::encode_head(sample, 0, &SampleAttachments::default());
        let head = head.map_err(|error| ExportError::Internal(error.to_string()))?;
        self.append(SAMPLE, &[&head, &sample.data])
    }

    /// Ends the take: its file is whole. It is not safe yet, because nothing has waited for the disk.
    pub(crate) fn finish(mut self, take: &FinishedTake) -> Result<TakeFile, ExportError> {
        let ends = Ends { description: take.description.clone(), record: take.record.clone() };
        let text = serde_json::to_vec(&ends).map_err(|error| ExportError::Internal(error.to_string()))?;
        let written = self.journal.commit(&text).and_then(|()| self.journal.flush());
        written.map_err(ExportError::file(&*self.path, "writing a take"))?;
        Ok(TakeFile(self.path))
    }

    fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), ExportError> {
        self.journal.append(kind, parts).map_err(ExportError::file(&*self.path, "writing a take"))?;
        Ok(())
    }
}

/// The samples of a finished take, in decode order.
pub(crate) struct TakeReader {
    journal: Journal<File>,
    cursor: Cursor,
    path: PathBuf,
}

impl TakeReader {
    /// The format description that precedes the samples.
    pub(crate) fn format(&mut self) -> Result<FormatDescription, ExportError> {
        let record = self.journal.next(&mut self.cursor).map_err(|error| self.damaged(error))?;
        let record = record.filter(|record| record.kind == FORMAT);
        let format = record.and_then(|record| serde_json::from_slice(&record.payload).ok());
        format.ok_or_else(|| self.damaged(io::ErrorKind::InvalidData.into()))
    }

    /// The next sample; nothing behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Sample>, ExportError> {
        let record = self.journal.next(&mut self.cursor).map_err(|error| self.damaged(error))?;
        let Some(record) = record.filter(|record| record.kind == SAMPLE) else { return Ok(None) };
        decode(record.payload).map(Some).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, source: io::Error) -> ExportError {
        ExportError::DamagedTake { path: self.path.clone(), source }
    }
}

/// A take has one format description, number 0, and what else could be said about its samples follows from
/// it.
fn decode(payload: Vec<u8>) -> io::Result<Sample> {
    let invalid = |error: SampleCodecError| io::Error::new(io::ErrorKind::InvalidData, error);
    let stored = sample_codec::decode(payload).map_err(invalid)?;
    if stored.format != 0 || !stored.attachments.is_empty() {
        return Err(invalid(SampleCodecError::Attachments));
    }
    Ok(stored.sample)
}
