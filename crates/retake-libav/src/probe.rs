//! Looks at a film: chooses the video to encode, and describes it and all other tracks.

#![allow(unsafe_code)]

use crate::access::Access;
use crate::decoder::{Decoded, Decoder};
use crate::error::MediaError;
use crate::failure::text;
use crate::ffi::{self, Ratio, RawColour, RawFrame, RawHdr, RawPixels, RawStream};
use crate::film::{FilmInfo, SourcePixels, TrackInfo, TrackKind, UnreadInput, VideoTrack, ticks_to_time};
use crate::input::{Input, known};
use crate::marks::{TrackMark, TrackMarks};
use crate::pump::Pump;
use crate::tags::keeps_for_film;
use retake_media::{Colour, ContentLight, FieldDetail, Fields, MasteringDisplay, Range, Rational, Time};
use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

/// The largest width and height, because no encoder takes more.
const LARGEST: i64 = 16_384;

/// Looks at a film, and opens nothing else: its tracks, and its first frame.
///
/// # Errors
/// Fails like [`probe_with`].
pub fn probe(path: &Path) -> Result<FilmInfo, MediaError> {
    probe_with(path, &Access::new())
}

/// Looks at a film: its tracks, and its first frame. What may be opened for it holds for all readers of the
/// answer, too.
///
/// `-` is standard input, and like any pipe it can be read only once: the first
/// [`FrameReader`](crate::FrameReader) that is opened with the answer (or a clone of it) carries on where
/// this function stopped, a second one is refused.
///
/// # Errors
/// Returns [`MediaError::Open`], [`Empty`](MediaError::Empty), [`NotAFilm`](MediaError::NotAFilm),
/// [`NoVideo`](MediaError::NoVideo), [`NoDecoder`](MediaError::NoDecoder),
/// [`TooLarge`](MediaError::TooLarge), [`NoFrames`](MediaError::NoFrames), [`Read`](MediaError::Read),
/// [`References`](MediaError::References), [`Endless`](MediaError::Endless) or
/// [`Interrupted`](MediaError::Interrupted).
pub fn probe_with(path: &Path, access: &Access) -> Result<FilmInfo, MediaError> {
    probe_video(path, access, None)
}

/// Looks at a film like [`probe_with`], for the pictures of this track of video, by its number in the file;
/// `None` is the one that moves, is marked as default, and is the largest, in this order.
///
/// # Errors
/// Fails like [`probe_with`], and with [`MediaError::NoSuchVideo`] where there is no such track.
pub fn probe_video(path: &Path, access: &Access, number: Option<u32>) -> Result<FilmInfo, MediaError> {
    let mut input = Input::open(path, access)?;
    let further = input.open_further(path, access)?;
    let looked_further = further.is_some();
    if let Some(further) = further {
        input = further;
    }
    let film = input.film();
    // SAFETY: these are texts of the open input.
    let container = unsafe { text(film.format) }.unwrap_or_default();
    let (index, mut tracks) = choose(path, access, &input, number)?;
    // Each programme of a broadcast has a clock of its own, and players show one of them.
    let all = tracks.len();
    tracks.retain(|track| input.share_programme(index, track.index));
    let other_programmes = all - tracks.len();
    let stream = input.stream(index);
    if stream.encrypted != 0 {
        return Err(MediaError::Encrypted { file: path.into() });
    }
    let codec = name(stream.codec);
    if stream.decodable == 0 {
        return Err(MediaError::NoDecoder { file: path.into(), codec });
    }
    check_size(path, stream.width, stream.height)?;
    let first = first_frame(path, &mut input, index)?;
    check_size(path, first.raw().width, first.raw().height)?;
    check_layout(path, &first)?;

    let time_base = ratio(stream.time_base);
    let own = (0..film.streams as u32).filter(|&other| input.share_programme(index, other));
    let mut start = own.filter_map(|i| start_of(&input.stream(i))).min();
    if let Some(pts) = first.pts().map(|pts| ticks_to_time(pts, time_base)).filter(|time| time.is_numeric()) {
        start = Some(start.map_or(pts, |start| start.min(pts)));
    }
    let duration = known(film.duration).filter(|&us| us > 0).map(|us| us as f64 / 1e6);
    let mut video = describe(index, &stream, first.raw(), duration);
    video.chosen = number.is_some();
    let file_size = u64::try_from(film.size).unwrap_or(0);
    let seekable = film.seekable != 0;
    let truncated = file_size > 0
        && (0..film.streams as u32)
            .any(|i| u64::try_from(input.stream(i).last_byte).unwrap_or(0) > file_size);
    let state = input.state();
    let tags = input.tags(None).into_iter().filter(|(name, _)| keeps_for_film(name)).collect();
    let opened = if seekable {
        UnreadInput::default()
    } else {
        input.replay();
        UnreadInput::put(input)
    };
    Ok(FilmInfo {
        path: path.into(),
        container,
        duration,
        start: start.unwrap_or(Time::ZERO),
        video,
        tracks,
        chapters: film.chapters as usize,
        tags,
        file_size,
        seekable,
        truncated,
        looked_further,
        other_programmes,
        access: access.clone(),
        state,
        findings: Vec::new(),
        closest_frames: None,
        longest_gaps: Vec::new(),
        surveyed: false,
        breaks: Arc::default(),
        syncs: Arc::default(),
        wrong: Arc::default(),
        window: None,
        beside: Arc::default(),
        filtered: None,
        opened,
    })
}

