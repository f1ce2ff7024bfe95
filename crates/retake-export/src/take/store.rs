//! The takes of a job on disk: one file each, written under a temporary name, synced, and renamed to a name
//! that contains the identity of the take's description.

use super::finished::FinishedTake;
use crate::error::ExportError;
use crate::own_folder::{Folder, UNFINISHED, Unfinished};
use retake_compression::journal::{COMMIT, Cursor, Journal, Record};
use retake_compression::take::{TakeDescription, TakeRecord};
use retake_media::sample_codec::{self, SampleCodecError};
use retake_media::{FormatDescription, Sample, SampleAttachments};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const KIND: u8 = b'T';
const VERSION: u8 = 4;
const ENDING: &str = ".take";
const FORMAT: u8 = b'f';
const SAMPLE: u8 = b's';

/// The folder of takes.
#[derive(Debug, Clone)]
pub(crate) struct TakeStore {
    folder: Folder,
    /// What earlier runs left.
    found: BTreeSet<String>,
}

impl TakeStore {
    /// Opens the folder, and removes what unfinished takes left.
    pub(crate) fn open(folder: Folder) -> Result<Self, ExportError> {
        let names = folder.names();
        let names = names.map_err(ExportError::file(folder.path(), "reading the folder of takes"))?;
        let mut found = BTreeSet::new();
        for name in names {
            if name.starts_with(UNFINISHED) {
                // what cannot be removed only takes space
                let _ = folder.remove(&name);
            } else {
                found.insert(name);
            }
        }
        Ok(Self { folder, found })
    }

    /// The folder of a job that another process owns, which sees to what is unfinished.
    pub(crate) fn join(folder: Folder) -> Self {
        Self { folder, found: BTreeSet::new() }
    }

    /// A take that an earlier run finished, of frames from the same one on and like `description` in
    /// everything but the end of its range.
    pub(crate) fn find(&self, description: &TakeDescription) -> Option<FinishedTake> {
        let start = description.range.start;
        let prefix = format!("{start:08}-");
        let names = self.found.range(prefix.clone()..).take_while(|name| name.starts_with(&prefix));
        names.filter_map(|name| self.ends(name).ok()).find_map(
            |Ends { description: found, record, .. }| {
                let wanted = TakeDescription { range: found.range, ..description.clone() };
                let same = found == wanted && found.range.start == start && record.range == found.range;
                same.then_some(FinishedTake { description: found, record })
            },
        )
    }

    /// All takes that are whole, in the order in which their files were written last; what is being written,
    /// or is damaged, is left out.
    pub(crate) fn all(&self) -> io::Result<Vec<FinishedTake>> {
        let mut takes = Vec::new();
        for name in self.folder.names()?.iter().filter(|name| !name.starts_with(UNFINISHED) && is_name(name))
        {
            let Ok(file) = self.folder.read(name) else { continue };
            let written = file.metadata().and_then(|facts| facts.modified()).ok();
            if let Ok(Ends { description, record, .. }) = self.ends(name) {
                takes.push((written, name.clone(), FinishedTake { description, record }));
            }
        }
        takes.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(takes.into_iter().map(|(_, _, take)| take).collect())
    }

    /// The error that a take turned out not to be what its record says.
    pub(crate) fn disowned(&self, description: &TakeDescription, what: String) -> ExportError {
        ExportError::DamagedTake { path: self.path(description), source: io::Error::other(what) }
    }

    /// Removes a take that is damaged, so that it is made again.
    pub(crate) fn forget(&self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // what cannot be removed fails again, and then ends the job
        let _ = self.folder.remove(&name);
    }

    /// Exactly this take, if it was finished and is sound at its end.
    pub(crate) fn get(&self, description: &TakeDescription) -> Option<FinishedTake> {
        let Ends { description: found, record, .. } = self.ends(&name_of(description)).ok()?;
        let same = found == *description && record.range == found.range;
        same.then_some(FinishedTake { description: found, record })
    }

    fn path(&self, description: &TakeDescription) -> PathBuf {
        self.folder.path().join(name_of(description))
    }

    /// Opens a take that is whole: it ends with its commit.
    fn journal(&self, name: &str) -> io::Result<Journal<File>> {
        whole(self.folder.read(name)?)
    }

    fn ends(&self, name: &str) -> io::Result<Ends> {
        Ok(serde_json::from_slice(&self.journal(name)?.last_index()?)?)
    }

