//! Where samples go: a whole film, fragments that become one, or segments for a delegate. A sink is told what
//! to store and when it is over; it decides nothing.

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

/// The muxer is told to decode everything so many ticks earlier than the samples say. It wants to know the
/// depth of reordering before the first sample, which nobody knows; the true offsets are put into the index
/// when it is known.
const LEAD: i64 = 1 << 30;

/// A track as the sink is to write it.
#[derive(Debug, Clone)]
pub(crate) struct SinkTrack {
    pub(crate) format: TrackFormat,
    /// Whether its samples come from an encoder of the writer.
    pub(crate) encoded: bool,
    pub(crate) timescale: u32,
    pub(crate) frame_rate: Option<Rational>,
    pub(crate) display_matrix: Option<[i32; 9]>,
    pub(crate) language: Option<String>,
    /// How much later than decoded pictures are shown at most, if known before they come.
    pub(crate) reorder_delay: Time,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) header: TrackHeader,
}

impl SinkTrack {
    /// Sound is never reordered, and has no table of offsets.
    pub(crate) fn lead(&self) -> i64 {
        if matches!(self.format, TrackFormat::Audio(_)) { 0 } else { LEAD }
    }

    pub(crate) fn as_muxer_track(&self) -> MuxerTrack<'_> {
        MuxerTrack {
            format: &self.format,
            timescale: self.timescale,
            frame_rate: self.frame_rate,
            display_matrix: self.display_matrix,
            language: self.language.as_deref(),
            tags: &self.tags,
        }
    }
}

/// All that a sink is made of.
#[derive(Debug, Clone)]
pub(crate) struct SinkPlan {
    pub(crate) container: Container,
    pub(crate) output: PathBuf,
    pub(crate) temporary: Option<PathBuf>,
    pub(crate) fast_start: bool,
    pub(crate) intervals: Option<Intervals>,
    pub(crate) tracks: Vec<SinkTrack>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) movie_timescale: u32,
    /// Where the session starts, in the source's time.
    pub(crate) session: Time,
    pub(crate) other_tracks: Option<OtherTracks>,
}

/// How the session ended, for each track.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    /// What each track turned out to be; none for one without samples.
    pub(crate) extents: Vec<Option<Extent>>,
    /// Where the session was told to end, in ticks of each track from its start.
    pub(crate) ends: Vec<Option<i64>>,
    /// The same in ticks of the film.
    pub(crate) length: Option<u64>,
}

/// What a film is written to.
pub(crate) trait Sink: Send {
    /// Seconds a tick of a track.
    fn time_base(&self, track: usize) -> Rational;

    /// Stores the next sample, in the order in which samples are to lie in the film.
    fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError>;

    /// Completes the output and puts it in place. A sink that is dropped without leaves nothing behind.
    /// Answers what could not be kept.
    fn finish(self: Box<Self>, ending: &Ending) -> Result<Vec<String>, WriterError>;
}
