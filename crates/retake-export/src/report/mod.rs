//! Fills reports: from the records of a job, or from the scores of a film that was measured.
//!
//! What a report says follows from records alone (`of_records`), and from scores (`of_scores`). Its pictures
//! come from source and film, where both are still there (`pictures`). `retake-report` makes the page.

mod of_records;
mod of_scores;
mod pictures;

use crate::error::{ExportError, RequestError};
use retake_asset::{Existing, OutputError, OutputTarget, UnfinishedFile};
use std::io;
use std::path::Path;

pub use of_scores::compare;
pub use pictures::{FilmPair, PictureLoss};

/// The name of this program with its version, as reports show it.
pub(crate) const PROGRAM: &str = concat!("retake ", env!("CARGO_PKG_VERSION"));

/// Shows the name of a metric as people write it.
pub(crate) fn metric_name(name: &str) -> String {
    match name {
        "ssimulacra2" => "SSIMULACRA 2".into(),
        other => other.to_uppercase(),
    }
}

/// Says how the frames of a unit become its score.
pub(crate) fn pool_name(pool: &str) -> &str {
    match pool {
        "mean" => "the mean of its frames",
        "p5" => "the 5th percentile of its frames",
        "min" => "its worst frame",
        other => other,
    }
}

/// Looks whether a page or a drawing could be put at `path`, before all the work.
///
/// # Errors
/// [`RequestError::OutputExists`] where something is there that is not to be replaced.
pub fn check_report(path: &Path, overwrite: bool) -> Result<(), ExportError> {
    target(path, overwrite).check().map_err(|error| failed(path, error))
}

/// Puts a page or a drawing at `path`, whole or not at all.
///
/// # Errors
/// [`RequestError::OutputExists`] where something is there that is not to be replaced; [`ExportError::File`]
/// where it cannot be written.
pub fn save_report(path: &Path, text: &str, overwrite: bool) -> Result<(), ExportError> {
    let target = target(path, overwrite);
    target.check().map_err(|error| failed(path, error))?;
    let mut file = target.unfinished_file(target.folder()).map_err(|error| failed(path, error))?;
    io::Write::write_all(&mut file, text.as_bytes())
        .map_err(ExportError::file(path, "writing the report"))?;
    let unfinished = UnfinishedFile::from(file);
    target.put_file(unfinished).map_err(|error| failed(path, error))
}

fn target(path: &Path, overwrite: bool) -> OutputTarget {
    OutputTarget::new(path, if overwrite { Existing::Replace } else { Existing::Keep })
}

fn failed(path: &Path, error: OutputError) -> ExportError {
    match error {
        OutputError::Exists { .. } | OutputError::NotReplaceable { .. } => {
            RequestError::OutputExists { output: path.to_owned() }.into()
        }
        OutputError::Io { action, path, source } => {
            ExportError::File { path, doing: action, source: io::Error::new(source.kind(), source) }
        }
        other => ExportError::Internal(other.to_string()),
    }
}