    /// Begins a take.
    pub(crate) fn begin(&self) -> Result<TakeWriter, ExportError> {
        let fail = || ExportError::file(self.folder.path(), "beginning a take");
        let unfinished = self.folder.begin().map_err(fail())?;
        let file = unfinished.file.try_clone().map_err(fail())?;
        let journal = Journal::create(file, KIND, VERSION).map_err(fail())?;
        Ok(TakeWriter { journal, unfinished, content: Xxh3::new() })
    }

    /// Makes a take safe that was run: after this it is on disk under its final name, and survives
    /// everything. The file has to be on the same file system as the store, and has to hold what is said of
    /// it.
    pub(crate) fn adopt(&self, file: TakeFile, take: &FinishedTake) -> Result<(), ExportError> {
        let TakeFile(unfinished) = file;
        let fail = |doing| ExportError::file(unfinished.path(), doing);
        let ends = unfinished.file.try_clone().and_then(whole).and_then(|journal| journal.last_index());
        let ends: Ends =
            ends.and_then(|text| Ok(serde_json::from_slice(&text)?)).map_err(fail("reading a take"))?;
        if ends.description != take.description {
            let what = format!("the file of the take of {} holds another take", take.description.range);
            return Err(ExportError::Internal(what));
        }
        unfinished.file.sync_all().map_err(fail("syncing a take"))?;
        let path = self.path(&take.description);
        unfinished.persist(&name_of(&take.description)).map_err(ExportError::file(path, "naming a take"))?;
        self.folder.sync();
        Ok(())
    }

    /// Opens a finished take to read its samples. It is damaged if it is another take than it was.
    pub(crate) fn read(&self, description: &TakeDescription) -> Result<TakeReader, ExportError> {
        let path = self.path(description);
        let damaged = |source| ExportError::DamagedTake { path: path.clone(), source };
        let journal = self.journal(&name_of(description)).map_err(damaged)?;
        let ends = journal.last_index().and_then(|text| Ok(serde_json::from_slice::<Ends>(&text)?));
        let ends = ends.map_err(damaged)?;
        if ends.description != *description {
            return Err(damaged(io::Error::other("it holds another take")));
        }
        let cursor = Cursor::default();
        Ok(TakeReader { journal, cursor, content: Xxh3::new(), expected: ends.content, path })
    }
}

/// The name of a take's file.
pub(crate) fn name_of(description: &TakeDescription) -> String {
    format!("{:08}-{}{ENDING}", description.range.start, description.id())
}

/// Whether a name is that of a take, or of one that was not finished.
pub(crate) fn is_name(name: &str) -> bool {
    let parts = name.strip_suffix(ENDING).and_then(|name| name.split_once('-'));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.starts_with(UNFINISHED)
        || parts.is_some_and(|(start, id)| digits(start) && id.len() == 32 && digits(id))
}

/// Checks that a file is the take of this name, as a whole: one that came from elsewhere is not believed.
pub(crate) fn check(file: File, name: &str) -> io::Result<()> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let journal = whole(file)?;
    let ends: Ends = serde_json::from_slice(&journal.last_index()?)?;
    if name_of(&ends.description) != name || ends.record.range != ends.description.range {
        return Err(invalid("it holds another take"));
    }
    let (mut cursor, mut content) = (Cursor::default(), Xxh3::new());
    while let Some(Record { kind, payload }) = journal.next(&mut cursor)?.filter(|next| next.kind != COMMIT) {
        content.update(&[kind]);
        content.update(&payload);
    }
    if hex(&content) == ends.content {
        Ok(())
    } else {
        Err(invalid("its samples are not those that were encoded"))
    }
}

/// What stands at the end of a take's file.
#[derive(Serialize, Deserialize)]
struct Ends {
    description: TakeDescription,
    record: TakeRecord,
    /// The hash of all records before.
    content: String,
}

fn whole(file: File) -> io::Result<Journal<File>> {
    let journal = Journal::open(file, KIND, VERSION)?;
    if journal.is_torn() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(journal) }
}

fn hex(content: &Xxh3) -> String {
    format!("{:032x}", content.digest128())
}

/// The file of a take that was run. It is removed when dropped, unless a store adopts it.
#[derive(Debug)]
pub(crate) struct TakeFile(Unfinished);

impl TakeFile {
    /// Where it is.
    #[cfg(test)]
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }
}

/// A take being written.
pub(crate) struct TakeWriter {
    journal: Journal<File>,
    unfinished: Unfinished,
    content: Xxh3,
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
        let (description, record) = (take.description.clone(), take.record.clone());
        let ends = Ends { description, record, content: hex(&self.content) };
        let text = serde_json::to_vec(&ends).map_err(|error| ExportError::Internal(error.to_string()))?;
        let written = self.journal.commit(&text).and_then(|()| self.journal.flush());
        written.map_err(ExportError::file(self.unfinished.path(), "writing a take"))?;
        Ok(TakeFile(self.unfinished))
    }

    fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), ExportError> {
        self.content.update(&[kind]);
        parts.iter().for_each(|part| self.content.update(part));
        let appended = self.journal.append(kind, parts);
        appended.map_err(ExportError::file(self.unfinished.path(), "writing a take"))?;
        Ok(())
    }
}

