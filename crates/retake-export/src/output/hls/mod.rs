//! This module makes a film as a stream for HTTP Live Streaming: playlists, and segments of fragmented MP4
//! that begin where takes do.
//!
//! ```text
//! stream.m3u8                     names all others
//! stream.media/manifest.mpd       does so for players of MPEG-DASH
//! stream.media/video/index.m3u8   the segments of the pictures: init.mp4, 00001.m4s, …
//! stream.media/video/sync.m3u8    their first frames alone
//! stream.media/sound-1/index.m3u8 the segments of a track of sound
//! stream.media/subtitles-1/index.m3u8 the segments of a track of subtitles, as WebVTT
//! ```
//!
//! Sound is a rendition of its own. So each stream has one track, as CMAF wants it, a film may have sound in
//! several languages, and a player fetches one of them.
//!
//! On the streams' common clock the film does not begin at zero but some whole seconds later, as many as
//! decoding needs before the first picture and before the first sound. So no edit list is needed to keep them
//! together, which some players heed and others do not.

mod codecs;
mod cuts;
mod dash;
#[cfg(fuzzing)]
pub mod fuzzing;
pub(crate) mod names;
mod playlist;
mod rendition;
mod sound;
mod stream;
mod subtitles;

use super::{Output, Written, size};
use crate::error::ExportError;
use crate::film::Film;
use crate::job::Job;
use crate::stop::StopFlag;
use names::{INDEX, MANIFEST, SYNC_FRAMES, VIDEO, media_of};
use rendition::{Cuts, Rendition, Segment, write_file};
use retake_asset::{AssetWriterInput, TrackFormat};
use retake_compression::durable::sync_folder;
use retake_compression::durable::{self, uninterrupted};
use retake_libav::{TrackInfo, TrackKind, TrackMark, language_tag};
use retake_media::{AudioFormat, FormatDescription, Rational, Time};
use sound::{Sounds, WrittenSound};
use std::fs;
use std::path::{Path, PathBuf};
use stream::{Sound, Stream, Texts, Variant};
use subtitles::WrittenTexts;

/// Whether a stream holds sound of this coding format, by FFmpeg's name.
pub(super) fn holds_sound(codec: &str) -> bool {
    codecs::sound(&AudioFormat::new(codec, 0, 0)).is_some()
}

/// A stream is a playlist, and a folder of media beside it.
pub(crate) struct HlsStream;

impl Output for HlsStream {
    fn write(
        &self,
        film: &Film<'_>,
        folder: &Path,
        output: &Path,
        stop: &StopFlag,
    ) -> Result<Written, ExportError> {
        write(&[(None, film)], folder, output, stop)
    }
}

