//! Values of filters as texts.

use super::{
    Burn, Crop, CropArea, Deinterlace, Denoise, FilterValueError, FrameRate, PictureFilters, Scale, ToneMap,
    Turn,
};
use retake_media::Rational;
use std::fmt;
use std::str::FromStr;

/// The least and the greatest size of a picture, either way.
pub(super) const SIZES: std::ops::RangeInclusive<u64> = 16..=16384;

/// Names values both ways.
macro_rules! names {
    ($type:ident, $what:literal, $($value:ident = $name:literal),+ $(,)?) => {
        impl FromStr for $type {
            type Err = FilterValueError;

            fn from_str(text: &str) -> Result<Self, FilterValueError> {
                match text {
                    $($name => Ok(Self::$value),)+
                    _ => Err(FilterValueError($what)),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$value => $name),+ })
            }
        }
    };
}

names!(Deinterlace, "auto or yes", Auto = "auto", Yes = "yes");
names!(
    Turn,
    "auto, 90, 180, 270, hflip or vflip",
    Auto = "auto",
    Quarter = "90",
    Half = "180",
    ThreeQuarters = "270",
    MirrorAcross = "hflip",
    MirrorDown = "vflip",
);
names!(Denoise, "light, medium or strong", Light = "light", Medium = "medium", Strong = "strong");
names!(
    ToneMap,
    "hable, mobius, reinhard, clip, linear or gamma",
    Hable = "hable",
    Mobius = "mobius",
    Reinhard = "reinhard",
    Clip = "clip",
    Linear = "linear",
    Gamma = "gamma",
);

impl FrameRate {
    /// Makes a rate; `None` for one that is not above 0, or above 1000.
    pub fn new(rate: Rational) -> Option<Self> {
        let rate = rate.reduced();
        (rate.is_positive() && rate.to_f64() <= 1000.0).then_some(Self(rate))
    }

    /// Returns the frames in a second.
    pub const fn get(self) -> Rational {
        self.0
    }
}

impl FromStr for FrameRate {
    type Err = FilterValueError;

    fn from_str(text: &str) -> Result<Self, FilterValueError> {
        let wrong = FilterValueError("a number above 0 and up to 1000: 25, 23.976 or 30000/1001");
        let whole = |text: &str| number::<i32>(text, 9).ok_or(wrong);
        let rate = match (text.split_once('/'), text.split_once('.')) {
            (Some((num, den)), _) => Rational::new(whole(num)?, whole(den)?),
            // These are known by what is left of their digits.
            (None, Some(("23", "976" | "98"))) => Rational::new(24000, 1001),
            (None, Some(("29", "97"))) => Rational::new(30000, 1001),
            (None, Some(("47", "952" | "95"))) => Rational::new(48000, 1001),
            (None, Some(("59", "94"))) => Rational::new(60000, 1001),
            (None, Some((number, fraction))) if (1..=3).contains(&fraction.len()) => {
                let scale = 10_i32.pow(fraction.len() as u32);
                let number = whole(number)?.checked_mul(scale).ok_or(wrong)?;
                Rational::new(number.checked_add(whole(fraction)?).ok_or(wrong)?, scale)
            }
            _ => Rational::new(whole(text)?, 1),
        };
        Self::new(rate).ok_or(wrong)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.den == 1 { write!(f, "{}", self.0.num) } else { write!(f, "{}", self.0) }
    }
}

/// A number of at most so many digits, without a sign or anything else about it.
fn number<T: FromStr>(text: &str, most: usize) -> Option<T> {
    let digits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// A length in samples, or a place.
fn samples(text: &str) -> Option<u32> {
    number(text, 6)
}

impl FromStr for Crop {
    type Err = FilterValueError;

    fn from_str(text: &str) -> Result<Self, FilterValueError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let numbers: Option<Vec<u32>> = text.split(':').map(samples).collect();
        match numbers.as_deref() {
            Some(&[width, height, x, y]) if width > 0 && height > 0 => {
                Ok(Self::Area(CropArea { width, height, x, y }))
            }
            _ => Err(FilterValueError("auto, or WIDTH:HEIGHT:X:Y of what is kept")),
        }
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Area(CropArea { width, height, x, y }) => write!(f, "{width}:{height}:{x}:{y}"),
        }
    }
}

impl FromStr for Scale {
    type Err = FilterValueError;

    fn from_str(text: &str) -> Result<Self, FilterValueError> {
        const WRONG: FilterValueError = FilterValueError(
            "1080p, 1280x-2, -2x720, 1280x720 or fit:1280x720, with even numbers from 16 to 16384",
        );
        let side = |text: &str| {
            let even = samples(text).filter(|side| side % 2 == 0 && SIZES.contains(&u64::from(*side)));
            even.ok_or(WRONG)
        };
        if let Some(rows) = text.strip_suffix('p') {
            return side(rows).map(Self::Height);
        }
        let (fit, size) = match text.strip_prefix("fit") {
            Some(rest) => (true, rest.strip_prefix([':', ' ']).ok_or(WRONG)?),
            None => (false, text),
        };
        let (width, height) = size.split_once('x').ok_or(WRONG)?;
        match (width, height) {
            ("-2", _) if !fit => side(height).map(Self::Height),
            (_, "-2") if !fit => side(width).map(Self::Width),
            _ if fit => Ok(Self::Fit(side(width)?, side(height)?)),
            _ => Ok(Self::Size(side(width)?, side(height)?)),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => write!(f, "-2x{height}"),
            Self::Width(width) => write!(f, "{width}x-2"),
            Self::Size(width, height) => write!(f, "{width}x{height}"),
            Self::Fit(width, height) => write!(f, "fit:{width}x{height}"),
        }
    }
}

