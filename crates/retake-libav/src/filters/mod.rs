//! What is done to the pictures of a film before anybody sees them, by libavfilter.
//!
//! Filters are a fact about how a film is read, as a window is: all readers give out filtered pictures, so
//! that index, units, takes and scores know of nothing else. [`PictureFilters`] says what is wanted,
//! `settled.rs` what that means for one film, `graph.rs` runs it, and `stage.rs` keeps what belongs to a
//! picture beside it on its way. docs/filters.md has the order, and what each filter does.

mod bars;
mod branch;
mod burn;
mod chain;
mod graph;
mod overlay;
mod parse;
mod picture_cues;
mod settled;
mod stage;

use crate::error::MediaError;
use crate::film::{FilmInfo, VideoTrack, ticks_to_time, time_to_ticks};
use retake_media::Rational;
use serde::{Deserialize, Serialize};

pub use burn::Burn;
pub(crate) use settled::Filtered;
pub(crate) use stage::{FilterStage, FilteredPicture, FromStage};

/// What is done to the pictures of a film, in the order of these fields, whatever the order in which they
/// were asked for. The default is nothing.
///
/// ```
/// # use retake_libav::{PictureFilters, Scale};
/// # fn main() -> Result<(), retake_libav::FilterValueError> {
/// let filters = PictureFilters { scale: Some("fit:1280x720".parse()?), ..PictureFilters::default() };
/// assert!(!filters.is_empty() && "1280x719".parse::<Scale>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureFilters {
    /// Whole frames are made of two fields. The frame rate stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deinterlace: Option<Deinterlace>,
    /// The frames of a film are found again in fields that were made of them (3:2 pulldown), and one frame of
    /// five is left out. For pictures of 8 bits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detelecine: bool,
    /// Frames are repeated and left out, so that there are so many in each second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<FrameRate>,
    /// The picture is turned or mirrored, after it was turned as the film says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// A part of the picture is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    /// Noise is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denoise: Option<Denoise>,
    /// The picture gets another size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// High dynamic range (PQ or HLG) becomes the standard range of BT.709.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone_map: Option<ToneMap>,
    /// Subtitles are drawn into the picture: texts with the fonts of the machine, pictures as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn: Option<Burn>,
    /// A graph in FFmpeg's words, with one video in and one out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
}

/// Which frames are made of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deinterlace {
    /// Those that say so of themselves, or of which the film does.
    Auto,
    /// All.
    Yes,
}

/// Frames in a second: more than 0, and at most 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameRate(pub(crate) Rational);

/// How the picture is turned, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// As the film says.
    Auto,
    /// By a quarter.
    Quarter,
    /// By half.
    Half,
    /// By three quarters.
    ThreeQuarters,
    /// Left and right change places.
    MirrorAcross,
    /// Top and bottom change places.
    MirrorDown,
}

/// The part of the picture that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// All but black bars that are there in the whole film.
    Auto,
    /// This part.
    Area(CropArea),
}

/// A part of the picture, as it is after it was turned; in luma samples and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CropArea {
    /// The samples a row.
    pub width: u32,
    /// The rows.
    pub height: u32,
    /// The samples that are left out on the left.
    pub x: u32,
    /// The rows that are left out above.
    pub y: u32,
}

/// How much noise is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denoise {
    /// Hardly visible.
    Light,
    /// Visible in flat places.
    Medium,
    /// Details are lost.
    Strong,
}

/// The size of the picture. Sizes are even, and the shape of what is seen stays: that of pixels follows where
/// both sizes are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// So many rows; the width follows, and pixels keep their shape.
    Height(u32),
    /// So many samples a row; the height follows, and pixels keep their shape.
    Width(u32),
    /// Width and height.
    Size(u32, u32),
    /// The largest size at which the picture is shown in a box of so many square pixels across and down. A
    /// picture that fits stays as it is.
    Fit(u32, u32),
}

/// The curve by which bright light is made darker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToneMap {
    /// Details in dark and in bright places.
    Hable,
    /// Contrast in the middle, softly limited.
    Mobius,
    /// Brightness, softly limited.
    Reinhard,
    /// What is too bright becomes white.
    Clip,
    /// All becomes darker by the same factor.
    Linear,
    /// A power of the light.
    Gamma,
}

