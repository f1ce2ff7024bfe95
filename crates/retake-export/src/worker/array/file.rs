//! The file of an array: who all its takes are for, and then each take on a line of its own.
//!
//! A worker reads the first line and its own, because an array of a thousand takes is a megabyte, and would
//! be read a thousand times.

use super::ArrayWork;
use crate::job::objects::StoredIndex;
use crate::worker::task::TakeTask;
use retake_compression::take::TakeDescription;
use retake_libav::EntryPoint;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The most that is read of the line of an index, in bytes: a take is a kilobyte.
const MOST_TEXT: u64 = 1 << 20;
/// The most that is read of the first line, which has ten bytes for each take, and a hundred for each place
/// at which a long film is divided.
const MOST_HEAD: u64 = 64 << 20;

/// Who all takes of an array are for.
pub(crate) struct ArrayHead<'a> {
    /// The version of the program that writes the file.
    pub program: &'a str,
    /// The job folder, and the source, below the folder that all machines share.
    pub job: &'a Path,
    pub source: &'a Path,
    /// Where the film is divided, if ranges of it are to be read.
    pub entries: Vec<EntryPoint>,
    /// The index of the source, where it lies in an object store.
    pub index: Option<StoredIndex>,
}

/// The first line of an array's file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ArrayFile {
    /// The version of the program that wrote it.
    pub program: String,
    /// The job folder, and the source, below the folder that all machines share.
    pub job: PathBuf,
    pub source: PathBuf,
    /// Where the film is divided, if ranges of it are to be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryPoint>,
    /// The index of the source as it was then, where it lies in an object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<StoredIndex>,
    /// Where the line of each index ends, in bytes behind the first line.
    pub ends: Vec<u64>,
}

impl ArrayFile {
    /// The text of a file.
    pub(crate) fn text(head: ArrayHead<'_>, work: impl Iterator<Item = ArrayWork>) -> io::Result<Vec<u8>> {
        let (mut lines, mut ends) = (Vec::new(), Vec::new());
        for work in work {
            serde_json::to_writer(&mut lines, &work)?;
            lines.push(b'\n');
            ends.push(lines.len() as u64);
        }
        let ArrayHead { program, job, source, entries, index } = head;
        let (program, job, source) = (program.to_owned(), job.to_owned(), source.to_owned());
        let mut text = serde_json::to_vec(&Self { program, job, source, entries, index, ends })?;
        text.push(b'\n');
        text.append(&mut lines);
        Ok(text)
    }

    /// Reads the first line, and what an index stands for, if there is such an index.
    pub(crate) fn read(file: impl Read + Seek, index: u32) -> io::Result<(Self, Option<ArrayWork>)> {
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        let head = (&mut file).take(MOST_HEAD).read_until(b'\n', &mut line)? as u64;
        let array: Self = serde_json::from_slice(&line)?;
        let index = index as usize;
        let Some(&end) = array.ends.get(index) else { return Ok((array, None)) };
        let start = index.checked_sub(1).and_then(|before| array.ends.get(before)).map_or(0, |end| *end);
        let place = head.checked_add(start).ok_or(io::ErrorKind::InvalidData)?;
        file.seek(SeekFrom::Start(place))?;
        line.clear();
        file.take(end.saturating_sub(start).min(MOST_TEXT)).read_to_end(&mut line)?;
        let work = serde_json::from_slice(&line)?;
        Ok((array, Some(work)))
    }

    /// The task of an index that stands for this take.
    pub(super) fn task(&self, take: &TakeDescription) -> TakeTask {
        let Self { program, job, source, .. } = self;
        TakeTask {
            program: program.clone(),
            job: job.clone(),
            source: source.clone(),
            take: take.clone(),
            // the folder has what is needed of it
            index: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::identity::first_take;
    use crate::testing::job;
    use retake_compression::units::FrameRange;
    use std::io::Cursor;

    /// What a file counts how much of it is read.
    struct Counted(Cursor<Vec<u8>>, u64);

    impl Read for &mut Counted {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(into)?;
            self.1 += read as u64;
            Ok(read)
        }
    }

    impl Seek for &mut Counted {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    /// Each index finds its take, and reads a small part of the file for it; what is cut off or says that it
    /// is elsewhere is refused.
    #[test]
    fn a_worker_reads_its_take_alone() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), |_| ());
        let takes: Vec<TakeDescription> =
            (0..1000).map(|start| first_take(&job, FrameRange::new(start, start + 4), 0.0)).collect();
        let work = takes.iter().map(|take| ArrayWork::Take(Box::new(take.clone())));
        let (job, source) = (Path::new("job"), Path::new("film"));
        let head = ArrayHead { program: "1", job, source, entries: Vec::new(), index: None };
        let text = ArrayFile::text(head, work).unwrap();
        for index in [0, 1, 500, 999] {
            let mut file = Counted(Cursor::new(text.clone()), 0);
            let (array, work) = ArrayFile::read(&mut file, index).unwrap();
            let Some(ArrayWork::Take(take)) = work else { panic!("{work:?}") };
            let task = array.task(&take);
            assert_eq!((task.take, array.ends.len()), (takes[index as usize].clone(), 1000));
            assert_eq!((task.program, task.job, task.source), ("1".into(), "job".into(), "film".into()));
            assert!(file.1 < text.len() as u64 / 10, "{} of {} bytes were read", file.1, text.len());
        }
        assert!(ArrayFile::read(Cursor::new(&text), 1000).unwrap().1.is_none());
        assert!(ArrayFile::read(Cursor::new(&text[..text.len() - 9]), 999).is_err());
        let lies = |ends: &str| {
            let head =
                format!("{{\"program\":\"1\",\"job\":\"j\",\"source\":\"s\",\"ends\":{ends}}}\n{{}}\n");
            ArrayFile::read(Cursor::new(head.into_bytes()), 1)
        };
        for ends in ["[18446744073709551615,18446744073709551615]", "[9,3]", "[0,18446744073709551615]"] {
            assert!(lies(ends).is_err(), "{ends}");
        }
    }
}