/// The samples of a finished take, in decode order.
pub(crate) struct TakeReader {
    journal: Journal<File>,
    cursor: Cursor,
    /// The hash of what was read so far, and what it must be in the end.
    content: Xxh3,
    expected: String,
    path: PathBuf,
}

impl TakeReader {
    /// The format description that precedes the samples.
    pub(crate) fn format(&mut self) -> Result<FormatDescription, ExportError> {
        let record = self.record()?.filter(|record| record.kind == FORMAT);
        let format = record.and_then(|record| serde_json::from_slice(&record.payload).ok());
        format.ok_or_else(|| self.damaged(io::ErrorKind::InvalidData.into()))
    }

    /// The next sample; nothing behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Sample>, ExportError> {
        match self.record()? {
            Some(record) if record.kind == SAMPLE => {
                decode(record.payload).map(Some).map_err(|error| self.damaged(error))
            }
            _ if hex(&self.content) == self.expected => Ok(None),
            _ => Err(self.damaged(io::Error::other("its samples are not those that were encoded"))),
        }
    }

    fn record(&mut self) -> Result<Option<Record>, ExportError> {
        let record = self.journal.next(&mut self.cursor).map_err(|error| self.damaged(error))?;
        let record = record.filter(|record| record.kind != COMMIT);
        if let Some(Record { kind, payload }) = &record {
            self.content.update(&[*kind]);
            self.content.update(payload);
        }
        Ok(record)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::first_take;
    use crate::testing::{factory, job};
    use retake_compression::units::FrameRange;
    use std::fs;

    /// A take under the name of another, from another film, with a changed sample or from another frame on is
    /// not that take.
    #[test]
    fn a_take_is_what_its_description_says() {
        let place = tempfile::tempdir().unwrap();
        let job = job(place.path(), |_| ());
        let store = || TakeStore::open(job.folder.takes().unwrap()).unwrap();
        let writing = store();
        let format = factory().open(&job.description.settings).unwrap().format().clone();
        let make = |description: &TakeDescription, content: &[u8]| {
            let mut writer = writing.begin().unwrap();
            writer.format(&format).unwrap();
            writer.append(SAMPLE, &[content]).unwrap();
            let range = description.range;
            let record = serde_json::json!({"range": range, "quality": 1.0, "bytes": 1, "score": null});
            let take = FinishedTake {
                description: description.clone(),
                record: serde_json::from_value(record).unwrap(),
            };
            writing.adopt(writer.finish(&take).unwrap(), &take).unwrap();
            take
        };
        let wanted = first_take(&job, FrameRange::new(0, 4), 0.0);
        let other = first_take(&job, FrameRange::new(4, 8), 0.0);
        let foreign = TakeDescription { source: "another film".into(), ..wanted.clone() };
        let takes = [make(&wanted, b"one"), make(&other, b"two")];
        make(&foreign, b"three");
        let path = |description: &TakeDescription| store().path(description);
        let open = TakeDescription { range: FrameRange::new(0, 0), ..wanted.clone() };
        assert_eq!(store().get(&wanted).as_ref(), Some(&takes[0]));
        assert_eq!(store().find(&open).as_ref(), Some(&takes[0]));
        let sound = fs::read(path(&wanted)).unwrap();
        for from in [&other, &foreign] {
            fs::copy(path(from), path(&wanted)).unwrap();
            assert_eq!(store().get(&wanted), None);
            assert_eq!(store().find(&open), None);
            assert!(matches!(store().read(&wanted), Err(ExportError::DamagedTake { .. })));
        }
        // records of one file behind the description of another, as no checksum of a record notices
        fs::write(path(&wanted), sound).unwrap();
        let mut writer = writing.begin().unwrap();
        writer.format(&format).unwrap();
        writer.append(SAMPLE, &[b"one"]).unwrap();
        writer.content = Xxh3::new();
        writing.adopt(writer.finish(&takes[0]).unwrap(), &takes[0]).unwrap();
        let mut reader = store().read(&wanted).unwrap();
        reader.format().unwrap();
        let ended = loop {
            match reader.record() {
                Ok(Some(_)) => {}
                _ => break reader.next(),
            }
        };
        assert!(matches!(ended, Err(ExportError::DamagedTake { .. })), "{ended:?}");
    }
}
