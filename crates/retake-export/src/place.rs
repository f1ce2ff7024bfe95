//! The output's place: it holds nothing, or what it held before, until the film is whole.

use crate::error::ExportError;
use crate::hls::{Stream, media_of};
use crate::prepare::Job;
use crate::store::sync_folder;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, TempPath};
use xxhash_rust::xxh3::xxh3_64;

/// Where an output is to be, and what is written beside it until then.
pub(crate) struct Place {
    output: PathBuf,
    folder: PathBuf,
    unfinished: String,
    overwrite: bool,
}

impl Place {
    /// The place of a job's output.
    pub(crate) fn of(job: &Job, output: &Path) -> Self {
        let folder = match output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        // one name for a job: what a killed run left is replaced by the next, which holds the lock of the job; another job with the same
        // output has another name
        let name = output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let home = job.folder.path();
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        let hash = xxh3_64(home.as_os_str().as_encoded_bytes()) as u32;
        let unfinished = format!(".{name}.{hash:08x}.retake-unfinished");
        Self { output: output.to_owned(), folder, unfinished, overwrite: job.overwrite }
    }

    /// The name of the output.
    pub(crate) fn name(&self) -> &OsStr {
        self.output.file_name().unwrap_or_default()
    }

    /// A new folder beside the output, which goes away with what is left in it.
    pub(crate) fn folder(&self) -> Result<TempDir, ExportError> {
        let left = self.folder.join(&self.unfinished);
        // earlier versions left a file there
        let _ = fs::remove_dir_all(&left).or_else(|_| fs::remove_file(&left));
        let folder = tempfile::Builder::new().prefix(&self.unfinished).rand_bytes(0).tempdir_in(&self.folder);
        folder.map_err(ExportError::file(&self.folder, "making a temporary folder"))
    }

    /// Puts a film in place. Somebody may have put another file there meanwhile.
    pub(crate) fn fill(&self, film: &Path) -> Result<(), ExportError> {
        let (output, overwrite) = (&self.output, self.overwrite);
        let film = TempPath::try_from_path(film).map_err(ExportError::file(film, "naming"))?;
        let placed = if overwrite { film.persist(output) } else { film.persist_noclobber(output) };
        placed.map_err(|error| ExportError::file(output, "putting the film in place")(error.error))?;
        sync_folder(&self.folder)
    }

    /// Puts a stream in place: its media first, so that a playlist never names what is not there.
    pub(crate) fn fill_stream(&self, unfinished: &TempDir, stream: &Stream) -> Result<(), ExportError> {
        let media = media_of(&self.output);
        let fail = || ExportError::file(&media, "putting the segments in place");
        if media.exists() {
            // what was there goes away with the folder of what is unfinished
            exchange(&stream.media, &media, &unfinished.path().join("replaced")).map_err(fail())?;
        } else {
            fs::rename(&stream.media, &media).map_err(fail())?;
        }
        sync_folder(&self.folder)?;
        self.fill(&stream.playlist)
    }
}

/// Puts a folder where another is, which gets the name of the first, or `aside` where the system cannot do that at once.
fn exchange(new: &Path, old: &Path, aside: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    fs::rename(old, aside)?;
    fs::rename(new, old)
}