/// Refuses pictures that nothing can convert, before any work.
fn check_layout(path: &Path, first: &Decoded) -> Result<(), MediaError> {
    let pixels = &first.raw().pixels;
    if pixels.convertible != 0 || pixels.ours >= 0 {
        return Ok(());
    }
    let detail = "its layout is not known to the scaler".into();
    Err(MediaError::Convert { file: path.into(), frame: 0, pixels: name(pixels.name), detail })
}

fn check_size(path: &Path, width: i32, height: i32) -> Result<(), MediaError> {
    let (width, height) = (i64::from(width), i64::from(height));
    if width > LARGEST || height > LARGEST {
        return Err(MediaError::TooLarge { file: path.into(), width, height });
    }
    Ok(())
}

/// Chooses the video that is encoded, and lists all other tracks. It is one that can be decoded and moves; of
/// several those that the container marks as default, of these the largest, of these the first.
fn choose(
    path: &Path,
    access: &Access,
    input: &Input,
    number: Option<u32>,
) -> Result<(u32, Vec<TrackInfo>), MediaError> {
    let streams: Vec<RawStream> = (0..input.film().streams as u32).map(|index| input.stream(index)).collect();
    let is_video = |s: &RawStream| s.kind == ffi::VIDEO && s.cover == 0;
    let moving = match streams.iter().filter(|s| is_video(s)).count() {
        2.. if number.is_none() && input.film().seekable != 0 => {
            moving(path, access, |index| streams.get(index as usize).is_some_and(is_video))
        }
        _ => Vec::new(),
    };
    let rank = |index: usize, s: &RawStream| {
        let still = !moving.is_empty() && !moving.contains(&(index as u32));
        let area = i64::from(s.width) * i64::from(s.height);
        let default = TrackMarks::of(s.disposition).has(TrackMark::Default);
        (s.decodable == 0, still, !default, Reverse(area), index)
    };
    if let Some(number) = number
        && !streams.get(number as usize).is_some_and(is_video)
    {
        let videos = streams.iter().enumerate().filter(|(_, s)| is_video(s));
        let videos: Vec<String> = videos.map(|(index, s)| track(index as u32, s).to_string()).collect();
        let tracks = if videos.is_empty() { "none".into() } else { videos.join(", ") };
        return Err(MediaError::NoSuchVideo { file: path.into(), number, tracks });
    }
    let wanted = |index: usize| number.is_none_or(|number| number as usize == index);
    let film = streams
        .iter()
        .enumerate()
        .filter(|(index, s)| is_video(s) && wanted(*index))
        .min_by_key(|(index, s)| rank(*index, s));
    let others = |chosen: Option<usize>| {
        let all = streams.iter().enumerate().filter(|(index, _)| Some(*index) != chosen);
        all.map(|(index, s)| track(index as u32, s)).collect::<Vec<_>>()
    };
    match film {
        Some((index, _)) => Ok((index as u32, others(Some(index)))),
        None => {
            let tracks: Vec<String> = others(None).iter().map(ToString::to_string).collect();
            let tracks = if tracks.is_empty() { "nothing".into() } else { tracks.join(", ") };
            Err(MediaError::NoVideo { file: path.into(), tracks })
        }
    }
}

/// The samples that are read at most to tell a film from a still picture.
const LOOK: u32 = 2000;

