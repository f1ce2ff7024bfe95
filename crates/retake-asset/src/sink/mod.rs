//! Sinks store samples: as a whole film, as fragments that become one, or as segments for a delegate. A sink
//! is told which samples to store and when to end; it decides nothing.

mod film;
mod fragmenter;
mod fragments;
mod segments;

pub(crate) use film::FilmSink;
pub(crate) use fragments::{FragmentSink, Intervals};
pub(crate) use segments::{Cut, SegmentSink};

use crate::boxes::movie::TrackHeader;
use crate::state::timeline::{Extent, Stored};
use crate::types::error::WriterError;
use crate::types::options::OtherTracks;
use retake_libav::{Container, MuxerTrack, TrackFormat};
use retake_media::{Rational, Time};
use std::path::PathBuf;

/// The muxer is told to decode everything so many ticks earlier than the samples say, because it wants to
/// know the depth of reordering before the first sample, when it is still unknown. The true offsets are put
/// into the index once it is known.
const LEAD: i64 = 1 << 30;

/// This describes a track that the sink must write.
#[derive(Debug, Clone)]
pub(crate) struct SinkTrack {
    pub(crate) format: TrackFormat,
    /// True if its samples come from an encoder of the writer.
    pub(crate) encoded: bool,
    pub(crate) timescale: u32,
    pub(crate) frame_rate: Option<Rational>,
    pub(crate) display_matrix: Option<[i32; 9]>,
    pub(crate) language: Option<String>,
    /// Pictures are shown at most this much later than decoded, if that is known before they come.
    pub(crate) reorder_delay: Option<Time>,
    pub(crate) tags: Vec<(String, String)>,
    /// The track of the copied film that it is written for.
    pub(crate) stands_for: Option<u32>,
    pub(crate) header: TrackHeader,
}

impl SinkTrack {
    /// Returns the lead of the track. Media but video is never reordered, and has no table of offsets.
    pub(crate) fn lead(&self) -> i64 {
        if matches!(self.format, TrackFormat::Video(_)) { LEAD } else { 0 }
    }

    pub(crate) fn as_muxer_track(&self) -> MuxerTrack<'_> {
        MuxerTrack {
            format: &self.format,
            timescale: self.timescale,
            frame_rate: self.frame_rate,
            display_matrix: self.display_matrix,
            language: self.language.as_deref(),
            tags: &self.tags,
            stands_for: self.stands_for,
        }
    }
}

/// A plan holds everything that a sink is made from.
#[derive(Debug, Clone)]
pub(crate) struct SinkPlan {
    pub(crate) container: Container,
    pub(crate) output: PathBuf,
    pub(crate) temporary: Option<PathBuf>,
    pub(crate) fast_start: bool,
    pub(crate) intervals: Option<Intervals>,
    /// True if heads and times must not depend on which part of a film this is.
    pub(crate) combinable: bool,
    pub(crate) tracks: Vec<SinkTrack>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) movie_timescale: u32,
    /// The session starts here, in the source's time.
    pub(crate) session: Time,
    pub(crate) other_tracks: Option<OtherTracks>,
}

/// The ending states, for each track, how the session ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    /// The extent of each track's samples; `None` for a track without samples.
    pub(crate) extents: Vec<Option<Extent>>,
    /// The end that the client gave to the session, in ticks of each track from its start.
    pub(crate) ends: Vec<Option<i64>>,
    /// The same end in ticks of the film.
    pub(crate) length: Option<u64>,
}

/// A sink is the place that a film is written to.
pub(crate) trait Sink: Send {
    /// Returns the seconds a tick of a track.
    fn time_base(&self, track: usize) -> Rational;

    /// Stores the next sample. Samples must come in the order in which they lie in the film.
    fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError>;

    /// Completes the output and puts it in place. A sink that is dropped before leaves no file behind.
    /// Returns sentences about facts that could not be kept.
    fn finish(self: Box<Self>, ending: &Ending) -> Result<Vec<String>, WriterError>;
}
