//! The life of a writer (section 16.1): what each call does in each phase, and what is to be stored next.

use super::associations::Association;
use super::interleave::{Interleaver, TrackTiming};
use super::phase::Phase;
use super::track::{TrackId, TrackState};
use super::{Effect, Session, WriterState};
use crate::types::error::{CallError, Mistake, UsageError, WriterError};
use crate::types::media::{MediaSample, MediaType};
use crate::types::options::MediaDataLocation;
use retake_libav::TrackFormat;
use retake_media::Time;

/// So many samples are taken out at once.
const BATCH: usize = 64;

const START: &str = "start_writing";

/// What is to be stored next.
#[derive(Debug)]
pub(crate) enum StoreStep {
    /// Enough came to begin the film.
    Open,
    /// These samples, each with the index of its track.
    Store(Vec<(usize, MediaSample)>),
    /// All is stored: the film can be completed.
    Finish(Session),
    /// There will be no film.
    Fail(WriterError),
}

/// How a writer ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The film is in its place; these are the notes of what could not be kept.
    Completed(Vec<String>),
    Failed(WriterError),
    Cancelled,
}

impl WriterState {
    /// The first half of starting: nobody else starts it meanwhile, and its encoders can be opened.
    pub(crate) fn begin_start(&mut self) -> Result<(), UsageError> {
        self.require_idle(START)?;
        let interval = self.options.preferred_output_segment_interval;
        let start = self.options.initial_segment_start_time;
        let numeric = |time: Option<Time>| time.is_some_and(Time::is_numeric);
        if self.destination.segments.is_some() && numeric(interval) && !numeric(start) {
            let mistake = Mistake::BadValue("segments of an interval need an initial_segment_start_time");
            return Err(UsageError { call: START, mistake });
        }
        self.phase = Phase::Starting;
        Ok(())
    }

    /// The encoder of a track says what will come out of it.
    pub(crate) fn encoder_opened(&mut self, id: TrackId, format: TrackFormat, takes_passes: bool) {
        let setup = &mut self.tracks[id.index()].setup;
        (setup.format, setup.takes_passes) = (Some(format), Some(takes_passes));
    }

    /// Whether what is set up can work, with these associations.
    pub(crate) fn check_start(&self, associations: &[Association]) -> Result<(), CallError> {
        if !matches!(self.phase, Phase::Starting) {
            return Err(self.phase.wrong_status(START, "not started").into());
        }
        let options = || self.tracks.iter().map(|track| &track.setup.options);
        let misconfigured = |what| Err(WriterError::Misconfigured(what).into());
        if self.tracks.is_empty() {
            return misconfigured("it has no inputs: add them first");
        }
        if options().any(|input| input.multi_pass) && options().any(|input| input.real_time) {
            return misconfigured("several passes cannot be had of inputs in real time");
        }
        if self.destination.segments.is_some() && self.options.other_tracks.is_some() {
            return misconfigured("the tracks of another film cannot be copied into segments");
        }
        if associations.iter().any(|association| association.to.is_none()) {
            return misconfigured(
                "a track is associated with one that is not here: add both inputs to one writer",
            );
        }
        if !self.destination.container.is_iso() {
            let names_chapters = |id: TrackId| {
                let own = |other: &Association| other.kind.makes_chapters() && other.to == Some(id);
                self.track(id).setup.media_type != MediaType::Text || associations.iter().any(own)
            };
            if !self.track_ids().all(names_chapters) {
                return misconfigured(
                    "Matroska has texts that are not shown as the names of chapters alone: associate the input as a chapter list",
                );
            }
            let to_text = |to: TrackId| self.track(to).setup.media_type == MediaType::Text;
            let held = |other: &Association| other.kind.makes_chapters() && other.to.is_some_and(to_text);
            if !associations.iter().all(held) {
                return misconfigured(Association::NO_REFERENCES);
            }
        }
        let unhinted = |track: &TrackState| track.setup.is_unhinted();
        let unawaited = |track: &TrackState| {
            let options = &track.setup.options;
            let comes_first = options.media_data_location == MediaDataLocation::BeforeMainNotInterleaved
                || track.setup.can_perform_multiple_passes();
            let is_sparse = options.media_data_location == MediaDataLocation::SparselyInterleaved;
            options.real_time || if unhinted(track) { is_sparse } else { comes_first }
        };
        if self.tracks.iter().any(unhinted) && self.tracks.iter().any(unawaited) {
            return misconfigured(
                "the film cannot begin before the first sample of an input without a format hint: give it a hint",
            );
        }
        if self.options.produces_combinable_fragments {
            let unsaid = |track: &TrackState| {
                let options = &track.setup.options;
                let says = options.media_time_scale > 0 && options.reorder_delay.is_some();
                track.setup.media_type == MediaType::Video && !says
            };
            if self.destination.segments.is_none() {
                return misconfigured("fragments that can be combined are segments, which go to a delegate");
            }
            if self.tracks.iter().any(unsaid) {
                return misconfigured(
                    "inputs of video have to say media_time_scale and reorder_delay for fragments to be combined",
                );
            }
        }
        let by_client = self.options.preferred_output_segment_interval == Some(Time::INDEFINITE);
        if self.destination.segments.is_some() && by_client && options().any(|input| input.multi_pass) {
            return misconfigured("segments that the client ends cannot be had in several passes");
        }
        Ok(())
    }