/// Returns the tracks of video of which several samples come soon.
fn moving(path: &Path, access: &Access, is_video: impl Fn(u32) -> bool) -> Vec<u32> {
    let (mut seen, mut moving) = (Vec::new(), Vec::new());
    let Ok(mut input) = Input::open(path, access) else { return moving };
    input.select(&is_video);
    for _ in 0..LOOK {
        let Ok(Some(packet)) = input.read() else { break };
        let stream = packet.stream();
        if !seen.contains(&stream) {
            seen.push(stream);
        } else if !moving.contains(&stream) {
            moving.push(stream);
        }
    }
    moving
}

/// Describes a track.
pub(crate) fn track(index: u32, stream: &RawStream) -> TrackInfo {
    let kind = match stream.kind {
        ffi::VIDEO if stream.cover != 0 => TrackKind::Cover,
        ffi::VIDEO => TrackKind::Video,
        ffi::AUDIO => TrackKind::Audio,
        ffi::SUBTITLE => TrackKind::Subtitle,
        ffi::ATTACHMENT => TrackKind::Attachment,
        _ => TrackKind::Data,
    };
    // SAFETY: these are texts of the open input.
    let (language, title) = unsafe { (text(stream.language), text(stream.title)) };
    TrackInfo {
        index,
        kind,
        codec: name(stream.codec),
        language,
        title,
        marks: TrackMarks::of(stream.disposition),
        time_base: ratio(stream.time_base),
        sample_rate: stream.sample_rate.max(0) as u32,
        channels: stream.channels.max(0) as u32,
        text: stream.text_subtitle != 0,
        samples: None,
        beside: None,
        codec_id: stream.codec_id,
        chapter_names: stream.chapter_track != 0,
    }
}

/// Returns when a track starts, if it is one that is seen or heard all along.
pub(crate) fn start_of(stream: &RawStream) -> Option<Time> {
    let counts = (stream.kind == ffi::VIDEO && stream.cover == 0) || stream.kind == ffi::AUDIO;
    let mut time = ticks_to_time(known(stream.start)?, ratio(stream.time_base));
    if time < Time::ZERO && stream.padding > 0 {
        // Sound starts after the samples that only warm a decoder up, because those are not heard.
        time = (time + Time::new(stream.padding.into(), stream.sample_rate)).min(Time::ZERO);
    }
    (counts && time.is_numeric()).then_some(time)
}

fn first_frame(path: &Path, input: &mut Input, index: u32) -> Result<Decoded, MediaError> {
    if input.film().seekable == 0 {
        input.record();
    }
    input.select(|i| i == index);
    let decoder =
        Decoder::open(input, index, 1).map_err(|failure| MediaError::undecodable(path, &failure))?;
    let mut pump = Pump::new(index, (0.0, 0.0), None);
    let first = pump.next(input, &mut { decoder });
    if pump.encrypted {
        return Err(MediaError::Encrypted { file: path.into() });
    }
    match first {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(MediaError::NoFrames { file: path.into(), detail: pump.complaint() }),
        Err(failure) => Err(pump.read_error(path, 0, input, &failure)),
    }
}

/// Describes the video by the container and one of its frames.
pub(crate) fn describe(index: u32, stream: &RawStream, raw: &RawFrame, duration: Option<f64>) -> VideoTrack {
    let time_base = ratio(stream.time_base);
    let length =
        known(stream.duration).filter(|&d| d > 0).map(|d| d as f64 * time_base.to_f64()).or(duration);
    let mut frame_rate = ratio(stream.frame_rate);
    if !frame_rate.is_positive() {
        frame_rate = Rational::new(25, 1);
    }
    let frames_hint = u64::try_from(stream.frames)
        .ok()
        .filter(|&frames| frames > 0)
        .or_else(|| length.map(|seconds| (seconds * frame_rate.to_f64()).round() as u64))
        .filter(|&frames| frames > 0);
    // Players believe the container, where it states a shape.
    let states_aspect = stream.states_aspect != 0 && ratio(stream.aspect).is_positive();
    let mut aspects = [raw.aspect, stream.aspect].map(ratio);
    if states_aspect {
        aspects.reverse();
    }
    let aspect = aspects.into_iter().find(|aspect| aspect.is_positive());
    let pixels = SourcePixels {
        rgb: raw.pixels.rgb != 0,
        gray: raw.pixels.gray != 0,
        alpha: raw.pixels.alpha != 0,
        depth: raw.pixels.depth,
        shared: (raw.pixels.chroma_w, raw.pixels.chroma_h),
    };
    let colour = colour(raw.colour, stream.colour, &raw.pixels, raw.height);
    let (mastering_display, content_light) = hdr(&raw.hdr, &stream.hdr);
    // What the container does not say a message in the stream may.
    let (has_matrix, matrix, angle) = match stream.has_matrix {
        0 => (raw.has_matrix, raw.matrix, raw.rotation),
        known => (known, stream.matrix, stream.rotation),
    };
    let rotation = if angle.is_finite() { (-angle).round() as i32 } else { 0 };
    VideoTrack {
        index,
        chosen: false,
        codec: name(stream.codec),
        width: raw.width as u32,
        height: raw.height as u32,
        time_base,
        frame_rate,
        pixel_aspect_ratio: aspect.unwrap_or(Rational::new(1, 1)),
        states_aspect,
        pictures_state_range: raw.colour.range != 0,
        pictures_state_colour: raw.colour.transfer != 2,
        pictures_state_fields: raw.interlaced != 0 || stream.field_order <= UNKNOWN_OR_WHOLE,
        colour,
        mastering_display,
        content_light,
        rotation: rotation.rem_euclid(360),
        display_matrix: (has_matrix != 0).then_some(matrix),
        pixel_format: name(raw.pixels.name),
        format: pixels.nearest(),
        pixels,
        fields: fields(raw.interlaced, stream.field_order),
        dolby_vision: (stream.dolby_vision != 0).then(|| u8::try_from(stream.dolby_vision).unwrap_or(0)),
        frames_hint,
    }
}

