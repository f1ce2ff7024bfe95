use crate::types::error::{Mistake, WriterError};
use retake_libav::{FilmInfo, probe};
use retake_media::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Properties of a writer. All can be set until it starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Tags of the film: names as FFmpeg has them (`title`, `artist`, `comment`, `date`, …). Default: none.
    #[doc(alias = "AVAssetWriter.metadata")]
    pub metadata: Vec<(String, String)>,
    /// Whether a film starts with its index, so that it plays while it is downloaded. It is copied once more
    /// for that. Default: no. Of no effect on Matroska and on segments.
    #[doc(alias = "shouldOptimizeForNetworkUse")]
    pub fast_start: bool,
    /// Where temporary files go that do not become the output by a rename: those of films that are copied
    /// once more at the end (fast start, fragments), and of several passes. It has to exist. Default: beside
    /// the output, and the system's choice for passes. They go away at the end, whatever it is.
    #[doc(alias = "directoryForTemporaryFiles")]
    pub directory_for_temporary_files: Option<PathBuf>,
    /// How often what is there becomes playable, should the program be killed: the unfinished file is one of
    /// fragments then. At the end it becomes a plain film. Default: [`Time::INVALID`], never. For ISO files
    /// only: Matroska plays as far as it got anyway.
    #[doc(alias = "movieFragmentInterval")]
    pub movie_fragment_interval: Time,
    /// The same for the first fragment only. Default: [`Time::INVALID`], as the others.
    #[doc(alias = "initialMovieFragmentInterval")]
    pub initial_movie_fragment_interval: Time,
    /// Number of the first fragment, at least 1. Whoever joins fragments of several writers keeps the numbers
    /// going up. Default: 1.
    #[doc(alias = "initialMovieFragmentSequenceNumber")]
    pub initial_movie_fragment_sequence_number: u32,
    /// How long the film will be, for the head of a film in fragments. Default: [`Time::INVALID`], not known.
    #[doc(alias = "overallDurationHint")]
    pub overall_duration_hint: Time,
    /// Ticks a second of the film's own times and edit lists, in ISO files. Default: 0, one that expresses
    /// the times of all tracks exactly, if there is one below a thousand million.
    #[doc(alias = "movieTimeScale")]
    pub movie_time_scale: u32,
    /// A film whose other tracks go along: all but its video, and its chapters and tags. They are copied as
    /// far as the container holds them, interleaved with what is appended, and moved by the session's start,
    /// which is on that film's clock. [`AssetWriter::notes`](crate::AssetWriter::notes) tells what stayed
    /// behind. Default: none. Not into fragments and segments.
    pub other_tracks: Option<OtherTracks>,
    /// How long segments are at least: each begins with the first sync sample after a multiple of it.
    /// [`Time::INDEFINITE`] for segments that the client ends by `flush_segment`. Default: [`Time::INVALID`],
    /// six seconds. For segments only.
    #[doc(alias = "preferredOutputSegmentInterval")]
    pub preferred_output_segment_interval: Time,
    /// Where the first segment starts, in the source's time: has to be a number with an interval that is one.
    /// Default: [`Time::INVALID`].
    #[doc(alias = "initialSegmentStartTime")]
    pub initial_segment_start_time: Time,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            metadata: Vec::new(),
            fast_start: false,
            directory_for_temporary_files: None,
            movie_fragment_interval: Time::INVALID,
            initial_movie_fragment_interval: Time::INVALID,
            initial_movie_fragment_sequence_number: 1,
            overall_duration_hint: Time::INVALID,
            movie_time_scale: 0,
            other_tracks: None,
            preferred_output_segment_interval: Time::INVALID,
            initial_segment_start_time: Time::INVALID,
        }
    }
}

impl WriterOptions {
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        let interval = |time: Time| !time.is_valid() || time.is_numeric() && time > Time::ZERO;
        let bad = |what| Err(Mistake::BadValue(what));
        if !interval(self.movie_fragment_interval) || !interval(self.initial_movie_fragment_interval) {
            return bad("the interval of fragments has to be a positive number, or invalid for none");
        }
        if self.initial_movie_fragment_sequence_number == 0 {
            return bad("fragments are numbered from 1");
        }
        if self.movie_time_scale > i32::MAX as u32 {
            return bad("a time scale is at most 2147483647");
        }
        if self.other_tracks.is_some() && self.movie_fragment_interval.is_numeric() {
            return bad("the tracks of another film cannot be copied into fragments");
        }
        let segments = self.preferred_output_segment_interval;
        if !interval(segments) && segments != Time::INDEFINITE {
            return bad(
                "the interval of segments has to be a positive number, indefinite, or invalid for the default",
            );
        }
        Ok(())
    }
}

/// The tracks of a film that are copied beside what is appended to inputs.
#[derive(Debug, Clone)]
pub struct OtherTracks(Arc<FilmInfo>);

impl OtherTracks {
    /// Those of a film file.
    ///
    /// # Errors
    /// As those of [`probe`].
    pub fn of_file(file: &Path) -> Result<Self, WriterError> {
        Ok(probe(file)?.into())
    }

