//! Reads compressed samples of one track without decoding them.

use crate::access::Bytes;
use crate::adts;
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackKind, ticks_to_time};
use crate::input::Input;
use crate::metadata_keys;
use crate::track_format::TrackFormat;
use retake_media::{
    Caption, Codec, FormatDescription, MetadataFormat, Rational, Sample, SampleKind, TextFormat, Time,
    TimecodeFormat,
};
use std::path::PathBuf;
use std::str::FromStr;

/// Gives out the samples of one track as the container holds them, without decoding.
///
/// Decode times are the container's own, not those of rule T-2.
pub struct TrackReader {
    file: PathBuf,
    stream: u32,
    input: Input,
    format: TrackFormat,
    time_base: Rational,
    /// Whether decoding can start at every sample.
    all_sync: bool,
    /// Whether its packets have headers that are taken off.
    headers: bool,
    samples: u64,
}

impl TrackReader {
    /// Opens the video, or a track of sound, text, closed captions, timecodes or timed metadata, by its
    /// number in the file, at its first sample. Of text and metadata, samples that hold nothing stand between
    /// those that do.
    ///
    /// # Errors
    /// Returns [`MediaError::NoDecoder`] if it is video of a codec that is none of [`Codec::ALL`], subtitles
    /// that are pictures, metadata whose keys cannot be read, or any other track; else fails like
    /// [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo, track: u32) -> Result<Self, MediaError> {
        let file = info.path.clone();
        let other = info.tracks.iter().find(|other| other.index == track);
        let kind = other.map_or(TrackKind::Video, |other| other.kind);
        let named = match other {
            Some(other) if kind != TrackKind::Audio => other.to_string(),
            Some(other) => other.codec.clone(),
            None => info.unfiltered().codec.clone(),
        };
        let time_base = other.map_or(info.unfiltered().time_base, |other| other.time_base);
        let unknown = || MediaError::NoDecoder { file: file.clone(), codec: named.clone() };
        let mut input = Input::open_again(info)?;
        input.select(|index| index == track);
        let mut headers = false;
        let codec = other.map_or("", |other| other.codec.as_str());
        let format = match kind {
            TrackKind::Audio => {
                let mut format = input.audio(track).ok_or_else(unknown)?;
                headers = !adts::find(&mut input, &mut [(track, &mut format)]).is_empty();
                TrackFormat::Audio(format)
            }
            TrackKind::Video if other.is_none() => {
                TrackFormat::Video(video_format(info, input.extradata(track)).ok_or_else(unknown)?)
            }
            TrackKind::Subtitle if codec == "eia_608" => TrackFormat::ClosedCaptions,
            TrackKind::Subtitle => TrackFormat::Text(text_format(codec).ok_or_else(unknown)?),
            TrackKind::Data if codec == "tmcd" => {
                TrackFormat::Timecode(timecode_format(&input.extradata(track)).ok_or_else(unknown)?)
            }
            TrackKind::Data if codec == "mebx" => {
                let number = u32::try_from(input.stream(track).id).map_err(|_| unknown())?;
                TrackFormat::Metadata(metadata_format(info, number)?.ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        };
        let all_sync = !matches!(format, TrackFormat::Video(_));
        Ok(Self { file, stream: track, input, format, time_base, all_sync, headers, samples: 0 })
    }

    /// Returns the description that the samples are decoded with. The configuration is the container's own.
    pub fn format(&self) -> &TrackFormat {
        &self.format
    }

    /// Returns the next sample, in decode order; `None` after the last.
    ///
    /// # Errors
    /// Returns [`MediaError::Read`] or [`MediaError::Internal`].
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<Sample>, MediaError> {
        let packet = loop {
            match self.input.read() {
                // Opening read packets of all tracks, and they are given out again here.
                Ok(Some(packet)) if packet.stream() != self.stream => {}
                Ok(Some(packet)) => break packet,
                Ok(None) => return Ok(None),
                Err(failure) => return Err(self.error(&failure)),
            }
        };
        self.samples += 1;
        let time =
            |ticks: Option<i64>| ticks.map_or(Time::INVALID, |ticks| ticks_to_time(ticks, self.time_base));
        let data = if self.headers { adts::without_header(packet.data()) } else { packet.data() };
        Ok(Some(Sample {
            data: data.to_vec(),
            pts: time(packet.pts()),
            dts: time(packet.dts()),
            duration: time(Some(packet.duration()).filter(|&ticks| ticks > 0)),
            kind: if self.all_sync || packet.is_key() { SampleKind::Sync } else { SampleKind::Reference },
        }))
    }

    fn error(&self, failure: &Failure) -> MediaError {
        MediaError::read(&self.file, self.samples, self.input.position(), failure)
    }
}

/// Reads the chapters of a film, each with its name and the time for which it lasts, in the container's
/// order. A duration that is not known is [`Time::INVALID`].
///
/// # Errors
/// Fails like [`probe`](crate::probe()), and with [`MediaError::SourceChanged`].
pub fn chapters(info: &FilmInfo) -> Result<Vec<Caption>, MediaError> {
    Ok(Input::open_again(info)?.chapters())
}

/// Reads the keys of a track of metadata, by the number that the file has for it.
fn metadata_format(info: &FilmInfo, number: u32) -> Result<Option<MetadataFormat>, MediaError> {
    let (file, access) = (&info.path, &info.access);
    let mut bytes = Bytes::open(file, access)?;
    metadata_keys::read(&mut bytes, number, &|| access.is_interrupted()).map_err(|source| {
        match access.is_interrupted() {
            true => MediaError::Interrupted { file: file.clone() },
            false => MediaError::Open { file: file.clone(), source },
        }
    })
}

fn text_format(codec: &str) -> Option<TextFormat> {
    Some(match codec {
        "mov_text" => TextFormat::TimedText,
        "subrip" => TextFormat::SubRip,
        "webvtt" => TextFormat::WebVtt,
        _ => return None,
    })
}

/// Reads the description of timecodes, as QuickTime files have it: reserved bytes, flags, the time scale, the
/// duration of a frame, and how many frames are counted in a second.
fn timecode_format(entry: &[u8]) -> Option<TimecodeFormat> {
    let number = |at: usize| Some(u32::from_be_bytes(entry.get(at..at + 4)?.try_into().ok()?));
    let (flags, scale, duration) = (number(4)?, i32::try_from(number(8)?).ok()?, number(12)?);
    let format = TimecodeFormat::new(Time::new(duration.into(), scale), flags & 1 == 1).ok()?;
    (*entry.get(16)? == format.frames_per_second()).then_some(format)
}

fn video_format(info: &FilmInfo, config: Vec<u8>) -> Option<FormatDescription> {
    let video = info.unfiltered();
    Some(FormatDescription {
        config,
        colour: video.colour,
        pixel_aspect_ratio: video.pixel_aspect_ratio,
        fields: video.fields,
        mastering_display: video.mastering_display,
        content_light: video.content_light,
        ..FormatDescription::video(Codec::from_str(&video.codec).ok()?, video.width, video.height)
    })
}

/// Gives out the compressed samples of a film's video, by a [`TrackReader`] of it.
pub struct SampleReader(TrackReader);

impl SampleReader {
    /// Opens the video at its first sample.
    ///
    /// # Errors
    /// Fails like [`TrackReader::open`].
    pub fn open(info: &FilmInfo) -> Result<Self, MediaError> {
        TrackReader::open(info, info.video.index).map(Self)
    }

    /// Returns the description that the samples are decoded with. The configuration is the container's own.
    pub fn format(&self) -> &FormatDescription {
        match self.0.format() {
            TrackFormat::Video(format) => format,
            _ => unreachable!("opened on the film's video"),
        }
    }

    /// Returns the next sample, in decode order; `None` after the last.
    ///
    /// # Errors
    /// Fails like [`TrackReader::next`].
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<Sample>, MediaError> {
        self.0.next()
    }
}
