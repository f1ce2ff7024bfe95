//! From filters to graphs in FFmpeg's words, for one film.

use super::overlay::Stage;
use super::parse::SIZES;
use super::{
    Crop, CropArea, Deinterlace, Denoise, FilterError, FilterStep, PictureFilters, Scale, ToneMap, Turn,
};
use crate::film::VideoTrack;
use retake_media::{PixelFormat, Range, Rational, greatest_common_divisor};

/// The steps of a chain, each in FFmpeg's words.
pub(super) type Chain = Vec<(FilterStep, String)>;

/// The shape of pictures between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    /// The width of a pixel divided by its height.
    aspect: Rational,
}

/// Transfer functions of H.273.
const PQ: u8 = 16;
const HLG: u8 = 18;

/// The light of SDR's white, in cd/m².
const WHITE: f64 = 100.0;

impl PictureFilters {
    /// Returns the steps for a film, down to pictures of a format. Those of pictures that are shown at other
    /// times end with `time_base`, if it is known already.
    pub(super) fn chain(
        &self,
        film: &VideoTrack,
        to: PixelFormat,
        time_base: Option<Rational>,
    ) -> Result<Chain, FilterError> {
        let mut chain = Chain::new();
        let mut add = |step, text: String| chain.push((step, text));
        if let Some(deinterlace) = self.deinterlace {
            add(FilterStep::Deinterlace, whole_frames(deinterlace).to_owned());
        }
        if self.detelecine {
            if film.format.bit_depth() > 8 {
                return Err(FilterError::DetelecineDepth { depth: film.format.bit_depth() });
            }
            let combed = whole_frames(Deinterlace::Auto);
            add(FilterStep::Detelecine, format!("fieldmatch=order=auto:combmatch=full,{combed},decimate"));
        }
        if let Some(rate) = self.frame_rate {
            let rate = rate.get();
            add(FilterStep::FrameRate, format!("fps=fps={}/{}:round=near", rate.num, rate.den));
        }
        let (turns, mut shape) = self.turned(film)?;
        if !turns.is_empty() {
            add(FilterStep::Turn, turns.join(","));
        }
        if let Some(Crop::Area(area)) = self.crop {
            self.check_crop(area, film, shape)?;
            let CropArea { width, height, x, y } = area;
            shape = Shape { width, height, ..shape };
            add(FilterStep::Crop, format!("crop=w={width}:h={height}:x={x}:y={y}:exact=1"));
        }
        if let Some(denoise) = self.denoise {
            add(FilterStep::Denoise, hqdn3d(denoise).to_owned());
        }
        if let Some(scale) = self.scale {
            let scaled = scaled(scale, shape)?;
            if scaled != shape {
                let Shape { width, height, aspect } = scaled;
                let aspect = format!("setsar=sar={}/{}:max={}", aspect.num, aspect.den, i32::MAX);
                add(FilterStep::Scale, format!("zscale=w={width}:h={height}:filter=spline36,{aspect}"));
            }
        }
        if let Some(tone_map) = self.tone_map {
            add(FilterStep::ToneMap, standard_range(tone_map, film)?);
        }
        if self.burn.is_some() {
            // The graph is given the file when it is opened; pictures are laid over what comes out before it.
            add(FilterStep::Burn, String::new());
        }
        if let Some(graph) = &self.graph {
            add(FilterStep::Graph, graph.clone());
        }
        let base = time_base.map_or(String::new(), |base| format!("settb=expr={}/{},", base.num, base.den));
        add(FilterStep::Format, format!("{base}format=pix_fmts={}", name(to)));
        Ok(chain)
    }

    /// Returns the filters that turn a film, and the shape of its pictures behind them.
    fn turned(&self, film: &VideoTrack) -> Result<(Vec<&'static str>, Shape), FilterError> {
        let mut shape = Shape { width: film.width, height: film.height, aspect: film.pixel_aspect_ratio };
        let Some(turn) = self.turn else { return Ok((Vec::new(), shape)) };
        let turns: Vec<&str> = upright(film)?.iter().chain(turned(turn)).copied().collect();
        for _ in turns.iter().filter(|turn| turn.starts_with("transpose")) {
            let Rational { num, den } = shape.aspect;
            shape = Shape { width: shape.height, height: shape.width, aspect: Rational::new(den, num) };
        }
        Ok((turns, shape))
    }