impl FromStr for Burn {
    type Err = FilterValueError;

    fn from_str(text: &str) -> Result<Self, FilterValueError> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Track).map_err(|_| FilterValueError(BURN));
        }
        let ending = text.to_ascii_lowercase();
        let known = [".srt", ".ass", ".ssa", ".vtt"].iter().any(|known| ending.ends_with(known));
        if known { Ok(Self::File(text.into())) } else { Err(FilterValueError(BURN)) }
    }
}

const BURN: &str = "the number of a track of subtitles, or a file that ends in .srt, .ass, .ssa or .vtt";

impl fmt::Display for Burn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Track(number) => number.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for PictureFilters {
    /// Names what is done, in its order: `crop 1280:536:0:92, scale fit:640x360`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deinterlace, detelecine, frame_rate, turn, crop, denoise, scale, tone_map, burn, graph } =
            self;
        let said = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
        let all = [
            said("deinterlace", deinterlace.map(|value| value.to_string())),
            detelecine.then(|| "detelecine".to_owned()),
            said("fps", frame_rate.map(|value| value.to_string())),
            said("rotate", turn.map(|value| value.to_string())),
            said("crop", crop.map(|value| value.to_string())),
            said("denoise", denoise.map(|value| value.to_string())),
            said("scale", scale.map(|value| value.to_string())),
            said("tonemap", tone_map.map(|value| value.to_string())),
            said("burn", burn.as_ref().map(ToString::to_string)),
            said("filter", graph.clone()),
        ];
        f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: FromStr + fmt::Display>(text: &str) -> Option<String> {
        text.parse::<T>().ok().map(|value| value.to_string())
    }

    #[test]
    fn values_are_those_that_are_meant_and_no_others() {
        for (text, meant) in [
            ("1080p", "-2x1080"),
            ("1280x-2", "1280x-2"),
            ("-2x720", "-2x720"),
            ("640x360", "640x360"),
            ("fit 1280x720", "fit:1280x720"),
            ("fit:1280x720", "fit:1280x720"),
        ] {
            assert_eq!(shown::<Scale>(text).as_deref(), Some(meant));
        }
        let wrong =
            ["", "p", "1081p", "1280", "1280x", "1280x-1", "-2x-2", "fit:1280x-2", "fit1280x720", "14x20"];
        for wrong in
            wrong.into_iter().chain(["20000x20", "+128x128", "1280x720x2", "1280 x 720", "99999999p"])
        {
            assert!(wrong.parse::<Scale>().is_err(), "{wrong}");
        }
        for (text, meant) in [
            ("25", "25"),
            ("23.976", "24000/1001"),
            ("29.97", "30000/1001"),
            ("30000/1001", "30000/1001"),
            ("12.5", "25/2"),
            ("50/2", "25"),
        ] {
            assert_eq!(shown::<FrameRate>(text).as_deref(), Some(meant));
        }
        for wrong in ["", "0", "-25", "1001", "1/0", "25.", "1.2345", "99999999999", "1e2", "nan", "/", "25/"]
        {
            assert!(wrong.parse::<FrameRate>().is_err(), "{wrong}");
        }
        assert_eq!(shown::<Crop>("1280:536:0:92").as_deref(), Some("1280:536:0:92"));
        for wrong in ["", "1280:536", "0:536:0:0", "1:2:3:4:5", "1:2:3:-4", "a:b:c:d", "1.5:2:3:4"] {
            assert!(wrong.parse::<Crop>().is_err(), "{wrong}");
        }
        for (text, meant) in [("4", "4"), ("a 1.SRT", "a 1.SRT"), ("s.ass", "s.ass")] {
            assert_eq!(shown::<Burn>(text).as_deref(), Some(meant));
        }
        for wrong in ["", "-1", "4294967296", "eng", "film.mkv", "srt"] {
            assert!(wrong.parse::<Burn>().is_err(), "{wrong}");
        }
        assert!(
            "45".parse::<Turn>().is_err()
                && "".parse::<Denoise>().is_err()
                && "bt709".parse::<ToneMap>().is_err()
        );
    }

    /// What is stored of filters is what was asked for.
    #[test]
    fn filters_are_stored_and_read_again() {
        let filters = PictureFilters {
            deinterlace: Some(Deinterlace::Auto),
            frame_rate: "23.976".parse().ok(),
            turn: Some(Turn::Quarter),
            crop: "720:400:0:40".parse().ok(),
            scale: "fit:640x360".parse().ok(),
            burn: "text.srt".parse().ok(),
            graph: Some("unsharp=3:3:1".into()),
            ..PictureFilters::default()
        };
        let text = serde_json::to_string(&filters).unwrap();
        assert_eq!(serde_json::from_str::<PictureFilters>(&text).unwrap(), filters);
        assert_eq!(serde_json::to_string(&PictureFilters::default()).unwrap(), "{}");
        let said = "deinterlace auto, fps 24000/1001, rotate 90, crop 720:400:0:40, scale fit:640x360, burn text.srt, filter unsharp=3:3:1";
        assert_eq!(filters.to_string(), said);
    }
}