    /// The second half: media can come.
    pub(crate) fn start(&mut self, associations: Vec<Association>) -> Result<(), CallError> {
        self.check_start(&associations)?;
        self.associations = associations;
        // What is written in fragments has its own runs of samples.
        let chunks = self.destination.container.is_iso()
            && self.destination.segments.is_none()
            && self.options.movie_fragment_interval.is_none();
        for track in &mut self.tracks {
            let options = &track.setup.options;
            let chunk = options.preferred_media_chunk_duration.filter(|_| chunks);
            let timing = match (options.media_data_location, options.real_time) {
                (MediaDataLocation::BeforeMainNotInterleaved, _) => TrackTiming::First,
                (MediaDataLocation::SparselyInterleaved, _) => TrackTiming::Sparse,
                (MediaDataLocation::Interleaved, true) => TrackTiming::Live,
                (MediaDataLocation::Interleaved, false) => TrackTiming::Steady,
            };
            self.interleaver.add(timing, chunk);
            track.passes.start(track.setup.can_perform_multiple_passes());
        }
        self.phase = Phase::Writing;
        self.release_tracks();
        Ok(())
    }

    /// Tracks that have to wait for others are held: behind media that comes before all else, and behind
    /// tracks whose frames are encoded in several passes (AM-14).
    fn release_tracks(&mut self) {
        let first: Vec<bool> = self.tracks.iter().map(|track| track.comes_first()).collect();
        let mut tracks = self.tracks.iter().zip(&first);
        let waiting = tracks.any(|(track, &first)| first && !track.passes.is_finished());
        for (index, first) in first.into_iter().enumerate() {
            self.interleaver.hold(index, waiting && !first);
        }
    }

    /// The next sample begins a segment (SG-4).
    pub(crate) fn flush_segment(&mut self) -> Result<(), UsageError> {
        const CALL: &str = "flush_segment";
        let wrong = |mistake| Err(UsageError { call: CALL, mistake });
        if !self.phase.is_open() {
            return Err(self.phase.wrong_status(CALL, "writing"));
        }
        let by_client = self.options.preferred_output_segment_interval == Some(Time::INDEFINITE);
        if self.destination.segments.is_none() || !by_client {
            return wrong(Mistake::NotByClient);
        }
        if self.session == Session::None {
            return wrong(Mistake::NoSession);
        }
        // with nothing before it there is nothing to end
        self.segment_ends = self.track(self.deciding_track()).appended > 0;
        Ok(())
    }

