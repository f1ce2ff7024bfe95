//! The ends of passes and of tracks: what takes long with an encoder is done elsewhere, as a task of the
//! track, one after the other.

use super::passes::PassEnd;
use super::track::{TrackId, TrackTask};
use super::{Effect, WriterState};
use crate::types::error::{UsageError, WriterError};
use crate::types::pass::PassDescription;
use retake_media::TimeRange;

/// What a client finds that asks for the pass that a track is in.
#[derive(Debug, Clone)]
pub(crate) enum CurrentPass {
    /// It is being decided on: an effect says when it is worth asking again.
    Deciding,
    /// This one; none when all are over.
    Is(Option<PassDescription>),
    Usage(UsageError),
    Failed(WriterError),
}

impl WriterState {
    /// The client ends a pass (AM-6, AM-7).
    pub(crate) fn mark_pass_finished(&mut self, id: TrackId) -> Result<(), UsageError> {
        const CALL: &str = "mark_current_pass_as_finished";
        if !self.phase.has_started() {
            return Err(self.phase.wrong_status(CALL, "writing"));
        }
        if self.phase.is_over() {
            return Ok(());
        }
        let track = &mut self.tracks[id.index()];
        let end = track.passes.end_pass(track.last).map_err(|mistake| UsageError { call: CALL, mistake })?;
        track.readiness.drop_request();
        match end {
            PassEnd::NoMore => self.announce_pass(id),
            PassEnd::Analyse => self.add_task(id, TrackTask::EndPass),
        }
        Ok(())
    }

    /// The pass that a track is in; a future may have to wait until that is decided.
    pub(crate) fn current_pass(&mut self, call: &'static str, id: TrackId) -> CurrentPass {
        let passes = &self.track(id).passes;
        match self.phase.error() {
            Some(error) => CurrentPass::Failed(error.clone()),
            None if !self.phase.is_running() => CurrentPass::Usage(self.phase.wrong_status(call, "writing")),
            None if passes.is_deciding() => {
                self.await_pass(id);
                CurrentPass::Deciding
            }
            None => CurrentPass::Is(passes.description().filter(|_| passes.is_open()).cloned()),
        }
    }

    /// Whether the client is to hear that this is the pass that a track is in. One that was finished
    /// meanwhile hears nothing more, and one that went on hears of the newest pass.
    pub(crate) fn is_news(&self, id: TrackId, description: Option<&PassDescription>) -> bool {
        let passes = &self.track(id).passes;
        !passes.is_finished() && !passes.is_deciding() && passes.description() == description
    }

    /// Nothing more comes from the client: what an encoder still holds does.
    pub(super) fn finish_track(&mut self, id: TrackId) {
        let track = &mut self.tracks[id.index()];
        track.readiness.drop_request();
        match track.setup.encodes() {
            true => self.add_task(id, TrackTask::Drain),
            false => self.interleaver.finish(id.index()),
        }
    }

    fn add_task(&mut self, id: TrackId, task: TrackTask) {
        let track = &mut self.tracks[id.index()];
        track.tasks.push_back(task);
        if !std::mem::replace(&mut track.worked_on, true) {
            self.effects.push(Effect::Spawn(id));
        }
    }

    /// Whether tasks of any track are being done.
    pub(crate) fn has_tasks(&self) -> bool {
        self.tracks.iter().any(|track| track.worked_on)
    }

    /// What is to be done for a track; nothing when whoever asks is to stop.
    pub(crate) fn next_task(&mut self, id: TrackId) -> Option<TrackTask> {
        let track = &mut self.tracks[id.index()];
        let next = track.tasks.pop_front();
        track.worked_on = next.is_some();
        next
    }

    /// An encoder has ended a pass, and wants these ranges again, or is satisfied.
    pub(crate) fn pass_ended(&mut self, id: TrackId, wanted: Result<Option<Vec<TimeRange>>, WriterError>) {
        match wanted {
            Ok(wanted) => {
                let track = &mut self.tracks[id.index()];
                track.passes.decided(wanted.map(PassDescription::new));
                track.last = None;
                self.announce_pass(id);
            }
            Err(error) => self.fail(error),
        }
    }

    /// An encoder has given all that it held, or could not.
    pub(crate) fn drained(&mut self, id: TrackId, outcome: Result<(), WriterError>) {
        match outcome {
            Ok(()) if self.phase.takes_encoded() => self.interleaver.finish(id.index()),
            Ok(()) => {}
            Err(error) => self.fail(error),
        }
    }

    /// The tasks of a track cannot be done.
    pub(crate) fn tasks_failed(&mut self, id: TrackId, error: WriterError) {
        self.tracks[id.index()].tasks.clear();
        self.fail(error);
    }

    /// Nobody could be found to do the tasks of a track.
    pub(crate) fn not_spawned(&mut self, id: TrackId, error: WriterError) {
        self.tracks[id.index()].worked_on = false;
        self.tasks_failed(id, error);
    }
}
