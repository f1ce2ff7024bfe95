//! What filters mean for one film: their chain is opened once, and a black picture goes through it, so that
//! size, shape, colours, fields and times of what comes out are known before the first frame.

use super::burn::Drawn;
use super::chain::Chain;
use super::graph::{FromGraph, Graph, GraphOutput, has};
use super::overlay::Stage;
use super::picture_cues::{PictureCues, ReadCues};
use super::{Crop, FilterError, FilterStep, PictureFilters};
use crate::error::MediaError;
use crate::film::{FilmInfo, VideoTrack, ticks_to_time, time_to_ticks};
use crate::finding::{Finding, FindingKind};
use crate::probe::{colour, fields};
use retake_media::{
    ChromaSubsampling, Fields, PixelBuffer, PixelBufferAttributes, PixelFormat, Rational, WritableBuffer,
    greatest_common_divisor,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Black pictures after which a graph that gave none out is believed to wait for other ones.
const TRIED: i64 = 64;

/// The finest clock that is made for frames whose times are no ticks of the film: that of 48 kHz sound and
/// frames of 1/1001 s together has 48,048,000 ticks a second.
const FINEST: i128 = 100_000_000;

/// Filters of one film, settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filtered {
    /// As they were asked for, with what was found out for them.
    filters: PictureFilters,
    /// The video as the file has it.
    source: VideoTrack,
    /// The time that is zero in the graph, in ticks of the source: the beginning of the film.
    pub(super) origin: i64,
    /// The time base of what comes out.
    pub(super) time_base: Rational,
    /// The frames a second of what comes out, and whether these are those of the source.
    frame_rate: Rational,
    pub(super) keeps_rate: bool,
    /// The texts that are drawn, as ASS, on the clock of the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    texts: Option<String>,
    /// The pictures that are drawn, on the clock of the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pictures: Option<PictureCues>,
    /// Width and height of the picture without its scaling, where each frame has that picture, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unscaled: Option<(u32, u32)>,
}

impl Filtered {
    pub(crate) fn filters(&self) -> &PictureFilters {
        &self.filters
    }

    pub(crate) fn texts(&self) -> Option<&str> {
        self.texts.as_deref()
    }

    pub(super) fn pictures(&self) -> Option<&PictureCues> {
        self.pictures.as_ref()
    }

    /// Returns how pictures are placed in those of the film, which have a size then.
    pub(super) fn stage(&self, picture: (u32, u32)) -> Result<Stage, FilterError> {
        self.filters.stage(&self.source, picture)
    }

    pub(crate) fn source(&self) -> &VideoTrack {
        &self.source
    }

    pub(crate) fn unscaled(&self) -> Option<(u32, u32)> {
        self.unscaled
    }

    /// Returns the chain for a reader that gives out pictures of a format. It ends with the chroma of the
    /// film, because what has none would be taken for full range by FFmpeg's scaler, and with the finer
    /// samples of the two, because what filters compute is worth more bits than they were given.
    pub(super) fn chain(&self, to: PixelFormat) -> Result<Chain, FilterError> {
        self.chain_of(&self.filters, to)
    }

    /// Returns the same chain without the step that scales.
    pub(super) fn unscaled_chain(&self, to: PixelFormat) -> Result<Chain, FilterError> {
        self.chain_of(&PictureFilters { scale: None, ..self.filters.clone() }, to)
    }

    /// Returns the format that the chain ends with.
    pub(super) fn end_format(&self, to: PixelFormat) -> PixelFormat {
        let own = self.source.format;
        let depth = own.bit_depth().max(to.bit_depth());
        match own.chroma_subsampling() {
            ChromaSubsampling::Monochrome => own,
            chroma => PixelFormat::planar(chroma, depth).unwrap_or(own),
        }
    }

    fn chain_of(&self, filters: &PictureFilters, to: PixelFormat) -> Result<Chain, FilterError> {
        filters.chain(&self.source, self.end_format(to), Some(self.time_base))
    }

    /// Returns ticks of the source in those of what comes out, rounded to the nearest.
    pub(super) fn out_ticks(&self, ticks: i64) -> i64 {
        let time = ticks_to_time(ticks, self.source.time_base);
        time_to_ticks(time, self.time_base).unwrap_or(ticks)
    }

    /// Returns how long a frame is shown where all are shown equally long, in ticks of what comes out.
    pub(super) fn frame_ticks(&self) -> i64 {
        let frame = ticks_to_time(i64::from(self.frame_rate.den), Rational::new(1, self.frame_rate.num));
        time_to_ticks(frame, self.time_base).unwrap_or(0)
    }

