//! This module writes the manifest of MPEG-DASH (ISO 23009-1) for the segments that the playlists name.
//!
//! Its period begins with the film, so that times of the segments, which lie on the stream's common clock,
//! are later by one offset. Subtitles are a file of their own for each track, with times that count from the
//! start of the film, because players of DASH read no segments of plain WebVTT.

use super::names::{INIT, SEGMENT, WHOLE_TEXT};
use super::playlist::BitRate;
use super::rendition::Segment;
use super::stream::{Sound, Stream, Texts, Variant};
use retake_libav::common_multiple;
use retake_media::{Rational, Time};
use std::fmt::{Display, Write};

/// What a manifest uses of the standard: segments of one track that a list of times and numbers names.
const PROFILE: &str = "urn:mpeg:dash:profile:isoff-live:2011";

/// Times that have no common clock of 32 bits are rounded to this one.
const FINE: u32 = 90_000;

/// Makes the manifest. Returns `None` where a format has no name, without which players do not try it.
pub(super) fn manifest(stream: &Stream) -> Option<String> {
    let segments = stream.variants.iter().map(|video| &video.segments);
    let all = segments.clone().chain(stream.sounds.iter().map(|sound| &sound.segments));
    let end = all.clone().filter_map(|segments| segments.last()).map(|last| last.ends).max()?;
    let longest = all.flatten().map(|segment| segment.seconds).fold(0.0, f64::max);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" profiles=\"{PROFILE}\" \
         minBufferTime=\"{}\" mediaPresentationDuration=\"{}\">\n <Period id=\"1\" start=\"PT0S\">\n",
        duration(longest),
        duration((end - stream.start).seconds()),
    );
    let mut sets = 0..;
    let mut id = move || sets.next().unwrap_or(0);
    let Variant { format, .. } = stream.variants.first()?;
    line(
        &mut text,
        2,
        format_args!(
            "<AdaptationSet id=\"{}\" contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">",
            id()
        ),
    );
    if matches!(format.colour.transfer, 16 | 18) {
        let numbers = [
            ("ColourPrimaries", format.colour.primaries),
            ("TransferCharacteristics", format.colour.transfer),
            ("MatrixCoefficients", format.colour.matrix),
        ];
        for (name, number) in numbers {
            property(&mut text, 3, "SupplementalProperty", &format!("urn:mpeg:mpegB:cicp:{name}"), number);
        }
    }
    for (number, video) in stream.variants.iter().enumerate() {
        let Variant { folder, segments, codec, format, frame_rate, .. } = video;
        let shape = Some(format.pixel_aspect_ratio).filter(|shape| shape.is_positive());
        let shape = shape.unwrap_or(Rational::new(1, 1));
        line(
            &mut text,
            3,
            format_args!(
                "<Representation id=\"video-{number}\" codecs=\"{}\" bandwidth=\"{}\" width=\"{}\" height=\"{}\" sar=\"{}:{}\" frameRate=\"{}/{}\">",
                escaped(codec.as_deref()?),
                video.rate().peak,
                format.width,
                format.height,
                shape.num,
                shape.den,
                frame_rate.num,
                frame_rate.den,
            ),
        );
        timeline(&mut text, folder, segments, stream);
        line(&mut text, 3, "</Representation>");
    }
    line(&mut text, 2, "</AdaptationSet>");
    for (number, sound) in stream.sounds.iter().enumerate() {
        let Sound { folder, segments, codec, channels, sample_rate, .. } = sound;
        let language = language(sound.language.as_deref());
        line(
            &mut text,
            2,
            format_args!(
                "<AdaptationSet id=\"{}\" contentType=\"audio\" mimeType=\"audio/mp4\"{language} segmentAlignment=\"true\" startWithSAP=\"1\">",
                id()
            ),
        );
        role(&mut text, if sound.default { "main" } else { "alternate" });
        if sound.describes_video {
            role(&mut text, "description");
        }
        line(&mut text, 3, format_args!("<Label>{}</Label>", escaped(&sound.name)));
        line(
            &mut text,
            3,
            format_args!(
                "<Representation id=\"sound-{number}\" codecs=\"{}\" bandwidth=\"{}\" audioSamplingRate=\"{sample_rate}\">",
                escaped(codec),
                BitRate::of_segments(segments).peak,
            ),
        );
        if *channels > 0 {
            let scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
            property(&mut text, 4, "AudioChannelConfiguration", scheme, channel_configuration(*channels));
        }
        timeline(&mut text, folder, segments, stream);
        line(&mut text, 3, "</Representation>");
        line(&mut text, 2, "</AdaptationSet>");
    }
    for (number, texts) in stream.texts.iter().enumerate() {
        let Texts { folder, segments, .. } = texts;
        let language = language(texts.language.as_deref());
        line(
            &mut text,
            2,
            format_args!(
                "<AdaptationSet id=\"{}\" contentType=\"text\" mimeType=\"text/vtt\"{language}>",
                id()
            ),
        );
        role(&mut text, if texts.forced { "forced-subtitle" } else { "subtitle" });
        if texts.default {
            role(&mut text, "main");
        }
        if texts.describes_sound {
            role(&mut text, "caption");
        }
        line(&mut text, 3, format_args!("<Label>{}</Label>", escaped(&texts.name)));
        let rate = BitRate::of_segments(segments).peak;
        line(&mut text, 3, format_args!("<Representation id=\"subtitles-{number}\" bandwidth=\"{rate}\">"));
        line(&mut text, 4, format_args!("<BaseURL>{folder}/{WHOLE_TEXT}</BaseURL>"));
        line(&mut text, 3, "</Representation>");
        line(&mut text, 2, "</AdaptationSet>");
    }
    Some(text + " </Period>\n</MPD>\n")
}

