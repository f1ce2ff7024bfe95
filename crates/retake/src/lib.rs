//! Retake encodes video the way film crews shoot: a take, a look at it, and another take of only what did not work.
//!
//! It is the library behind the `retake` command. The way from here to a film:
//!
//! 1. [`encoders`] lists the encoders of this build; pick one by name or by codec.
//! 2. Describe the job in a [`Request`]: input, output, encoder, and a [`Target`] (a quality floor, a bit rate, a size, or one plain pass).
//! 3. [`export`] runs it, tells what it does by [`Event`]s, and gives a [`Summary`].
//!
//! ```no_run
//! use retake::{MetricKind, Pool, Request, StopFlag, Target};
//!
//! let encoder = retake::encoders().by_name("x264").ok_or("no x264 in this build")?;
//! let request = Request {
//!     target: Target::Floor { floor: 93.0, tolerance: None },
//!     ..Request::new("film.mkv", "film.mp4", encoder)
//! };
//! let summary = retake::export(&request, &StopFlag::new(), &|event| println!("{event:?}"))?;
//! println!("{} bytes", summary.file_bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `vmaf` (default) builds libvmaf in; without it XPSNR is the default metric. `ssimulacra2` adds SSIMULACRA 2. The encoders are found by
//! pkg-config when this crate is built: those whose library is missing are left out, and [`encoders`] says so.

pub use retake_compression::encoder::{
    Encoder, EncoderFactory, EncoderInfo, FrameOptions, MissingEncoder, Registry,
};
pub use retake_compression::units::FrameRange;
pub use retake_compression::{property, session, silo, storage};
pub use retake_export::{
    Event, ExportError, FilmScore, Outcome, PassSummary, QualitySummary, Request, StopFlag, Summary, Target,
    UnitScore, export, measure,
};
pub use retake_libav::{ErrorKind as MediaErrorKind, MediaError};
pub use retake_media::{
    Codec, Colour, ContentLight, FormatDescription, MasteringDisplay, PixelBuffer, PixelBufferPool,
    PixelFormat, Rational, Sample, SampleAttachments, SampleBuffer, SampleKind, Time, TimeRange,
    WritableBuffer,
};
pub use retake_quality::{
    MetricKind, Pool, available as metrics, default_metric, missing as missing_metrics,
};

/// The encoders of this build.
pub fn encoders() -> Registry {
    retake_encoders::registry()
}