/// One of the steps of a chain of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterStep {
    /// [`PictureFilters::deinterlace`].
    Deinterlace,
    /// [`PictureFilters::detelecine`].
    Detelecine,
    /// [`PictureFilters::frame_rate`].
    FrameRate,
    /// [`PictureFilters::turn`].
    Turn,
    /// [`PictureFilters::crop`].
    Crop,
    /// [`PictureFilters::denoise`].
    Denoise,
    /// [`PictureFilters::scale`].
    Scale,
    /// [`PictureFilters::tone_map`].
    ToneMap,
    /// [`PictureFilters::burn`].
    Burn,
    /// [`PictureFilters::graph`].
    Graph,
    /// The conversion to the format of a reader, behind all others.
    Format,
}

/// A text that is no value of a filter: what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}")]
pub struct FilterValueError(pub(crate) &'static str);

/// States why filters cannot be used on a film.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// This FFmpeg was built without a filter.
    #[error("this FFmpeg has no filter '{filter}'")]
    Missing {
        /// The step that needs it.
        step: FilterStep,
        /// FFmpeg's name of the filter.
        filter: &'static str,
    },
    /// The film has no such track of subtitles.
    #[error("there are no subtitles {number}: {}", if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) })]
    NoSuchTexts {
        /// The number that was asked for.
        number: u32,
        /// The tracks of subtitles that there are.
        known: Vec<String>,
    },
    /// The texts cannot be read, or not handed over.
    #[error("the subtitles cannot be drawn: {detail}")]
    Texts {
        /// What is in the way.
        detail: String,
    },
    /// FFmpeg refuses a step.
    #[error("FFmpeg refuses '{text}': {detail}")]
    Refused {
        /// The step.
        step: FilterStep,
        /// The step in FFmpeg's words.
        text: String,
        /// The message of FFmpeg.
        detail: String,
    },
    /// FFmpeg fails on the way.
    #[error("FFmpeg could not filter a picture: {detail}")]
    Failed {
        /// The message of FFmpeg.
        detail: String,
    },
    /// The part of the picture that is to be kept reaches beyond it.
    #[error("the part {width}×{height} at {x}, {y} is not inside of the picture, which is {of_width}×{of_height}", width = .area.width, height = .area.height, x = .area.x, y = .area.y)]
    CropOutside {
        /// The part.
        area: CropArea,
        /// The samples a row of the picture.
        of_width: u32,
        /// The rows of the picture.
        of_height: u32,
    },
    /// The part of the picture that is to be kept does not begin or end where chroma does.
    #[error("the part {width}×{height} at {x}, {y} cuts through samples of chroma or fields: sizes and places are multiples of {across} across and {down} down in this film", width = .area.width, height = .area.height, x = .area.x, y = .area.y)]
    CropUneven {
        /// The part.
        area: CropArea,
        /// What numbers across must be multiples of.
        across: u32,
        /// What numbers down must be multiples of.
        down: u32,
    },
    /// The film is to be turned in a way that no filter has.
    #[error("the film is to be turned by {degrees}° for display, which is no quarter of a turn")]
    SkewedFilm {
        /// The angle in degrees, clockwise.
        degrees: i32,
    },
    /// The picture would be too small or too large.
    #[error("the picture would become {width}×{height}, and is 16 to 16384 either way")]
    OutOfSizes {
        /// The samples a row.
        width: u64,
        /// The rows.
        height: u64,
    },
    /// Tones are to be mapped in a film that has no high dynamic range.
    #[error("there are no tones to map: the film is not of high dynamic range (PQ or HLG)")]
    NoHighRange,
    /// The frames of a film are to be found again in pictures of too many bits.
    #[error("frames are found in telecined pictures of 8 bits alone, and these have {depth}")]
    DetelecineDepth {
        /// The bits of a sample.
        depth: u32,
    },
    /// A graph gives pictures without times, or in another order than they are shown in.
    #[error("the graph gives pictures whose times do not go on")]
    Times,
    /// A graph gives pictures of another size than it began with.
    #[error("the graph gives pictures of changing sizes")]
    Sizes,
    /// A graph gives out other frames where its pictures are not scaled before.
    #[error("the graph gives other frames for pictures of another size, so that the two cannot be compared")]
    Unscaled,
    /// A graph takes one picture after the other and gives none out.
    #[error("the graph keeps {frames} pictures without giving one out, which is too many for the memory")]
    HoldsBack {
        /// The pictures.
        frames: u64,
    },
}

