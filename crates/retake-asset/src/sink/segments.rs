//! This module hands segments to a delegate.

use super::fragmenter::{Fragment, Fragmenter};
use super::{Ending, Sink, SinkPlan};
use crate::boxes::fragment::{Head, finish_head, type_box};
use crate::boxes::movie::TrackHeader;
use crate::state::timeline::Stored;
use crate::types::error::WriterError;
use crate::types::media::MediaType;
use crate::types::segment::{
    SampleInfo, SegmentDelegate, SegmentKind, SegmentProfile, SegmentReport, TrackReport,
};
use retake_media::{Rational, Time};
use std::io;

/// Segments go to a delegate (section 20).
pub(crate) struct SegmentSink {
    plan: SinkPlan,
    fragmenter: Fragmenter,
    cut: Cut,
    profile: SegmentProfile,
    delegate: Box<dyn SegmentDelegate>,
}

/// These are the boundaries of segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// The session starts here, in the source's time.
    pub(crate) session: Time,
    /// The next boundary in the source's time, and the distance to the one behind it; `None` if the client
    /// ends segments.
    pub(crate) next: Option<(Time, Time)>,
    /// The track that decides: video, if there is one.
    pub(crate) track: usize,
    /// The first fragment has this number.
    pub(crate) number: u32,
}

impl SegmentSink {
    pub(crate) fn create(
        plan: SinkPlan,
        cut: Cut,
        profile: SegmentProfile,
        delegate: Box<dyn SegmentDelegate>,
    ) -> Result<Self, WriterError> {
        let fragmenter = Fragmenter::create(&plan, cut.number)?;
        Ok(Self { plan, fragmenter, cut, profile, delegate })
    }

    /// Tells whether a segment begins with this sample. Boundaries are multiples of the interval from the
    /// start; one that passed while no sync sample came is not made up for.
    fn begins(&mut self, track: usize, sample: &Stored) -> Result<bool, WriterError> {
        if sample.starts_segment && !sample.sync {
            let time = self.source_time(track, sample.pts);
            return Err(WriterError::NoSyncAtSegmentStart { time });
        }
        if self.fragmenter.is_empty() || track != self.cut.track {
            return Ok(false);
        }
        let Some((next, interval)) = self.cut.next else { return Ok(sample.starts_segment) };
        let time = self.source_time(track, sample.pts);
        if !sample.sync || time < next {
            return Ok(false);
        }
        self.cut.next = Some((next.first_after(interval, time), interval));
        Ok(true)
    }

    fn source_time(&self, track: usize, ticks: i64) -> Time {
        self.fragmenter.time(track, ticks) + self.cut.session
    }

    fn end_segment(&mut self) -> Result<(), WriterError> {
        let Some(fragment) = self.fragmenter.cut()? else { return Ok(()) };
        if let Some(head) = &fragment.head {
            self.begin_stream(head)?;
        }
        let mut bytes = Vec::new();
        type_box(b"styp", self.profile.segment_brands()).write(&mut bytes);
        let report = self.report(&fragment, bytes.len() as u64);
        bytes.extend(fragment.media);
        self.delegate.segment(bytes, &report);
        Ok(())
    }

    /// Begins the stream. Media that is decoded before the session's start lies in front of its zero, and an
    /// edit says so, because players that ignore edits are then late by only as much.
    fn begin_stream(&mut self, head: &[u8]) -> Result<(), WriterError> {
        let headers: Vec<TrackHeader> = self.plan.tracks.iter().map(|track| track.header.clone()).collect();
        let wanted = Head {
            headers: &headers,
            placements: Some(self.fragmenter.placements()),
            duration: None,
            brands: Some(self.profile.brands()),
        };
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "the head of the stream cannot be finished");
        let bytes = finish_head(head, &wanted).ok_or_else(odd).map_err(WriterError::io("segments"))?;
        let report = SegmentReport { kind: SegmentKind::Initialization, tracks: Vec::new() };
        self.delegate.segment(bytes, &report);
        Ok(())
    }

    fn report(&self, fragment: &Fragment, before: u64) -> SegmentReport {
        let tracks = self.plan.tracks.iter().enumerate().filter_map(|(track, plan)| {
            let samples = || fragment.samples.iter().filter(|(sample, _)| sample.track == track);
            let earliest = samples().map(|(sample, _)| sample.pts).min()?;
            let end = samples().map(|(sample, _)| sample.pts + sample.duration).max()?;
            let media_type = MediaType::of(&plan.format);
            let first = samples().next().filter(|_| media_type == MediaType::Video);
            Some(TrackReport {
                track_id: track as u32 + 1,
                media_type,
                earliest_presentation_time: self.source_time(track, earliest),
                duration: self.fragmenter.time(track, end - earliest),
                first_video_sample: first.map(|(sample, piece)| SampleInfo {
                    presentation_time: self.source_time(track, sample.pts),
                    offset: before + piece.offset,
                    length: piece.length.into(),
                    is_sync: sample.sync,
                }),
            })
        });
        SegmentReport { kind: SegmentKind::Separable, tracks: tracks.collect() }
    }
}

impl Sink for SegmentSink {
    fn time_base(&self, track: usize) -> Rational {
        self.fragmenter.time_base(track)
    }

    fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError> {
        if self.begins(track, sample)? {
            self.end_segment()?;
        }
        self.fragmenter.write(track, sample)
    }

    fn finish(mut self: Box<Self>, _: &Ending) -> Result<Vec<String>, WriterError> {
        self.end_segment()?;
        Ok(Vec::new())
    }
}