    /// Returns how places of the film become places in a picture of a size that is drawn into.
    pub(super) fn stage(&self, film: &VideoTrack, picture: (u32, u32)) -> Result<Stage, FilterError> {
        let (_, Shape { width, height, aspect }) = self.turned(film)?;
        let kept = match self.crop {
            Some(Crop::Area(CropArea { width, height, x, y })) => (width, height, x, y),
            _ => (width, height, 0, 0),
        };
        Ok(Stage { whole: (width, height), aspect: aspect.to_f64(), kept, picture })
    }

    /// Returns the filters of FFmpeg that the chain needs, by the steps that need them. What is drawn says
    /// that itself.
    pub(super) fn needs(&self) -> impl Iterator<Item = (FilterStep, &'static str)> {
        let needed: [(bool, FilterStep, &[&str]); 8] = [
            (self.deinterlace.is_some(), FilterStep::Deinterlace, &["bwdif"]),
            (self.detelecine, FilterStep::Detelecine, &["fieldmatch", "bwdif", "decimate"]),
            (self.frame_rate.is_some(), FilterStep::FrameRate, &["fps"]),
            (self.turn.is_some(), FilterStep::Turn, &["transpose", "hflip", "vflip"]),
            (self.crop.is_some(), FilterStep::Crop, &["crop"]),
            (self.denoise.is_some(), FilterStep::Denoise, &["hqdn3d"]),
            (self.scale.is_some(), FilterStep::Scale, &["zscale", "setsar"]),
            (self.tone_map.is_some(), FilterStep::ToneMap, &["zscale", "tonemap"]),
        ];
        needed
            .into_iter()
            .filter(|(wanted, ..)| *wanted)
            .flat_map(|(_, step, filters)| filters.iter().map(move |filter| (step, *filter)))
    }

    /// Whether a step mixes the rows of two fields, if the film has such.
    pub(super) fn mixes_fields(&self, film: &VideoTrack) -> bool {
        let makes_whole = self.deinterlace.is_some() || self.detelecine;
        film.fields.is_some() && !makes_whole && (self.scale.is_some() || self.turn.is_some())
    }

    fn check_crop(&self, area: CropArea, film: &VideoTrack, shape: Shape) -> Result<(), FilterError> {
        let CropArea { width, height, x, y } = area;
        let inside =
            |from: u32, length: u32, all: u32| from.checked_add(length).is_some_and(|end| end <= all);
        if !inside(x, width, shape.width) || !inside(y, height, shape.height) {
            return Err(FilterError::CropOutside { area, of_width: shape.width, of_height: shape.height });
        }
        let (mut across, mut down) = film.format.chroma_block().unwrap_or((1, 1));
        if (shape.width, shape.height) != (film.width, film.height) {
            (across, down) = (across.max(down), across.max(down));
        }
        // Rows of the one field stay rows of it.
        if film.fields.is_some() && self.deinterlace.is_none() && !self.detelecine {
            down *= 2;
        }
        let even = |value: u32, unit: u32| value.is_multiple_of(unit);
        // What lies at the end of the picture may end with it.
        let ends = |from: u32, length: u32, all: u32, unit: u32| even(length, unit) || from + length == all;
        let fits = even(x, across)
            && even(y, down)
            && ends(x, width, shape.width, across)
            && ends(y, height, shape.height, down);
        if !fits {
            return Err(FilterError::CropUneven { area, across, down });
        }
        if u64::from(width) < *SIZES.start() || u64::from(height) < *SIZES.start() {
            return Err(FilterError::OutOfSizes { width: width.into(), height: height.into() });
        }
        Ok(())
    }
}

fn whole_frames(deinterlace: Deinterlace) -> &'static str {
    match deinterlace {
        Deinterlace::Auto => "bwdif=mode=send_frame:parity=auto:deint=interlaced",
        Deinterlace::Yes => "bwdif=mode=send_frame:parity=auto:deint=all",
    }
}

fn hqdn3d(denoise: Denoise) -> &'static str {
    match denoise {
        Denoise::Light => "hqdn3d=luma_spatial=2:chroma_spatial=1:luma_tmp=2:chroma_tmp=3",
        Denoise::Medium => "hqdn3d=luma_spatial=3:chroma_spatial=2:luma_tmp=4:chroma_tmp=5",
        Denoise::Strong => "hqdn3d=luma_spatial=7:chroma_spatial=7:luma_tmp=8:chroma_tmp=8",
    }
}

