//! This module makes fragments, for films and for segments alike.

use super::{SinkPlan, SinkTrack};
use crate::boxes::fragment::{Piece, Placement, place, split};
use crate::state::timeline::Stored;
use crate::types::error::WriterError;
use retake_libav::{
    Muxer, MuxerKind, MuxerSample, MuxerSettings, MuxerTrack, TrackFormat, ticks_to_time, time_to_ticks,
};
use retake_media::{Rational, Time};
use std::io;

/// A fragment must not hold more than this, whatever its interval is.
const MOST_BYTES: usize = 64 << 20;

/// A fragmenter makes fragments in memory, on the session's time line.
pub(crate) struct Fragmenter {
    muxer: Muxer,
    leads: Vec<i64>,
    seen: Vec<Option<Placement>>,
    /// The placements are final once the first fragment is out, because the head states them.
    placements: Option<Vec<Placement>>,
    /// This is the depth of reordering of each track, as far as the client gave it.
    depths: Vec<i64>,
    /// Of fragments that are combined with those of other writers, how long each track is decoded before the
    /// start of the session at most, apart from reordering: the same in all of them.
    primings: Option<Vec<i64>>,
    waiting: Vec<Waiting>,
    bytes: usize,
}

/// A sample waits here for the end of the fragment that is being made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) track: usize,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: i64,
    pub(crate) sync: bool,
    pub(crate) disposable: bool,
}

/// A fragment is one output of the muxer.
pub(crate) struct Fragment {
    /// The first fragment has `ftyp` and `moov` as the muxer wrote them.
    pub(crate) head: Option<Vec<u8>>,
    /// These are pairs of `moof` and `mdat`.
    pub(crate) media: Vec<u8>,
    /// These are its samples, and the place of each in the media.
    pub(crate) samples: Vec<(Waiting, Piece)>,
}

impl Fragmenter {
    /// Begins a run of fragments, the first numbered `first`. Media is decoded as early as the first fragment
    /// needs it, or as the client gave it, and an edit list tells where it begins.
    pub(crate) fn create(plan: &SinkPlan, first: u32) -> Result<Self, WriterError> {
        let tracks: Vec<MuxerTrack<'_>> = plan.tracks.iter().map(|track| track.as_muxer_track()).collect();
        let settings = MuxerSettings {
            container: plan.container,
            kind: MuxerKind::Fragments { first },
            path: &plan.output,
            tracks: &tracks,
            tags: &plan.tags,
            movie_timescale: plan.movie_timescale,
            copy_from: None,
        };
        let (muxer, _) = Muxer::create(&settings)?;
        let depth = |(index, track): (usize, &SinkTrack)| {
            track.reorder_delay.and_then(|delay| time_to_ticks(delay, muxer.time_base(index))).unwrap_or(0)
        };
        let depths = plan.tracks.iter().enumerate().map(depth).collect();
        let leads: Vec<i64> = plan.tracks.iter().map(|track| track.lead()).collect();
        let primings = plan.tracks.iter().map(|track| match &track.format {
            TrackFormat::Audio(sound) => i64::from(sound.priming),
            _ => 0,
        });
        let primings = plan.combinable.then(|| primings.collect());
        Ok(Self {
            muxer,
            primings,
            seen: vec![None; leads.len()],
            leads,
            placements: None,
            depths,
            waiting: Vec::new(),
            bytes: 0,
        })
    }

    pub(crate) fn time_base(&self, track: usize) -> Rational {
        self.muxer.time_base(track)
    }

    /// Returns the instant of a number of ticks from the start of the session.
    pub(crate) fn time(&self, track: usize, ticks: i64) -> Time {
        ticks_to_time(ticks, self.time_base(track))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tells whether the fragment must end whatever its interval is.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }

    /// Returns the placement of each track, as the head states it.
    pub(crate) fn placements(&self) -> &[Placement] {
        self.placements.as_deref().unwrap_or_default()
    }

    pub(crate) fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError> {
        let Stored { pts, dts, duration, sync, disposable, ref data, .. } = *sample;
        let lead = self.leads[track];
        self.muxer.write(track, MuxerSample { pts, dts: dts - lead, duration, sync, disposable, data })?;
        let seen = self.seen[track].get_or_insert(Placement { first: dts, lead, ..Placement::default() });
        seen.reorder = seen.reorder.max(dts - pts);
        self.waiting.push(Waiting { track, pts, dts, duration, sync, disposable });
        self.bytes += data.len();
        Ok(())
    }

    /// Ends the fragment. Returns `None` if it is empty.
    pub(crate) fn cut(&mut self) -> Result<Option<Fragment>, WriterError> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a fragment cannot be put in its place");
        let odd = || WriterError::io("fragment")(damaged());
        let (mut head, mut media) = (Vec::new(), Vec::new());
        // the first time, the muxer writes only the head
        for _ in 0..2 {
            self.muxer.flush()?;
            let parts = split(&self.muxer.take()?).ok_or_else(odd)?;
            head.extend(parts.head);
            media.extend(parts.media);
            if !media.is_empty() {
                break;
            }
        }
        let settled = |(track, (seen, depth)): (usize, (&Option<Placement>, &i64))| {
            let mut placement = seen.unwrap_or_default();
            placement.reorder = placement.reorder.max(*depth);
            placement.zero = match &self.primings {
                Some(primings) => placement.reorder + primings[track],
                None => (placement.reorder - placement.first).max(0),
            };
            placement
        };
        if let Some(primings) = &self.primings {
            let tracks = self.seen.iter().zip(&self.depths).zip(primings);
            for ((seen, depth), priming) in tracks {
                let Some(seen) = seen else { continue };
                if seen.reorder > *depth {
                    return Err(WriterError::Misconfigured(
                        "pictures are reordered by more than the reorder_delay of their input",
                    ));
                }
                if seen.first < -*priming {
                    return Err(WriterError::Misconfigured(
                        "fragments that are combined cannot begin before the start of the session",
                    ));
                }
            }
        }
        let first = self
            .placements
            .get_or_insert_with(|| self.seen.iter().zip(&self.depths).enumerate().map(settled).collect());
        for (placement, seen) in first.iter_mut().zip(&self.seen) {
            // a track that begins later counts from its own beginning
            if let Some(seen) = seen {
                (placement.first, placement.lead) = (seen.first, seen.lead);
            }
        }
        let pieces = place(&mut media, first).ok_or_else(odd)?;
        let mut samples = Vec::with_capacity(pieces.len());
        // each track's samples lie in their order in the fragment, but not among those of others
        let mut left: Vec<_> = first.iter().map(|_| Vec::new()).collect();
        for waiting in self.waiting.drain(..).rev() {
            left[waiting.track].push(waiting);
        }
        for piece in pieces {
            let waiting = left.get_mut(piece.track).and_then(Vec::pop).ok_or_else(odd)?;
            samples.push((waiting, piece));
        }
        if left.iter().any(|track| !track.is_empty()) {
            return Err(odd());
        }
        self.bytes = 0;
        Ok(Some(Fragment { head: (!head.is_empty()).then_some(head), media, samples }))
    }
}
