//! One part: a session, a silo for its samples, and as many passes as it asks for (rule PA-15).

use super::ParallelEncode;
use super::error::ParallelError;
use super::plan::Part;
use super::sessions::Sessions;
use super::source::{FrameSource, SourceFrame};
use crate::session::{CompressionSession, EncodedOutcome, NextPass, PassOptions};
use crate::silo::FrameSilo;
use crate::storage::{MultiPassStorage, StorageOptions};
use crate::units::FrameRange;
use retake_media::{Time, TimeRange};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A part that was encoded: its samples are in its silo.
pub struct EncodedPart {
    /// Which frames, and what is joined to them.
    pub part: Part,
    /// The newest sample of every frame; the client's from here on.
    pub silo: FrameSilo,
    /// Passes that were made.
    pub passes: u32,
}

/// How far a part has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartProgress {
    /// The part, counted from 0.
    pub part: usize,
    /// The pass, counted from 1.
    pub pass: u32,
    /// Frames sent to the session in this pass.
    pub sent: u64,
}

/// What the handler of a session leaves behind. The session's thread may keep it for a moment longer than the session is.
struct Sink(Mutex<Kept>);

struct Kept {
    /// Until the part is done.
    silo: Option<FrameSilo>,
    failure: Option<ParallelError>,
}

impl Sink {
    fn new(silo: FrameSilo) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Kept { silo: Some(silo), failure: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // both fields are sound whatever a panicking holder was doing
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, range: FrameRange, outcome: EncodedOutcome) {
        let kept = &mut *self.lock();
        let sample = outcome.into_sample().map_err(ParallelError::session(range));
        let added = sample.and_then(|sample| match (sample, &kept.silo) {
            (Some(sample), Some(silo)) => silo.add(&sample).map_err(ParallelError::silo(range)),
            // a frame that a limit left no room for
            _ => Ok(()),
        });
        if let Err(error) = added {
            kept.failure.get_or_insert(error);
        }
    }

    /// What went wrong on the session's thread.
    fn check(&self) -> Result<(), ParallelError> {
        self.lock().failure.clone().map_or(Ok(()), Err)
    }

    /// Begins a pass over these ranges.
    fn begin(&self, range: FrameRange, ranges: &[TimeRange]) -> Result<(), ParallelError> {
        self.check()?;
        let kept = self.lock();
        let begun = kept.silo.as_ref().map_or(Ok(()), |silo| silo.set_time_ranges_for_next_pass(ranges));
        begun.map_err(ParallelError::silo(range))
    }

    /// The silo, with all samples.
    fn finish(&self) -> Result<FrameSilo, ParallelError> {
        self.check()?;
        let silo = self.lock().silo.take();
        silo.ok_or_else(|| ParallelError::Broken("a part was finished twice".to_owned()))
    }
}

/// A part that is being encoded.
pub(super) struct Running<'a> {
    source: &'a dyn FrameSource,
    progress: &'a (dyn Fn(PartProgress) -> bool + Sync),
    session: CompressionSession,
    sink: Arc<Sink>,
    index: usize,
    part: Part,
    /// When its frames are shown, from the first pass on.
    times: Vec<Time>,
    pass: u32,
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
        let silo = match job.home() {
            Some(folder) => FrameSilo::temporary_in(folder, TimeRange::INVALID),
            None => FrameSilo::temporary(TimeRange::INVALID),
        };
        let silo = silo.map_err(ParallelError::silo(range))?;
        let sink = Sink::new(silo);
        let handler = sink.clone();
        let session = job
            .begin()
            .on_output(move |outcome| handler.take(range, outcome))
            .build()
            .map_err(ParallelError::session(range))?;
        job.configure(&session, &part, source).map_err(ParallelError::session(range))?;
        let _registered = sessions.register(session.handle())?;
        let mut running = Self { source, progress, session, sink, index, part, times: Vec::new(), pass: 0 };
        running.passes(job.pass_options(), job.home())?;
        let Self { session, sink, pass, .. } = running;
        // no handler is called after this
        session.invalidate();
        Ok(EncodedPart { part, silo: sink.finish()?, passes: pass })
    }

    fn passes(
        &mut self,
        passes: Option<PassOptions>,
        folder: Option<&std::path::Path>,
    ) -> Result<(), ParallelError> {
        let range = self.part.range;
        let Some(options) = passes else { return self.whole() };
        let places = StorageOptions { temporary_folder: folder.map(Into::into), ..StorageOptions::default() };
        let storage = MultiPassStorage::create(None, TimeRange::INVALID, &places)
            .map_err(|source| ParallelError::Storage { range, source: Arc::new(source) })?;
        let fail = ParallelError::session(range);
        self.session.set_multi_pass_storage(Some(&storage), options).map_err(&fail)?;
        self.session.begin_pass(false).map_err(&fail)?;
        self.whole()?;
        while let NextPass::Requested(ranges) = self.session.end_pass().map_err(&fail)? {
            self.sink.begin(range, &ranges)?;
            self.session.begin_pass(false).map_err(&fail)?;
            self.again(&ranges)?;
        }
        self.sink.check()
    }

    /// The pass over all frames.
    fn whole(&mut self) -> Result<(), ParallelError> {
        let range = self.part.range;
        self.pass += 1;
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
        self.complete()
    }

    /// A later pass, over the frames in these ranges.
    fn again(&mut self, ranges: &[TimeRange]) -> Result<(), ParallelError> {
        self.pass += 1;
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
        self.complete()
    }

    fn send(&self, frame: SourceFrame, sent: u64) -> Result<(), ParallelError> {
        let SourceFrame { picture, pts, duration, options } = frame;
        self.sink.check()?;
        self.session
            .encode(&picture, pts, duration, options, ())
            .map_err(ParallelError::session(self.part.range))?;
        let progress = PartProgress { part: self.index, pass: self.pass, sent };
        if (self.progress)(progress) { Ok(()) } else { Err(ParallelError::Stopped) }
    }

    fn complete(&self) -> Result<(), ParallelError> {
        let completed = self.session.complete_frames(Time::INVALID);
        // what the handler saw is nearer to the cause
        self.sink.check()?;
        completed.map_err(ParallelError::session(self.part.range))
    }
}
