//! Retake encodes video the way film crews shoot: a take, a look at it, and another take of only what did not
//! work.
//!
//! It is the library behind the `retake` command. The way from here to a film:
//!
//! 1. [`encoders`] lists the encoders of this build; pick one by name or by codec.
//! 2. Describe the job with [`Export::builder`]: input, output, encoder, and a [`Target`] (a quality floor, a
//!    bit rate, a size, or one plain pass).
//! 3. [`Export::run`] does it, tells what it does by [`Event`]s, and gives a [`Summary`].
//!
//! ```no_run
//! use retake::{Export, Target};
//!
//! let encoder = retake::encoders().by_name("x264").ok_or("no x264 in this build")?;
//! let export = Export::builder("film.mkv", "film.mp4", encoder)
//!     .target(Target::floor(93.0)?)
//!     .multi_pass(true)
//!     .on_event(|event| println!("{event:?}"))
//!     .build();
//! let summary = export.run()?;
//! println!("{} bytes", summary.file_bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Sessions
//!
//! A [`session`] is pushed frames and gives one outcome for each, as VideoToolbox does:
//!
//! ```no_run
//! use retake::property::Property;
//! use retake::session::CompressionSession;
//! use retake::{Codec, PixelBufferAttributes, SourceFrame, Time};
//!
//! let session = CompressionSession::builder(&retake::encoders(), 1280, 720, Codec::H264)
//!     .source_attributes(PixelBufferAttributes::default())
//!     .on_output(|outcome| match outcome.into_sample() {
//!         Ok(Some(buffer)) => println!("{} bytes, shown at {}", buffer.sample.data.len(), buffer.sample.pts),
//!         Ok(None) => println!("dropped"),
//!         Err(error) => eprintln!("{} ({})", error, error.code()),
//!     })
//!     .build()?;
//! session.set_all(&[Property::AverageBitRate(2_000_000), Property::MaxKeyFrameIntervalDuration(2.0)])?;
//!
//! let pool = session.pixel_buffer_pool().ok_or("no pool")?;
//! for index in 0..250 {
//!     let mut picture = pool.create_buffer()?;
//!     for plane in 0..picture.format().planes() {
//!         picture.plane_mut(plane).fill(128); // your pixels
//!     }
//!     let (pts, duration) = (Time::new(index, 25), Time::new(1, 25));
//!     // the last argument comes back with the frame's outcome
//!     session.encode(SourceFrame::new(&picture.freeze(), pts).duration(duration), index as u64)?;
//! }
//! session.complete_frames()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`session::encoder_list`] tells which encoders there are, with their ids and what they can. What can be
//! set is in [`property`]; [`session::SessionHandle::supported_properties`] and `retake encoders NAME`
//! tell which of it an encoder has. Where outcomes are to be asked for instead of handled, build the session
//! with [`build_pull`](session::SessionBuilder::build_pull). The folder `examples` has a capture in real
//! time, a transcode, a bounded pool, four sessions over one film, and a list of properties.
//!
//! # Features
//!
//! `vmaf` (default) builds libvmaf in; without it XPSNR is the default metric. `ssimulacra2` adds
//! SSIMULACRA 2. The encoders are found by pkg-config when this crate is built: those whose library is
//! missing are left out, and [`encoders`] says so.

/// Pixel buffers in depth: pools with a threshold and an age, attachments, wrapped memory, transfer between
/// formats and sizes, rotation.
///
/// What every client needs (`PixelBuffer`, `PixelBufferPool`, `TransferOptions` …) is at the root of the
/// crate.
pub mod pixel {
    pub use retake_libav::PictureTransfer;
    pub use retake_media::{
        AlphaMode, AttachmentKey, AttachmentMode, AttachmentValue, BufferAge, Clock, Downsampling,
        ExtendedPixels, FieldDetail, Fields, FreeBufferObserver, PixelStorage, PixelTransfer, PlaneGeometry,
        PoolAttributes, Reconciled, Rotation, RotationOptions, TransferError, rotate,
    };
}

