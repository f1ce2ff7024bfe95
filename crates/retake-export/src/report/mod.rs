//! Fills reports: from the records of a job, or from the scores of a film that was measured.
//!
//! What a report says follows from records alone (`of_records`), and from scores (`of_scores`). Its pictures
//! come from source and film, where both are still there (`pictures`). `retake-report` makes the page.

mod of_records;
mod of_scores;
mod pictures;

use crate::error::ExportError;
use crate::output::target::not_placed;
use retake_asset::{Existing, OutputTarget, UnfinishedFile};
use retake_quality::MetricKind;
use retake_report::Metric;
use std::io;
use std::path::Path;

pub use of_scores::compare;
pub use pictures::{FilmPair, PictureLoss};

/// The most bytes of a text of the source that a page shows: a title may be of any length.
const LONGEST_TEXT: usize = 400;

/// The name of this program with its version, as reports show it.
pub const PROGRAM: &str = concat!("retake ", env!("CARGO_PKG_VERSION"));

/// Shows the name of a metric as people write it.
fn metric_name(name: &str) -> String {
    match name {
        "ssimulacra2" => "SSIMULACRA 2".into(),
        other => other.to_uppercase(),
    }
}

/// Describes a metric, by its own name and that of how frames are pooled.
fn metric(name: &str, pool: &str, floor: Option<f64>) -> Metric {
    let most = name.parse::<MetricKind>().ok().map(MetricKind::best);
    Metric { name: metric_name(name), pool: pool_name(pool).to_owned(), floor, most }
}

/// Shows the name of a file.
fn name_of(path: &Path) -> String {
    shortened(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// Cuts a text of a source to a length that a page has room for.
fn shortened(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let end = (0..=LONGEST_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Says how the frames of a unit become its score.
fn pool_name(pool: &str) -> &str {
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
/// [`OutputExists`](crate::RequestError::OutputExists) where something is there that is not to be replaced,
/// and [`OutputIsNoFile`](crate::RequestError::OutputIsNoFile) where it cannot be.
pub fn check_report(path: &Path, overwrite: bool) -> Result<(), ExportError> {
    target(path, overwrite).check().map_err(not_placed)
}

/// Puts a page or a drawing at `path`, whole or not at all.
///
/// # Errors
/// As [`check_report`], and [`ExportError::File`] where it cannot be written.
pub fn save_report(path: &Path, text: &str, overwrite: bool) -> Result<(), ExportError> {
    let target = target(path, overwrite);
    target.check().map_err(not_placed)?;
    let mut file = target.unfinished_file(target.folder()).map_err(not_placed)?;
    io::Write::write_all(&mut file, text.as_bytes())
        .map_err(ExportError::file(path, "writing the report"))?;
    let unfinished = UnfinishedFile::from(file);
    target.put_file(unfinished).map_err(not_placed)
}

fn target(path: &Path, overwrite: bool) -> OutputTarget {
    OutputTarget::new(path, if overwrite { Existing::Replace } else { Existing::Keep })
}