/// The greatest of FFmpeg's numbers for an order of fields that is unknown, or of whole frames.
const UNKNOWN_OR_WHOLE: i32 = 1;

/// Returns the fields that a frame states, or else the container. Rows always alternate in pictures
/// of decoders.
pub(crate) fn fields(frame: i32, stream: i32) -> Option<Fields> {
    // FFmpeg has four orders: both top first, both bottom first, and woven with the one or the other first.
    let top_first = match (frame, stream) {
        (0, ..=UNKNOWN_OR_WHOLE) => return None,
        (0, stream) => matches!(stream, 2 | 4),
        (frame, _) => frame == 1,
    };
    let detail =
        if top_first { FieldDetail::SpatialFirstLineEarly } else { FieldDetail::SpatialFirstLineLate };
    Some(Fields { count: 2, detail: Some(detail) })
}

/// Returns the colour that the frame states, or else the container.
pub(crate) fn colour(frame: RawColour, stream: RawColour, pixels: &RawPixels, height: i32) -> Colour {
    let code = |of_frame: i32, of_stream: i32, unknown: i32| {
        let chosen = if of_frame == unknown { of_stream } else { of_frame };
        u8::try_from(chosen).unwrap_or(unknown as u8)
    };
    let range = code(frame.range, stream.range, 0);
    let mut colour = Colour {
        primaries: code(frame.primaries, stream.primaries, 2),
        transfer: code(frame.transfer, stream.transfer, 2),
        matrix: code(frame.matrix, stream.matrix, 2),
        range: if range == 2 { Range::Full } else { Range::Limited },
        range_known: range != 0,
        chroma_location: code(frame.chroma_location, stream.chroma_location, 0),
    };
    if pixels.rgb != 0 {
        // The scaler makes limited YCbCr of RGB, with the matrix that players assume for the size.
        colour.matrix = if height > 576 { 1 } else { 6 };
        (colour.range, colour.range_known) = (Range::Limited, true);
    }
    if pixels.chroma_w != 1 || pixels.chroma_h != 1 {
        colour.chroma_location = 0;
    }
    colour
}

fn hdr(frame: &RawHdr, stream: &RawHdr) -> (Option<MasteringDisplay>, Option<ContentLight>) {
    let mastering =
        [frame, stream].into_iter().find(|hdr| hdr.has_mastering != 0).map(|hdr| MasteringDisplay {
            primaries_gbr: hdr.primaries_gbr,
            white_point: hdr.white_point,
            max_luminance: hdr.max_luminance,
            min_luminance: hdr.min_luminance,
        });
    let light = [frame, stream]
        .into_iter()
        .find(|hdr| hdr.has_light != 0)
        .map(|hdr| ContentLight { max_content: hdr.max_content, max_frame_average: hdr.max_average });
    (mastering, light)
}

pub(crate) fn ratio(ratio: Ratio) -> Rational {
    Rational::new(ratio.num, ratio.den)
}

/// Returns a constant name of FFmpeg's.
pub(crate) fn name(name: *const std::ffi::c_char) -> String {
    // SAFETY: the text is constant, or one of the open input.
    unsafe { text(name) }.unwrap_or_default()
}
