use crate::container::{Container, Plan};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind, ticks_to_time, time_to_ticks};
use crate::input::{Input, Packet};
use crate::output::{Output, Stamps, Subtitles, Text};
use crate::tags::keeps_for_track;
use crate::writer::Note;
use retake_media::{Rational, Time};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Packets that wait for the video to catch up may take this many bytes. A source that needs more than that for its tracks to meet
/// is written as badly interleaved as it was read.
const MOST_WAITING: usize = 16 << 20;

/// So many failures in a row, with nothing good between them, end a source.
const PATIENCE: u32 = 64;

/// Copies all tracks but the video from a source, in step with the video that is written.
pub(crate) struct Copier {
    file: PathBuf,
    input: Input,
    tracks: Vec<Copied>,
    waiting: usize,
    ended: bool,
    pub(crate) packets: u64,
}

struct Copied {
    info: TrackInfo,
    track: u32,
    subtitles: Option<Subtitles>,
    /// Ticks that are taken off all times.
    shift: i64,
    /// Added after a break of the source's clock.
    offset: i64,
    last: Option<(i64, i64)>,
    queue: VecDeque<(Time, Stamps, Packet)>,
    repaired: u64,
    skipped: u64,
}

impl Copier {
    /// Adds the tracks of `info` that the container can hold to the output, with their tags, and notes what stays behind.
    pub(crate) fn open(
        info: &FilmInfo,
        input: Input,
        container: Container,
        start: Time,
        output: &mut Output,
        notes: &mut Vec<Note>,
    ) -> Result<Self, Failure> {
        let mut tracks: Vec<Copied> = Vec::new();
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
                continue; // no packets
            }
            tracks.push(Copied {
                shift: time_to_ticks(start, track.time_base).unwrap_or(0),
                info: track.clone(),
                track: number,
                subtitles,
                offset: 0,
                last: None,
                queue: VecDeque::new(),
                repaired: 0,
                skipped: 0,
            });
        }
        let mut copier =
            Self { file: info.path.clone(), ended: tracks.is_empty(), input, tracks, waiting: 0, packets: 0 };
        let wanted: Vec<u32> = copier.tracks.iter().map(|track| track.info.index).collect();
        copier.input.select(|index| wanted.contains(&index));
        Ok(copier)
    }

    /// Sample rates of all audio tracks.
    pub(crate) fn sample_rates(&self) -> impl Iterator<Item = u32> {
        self.tracks.iter().map(|track| track.info.sample_rate).filter(|&rate| rate > 0)
    }

    /// Writes all packets that are decoded before or at `until`, on the clock of the source.
    pub(crate) fn advance(
        &mut self,
        until: Time,
        target: &Path,
        output: &mut Output,
    ) -> Result<(), MediaError> {
        loop {
            self.read_ahead(until)?;
            let next =
                self.tracks.iter().enumerate().filter_map(|(i, t)| t.queue.front().map(|q| (q.0, i))).min();
            match next {
                Some((time, index)) if time <= until => self.emit(index, target, output)?,
                _ => return Ok(()),
            }
        }
    }

    /// Reads until every track that sounds all along is beyond `until`, as far as the memory for waiting packets allows.
    fn read_ahead(&mut self, until: Time) -> Result<(), MediaError> {
        let mut failures = 0;
        while !self.ended && self.waiting < MOST_WAITING && !self.is_ahead(until) {
            match self.input.read() {
                Ok(Some(packet)) => {
                    failures = 0;
                    self.accept(packet);
                }
                Ok(None) => self.ended = true,
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) => {
                    if let Some(source) = failure.io() {
                        let byte = self.input.position();
                        return Err(MediaError::Read { file: self.file.clone(), frame: 0, byte, source });
                    }
                    failures += 1;
                    self.ended = failures > PATIENCE;
                }
            }
        }
        Ok(())
    }

    fn is_ahead(&self, until: Time) -> bool {
        let mut sounding = self.tracks.iter().filter(|track| track.info.kind == TrackKind::Audio).peekable();
        let ahead = |track: &Copied| track.queue.back().is_some_and(|(time, ..)| *time > until);
        if sounding.peek().is_some() { sounding.all(ahead) } else { self.tracks.iter().any(ahead) }
    }

    fn accept(&mut self, packet: Packet) {
        let Some(track) = self.tracks.iter_mut().find(|track| track.info.index == packet.stream()) else {
            return;
        };
        match track.stamp(&packet) {
            Some(stamps) => {
                let time = ticks_to_time(stamps.dts, track.info.time_base);
                self.waiting += packet.data().len() + 256;
                track.queue.push_back((time, stamps, packet));
            }
            None => track.skipped += 1,
        }
    }

    fn emit(&mut self, index: usize, target: &Path, output: &mut Output) -> Result<(), MediaError> {
        let track = &mut self.tracks[index];
        let Some((_, stamps, packet)) = track.queue.pop_front() else { return Ok(()) };
        self.waiting -= packet.data().len() + 256;
        let shifted = Stamps { pts: stamps.pts - track.shift, dts: stamps.dts - track.shift, ..stamps };
        let base = track.info.time_base;
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
                    track.skipped += 1;
                    return Ok(());
                }
            },
        };
        match written {
            Ok(moved) => {
                track.repaired += u64::from(moved);
                self.packets += 1;
            }
            Err(failure) if failure.io().is_some() => {
                return Err(MediaError::write(
                    target,
                    output.bytes(),
                    "a copied track cannot be written",
                    &failure,
                ));
            }
            // the container's writer does not like this one packet: the film is worth more than that
            Err(_) => track.skipped += 1,
        }
        Ok(())
    }

    /// What was repaired or skipped on the way.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for track in &self.tracks {
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