    pub(crate) fn film(&self) -> &FilmInfo {
        &self.0
    }

    /// Samples a second of each track of sound.
    pub(crate) fn sample_rates(&self) -> impl Iterator<Item = u32> + Clone {
        self.0.tracks.iter().map(|track| track.sample_rate).filter(|&rate| rate > 0)
    }
}

impl From<FilmInfo> for OtherTracks {
    fn from(film: FilmInfo) -> Self {
        Self(Arc::new(film))
    }
}

impl PartialEq for OtherTracks {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// How an input's samples lie among those of others.
#[doc(alias = "AVAssetWriterInputMediaDataLocation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MediaDataLocation {
    /// Interleaved with the others by time.
    #[default]
    Interleaved,
    /// All of it before those of the others, which are not ready until this input is finished.
    BeforeMainNotInterleaved,
    /// Interleaved, but nobody waits for it.
    SparselyInterleaved,
}

/// Properties of an input. All can be set until its writer starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InputOptions {
    /// Whether media data comes in real time. It is then not asked to wait for other inputs, and its
    /// readiness fails only when the writer cannot keep up: append when ready, else drop. Default: no.
    #[doc(alias = "expectsMediaDataInRealTime")]
    pub real_time: bool,
    /// Whether several passes are wanted, if the encoder can take them. Default: no.
    #[doc(alias = "performsMultiPassEncodingIfSupported")]
    pub multi_pass: bool,
    /// Tags of the track. Default: none.
    #[doc(alias = "AVAssetWriterInput.metadata")]
    pub metadata: Vec<(String, String)>,
    /// How the picture is to be turned or mirrored for display: nine numbers as in ISO files, the first six
    /// in 1/65536, the right column in 1/2³⁰. Default: as it is.
    #[doc(alias = "AVAssetWriterInput.transform")]
    pub transform: Option<[i32; 9]>,
    /// The size that the picture is shown in, if not that of the coded picture by its pixel aspect ratio:
    /// width and height. ISO files only.
    #[doc(alias = "naturalSize")]
    pub natural_size: Option<(u16, u16)>,
    /// The language, by ISO 639-2 (`eng`). Default: not said.
    #[doc(alias = "languageCode")]
    pub language_code: Option<String>,
    /// The language, by BCP 47 (`en-GB`), in ISO files besides the code. Default: not said.
    #[doc(alias = "extendedLanguageTag")]
    pub extended_language_tag: Option<String>,
    /// Whether players show the track unless told otherwise. Default: yes. Of an input in a group, its group
    /// decides. ISO files only.
    #[doc(alias = "marksOutputTrackAsEnabled")]
    pub enabled: bool,
    /// Ticks a second of the track's times, for video in ISO files: sound ticks by its sample rate. Default:
    /// 0, one that expresses the times that come.
    #[doc(alias = "mediaTimeScale")]
    pub media_time_scale: u32,
    /// How loud the track is played, 1 as it is. Default: 1 for sound, 0 for pictures. ISO files only.
    #[doc(alias = "preferredVolume")]
    pub preferred_volume: Option<f32>,
    /// How samples lie among those of others. Default: interleaved.
    #[doc(alias = "mediaDataLocation")]
    pub media_data_location: MediaDataLocation,
    /// How much later than they are decoded pictures are shown at most, where that is known before they come:
    /// for fragments and segments, whose head is written before the rest. Default: [`Time::INVALID`], what
    /// the first of them shows.
    pub reorder_delay: Time,
    /// The average frame rate of pictures, where it is known: for the headers of some containers. Default:
    /// not said.
    #[doc(alias = "AVVideoExpectedSourceFrameRateKey")]
    pub frame_rate: Option<retake_media::Rational>,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            real_time: false,
            multi_pass: false,
            metadata: Vec::new(),
            transform: None,
            natural_size: None,
            language_code: None,
            extended_language_tag: None,
            enabled: true,
            media_time_scale: 0,
            preferred_volume: None,
            media_data_location: MediaDataLocation::Interleaved,
            reorder_delay: Time::INVALID,
            frame_rate: None,
        }
    }
}

impl InputOptions {
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        // finer clocks leave too little room for offsets of 32 bits
        if self.media_time_scale > 10_000_000 {
            return Err(Mistake::BadValue("a media time scale is at most 10000000"));
        }
        let letters = |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase());
        if !self.language_code.as_ref().is_none_or(letters) {
            return Err(Mistake::BadValue("a language code is three small letters"));
        }
        let tag = |tag: &String| {
            let part = |part: &str| {
                (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            };
            tag.len() < 256 && tag.split('-').all(part)
        };
        if !self.extended_language_tag.as_ref().is_none_or(tag) {
            return Err(Mistake::BadValue(
                "a language tag is words of letters and digits, joined by hyphens",
            ));
        }
        if self.preferred_volume.is_some_and(|volume| !(0.0..=127.0).contains(&volume)) {
            return Err(Mistake::BadValue("a volume is 0 to 127"));
        }
        Ok(())
    }
}
