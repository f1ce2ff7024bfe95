//! Copies the other tracks of a source beside the video that is written.

use crate::container::{Container, Plan};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind, time_to_ticks};
use crate::handed::Handed;
use crate::input::Input;
use crate::note::Note;
use crate::output::{Output, Stamps, Subtitles, Text};
use crate::source::{Lead, Source, SourcePacket};
use crate::texts::{ShownText, TextRow};
use retake_media::{Rational, Time};
use std::path::Path;

/// Copies all tracks but the video from a source, in step with the video that is written.
pub(crate) struct Copier {
    source: Source,
    /// The tracks in the order of the source's.
    tracks: Vec<Copied>,
}

struct Copied {
    track: u32,
    subtitles: Option<Subtitles>,
    /// Where texts must not overlap, those that are not over yet.
    row: Option<TextRow<i64>>,
    /// The ticks that are taken off all times.
    shift: i64,
}

impl Copier {
    /// Adds those of the `wanted` tracks of `info` that the container can hold to the output, with their
    /// tags, and notes those that are left out. `replace` adds another track in the place of one, and returns
    /// its number, where there is another. A track of another file has the language and the name that were
    /// said of it, and no tags of that file.
    pub(crate) fn open(
        info: &FilmInfo,
        wanted: &[TrackInfo],
        input: Input,
        container: Container,
        start: Time,
        (output, handed, notes): (&mut Output, &mut Handed, &mut Vec<Note>),
        mut replace: impl FnMut(u32, &mut Output, &mut Vec<Note>) -> Result<Option<u32>, Failure>,
    ) -> Result<Self, Failure> {
        let (mut read, mut tracks) = (Vec::new(), Vec::new());
        for track in wanted {
            if let Some(number) = replace(track.index, output, notes)? {
                output.mark(number, track.marks.dispositions())?;
                if track.is_beside() {
                    handed.name_track(track, output, number, container)?;
                } else {
                    handed.copy_tags(&input, track.index, output, number, container, true)?;
                }
                handed.tracks.push((track.clone(), number));
                continue;
            }
            let (number, subtitles, row) = match container.plan(track) {
                Plan::Ignore => continue,
                Plan::LeaveOut(text) => {
                    notes.push(Note { track: Some(track.index), text });
                    continue;
                }
                Plan::Attach => {
                    attach_cover(&input, track, output, notes)?;
                    continue;
                }
                Plan::Copy if container.is_iso() && lacks_description(&input, track) => {
                    let text = format!("{track} is left out: its description is damaged");
                    notes.push(Note { track: Some(track.index), text });
                    continue;
                }
                Plan::Copy => match try_alone(&input, track, container) {
                    Ok(()) => (output.copy(&input, track.index)?, None, None),
                    Err(failure) => {
                        let text = format!(
                            "{track} is left out: its description is damaged ({})",
                            failure.message()
                        );
                        notes.push(Note { track: Some(track.index), text });
                        continue;
                    }
                },
                Plan::Convert(form) => match Subtitles::open(&input, track.index, form, output) {
                    Ok(subtitles) => {
                        let text =
                            format!("{track} is written as {form}: {container} cannot hold it as it is");
                        notes.push(Note { track: Some(track.index), text });
                        (subtitles.track(), Some(subtitles), container.is_iso().then(TextRow::default))
                    }
                    Err(failure) => {
                        let text =
                            format!("{track} is left out: it cannot be converted ({})", failure.message());
                        notes.push(Note { track: Some(track.index), text });
                        continue;
                    }
                },
            };
            output.mark(number, track.marks.dispositions())?;
            if track.is_beside() {
                handed.name_track(track, output, number, container)?;
            } else {
                handed.copy_tags(&input, track.index, output, number, container, false)?;
            }
            handed.tracks.push((track.clone(), number));
            if track.kind == TrackKind::Attachment {
                continue; // attachments have no packets
            }
            let shift = time_to_ticks(start, track.time_base).unwrap_or(0);
            tracks.push(Copied { track: number, subtitles, row, shift });
            read.push(track.clone());
        }
        // An edit list hides what comes before the first instant; Matroska has no such thing.
        let lead = if container.is_iso() { Lead::Hidden } else { Lead::Nothing };
        let mut source = Source::new(info, input, read, lead);
        // The clock of another file begins with the film, so that its times are later by when that starts;
        // rounded such that none is off by more than half a tick in the end.
        source.move_by(|track| {
            let ticks = |time| time_to_ticks(time, track.time_base).unwrap_or(0);
            if track.is_beside() { ticks(start) - ticks(start - info.moves(track)) } else { 0 }
        });
        Ok(Self { source, tracks })
    }

    /// Writes all packets that are decoded before or at `until`, on the clock of the source.
    pub(crate) fn advance(
        &mut self,
        until: Time,
        target: &Path,
        output: &mut Output,
    ) -> Result<(), MediaError> {
        while let Some(taken) = self.source.next(until)? {
            self.emit(taken, target, output)?;
        }
        for index in 0..self.tracks.len() {
            let track = &mut self.tracks[index];
            let base = self.source.tracks[index].info.time_base;
            let now = time_to_ticks(until, base).map_or(i64::MAX, |now| now.saturating_sub(track.shift));
            let over = track.row.as_mut().map_or_else(Vec::new, |row| row.over_at(now));
            let written = write_texts(output, track.track, base, &over);
            self.written(index, None, written.map(|()| false), target, output)?;
        }
        Ok(())
    }

