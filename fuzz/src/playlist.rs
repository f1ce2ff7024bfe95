//! Any names, languages and lengths in playlists: another program reads what was said, and nothing else.

use crate::bytes::{Bytes, put_block};
use m3u8_rs::{AlternativeMediaType, parse_master_playlist_res, parse_media_playlist_res};
use retake_export::fuzzing;

pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let mut sounds = Vec::new();
    for _ in 0..input.byte() % 4 {
        let mut name = String::from_utf8_lossy(input.block()).into_owned();
        if name.is_empty() {
            name.push('-'); // the other program takes no empty name
        }
        let language = input.block();
        let language = (!language.is_empty()).then(|| String::from_utf8_lossy(language).into_owned());
        sounds.push((name, language));
    }
    let master = fuzzing::master(&sounds);
    let read =
        parse_master_playlist_res(master.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{master}"));
    assert_eq!(read.variants.iter().filter(|variant| !variant.is_i_frame).count(), 1, "{master}");
    assert_eq!(read.alternatives.len(), sounds.len(), "{master}");
    assert!(
        read.alternatives.iter().all(|media| media.media_type == AlternativeMediaType::Audio),
        "{master}"
    );

    let mut segments = Vec::new();
    while !input.is_empty() {
        // up to eighteen hours, in milliseconds
        segments.push((input.long().unsigned_abs() % 65_536_000, input.long().unsigned_abs() >> 16));
    }
    let segments: Vec<_> = segments.into_iter().map(|(time, bytes)| (time as f64 / 1000.0, bytes)).collect();
    let media = fuzzing::media(&segments);
    let read = parse_media_playlist_res(media.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{media}"));
    assert_eq!(read.segments.len(), segments.len(), "{media}");
    assert!(read.end_list);
    // the other program reads lengths in single precision, so that one just below a half may seem to be one
    let rounded = |length: f32| (f64::from(length) * (1.0 - f64::from(f32::EPSILON))).round();
    assert!(read.segments.iter().all(|one| rounded(one.duration) <= read.target_duration as f64), "{media}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seed = vec![2];
    for text in ["Deutsch", "de", "Director's \"cut\"", ""] {
        put_block(&mut seed, text.as_bytes());
    }
    for number in [4_000i64, 70_000 << 16, 3_520, 65_000 << 16] {
        seed.extend(number.to_le_bytes());
    }
    vec![seed]
}
