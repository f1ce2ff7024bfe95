//! The life of a writer (section 16.1): what each call does in each status.

use super::interleave::Pace;
use super::{Completion, Core, Destination, Session, Shared};
use crate::error::{CallError, Mistake, UsageError, WriterError};
use crate::input::AssetWriterInput;
use crate::options::MediaDataLocation;
use crate::output::{Existing, OutputTarget};
use crate::status::WriterStatus;
use retake_media::Time;
use std::sync::Arc;

impl Core {
    /// From *not started* to *writing*, or to *failed*.
    pub(crate) fn start(&mut self) -> Result<(), CallError> {
        const CALL: &str = "start_writing";
        self.starting = false;
        if self.status != WriterStatus::Unknown {
            return Err(self.wrong_status(CALL, "not started").into());
        }
        match self.prepare() {
            Ok(destination) => {
                self.destination = Some(destination);
                self.status = WriterStatus::Writing;
                Ok(())
            }
            Err(error) => {
                self.end(WriterStatus::Failed, Some(error.clone()));
                Err(error.into())
            }
        }
    }

    /// The first half of starting: nobody else does, and the inputs to be opened without the lock.
    pub(crate) fn begin_start(&mut self) -> Result<Vec<AssetWriterInput>, UsageError> {
        if self.status != WriterStatus::Unknown || self.starting {
            return Err(self.wrong_status("start_writing", "not started"));
        }
        let interval = self.options.preferred_output_segment_interval;
        let start = self.options.initial_segment_start_time;
        if self.target.segments.is_some() && interval.is_numeric() && !start.is_numeric() {
            let mistake = Mistake::BadValue("segments of an interval need an initial_segment_start_time");
            return Err(UsageError { call: "start_writing", mistake });
        }
        self.starting = true;
        Ok(self.inputs())
    }

    fn prepare(&mut self) -> Result<Destination, WriterError> {
        let options: Vec<_> = self.lanes.iter().map(|lane| lane.input.options()).collect();
        if options.is_empty() {
            return Err(WriterError::Misconfigured("it has no inputs: add them first"));
        }
        if options.iter().any(|input| input.multi_pass) && options.iter().any(|input| input.real_time) {
            return Err(WriterError::Misconfigured("several passes cannot be had of inputs in real time"));
        }
        if self.target.segments.is_some() && self.options.other_tracks.is_some() {
            return Err(WriterError::Misconfigured(
                "the tracks of another film cannot be copied into segments",
            ));
        }
        let inputs = self.inputs();
        let associated = inputs.iter().flat_map(AssetWriterInput::associations);
        if associated.into_iter().any(|(_, input)| !inputs.contains(&input)) {
            return Err(WriterError::Misconfigured(
                "a track is associated with one that is not here: add both inputs to one writer",
            ));
        }
        let by_client = self.options.preferred_output_segment_interval == Time::INDEFINITE;
        if self.target.segments.is_some() && by_client && options.iter().any(|input| input.multi_pass) {
            return Err(WriterError::Misconfigured(
                "segments that the client ends cannot be had in several passes",
            ));
        }
        let destination = self.destination()?;
        for options in &options {
            self.interleaver.add(match (options.media_data_location, options.real_time) {
                (MediaDataLocation::BeforeMainNotInterleaved, _) => Pace::First,
                (MediaDataLocation::SparselyInterleaved, _) => Pace::Sparse,
                (MediaDataLocation::Interleaved, true) => Pace::Live,
                (MediaDataLocation::Interleaved, false) => Pace::Steady,
            });
        }
        for lane in &mut self.lanes {
            lane.passes.start(lane.input.can_perform_multiple_passes());
        }
        self.release_lanes();
        Ok(destination)
    }

    fn destination(&mut self) -> Result<Destination, WriterError> {
        if let (Some(profile), Some(delegate)) = (self.target.segments, self.delegate.take()) {
            return Ok(Destination::Segments(profile, delegate));
        }
        let output = OutputTarget::new(&self.target.file, Existing::Keep);
        output.check()?;
        if let Some(folder) = &self.options.directory_for_temporary_files {
            // told now, not when all is encoded
            output.unfinished_file(folder)?;
        }
        output.unfinished_file(output.folder())?;
        Ok(Destination::Film(output))
    }

