//! A film as a stream for HTTP Live Streaming: playlists, and segments of fragmented MP4 that begin where takes do.
//!
//! ```text
//! stream.m3u8                     names all others
//! stream.media/video/index.m3u8   the segments of the pictures: init.mp4, 00001.m4s, …
//! stream.media/video/sync.m3u8    their first frames alone
//! stream.media/sound-1/index.m3u8 the segments of a track of sound
//! ```
//!
//! Sound is a rendition of its own. So each stream has one track, as CMAF wants it, a film may have sound in several languages, and a player
//! fetches one of them.
//!
//! On the streams' common clock the film does not begin at zero but some whole seconds later, as many as decoding needs before the first
//! picture and before the first sound. So no edit list is needed to keep them together, which some players heed and others do not.

mod codecs;
mod cuts;
#[cfg(fuzzing)]
pub mod fuzzing;
mod languages;
mod playlist;
mod rendition;
mod sound;

pub(crate) use cuts::LONGEST;

use crate::assemble::{Chosen, size};
use crate::error::ExportError;
use crate::index::FilmMap;
use crate::join::Joined;
use crate::prepare::Job;
use crate::stop::StopFlag;
use crate::store::{TakeStore, sync_folder};
use playlist::{BitRate, Sound, Variant};
use rendition::{Rendition, Segment, write_file};
use retake_asset::{AssetWriterInput, TrackFormat};
use retake_media::{FormatDescription, Rational, Time};
use sound::{SOUND, Sounds, WrittenSound};
use std::fs;
use std::path::{Path, PathBuf};

/// Names in the folder of media.
const VIDEO: &str = "video";
const INDEX: &str = "index.m3u8";
const SYNC_FRAMES: &str = "sync.m3u8";

/// A stream that was written into a folder.
pub(crate) struct Stream {
    /// The playlist that names all others.
    pub(crate) playlist: PathBuf,
    /// The folder of media beside it.
    pub(crate) media: PathBuf,
    /// Plain sentences about what could not be kept.
    pub(crate) notes: Vec<String>,
}

