//! The output's place: it holds nothing, or what it held before, until the film is whole.

use crate::error::ExportError;
use crate::hls::{Stream, media_of};
use crate::prepare::Job;
use crate::store::sync_folder;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir, TempPath};
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

    /// A new file that goes away unless it is put in place.
    pub(crate) fn file(&self) -> Result<NamedTempFile, ExportError> {
        let _ = fs::remove_file(self.folder.join(&self.unfinished));
        let file = self.builder().tempfile_in(&self.folder);
        file.map_err(ExportError::file(&self.folder, "making a temporary file"))
    }

    /// The same, a folder.
    pub(crate) fn folder(&self) -> Result<TempDir, ExportError> {
        let _ = fs::remove_dir_all(self.folder.join(&self.unfinished));
        let folder = self.builder().tempdir_in(&self.folder);
        folder.map_err(ExportError::file(&self.folder, "making a temporary folder"))
    }

    fn builder(&self) -> tempfile::Builder<'_, '_> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&self.unfinished).rand_bytes(0);
        builder
    }

    /// Puts a film in place.
    pub(crate) fn fill(&self, film: NamedTempFile) -> Result<(), ExportError> {
        open_permissions(film.as_file());
        self.rename(film.into_temp_path())
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
        let playlist = TempPath::try_from_path(&stream.playlist);
        self.rename(playlist.map_err(ExportError::file(&stream.playlist, "naming"))?)
    }

    /// Somebody may have put another file there meanwhile.
    fn rename(&self, file: TempPath) -> Result<(), ExportError> {
        let (output, overwrite) = (&self.output, self.overwrite);
        let placed = if overwrite { file.persist(output) } else { file.persist_noclobber(output) };
        placed.map_err(|error| ExportError::file(output, "putting the film in place")(error.error))?;
        sync_folder(&self.folder)
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

/// Temporary files are private; a finished film is as readable as any new file.
fn open_permissions(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(mask);
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o666 & !mask.bits()));
    }
    #[cfg(not(unix))]
    let _ = file;
}
