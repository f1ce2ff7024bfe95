//! Files that appear whole or not at all, and names that survive a power failure.

use crate::error::ExportError;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// How names of files begin that were not written to their end.
pub(crate) const UNFINISHED: &str = "unfinished-";

/// Writes a file under another name, syncs it, and gives it its own name: at `path` there is nothing, or what
/// was there before, or all of `content`.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), ExportError> {
    let fail = |doing| ExportError::file(path, doing);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(fail("writing"))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(fail("writing"))?;
    file.persist(path).map_err(|error| fail("naming")(error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename in `folder` survive a power failure.
pub(crate) fn sync_folder(folder: &Path) {
    // not every file system can sync a folder; where it cannot, the rename is as safe as it gets
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
