//! Reads the packets of tracks that are copied, in decode order.

use crate::error::MediaError;
use crate::film::{TrackInfo, TrackKind, ticks_to_time, time_to_ticks};
use crate::input::{Input, Packet};
use crate::output::Stamps;
use retake_media::Time;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// The bytes of packets that may wait for other tracks to catch up. A source that needs more for its tracks
/// to meet is given out as badly interleaved as it was read, because memory must stay bounded.
const MOST_WAITING: usize = 16 << 20;

/// So many failures in a row, with no success between them, end a source.
const PATIENCE: u32 = 64;

/// Reads several tracks of a source that are copied, ordered by decode time, with times that are known and
/// never go back.
pub(crate) struct Source {
    file: PathBuf,
    input: Input,
    pub(crate) tracks: Vec<SourceTrack>,
    waiting: usize,
    ended: bool,
}

/// One of the tracks.
pub(crate) struct SourceTrack {
    pub(crate) info: TrackInfo,
    /// The start of a track whose packets have no times.
    start: i64,
    /// The ticks that are added after a break of the source's clock.
    offset: i64,
    last: Option<(i64, i64)>,
    queue: VecDeque<(Time, Stamps, Packet)>,
    pub(crate) repaired: u64,
    pub(crate) skipped: u64,
}

/// A packet, and its times in ticks of its track.
pub(crate) struct SourcePacket {
    pub(crate) track: usize,
    pub(crate) stamps: Stamps,
    pub(crate) packet: Packet,
}

impl Source {
    /// Reads these tracks of a film that starts at `start`.
    pub(crate) fn new(file: PathBuf, mut input: Input, tracks: Vec<TrackInfo>, start: Time) -> Self {
        input.select(|index| tracks.iter().any(|track| track.index == index));
        let tracks: Vec<SourceTrack> = tracks.into_iter().map(|info| SourceTrack::new(info, start)).collect();
        Self { file, ended: tracks.is_empty(), input, tracks, waiting: 0 }
    }

    /// Returns the next packet that is decoded before or at `until`, on the clock of the source.
    pub(crate) fn next(&mut self, until: Time) -> Result<Option<SourcePacket>, MediaError> {
        self.read_ahead(until)?;
        let heads = self.tracks.iter().enumerate();
        let next = heads.filter_map(|(track, t)| t.queue.front().map(|head| (head.0, track))).min();
        let Some((_, track)) = next.filter(|(time, _)| *time <= until) else { return Ok(None) };
        let taken = self.tracks[track].queue.pop_front();
        Ok(taken.map(|(_, stamps, packet)| {
            self.waiting -= packet.data().len() + 256;
            SourcePacket { track, stamps, packet }
        }))
    }

    /// Returns the number of samples of sound that a packet of so many bytes decodes to; 0 where that is not
    /// known.
    pub(crate) fn sound_samples(&self, track: usize, bytes: usize) -> i64 {
        self.input.sound_samples(self.tracks[track].info.index, bytes)
    }

    /// Reads until every track that sounds all along is beyond `until`, as far as the memory for waiting
    /// packets allows.
    fn read_ahead(&mut self, until: Time) -> Result<(), MediaError> {
        let mut failures = 0;
        while !self.ended && self.waiting < MOST_WAITING && !self.is_ahead(until) {
            match self.input.read() {
                Ok(Some(packet)) => {
                    failures = 0;
                    self.accept(packet);
                }
                Ok(None) if self.input.has_changed() => {
                    return Err(MediaError::SourceChanged { file: self.file.clone(), frame: 0 });
                }
                Ok(None) => self.ended = true,
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) if failure.is_final() => {
                    return Err(MediaError::read(&self.file, 0, self.input.position(), &failure));
                }
                Err(_) => {
                    failures += 1;
                    self.ended = failures > PATIENCE;
                }
            }
        }
        Ok(())
    }

    fn is_ahead(&self, until: Time) -> bool {
        let mut sounding = self.tracks.iter().filter(|track| track.info.kind == TrackKind::Audio).peekable();
        let ahead = |track: &SourceTrack| track.queue.back().is_some_and(|(time, ..)| *time > until);
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
}

impl SourceTrack {
    fn new(info: TrackInfo, start: Time) -> Self {
        let start = time_to_ticks(start, info.time_base).unwrap_or(0);
        Self { info, start, offset: 0, last: None, queue: VecDeque::new(), repaired: 0, skipped: 0 }
    }

    /// Returns the times of the next packet, which are known and never go back. `None` means that they cannot
    /// be derived, or that the packet is empty.
    fn stamp(&mut self, packet: &Packet) -> Option<Stamps> {
        if packet.data().is_empty() && self.info.kind != TrackKind::Subtitle {
            return None;
        }
        let follow = |(dts, duration): (i64, i64)| dts.saturating_add(duration.max(1));
        let given = packet.dts().or(packet.pts()).map(|dts| dts.saturating_add(self.offset));
        let (mut dts, mut repaired) = match (given, self.last) {
            (Some(dts), _) => (dts, false),
            (None, Some(last)) => (follow(last), true),
            (None, None) => (self.start, true),
        };
        let mut pts = packet.pts().map_or(dts, |pts| pts.saturating_add(self.offset));
        // Of sound no two packets begin at once: who writes it in segments could not tell which comes first.
        let apart = i64::from(self.info.kind == TrackKind::Audio);
        if let Some(last) = self.last.filter(|last| dts < last.0.saturating_add(apart)) {
            repaired = true;
            let second = time_to_ticks(Time::new(1, 1), self.info.time_base).unwrap_or(1);
            let ahead = if last.0.saturating_sub(dts) > second {
                // A break in the source's clock moves everything that follows, too.
                let ahead = follow(last).saturating_sub(dts);
                self.offset = self.offset.saturating_add(ahead);
                ahead
            } else {
                last.0.saturating_add(apart).saturating_sub(dts)
            };
            dts = dts.saturating_add(ahead);
            pts = pts.saturating_add(ahead);
        }
        // A cover has no time, so it does not count.
        self.repaired += u64::from(repaired && self.info.kind != TrackKind::Cover);
        self.last = Some((dts, packet.duration()));
        Some(Stamps { pts: pts.max(dts), dts, duration: packet.duration() })
    }
}