impl Copied {
    /// The times of the next packet: known, and never going back. `None`: there is nothing to go by, or nothing in it.
    fn stamp(&mut self, packet: &Packet) -> Option<Stamps> {
        if packet.data().is_empty() && self.info.kind != TrackKind::Subtitle {
            return None;
        }
        let follow = |(dts, duration): (i64, i64)| dts.saturating_add(duration.max(1));
        let given = packet.dts().or(packet.pts()).map(|dts| dts.saturating_add(self.offset));
        let (mut dts, mut repaired) = match (given, self.last) {
            (Some(dts), _) => (dts, false),
            (None, Some(last)) => (follow(last), true),
            (None, None) => (self.shift, true),
        };
        let mut pts = packet.pts().map_or(dts, |pts| pts.saturating_add(self.offset));
        if let Some(last) = self.last.filter(|last| dts < last.0) {
            repaired = true;
            let second = time_to_ticks(Time::new(1, 1), self.info.time_base).unwrap_or(1);
            let ahead = if last.0.saturating_sub(dts) > second {
                // a break in the source's clock: everything that follows moves, too
                let ahead = follow(last).saturating_sub(dts);
                self.offset = self.offset.saturating_add(ahead);
                ahead
            } else {
                last.0 - dts
            };
            dts = dts.saturating_add(ahead);
            pts = pts.saturating_add(ahead);
        }
        // a cover has no time
        self.repaired += u64::from(repaired && self.info.kind != TrackKind::Cover);
        self.last = Some((dts, packet.duration()));
        Some(Stamps { pts: pts.max(dts), dts, duration: packet.duration() })
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

/// Matroska keeps covers as files with well-known names.
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

/// The least common multiple, if it stays below a bound.
pub fn common_multiple(a: u32, b: u32, most: u32) -> Option<u32> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    let product = u64::from(a) / u64::from(x.max(1)) * u64::from(b);
    u32::try_from(product).ok().filter(|&product| product <= most && product > 0)
}

/// A time base as a timescale for ISO files: exact, and fine enough for players.
pub(crate) fn timescale(time_base: Rational) -> u32 {
    let mut scale = time_base.den.max(1) as u32;
    while scale < 10_000 {
        scale *= 2;
    }
    scale
}