/// Films as sources: what is in them, their pictures decoded, their samples as they are.
///
/// [`probe`](source::probe) looks at a film, and opens nothing else unless [`Access`](source::Access) allows
/// it; [`survey`](source::survey) looks through all of it, [`survey_range`](source::survey_range) cuts it to
/// a range; [`FrameReader`](source::FrameReader) decodes its pictures from start to end,
/// [`TrackReader`](source::TrackReader) gives the samples of a track. A reader that can be read again, in
/// exact ranges, and that decodes sound, is [`AssetReader`](asset::AssetReader).
pub mod source {
    pub use retake_libav::{
        Access, FilmInfo, Finding, FindingKind, Frame, FrameReader, ReaderOptions, TrackInfo, TrackKind,
        TrackReader, TrackSamples, VideoTrack, probe, probe_video, probe_with, survey, survey_range,
        ticks_to_time, time_to_ticks,
    };
}

/// What is done to the pictures of a film before they are encoded or compared: cut, scaled, turned, made
/// whole of fields, and whatever else libavfilter does.
///
/// [`PictureFilters`](filters::PictureFilters) is given to an [`ExportBuilder`] or a [`Measurement`], or to a
/// film that was looked through, by [`FilmInfo::with_filters`](source::FilmInfo::with_filters).
pub mod filters {
    pub use retake_libav::{
        Burn, Crop, CropArea, Deinterlace, Denoise, FilterError, FilterStep, FilterValueError, FrameRate,
        PictureFilters, Scale, ToneMap, Turn,
    };
}

/// The asset writer with its inputs, and the reader: films, fragments and segments out of samples and
/// pictures.
///
/// Set a writer up, add inputs, start writing and a session, append to the inputs, finish.
/// `examples/write_film.rs` writes pictures and sound, `examples/multipass.rs` encodes a film again in
/// several passes, `examples/hls.rs` segments for HTTP Live Streaming.
///
/// [`AssetReader`](asset::AssetReader) decodes pictures and sound of a film or of a part of it;
/// [`AssetWritingPlanner`](asset::AssetWritingPlanner) writes tracks in segments, and goes on where an
/// earlier run stopped. [`OutputSettingsAssistant`](asset::OutputSettingsAssistant) answers which settings
/// suit a source.
pub mod asset {
    pub use retake_asset::{
        AppendError, AssembledTrack, AssetReader, AssetWriter, AssetWriterInput, AssetWriterInputGroup,
        AssetWritingPlanner, BitRateStrategy, CallError, CaptionAdaptor, CaptionReceiver, Captions,
        Container, EncoderSetup, HandlerError, InputEncoder, InputOptions, MediaDataLocation, MediaSample,
        MediaType, MetadataAdaptor, MetadataGroups, MetadataReceiver, Mistake, MultiPassController,
        OpenedEncoder, OtherTracks, OutputSettings, OutputSettingsAssistant, OutputSource, PassDescription,
        PassDescriptions, PcmBlock, PcmDescription, PcmFormat, PcmOptions, PcmSamples, Picture, Pictures,
        PixelBufferAdaptor, PixelBufferReceiver, PlannedSegment, PlannerError, PlannerProgress, PresetSize,
        Queue, ReaderOutput, SampleInfo, SampleReceiver, Samples, SegmentDelegate, SegmentKind,
        SegmentProfile, SegmentReport, SegmentRequest, SerialQueue, SettingsAim, SettingsLoss, Sound,
        SoundCodec, SoundReceiver, SoundSettings, SoundSource, SourceVideo, TrackAssociation, TrackFormat,
        TrackPlan, TrackReport, UsageError, VideoSettings, WriterError, WriterOptions, WriterStatus,
    };
    pub use retake_media::{
        Caption, MetadataError, MetadataFormat, MetadataItem, MetadataKey, MetadataType, MetadataValue,
        TextFormat, TextStyle, Timecode, TimecodeError, TimecodeFormat, TimedMetadataGroup,
    };
}

