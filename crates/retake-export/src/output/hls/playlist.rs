//! This module writes the text of playlists (RFC 8216, and its successor in draft).

use super::names::{INDEX, INIT, SYNC_FRAMES, TEXTS};
use super::rendition::Segment;
use super::stream::Stream;
use std::fmt::{Display, Write};

/// The version must be 7 for `EXT-X-MAP` outside of lists of sync frames, and for attributes that came later.
const HEAD: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n";

/// Makes the media playlist of a rendition that has ended.
pub(super) fn media(segments: &[Segment]) -> String {
    let mut text = begin(segments, true);
    for segment in segments {
        line(&mut text, format_args!("#EXTINF:{:.6},", segment.seconds));
        line(&mut text, segment.name());
    }
    text + "#EXT-X-ENDLIST\n"
}

/// Makes the media playlist of a track of subtitles.
pub(super) fn texts(segments: &[Segment]) -> String {
    let mut text = begin(segments, false);
    for segment in segments {
        line(&mut text, format_args!("#EXTINF:{:.6},", segment.seconds));
        line(&mut text, texts_name(segment.number));
    }
    text + "#EXT-X-ENDLIST\n"
}

/// Returns the name of a segment of subtitles by its number.
pub(super) fn texts_name(number: usize) -> String {
    format!("{number:05}{TEXTS}")
}

/// Makes the playlist of the sync frames that segments begin with, for players that show pictures while they
/// search. A piece is a segment up to the end of its first frame. Returns `None` if a segment does not tell
/// where that lies.
pub(super) fn sync_frames(segments: &[Segment]) -> Option<String> {
    let mut text = begin(segments, true) + "#EXT-X-I-FRAMES-ONLY\n";
    for segment in segments {
        line(&mut text, format_args!("#EXTINF:{:.6},", segment.seconds));
        line(&mut text, format_args!("#EXT-X-BYTERANGE:{}@0", segment.first_frame?));
        line(&mut text, segment.name());
    }
    Some(text + "#EXT-X-ENDLIST\n")
}

/// Makes the head of a media playlist, whose segments need an initialization segment or not.
fn begin(segments: &[Segment], initialized: bool) -> String {
    let mut text = HEAD.to_owned();
    line(&mut text, format_args!("#EXT-X-TARGETDURATION:{}", target(segments)));
    text += "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    if initialized {
        line(&mut text, format_args!("#EXT-X-MAP:URI=\"{INIT}\""));
    }
    text
}

/// Returns the target duration: no segment is longer, rounded to whole seconds.
fn target(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.seconds.round() as u64).max().unwrap_or(0).max(1)
}

/// A bit rate holds the bits a second of a rendition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BitRate {
    /// This is the largest rate of any run of segments that is half to one and a half times as long as the
    /// target.
    pub(super) peak: u64,
    pub(super) average: u64,
}

impl BitRate {
    pub(super) fn of(pieces: &[(f64, u64)], target: f64) -> Self {
        let rate = |seconds: f64, bytes: u64| (bytes as f64 * 8.0 / seconds.max(1e-3)).ceil() as u64;
        let (mut seconds, mut bytes) = (0.0, 0);
        pieces.iter().for_each(|piece| (seconds, bytes) = (seconds + piece.0, bytes + piece.1));
        let average = rate(seconds, bytes);
        let mut peak = average;
        for start in 0..pieces.len() {
            let (mut seconds, mut bytes) = (0.0, 0);
            for piece in &pieces[start..] {
                (seconds, bytes) = (seconds + piece.0, bytes + piece.1);
                if seconds > 1.5 * target {
                    break;
                }
                if seconds >= 0.5 * target {
                    peak = peak.max(rate(seconds, bytes));
                }
            }
        }
        Self { peak, average }
    }

    pub(super) fn of_segments(segments: &[Segment]) -> Self {
        let pieces: Vec<_> = segments.iter().map(|segment| (segment.seconds, segment.bytes)).collect();
        Self::of(&pieces, target(segments) as f64)
    }

    pub(super) fn of_sync_frames(segments: &[Segment]) -> Self {
        let piece = |segment: &Segment| (segment.seconds, segment.first_frame.unwrap_or(0));
        Self::of(&segments.iter().map(piece).collect::<Vec<_>>(), target(segments) as f64)
    }
}