fn turned(turn: Turn) -> &'static [&'static str] {
    match turn {
        Turn::Auto => &[],
        Turn::Quarter => &["transpose=dir=clock"],
        Turn::Half => &["hflip", "vflip"],
        Turn::ThreeQuarters => &["transpose=dir=cclock"],
        Turn::MirrorAcross => &["hflip"],
        Turn::MirrorDown => &["vflip"],
    }
}

/// Returns the filters that do what the display matrix of a film asks players for: a, b, c and d of
/// x' = ax + cy, y' = bx + dy, of which one pair is not zero where the turn is one by quarters.
fn upright(film: &VideoTrack) -> Result<&'static [&'static str], FilterError> {
    let Some([a, b, _, c, d, ..]) = film.display_matrix else { return Ok(&[]) };
    let far = |value: i32| value.unsigned_abs() > 1 << 10;
    match (far(a), far(b), far(c), far(d)) {
        (true, false, false, true) => Ok(match (a > 0, d > 0) {
            (true, true) => &[],
            (false, true) => &["hflip"],
            (true, false) => &["vflip"],
            (false, false) => &["hflip", "vflip"],
        }),
        // With y downwards, rows become columns: (x, y) is shown at (cy, bx).
        (false, true, true, false) => Ok(match (b > 0, c > 0) {
            (true, false) => &["transpose=dir=clock"],
            (false, true) => &["transpose=dir=cclock"],
            (true, true) => &["transpose=dir=cclock_flip"],
            (false, false) => &["transpose=dir=clock_flip"],
        }),
        _ => Err(FilterError::SkewedFilm { degrees: film.rotation }),
    }
}

/// Returns the shape after scaling.
fn scaled(scale: Scale, from: Shape) -> Result<Shape, FilterError> {
    let (width, height) = (u64::from(from.width.max(1)), u64::from(from.height.max(1)));
    let (num, den) = (i64::from(from.aspect.num).unsigned_abs(), i64::from(from.aspect.den).unsigned_abs());
    let (num, den) = (num.max(1), den.max(1));
    // The nearest even number to a fraction.
    let even = |over: u64, under: u64| ((over + under) / (2 * under)).max(1) * 2;
    let (to_width, to_height, keeps_pixels) = match scale {
        Scale::Height(rows) => (even(width * u64::from(rows), height), u64::from(rows), true),
        Scale::Width(samples) => (u64::from(samples), even(height * u64::from(samples), width), true),
        Scale::Size(width, height) => (u64::from(width), u64::from(height), false),
        Scale::Fit(across, down) => {
            let (across, down) = (u64::from(across), u64::from(down));
            // The picture is shown `width * num / den` pixels wide.
            if width * num <= across * den && height <= down {
                return Ok(from);
            }
            // Whichever side is the narrower one in the box decides, and the other is rounded down to an even
            // number, so that it stays inside.
            let floor = |over: u64, under: u64| over / (2 * under) * 2;
            match width * num * down >= across * den * height {
                true => (floor(across * den, num), floor(height * across * den, width * num).min(down), true),
                false => (floor(width * down, height), down, true),
            }
        }
    };
    if !SIZES.contains(&to_width) || !SIZES.contains(&to_height) {
        return Err(FilterError::OutOfSizes { width: to_width, height: to_height });
    }
    let aspect = match keeps_pixels {
        true => from.aspect,
        false => fraction(
            i128::from(width * to_height) * i128::from(num),
            i128::from(height * to_width) * i128::from(den),
        ),
    };
    // `SIZES` fit.
    Ok(Shape { width: to_width as u32, height: to_height as u32, aspect })
}

/// Returns a fraction in the smallest numbers that it, or one near it, has.
fn fraction(num: i128, den: i128) -> Rational {
    let common = greatest_common_divisor(num, den);
    let (mut num, mut den) = (num / common, den / common);
    // Containers and codecs have 16 bits for each.
    while num > 0xffff || den > 0xffff {
        (num, den) = ((num + 1) / 2, (den + 1) / 2);
    }
    Rational::new(num as i32, den as i32).reduced()
}