/// One source, several sessions: its division into parts, what runs them, and what joins them.
///
/// [`ParallelEncode`](parallel::ParallelEncode) does it all; `examples/four_sessions.rs` does it by hand.
pub mod parallel {
    pub use retake_compression::parallel::{
        EncodedPart, EncodedParts, FrameReading, FrameSource, JoinError, JoinReport, Joiner, ParallelEncode,
        ParallelError, Part, PartProgress, SourceError, Subdivision, Violation,
    };
    pub use retake_export::FilmSource;
}

/// What there is to an encoder: for those who write one.
///
/// [`EncoderFactory`] describes it and opens encodes, [`Encoder`] is one encode. A [`Registry`] with the
/// factory in it is all that sessions, writers and exports have to be given. What the settings are, and what
/// they may be, is here.
pub mod encoder {
    pub use retake_compression::encoder::{
        ControlSupport, Controls, EncodedFrame, EncoderData, EncoderSettings, FieldSupport, FrameError,
        Output, Preset, ProfileSupport, QualityScale, RateBuffer, RateControl, RateLimit, Reconfiguration,
        TransferMaker,
    };
}

/// What there is to an object store: for those who give exports one.
///
/// [`ExportBuilder::objects`] takes an [`ObjectStore`](objects::ObjectStore), which opens sources and makes
/// films at addresses such as `s3://bucket/film.mkv`. The crate `retake-objects` has one.
pub mod objects {
    pub use retake_export::objects::{
        Existing, MOST_NOTE, Object, ObjectFacts, ObjectStore, Objects, object_address,
    };
}

/// Several films in one go: films found in folders, their names, one after another, and folders that films
/// come into.
///
/// [`Batch::plan`](batch::Batch::plan) finds out which films there are and what they become,
/// [`Batch::run`](batch::Batch::run) makes them; [`Watch`](batch::Watch) tells of films that have stopped
/// growing.
pub mod batch {
    pub use retake_export::batch::{
        Batch, BatchClient, BatchError, BatchFilm, BatchRules, FilmEnd, FilmResult, LeftOut, MadeFolders,
        NameError, OutputNames, Watch, WhyLeftOut,
    };
}

/// What stays of an export: the records of its job, which reports are drawn from and other wishes are planned
/// from.
pub mod records {
    pub use retake_compression::planner::{Interval, Objective, Reason};
    pub use retake_compression::take::{
        CpuSeconds, FrameScores, Look, LookRecord, Measure, Score, TakeDescription, TakeRecord,
    };
    pub use retake_export::records::{
        RecordedChapter, RecordedEncoder, RecordedFilm, RecordedIndex, RecordedMachine, RecordedSource,
        RecordedTake, RecordedTrack, RecordedUnit, Records, RecordsError, RecordsPlace,
    };
    pub use retake_export::{AskedAudio, AskedGoal, AskedPlace, AskedRange, JobDescription, RequestIdentity};
}

/// Reports: what became of a film, as data that a page or a drawing is made of.
///
/// [`Records::report`] makes one of the records of a job, [`FilmScore::report`] of a film that was measured;
/// [`Report::render`](report::Report::render) is the page, [`Report::plot`](report::Report::plot) the
/// drawing.
pub mod report {
    pub use retake_export::report::{FilmPair, PROGRAM, PictureLoss, check_report, compare, save_report};
    pub use retake_report::{
        Asked, Chapter, ComparedFilm, Comparison, Cpu, Group, Histogram, MOST_FILMS, Metric, Moment, Pass,
        Picture, Rate, Report, State, Take, Thumbnail, Unit, has_live_charts,
    };
}

/// What there is to a metric: for those who write one, so that sessions of several passes judge by it what
/// they encode.
///
/// [`Scorers`](scorer::Scorers) tells the metrics and opens a [`Scorer`](scorer::Scorer) for each unit;
/// [`Registry::set_scorers`] gives them to sessions.
pub mod scorer {
    pub use retake_compression::scorer::{AnyScorer, Metric, Scorer, Scorers, SharedScorers};
    pub use retake_compression::take::Score;
    pub use retake_export::QualityScorers;
}

