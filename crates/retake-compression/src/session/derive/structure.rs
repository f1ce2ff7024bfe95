//! Structure: what pictures of the stream look like, how often there is one of them, and where sync frames
//! are.

use super::Hints;
use crate::encoder::{EncoderInfo, ProfileSupport, USUAL_INTERVAL};
use crate::property::{
    Environment, OutputChroma, PropertyKey, Values, parse_profile, set_value, why_no_fields,
};
use crate::session::{SessionError, SessionMistake};
use retake_media::{ChromaSubsampling, CleanAperture, Codec, Fields, PixelFormat, Rational};

/// The most threads of an encode where nobody says how many: encoders lose quality with more, and gain little
/// speed.
const MAX_THREADS: usize = 8;
/// The chroma that nearly all films have.
const USUAL_CHROMA: ChromaSubsampling = ChromaSubsampling::Yuv420;
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
    let chroma = chroma(environment, values, hints.format).unwrap_or(USUAL_CHROMA);
    let fitting = || {
        info.formats
            .iter()
            .copied()
            .filter(|format| (format.bit_depth(), format.chroma_subsampling()) == (depth, chroma))
    };
    let same = hints.format.and_then(|source| fitting().find(|format| format.same_layout(source)));
    let found = same.or_else(|| fitting().next());
    found.ok_or_else(|| {
        SessionError::parameter(
            "OutputBitDepth",
            SessionMistake::BitDepth { encoder: info.name, depth, chroma },
        )
    })
}

/// The chroma of the stream; `None` leaves it to a source that is not known yet. Where nobody asks for more
/// it is 4:2:0, because few players show anything else; the loss is told with each frame.
pub(in crate::session) fn chroma(
    environment: &Environment<'_>,
    values: &Values,
    source: Option<PixelFormat>,
) -> Option<ChromaSubsampling> {
    let asked = set_value!(values, OutputChromaSubsampling).copied();
    let profile = profile(environment, values);
    let source = source.map(PixelFormat::chroma_subsampling);
    match (asked, profile) {
        (Some(OutputChroma::Source), profile) => {
            let coded = |chroma: &ChromaSubsampling| {
                environment.info.formats.iter().any(|format| format.chroma_subsampling() == *chroma)
                    && profile.is_none_or(|profile| profile.chroma.contains(chroma))
            };
            nearest(source?, ChromaSubsampling::ALL.into_iter().filter(coded))
        }
        (Some(asked), _) => asked.subsampling(),
        (None, Some(profile)) if !profile.chroma.contains(&USUAL_CHROMA) => {
            // Nobody has seen the source yet, so only a profile with one answer has one.
            let known = source.or(profile.chroma.first().copied().filter(|_| profile.chroma.len() == 1));
            nearest(known?, profile.chroma.iter().copied())
        }
        (None, _) => Some(USUAL_CHROMA),
    }
}

/// The coarsest of `coded`, which begin with the coarsest, that keeps all chroma of the source, or else the
/// finest.
fn nearest(
    source: ChromaSubsampling,
    coded: impl Iterator<Item = ChromaSubsampling> + Clone,
) -> Option<ChromaSubsampling> {
    coded.clone().find(|chroma| *chroma >= source).or_else(|| coded.last())
}

fn profile<'a>(environment: &Environment<'a>, values: &Values) -> Option<&'a ProfileSupport> {
    let name = set_value!(values, ProfileLevel)?;
    parse_profile(environment.info, name).map(|found| found.profile)
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
    let depths = profile(environment, values).map(|profile| profile.depths);
    let source = source.map(PixelFormat::bit_depth);
    match (source, depths) {
        // Streams of fewer bits would be signalled as of another profile.
        (Some(source), Some((least, most))) => Some(source.clamp(least, most)),
        (source, depths) => source.or(depths.map(|(_, most)| most)),
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
    // Where other rows share chroma than before, rows of both fields do.
    let rows = |format: PixelFormat| format.chroma_block().map(|(_, rows)| rows);
    let coded = || format(environment, values, hints).ok().and_then(rows);
    let mixes = hints.format.and_then(rows).is_some_and(|rows| coded().is_some_and(|coded| coded != rows));
    let can = fields.count == 2
        && support.fits(width, height)
        && support.keeps_up(width, height, frame_rate(values, hints))
        && size == (width, height)
        && !mixes
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