/// Writes the names and the exact times of segments.
fn timeline(text: &mut String, folder: &str, segments: &[Segment], stream: &Stream) {
    let time = |time: Time| time - stream.zero;
    let offset = time(stream.start);
    let times = segments.iter().flat_map(|segment| [time(segment.starts), time(segment.ends)]);
    let mut scales = times.chain([offset]).map(|time| u32::try_from(time.timescale()).unwrap_or(1));
    let scale = scales.try_fold(1, |all, one| common_multiple(all, one, u32::MAX / 2)).unwrap_or(FINE);
    let ticks = |time: Time| i32::try_from(scale).map_or(0, |scale| time.convert_scale(scale).value()).max(0);
    line(
        text,
        4,
        format_args!(
            "<SegmentTemplate timescale=\"{scale}\" presentationTimeOffset=\"{}\" initialization=\"{folder}/{INIT}\" media=\"{folder}/$Number%05d${SEGMENT}\" startNumber=\"1\">",
            ticks(offset)
        ),
    );
    line(text, 5, "<SegmentTimeline>");
    // Where a segment ends when the next one begins, that one's time follows.
    let (mut expected, mut index) = (None, 0);
    while let Some(segment) = segments.get(index) {
        let next = |index: usize| segments.get(index + 1).map_or(segments[index].ends, |next| next.starts);
        let begins = ticks(time(segment.starts));
        let lasts = |index: usize| ticks(time(next(index))) - ticks(time(segments[index].starts));
        let length = lasts(index);
        let equal = (index + 1..segments.len()).take_while(|&other| lasts(other) == length).count();
        let at = if expected == Some(begins) { String::new() } else { format!(" t=\"{begins}\"") };
        let repeated = if equal > 0 { format!(" r=\"{equal}\"") } else { String::new() };
        line(text, 6, format_args!("<S{at} d=\"{length}\"{repeated}/>"));
        index += 1 + equal;
        expected = Some(begins + length * (1 + equal as i64));
    }
    line(text, 5, "</SegmentTimeline>");
    line(text, 4, "</SegmentTemplate>");
}

/// Returns the number of a layout of so many channels (ISO 23091-3), as is usual of so many.
fn channel_configuration(channels: u32) -> u32 {
    match channels {
        7 => 11,
        8 => 12,
        channels => channels,
    }
}

fn language(language: Option<&str>) -> String {
    language.map_or_else(String::new, |language| format!(" lang=\"{}\"", escaped(language)))
}

fn role(text: &mut String, value: &str) {
    property(text, 3, "Role", "urn:mpeg:dash:role:2011", value);
}

fn property(text: &mut String, depth: usize, element: &str, scheme: &str, value: impl Display) {
    line(text, depth, format_args!("<{element} schemeIdUri=\"{scheme}\" value=\"{value}\"/>"));
}

/// Returns seconds as XML has durations.
fn duration(seconds: f64) -> String {
    format!("PT{:.6}S", seconds.max(0.0))
}

/// Returns a text as XML has it, in elements and between quotes. Characters that XML cannot hold become
/// spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn line(text: &mut String, depth: usize, line: impl Display) {
    let _ = writeln!(text, "{:depth$}{line}", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        let zero = Time::new(4, 1);
        Stream {
            variants: Vec::new(),
            sounds: Vec::new(),
            texts: Vec::new(),
            zero,
            start: zero + Time::new(1, 1),
        }
    }

    fn segments(times: &[(i64, i64)], scale: i32) -> Vec<Segment> {
        let segment = |(number, (starts, ends)): (usize, &(i64, i64))| Segment {
            number: number + 1,
            bytes: 0,
            seconds: 0.0,
            first_frame: None,
            starts: Time::new(*starts, scale),
            ends: Time::new(*ends, scale),
        };
        times.iter().enumerate().map(segment).collect()
    }

    /// Times are exact on the clock of the track, equal lengths are one line, and a segment lasts up to the
    /// next one, whatever its samples say.
    #[test]
    fn times_of_segments_are_exact() {
        let mut text = String::new();
        let all = segments(
            &[(150_150, 162_162), (162_162, 174_174), (174_174, 186_100), (186_186, 190_190)],
            30_000,
        );
        timeline(&mut text, "video", &all, &stream());
        assert!(text.contains("timescale=\"30000\" presentationTimeOffset=\"30000\""), "{text}");
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("<S ")).collect();
        assert_eq!(lines, ["<S t=\"30150\" d=\"12012\" r=\"2\"/>", "<S d=\"4004\"/>"]);
    }

    #[test]
    fn texts_are_texts_in_xml() {
        assert_eq!(escaped("<R&D> \"1\"\n\u{1}é"), "&lt;R&amp;D&gt; &quot;1&quot;  é");
    }
}
