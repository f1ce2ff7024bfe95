//! The stamp of a finished film: an attribute of its file, beside its bytes, that says which request made it,
//! and of which source.
//!
//! The last that a job removes is what says that its film is finished. A run that dies behind that removal
//! leaves the film alone, and the same command must not take it for somebody else's. Bytes of the film cannot
//! say it, because equal jobs would have to give equal bytes whatever their paths are. File systems without
//! such attributes, and copies that leave them behind, have no stamp; there, what is at the output is only
//! known to exist.

use super::identity::{RequestIdentity, file_identity};
use crate::event::Summary;
use crate::output::hls::names::{is_media, media_of};
use serde::{Deserialize, Serialize};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// The name of the attribute.
const NAME: &str = "user.retake.finished";
/// A longer stamp is neither written nor believed; many file systems hold no more.
const MOST: usize = 64 << 10;

/// What the attribute holds, as JSON.
#[derive(Serialize, Deserialize)]
struct Stamp {
    version: u32,
    /// The identity of request, source and film together.
    job: String,
    summary: Summary,
}

impl Stamp {
    const VERSION: u32 = 1;
}

fn job(request: &RequestIdentity, source: &str, film: &Path) -> Option<String> {
    let text = serde_json::to_vec(&(request, source, file_identity(film).ok()?)).ok()?;
    Some(format!("{:032x}", xxh3_128(&text)))
}

/// Stamps a film (of a stream: its playlist) before it is put in place. A file that cannot be stamped is as
/// good a film, so there is no error.
pub(crate) fn write(film: &Path, request: &RequestIdentity, source: &str, summary: &Summary) {
    let Some(job) = job(request, source, film) else { return };
    let stamp = Stamp { version: Stamp::VERSION, job, summary: summary.clone() };
    let Ok(text) = serde_json::to_vec(&stamp) else { return };
    if text.len() <= MOST {
        system::set(film, &text);
    }
}

/// Returns how the run went that made the film at `output` of what is at `input` now, if the same was asked
/// of it.
pub(crate) fn read(output: &Path, input: &Path, request: &RequestIdentity) -> Option<Summary> {
    // what a pipe gave once, nobody can compare
    if !(output.symlink_metadata().ok()?.is_file() && input.metadata().ok()?.is_file()) {
        return None;
    }
    let stamp: Stamp = serde_json::from_slice(&system::get(output)?).ok()?;
    let whole = !output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("m3u8"))
        || is_media(&media_of(output));
    let same = stamp.version == Stamp::VERSION
        && job(request, &file_identity(input).ok()?, output).as_ref() == Some(&stamp.job);
    (whole && same).then_some(stamp.summary)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    use super::{MOST, NAME};
    use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
    use rustix::io::retry_on_intr;
    use std::path::Path;

    pub(super) fn set(path: &Path, text: &[u8]) {
        let _ = retry_on_intr(|| lsetxattr(path, NAME, text, XattrFlags::empty()));
    }

    pub(super) fn get(path: &Path) -> Option<Vec<u8>> {
        let mut text = vec![0; MOST];
        let length = retry_on_intr(|| lgetxattr(path, NAME, &mut text[..])).ok()?;
        text.truncate(length);
        Some(text)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::path::Path;

    pub(super) fn set(_: &Path, _: &[u8]) {}

    pub(super) fn get(_: &Path) -> Option<Vec<u8>> {
        None
    }
}
