//! A door for fuzzing to the text of playlists, and to files of chapters. It is no part of the interface: it
//! is compiled with `cfg(fuzzing)` alone.

use super::playlist::{self, BitRate};
use super::rendition::Segment;
use super::stream::{Sound, Stream, Variant};
use super::{codecs, dash};
use retake_media::{Codec, Colour, FormatDescription, Rational, Time};

/// Makes the playlist that names all others and the manifest, for tracks of sound with these names and
/// languages.
pub fn master(sounds: &[(String, Option<String>)]) -> String {
    let segment = Segment {
        number: 1,
        bytes: 400_000,
        seconds: 4.0,
        first_frame: Some(40_000),
        starts: Time::ZERO,
        ends: Time::new(4, 1),
    };
    let format = FormatDescription {
        codec: Codec::H264,
        width: 1280,
        height: 720,
        config: vec![1, 0x64, 0, 0x28],
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        clean_aperture: None,
        fields: None,
        gamma: None,
        icc_profile: None,
        mastering_display: None,
        content_light: None,
        dolby_vision: None,
    };
    let video = Variant {
        folder: "video".to_owned(),
        segments: vec![segment.clone()],
        sync_frames: true,
        codec: codecs::video(&format),
        size: (1280, 720),
        format,
        frame_rate: Rational::new(24000, 1001),
    };
    let sound = |(number, (name, language)): (usize, &(String, Option<String>))| Sound {
        folder: format!("sound-{number}"),
        segments: vec![segment.clone()],
        codec: "mp4a.40.2".to_owned(),
        name: name.clone(),
        language: language.clone(),
        channels: 2,
        sample_rate: 48_000,
        default: number == 0,
        describes_video: false,
    };
    let stream = Stream {
        variants: vec![video],
        sounds: sounds.iter().enumerate().map(sound).collect(),
        texts: Vec::new(),
        zero: Time::ZERO,
        start: Time::ZERO,
    };
    assert!(dash::manifest(&stream).is_some());
    playlist::master(&stream, "film.media")
}

/// Reads a file of chapters: the nanosecond and the name of each, or the line that is none.
pub fn chapters(text: &str) -> Result<Vec<(i64, String)>, (usize, &'static str)> {
    let told = |chapter: retake_media::Caption| (chapter.range.start.value(), chapter.text);
    crate::job::chapters::parse(text).map(|chapters| chapters.into_iter().map(told).collect())
}

/// Makes the playlist of segments with these seconds and bytes.
pub fn media(segments: &[(f64, u64)]) -> String {
    let segment = |(number, (seconds, bytes)): (usize, &(f64, u64))| Segment {
        number: number + 1,
        bytes: *bytes,
        seconds: *seconds,
        first_frame: Some(bytes / 2),
        starts: Time::ZERO,
        ends: Time::ZERO,
    };
    let segments: Vec<_> = segments.iter().enumerate().map(segment).collect();
    let (rate, sync_frames) = (BitRate::of_segments(&segments), BitRate::of_sync_frames(&segments));
    assert!(rate.average <= rate.peak && sync_frames.average <= sync_frames.peak);
    assert!(playlist::sync_frames(&segments).is_some());
    playlist::media(&segments)
}
