//! The stamp of a finished film: an attribute of its file, beside its bytes, that says which request made it,
//! and of which source.
//!
//! The last that a job removes is what says that its film is finished. A run that dies behind that removal
//! leaves the film alone, and the same command must not take it for somebody else's. Bytes of the film cannot
//! say it, because equal jobs would have to give equal bytes whatever their paths are. File systems without
//! such attributes, and copies that leave them behind, have no stamp; there, what is at the output is only
//! known to exist. An object of a store has it as a note, which goes with its bytes.

use super::identity::{RequestIdentity, file_identity, input_identity};
use super::request::Request;
use crate::event::Summary;
use crate::objects::{MOST_NOTE, object_address};
use crate::output::hls::names::{is_media, media_of};
use crate::stop::StopFlag;
use serde::{Deserialize, Serialize};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// The name of the attribute.
const NAME: &str = "user.retake.finished";
/// A longer stamp is neither written nor believed; many file systems hold no more, and some (ext4) only 4
/// KiB.
const MOST: usize = 64 << 10;

/// What the attribute holds, as JSON.
#[derive(Serialize, Deserialize)]
struct Stamp {
    version: u32,
    /// The identity of request, source and film together.
    job: String,
    /// Left out where the stamp would be too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

impl Stamp {
    const VERSION: u32 = 1;
}

/// The identity of request, source and film together. `film` is what is known of it alone.
fn job(request: &RequestIdentity, source: &str, film: String) -> Option<String> {
    let text = serde_json::to_vec(&(request, source, film)).ok()?;
    Some(format!("{:032x}", xxh3_128(&text)))
}

/// Stamps a film (of a stream: its playlist) before it is put in place. A summary for which the file system
/// has no room (that of a ladder) is left out: then it is only known that the film is the job's. A file that
/// cannot be stamped is as good a film, so there is no error.
pub(crate) fn write(film: &Path, request: &RequestIdentity, source: &str, summary: &Summary) {
    let Some(job) = file_identity(film).ok().and_then(|film| job(request, source, film)) else { return };
    for summary in [Some(summary.clone()), None] {
        let stamp = Stamp { version: Stamp::VERSION, job: job.clone(), summary };
        let text = serde_json::to_vec(&stamp).ok().filter(|text| text.len() <= MOST);
        if text.is_some_and(|text| system::set(film, &text)) {
            return;
        }
    }
}

/// The stamp of a film of so many bytes that becomes an object of a store, as the note of that. A summary
/// that is too long for a note is left out: then it is only known that the film is the job's.
pub(crate) fn note(bytes: u64, request: &RequestIdentity, source: &str, summary: &Summary) -> Option<String> {
    let job = job(request, source, of_object(bytes))?;
    let text = |summary| {
        let text =
            serde_json::to_string(&Stamp { version: Stamp::VERSION, job: job.clone(), summary }).ok()?;
        Some(ascii(&text)).filter(|text| text.len() <= MOST_NOTE)
    };
    text(Some(summary.clone())).or_else(|| text(None))
}

/// What is known of a film in a store without reading it: its note goes with its bytes.
fn of_object(bytes: u64) -> String {
    format!("object {bytes}")
}

/// JSON without a character that is no ASCII.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        match c {
            ' '..='~' => text.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
        }
    }
    text
}

/// Whether a file has a stamp, of whatever request.
pub(crate) fn is_there(film: &Path) -> bool {
    system::get(film).is_some()
}

/// What is told of a film that the same request has made.
pub(crate) enum Stamped {
    /// How its run went.
    Summary(Box<Summary>),
    /// No more than that.
    Nothing,
}

/// Returns how the run went that made the film at the output of a request of what is at its input now, if the
/// same was asked of it.
pub(crate) fn read(request: &Request, identity: &RequestIdentity, stop: &StopFlag) -> Option<Stamped> {
    let output = &request.output;
    let (text, film) = match object_address(output) {
        Some(address) => {
            let found = request.objects.as_ref()?.look(address, &|| stop.is_raised()).ok()??;
            (found.note?.into_bytes(), of_object(found.length))
        }
        None if output.symlink_metadata().ok()?.is_file() => {
            (system::get(output)?, file_identity(output).ok()?)
        }
        None => return None,
    };
    let stamp: Stamp = serde_json::from_slice(&text).ok()?;
    let whole = !output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("m3u8"))
        || is_media(&media_of(output));
    // what a pipe gave once, nobody can compare
    let source = input_identity(request, stop)?;
    let same = stamp.version == Stamp::VERSION && job(identity, &source, film).as_ref() == Some(&stamp.job);
    let summary = stamp.summary.map_or(Stamped::Nothing, |summary| Stamped::Summary(Box::new(summary)));
    (whole && same).then_some(summary)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod system {
    use super::{MOST, NAME};
    use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
    use rustix::io::retry_on_intr;
    use std::path::Path;

    pub(super) fn set(path: &Path, text: &[u8]) -> bool {
        retry_on_intr(|| lsetxattr(path, NAME, text, XattrFlags::empty())).is_ok()
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

    pub(super) fn set(_: &Path, _: &[u8]) -> bool {
        false
    }

    pub(super) fn get(_: &Path) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{factory, summary_of};

    /// A summary for which a file system has no room leaves the stamp as good as it can be: the same request
    /// knows its film.
    #[test]
    fn a_stamp_holds_what_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let (source, film) = (folder.path().join("a.mkv"), folder.path().join("b.mp4"));
        std::fs::write(&source, b"a source").unwrap();
        std::fs::write(&film, b"a film").unwrap();
        let request = Request::new(source, film.clone(), factory());
        let (identity, stop) = (RequestIdentity::of(&request), StopFlag::default());
        let named = input_identity(&request, &stop).unwrap();
        let mut summary = summary_of(&film);
        // how much of the second one there is room for depends on the file system
        for (length, holds) in [(10, Some(true)), (8 << 10, None), (MOST, Some(false))] {
            summary.notes = vec!["a".repeat(length)];
            write(&film, &identity, &named, &summary);
            match read(&request, &identity, &stop) {
                Some(Stamped::Summary(found)) => assert!(holds != Some(false) && *found == summary),
                Some(Stamped::Nothing) => assert!(holds != Some(true)),
                None if !is_there(&film) => return eprintln!("SKIPPED: no attributes in this file system"),
                None => panic!("a stamp of {length} bytes says nothing"),
            }
            std::fs::write(&film, b"a film").unwrap();
        }
    }

    /// A note is ASCII that a store takes, and holds the summary as far as there is room; a longer one still
    /// says whose film it is.
    #[test]
    fn a_note_holds_what_there_is_room_for() {
        let request = RequestIdentity::of(&Request::new("a.mkv".into(), "b.mp4".into(), factory()));
        let mut summary = summary_of(Path::new("b.mp4"));
        let jobs = ["short: é😀\n", "é😀".repeat(1000).as_str()].map(|words| {
            summary.notes = vec![words.to_owned()];
            let note = note(7, &request, "source", &summary).unwrap();
            assert!(note.len() <= MOST_NOTE && note.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let stamp: Stamp = serde_json::from_str(&note).unwrap();
            assert_eq!(stamp.summary, (words.len() < 100).then(|| summary.clone()));
            stamp.job
        });
        assert_eq!(jobs[0], jobs[1]);
        let other = |bytes, source| note(bytes, &request, source, &summary).unwrap();
        let job = |note: String| serde_json::from_str::<Stamp>(&note).unwrap().job;
        assert!(job(other(8, "source")) != jobs[0] && job(other(7, "another")) != jobs[0]);
    }
}
