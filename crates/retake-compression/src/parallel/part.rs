//! This module encodes one part: it has a session, a silo for its samples, and as many passes as the plan of
//! all parts asks it for (rule PA-15).

use super::ParallelEncode;
use super::error::ParallelError;
use super::plan::Part;
use super::sessions::{Registered, Sessions};
use super::source::FrameSource;
use crate::multi_pass::MultiPassEncode;
use crate::session::{SharedPlan, SourceFrame};
use crate::silo::FrameSilo;
use crate::units::FrameRange;
use retake_media::{Time, TimeRange};
use std::sync::Arc;

/// A part that was encoded. Its samples are in its silo.
pub struct EncodedPart {
    /// The frames of the part, and its place among the others.
    pub part: Part,
    /// The silo with the newest sample of every frame. The client owns it from here on.
    pub silo: FrameSilo,
    /// The number of passes that were made over frames of this part.
    pub passes: u32,
}

/// The progress of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartProgress {
    /// The part, counted from 0.
    pub part: usize,
    /// The pass, counted from 1.
    pub pass: u32,
    /// Frames sent to the session in this pass.
    pub sent: u64,
}

/// What all parts have in common.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) job: &'a ParallelEncode<'a>,
    pub(super) sessions: &'a Sessions,
    pub(super) source: &'a dyn FrameSource,
    pub(super) progress: &'a (dyn Fn(PartProgress) -> bool + Sync),
    /// Of several passes.
    pub(super) plan: Option<&'a Arc<SharedPlan>>,
}

/// A part while it is being encoded.
pub(super) struct Running<'a> {
    common: Common<'a>,
    encode: MultiPassEncode,
    index: usize,
    part: Part,
    /// The ranges of the pass that is to follow, where the plan was made when the last one ended.
    next: Option<Arc<[TimeRange]>>,
    _registered: Registered<'a>,
    /// The presentation times of its frames, collected in the first pass because later passes are asked for
    /// by time.
    times: Vec<Time>,
}

impl<'a> Running<'a> {
    /// Makes the session of a part.
    pub(super) fn begin(common: Common<'a>, (index, part): (usize, Part)) -> Result<Self, ParallelError> {
        let (job, range) = (common.job, part.range);
        let (session, outcomes) = job.begin().build_pull().map_err(ParallelError::session(range))?;
        job.configure(&session, &part, common.source).map_err(ParallelError::session(range))?;
        if let Some(plan) = common.plan {
            session.share_plan(plan, index).map_err(ParallelError::session(range))?;
        }
        let _registered = common.sessions.register(session.handle())?;
        let encode = MultiPassEncode::begin((session, outcomes), job.pass_options(), job.folder_of_files())
            .map_err(ParallelError::encode(range))?;
        Ok(Self { common, encode, index, part, next: None, _registered, times: Vec::new() })
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    /// Begins the next pass if the plan asks for one, and gives its ranges.
    pub(super) fn next_pass(&mut self) -> Result<Option<Arc<[TimeRange]>>, ParallelError> {
        match self.next.take() {
            Some(ranges) => Ok(Some(ranges)),
            None => self.encode.next_pass().map_err(ParallelError::encode(self.part.range)),
        }
    }

    /// The encode is over.
    pub(super) fn finish(self) -> EncodedPart {
        let passes = self.encode.pass();
        EncodedPart { part: self.part, silo: self.encode.into_silo(), passes }
    }

    fn end_pass(&mut self) -> Result<(), ParallelError> {
        self.next = self.encode.end_pass().map_err(ParallelError::encode(self.part.range))?;
        Ok(())
    }

    /// Makes the first pass, over all frames.
    pub(super) fn first_pass(&mut self) -> Result<(), ParallelError> {
        let range = self.part.range;
        let mut sent = 0;
        let source = self.common.source;
        for frame in source.open(range).map_err(ParallelError::source(range))? {
            let frame = frame.map_err(ParallelError::source(range))?;
            if sent == range.len() {
                return Err(ParallelError::Frames { range, given: sent + 1 });
            }
            self.times.push(frame.pts);
            sent += 1;
            self.send(frame, sent)?;
        }
        if sent != range.len() {
            return Err(ParallelError::Frames { range, given: sent });
        }
        self.end_pass()
    }

    /// Makes a later pass, over the frames in these ranges.
    pub(super) fn later_pass(&mut self, ranges: &[TimeRange]) -> Result<(), ParallelError> {
        let (mut sent, source, first) = (0, self.common.source, self.part.range.start);
        let before = |times: &[Time], end: Time| first + times.partition_point(|&pts| pts < end) as u64;
        for range in ranges {
            let frames = FrameRange::new(before(&self.times, range.start), before(&self.times, range.end()));
            let mut given = 0;
            for frame in source.open(frames).map_err(ParallelError::source(frames))? {
                (sent, given) = (sent + 1, given + 1);
                self.send(frame.map_err(ParallelError::source(frames))?, sent)?;
            }
            if given != frames.len() {
                return Err(ParallelError::Frames { range: frames, given });
            }
        }
        self.end_pass()
    }

    fn send(&mut self, frame: SourceFrame, sent: u64) -> Result<(), ParallelError> {
        self.encode.push(frame).map_err(ParallelError::encode(self.part.range))?;
        let progress = PartProgress { part: self.index, pass: self.encode.pass(), sent };
        if (self.common.progress)(progress) { Ok(()) } else { Err(ParallelError::Stopped) }
    }
}
