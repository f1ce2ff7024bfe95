//! This module writes the tracks of sound of a stream.

use super::codecs;
use super::names::SOUND;
use super::rendition::{Cuts, Rendition, Segment};
use crate::error::ExportError;
use crate::job::Job;
use crate::job::plan::LONGEST_SEGMENT;
use crate::sound::encode::EncodedSound;
use crate::sound::plan::SoundEncoding;
use crate::stop::StopFlag;
use retake_asset::{AssetWriterInput, SoundSamples, TrackFormat};
use retake_compression::durable::uninterrupted;
use retake_libav::{SoundReader, TrackInfo};
use retake_media::{AudioFormat, Time};
use std::fs;
use std::path::Path;

/// These are the tracks of sound that a stream can hold, in the order of the source.
pub(super) struct Sounds<'a> {
    /// They read those that are copied: those of the source together, and each of another file alone. Each
    /// comes with the numbers of its tracks.
    readers: Vec<(SoundReader, Vec<u32>)>,
    tracks: Vec<Sound<'a>>,
}

/// This is a track of sound that a stream can hold.
struct Sound<'a> {
    track: &'a TrackInfo,
    /// Its name in playlists.
    codec: String,
    /// How it is encoded; `None` for one that is copied.
    encoding: Option<&'a SoundEncoding>,
}

/// This is a track of sound that was written.
pub(super) struct WrittenSound<'a> {
    pub(super) folder: String,
    pub(super) track: &'a TrackInfo,
    pub(super) channels: u32,
    pub(super) sample_rate: u32,
    pub(super) codec: String,
    pub(super) segments: Vec<Segment>,
}

impl<'a> Sounds<'a> {
    /// Finds what becomes of these tracks, and adds notes about those that are left out. Returns `None` if
    /// all are.
    pub(super) fn find(
        job: &'a Job,
        mut sounds: Vec<&'a TrackInfo>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Self>, ExportError> {
        let (film, plan) = (&job.others, &job.sound);
        // a damaged or empty track may have no format, and its segments would be refused after all the work
        sounds.retain(|track| {
            let described = track.sample_rate > 0 && track.channels > 0;
            if !described {
                notes.push(format!("{track} is left out: its description is damaged (it has no rate)"));
            }
            described
        });
        if sounds.is_empty() {
            return Ok(None);
        }
        let encoding = |track: &TrackInfo| plan.becomes(track.index).encoding();
        let copied = |tracks: &[&TrackInfo]| -> Vec<u32> {
            let copied = tracks.iter().filter(|track| encoding(track).is_none());
            copied.map(|track| track.index).collect()
        };
        let is_beside =
            |number: &u32| film.tracks.iter().any(|track| track.index == *number && track.is_beside());
        let open = |numbers: Vec<u32>| {
            let (beside, own): (Vec<u32>, Vec<u32>) = numbers.into_iter().partition(is_beside);
            let groups = [own].into_iter().chain(beside.into_iter().map(|number| vec![number]));
            let groups = groups.filter(|numbers| !numbers.is_empty());
            groups
                .map(|numbers| Ok((SoundReader::open(film, &numbers)?, numbers)))
                .collect::<Result<Vec<_>, ExportError>>()
        };
        let readers = open(copied(&sounds))?;
        let format = |track: &TrackInfo| {
            readers.iter().find_map(|(reader, numbers)| {
                let index = numbers.iter().position(|number| *number == track.index)?;
                Some(reader.format(index))
            })
        };
        let mut kept = Vec::new();
        for track in sounds {
            if let Some(encoding) = encoding(track) {
                let samples = SoundSamples::open(&encoding.settings)?;
                let codec = codecs::sound(samples.format());
                let unknown = || ExportError::Internal("encoded sound has no name in playlists".into());
                kept.push(Sound { track, codec: codec.ok_or_else(unknown)?, encoding: Some(encoding) });
                continue;
            }
            let Some(format) = format(track) else { continue };
            match codecs::sound(format) {
                Some(_) if !format.is_described() => {
                    notes.push(format!("{track} is left out: its description is damaged"));
                }
                Some(codec) => kept.push(Sound { track, codec, encoding: None }),
                None => notes.push(format!("{track} cannot go into a stream: left out; MKV can hold it")),
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let tracks: Vec<&TrackInfo> = kept.iter().map(|sound| sound.track).collect();
        Ok(Some(Self { readers: open(copied(&tracks))?, tracks: kept }))
    }

    /// Writes all tracks, cut at the same times as the pictures, and regularly behind the last of them: those
    /// that are copied in one reading of each file, and then each that is encoded. A track without samples is
    /// left out. What became of samples otherwise is added to the notes.
    pub(super) fn write(
        self,
        job: &Job,
        start: Time,
        media: &Path,
        cuts: &[Time],
        notes: &mut Vec<String>,
        stop: &StopFlag,
    ) -> Result<Vec<WrittenSound<'a>>, ExportError> {
        let Self { readers, tracks } = self;
        let create = |number: usize, format: &AudioFormat| {
            let input = AssetWriterInput::passthrough(TrackFormat::Audio(format.clone()));
            let folder = media.join(format!("{SOUND}{}", number + 1));
            let cuts = Cuts { at: cuts, step: Some(Time::new(LONGEST_SEGMENT, 1)) };
            Rendition::create(folder, input, |_| (), start, cuts)
        };
        let mut finished: Vec<Option<(Vec<Segment>, [u32; 2])>> = tracks.iter().map(|_| None).collect();
        for (mut reader, indices) in readers {
            let place = |index: &u32| tracks.iter().position(|sound| sound.track.index == *index);
            let numbers: Vec<usize> = indices.iter().filter_map(place).collect();
            let mut renditions = Vec::new();
            for (index, &number) in numbers.iter().enumerate() {
                renditions.push(create(number, reader.format(index))?);
            }
            while let Some((track, sample)) = reader.next()? {
                stop.check()?;
                renditions[track].append(sample, stop)?;
            }
            notes.extend(reader.notes().iter().map(ToString::to_string));
            for (rendition, number) in renditions.into_iter().zip(numbers) {
                let TrackInfo { channels, sample_rate, .. } = *tracks[number].track;
                finished[number] = Some((rendition.finish()?, [channels, sample_rate]));
            }
        }
        for (number, sound) in tracks.iter().enumerate() {
            let Some(encoding) = sound.encoding else { continue };
            let mut encoded = EncodedSound::open(&job.others, (sound.track, encoding), &job.sound, 0, stop)?;
            let mut rendition = create(number, encoded.format())?;
            while let Some(sample) = encoded.next(stop)? {
                // what is trimmed lies in front of the film on the clock of the stream, which has no edits
                rendition.append(sample.sample, stop)?;
            }
            notes.extend(encoded.notes());
            let AudioFormat { channels, sample_rate, .. } = *encoded.format();
            finished[number] = Some((rendition.finish()?, [channels, sample_rate]));
        }
        let mut written = Vec::new();
        for (number, (sound, finished)) in tracks.into_iter().zip(finished).enumerate() {
            let folder = format!("{SOUND}{}", number + 1);
            let Some((segments, [channels, sample_rate])) = finished else { continue };
            if segments.is_empty() {
                let path = media.join(folder);
                uninterrupted(|| fs::remove_dir(&path))
                    .map_err(ExportError::file(&path, "removing an empty folder"))?;
            } else {
                let Sound { track, codec, .. } = sound;
                written.push(WrittenSound { folder, track, channels, sample_rate, codec, segments });
            }
        }
        Ok(written)
    }
}