    /// Returns a time of what comes out in ticks of the source, rounded to the nearest.
    pub(crate) fn source_ticks(&self, ticks: i64) -> i64 {
        let time = ticks_to_time(ticks, self.time_base);
        time_to_ticks(time, self.source.time_base).unwrap_or(ticks)
    }
}

/// Describes a film as its readers give it out behind filters.
pub(super) fn settle(
    mut film: FilmInfo,
    filters: &PictureFilters,
    stopped: &dyn Fn() -> bool,
) -> Result<FilmInfo, MediaError> {
    if filters.is_empty() {
        return Ok(film);
    }
    let file = film.path.clone();
    if film.filtered.is_some() {
        let detail = "it is filtered already".to_owned();
        return Err(MediaError::Internal { file, what: "filtering the film", detail });
    }
    let mut filters = filters.clone();
    let refuse = |source| MediaError::Filter { file: file.clone(), source };
    if let Some((step, filter)) = filters.needs().find(|(_, filter)| !has(filter)) {
        return Err(refuse(FilterError::Missing { step, filter }));
    }
    let mut told = Vec::new();
    if filters.crop == Some(Crop::Auto) {
        match super::bars::find(&film, filters.turn, stopped)? {
            Some(found) => {
                told.push(found.told);
                filters.crop = found.area.map(Crop::Area);
            }
            None => return Ok(film),
        }
    }
    let source = film.video.clone();
    let to = source.format;
    let origin = film.window.as_ref().map(|window| window.start);
    let origin = origin.or_else(|| time_to_ticks(film.start, source.time_base)).unwrap_or(0);
    let begins = ticks_to_time(origin, source.time_base);
    let drawn = filters.burn.as_ref().map(|burn| super::burn::read(&film, burn, begins)).transpose()?;
    let (mut texts, mut pictures) = (None, None);
    match drawn {
        Some(Drawn::Texts(read)) => texts = Some(read),
        Some(Drawn::Pictures(ReadCues { cues, damaged })) => {
            if damaged > 0 {
                let packets = if damaged == 1 { "packet is" } else { "packets are" };
                told.push(format!(
                    "subtitles: {damaged} {packets} damaged, and what cannot be read of them is not drawn"
                ));
            }
            if cues.len() == 0 {
                told.push("subtitles: nothing of them is shown in what is read of the film".into());
            }
            pictures = Some(cues);
        }
        None => {}
    }
    let open = |base| {
        let chain = filters.chain(&source, to, base)?;
        Graph::open(&source, &chain, texts.as_deref())
    };
    let time_base = clock(&source, open(None).map_err(refuse)?.output());
    let mut graph = open(Some(time_base)).map_err(refuse)?;
    let output = graph.output();
    let picture = try_out(&mut graph, &source).map_err(refuse)?;
    let width = output.width;
    let video = &mut film.video;
    (video.width, video.height, video.time_base) = (width, output.height, output.time_base);
    video.pixel_aspect_ratio = output.aspect.unwrap_or(Rational::new(1, 1));
    let rate = output.frame_rate.unwrap_or(source.frame_rate).reduced();
    let keeps_rate = rate == source.frame_rate.reduced();
    if !keeps_rate {
        video.frame_rate = rate;
        let ratio = rate.to_f64() / source.frame_rate.to_f64().max(1e-6);
        video.frames_hint = source.frames_hint.map(|frames| (frames as f64 * ratio).round() as u64);
        film.closest_frames = Some(ticks_to_time(i64::from(rate.den), Rational::new(1, rate.num)));
    }
    let (found, left) = match picture {
        Some(picture) => (picture.0, picture.1),
        None => (source.colour, source.fields),
    };
    (video.colour, video.fields) = (found, left);
    if filters.mixes_fields(&source) {
        video.fields = None;
        told.push(
            "two fields of a picture were mixed, because it was not made whole (deinterlaced) first".into(),
        );
    }
    if filters.turn.is_some() {
        (video.display_matrix, video.rotation) = (None, 0);
    }
    let light = |transfer: u8| matches!(transfer, 16 | 18);
    if light(source.colour.transfer) && !light(video.colour.transfer) {
        let metadata = video.mastering_display.take().is_some() | video.content_light.take().is_some();
        let left_out = if metadata { ", and its HDR10 metadata are left out" } else { "" };
        told.push(format!("high dynamic range became standard range{left_out}"));
    }
    // They are true of the picture as it was.
    video.dolby_vision = None;
    film.findings.extend(told.into_iter().map(|told| Finding::whole(FindingKind::Filtered, 1, told)));
    film.findings.sort_by_key(|finding| finding.kind);
    let time_base = output.time_base;
    let unscaled = None;
    let filtered = Filtered {
        filters,
        source,
        origin,
        time_base,
        frame_rate: rate,
        keeps_rate,
        texts,
        pictures,
        unscaled,
    };
    film.filtered = Some(Arc::new(filtered));
    Ok(film)
}