    fn emit(&mut self, taken: SourcePacket, target: &Path, output: &mut Output) -> Result<(), MediaError> {
        let SourcePacket { track: index, stamps, packet, cut } = taken;
        let (track, read) = (&mut self.tracks[index], &mut self.source.tracks[index]);
        let shifted = Stamps { pts: stamps.pts - track.shift, dts: stamps.dts - track.shift, ..stamps };
        let base = read.info.time_base;
        let written = match &mut track.subtitles {
            None => output.packet(track.track, base, shifted, cut, &packet),
            Some(subtitles) => match subtitles.convert(&packet) {
                Ok(Some(Text { pts, duration, text })) => {
                    let pts = pts.saturating_add(shifted.pts - packet.pts().unwrap_or(shifted.pts));
                    let duration = if cut > 0 { duration.min(shifted.duration) } else { duration };
                    let texts = match &mut track.row {
                        Some(row) if duration > 0 => row.push(pts, pts.saturating_add(duration), text),
                        _ => vec![ShownText {
                            from: pts,
                            until: pts.saturating_add(duration),
                            data: text.to_vec(),
                        }],
                    };
                    write_texts(output, track.track, base, &texts).map(|()| false)
                }
                Ok(None) => return Ok(()),
                Err(_) => {
                    read.skip(Some(stamps.dts));
                    return Ok(());
                }
            },
        };
        self.written(index, Some(stamps.dts), written, target, output)
    }

    /// Counts the outcome of a write of what is decoded then, in ticks of the source's track.
    fn written(
        &mut self,
        index: usize,
        dts: Option<i64>,
        written: Result<bool, Failure>,
        target: &Path,
        output: &Output,
    ) -> Result<(), MediaError> {
        let read = &mut self.source.tracks[index];
        match written {
            Ok(true) => read.repair(dts),
            Ok(false) => {}
            Err(failure) if failure.io().is_some() => {
                return Err(MediaError::write(
                    target,
                    output.bytes(),
                    "a copied track cannot be written",
                    &failure,
                ));
            }
            // The container's writer refuses this one packet. It is skipped and counted, because the film is
            // worth more than that.
            Err(_) => read.skip(dts),
        }
        Ok(())
    }

    /// Returns notes about the packets that were repaired or skipped on the way.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes = self.source.notes();
        for (track, copied) in self.source.tracks.iter().zip(&self.tracks) {
            let texts = match copied.row.as_ref().map_or(0, TextRow::joined) {
                0 => continue,
                1 => "1 text that begins while another is shown is joined to that".to_owned(),
                joined => format!("{joined} texts that begin while others are shown are joined to those"),
            };
            let text = format!("{}: {texts}", track.info);
            notes.push(Note { track: Some(track.info.index), text });
        }
        notes
    }
}

/// Whether sound does not say enough of itself to be described in a sample entry, which is written last.
fn lacks_description(input: &Input, track: &TrackInfo) -> bool {
    input.audio(track.index).is_some_and(|format| !format.is_described())
}

/// Writes the head of a film that has this track alone. One track that FFmpeg refuses, such as sound whose
/// description was damaged, would else be known only when the head of the whole film cannot be written.
fn try_alone(input: &Input, track: &TrackInfo, container: Container) -> Result<(), Failure> {
    // attachments and covers stand in no film alone, and have no description that could be damaged
    if !matches!(track.kind, TrackKind::Audio | TrackKind::Video | TrackKind::Subtitle) {
        return Ok(());
    }
    let mut alone = Output::in_memory(container.muxer())?;
    alone.copy(input, track.index)?;
    alone.header()
}

/// Writes samples of text.
fn write_texts(
    output: &mut Output,
    track: u32,
    base: Rational,
    texts: &[ShownText<i64>],
) -> Result<(), Failure> {
    for ShownText { from, until, data } in texts {
        let stamps = Stamps { pts: *from, dts: *from, duration: until - from };
        output.write(track, base, stamps, true, false, data)?;
    }
    Ok(())
}

/// Attaches a cover picture; Matroska keeps covers as files with well-known names.
fn attach_cover(
    input: &Input,
    track: &TrackInfo,
    output: &mut Output,
    notes: &mut Vec<Note>,
) -> Result<(), Failure> {
    let (name, mime) = match track.codec.as_str() {
        "mjpeg" => ("cover.jpg", "image/jpeg"),
        "png" => ("cover.png", "image/png"),
        "webp" => ("cover.webp", "image/webp"),
        _ => ("cover.bmp", "image/bmp"),
    };
    match input.cover(track.index) {
        Ok(picture) => output.attach(name, mime, &picture).map(drop),
        Err(failure) => {
            let text = format!("{track} is left out: it cannot be read ({})", failure.message());
            notes.push(Note { track: Some(track.index), text });
            Ok(())
        }
    }
}

/// Returns the least common multiple; `None` if it is above `most`.
pub fn common_multiple(a: u32, b: u32, most: u32) -> Option<u32> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    let product = u64::from(a) / u64::from(x.max(1)) * u64::from(b);
    u32::try_from(product).ok().filter(|&product| product <= most && product > 0)
}
