//! Several passes over one source in one session.
//!
//! Every pass produces samples that can be shipped. After a pass the session says which time ranges it would like to encode again; the client
//! sends the frames in them once more and puts the new samples in the place of the old ones, which is what a
//! [`FrameSilo`](crate::silo::FrameSilo) is for.
//!
//! The first pass is an ordinary encode. It is cut into units, from one sync frame to the next; ranges are made of whole units, and each unit is
//! encoded anew by an encode of its own, with a quality that the [planner](crate::planner) chose from what earlier passes took.

mod ledger;
mod plan;

#[cfg(test)]
mod tests;

pub(super) use ledger::{Passes, Start};

use super::settings;
use super::state::{Phase, Shared};
use super::{CompressionSession, SessionError};
use crate::property::{PropertyKey, not_supported, set_value};
use crate::storage::{MultiPassStorage, StorageIdentity};
use retake_media::{Time, TimeRange};
use std::sync::Arc;

/// How often a session may ask, and for what. Extensions: Apple's sessions decide that for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassOptions {
    /// Passes at most, the first one counted. At least 1. Default: 5.
    pub most: u32,
    /// Ask for a second pass over everything where nothing better is to be expected, for clients that always make two. Default: false.
    pub request_once: bool,
    /// Ask for the whole source, never for parts of it, for clients that cannot merge. Default: false.
    pub whole_source: bool,
}

impl Default for PassOptions {
    fn default() -> Self {
        Self { most: 5, request_once: false, whole_source: false }
    }
}

/// What a session says at the end of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPass {
    /// It would like these ranges again, of presentation times of source frames. At least one; ascending, apart, not empty.
    Requested(Arc<[TimeRange]>),
    /// What came out last is what it is going to be.
    Finished,
}

impl<T> Shared<T> {
    fn set_storage(
        &self,
        storage: Option<&Arc<MultiPassStorage>>,
        options: PassOptions,
    ) -> Result<(), SessionError> {
        const CALL: &str = "set_multi_pass_storage";
        let mut state = self.lock();
        state.dead()?;
        if self.low_latency {
            return Err(not_supported(&self.environment(), "MultiPassStorage").into());
        }
        if state.phase != Phase::Configured || state.passes.as_ref().is_some_and(Passes::has_begun) {
            return Err(SessionError::parameter(CALL, "set it before the first frame and the first pass"));
        }
        if set_value!(state.values, AllowOpenGOP) == Some(&true) {
            return Err(SessionError::parameter(
                CALL,
                "open groups of pictures cannot be replaced: reset AllowOpenGOP",
            ));
        }
        if state.values.has(PropertyKey::SuggestedLookAheadFrameCount) {
            let reason = "SuggestedLookAheadFrameCount does not go with passes: reset it";
            return Err(SessionError::parameter(CALL, reason));
        }
        if options.most == 0 {
            return Err(SessionError::parameter(CALL, "there is one pass at least"));
        }
        // the lease of an earlier one is given back first: it may be the same
        state.passes = None;
        if let Some(storage) = storage {
            let info = self.info();
            let identity = StorageIdentity {
                encoder: info.name.to_owned(),
                version: info.version.clone(),
                codec: info.codec,
                width: self.width,
                height: self.height,
                settings: String::new(),
            };
            state.passes = Some(Passes::new(storage.attach(&identity)?, options));
        }
        Ok(())
    }

    fn begin_pass(&self, last: bool) -> Result<(), SessionError> {
        let mut state = self.lock();
        state.dead()?;
        if Self::on_worker(&state) {
            return Err(SessionError::parameter("begin_pass", "a handler cannot begin a pass"));
        }
        let values = state.values.clone();
        let passes = state.passes.as_mut().ok_or_else(|| no_storage("begin_pass"))?;
        passes.begin(last, &values)?;
        state.last_pts = None;
        Ok(())
    }

