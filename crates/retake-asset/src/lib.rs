//! Films are written and read here as AVFoundation does it: an [`AssetWriter`] with inputs that say when they
//! are ready.
//!
//! A writer is set up, started, given samples by its inputs, and finished; it is used once. Container bytes
//! are libavformat's work (by `retake-libav`), behaviour is this crate's: what may be called when, how tracks
//! are interleaved in bounded memory, what a session's start and end do to the film, and that the output's
//! place holds nothing or the finished film.
//!
//! Two kinds of trouble are kept apart (AW-2): a [`UsageError`] is a call that should not have been made, and
//! changes nothing; a [`WriterError`] is why a film cannot be written, and makes the writer's status
//! *failed*.
//!
//! Besides pictures and sound a film holds texts, timecodes and metadata that holds for a while, and its
//! tracks say what they are to each other:
//!
//! ```
//! use retake_asset::{
//!     AssetWriter, AssetWriterInput, CaptionAdaptor, Container, MetadataAdaptor, TrackAssociation,
//!     TrackFormat,
//! };
//! use retake_media::{
//!     Caption, MetadataFormat, MetadataItem, MetadataKey, MetadataType, MetadataValue, Time, TimeRange,
//!     Timecode, TimecodeFormat, TimedMetadataGroup,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("film.mov");
//! let seconds = |from, until| TimeRange::between(Time::new(from, 1), Time::new(until, 1));
//! let writer = AssetWriter::new(&file, Container::Mov);
//!
//! let subtitles = AssetWriterInput::subtitles();
//! let captions = CaptionAdaptor::new(&subtitles)?;
//! let format = TimecodeFormat::new(Time::new(1001, 30_000), true)?;
//! let timecodes = AssetWriterInput::passthrough(TrackFormat::Timecode(format.clone()));
//! let pulse = MetadataKey::new("com.example.pulse", MetadataType::Integer);
//! let metadata = AssetWriterInput::timed_metadata(MetadataFormat::new(vec![pulse])?);
//! let groups = MetadataAdaptor::new(&metadata)?;
//! for input in [&subtitles, &timecodes, &metadata] {
//!     writer.add(input)?;
//! }
//! metadata.add_track_association(&subtitles, TrackAssociation::MetadataReferent)?;
//!
//! writer.start_writing()?;
//! writer.start_session(Time::ZERO)?;
//! captions.append(Caption::new("Good morning.", seconds(1, 3)))?;
//! timecodes.append(format.sample(Timecode::new(10, 0, 0, 0), seconds(0, 5))?)?;
//! let items = vec![MetadataItem::new("com.example.pulse", MetadataValue::Integer(70))];
//! groups.append(TimedMetadataGroup::new(items, seconds(0, 5)))?;
//! writer.finish_writing_and_wait()?;
//! # assert!(file.exists());
//! # Ok(())
//! # }
//! ```
//!
//! The crate is built in layers, each of which knows those before it alone: `types`, the values that all
//! speak of; `state`, what a writer's one lock guards; `boxes`, `output` and `sink`, which write bytes;
//! `run`, the lock and the threads; `api`, the handles.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, where
//! it is told what every call must do.

mod api;
mod boxes;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod output;
mod run;
mod sink;
mod state;
mod types;

pub use api::adaptor::PixelBufferAdaptor;
pub use api::assistant::{
    OutputSettings, OutputSettingsAssistant, PresetSize, SettingsAim, SettingsLoss, SourceVideo,
};
pub use api::caption::CaptionAdaptor;
pub use api::group::AssetWriterInputGroup;
pub use api::input::AssetWriterInput;
pub use api::metadata::MetadataAdaptor;
pub use api::planner::{
    AssembledTrack, AssetWritingPlanner, HandlerError, PlannedSegment, PlannerError, PlannerProgress,
    SegmentRequest, TrackPlan,
};
pub use api::reader::{
    AssetReader, Captions, MetadataGroups, OutputSource, Picture, Pictures, ReaderOutput, Samples, Sound,
};
pub use api::receiver::{
    CaptionReceiver, MetadataReceiver, MultiPassController, PassDescriptions, PixelBufferReceiver,
    SampleReceiver, SoundReceiver,
};
pub use api::sound::SoundSamples;
pub use api::video::VideoSettings;
pub use api::writer::AssetWriter;
pub use output::{Existing, OutputError, OutputTarget, UnfinishedFile, short_name};
pub use retake_libav::{
    BitRateStrategy, Container, PcmBlock, PcmDescription, PcmFormat, PcmOptions, PcmSamples, ReaderOptions,
    SoundCodec, SoundSettings, SoundSource, TrackFormat,
};
pub use run::queue::{Queue, SerialQueue};
pub use state::clock::automatic_time_scale;
pub use types::association::TrackAssociation;
pub use types::encoder::{EncoderSetup, InputEncoder, OpenedEncoder};
pub use types::error::{AppendError, CallError, Mistake, UsageError, WriterError};
pub use types::media::{MediaSample, MediaType};
pub use types::options::{InputOptions, MediaDataLocation, OtherTracks, WriterOptions};
pub use types::pass::PassDescription;
pub use types::segment::{
    SampleInfo, SegmentDelegate, SegmentKind, SegmentProfile, SegmentReport, TrackReport,
};
pub use types::status::WriterStatus;
