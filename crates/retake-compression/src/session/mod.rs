//! A client's conversation with one encoder: set properties, send frames, get one outcome for each.
//!
//! ```text
//!  caller ──encode──► queue ──► the session's thread ──► encoder
//!    ▲ waits while it is full        │
//!    └── complete, invalidate        └──► handler: one outcome a frame, in decode order
//! ```
//!
//! [`derive`](settings_of) gives properties their meaning for an encoder. `core` is the session as a value,
//! without lock, thread or clock; `encode` does what it asks for; `shell` puts both together: callers and one
//! thread of the session's own share the core behind a lock, and that thread calls the encoder and the
//! handler. A frame is encoded with the properties that held when it was submitted.

mod builder;
mod core;
mod derive;
mod encode;
mod error;
mod frame;
mod list;
mod outcome;
mod outcomes;
mod passes;
mod pool;
mod properties;
mod setup;
mod shared_plan;
mod shell;
mod specification;

pub use self::core::FrameCountMismatch;
pub use builder::SessionBuilder;
pub use derive::{Change, Hints, settings_of};
pub use error::{SessionError, SessionMistake};
pub use frame::{OutputHandler, SourceFrame};
pub use list::{EncoderEntry, encoder_list, supported_properties_for_encoder};
pub use outcome::{Emission, EncodeInfo, EncodedOutcome, PictureLoss};
pub use outcomes::Outcomes;
pub use passes::{NextPass, PassOptions};
pub use shared_plan::SharedPlan;
pub use specification::EncoderSpecification;

pub(crate) use list::ID_PREFIX;

use crate::encoder::{EncoderInfo, Registry};
use retake_media::{Codec, PixelBufferPool, Time};
use shell::Shell;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// Encodes frames with one encoder, and owns the session: dropping it invalidates it. All calls are those of
/// its [`SessionHandle`]. May be moved between threads; others use handles.
#[doc(alias = "VTCompressionSession")]
pub struct CompressionSession<T = ()> {
    handle: SessionHandle<T>,
    /// One owner at a time: what others may do, they do by a handle (PR-9).
    not_sync: PhantomData<Cell<()>>,
}

impl<T: Send + 'static> CompressionSession<T> {
    /// Begins a session that encodes pictures of this size, with one of the encoders of `registry`.
    #[doc(alias = "VTCompressionSessionCreate")]
    pub fn builder(registry: &Registry, width: u32, height: u32, codec: Codec) -> SessionBuilder<'_, T> {
        SessionBuilder::new(registry, width, height, codec)
    }

    fn new(shell: Arc<Shell<T>>) -> Self {
        Self { handle: SessionHandle { shell }, not_sync: PhantomData }
    }

    /// A handle for other threads and for the handler.
    pub fn handle(&self) -> SessionHandle<T> {
        self.handle.clone()
    }
}

impl<T> Deref for CompressionSession<T> {
    type Target = SessionHandle<T>;

    fn deref(&self) -> &SessionHandle<T> {
        &self.handle
    }
}

impl<T> Drop for CompressionSession<T> {
    /// CS-15.
    fn drop(&mut self) {
        self.handle.shell.invalidate();
    }
}

/// The calls of a session, for its owner, for its handler, and for any number of other threads at once. It
/// does not keep the session alive: when the session is dropped, every call answers
/// [`SessionError::Invalidated`].
pub struct SessionHandle<T = ()> {
    shell: Arc<Shell<T>>,
}

impl<T> Clone for SessionHandle<T> {
    fn clone(&self) -> Self {
        Self { shell: self.shell.clone() }
    }
}

