//! This crate reads and writes films. All calls into FFmpeg are here.
//!
//! [`probe()`] looks at a film, [`FrameReader`] decodes it from start to end, [`RangeReader`] decodes exact
//! ranges of it, and [`Muxer`] writes compressed samples together with copies of all other tracks.
//! [`PictureTransfer`] makes pictures of other formats and sizes, [`PcmReader`] decodes sound, and
//! [`SoundEncoder`] encodes it. This crate must decide nothing: it plans no takes and chooses no settings.
//!
//! FFmpeg is reached through C shims of our own (`src/shim`) with flat structs, so that FFmpeg 5.1 to 9 work
//! from one source and no layout of its structs is known in Rust. It prints nothing, because its messages go
//! into the errors.

mod access;
mod adts;
mod beside;
mod bitmaps;
mod clock;
mod closed_captions;
mod container;
mod copier;
mod cues;
mod decoder;
mod elements;
mod entry;
mod error;
mod failure;
mod ffi;
mod film;
mod filters;
mod finding;
mod form;
mod frame;
mod handed;
mod index;
mod input;
mod jpeg;
mod languages;
mod marks;
mod metadata_keys;
mod muxer;
mod noise;
mod note;
mod objects;
mod output;
mod pcm;
mod pipe;
mod probe;
mod progress;
mod pump;
mod range;
mod reader;
mod samples;
mod sound;
mod sound_reader;
mod source;
mod stamps;
mod survey;
mod tags;
mod texts;
mod timeline;
mod track_format;
mod transfer;
mod video;
mod window;

/// Doors to private parsers, for fuzzing alone.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// In how many places a Matroska file is damaged, walked in steps of so many bytes.
    pub fn damaged_places(file: &[u8], step: usize) -> std::io::Result<u64> {
        crate::elements::damaged_places(file, step)
    }

    /// The keys of a track of timed metadata in an ISO file.
    pub fn metadata_keys(file: &[u8], track: u32) -> std::io::Result<Option<retake_media::MetadataFormat>> {
        crate::metadata_keys::read(&mut std::io::Cursor::new(file), track, &|| false)
    }
}

pub use access::{Access, is_pipe};
pub use beside::{CoverFile, SoundFile, SubtitleFile, chapters_of_file, read_small};
pub use container::Container;
pub use copier::common_multiple;
pub use cues::{Cue, Cues, read_cues};
pub use entry::EntryPoint;
pub use error::{ErrorKind, MediaError};
pub use failure::library_versions;
pub use film::{
    FilmFacts, FilmInfo, TrackInfo, TrackKind, TrackSamples, VideoTrack, ticks_to_time, time_to_ticks,
};
pub use filters::{
    Burn, Crop, CropArea, Deinterlace, Denoise, FilterError, FilterStep, FilterValueError, FrameRate,
    PictureFilters, Scale, ToneMap, Turn,
};
pub use finding::{Finding, FindingKind};
pub use form::FrameFacts;
pub use frame::Frame;
pub use index::{FrameEntry, FrameIndex};
pub use jpeg::{Jpeg, JpegEncoder, JpegError};
pub use languages::{language_code, language_tag};
pub use marks::{TrackMark, TrackMarks};
pub use muxer::{FinishedFilm, Muxer, MuxerKind, MuxerSample, MuxerSettings, MuxerTrack};
pub use note::Note;
pub use objects::{Object, Objects, object_address};
pub use pcm::{PcmBlock, PcmDescription, PcmFormat, PcmOptions, PcmReader, PcmSamples};
pub use pipe::PipeReader;
pub use probe::{probe, probe_video, probe_with};
pub use progress::{ReaderProgress, ReaderState};
pub use range::{Advance, RangeReader, SeekTrust};
pub use reader::{FrameReader, ReaderOptions};
pub use retake_media::picture_hash;
pub use samples::{SampleReader, TrackReader, chapters};
pub use sound::{BitRateStrategy, SoundCodec, SoundEncoder, SoundPacket, SoundSettings, SoundSource};
pub use sound_reader::SoundReader;
pub use survey::{survey, survey_range};
pub use tags::keeps_for_film;
pub use texts::{ShownText, TextRow};
pub use track_format::TrackFormat;
pub use transfer::PictureTransfer;
pub use window::{FilmPosition, FilmRange};