impl PictureFilters {
    /// Returns whether nothing is done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether each picture becomes one, by itself, so that it does not matter which came before, or
    /// when it is shown.
    pub(crate) fn is_alone(&self) -> bool {
        let Self { deinterlace, detelecine, frame_rate, denoise, burn, graph, .. } = self;
        let remembers = deinterlace.is_some() || *detelecine || frame_rate.is_some() || denoise.is_some();
        // What is drawn into a picture depends on when that is shown.
        !remembers && burn.is_none() && graph.is_none()
    }

    /// Returns how many pictures earlier decoding has to begin, so that filters have forgotten that.
    pub(crate) fn memory(&self) -> u64 {
        let longest = [
            (self.deinterlace.is_some(), 2),
            (self.frame_rate.is_some(), 2),
            (self.detelecine, 30),
            // What it remembers of a place decays with each picture, and sooner where the place changes.
            (self.denoise.is_some(), 48),
            (self.graph.is_some(), 48),
        ];
        longest.into_iter().filter(|(there, _)| *there).map(|(_, pictures)| pictures).max().unwrap_or(0)
    }
}

impl FilmInfo {
    /// Filters the pictures of a film: its description becomes that of the filtered film, and all readers of
    /// the result give out filtered frames, which they number from 0. Times stay on the clock of the film.
    ///
    /// A film must have been looked through before ([`survey`](crate::survey())), because its form is what
    /// filters begin with. [`Crop::Auto`] decodes the film for it, sync frames first; `stopped` is asked
    /// now and then, and where it says so, the film is returned as it came.
    ///
    /// # Errors
    /// Returns [`MediaError::Filter`] where filters and film do not go together or FFmpeg refuses them, and
    /// [`MediaError::Internal`] for a film that is filtered already; else fails like
    /// [`FrameReader`](crate::FrameReader).
    pub fn with_filters(
        self,
        filters: &PictureFilters,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, MediaError> {
        settled::settle(self, filters, stopped)
    }

    /// Has each frame keep the picture that it has after all filters but [`PictureFilters::scale`] beside its
    /// own, as [`Frame::unscaled`](crate::Frame::unscaled): what an encode of the scaled one can be compared
    /// with. The fingerprints of such frames are of both pictures. Nothing changes where nothing is scaled.
    ///
    /// # Errors
    /// Returns [`MediaError::Filter`] where FFmpeg refuses the filters without that step.
    pub fn with_unscaled(self) -> Result<Self, MediaError> {
        settled::keep_unscaled(self)
    }

    /// Returns width and height of [`Frame::unscaled`](crate::Frame::unscaled); `None` if frames have none.
    pub fn unscaled_size(&self) -> Option<(u32, u32)> {
        self.filtered.as_deref().and_then(Filtered::unscaled)
    }

    /// Returns the texts that are drawn into the pictures, as ASS; `None` if there are none.
    pub fn burned_texts(&self) -> Option<&str> {
        self.filtered.as_deref().and_then(Filtered::texts)
    }

    /// Returns the bytes of the pictures of subtitles that are drawn into those of the film, which all
    /// readers share; 0 if there are none.
    pub fn burned_pictures(&self) -> u64 {
        self.filtered.as_deref().and_then(Filtered::pictures).map_or(0, |pictures| pictures.bytes())
    }

    /// Returns the filters, with what was found out for them; `None` if there are none.
    pub fn filters(&self) -> Option<&PictureFilters> {
        self.filtered.as_deref().map(Filtered::filters)
    }

    /// Returns how much earlier than a frame reading has to begin for the memory of filters, in ticks of what
    /// is given out.
    pub(crate) fn memory_of_filters(&self) -> i64 {
        let frames = self.filters().map_or(0, PictureFilters::memory);
        let rate = self.video.frame_rate;
        let frame = ticks_to_time(i64::from(rate.den), Rational::new(1, rate.num.max(1)));
        let ticks = time_to_ticks(frame, self.video.time_base).unwrap_or(0);
        ticks.saturating_mul(i64::try_from(frames).unwrap_or(0))
    }

    /// Returns the video as the file has it, before filters.
    pub fn unfiltered(&self) -> &VideoTrack {
        self.filtered.as_deref().map_or(&self.video, Filtered::source)
    }
}
