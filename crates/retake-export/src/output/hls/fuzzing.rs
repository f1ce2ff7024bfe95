//! A door for fuzzing to the text of playlists, and to files of chapters. It is no part of the interface: it
//! is compiled with `cfg(fuzzing)` alone.

use super::playlist::{self, BitRate, Sound, Variant};
use super::rendition::Segment;
use retake_media::{Rational, Time};

/// Makes the playlist that names all others, for tracks of sound with these names and languages.
pub fn master(sounds: &[(String, Option<String>)]) -> String {
    let video = Variant {
        uri: "video/index.m3u8".to_owned(),
        rate: BitRate { peak: 900_000, average: 800_000 },
        sync_frames: Some(("video/sync.m3u8".to_owned(), BitRate { peak: 90_000, average: 80_000 })),
        codec: Some("avc1.640028".to_owned()),
        size: (1280, 720),
        frame_rate: Rational::new(24000, 1001),
        range: "SDR",
    };
    let sound = |(number, (name, language)): (usize, &(String, Option<String>))| Sound {
        uri: format!("sound-{number}/index.m3u8"),
        rate: BitRate { peak: 128_000, average: 96_000 },
        codec: "mp4a.40.2".to_owned(),
        name: name.clone(),
        language: language.clone(),
        channels: 2,
        default: number == 0,
        describes_video: false,
    };
    playlist::master(&[video], &sounds.iter().enumerate().map(sound).collect::<Vec<_>>(), &[])
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
