//! Several passes over one source in one session.
//!
//! Every pass produces samples that can be shipped. After a pass the session says which time ranges it would
//! like to encode again; the client sends the frames in them once more and puts the new samples in the place
//! of the old ones, which is what a [`FrameSilo`](crate::silo::FrameSilo) is for.
//!
//! The first pass is an ordinary encode. It is cut into units, from one sync frame to the next; ranges are
//! made of whole units, and each unit is encoded anew by an encode of its own, with a quality that the
//! [planner](crate::planner) chose from what earlier passes took.

use super::core::PassKind;
use super::{SessionError, SessionHandle, SharedPlan};
use crate::property::{Property, PropertyKey};
use crate::storage::MultiPassStorage;
use retake_media::TimeRange;
use std::sync::Arc;

/// Three properties that go with a storage, set with it: [`Property::MaxPassCount`],
/// [`Property::AlwaysRequestSecondPass`] and [`Property::RequestWholeSourcePasses`]. What is left at its
/// default leaves the property as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassOptions {
    /// Passes at most, the first one counted. At least 1. Default: 5.
    pub most: u32,
    /// Ask for a second pass over everything where nothing better is to be expected, for clients that always
    /// make two. Default: false.
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
    /// It would like these ranges again, of presentation times of source frames. At least one; ascending,
    /// apart, not empty.
    Requested(Arc<[TimeRange]>),
    /// It shares a plan ([`SessionHandle::share_plan`]), and sessions of other parts have to end their pass
    /// first: ask again by [`SessionHandle::next_pass`].
    Undecided,
    /// What came out last is what it is going to be.
    Finished,
}

impl<T: Send + 'static> SessionHandle<T> {
    /// Whether it can make several passes. Every session can, unless it is one of low latency.
    #[doc(alias = "kVTVideoEncoderList_SupportsMultiPass")]
    pub fn supports_multi_pass(&self) -> bool {
        !self.shell.setup().low_latency
    }

    /// Sets [`Property::MultiPassStorage`], or resets it with none, and what `options` say beside it.
    ///
    /// # Errors
    /// [`SessionError::Storage`] where the storage is closed, in use, or of another encoder;
    /// [`SessionError::Property`] when it is too late, and for properties that do not go with passes. Nothing
    /// has changed then.
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
        self.shell.change(&changes)
    }

    /// Makes the session that of a part, counted from 0, of a source whose parts are planned together. Its
    /// passes then follow from what the sessions of all parts have found; it still needs a storage of its
    /// own. The session of another part may be run before, beside or after it. A part whose session failed
    /// can be given to another one.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] where there is no such part, and once a pass has begun.
    pub fn share_plan(&self, plan: &Arc<SharedPlan>, part: usize) -> Result<(), SessionError> {
        self.shell.share_plan(plan, part)
    }

    /// Tells again what the end of the last pass said. Where that was [`NextPass::Undecided`], it tells what
    /// was decided since; it does not wait for it. A part that has no share in a pass stays undecided until
    /// the others have made this pass.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] in a pass and before the first one, and where another session has taken
    /// over the part; [`SessionError::Storage`].
    pub fn next_pass(&self) -> Result<NextPass, SessionError> {
        self.shell.next_pass()
    }

    /// Begins a pass: the first over everything, a later one over the ranges that the session asked for, or
    /// over everything where it asked for none. Another one may follow.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] without a storage, in a pass, after the last one, and while a shared plan
    /// asks for none; [`SessionError::Storage`].
    #[doc(alias = "VTCompressionSessionBeginPass")]
    pub fn begin_pass(&self) -> Result<(), SessionError> {
        self.shell.begin_pass(PassKind::Analysis)
    }

    /// Begins a pass as [`SessionHandle::begin_pass`] does, and promises that no other will follow:
    /// nothing is reckoned at the end of it.
    ///
    /// # Errors
    /// As [`SessionHandle::begin_pass`].
    #[doc(alias = "kVTCompressionSessionBeginFinalPass")]
    #[doc(alias = "two-pass")]
    pub fn begin_final_pass(&self) -> Result<(), SessionError> {
        self.shell.begin_pass(PassKind::Final)
    }

    /// Ends the pass: puts out all frames, then says whether it would like another one.
    /// [`SessionHandle::invalidate`] from another thread interrupts it.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] outside a pass, and where frames of the ranges are missing;
    /// [`SessionError::Storage`]; [`SessionError::Invalidated`]. The pass is over in any case but the first.
    #[doc(alias = "VTCompressionSessionEndPass")]
    pub fn end_pass(&self) -> Result<NextPass, SessionError> {
        self.shell.end_pass(PassKind::Analysis)
    }

    /// Ends the pass, and with it all passes: nothing is reckoned.
    ///
    /// # Errors
    /// As [`SessionHandle::end_pass`].
    #[doc(alias = "VTCompressionSessionEndPass")]
    pub fn end_final_pass(&self) -> Result<(), SessionError> {
        self.shell.end_pass(PassKind::Final).map(|_| ())
    }

    /// The ranges that the last pass ended with, until the next one ends.
    ///
    /// Before its first pass, a session whose storage was kept by an earlier one
    /// ([`StorageOptions::do_not_delete`]) tells the ranges that the earlier one asked for, and by that goes
    /// on where it ended: the next pass is one over these ranges. A client that does not ask begins anew.
    ///
    /// [`StorageOptions::do_not_delete`]: crate::storage::StorageOptions::do_not_delete
    ///
    /// # Errors
    /// [`SessionError::Parameter`] where no other pass was asked for.
    #[doc(alias = "VTCompressionSessionGetTimeRangesForNextPass")]
    pub fn time_ranges_for_next_pass(&self) -> Result<Arc<[TimeRange]>, SessionError> {
        self.shell.ranges()
    }
}
