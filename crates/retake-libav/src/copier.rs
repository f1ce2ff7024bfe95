//! Copies the other tracks of a source beside the video that is written.

use crate::container::{Container, Plan};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind, time_to_ticks};
use crate::input::Input;
use crate::note::Note;
use crate::output::{Output, Stamps, Subtitles, Text};
use crate::source::{Source, SourcePacket};
use crate::tags::keeps_for_track;
use retake_media::Time;
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
    /// The ticks that are taken off all times.
    shift: i64,
}

impl Copier {
    /// Adds the tracks of `info` that the container can hold to the output, with their tags, and notes those
    /// that are left out.
    pub(crate) fn open(
        info: &FilmInfo,
        input: Input,
        container: Container,
        start: Time,
        output: &mut Output,
        notes: &mut Vec<Note>,
    ) -> Result<Self, Failure> {
        let (mut read, mut tracks) = (Vec::new(), Vec::new());
        for track in &info.tracks {
            let (number, subtitles) = match container.plan(track) {
                Plan::Ignore => continue,
                Plan::LeaveOut(text) => {
                    notes.push(Note { track: Some(track.index), text });
                    continue;
                }
                Plan::Attach => {
                    attach_cover(&input, track, output, notes)?;
                    continue;
                }
                Plan::Copy => (output.copy(&input, track.index)?, None),
                Plan::Convert(form) => match Subtitles::open(&input, track.index, form, output) {
                    Ok(subtitles) => {
                        let text =
                            format!("{track} is written as {form}: {container} cannot hold it as it is");
                        notes.push(Note { track: Some(track.index), text });
                        (subtitles.track(), Some(subtitles))
                    }
                    Err(failure) => {
                        let text =
                            format!("{track} is left out: it cannot be converted ({})", failure.message());
                        notes.push(Note { track: Some(track.index), text });
                        continue;
                    }
                },
            };
            copy_tags(&input, track.index, output, number, container, false)?;
            if track.kind == TrackKind::Attachment {
                continue; // attachments have no packets
            }
            let shift = time_to_ticks(start, track.time_base).unwrap_or(0);
            tracks.push(Copied { track: number, subtitles, shift });
            read.push(track.clone());
        }
        let source = Source::new(info.path.clone(), input, read, start);
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
        Ok(())
    }

    fn emit(&mut self, taken: SourcePacket, target: &Path, output: &mut Output) -> Result<(), MediaError> {
        let SourcePacket { track: index, stamps, packet } = taken;
        let (track, read) = (&mut self.tracks[index], &mut self.source.tracks[index]);
        let shifted = Stamps { pts: stamps.pts - track.shift, dts: stamps.dts - track.shift, ..stamps };
        let base = read.info.time_base;
        let written = match &mut track.subtitles {
            None => output.packet(track.track, base, shifted, &packet),
            Some(subtitles) => match subtitles.convert(&packet) {
                Ok(Some(Text { pts, duration, text })) => {
                    let pts = pts.saturating_add(shifted.pts - packet.pts().unwrap_or(shifted.pts));
                    let stamps = Stamps { pts, dts: pts, duration };
                    output.write(track.track, base, stamps, true, false, text).map(|()| false)
                }
                Ok(None) => return Ok(()),
                Err(_) => {
                    read.skipped += 1;
                    return Ok(());
                }
            },
        };
        match written {
            Ok(moved) => {
                read.repaired += u64::from(moved);
            }
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
            Err(_) => read.skipped += 1,
        }
        Ok(())
    }

    /// Returns notes about the packets that were repaired or skipped on the way.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for track in &self.source.tracks {
            let counted = [
                (track.repaired, "had times that were repaired"),
                (track.skipped, "could not be copied: left out"),
            ];
            for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
                let text =
                    format!("{}: {count} packet{} {what}", track.info, if count == 1 { "" } else { "s" });
                notes.push(Note { track: Some(track.info.index), text });
            }
        }
        notes
    }
}

/// Copies the tags of a track that are still true in the new file.
pub(crate) fn copy_tags(
    input: &Input,
    from: u32,
    output: &mut Output,
    to: u32,
    container: Container,
    encoded_anew: bool,
) -> Result<(), Failure> {
    for (name, value) in input.tags(Some(from)) {
        if keeps_for_track(&name, container, encoded_anew) {
            output.tag(Some(to), &name, &value)?;
        }
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
