//! This module defines the properties of a writer and of its inputs.

use crate::types::error::{Mistake, WriterError};
use retake_libav::{FilmInfo, probe};
use retake_media::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The properties of a writer. They can be set until it starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// The tags of the film, with FFmpeg's names (`title`, `artist`, `comment`, `date`, …). Default: none.
    #[doc(alias = "AVAssetWriter.metadata")]
    pub metadata: Vec<(String, String)>,
    /// True if a film must start with its index, so that it plays while it is downloaded. The film is copied
    /// once more for that. Default: false. It has no effect on Matroska and on segments.
    #[doc(alias = "shouldOptimizeForNetworkUse")]
    pub fast_start: bool,
    /// The folder of temporary files that do not become the output by a rename: those of films that are
    /// copied once more at the end (fast start, fragments), and of several passes. It must exist. Default:
    /// beside the output, and the system's choice for passes. The files are deleted at the end, whatever it
    /// is.
    #[doc(alias = "directoryForTemporaryFiles")]
    pub directory_for_temporary_files: Option<PathBuf>,
    /// The interval at which the film so far becomes playable, in case the program is killed: the unfinished
    /// file has fragments then. At the end it becomes a plain film. Default: never. It
    /// concerns ISO files only, because Matroska always plays as far as it got.
    #[doc(alias = "movieFragmentInterval")]
    pub movie_fragment_interval: Option<Time>,
    /// The interval of the first fragment. Default: that of the others.
    #[doc(alias = "initialMovieFragmentInterval")]
    pub initial_movie_fragment_interval: Option<Time>,
    /// The number of the first fragment, at least 1, of films in fragments and of segments. A client that
    /// joins fragments of several writers must keep the numbers ascending. Default: 1.
    #[doc(alias = "initialMovieFragmentSequenceNumber")]
    pub initial_movie_fragment_sequence_number: u32,
    /// True if the fragments of several writers, each of which writes a part of one film, are to be one
    /// stream behind the initialization segment of any of them, which all make alike. It concerns segments
    /// only, because a film in fragments ends as a plain film. Default: false.
    ///
    /// All these writers have the same inputs in the same order, with the same formats and options, and start
    /// their sessions at the same time, the start of the whole. Inputs of video say their
    /// [`media_time_scale`](InputOptions::media_time_scale) and their
    /// [`reorder_delay`](InputOptions::reorder_delay), because neither can follow from what a writer sees of
    /// its part; parts begin with sync samples; and
    /// [`initial_movie_fragment_sequence_number`](Self::initial_movie_fragment_sequence_number) ascends from
    /// one writer to the next by at least the segments of the earlier one. Sound must have been encoded in
    /// one run, since every encoder primes anew. Variants of one film in several rates need none of this.
    #[doc(alias = "producesCombinableFragments")]
    pub produces_combinable_fragments: bool,
    /// The expected duration of the film, for the head of a film in fragments. Default: not
    /// known.
    #[doc(alias = "overallDurationHint")]
    pub overall_duration_hint: Option<Time>,
    /// The ticks a second of the film's own times and edit lists, in ISO files. Default: 0, which selects a
    /// number that expresses the times of all tracks exactly, if there is one below a thousand million.
    #[doc(alias = "movieTimeScale")]
    pub movie_time_scale: u32,
    /// A film whose other tracks are copied: all but its video, and its chapters and tags. They are copied as
    /// far as the container holds them, interleaved with appended media, and moved by the session's start,
    /// which is on that film's clock. [`AssetWriter::notes`](crate::AssetWriter::notes) lists the tracks that
    /// were left out. Default: none. They cannot go into fragments and segments.
    pub other_tracks: Option<OtherTracks>,
    /// The shortest duration of segments: each begins with the first sync sample after a multiple of it.
    /// [`Time::INDEFINITE`] means that the client ends segments by `flush_segment`. Default: six
    /// seconds. It concerns segments only.
    #[doc(alias = "preferredOutputSegmentInterval")]
    pub preferred_output_segment_interval: Option<Time>,
    /// The start of the first segment, in the source's time. It must be given, and numeric, if the
    /// interval is. Default: not given.
    #[doc(alias = "initialSegmentStartTime")]
    pub initial_segment_start_time: Option<Time>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            metadata: Vec::new(),
            fast_start: false,
            directory_for_temporary_files: None,
            movie_fragment_interval: None,
            initial_movie_fragment_interval: None,
            initial_movie_fragment_sequence_number: 1,
            produces_combinable_fragments: false,
            overall_duration_hint: None,
            movie_time_scale: 0,
            other_tracks: None,
            preferred_output_segment_interval: None,
            initial_segment_start_time: None,
        }
    }
}

impl WriterOptions {
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        let interval = |time: Option<Time>| time.is_none_or(|time| time.is_numeric() && time > Time::ZERO);
        let bad = |what| Err(Mistake::BadValue(what));
        if !interval(self.movie_fragment_interval) || !interval(self.initial_movie_fragment_interval) {
            return bad("the interval of fragments has to be a positive number, if there is one");
        }
        if self.initial_movie_fragment_sequence_number == 0 {
            return bad("fragments are numbered from 1");
        }
        if self.movie_time_scale > i32::MAX as u32 {
            return bad("a time scale is at most 2147483647");
        }
        if self.other_tracks.is_some() && self.movie_fragment_interval.is_some() {
            return bad("the tracks of another film cannot be copied into fragments");
        }
        let segments = self.preferred_output_segment_interval;
        if !interval(segments) && segments != Some(Time::INDEFINITE) {
            return bad(
                "the interval of segments has to be a positive number or indefinite, if there is one",
            );
        }
        Ok(())
    }
}