impl Stream {
    /// The playlist of the pictures.
    pub(crate) fn pictures(&self) -> PathBuf {
        self.media.join(VIDEO).join(INDEX)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> Result<u64, ExportError> {
        let mut bytes = size(&self.playlist)?;
        for folder in entries(&self.media)? {
            for file in entries(&folder)? {
                bytes += size(&file)?;
            }
        }
        Ok(bytes)
    }
}

/// The folder of media that belongs to a playlist.
pub(crate) fn media_of(playlist: &Path) -> PathBuf {
    playlist.with_extension("media")
}

/// Whether a folder holds nothing that is not in the folder of media of a stream: it may be replaced by another.
pub(crate) fn is_media(folder: &Path) -> bool {
    let names = |folder: &Path| -> Option<Vec<(String, bool)>> {
        let entries = fs::read_dir(folder).ok()?;
        let name = |entry: fs::DirEntry| {
            let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            (entry.file_name().to_string_lossy().into_owned(), folder)
        };
        entries.map(|entry| entry.ok().map(name)).collect()
    };
    let file = |name: &str| {
        [playlist::INIT, INDEX, SYNC_FRAMES].contains(&name)
            || name
                .strip_suffix(".m4s")
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let files = |folder: &Path| {
        names(folder).is_some_and(|all| all.iter().all(|(name, folder)| !folder && file(name)))
    };
    names(folder).is_some_and(|all| {
        all.iter().all(|(name, is_folder)| {
            *is_folder && (name == VIDEO || name.starts_with(SOUND)) && files(&folder.join(name))
        })
    })
}

/// Writes the stream of a film into `folder`, under the names that it will have beside `output`.
pub(crate) fn write(
    job: &Job,
    store: &TakeStore,
    map: &FilmMap,
    chosen: &[Chosen],
    (folder, output): (&Path, &Path),
    stop: &StopFlag,
) -> Result<Stream, ExportError> {
    let name = output.file_name().ok_or_else(|| ExportError::Internal("an output without a name".into()))?;
    let playlist = folder.join(name);
    let media = media_of(&playlist);
    fs::create_dir(&media).map_err(ExportError::file(&media, "making a folder"))?;
    let units: Vec<_> = chosen.iter().map(|take| take.record.range).collect();
    let cuts = cuts::cuts(&units, &map.index);

    let depth = chosen.iter().map(|take| take.record.reorder_ticks).max().unwrap_or(0);
    let depth = job.film.video.time(depth);
    let start = job.film.start.subtract(lead(depth));
    let video = (depth, start, &*cuts);
    let (format, segments) = pictures(job, store, chosen, media.join(VIDEO), video, stop)?;
    let uri = |folder: &str, file: &str| {
        let media = media.file_name().unwrap_or_default().to_string_lossy();
        format!("{}/{folder}/{file}", escaped(&media))
    };
    let file =
        |folder: &str, file: &str, text: &str| write_file(&media.join(folder).join(file), text.as_bytes());
    file(VIDEO, INDEX, &playlist::media(&segments))?;
    let mut sync_frames = None;
    if let Some(text) = playlist::sync_frames(&segments) {
        file(VIDEO, SYNC_FRAMES, &text)?;
        sync_frames = Some((uri(VIDEO, SYNC_FRAMES), BitRate::of_sync_frames(&segments)));
    }
    let video = Variant {
        uri: uri(VIDEO, INDEX),
        rate: BitRate::of_segments(&segments),
        sync_frames,
        codec: codecs::video(&format),
        size: shown_size(&format, job.film.video.rotation),
        frame_rate: job.film.video.frame_rate,
        range: match format.colour.transfer {
            16 => "PQ",
            18 => "HLG",
            _ => "SDR",
        },
    };

    let mut notes = Vec::new();
    let written = match Sounds::find(&job.film, &mut notes)? {
        Some(sounds) => sounds.write(start, &media, &cuts, stop)?,
        None => Vec::new(),
    };
    let mut sounds: Vec<Sound> = Vec::new();
    for WrittenSound { folder, track, codec, segments } in written {
        file(&folder, INDEX, &playlist::media(&segments))?;
        let language = track.language.as_deref().and_then(languages::tag);
        let name = track.title.clone().or_else(|| language.clone()).unwrap_or_else(|| "Sound".into());
        let taken = |name: &String| sounds.iter().any(|sound| sound.name == *name);
        let name = if taken(&name) { format!("{name} ({})", sounds.len() + 1) } else { name };
        sounds.push(Sound {
            uri: uri(&folder, INDEX),
            rate: BitRate::of_segments(&segments),
            codec,
            name,
            language,
            channels: track.channels,
        });
    }
    for folder in entries(&media)? {
        sync_folder(&folder)?;
    }
    sync_folder(&media)?;
    write_file(&playlist, playlist::master(&video, &sounds).as_bytes())?;
    sync_folder(folder)?;
    Ok(Stream { playlist, media, notes })
}

/// Writes the takes.
fn pictures(
    job: &Job,
    store: &TakeStore,
    chosen: &[Chosen],
    folder: PathBuf,
    (depth, start, cuts): (Time, Time, &[Time]),
    stop: &StopFlag,
) -> Result<(FormatDescription, Vec<Segment>), ExportError> {
    let mut samples = Joined::open(store, chosen)?;
    let format = samples.format.clone();
    let video = &job.film.video;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(format.clone()));
    let options = |options: &mut retake_asset::InputOptions| {
        options.frame_rate = Some(video.frame_rate);
        options.transform = video.display_matrix;
        options.reorder_delay = depth;
    };
    let mut rendition = Rendition::create(folder, input, options, start, (cuts, None))?;
    while let Some(sample) = samples.next()? {
        stop.check()?;
        rendition.append(sample, stop)?;
    }
    Ok((format, rendition.finish()?))
}

/// How long after zero the film begins: sound needs less than a second before it is heard, and pictures the depth of their reordering.
fn lead(depth: Time) -> Time {
    Time::new((depth.seconds().ceil() as i64).max(1), 1)
}

/// The size at which pictures are shown.
fn shown_size(format: &FormatDescription, rotation: i32) -> (u32, u32) {
    let aspect = Some(format.pixel_aspect_ratio).filter(|aspect| aspect.is_positive());
    let aspect = aspect.unwrap_or(Rational::new(1, 1)).to_f64();
    let size = ((f64::from(format.width) * aspect).round() as u32, format.height);
    if rotation % 180 == 90 { (size.1, size.0) } else { size }
}

/// A name as part of a URI: what has a meaning there is written in numbers (RFC 3986).
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let fail = || ExportError::file(folder, "reading a folder");
    let entries = fs::read_dir(folder).map_err(fail())?;
    entries.map(|entry| Ok(entry.map_err(fail())?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_streams_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let media = place.path().join("film.media");
        fs::create_dir_all(media.join("video")).unwrap();
        fs::create_dir_all(media.join("sound-1")).unwrap();
        for file in ["video/init.mp4", "video/00001.m4s", "video/index.m3u8", "sound-1/index.m3u8"] {
            fs::write(media.join(file), "").unwrap();
        }
        assert!(is_media(&media));
        fs::write(media.join("video/holiday.m4s"), "").unwrap();
        assert!(!is_media(&media));
        fs::remove_file(media.join("video/holiday.m4s")).unwrap();
        fs::write(media.join("notes.txt"), "").unwrap();
        assert!(!is_media(&media));
    }

    #[test]
    fn names_with_meaning_are_escaped() {
        assert_eq!(escaped("my film #1 é.media"), "my%20film%20%231%20%C3%A9.media");
    }
}