/// Returns the step that makes BT.709 of PQ or HLG: in linear light, whose brightest value is that of the
/// film's metadata.
fn standard_range(tone_map: ToneMap, film: &VideoTrack) -> Result<String, FilterError> {
    let known = |code: u8, usual: u8| if code == 2 { usual } else { code };
    let colour = &film.colour;
    let (from, brightest) = match colour.transfer {
        PQ => {
            let light = film.content_light.map(|light| f64::from(light.max_content));
            let display = film.mastering_display.map(|display| f64::from(display.max_luminance) / 10_000.0);
            let stated = light.filter(|light| *light > 0.0).or(display.filter(|light| *light > 0.0));
            ("smpte2084", stated.unwrap_or(1000.0))
        }
        HLG => ("arib-std-b67", 1000.0),
        _ => return Err(FilterError::NoHighRange),
    };
    let range = if colour.range == Range::Full { "full" } else { "limited" };
    // Numbers are those of H.273.
    let (primaries, matrix) = (known(colour.primaries, 9), known(colour.matrix, 9));
    let peak = (brightest / WHITE).max(1.0);
    Ok(format!(
        "zscale=tin={from}:pin={primaries}:min={matrix}:rin={range}:t=linear:npl={WHITE},format=pix_fmts=gbrpf32le,\
         zscale=p=bt709,tonemap=tonemap={tone_map}:desat=0:peak={peak:.4},\
         zscale=t=bt709:p=bt709:m=bt709:r=limited"
    ))
}

/// Returns FFmpeg's name of a format of decoders.
fn name(format: PixelFormat) -> &'static str {
    match format {
        PixelFormat::I010 => "yuv420p10le",
        PixelFormat::I422 => "yuv422p",
        PixelFormat::I210 => "yuv422p10le",
        PixelFormat::I444 => "yuv444p",
        PixelFormat::I410 => "yuv444p10le",
        PixelFormat::Y8 => "gray",
        PixelFormat::Y10 => "gray10le",
        _ => "yuv420p",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(width: u32, height: u32, num: i32, den: i32) -> Shape {
        Shape { width, height, aspect: Rational::new(num, den) }
    }

    #[test]
    fn sizes_follow_from_the_shape_of_what_is_seen() {
        let of = |scale: Scale, from: Shape| scaled(scale, from).map(|to| (to.width, to.height, to.aspect));
        let square = Rational::new(1, 1);
        let film = shape(1920, 800, 1, 1);
        assert_eq!(of(Scale::Height(720), film), Ok((1728, 720, square)));
        assert_eq!(of(Scale::Width(1280), film), Ok((1280, 534, square)));
        assert_eq!(of(Scale::Fit(1280, 720), film), Ok((1280, 532, square)));
        assert_eq!(of(Scale::Fit(1920, 1080), film), Ok((1920, 800, square)));
        // Twice as wide as it is high, whatever the number of its pixels.
        assert_eq!(of(Scale::Size(800, 800), film), Ok((800, 800, Rational::new(12, 5))));
        let disc = shape(720, 576, 64, 45);
        assert_eq!(of(Scale::Height(288), disc), Ok((360, 288, Rational::new(64, 45))));
        assert_eq!(of(Scale::Size(1024, 576), disc), Ok((1024, 576, square)));
        assert_eq!(of(Scale::Fit(512, 512), disc), Ok((360, 288, Rational::new(64, 45))));
        assert!(matches!(of(Scale::Height(16384), film), Err(FilterError::OutOfSizes { width: 39322, .. })));
    }

    proptest! {
        /// A picture in a box is inside of it, as large as even numbers allow, and never larger than it was.
        #[test]
        fn what_fits_is_inside(width in 16u32..8000, height in 16u32..8000, num in 1i32..100, den in 1i32..100,
                across in 16u32..2000, down in 16u32..2000) {
            let from = shape(width, height, num, den);
            if let Ok(to) = scaled(Scale::Fit(across * 2, down * 2), from) {
                let (across, down) = (u64::from(across) * 2, u64::from(down) * 2);
                let shown = |samples: u32| u64::from(samples) * num as u64;
                prop_assert!(shown(to.width) <= across * den as u64 && u64::from(to.height) <= down);
                prop_assert!(to == from || to.width % 2 == 0 && to.height % 2 == 0);
                prop_assert!(to.width <= width && to.height <= height);
                let near = shown(to.width + 4) > across * den as u64 || u64::from(to.height) + 4 > down;
                prop_assert!(to == from || near, "{to:?}");
            }
        }
    }
}