/// Makes the playlist that names all others. `media` is the folder of media as part of an address.
pub(super) fn master(stream: &Stream, media: &str) -> String {
    let Stream { variants, sounds, texts, .. } = stream;
    let uri = |folder: &str, file: &str| format!("{media}/{folder}/{file}");
    let mut text = HEAD.to_owned();
    for sound in sounds {
        let mut entry = rendition("AUDIO", "sound", &sound.name, sound.language.as_deref(), sound.default);
        if sound.describes_video {
            entry += ",CHARACTERISTICS=\"public.accessibility.describes-video\"";
        }
        if sound.channels > 0 {
            let _ = write!(entry, ",CHANNELS=\"{}\"", sound.channels);
        }
        line(&mut text, format_args!("{entry},URI=\"{}\"", uri(&sound.folder, INDEX)));
    }
    for track in texts {
        let (name, language) = (&track.name, track.language.as_deref());
        let mut entry = rendition("SUBTITLES", "subtitles", name, language, track.default);
        if track.forced {
            entry += ",FORCED=YES";
        }
        if track.describes_sound {
            entry += ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,\
                      public.accessibility.describes-music-and-sound\"";
        }
        line(&mut text, format_args!("{entry},URI=\"{}\"", uri(&track.folder, INDEX)));
    }
    // A player may take any of the sounds and of the subtitles beside the pictures.
    let most = |rate: fn(&BitRate) -> u64| {
        let sound = sounds.iter().map(|sound| rate(&BitRate::of_segments(&sound.segments))).max();
        let texts = texts.iter().map(|texts| rate(&BitRate::of_segments(&texts.segments))).max();
        sound.unwrap_or(0) + texts.unwrap_or(0)
    };
    for video in variants {
        let rate = video.rate();
        let mut codecs: Vec<&str> = video.codec.iter().map(String::as_str).collect();
        for sound in sounds {
            if !codecs.contains(&sound.codec.as_str()) {
                codecs.push(&sound.codec);
            }
        }
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}",
            rate.peak + most(|rate| rate.peak),
            rate.average + most(|rate| rate.average)
        );
        // a list that lacks one of the formats would be worse than none
        if video.codec.is_some() {
            let _ = write!(text, ",CODECS=\"{}\"", codecs.join(","));
        }
        let (width, height) = video.size;
        let _ = write!(text, ",RESOLUTION={width}x{height},FRAME-RATE={:.3}", video.frame_rate.to_f64());
        let _ = write!(text, ",VIDEO-RANGE={}", video.range());
        if !sounds.is_empty() {
            text += ",AUDIO=\"sound\"";
        }
        if !texts.is_empty() {
            text += ",SUBTITLES=\"subtitles\"";
        }
        line(&mut text, format_args!("\n{}", uri(&video.folder, INDEX)));
    }
    for video in variants.iter().filter(|video| video.sync_frames) {
        let (uri, rate) = (uri(&video.folder, SYNC_FRAMES), BitRate::of_sync_frames(&video.segments));
        let codec = video.codec.iter().map(|codec| format!(",CODECS=\"{codec}\"")).collect::<String>();
        let (width, height) = video.size;
        line(
            &mut text,
            format_args!(
                "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}{codec},RESOLUTION={width}x{height},VIDEO-RANGE={},URI=\"{uri}\"",
                rate.peak,
                rate.average,
                video.range()
            ),
        );
    }
    text
}

/// Begins the line of a rendition in a group. Players may take each of them without being told, by what
/// people prefer.
fn rendition(kind: &str, group: &str, name: &str, language: Option<&str>, default: bool) -> String {
    let mut text = format!("#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{group}\",NAME=\"{}\"", quoted(name));
    if let Some(language) = language {
        let _ = write!(text, ",LANGUAGE=\"{}\"", quoted(language));
    }
    let default = if default { "YES" } else { "NO" };
    let _ = write!(text, ",DEFAULT={default},AUTOSELECT=YES");
    text
}

/// Replaces quotes and control characters by spaces, because a text between quotes cannot hold them.
pub(super) fn quoted(text: &str) -> String {
    text.chars().map(|c| if c == '"' || c.is_control() { ' ' } else { c }).collect()
}

fn line(text: &mut String, line: impl Display) {
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A burst that lasts half a target duration counts; a shorter one is averaged with its neighbours.
    #[test]
    fn peaks_are_of_runs_about_as_long_as_a_segment() {
        let rate = |pieces: &[(f64, u64)]| BitRate::of(pieces, 6.0);
        assert_eq!(rate(&[(6.0, 600), (6.0, 1200), (6.0, 600)]), BitRate { peak: 1600, average: 1067 });
        assert_eq!(rate(&[(6.0, 600), (2.0, 800), (6.0, 600)]).peak, 1400);
        assert_eq!(rate(&[(1.0, 100)]), BitRate { peak: 800, average: 800 });
    }
}
