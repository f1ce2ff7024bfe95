//! This module writes the tracks of sound of a stream.

use super::codecs;
use super::names::SOUND;
use super::rendition::{Cuts, Rendition, Segment};
use crate::error::ExportError;
use crate::job::plan::LONGEST_SEGMENT;
use crate::stop::StopFlag;
use retake_asset::{AssetWriterInput, TrackFormat};
use retake_compression::durable::uninterrupted;
use retake_libav::{FilmInfo, SoundReader, TrackInfo, TrackKind};
use retake_media::Time;
use std::fs;
use std::path::Path;

/// These are the tracks of sound that a stream can hold, and their names in playlists.
pub(super) struct Sounds<'a> {
    reader: SoundReader,
    tracks: Vec<(&'a TrackInfo, String)>,
}

/// This is a track of sound that was written.
pub(super) struct WrittenSound<'a> {
    pub(super) folder: String,
    pub(super) track: &'a TrackInfo,
    pub(super) codec: String,
    pub(super) segments: Vec<Segment>,
}

impl<'a> Sounds<'a> {
    /// Finds the tracks, and adds notes about all other tracks. Returns `None` if there are none.
    pub(super) fn find(film: &'a FilmInfo, notes: &mut Vec<String>) -> Result<Option<Self>, ExportError> {
        if film.chapters > 0 {
            notes.push("chapters cannot go into a stream: left out; MP4 and MKV can hold them".into());
        }
        if !film.tags.is_empty() {
            let names: Vec<&str> = film.tags.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(", ");
            notes
                .push(format!("tags ({names}) cannot go into a stream: left out; MP4 and MKV can hold them"));
        }
        let (mut sounds, others): (Vec<_>, Vec<_>) =
            film.tracks.iter().partition(|track| track.kind == TrackKind::Audio);
        // a damaged or empty track may have no format, and its segments would be refused after all the work
        sounds.retain(|track| {
            let described = track.sample_rate > 0 && track.channels > 0;
            if !described {
                notes.push(format!("{track} is left out: its description is damaged (it has no rate)"));
            }
            described
        });
        // data tracks get no note, because no container takes them
        for track in others.iter().filter(|track| track.kind != TrackKind::Data) {
            notes.push(format!("{track} cannot go into a stream: left out; MKV can hold it"));
        }
        if sounds.is_empty() {
            return Ok(None);
        }
        if !film.seekable {
            notes.push(
                "only the video is written: the source is a pipe, which cannot be read a second time".into(),
            );
            return Ok(None);
        }
        let numbers: Vec<u32> = sounds.iter().map(|track| track.index).collect();
        let reader = SoundReader::open(film, &numbers)?;
        let formats = (0..sounds.len()).map(|index| reader.format(index));
        let codecs: Vec<_> = formats.map(|format| (format.is_described(), codecs::sound(format))).collect();
        let mut kept = Vec::new();
        for (track, (described, codec)) in sounds.into_iter().zip(codecs) {
            match codec {
                Some(_) if !described => {
                    notes.push(format!("{track} is left out: its description is damaged"));
                }
                Some(codec) => kept.push((track, codec)),
                None => notes.push(format!("{track} cannot go into a stream: left out; MKV can hold it")),
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let numbers: Vec<u32> = kept.iter().map(|(track, _)| track.index).collect();
        Ok(Some(Self { reader: SoundReader::open(film, &numbers)?, tracks: kept }))
    }

    /// Writes all tracks in one reading, cut at the same times as the pictures, and regularly behind the last
    /// of them. A track without samples is left out. What became of samples otherwise is added to the notes.
    pub(super) fn write(
        self,
        start: Time,
        media: &Path,
        cuts: &[Time],
        notes: &mut Vec<String>,
        stop: &StopFlag,
    ) -> Result<Vec<WrittenSound<'a>>, ExportError> {
        let Self { mut reader, tracks } = self;
        let mut renditions = Vec::new();
        for number in 0..tracks.len() {
            let input = AssetWriterInput::passthrough(TrackFormat::Audio(reader.format(number).clone()));
            let folder = media.join(format!("{SOUND}{}", number + 1));
            let cuts = Cuts { at: cuts, step: Some(Time::new(LONGEST_SEGMENT, 1)) };
            renditions.push(Rendition::create(folder, input, |_| (), start, cuts)?);
        }
        while let Some((track, sample)) = reader.next()? {
            stop.check()?;
            renditions[track].append(sample, stop)?;
        }
        notes.extend(reader.notes().iter().map(ToString::to_string));
        let mut written = Vec::new();
        for (number, (rendition, (track, codec))) in renditions.into_iter().zip(tracks).enumerate() {
            let (segments, folder) = (rendition.finish()?, format!("{SOUND}{}", number + 1));
            if segments.is_empty() {
                let path = media.join(folder);
                uninterrupted(|| fs::remove_dir(&path))
                    .map_err(ExportError::file(&path, "removing an empty folder"))?;
            } else {
                written.push(WrittenSound { folder, track, codec, segments });
            }
        }
        Ok(written)
    }
}
