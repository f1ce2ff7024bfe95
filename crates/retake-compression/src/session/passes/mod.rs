//! Several passes over one source in one session.
//!
//! Every pass produces samples that can be shipped. After a pass the session says which time ranges it would like to encode again; the client
//! sends the frames in them once more and puts the new samples in the place of the old ones, which is what a
//! [`FrameSilo`](crate::silo::FrameSilo) is for.
//!
//! The first pass is an ordinary encode. It is cut into units, from one sync frame to the next; ranges are made of whole units, and each unit is
//! encoded anew by an encode of its own, with a quality that the [planner](crate::planner) chose from what earlier passes took.

mod frames;
mod kept;
mod ledger;
mod limits;
mod plan;
mod units;

#[cfg(test)]
mod tests;

pub(super) use ledger::{Beginning, Passes, Start};

use self::plan::Wish;
use super::properties::MERE_HINTS;
use super::state::Shared;
use super::{CompressionSession, SessionError, quality, settings};
use crate::encoder::RateControl;
use crate::property::{Property, PropertyKey, USUAL_PASSES, Values, set_value};
use crate::storage::{MultiPassStorage, StorageIdentity};
use retake_media::TimeRange;
use std::sync::Arc;

/// Three properties that go with a storage, set with it: [`Property::MaxPassCount`], [`Property::AlwaysRequestSecondPass`] and
/// [`Property::RequestWholeSourcePasses`]. What is left at its default leaves the property as it is.
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
    /// Takes a storage for the passes of this session (MP-2, MP-3).
    pub(super) fn passes(&self, storage: &Arc<MultiPassStorage>) -> Result<Passes, SessionError> {
        let info = self.info();
        let identity = StorageIdentity {
            encoder: info.name.to_owned(),
            version: info.version.clone(),
            codec: info.codec,
            width: self.width,
            height: self.height,
            // those of passes are not all set yet: they are compared when one begins
            settings: String::new(),
        };
        Ok(Passes::new(storage.attach(&identity)?, info.quality)?)
    }

    fn begin_pass(&self, last: bool) -> Result<(), SessionError> {
        let mut state = self.lock();
        state.dead()?;
        if Self::on_worker(&state) {
            return Err(SessionError::parameter("begin_pass", "a handler cannot begin a pass"));
        }
        let values = state.values.clone();
        let passes = state.passes.as_mut().ok_or_else(|| no_storage("begin_pass"))?;
        passes.begin(last, &values, &settings_text(&values))?;
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
        self.settle()?;
        let mut state = self.lock();
        state.dead()?;
        let values = state.values.clone();
        let passes = state.passes.as_mut().ok_or_else(|| no_storage(CALL))?;
        passes.end(last, &self.wish(&values))
    }

    /// What the properties say that the merged stream is to become.
    fn wish<'a>(&'a self, values: &'a Values) -> Wish<'a> {
        let environment = self.environment();
        let judged = settings::judged(&environment, values);
        let variable = set_value!(values, VariableBitRate).is_some();
        let scale = &self.info().quality;
        let flag = |value: Option<&bool>| value == Some(&true);
        Wish {
            rate: settings::average(values).filter(|_| !variable),
            floor: judged.and_then(|judged| judged.floor),
            metric: judged.map_or("", |judged| judged.metric),
            first: match settings::rate(&environment, values).0 {
                RateControl::Quality(quality) => Some(quality),
                _ => None,
            },
            best: set_value!(values, Quality).map(|&quality| quality::on_scale(scale, quality)),
            info: self.info(),
            pixels: u64::from(self.width) * u64::from(self.height),
            most: set_value!(values, MaxPassCount).copied().unwrap_or(USUAL_PASSES),
            whole: flag(set_value!(values, RequestWholeSourcePasses)),
            always: flag(set_value!(values, AlwaysRequestSecondPass)),
        }
    }

    fn ranges(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        let mut state = self.lock();
        state.dead()?;
        state.passes.as_mut().ok_or_else(|| no_storage("time_ranges_for_next_pass"))?.ranges()
    }
}

/// What samples depend on, as text that is equal for equal values: a storage goes on with equal ones only (MP-3).
fn settings_text(values: &Values) -> String {
    let of_passes = |key| {
        matches!(
            key,
            PropertyKey::MultiPassStorage
                | PropertyKey::MaxPassCount
                | PropertyKey::RequestWholeSourcePasses
                | PropertyKey::AlwaysRequestSecondPass
        )
    };
    let counted = |key| !of_passes(key) && !MERE_HINTS.contains(&key);
    let counted = values.iter().filter(|property| counted(property.key()));
    let text: Vec<String> =
        counted.map(|property| format!("{}={}", property.key(), property.value())).collect();
    text.join("; ")
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

    /// Sets [`Property::MultiPassStorage`], or resets it with none, and what `options` say beside it.
    ///
    /// # Errors
    /// [`SessionError::Storage`] where the storage is closed, in use, or of another encoder; [`SessionError::Property`] when it is too late,
    /// and for properties that do not go with passes. Nothing has changed then.
    #[doc(alias = "kVTCompressionPropertyKey_MultiPassStorage")]
    pub fn set_multi_pass_storage(
        &self,
        storage: Option<&Arc<MultiPassStorage>>,
        options: PassOptions,
    ) -> Result<(), SessionError> {
        let usual = PassOptions::default();
        let mut changes =
            vec![(PropertyKey::MultiPassStorage, storage.map(|storage| storage.clone().into()))];
        let mut set = |differs: bool, property: Property| {
            if differs {
                changes.push((property.key(), Some(property.value())));
            }
        };
        set(options.most != usual.most, Property::MaxPassCount(options.most));
        set(options.request_once, Property::AlwaysRequestSecondPass(true));
        set(options.whole_source, Property::RequestWholeSourcePasses(true));
        self.shared.change(&changes)
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
    /// Before its first pass, a session whose storage was kept by an earlier one ([`StorageOptions::do_not_delete`]) tells the ranges that
    /// the earlier one asked for, and by that goes on where it ended: the next pass is one over these ranges. A client that does not ask
    /// begins anew.
    ///
    /// [`StorageOptions::do_not_delete`]: crate::storage::StorageOptions::do_not_delete
    ///
    /// # Errors
    /// [`SessionError::Parameter`] where no other pass was asked for.
    #[doc(alias = "VTCompressionSessionGetTimeRangesForNextPass")]
    pub fn time_ranges_for_next_pass(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        self.shared.ranges()
    }
}