    fn end_pass(&self, last: bool) -> Result<NextPass, SessionError> {
        const CALL: &str = "end_pass";
        {
            let state = self.lock();
            state.dead()?;
            if Self::on_worker(&state) {
                return Err(SessionError::parameter(CALL, "a handler cannot end a pass"));
            }
            state.passes.as_ref().ok_or_else(|| no_storage(CALL))?.is_open(CALL)?;
        }
        self.complete(Time::INVALID)?;
        let mut state = self.lock();
        state.dead()?;
        let (values, base_qp) = (state.values.clone(), state.base_qp == Some(true));
        let passes = state.passes.as_mut().ok_or_else(|| no_storage(CALL))?;
        passes.end(last, || {
            let constant = set_value!(values, ConstantBitRate).is_some()
                || set_value!(values, VariableBitRate).is_some();
            let rate = settings::average(&values).filter(|_| !constant && !base_qp);
            plan::Wish { rate, info: self.info(), pixels: u64::from(self.width) * u64::from(self.height) }
        })
    }

    fn ranges(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        let state = self.lock();
        state.dead()?;
        state.passes.as_ref().ok_or_else(|| no_storage("time_ranges_for_next_pass"))?.ranges()
    }
}

fn no_storage(call: &'static str) -> SessionError {
    SessionError::parameter(call, "the session has no multi-pass storage: set one first")
}

impl<T: Send + 'static> CompressionSession<T> {
    /// Whether it can make several passes. Every session can, unless it is one of low latency.
    #[doc(alias = "kVTVideoEncoderList_SupportsMultiPass")]
    pub fn supports_multi_pass(&self) -> bool {
        !self.shared.low_latency
    }

    /// Makes it a session of several passes, which keeps what it learns in `storage`; or of one again, with none. Frames are then taken
    /// between [`CompressionSession::begin_pass`] and [`CompressionSession::end_pass`] only, none is dropped, and from the first pass on
    /// properties that change samples can no longer be set. The session has the storage to itself until it is over.
    ///
    /// # Errors
    /// [`SessionError::Storage`] where the storage is closed, in use, or of another encoder; [`SessionError::Parameter`] when it is too late,
    /// and for properties that do not go with passes. Nothing has changed then.
    #[doc(alias = "kVTCompressionPropertyKey_MultiPassStorage")]
    pub fn set_multi_pass_storage(
        &self,
        storage: Option<&Arc<MultiPassStorage>>,
        options: PassOptions,
    ) -> Result<(), SessionError> {
        self.shared.set_storage(storage, options)
    }

    /// Begins a pass: the first over everything, a later one over the ranges that the session asked for, or over everything where it asked for
    /// none. With `last` the client says that no other will follow; nothing is then reckoned at the end of it.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] without a storage, in a pass, and after the last one; [`SessionError::Storage`].
    #[doc(alias = "VTCompressionSessionBeginPass")]
    pub fn begin_pass(&self, last: bool) -> Result<(), SessionError> {
        self.shared.begin_pass(last)
    }

    /// Ends the pass: puts out all frames, then says whether it would like another one. [`CompressionSession::invalidate`] from another thread
    /// interrupts it.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] outside a pass, and where frames of the ranges are missing; [`SessionError::Storage`];
    /// [`SessionError::Invalidated`]. The pass is over in any case but the first.
    #[doc(alias = "VTCompressionSessionEndPass")]
    pub fn end_pass(&self) -> Result<NextPass, SessionError> {
        self.shared.end_pass(false)
    }

    /// Ends the pass, and with it all passes: nothing is reckoned.
    ///
    /// # Errors
    /// As [`CompressionSession::end_pass`].
    #[doc(alias = "VTCompressionSessionEndPass")]
    pub fn end_final_pass(&self) -> Result<(), SessionError> {
        self.shared.end_pass(true).map(|_| ())
    }

    /// The ranges that the last pass ended with, until the next one ends.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] where no other pass was asked for.
    #[doc(alias = "VTCompressionSessionGetTimeRangesForNextPass")]
    pub fn time_ranges_for_next_pass(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        self.shared.ranges()
    }
}
