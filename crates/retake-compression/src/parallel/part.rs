//! This module encodes one part: it has a session, a silo for its samples, and as many passes as the session
//! asks for (rule PA-15).

use super::ParallelEncode;
use super::error::ParallelError;
use super::plan::Part;
use super::sessions::Sessions;
use super::source::FrameSource;
use crate::multi_pass::MultiPassEncode;
use crate::session::SourceFrame;
use crate::silo::FrameSilo;
use crate::units::FrameRange;
use retake_media::{Time, TimeRange};

/// A part that was encoded. Its samples are in its silo.
pub struct EncodedPart {
    /// The frames of the part, and its place among the others.
    pub part: Part,
    /// The silo with the newest sample of every frame. The client owns it from here on.
    pub silo: FrameSilo,
    /// The number of passes that were made.
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

/// A part while it is being encoded.
pub(super) struct Running<'a> {
    source: &'a dyn FrameSource,
    progress: &'a (dyn Fn(PartProgress) -> bool + Sync),
    encode: MultiPassEncode,
    index: usize,
    part: Part,
    /// The presentation times of its frames, collected in the first pass because later passes are asked for
    /// by time.
    times: Vec<Time>,
}

impl<'a> Running<'a> {
    /// Encodes a part, from its first frame to its last pass.
    pub(super) fn encode(
        job: &ParallelEncode<'_>,
        sessions: &Sessions,
        source: &'a dyn FrameSource,
        progress: &'a (dyn Fn(PartProgress) -> bool + Sync),
        (index, part): (usize, Part),
    ) -> Result<EncodedPart, ParallelError> {
        let range = part.range;
        let (session, outcomes) = job.begin().build_pull().map_err(ParallelError::session(range))?;
        job.configure(&session, &part, source).map_err(ParallelError::session(range))?;
        let _registered = sessions.register(session.handle())?;
        let encode = MultiPassEncode::begin((session, outcomes), job.pass_options(), job.folder_of_files())
            .map_err(ParallelError::encode(range))?;
        let mut running = Self { source, progress, encode, index, part, times: Vec::new() };
        running.first_pass()?;
        while let Some(ranges) = running.encode.end_pass().map_err(ParallelError::encode(range))? {
            running.later_pass(&ranges)?;
        }
        let passes = running.encode.pass();
        Ok(EncodedPart { part, silo: running.encode.into_silo(), passes })
    }

    /// Sends all frames once.
    fn first_pass(&mut self) -> Result<(), ParallelError> {
        let range = self.part.range;
        let mut sent = 0;
        let source = self.source;
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
        Ok(())
    }

    /// Sends the frames in these ranges again.
    fn later_pass(&mut self, ranges: &[TimeRange]) -> Result<(), ParallelError> {
        let (mut sent, source, first) = (0, self.source, self.part.range.start);
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
        Ok(())
    }

    fn send(&mut self, frame: SourceFrame, sent: u64) -> Result<(), ParallelError> {
        self.encode.push(frame).map_err(ParallelError::encode(self.part.range))?;
        let progress = PartProgress { part: self.index, pass: self.encode.pass(), sent };
        if (self.progress)(progress) { Ok(()) } else { Err(ParallelError::Stopped) }
    }
}
