//! This module writes the subtitles of a stream that are text, as WebVTT.
//!
//! Cues have their times on the stream's common clock, as pictures and sound do, and the map of times in each
//! segment says so. So a player that heeds the map shows them when one does that ignores it.

use super::names::{SUBTITLES, WHOLE_TEXT};
use super::playlist::texts_name;
use super::rendition::{Segment, write_file};
use crate::error::ExportError;
use crate::job::Job;
use crate::job::plan::LONGEST_SEGMENT;
use crate::stop::StopFlag;
use retake_compression::durable::uninterrupted;
use retake_libav::{Cue, TrackInfo, read_cues};
use retake_media::Time;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// This is a track of subtitles that was written.
pub(super) struct WrittenTexts<'a> {
    pub(super) folder: String,
    pub(super) track: &'a TrackInfo,
    pub(super) segments: Vec<Segment>,
}

/// Writes all tracks, cut where the pictures are, and each as one file whose times count from the start of
/// the film. `bounds` are the times at which segments of pictures begin, and the end of the last one; `zero`
/// is the time at which the stream's clock is zero. What became of texts otherwise is added to the notes.
pub(super) fn write<'a>(
    job: &Job,
    tracks: &[&'a TrackInfo],
    zero: Time,
    media: &Path,
    bounds: &[Time],
    notes: &mut Vec<String>,
    stop: &StopFlag,
) -> Result<Vec<WrittenTexts<'a>>, ExportError> {
    let mut written: Vec<WrittenTexts<'a>> = Vec::new();
    for &track in tracks {
        stop.check()?;
        let read = read_cues(&job.others, track)?;
        let told = !read.notes.is_empty();
        notes.extend(read.notes.iter().map(ToString::to_string));
        if read.cues.is_empty() {
            if !told {
                notes.push(format!("{track} holds no text: left out"));
            }
            continue;
        }
        let folder = format!("{SUBTITLES}{}", written.len() + 1);
        let path = media.join(&folder);
        uninterrupted(|| fs::create_dir(&path)).map_err(ExportError::file(&path, "making a folder"))?;
        let bounds = with_the_rest(bounds, &read.cues);
        let mut segments = Vec::new();
        for (index, pair) in bounds.windows(2).enumerate() {
            stop.check()?;
            let (first, last) = (index == 0, index + 2 == bounds.len());
            // A cue is in every segment that it touches, because a player may fetch any of them alone. Those
            // before the first picture, and behind the last, are nowhere else.
            let inside =
                |cue: &&Cue| (last || cue.range.start < pair[1]) && (first || cue.range.end() > pair[0]);
            let text = segment(read.cues.iter().filter(inside), zero);
            let number = index + 1;
            write_file(&path.join(texts_name(number)), text.as_bytes())?;
            segments.push(Segment {
                number,
                bytes: text.len() as u64,
                seconds: (pair[1] - pair[0]).seconds(),
                first_frame: None,
                starts: pair[0],
                ends: pair[1],
            });
        }
        let mut whole = "WEBVTT\n".to_owned();
        read.cues.iter().for_each(|cue| write_cue(&mut whole, cue, job.source.start));
        write_file(&path.join(WHOLE_TEXT), whole.as_bytes())?;
        written.push(WrittenTexts { folder, track, segments });
    }
    Ok(written)
}

/// So many segments are made for the sake of texts behind the last picture. Their times come from outside,
/// and must not ask for any number of files.
const MOST_BEHIND: usize = 100;

/// Adds segments of the usual length for cues that are shown behind the last picture.
fn with_the_rest(bounds: &[Time], cues: &[Cue]) -> Vec<Time> {
    let (mut bounds, most) = (bounds.to_vec(), bounds.len() + MOST_BEHIND);
    let (end, step) = (cues.iter().map(|cue| cue.range.start).max(), Time::new(LONGEST_SEGMENT, 1));
    while let Some((last, end)) = bounds.last().copied().zip(end).filter(|(last, end)| end >= last) {
        let next = if bounds.len() < most { last + step } else { last.first_after(step, end) };
        if !next.is_numeric() {
            break;
        }
        bounds.push(next);
    }
    bounds
}

/// Makes the file of a segment.
fn segment<'a>(cues: impl Iterator<Item = &'a Cue>, zero: Time) -> String {
    let mut text = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n".to_owned();
    cues.for_each(|cue| write_cue(&mut text, cue, zero));
    text
}

/// Adds a cue to a file whose clock is zero at this time.
fn write_cue(text: &mut String, cue: &Cue, zero: Time) {
    let (from, until) = (clock(cue.range.start - zero), clock(cue.range.end() - zero));
    let settings = if cue.settings.is_empty() { String::new() } else { format!(" {}", cue.settings) };
    let _ = writeln!(text, "\n{from} --> {until}{settings}\n{}", cue.text);
}

/// Returns a time as files of WebVTT have it.
fn clock(time: Time) -> String {
    let milliseconds = (time.seconds() * 1000.0).round().max(0.0) as u64;
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02}.{rest:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_clocks() {
        let written = [(0, 1), (61_001, 1000), (360_000, 1), (-1, 2), (4004, 1001)];
        let written = written.map(|(value, scale)| clock(Time::new(value, scale)));
        let expected = ["00:00:00.000", "00:01:01.001", "100:00:00.000", "00:00:00.000", "00:00:04.000"];
        assert_eq!(written, expected);
    }
}