/// The tracks of a film that are copied beside the media of inputs.
#[derive(Debug, Clone)]
pub struct OtherTracks(Arc<FilmInfo>);

impl OtherTracks {
    /// Opens the other tracks of a film file.
    ///
    /// # Errors
    /// It fails as [`probe`] does.
    pub fn of_file(file: &Path) -> Result<Self, WriterError> {
        Ok(probe(file)?.into())
    }

    pub(crate) fn film(&self) -> &FilmInfo {
        &self.0
    }

    /// Returns the samples a second of each track of sound.
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

/// The place of an input's samples among those of others.
#[doc(alias = "AVAssetWriterInputMediaDataLocation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MediaDataLocation {
    /// The samples are interleaved with the others by time.
    #[default]
    Interleaved,
    /// All samples come before those of the others, which are not ready until this input is finished.
    BeforeMainNotInterleaved,
    /// The samples are interleaved, but the others do not wait for them.
    SparselyInterleaved,
}

/// The properties of an input. They can be set until its writer starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InputOptions {
    /// True if media data comes in real time. The input does not wait for other inputs then, and is not ready
    /// only when the writer cannot keep up: the client must append when it is ready, and drop otherwise.
    /// Default: false.
    #[doc(alias = "expectsMediaDataInRealTime")]
    pub real_time: bool,
    /// True if several passes are wanted, as far as the encoder can take them. Default: false.
    #[doc(alias = "performsMultiPassEncodingIfSupported")]
    pub multi_pass: bool,
    /// The tags of the track. Default: none.
    #[doc(alias = "AVAssetWriterInput.metadata")]
    pub metadata: Vec<(String, String)>,
    /// The rotation or mirroring of the picture for display: nine numbers as in ISO files, the first six in
    /// 1/65536, the right column in 1/2³⁰. Default: as it is.
    #[doc(alias = "AVAssetWriterInput.transform")]
    pub transform: Option<[i32; 9]>,
    /// The width and height in which the picture is shown, if they differ from the coded picture by its pixel
    /// aspect ratio; of subtitles, those of the area in which they are shown, which is the whole picture by
    /// default. It concerns ISO files only.
    #[doc(alias = "naturalSize")]
    pub natural_size: Option<(u16, u16)>,
    /// The language, by ISO 639-2 (`eng`). Default: not given.
    #[doc(alias = "languageCode")]
    pub language_code: Option<String>,
    /// The language, by BCP 47 (`en-GB`), in ISO files besides the code. Default: not given.
    #[doc(alias = "extendedLanguageTag")]
    pub extended_language_tag: Option<String>,
    /// True if players show the track unless told otherwise. Default: true. For an input in a group, its
    /// group decides. It concerns ISO files only.
    #[doc(alias = "marksOutputTrackAsEnabled")]
    pub enabled: bool,
    /// The ticks a second of the track's times, in ISO files; sound ticks by its sample rate, and timecodes
    /// by the time scale of their frames. Default: 0, which selects a number that expresses the times that
    /// come.
    #[doc(alias = "mediaTimeScale")]
    pub media_time_scale: u32,
    /// The volume of the track; 1 leaves it as it is. Default: 1 for sound, 0 for pictures. It concerns ISO
    /// files only.
    #[doc(alias = "preferredVolume")]
    pub preferred_volume: Option<f32>,
    /// The place of samples among those of others. Default: interleaved.
    #[doc(alias = "mediaDataLocation")]
    pub media_data_location: MediaDataLocation,
    /// How long a stretch of the track lies in the film without samples of other tracks between, in plain ISO
    /// files: players and disks read long stretches with less effort, and hold more in memory for them.
    /// Inputs may run as much farther ahead of each other. A stretch is shorter where another input has no
    /// room left in memory, and the first is a sample shorter. libavformat's chunks end after 1 MiB at the
    /// latest, and where samples of another track follow, copied ones included. Default: none, which
    /// interleaves sample by sample.
    #[doc(alias = "preferredMediaChunkDuration")]
    pub preferred_media_chunk_duration: Option<Time>,
    /// The longest time between decoding and showing of a picture, if it is known before pictures come.
    /// Fragments and segments need it, because their head is written before the rest. Default: that
    /// of the first of them.
    pub reorder_delay: Option<Time>,
    /// The number of a track of sound in the film of [`WriterOptions::other_tracks`] that this one is written
    /// for, instead of a copy: it takes that track's place among the others, its tags, its language and its
    /// marks. It concerns whole films only. Default: none.
    pub stands_for: Option<u32>,
    /// The average frame rate of pictures, if it is known, for the headers of some containers. Default: not
    /// given.
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
            preferred_media_chunk_duration: None,
            reorder_delay: None,
            stands_for: None,
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
        let longest = Time::new(60, 1);
        let is_length = |length: &Time| length.is_numeric() && *length > Time::ZERO && *length <= longest;
        if !self.preferred_media_chunk_duration.as_ref().is_none_or(is_length) {
            return Err(Mistake::BadValue(
                "the duration of chunks is more than nothing, and a minute at most",
            ));
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