/// Compression sessions: frames in, one outcome for each.
pub mod session {
    pub use retake_compression::session::{
        CompressionSession, Emission, EncodeInfo, EncodedOutcome, EncoderEntry, EncoderSpecification,
        FrameCountMismatch, NextPass, Outcomes, OutputHandler, PassOptions, PictureLoss, SessionBuilder,
        SessionError, SessionHandle, SessionMistake, SharedPlan, encoder_list,
        supported_properties_for_encoder,
    };
}

/// Properties of sessions: everything that can be set and asked for.
pub mod property {
    pub use retake_compression::property::{
        Class, ColorPrimaries, DataRateLimit, H264EntropyMode, HdrMetadataInsertionMode, Kind, OutputChroma,
        Property, PropertyError, PropertyKey, PropertyType, PropertyValue, Readable, Row, SavedProperties,
        SupportedProperties, SupportedProperty, TransferFunction, YCbCrMatrix, key, profile_level_name,
    };
}

/// A session of several passes with its storage and its silo, in one loop.
pub mod multi_pass {
    pub use retake_compression::multi_pass::{MultiPassEncode, MultiPassError};
}

/// The file that keeps the newest sample of every frame, whatever pass it came from.
pub mod silo {
    pub use retake_compression::silo::{ExistingSilo, FrameSilo, Samples, SiloError};
}

/// The file that keeps what a session learned in each pass.
pub mod storage {
    pub use retake_compression::storage::{MultiPassStorage, StorageError, StorageOptions};
}

pub use retake_compression::encoder::{
    Encoder, EncoderError, EncoderFactory, EncoderFamily, EncoderInfo, FrameOptions, MissingEncoder,
    NoSuchEncoder, Registry,
};
pub use retake_compression::planner::{Effort, UnknownEffort};
pub use retake_compression::session::SourceFrame;
pub use retake_compression::units::FrameRange;
pub use retake_export::records::{Records, RecordsError, RecordsPlace};
pub use retake_export::{
    AddedAudio, AddedSubtitles, AlreadyStarted, Asked, AudioChoice, AudioEncoding, AudioError, AudioLayout,
    AudioRule, AutoLadder, ChapterChoice, ChosenRung, Count, EstimateBasis, Event, Export, ExportBuilder,
    ExportError, ExportPreset, ExportStatus, Fault, FilmScore, Grain, Ladder, LadderError, LadderRung,
    LengthEstimate, MarkRule, MeasuredFrames, Measurement, Missed, OtherEffort, Outcome, PassSummary,
    QualitySummary, Replan, RequestError, RunError, RunOn, ScoreAt, SharedRoot, SoundLevel, SoundSummary,
    Step, StopFlag, StopReason, Summary, TakeDone, TakeFailure, TakeTask, Target, TrackError, TrackFlag,
    TrackRule, TrackSelector, UnitScore, UnknownScoreAt, VariantSummary, WorkerProgram, WorkerTools, replan,
    run_array_worker, run_take, run_worker,
};
pub use retake_libav::{ErrorKind as MediaErrorKind, FilmPosition, FilmRange, MediaError};
pub use retake_media::{
    Attachment, Attachments, AudioFormat, ChromaSubsampling, CleanAperture, Codec, Colour, ContentLight,
    DolbyVision, FormatDescription, IccProfile, MasteringDisplay, PixelBuffer, PixelBufferAttributes,
    PixelBufferError, PixelBufferPool, PixelFormat, Range, Rational, Sample, SampleAttachments, SampleBuffer,
    SampleKind, ScalingMode, Time, TimeRange, TransferOptions, WritableBuffer,
};
pub use retake_quality::{
    MetricKind, Pooling, available as metrics, default_metric, missing as missing_metrics,
};
pub use retake_report::Report;

/// The encoders of this build. Sessions with one of them convert pictures that it does not take as they are,
/// and those of several passes judge what they encode by the metrics of this build.
pub fn encoders() -> Registry {
    let mut registry = retake_encoders::registry();
    registry.set_transfer(std::sync::Arc::new(|| Box::new(retake_libav::PictureTransfer::new())));
    registry.set_scorers(std::sync::Arc::new(retake_export::QualityScorers::new()));
    registry
}