/// Writes the stream of a film into `folder`, under the name that its playlist has in `output`. Where there
/// are several films, they are variants with names, which are cut alike; the first one says what else there
/// is.
pub(crate) fn write(
    films: &[(Option<&str>, &Film<'_>)],
    folder: &Path,
    output: &Path,
    stop: &StopFlag,
) -> Result<Written, ExportError> {
    let lacks = |what: &str| ExportError::Internal(format!("a stream without {what}"));
    let playlist = folder.join(output.file_name().ok_or_else(|| lacks("a name"))?);
    let &(_, film) = films.first().ok_or_else(|| lacks("pictures"))?;
    let source = &film.job.source;
    let media = media_of(&playlist);
    uninterrupted(|| fs::create_dir(&media)).map_err(ExportError::file(&media, "making a folder"))?;
    let units: Vec<_> = film.takes.iter().map(|take| take.record.range).collect();
    let cuts = cuts::cuts(&units, &film.map.index);

    // Variants are decoded by one clock, which begins early enough for all of them.
    let depths = films.iter().map(|(_, film)| film.job.source.video.time(film.reorder_ticks()));
    let zero = source.start - start_delay(depths.max().unwrap_or(Time::ZERO));
    let file =
        |folder: &str, file: &str, text: &str| write_file(&media.join(folder).join(file), text.as_bytes());
    let mut variants = Vec::new();
    for (name, film) in films {
        let folder = name.map_or_else(|| VIDEO.to_owned(), |name| format!("{VIDEO}-{name}"));
        let video = &film.job.source.video;
        let timing = Timing { depth: video.time(film.reorder_ticks()), zero, cuts: &cuts };
        let (format, segments) = pictures(film, media.join(&folder), &timing, stop)?;
        file(&folder, INDEX, &playlist::media(&segments))?;
        let sync_frames = playlist::sync_frames(&segments);
        if let Some(text) = &sync_frames {
            file(&folder, SYNC_FRAMES, text)?;
        }
        variants.push(Variant {
            folder,
            segments,
            sync_frames: sync_frames.is_some(),
            codec: codecs::video(&format),
            size: shown_size(&format, video.rotation),
            format,
            frame_rate: video.frame_rate,
        });
    }

    let mut notes = Vec::new();
    let tracks = Tracks::of(film.job, &mut notes);
    let sounds = match Sounds::find(film.job, tracks.sound, &mut notes)? {
        Some(sounds) => sounds.write(film.job, zero, &media, &cuts, &mut notes, stop)?,
        None => Vec::new(),
    };
    for sound in &sounds {
        file(&sound.folder, INDEX, &playlist::media(&sound.segments))?;
    }
    let bounds = cuts::bounds(&cuts, &film.map.index);
    let texts = subtitles::write(film.job, &tracks.texts, zero, &media, &bounds, &mut notes, stop)?;
    for texts in &texts {
        file(&texts.folder, INDEX, &playlist::texts(&texts.segments))?;
    }
    let stream = Stream {
        variants,
        sounds: described_sounds(sounds, &mut notes),
        texts: described_texts(texts, &mut notes),
        zero,
        start: source.start,
    };
    match dash::manifest(&stream) {
        Some(text) => write_file(&media.join(MANIFEST), text.as_bytes())?,
        None => {
            notes.push("there is no manifest of DASH: the format of the pictures has no name there".into())
        }
    }
    let address = escaped(media.file_name().unwrap_or_default().as_encoded_bytes());
    write_file(&playlist, playlist::master(&stream, &address).as_bytes())?;
    for folder in folders(&media)?.iter().chain([&media, &folder.to_owned()]) {
        sync_folder(folder).map_err(ExportError::file(folder, "writing"))?;
    }
    let pictures = stream.variants.iter().map(|video| media.join(&video.folder).join(INDEX)).collect();
    Ok(Written { bytes: bytes(&playlist, &media)?, film: playlist, media: Some(media), pictures, notes })
}

/// The tracks beside the pictures that a stream can hold, in the order of the source.
struct Tracks<'a> {
    sound: Vec<&'a TrackInfo>,
    texts: Vec<&'a TrackInfo>,
}

impl<'a> Tracks<'a> {
    /// Finds them, and adds notes about all that a stream cannot hold.
    fn of(job: &'a Job, notes: &mut Vec<String>) -> Self {
        let film = &job.others;
        if film.chapters > 0 {
            notes.push("chapters cannot go into a stream: left out; MP4 and MKV can hold them".into());
        }
        if !film.tags.is_empty() {
            let names: Vec<&str> = film.tags.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(", ");
            notes
                .push(format!("tags ({names}) cannot go into a stream: left out; MP4 and MKV can hold them"));
        }
        let mut tracks = Self { sound: Vec::new(), texts: Vec::new() };
        for track in &film.tracks {
            match track.kind {
                TrackKind::Audio => tracks.sound.push(track),
                TrackKind::Subtitle if track.text => tracks.texts.push(track),
                // data tracks get no note, because no container takes them
                TrackKind::Data => {}
                _ => notes.push(format!("{track} cannot go into a stream: left out; MKV can hold it")),
            }
        }
        if !film.seekable {
            let all = tracks.sound.iter().chain(&tracks.texts).count();
            tracks.sound.clear();
            tracks.texts.retain(|track| track.is_beside());
            if tracks.texts.len() < all {
                notes.push(
                    "only the video is written: the source is a pipe, which cannot be read a second time"
                        .into(),
                );
            }
        }
        tracks
    }
}

/// Returns what playlists say of tracks of sound.
fn described_sounds(written: Vec<WrittenSound<'_>>, notes: &mut Vec<String>) -> Vec<Sound> {
    let (mut sounds, mut names): (Vec<Sound>, Vec<String>) = Default::default();
    // One of them has to be it, because players that know no other choice play none else.
    let default = written.iter().position(|sound| sound.track.marks.has(TrackMark::Default)).unwrap_or(0);
    for (number, WrittenSound { folder, track, channels, sample_rate, codec, segments }) in
        written.into_iter().enumerate()
    {
        let language = track.language.as_deref().and_then(language_tag);
        let name = track_name(track.title.as_deref(), language.as_deref(), "Sound", &names);
        names.push(name.clone());
        sounds.push(Sound {
            folder,
            segments,
            codec,
            name,
            language,
            channels,
            sample_rate,
            default: number == default,
            describes_video: track.marks.has(TrackMark::VisualImpaired),
        });
        notes.extend(lost_marks(track, &[TrackMark::Default, TrackMark::VisualImpaired]));
    }
    sounds
}

/// Returns what playlists say of tracks of subtitles.
fn described_texts(written: Vec<WrittenTexts<'_>>, notes: &mut Vec<String>) -> Vec<Texts> {
    let (mut all, mut names): (Vec<Texts>, Vec<String>) = Default::default();
    // More than one of a group must not be it (RFC 8216, 4.3.4.1.1).
    let default = written.iter().position(|texts| texts.track.marks.has(TrackMark::Default));
    for (number, WrittenTexts { folder, track, segments }) in written.into_iter().enumerate() {
        let language = track.language.as_deref().and_then(language_tag);
        let name = track_name(track.title.as_deref(), language.as_deref(), "Subtitles", &names);
        names.push(name.clone());
        all.push(Texts {
            folder,
            segments,
            name,
            language,
            default: default == Some(number),
            forced: track.marks.has(TrackMark::Forced),
            describes_sound: track.marks.has(TrackMark::HearingImpaired),
        });
        let held = [TrackMark::Default, TrackMark::Forced, TrackMark::HearingImpaired];
        notes.extend(lost_marks(track, &held));
    }
    all
}

/// Returns what is told of a track with marks that playlists have no word for.
fn lost_marks(track: &TrackInfo, held: &[TrackMark]) -> Option<String> {
    let lost = TrackMark::ALL.into_iter().filter(|mark| track.marks.has(*mark) && !held.contains(mark));
    let lost: Vec<&str> = lost.map(TrackMark::name).collect();
    (!lost.is_empty()).then(|| format!("{track}: its mark as {} cannot go into a stream", lost.join(", ")))
}

/// Returns the bytes of all files.
fn bytes(playlist: &Path, media: &Path) -> Result<u64, ExportError> {
    let mut bytes = size(playlist)?;
    for folder in folders(media)?.iter().chain([&media.to_owned()]) {
        for file in entries(folder)?.iter().filter(|file| file.is_file()) {
            bytes += size(file)?;
        }
    }
    Ok(bytes)
}

/// Returns the folders in a folder of media.
fn folders(media: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let mut entries = entries(media)?;
    entries.retain(|entry| entry.is_dir());
    Ok(entries)
}

/// The timing tells when media is shown on the common clock of a stream.
struct Timing<'a> {
    /// Decoding runs ahead by this much.
    depth: Time,
    /// The clock of the stream is zero at this time.
    zero: Time,
    /// Segments begin at these times.
    cuts: &'a [Time],
}

