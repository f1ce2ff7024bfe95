//! Standard input, kept in the job folder: passes need to see the film more than once.

use crate::error::ExportError;
use std::io;
use std::path::{Path, PathBuf};

/// Copies standard input into the folder and gives the path of the copy.
pub(crate) fn standard_input(folder: &Path) -> Result<PathBuf, ExportError> {
    let path = folder.join("input");
    let fail = |doing| ExportError::file(&path, doing);
    let mut file = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempfile_in(folder)
        .map_err(fail("keeping standard input"))?;
    let bytes = io::copy(&mut io::stdin().lock(), &mut file).map_err(fail("keeping standard input"))?;
    if bytes == 0 {
        return Err(ExportError::Request(
            "standard input is empty: pipe a film into it, as in `... | retake encode - -o film.mp4`".into(),
        ));
    }
    file.persist(&path).map_err(|error| fail("naming")(error.error))?;
    Ok(path)
}
