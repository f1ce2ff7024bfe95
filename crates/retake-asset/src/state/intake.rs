//! What media comes: from clients, who are asked to wait and whose mistakes are told, and from encoders.

use super::track::{Media, TrackId};
use super::{Session, WriterState};
use crate::types::error::{AppendError, Mistake, UsageError, WriterError};
use crate::types::media::MediaSample;
use retake_libav::TrackFormat;

/// Why media is not taken.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The track is not ready: it can be appended later.
    NotReady,
    Usage(UsageError),
    Failed(WriterError),
}

impl Refusal {
    /// The error of an append, which gives back what is only not taken yet.
    pub(crate) fn giving_back<T>(self, media: T) -> AppendError<T> {
        match self {
            Self::NotReady => AppendError::NotReady(Box::new(media)),
            Self::Usage(error) => AppendError::Usage(error),
            Self::Failed(error) => AppendError::Failed(error),
        }
    }
}

impl WriterState {
    /// Whether media can come to a track at all, ready or not (AI-9).
    fn admits(&self, call: &'static str, id: TrackId) -> Result<(), Refusal> {
        if let Some(error) = self.phase.error() {
            return Err(Refusal::Failed(error.clone()));
        }
        if !self.phase.is_open() {
            return Err(Refusal::Usage(self.phase.wrong_status(call, "writing")));
        }
        let refuse = |mistake| Err(Refusal::Usage(UsageError { call, mistake }));
        let passes = &self.track(id).passes;
        if passes.is_finished() {
            return refuse(Mistake::InputFinished);
        }
        match self.session {
            Session::None => refuse(Mistake::NoSession),
            Session::Ended { .. } => refuse(Mistake::SessionEnded),
            Session::Started { .. } if !passes.is_open() => refuse(Mistake::NoPass),
            Session::Started { .. } => Ok(()),
        }
    }

    /// Takes a sample that is stored as it comes.
    pub(crate) fn append_sample(
        &mut self,
        call: &'static str,
        id: TrackId,
        mut sample: MediaSample,
    ) -> Result<(), AppendError<MediaSample>> {
        let time = sample.decode_time();
        if let Err(refusal) = self.admits_sample(call, id, &sample) {
            return Err(refusal.giving_back(sample));
        }
        if self.segment_ends && id == self.deciding_track() {
            (sample.starts_segment, self.segment_ends) = (true, false);
        }
        let track = &mut self.tracks[id.index()];
        if let (None, Some(format)) = (&track.setup.format, &sample.format) {
            track.setup.format = Some(TrackFormat::Video((**format).clone()));
        }
        track.last = Some(time);
        track.appended += 1;
        self.interleaver.push(id.index(), sample);
        self.unpark_others(id);
        Ok(())
    }

    fn admits_sample(&self, call: &'static str, id: TrackId, sample: &MediaSample) -> Result<(), Refusal> {
        let track = self.track(id);
        let refuse = |mistake| Err(Refusal::Usage(UsageError { call, mistake }));
        track.setup.check_format(sample).or_else(refuse)?;
        if let (None, Some(format)) = (&track.setup.format, &sample.format)
            && !self.destination.container.can_hold(format.codec)
        {
            return refuse(Mistake::WrongMedia("samples of a coding format that its container holds"));
        }
        self.admits(call, id)?;
        let time = sample.decode_time();
        if !time.is_numeric() || !sample.is_marker() && !sample.sample.pts.is_numeric() {
            return refuse(Mistake::BadTime(time));
        }
        if track.last.is_some_and(|last| time <= last) {
            return refuse(Mistake::TimeGoesBack(time));
        }
        if !track.readiness.is_ready() {
            return Err(Refusal::NotReady);
        }
        Ok(())
    }

    /// Whether this could go to the encoder of a track, were it ready.
    pub(crate) fn admits_media(&self, call: &'static str, id: TrackId, media: &Media) -> Result<(), Refusal> {
        self.admits(call, id)?;
        let refuse = |mistake| Err(Refusal::Usage(UsageError { call, mistake }));
        if !media.time().is_numeric() {
            return refuse(Mistake::BadTime(media.time()));
        }
        self.track(id).admits(media).or_else(refuse)
    }

    /// Takes note of what goes to the encoder of a track now, unless it is refused.
    pub(crate) fn append_media(
        &mut self,
        call: &'static str,
        id: TrackId,
        media: &Media,
    ) -> Result<(), Refusal> {
        self.admits_media(call, id, media)?;
        if !self.track(id).readiness.is_ready() {
            return Err(Refusal::NotReady);
        }
        self.tracks[id.index()].took(media);
        Ok(())
    }

    /// Takes a sample that an encoder made, as long as it is of use.
    pub(crate) fn push_encoded(&mut self, id: TrackId, sample: MediaSample) {
        if self.phase.takes_encoded() {
            self.interleaver.push(id.index(), sample);
            self.unpark_others(id);
        }
    }

    /// Whether an encoder that has ended may give a sample: nothing while there is no room, `false` when none
    /// is of use any more.
    pub(crate) fn wants_encoded(&self, id: TrackId) -> Option<bool> {
        match self.phase.takes_encoded() {
            true => self.interleaver.has_room(id.index()).then_some(true),
            false => Some(false),
        }
    }
}
