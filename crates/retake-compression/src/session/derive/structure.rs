//! Structure: what pictures of the stream look like, how often there is one of them, and where sync frames
//! are.

use super::Hints;
use crate::encoder::{EncoderInfo, USUAL_INTERVAL};
use crate::property::{Environment, PropertyKey, Values, parse_profile, set_value, why_no_fields};
use crate::session::{SessionError, SessionMistake};
use retake_media::{CleanAperture, Codec, Fields, PixelFormat, Rational};

/// The most threads of an encode where nobody says how many: encoders lose quality with more, and gain little
/// speed.
const MAX_THREADS: usize = 8;
/// Frames per second where neither properties nor frames say how many.
const USUAL_FRAME_RATE: Rational = Rational::new(30, 1);

/// The encoder's format that is nearest to the source, with the depth that is asked for.
pub(in crate::session) fn format(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Result<PixelFormat, SessionError> {
    let info = environment.info;
    let asked = values.has(PropertyKey::OutputBitDepth);
    let deepest = info.formats.iter().map(|format| format.bit_depth()).max().unwrap_or(8);
    let depth = depth(environment, values, hints.format).unwrap_or(8);
    // A source that is deeper than the encoder loses its low bits, because it can be encoded all the same. A
    // depth that was asked for must not be lowered in silence.
    let depth = if asked { depth } else { depth.min(deepest) };
    let deep = || info.formats.iter().copied().filter(|format| format.bit_depth() == depth);
    let same = hints.format.and_then(|source| deep().find(|format| format.same_layout(source)));
    let found = same.or_else(|| deep().next());
    found.ok_or_else(|| {
        SessionError::parameter("OutputBitDepth", SessionMistake::BitDepth { encoder: info.name, depth })
    })
}

/// The depth of samples that is asked for, in bits; `None` leaves it to the source.
pub(in crate::session) fn depth(
    environment: &Environment<'_>,
    values: &Values,
    source: Option<PixelFormat>,
) -> Option<u32> {
    if let Some(&depth) = set_value!(values, OutputBitDepth) {
        return Some(depth);
    }
    let profile = set_value!(values, ProfileLevel).and_then(|name| parse_profile(environment.info, name));
    let source = source.map(PixelFormat::bit_depth);
    match (source, profile) {
        (Some(source), Some(profile)) => Some(source.min(profile.depth)),
        (source, profile) => source.or(profile.map(|profile| profile.depth)),
    }
}

/// Frames per second that rate control counts with.
pub(in crate::session) fn frame_rate(values: &Values, hints: &Hints) -> Rational {
    if let Some(&rate) = set_value!(values, ExpectedFrameRate).filter(|&&rate| rate > 0.0) {
        return rational(rate);
    }
    let duration = hints.duration;
    let from_frame =
        i32::try_from(duration.value()).ok().map(|value| Rational::new(duration.timescale(), value));
    from_frame.filter(|rate| duration.is_numeric() && rate.is_positive()).unwrap_or(USUAL_FRAME_RATE)
}

/// The fraction that is meant: 29.97 stands for 30000/1001.
fn rational(rate: f64) -> Rational {
    let broadcast = (rate * 1.001).round();
    if (rate - rate.round()).abs() > 1e-3 && (broadcast / 1.001 - rate).abs() < 5e-3 {
        return Rational::new(broadcast as i32 * 1000, 1001);
    }
    Rational::new(((rate * 1000.0).round() as i32).max(1), 1000)
}

/// How many frames will come; 0 is unknown.
pub(super) fn frame_count(values: &Values, hints: &Hints) -> u64 {
    let count = set_value!(values, SourceFrameCount).copied().unwrap_or(0);
    let seconds = set_value!(values, ExpectedDuration).copied().unwrap_or(0.0);
    // `as` saturates, so no duration is too long
    if count > 0 { count } else { (seconds * frame_rate(values, hints).to_f64()).round() as u64 }
}

/// Whether every frame is to be a sync frame.
pub(super) fn intra_only(values: &Values) -> bool {
    set_value!(values, AllowTemporalCompression) == Some(&false)
}

/// The most frames from one sync frame to the next; 0 leaves it to the encoder.
pub(super) fn key_frame_interval(environment: &Environment<'_>, values: &Values) -> u32 {
    let interval = set_value!(values, MaxKeyFrameInterval).copied().unwrap_or(0);
    match (intra_only(values), environment.low_latency) {
        (true, _) => 1,
        // Low latency means one sync frame, unless the client asks for more.
        (false, true) if interval == 0 => i32::MAX as u32,
        (false, false) if interval == 0 => passes_interval(environment.info, values),
        (false, _) => interval,
    }
}

/// The interval where nobody asks for one. Passes encode again from one sync frame to the next, and libvpx
/// alone puts in none where it is not told to, so with it the whole film would be one unit.
fn passes_interval(info: &EncoderInfo, values: &Values) -> u32 {
    let unbounded = info.codec == Codec::Vp9 && values.has(PropertyKey::MultiPassStorage);
    if unbounded { USUAL_INTERVAL } else { 0 }
}

/// Threads that the encoder may use.
pub(super) fn threads(values: &Values) -> u32 {
    let real_time = set_value!(values, RealTime) == Some(&true);
    if let Some(&threads) = set_value!(values, ThreadCount) {
        return threads;
    }
    if set_value!(values, MaximizePowerEfficiency) == Some(&true) && !real_time {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS) as u32)
}

/// The part of the pictures that is meant to be seen. What a frame of another size says is ignored, because
/// it is about that size.
pub(super) fn aperture(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Option<CleanAperture> {
    let (width, height) = (environment.width, environment.height);
    let of_frame = hints
        .clean_aperture
        .filter(|(aperture, size)| *size == (width, height) && aperture.rectangle(width, height).is_some());
    set_value!(values, CleanAperture).copied().or(of_frame.map(|(aperture, _)| aperture))
}

/// How pictures are made of fields, if anybody says. EF-9: what a frame says of itself counts where the
/// property says nothing, but only if the encoder can code fields and the conversion of the frame would not
/// mix them: a hint must not make an encode fail.
pub(super) fn fields(environment: &Environment<'_>, values: &Values, hints: &Hints) -> Option<Fields> {
    if let Some(&count) = set_value!(values, FieldCount) {
        // the range of the property is 1 to 2
        return Some(Fields { count: count as u8, detail: set_value!(values, FieldDetail).copied() });
    }
    let (width, height) = (environment.width, environment.height);
    let (fields, size) = hints.fields?;
    let support = environment.info.controls.fields.as_ref()?;
    let rows = hints.format.and_then(PixelFormat::chroma_block).map_or(2, |(_, rows)| rows);
    let can = fields.count == 2
        && support.fits(width, height)
        && support.keeps_up(width, height, frame_rate(values, hints))
        && size == (width, height)
        && rows == 2
        && why_no_fields(environment, values).is_none();
    can.then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_the_fractions_that_are_meant() {
        assert_eq!(rational(29.97), Rational::new(30000, 1001));
        assert_eq!(rational(23.976), Rational::new(24000, 1001));
        assert_eq!(rational(25.0), Rational::new(25000, 1000));
        assert_eq!(rational(12.5), Rational::new(12500, 1000));
    }
}
