//! This module names the files and folders of a stream.

use retake_compression::durable::entries;
use std::fs;
use std::path::{Path, PathBuf};

/// These are names in the folder of media. Where there are several variants, the name of each follows that of
/// the folder: `video-720p`.
pub(super) const VIDEO: &str = "video";
pub(super) const INDEX: &str = "index.m3u8";
pub(super) const SYNC_FRAMES: &str = "sync.m3u8";
/// An initialization segment has this name in the folder of its rendition.
pub(super) const INIT: &str = "init.mp4";
/// The folder of a track of sound begins with this; its number follows.
pub(super) const SOUND: &str = "sound-";

/// The folder of a track of subtitles begins with this; its number follows.
pub(super) const SUBTITLES: &str = "subtitles-";
/// The ends of the names of segments.
pub(super) const SEGMENT: &str = ".m4s";
pub(super) const TEXTS: &str = ".vtt";

/// The subtitles of a track as one file have this name in the folder of their rendition.
pub(super) const WHOLE_TEXT: &str = "whole.vtt";
/// The manifest has this name in the folder of media.
pub(super) const MANIFEST: &str = "manifest.mpd";

/// Returns the folder of media that belongs to a playlist.
pub(crate) fn media_of(playlist: &Path) -> PathBuf {
    playlist.with_extension("media")
}

/// Tells whether a folder holds only entries of a stream's folder of media, so that it may be replaced by
/// another.
pub(crate) fn is_media(folder: &Path) -> bool {
    let names = |folder: &Path| -> Option<Vec<(String, bool)>> {
        let name = |entry: &fs::DirEntry| {
            let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            (entry.file_name().to_string_lossy().into_owned(), folder)
        };
        Some(entries(folder).ok()?.iter().map(name).collect())
    };
    let file = |name: &str| {
        [INIT, INDEX, SYNC_FRAMES, WHOLE_TEXT].contains(&name)
            || name
                .strip_suffix(SEGMENT)
                .or_else(|| name.strip_suffix(TEXTS))
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let files = |folder: &Path| {
        names(folder).is_some_and(|all| all.iter().all(|(name, folder)| !folder && file(name)))
    };
    names(folder).is_some_and(|all| {
        all.iter().all(|(name, is_folder)| {
            let variant =
                name.strip_prefix(VIDEO).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
            let known = variant || name.starts_with(SOUND) || name.starts_with(SUBTITLES);
            if *is_folder { known && files(&folder.join(name)) } else { name == MANIFEST }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_streams_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let media = place.path().join("film.media");
        fs::create_dir_all(media.join("video")).unwrap();
        for folder in ["sound-1", "subtitles-1", "video-720p"] {
            fs::create_dir_all(media.join(folder)).unwrap();
        }
        for file in [
            "manifest.mpd",
            "video/init.mp4",
            "video/00001.m4s",
            "video/index.m3u8",
            "sound-1/index.m3u8",
            "subtitles-1/00001.vtt",
            "subtitles-1/whole.vtt",
            "video-720p/sync.m3u8",
        ] {
            fs::write(media.join(file), "").unwrap();
        }
        assert!(is_media(&media));
        fs::write(media.join("video/holiday.m4s"), "").unwrap();
        assert!(!is_media(&media));
        fs::remove_file(media.join("video/holiday.m4s")).unwrap();
        fs::create_dir(media.join("videos")).unwrap();
        assert!(!is_media(&media));
        fs::remove_dir(media.join("videos")).unwrap();
        assert!(is_media(&media));
        fs::write(media.join("notes.txt"), "").unwrap();
        assert!(!is_media(&media));
    }
}