    pub(crate) fn start_session(&mut self, start: Time) -> Result<(), UsageError> {
        const CALL: &str = "start_session";
        let wrong = |mistake| Err(UsageError { call: CALL, mistake });
        if !self.phase.is_open() {
            return Err(self.phase.wrong_status(CALL, "writing"));
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
        if !self.phase.is_open() {
            return Err(self.phase.wrong_status(CALL, "writing"));
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

    /// The client brings no more media to a track.
    pub(crate) fn mark_finished(&mut self, id: TrackId) -> Result<(), UsageError> {
        const CALL: &str = "mark_as_finished";
        if !self.phase.has_started() {
            return Err(self.phase.wrong_status(CALL, "writing"));
        }
        // a client that marks an input just when the writer failed did nothing wrong
        if self.phase.is_over() {
            return Ok(());
        }
        let passes = &mut self.tracks[id.index()].passes;
        let before = passes.is_finished();
        passes.finish().map_err(|mistake| UsageError { call: CALL, mistake })?;
        if !before {
            self.finish_track(id);
            self.release_tracks();
        }
        Ok(())
    }

    /// The client brings nothing more at all: what there is is stored, then [`Effect::Complete`] says how it
    /// ended, whatever comes.
    pub(crate) fn finish(&mut self) -> Result<(), UsageError> {
        self.phase = match &self.phase {
            Phase::Failed(error) => {
                // it may have failed a moment ago, which no client can know
                self.effects.push(Effect::Complete(Err(error.clone())));
                return Ok(());
            }
            Phase::Writing => Phase::Finishing,
            Phase::Failing { error, finishing: false } => {
                Phase::Failing { error: error.clone(), finishing: true }
            }
            phase => return Err(phase.wrong_status("finish_writing", "writing")),
        };
        for id in self.track_ids() {
            let passes = &mut self.tracks[id.index()].passes;
            if !passes.is_finished() {
                passes.finish_at_once();
                self.finish_track(id);
            }
        }
        self.release_tracks();
        if self.session == Session::None {
            self.fail(WriterError::NoSession);
        }
        Ok(())
    }

    /// The client wants no film. Answers whether that changes anything: a writer that is about to fail fails.
    pub(crate) fn cancel(&mut self) -> bool {
        match self.phase {
            Phase::Idle | Phase::Starting => self.end(Ending::Cancelled),
            Phase::Writing | Phase::Finishing => self.phase = Phase::Cancelling,
            _ => return false,
        }
        true
    }

    /// There will be no film: whoever stores ends everything by this error.
    pub(crate) fn fail(&mut self, error: WriterError) {
        match self.phase {
            Phase::Writing => self.phase = Phase::Failing { error, finishing: false },
            Phase::Finishing => self.phase = Phase::Failing { error, finishing: true },
            // the first error stays, and who wants no film need not hear why there is none
            _ => {}
        }
    }

    /// It is over: what waits is dropped, and whoever asked is told. A writer that is being cancelled is
    /// cancelled, however far it came.
    pub(crate) fn end(&mut self, ending: Ending) {
        if self.phase.is_over() {
            return;
        }
        let ending = if matches!(self.phase, Phase::Cancelling) { Ending::Cancelled } else { ending };
        let (phase, outcome) = match ending {
            Ending::Completed(notes) => {
                self.notes = notes;
                (Phase::Completed, Ok(()))
            }
            Ending::Failed(error) => (Phase::Failed(error.clone()), Err(error)),
            Ending::Cancelled => (Phase::Cancelled, Err(WriterError::Cancelled)),
        };
        self.phase = phase;
        self.interleaver = Interleaver::default();
        for track in &mut self.tracks {
            track.readiness.close();
        }
        self.effects.push(Effect::Complete(outcome));
    }

    /// What is to be stored next, if anything; the film is open or not.
    pub(crate) fn next_store_step(&mut self, opened: bool) -> Option<StoreStep> {
        match &self.phase {
            Phase::Failing { error, .. } => return Some(StoreStep::Fail(error.clone())),
            Phase::Writing | Phase::Finishing => {}
            _ => return Some(StoreStep::Fail(WriterError::Cancelled)),
        }
        if self.session == Session::None {
            return None;
        }
        let all_in = matches!(self.phase, Phase::Finishing) && self.interleaver.is_done();
        if !opened {
            return (all_in || self.interleaver.is_primed()).then_some(StoreStep::Open);
        }
        let batch: Vec<_> = std::iter::from_fn(|| self.interleaver.pop()).take(BATCH).collect();
        if !batch.is_empty() {
            return Some(StoreStep::Store(batch));
        }
        all_in.then_some(StoreStep::Finish(self.session))
    }
}