/// Writes the rendition of the pictures from the takes.
fn pictures(
    film: &Film<'_>,
    folder: PathBuf,
    timing: &Timing<'_>,
    stop: &StopFlag,
) -> Result<(FormatDescription, Vec<Segment>), ExportError> {
    let mut samples = film.samples()?;
    let format = samples.format.clone();
    let video = &film.job.source.video;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(format.clone()));
    let options = |options: &mut retake_asset::InputOptions| {
        options.frame_rate = Some(video.frame_rate);
        options.transform = video.display_matrix;
        options.reorder_delay = Some(timing.depth);
    };
    let mut rendition =
        Rendition::create(folder, input, options, timing.zero, Cuts { at: timing.cuts, step: None })?;
    while let Some(sample) = samples.next()? {
        stop.check()?;
        rendition.append(sample, stop)?;
    }
    Ok((format, rendition.finish()?))
}

/// Returns how long after zero the film must begin, because sound needs less than a second before it is
/// heard, and pictures need the depth of their reordering.
fn start_delay(depth: Time) -> Time {
    Time::new((depth.seconds().ceil() as i64).max(1), 1)
}

/// Returns the size at which pictures are shown, in pixels.
fn shown_size(format: &FormatDescription, rotation: i32) -> (u32, u32) {
    let aspect = Some(format.pixel_aspect_ratio).filter(|aspect| aspect.is_positive());
    let aspect = aspect.unwrap_or(Rational::new(1, 1)).to_f64();
    let size = ((f64::from(format.width) * aspect).round() as u32, format.height);
    if rotation % 180 == 90 { (size.1, size.0) } else { size }
}

/// Returns the name of the next track of a group: its title, or its language where the title shows nothing,
/// or else its kind. Names of one group must differ, and players list them, so that none may be empty
/// (RFC 8216, 4.3.4.1).
fn track_name(title: Option<&str>, language: Option<&str>, kind: &str, before: &[String]) -> String {
    let shown = |name: &&str| !playlist::quoted(name).trim().is_empty();
    let name = title.filter(shown).or(language.filter(shown)).unwrap_or(kind);
    if before.iter().any(|other| other == name) {
        format!("{name} ({})", before.len() + 1)
    } else {
        name.to_owned()
    }
}

/// Escapes a name as part of a URI: characters with a meaning there are written as numbers (RFC 3986).
fn escaped(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.iter()
        .map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let entries = durable::entries(folder).map_err(ExportError::file(folder, "reading a folder"))?;
    Ok(entries.iter().map(fs::DirEntry::path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_of_sound_have_names_that_are_seen_and_differ() {
        let mut names: Vec<String> = Vec::new();
        for (title, language, expected) in [
            (Some("Director"), Some("en"), "Director"),
            (Some(""), Some("fr"), "fr"),
            (Some(" \n\""), None, "Sound"),
            (None, Some(""), "Sound (4)"),
            (None, Some("fr"), "fr (5)"),
        ] {
            let name = track_name(title, language, "Sound", &names);
            assert_eq!(name, expected, "{title:?} {language:?}");
            names.push(name);
        }
    }

    #[test]
    fn names_with_meaning_are_escaped() {
        assert_eq!(escaped("my film #1 é.media".as_bytes()), "my%20film%20%231%20%C3%A9.media");
    }
}
