use super::setup::Setup;
use super::shell::{self, Handler, Shell};
use super::{
    CompressionSession, EncodedOutcome, EncoderSpecification, Outcomes, OutputHandler, SessionError,
    SessionMistake,
};
use crate::encoder::Registry;
use retake_media::{Codec, PixelBufferAttributes};
use std::sync::Arc;
use std::sync::mpsc;

/// What a session is created from. [`CompressionSession::builder`] makes one.
#[doc(alias = "VTCompressionSessionCreate")]
pub struct SessionBuilder<'a, T = ()> {
    width: u32,
    height: u32,
    codec: Codec,
    registry: &'a Registry,
    specification: EncoderSpecification,
    source: Option<PixelBufferAttributes>,
    handler: Option<Handler<T>>,
}

impl<'a, T: Send + 'static> SessionBuilder<'a, T> {
    pub(super) fn new(registry: &'a Registry, width: u32, height: u32, codec: Codec) -> Self {
        let specification = EncoderSpecification::default();
        Self { width, height, codec, registry, specification, source: None, handler: None }
    }

    /// Exactly this encoder, by its id or its short name.
    #[doc(alias = "kVTVideoEncoderSpecification_EncoderID")]
    pub fn encoder(mut self, name: impl Into<String>) -> Self {
        self.specification.encoder = Some(name.into());
        self
    }

    /// All that decides which encoder it is.
    pub fn specification(mut self, specification: EncoderSpecification) -> Self {
        self.specification = specification;
        self
    }

    /// What the client means to feed: the session then has a pool of such buffers
    /// ([`SessionHandle::pixel_buffer_pool`](crate::session::SessionHandle::pixel_buffer_pool)). The default
    /// attributes ask for whatever the encoder likes best. Other pictures may be fed as well.
    #[doc(alias = "sourceImageBufferAttributes")]
    pub fn source_attributes(mut self, attributes: PixelBufferAttributes) -> Self {
        self.source = Some(attributes);
        self
    }

    /// Calls this with the outcome of every frame, on the session's own thread, in decode order. While it
    /// runs, no more frames are encoded. It may call [`SessionHandle`](super::SessionHandle)s; it must not
    /// wait for a thread that waits for this session.
    #[doc(alias = "VTCompressionOutputCallback")]
    pub fn on_output(mut self, handler: impl FnMut(EncodedOutcome<T>) + Send + 'static) -> Self {
        self.handler = Some(Handler::OfSession(Box::new(handler)));
        self
    }

    /// Creates the session. No encode is opened before
    /// [`SessionHandle::prepare`](crate::session::SessionHandle::prepare) or the first frame.
    ///
    /// # Errors
    /// [`SessionError::Parameter`] for a size that no picture has, or where there is no handler;
    /// [`SessionError::EncoderNotFound`] where nothing meets the specification.
    pub fn build(mut self) -> Result<CompressionSession<T>, SessionError> {
        let handler = self.handler.take();
        let handler = handler.ok_or_else(|| SessionError::parameter("build", SessionMistake::NoOutput))?;
        self.start(handler)
    }

    /// Creates the session, and an iterator that gives the outcomes to whoever asks, in decode order.
    /// Outcomes that nobody has taken yet are kept; encoding does not wait for them.
    ///
    /// # Errors
    /// As [`SessionBuilder::build`].
    pub fn build_pull(mut self) -> Result<(CompressionSession<T>, Outcomes<T>), SessionError> {
        if self.handler.take().is_some() {
            return Err(SessionError::parameter("build_pull", SessionMistake::SecondOutput));
        }
        let (sender, receiver) = mpsc::channel();
        // where nobody takes outcomes any more they are dropped
        let send = Handler::OfSession(Box::new(move |outcome| drop(sender.send(outcome))));
        let session = self.start(send)?;
        Ok((session, Outcomes::new(receiver)))
    }

    fn start(self, handler: Handler<T>) -> Result<CompressionSession<T>, SessionError> {
        check_size(self.width, self.height)?;
        let factory = self.specification.find(self.registry, self.codec)?;
        let (transfer, scorers) = (self.registry.transfer().cloned(), self.registry.scorers().cloned());
        let setup = Setup {
            info: factory.info().clone(),
            low_latency: self.specification.low_latency,
            width: self.width,
            height: self.height,
            transfers: transfer.is_some(),
            metrics: scorers.as_ref().map_or_else(Vec::new, |scorers| scorers.metrics().to_vec()),
        };
        let per_frame = matches!(handler, Handler::OfFrames(_));
        let shell = Arc::new(Shell::new(setup, factory, self.source, per_frame));
        let of_thread = shell.clone();
        std::thread::Builder::new()
            .name("compression-session".to_owned())
            .spawn(move || shell::run(&of_thread, handler, transfer, scorers))
            .map_err(|error| SessionError::Malfunction(format!("no thread could be had: {error}")))?;
        Ok(CompressionSession::new(shell))
    }
}

impl SessionBuilder<'_, OutputHandler> {
    /// Creates a session whose frames bring a handler each, by
    /// [`SessionHandle::encode_with`](crate::session::SessionHandle::encode_with).
    ///
    /// # Errors
    /// As [`SessionBuilder::build`]; [`SessionMistake::SecondOutput`] where there is a handler for all frames
    /// already.
    pub fn build_per_frame(mut self) -> Result<CompressionSession<OutputHandler>, SessionError> {
        if self.handler.take().is_some() {
            return Err(SessionError::parameter("build_per_frame", SessionMistake::SecondOutput));
        }
        self.start(Handler::OfFrames(OutputHandler::call))
    }
}

/// CS-1: a size that a picture can have.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), SessionError> {
    if (1..=16384).contains(&width) && (1..=16384).contains(&height) {
        return Ok(());
    }
    Err(SessionError::parameter("build", SessionMistake::Dimensions { width, height }))
}