    /// The next sample begins a segment (SG-4).
    pub(crate) fn flush_segment(&mut self) -> Result<(), UsageError> {
        const CALL: &str = "flush_segment";
        let wrong = |mistake| Err(UsageError { call: CALL, mistake });
        if !self.is_open() {
            return Err(self.wrong_status(CALL, "writing"));
        }
        let by_client = self.options.preferred_output_segment_interval == Time::INDEFINITE;
        if self.target.segments.is_none() || !by_client {
            return wrong(Mistake::NotByClient);
        }
        if self.session == Session::None {
            return wrong(Mistake::NoSession);
        }
        // with nothing before it there is nothing to end
        self.flushing = self.lanes[self.deciding_track()].appended > 0;
        Ok(())
    }

    /// Lanes that have to wait for others are held: behind media that comes before all else, and behind inputs whose frames are encoded in
    /// several passes (AM-14).
    pub(crate) fn release_lanes(&mut self) {
        let first: Vec<bool> = self.lanes.iter().map(|lane| lane.comes_first()).collect();
        let waiting = self.lanes.iter().zip(&first).any(|(lane, &first)| first && !lane.passes.is_finished());
        for (index, first) in first.into_iter().enumerate() {
            self.interleaver.hold(index, waiting && !first);
        }
    }

    pub(crate) fn start_session(&mut self, start: Time) -> Result<(), UsageError> {
        const CALL: &str = "start_session";
        let wrong = |mistake| Err(UsageError { call: CALL, mistake });
        if !self.is_open() {
            return Err(self.wrong_status(CALL, "writing"));
        }
        if self.session != Session::None {
            return wrong(Mistake::SecondSession);
        }
        if !start.is_numeric() {
            return wrong(Mistake::BadTime(start));
        }
        self.session = Session::Started { start };
        Ok(())
    }

    pub(crate) fn end_session(&mut self, end: Time) -> Result<(), UsageError> {
        const CALL: &str = "end_session";
        let wrong = |mistake| Err(UsageError { call: CALL, mistake });
        if !self.is_open() {
            return Err(self.wrong_status(CALL, "writing"));
        }
        match self.session {
            Session::None => wrong(Mistake::NoSession),
            Session::Ended { .. } => wrong(Mistake::SessionEnded),
            Session::Started { start } if !end.is_numeric() || end < start => wrong(Mistake::BadTime(end)),
            Session::Started { start } => {
                self.session = Session::Ended { start, end };
                Ok(())
            }
        }
    }

    /// Marks all inputs as finished; what waits is stored, then `completion` is told, whatever comes.
    pub(crate) fn finish(&mut self, shared: &Arc<Shared>, completion: Completion) -> Result<(), UsageError> {
        match self.status {
            WriterStatus::Failed => {
                // it may have failed a moment ago, which no client can know
                let error = self.error.clone().unwrap_or(WriterError::Cancelled);
                self.tell(move || completion(Err(error)));
                return Ok(());
            }
            WriterStatus::Writing if !self.finishing && !self.cancelling => {}
            _ => return Err(self.wrong_status("finish_writing", "writing")),
        }
        self.finishing = true;
        self.completion = Some(completion);
        for index in 0..self.lanes.len() {
            if !self.lanes[index].passes.is_finished() {
                self.lanes[index].passes.keep();
                self.finish_lane(shared, index);
            }
        }
        self.release_lanes();
        if self.session == Session::None {
            self.fail(WriterError::NoSession);
        }
        Ok(())
    }

    /// Nothing more comes from the client: what an encoder still holds does.
    fn finish_lane(&mut self, shared: &Arc<Shared>, index: usize) {
        self.lanes[index].drop_request();
        match self.lanes[index].input.encoder() {
            Some(_) => self.drain(shared, index),
            None => self.interleaver.finish(index),
        }
    }

    /// The client brings no more media to an input.
    pub(crate) fn mark_finished(&mut self, shared: &Arc<Shared>, index: usize) -> Result<(), UsageError> {
        const CALL: &str = "mark_as_finished";
        match self.status {
            WriterStatus::Unknown => return Err(self.wrong_status(CALL, "writing")),
            // a client that marks an input just when the writer failed did nothing wrong
            status if status.is_terminal() => return Ok(()),
            _ => {}
        }
        let lane = &mut self.lanes[index];
        let before = lane.passes.is_finished();
        lane.passes.finish().map_err(|mistake| UsageError { call: CALL, mistake })?;
        if !before {
            self.finish_lane(shared, index);
            self.release_lanes();
        }
        Ok(())
    }
}
