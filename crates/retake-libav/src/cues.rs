//! Reads all texts of a track of subtitles: in a form that whoever draws them needs, or as cues of WebVTT.

use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, ticks_to_time, time_to_ticks};
use crate::input::Input;
use crate::note::Note;
use crate::output::{Output, Subtitles, Text};
use crate::source::{Lead, Source};
use retake_media::{Time, TimeRange};

/// So much text is no subtitles, in bytes.
const MOST: usize = 64 << 20;

/// A text without an end, and with none behind it, is shown so long, in seconds.
const LAST: i64 = 5;

/// A text and when it is shown, in ticks of its track on the clock of the film.
pub(crate) struct Shown {
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) text: Vec<u8>,
    /// Where a text of WebVTT is placed, in words of that form.
    pub(crate) settings: Vec<u8>,
}

/// The texts of a track.
pub(crate) struct Texts {
    pub(crate) shown: Vec<Shown>,
    pub(crate) notes: Vec<Note>,
}

/// Reads the texts of a track of `film` through a converter, or as they are where there is none. A text
/// without an end is shown up to the next. `None` where there are more than 64 MiB of them.
pub(crate) fn read_texts(
    film: &FilmInfo,
    track: &TrackInfo,
    input: Input,
    mut converter: Option<&mut Subtitles>,
) -> Result<Option<Texts>, MediaError> {
    let ticks = |time: Time| time_to_ticks(time, track.time_base).unwrap_or(0);
    let mut source = Source::new(film, input, vec![track.clone()], Lead::Nothing);
    source.move_by(|track| ticks(film.moves(track)));
    let (mut shown, mut bytes): (Vec<Shown>, usize) = Default::default();
    while let Some(taken) = source.next(Time::POSITIVE_INFINITY)? {
        let (stamps, packet) = (taken.stamps, &taken.packet);
        let made = match converter.as_deref_mut() {
            Some(converter) => converter.convert(packet),
            None => {
                let pts = packet.pts().unwrap_or(stamps.pts);
                Ok(Some(Text { pts, duration: stamps.duration, text: packet.data() }))
            }
        };
        let Text { pts, duration, text } = match made {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            // What is damaged is left out of a copy, too, and the rest of the film is worth more.
            Err(_) => {
                source.tracks[taken.track].skip(Some(stamps.dts));
                continue;
            }
        };
        bytes = bytes.saturating_add(text.len());
        if bytes > MOST {
            return Ok(None);
        }
        let from = pts.saturating_add(stamps.pts - packet.pts().unwrap_or(stamps.pts));
        let duration = if taken.cut > 0 { duration.min(stamps.duration) } else { duration };
        let until = from.saturating_add(duration.max(0));
        let settings = packet.cue_settings().to_vec();
        shown.push(Shown { from, until, text: text.to_vec(), settings });
    }
    let starts: Vec<i64> = shown.iter().map(|text| text.from).collect();
    for (number, text) in shown.iter_mut().enumerate().filter(|(_, text)| text.until <= text.from) {
        let last = text.from.saturating_add(ticks(Time::new(LAST, 1)));
        text.until = starts.get(number + 1).copied().unwrap_or(last);
    }
    Ok(Some(Texts { shown, notes: source.notes() }))
}

/// A cue of WebVTT.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cue {
    /// The time for which it is shown, on the clock of the film; never empty.
    pub range: TimeRange,
    /// The text with its tags: at least one line, and none that is empty.
    pub text: String,
    /// Where it is placed, in the words of WebVTT; empty where nothing is said.
    pub settings: String,
}

/// All cues of a track of subtitles.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Cues {
    /// The cues, in the order of the times at which they appear; they may overlap.
    pub cues: Vec<Cue>,
    /// What was left out, repaired, or is why there are no cues.
    pub notes: Vec<Note>,
}

/// Reads a track of text of a film, or one that was added to it ([`FilmInfo::add_subtitles`]), as cues of
/// WebVTT. Bold, slanted and underlined letters stay; of a track that is none of WebVTT other styles and
/// places are lost. Of a film that was cut to a range, cues are cut with it. A track that cannot be read as
/// text has no cues, and a note that says why.
///
/// # Errors
/// Returns [`MediaError::NotSeekable`] for a track of a source that can be read only once; else fails like
/// [`probe`](crate::probe()).
pub fn read_cues(film: &FilmInfo, track: &TrackInfo) -> Result<Cues, MediaError> {
    let beside = film.file_beside(track.index);
    let (film, own) = match &beside {
        Some((file, _)) => (file, &file.tracks[0]),
        None => (film, track),
    };
    if !film.seekable {
        return Err(MediaError::NotSeekable { file: film.path.clone() });
    }
    let left_out = |reason: &str| {
        let text = format!("{track} is left out: {reason}");
        Ok(Cues { cues: Vec::new(), notes: vec![Note { track: Some(track.index), text }] })
    };
    let input = Input::open_again(film)?;
    let converter = (own.codec != "webvtt").then(|| converter(&input, own)).transpose();
    let mut converter = match converter {
        Ok(converter) => converter,
        Err(failure) => return left_out(&format!("it cannot be converted ({})", failure.message())),
    };
    let converter = converter.as_mut().map(|(_, converter)| converter);
    let Some(Texts { shown, mut notes }) = read_texts(film, own, input, converter)? else {
        return left_out("it holds more than 64 MiB of text");
    };
    let (mut cues, mut foreign) = (Vec::new(), 0_u64);
    for Shown { from, until, text, settings } in shown {
        let time = |ticks| ticks_to_time(ticks, own.time_base);
        let (Ok(text), Ok(settings)) = (String::from_utf8(text), String::from_utf8(settings)) else {
            foreign += 1;
            continue;
        };
        let text = cue_text(&text);
        if until > from && !text.is_empty() && time(until).is_numeric() && time(from).is_numeric() {
            let settings = one_line(&settings);
            cues.push(Cue { range: TimeRange::between(time(from), time(until)), text, settings });
        }
    }
    if foreign > 0 {
        let text = format!("{track}: {foreign} texts that are not UTF-8 are left out");
        notes.push(Note { track: Some(track.index), text });
    }
    cues.sort_by_key(|cue| cue.range.start);
    Ok(Cues { cues, notes })
}

/// Opens a converter to WebVTT, and the output that it belongs to.
fn converter(input: &Input, track: &TrackInfo) -> Result<(Output, Subtitles), Failure> {
    let mut output = Output::in_memory("webvtt")?;
    let subtitles = Subtitles::open(input, track.index, "webvtt", &mut output)?;
    Ok((output, subtitles))
}

/// Returns a text without what would end its cue: empty lines, and the arrow between times. A zero byte is no
/// letter of a file of WebVTT.
fn cue_text(text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}").replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.split('\n').filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n").replace("-->", "--&gt;")
}

/// Returns settings of a cue, which stand behind its times on one line.
fn one_line(settings: &str) -> String {
    let plain = settings.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    plain.replace("-->", " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_cue() {
        assert_eq!(cue_text("one\r\n\r\n \ntwo --> three\0\n"), "one\ntwo --&gt; three\u{fffd}");
        assert_eq!(cue_text("\n \n"), "");
        assert_eq!(one_line(" line:0\nposition:20% --> "), "line:0 position:20%");
    }
}
