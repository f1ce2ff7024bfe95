//! Grain that an encoder takes out of the film and decoders synthesise.

use crate::error::{ExportError, RequestError};
use crate::job::request::Request;
use crate::stop::StopFlag;
use retake_libav::FilmInfo;
use std::fmt;
use std::str::FromStr;

/// The levels that there are.
const LEVELS: std::ops::RangeInclusive<u32> = 1..=50;

/// The level for noise with a standard deviation of one step of 8 bits. The denoiser of AV1's encoders takes
/// a level of L for noise of L / 1000 of full scale over the square root of 8, so that it is 11.
const LEVELS_A_STEP: f64 = 11.0;

/// Noise for which the level would be below this is not seen as grain.
const LEAST: f64 = 4.0;

/// What becomes of the grain of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Grain {
    /// It is coded like all else.
    #[default]
    Off,
    /// It is taken out and synthesised, as much as is found.
    Auto,
    /// It is taken out and synthesised at this level of the encoder, 1 to 50.
    Level(u32),
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Auto => f.write_str("auto"),
            Self::Level(level) => level.fmt(f),
        }
    }
}

impl FromStr for Grain {
    type Err = RequestError;

    /// Reads `off`, `auto` or a level.
    fn from_str(text: &str) -> Result<Self, RequestError> {
        let level = || text.parse().ok().filter(|level| LEVELS.contains(level)).map(Self::Level);
        match text {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            _ => level().ok_or_else(|| RequestError::GrainLevel { text: text.into() }),
        }
    }
}

/// Refuses grain where the encoder has no way to have it synthesised.
pub(crate) fn check(request: &Request) -> Result<(), RequestError> {
    let info = request.encoder.info();
    match (request.grain, info.controls.film_grain) {
        (Grain::Off, _) | (_, Some(_)) => Ok(()),
        (_, None) => Err(RequestError::NoGrain { encoder: info.name }),
    }
}

/// The level for a film, if any, with notes about it.
pub(crate) fn level(
    request: &Request,
    film: &FilmInfo,
    notes: &mut Vec<String>,
    stop: &StopFlag,
) -> Result<Option<u32>, ExportError> {
    let (level, found) = match request.grain {
        Grain::Off => return Ok(None),
        Grain::Level(level) => (level, String::new()),
        Grain::Auto => {
            let noise = film.noise(&|| stop.is_raised())?;
            stop.check()?;
            let Some(level) = noise.and_then(level_of) else {
                let noise = noise.unwrap_or(0.0);
                notes.push(format!(
                    "grain: none is taken out, because the noise of the film is {noise:.2} of 255"
                ));
                return Ok(None);
            };
            (level, format!(" for the noise of the film, which is {:.2} of 255", noise.unwrap_or(0.0)))
        }
    };
    notes.push(format!(
        "grain is taken out and synthesised by decoders (level {level}{found}); scores compare what they show with \
         the source, and count its grain, which is another, as error"
    ));
    Ok(Some(level))
}

/// The level for noise of this standard deviation, in steps of 8 bits; `None` for as good as none.
fn level_of(noise: f64) -> Option<u32> {
    let level = (noise * LEVELS_A_STEP).round();
    (level >= LEAST).then(|| (level as u32).min(*LEVELS.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_noise() {
        for (noise, level) in [(0.0, None), (0.3, None), (0.4, Some(4)), (2.0, Some(22)), (9.0, Some(50))] {
            assert_eq!(level_of(noise), level, "{noise}");
        }
        for (text, grain) in [("off", Grain::Off), ("auto", Grain::Auto), ("50", Grain::Level(50))] {
            assert_eq!(text.parse::<Grain>().unwrap(), grain);
            assert_eq!(grain.to_string(), text);
        }
        for wrong in ["", "0", "51", "-1", "much"] {
            assert!(wrong.parse::<Grain>().is_err(), "{wrong}");
        }
    }
}