impl<T: Send + 'static> SessionHandle<T> {
    /// The encoder.
    pub fn encoder(&self) -> &EncoderInfo {
        &self.shell.setup().info
    }

    /// A pool of buffers to fill and send; none where no source attributes were given, or the session is
    /// over. The same pool until a property changes what the encoder takes; buffers of an earlier one may
    /// still be sent.
    #[doc(alias = "VTCompressionSessionGetPixelBufferPool")]
    pub fn pixel_buffer_pool(&self) -> Option<PixelBufferPool> {
        let values = self.shell.values().ok()?;
        self.shell.pool(&values).0
    }

    /// Opens the encoder, which the first frame would do otherwise. Repeating it does nothing. Properties
    /// that are decided by the first frame are decided from here on.
    ///
    /// # Errors
    /// Where the encoder refuses the properties, or does not open; they can then be set otherwise.
    #[doc(alias = "VTCompressionSessionPrepareToEncodeFrames")]
    pub fn prepare(&self) -> Result<(), SessionError> {
        let format =
            self.pixel_buffer_pool().and_then(|pool| pool.buffer_attributes().formats.first().copied());
        self.shell.prepare(Hints { format, ..Hints::default() })
    }

    /// Submits a frame; its outcome brings `token` back, which may be `()`. Times rise from frame to frame.
    /// Waits while too many frames wait, unless the session's own handler calls it.
    ///
    /// # Errors
    /// The frame was not accepted then, and there is no outcome for it: a wrong time, an option that the
    /// encoder does not have, a session that is over, or, with the first frame, an encoder that does not
    /// open.
    #[doc(alias = "VTCompressionSessionEncodeFrame")]
    pub fn encode(&self, frame: SourceFrame, token: T) -> Result<EncodeInfo, SessionError> {
        self.shell.encode(frame, token)
    }

    /// Waits until all frames are out, and their outcomes handled. More frames may follow; they begin with a
    /// sync frame, because the encoder had to be emptied.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail. A handler that calls it gets
    /// [`SessionError::Parameter`].
    #[doc(alias = "VTCompressionSessionCompleteFrames")]
    pub fn complete_frames(&self) -> Result<(), SessionError> {
        self.shell.complete(Time::INVALID)
    }

    /// Waits until all frames up to a time are out, and their outcomes handled; all frames where the time is
    /// infinite or indefinite. Where the encoder had to be emptied for that, the frames that follow begin
    /// with a sync frame.
    ///
    /// # Errors
    /// As [`SessionHandle::complete_frames`].
    #[doc(alias = "VTCompressionSessionCompleteFrames")]
    pub fn complete_frames_until(&self, time: Time) -> Result<(), SessionError> {
        self.shell.complete(time)
    }

    /// Whether other frames came than [`SourceFrameCount`](crate::property::Property::SourceFrameCount) told
    /// of: more, at any time, or fewer, once all were completed or the session was ended. Of several passes
    /// the first counts.
    pub fn frame_count_mismatch(&self) -> Option<FrameCountMismatch> {
        self.shell.frame_count_mismatch()
    }

    /// Ends the session: frames that are pending get their outcome, [`SessionError::Invalidated`]; after it
    /// returns, the handler is not called any more. A handler that calls it is let finish first. Repeating it
    /// does nothing.
    #[doc(alias = "VTCompressionSessionInvalidate")]
    pub fn invalidate(&self) {
        self.shell.invalidate();
    }
}

impl SessionHandle<OutputHandler> {
    /// Submits a frame with the handler for its outcome. It is called once, on the session's own thread; the
    /// handlers of several frames in decode order. What holds for
    /// [`SessionBuilder::on_output`] holds for each of them, but that a panic of one ends the session and not
    /// the calls of the others: they bring [`SessionError::Malfunction`].
    ///
    /// # Errors
    /// As [`SessionHandle::encode`]; the handler is dropped then, and never called. CS-4:
    /// [`SessionMistake::SecondOutput`] where the session was not built by
    /// [`SessionBuilder::build_per_frame`].
    #[doc(alias = "VTCompressionSessionEncodeFrameWithOutputHandler")]
    pub fn encode_with(
        &self,
        frame: SourceFrame,
        handler: impl FnOnce(EncodedOutcome) + Send + 'static,
    ) -> Result<EncodeInfo, SessionError> {
        if !self.shell.per_frame {
            return Err(SessionError::parameter("encode_with", SessionMistake::SecondOutput));
        }
        self.shell.encode(frame, OutputHandler::new(handler))
    }
}
