//! Films are written and read here as AVFoundation does it: an [`AssetWriter`] with inputs that say when they are ready.
//!
//! A writer is set up, started, given samples by its inputs, and finished; it is used once. Container bytes are libavformat's work (by
//! `retake-libav`), behaviour is this crate's: what may be called when, how tracks are interleaved in bounded memory, what a session's start
//! and end do to the film, and that the output's place holds nothing or the finished film.
//!
//! Two kinds of trouble are kept apart (AW-2): a [`UsageError`] is a call that should not have been made, and changes nothing; a
//! [`WriterError`] is why a film cannot be written, and makes the writer's status *failed*.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, where it
//! is told what every call must do.

mod adaptor;
mod association;
mod boxes;
mod core;
mod encoder;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod input;
mod media;
mod options;
mod output;
mod passes;
mod queue;
mod reader;
mod readiness;
mod receiver;
mod segment;
mod session;
mod sink;
mod sound;
mod status;
mod video;
mod writer;

pub use adaptor::PixelBufferAdaptor;
pub use association::TrackAssociation;
pub use encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
pub use error::{AppendError, CallError, Mistake, UsageError, WriterError};
pub use group::AssetWriterInputGroup;
pub use input::AssetWriterInput;
pub use media::{MediaSample, MediaType};
pub use options::{InputOptions, MediaDataLocation, OtherTracks, WriterOptions};
pub use output::{Existing, OutputError, OutputTarget, UnfinishedFile};
pub use passes::PassDescription;
pub use queue::{Queue, SerialQueue};
pub use reader::{AssetReader, OutputSource, Picture, Pictures, ReaderOutput, Samples};
pub use receiver::{MultiPassController, PixelBufferReceiver, SampleReceiver, SoundReceiver};
pub use retake_libav::{Container, ReaderOptions, SoundCodec, TrackFormat};
pub use segment::{SampleInfo, SegmentDelegate, SegmentKind, SegmentProfile, SegmentReport, TrackReport};
pub use sound::SoundSettings;
pub use status::WriterStatus;
pub use video::VideoSettings;
pub use writer::AssetWriter;