/// Has each frame of a filtered film keep the picture that it has without scaling.
pub(super) fn keep_unscaled(mut film: FilmInfo) -> Result<FilmInfo, MediaError> {
    let Some(filtered) = film.filtered.as_deref().filter(|filtered| filtered.filters.scale.is_some()) else {
        return Ok(film);
    };
    let refuse = |source| MediaError::Filter { file: film.path.clone(), source };
    let chain = filtered.unscaled_chain(filtered.source.format).map_err(refuse)?;
    let graph = Graph::open(&filtered.source, &chain, filtered.texts()).map_err(refuse)?;
    let GraphOutput { width, height, .. } = graph.output();
    if (width, height) == (film.video.width, film.video.height) {
        return Ok(film);
    }
    film.filtered = Some(Arc::new(Filtered { unscaled: Some((width, height)), ..filtered.clone() }));
    Ok(film)
}

/// Chooses the clock of what comes out: that of the film where frames keep their times, else one that has
/// ticks of both.
fn clock(film: &VideoTrack, output: GraphOutput) -> Rational {
    let ticks = film.time_base.reduced();
    let rate = output.frame_rate.map(Rational::reduced).filter(|rate| *rate != film.frame_rate.reduced());
    let Some(rate) = rate else { return film.time_base };
    // The greatest fraction of a second of which both are multiples.
    let [a, b, c, d] = [ticks.num, ticks.den, rate.den, rate.num].map(i128::from);
    let (num, den) = (greatest_common_divisor(a * d, c * b), b * d);
    let common = greatest_common_divisor(num, den);
    let (num, den) = (num / common, den / common);
    match (i32::try_from(num), i32::try_from(den)) {
        (Ok(num), Ok(short)) if den <= FINEST => Rational::new(num, short),
        _ => film.time_base,
    }
}

/// Lets black pictures go through a graph until one comes out, and returns the colours and the fields of
/// that; `None` if the graph waits for other pictures.
fn try_out(
    graph: &mut Graph,
    film: &VideoTrack,
) -> Result<Option<(retake_media::Colour, Option<Fields>)>, FilterError> {
    let attributes = PixelBufferAttributes::of(film.format, film.width, film.height);
    let black = WritableBuffer::create(&attributes)
        .map_err(|error| FilterError::Failed { detail: error.to_string() })?;
    let black: PixelBuffer = black.freeze();
    let step = time_to_ticks(
        ticks_to_time(i64::from(film.frame_rate.den), Rational::new(1, film.frame_rate.num.max(1))),
        film.time_base,
    );
    let step = step.unwrap_or(1).max(1);
    let order = order(film.fields);
    for number in 0..=TRIED {
        match number < TRIED {
            true => graph.send(&black, order, number * step)?,
            false => graph.end(number * step)?,
        }
        match graph.receive()? {
            FromGraph::Picture(picture) => {
                let raw = picture.raw();
                let mut found = colour(raw.colour, raw.colour, &raw.pixels, raw.height);
                // What nobody stated of the film nobody states now.
                if found.range == film.colour.range {
                    found.range_known = film.colour.range_known;
                }
                return Ok(Some((found, fields(raw.interlaced, 0).and(film.fields))));
            }
            FromGraph::NotYet => {}
            FromGraph::End => break,
        }
    }
    Ok(None)
}

/// Returns the order of fields as graphs take it.
pub(super) fn order(fields: Option<Fields>) -> i32 {
    match fields.and_then(Fields::top_first) {
        None => 0,
        Some(true) => 1,
        Some(false) => 2,
    }
}

impl FilterError {
    /// Returns the step that is at fault, where it is one of them.
    pub fn step(&self) -> Option<FilterStep> {
        match self {
            Self::Missing { step, .. } | Self::Refused { step, .. } => Some(*step),
            Self::CropOutside { .. } | Self::CropUneven { .. } => Some(FilterStep::Crop),
            Self::SkewedFilm { .. } => Some(FilterStep::Turn),
            Self::OutOfSizes { .. } => Some(FilterStep::Scale),
            Self::NoHighRange => Some(FilterStep::ToneMap),
            Self::DetelecineDepth { .. } => Some(FilterStep::Detelecine),
            Self::NoSuchTexts { .. } | Self::Texts { .. } => Some(FilterStep::Burn),
            Self::Times | Self::Sizes | Self::HoldsBack { .. } | Self::Unscaled => Some(FilterStep::Graph),
            Self::Failed { .. } => None,
        }
    }
}
