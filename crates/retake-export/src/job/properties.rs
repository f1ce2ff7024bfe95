//! Properties of sessions as parts of a request: what an export can be told by flags and calls, it can be
//! told by the same properties that sessions have.
//!
//! Some properties are another way to ask for a part of a request (`AverageBitRate` is a target); some change
//! the settings of takes, by the same derivation that sessions have; some have no meaning for an export, and
//! are refused by name with the reason.

use super::request::{Goal, Request, Target};
use crate::error::{Asked, RequestError};
use crate::scorers::QualityScorers;
use PropertyKey as Key;
use retake_compression::encoder::EncoderSettings;
use retake_compression::property::{Environment, Kind, Property, PropertyError, PropertyKey, PropertyValue};
use retake_compression::scorer::Scorers;
use retake_compression::session::{Hints, SessionError, settings_of};
use retake_libav::VideoTrack;
use retake_media::Time;

/// The window of the highest rate of an export, in seconds.
const WINDOW: f64 = 2.0;

/// What a property is to an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Another way to ask for a part of the request.
    Request,
    /// It changes the settings of takes.
    Settings,
    /// None, for this reason.
    None(&'static str),
}

/// What each property is to an export. What is not named here changes the settings of takes.
fn meaning(key: Key) -> Meaning {
    match key {
        Key::AverageBitRate
        | Key::Quality
        | Key::ConstantQualityFactor
        | Key::QualityFloor
        | Key::QualityTolerance
        | Key::QualityMetric
        | Key::DataRateLimits
        | Key::MaxPassCount
        | Key::EncoderPreset
        | Key::EncoderOptions
        | Key::ThreadCount => Meaning::Request,
        Key::ConstantBitRate
        | Key::VariableBitRate
        | Key::VBVMaxBitRate
        | Key::VBVBufferDuration
        | Key::VBVInitialDelayPercentage => Meaning::None(
            "takes are encoded at a quality each, and AverageBitRate and DataRateLimits say which rate they make together",
        ),
        Key::MultiPassStorage => Meaning::None("it keeps what it learns in its job folder"),
        Key::RequestWholeSourcePasses | Key::AlwaysRequestSecondPass => {
            Meaning::None("it decides by itself which units are encoded again")
        }
        Key::MoreFramesBeforeStart | Key::MoreFramesAfterEnd => {
            Meaning::None("it divides the film and joins the takes by itself")
        }
        Key::AllowOpenGOP => Meaning::None("takes are joined, so that each of them has to be closed"),
        Key::RealTime | Key::MaximumRealTimeFrameRate | Key::MaximizePowerEfficiency => Meaning::None(
            "it takes all the time it needs; ThreadCount and the number of takes at once decide what it uses",
        ),
        Key::SourceFrameCount | Key::ExpectedDuration => Meaning::None("the film says how long it is"),
        Key::CleanAperture => Meaning::None("the whole picture is kept, and compared with the source"),
        Key::GammaLevel | Key::ICCProfile => {
            Meaning::None("takes describe what is in the stream alone, and this is not")
        }
        Key::PixelTransferProperties => Meaning::None("pictures are not scaled"),
        Key::CalculateMeanSquaredError => Meaning::None("a film has no place for errors of its frames"),
        Key::EnableLTR => Meaning::None("nobody acknowledges its frames"),
        key if !key.is_writable() => Meaning::None("it is told and never set"),
        _ => Meaning::Settings,
    }
}

/// The same request, with what its properties ask for in the place of that which has another name there.
pub(crate) fn resolve(request: &Request) -> Result<Request, RequestError> {
    let mut resolved = request.clone();
    for (key, value) in &request.properties {
        let name = key.name();
        match meaning(*key) {
            Meaning::None(reason) => return Err(RequestError::PropertyNotForExports { name, reason }),
            Meaning::Settings if *key == Key::PrioritizeEncodingSpeedOverQuality => {
                refuse_beside(request, *key, Asked::Preset)?;
            }
            Meaning::Settings => {}
            Meaning::Request => ask(request, &mut resolved, *key, value)?,
        }
    }
    Ok(resolved)
}

fn ask(
    request: &Request,
    resolved: &mut Request,
    key: Key,
    value: &PropertyValue,
) -> Result<(), RequestError> {
    let property = Property::from_value(key, value).ok_or_else(|| wrong(key, value))?;
    match property {
        // 0 leaves it to the encoder, which is what an export without it does
        Property::AverageBitRate(0) => {}
        Property::AverageBitRate(rate) => {
            refuse_another_target(request, resolved, key)?;
            resolved.target = Some(Target::bit_rate(rate)?);
        }
        Property::Quality(_) | Property::ConstantQualityFactor(_) => {
            refuse_another_target(request, resolved, key)?;
            // the derivation of the settings knows what it is on the encoder's scale
            resolved.target = Some(Target::plain());
        }
        Property::QualityFloor(floor) => {
            refuse_beside(request, key, Asked::Target)?;
            let target = Target::floor(floor)?;
            // the tolerance may have come first
            resolved.target = Some(match resolved.target.map(Target::goal) {
                None | Some(Goal::Floor { tolerance: None, .. }) => target,
                Some(Goal::Floor { tolerance: Some(tolerance), .. }) => target.tolerance(tolerance)?,
                Some(_) => return Err(contradicts(key, Asked::Target)),
            });
        }
        Property::QualityTolerance(tolerance) => {
            let target = resolved.target.unwrap_or_else(|| resolved.target());
            resolved.target = Some(target.tolerance(tolerance)?);
        }
        Property::QualityMetric(name) => {
            refuse_beside(request, key, Asked::Metric)?;
            let metric = name.parse();
            resolved.metric = metric.map_err(|_| wrong(key, value))?;
        }
        Property::DataRateLimits(limits) => {
            refuse_beside(request, key, Asked::MaxBitRate)?;
            resolved.max_bit_rate = match limits[..] {
                [] => None,
                [limit] if limit.seconds == WINDOW => Some(limit.bytes.saturating_mul(8) / WINDOW as u64),
                _ => {
                    let reason = format!("an export keeps to one pair of bytes and {WINDOW} seconds");
                    return Err(RequestError::Property(PropertyError::Parameter { key, reason }));
                }
            };
        }
        Property::MaxPassCount(passes) => {
            refuse_beside(request, key, Asked::Passes)?;
            resolved.passes = Some(passes);
            resolved.multi_pass = true;
        }
        Property::EncoderPreset(preset) => {
            refuse_beside(request, key, Asked::Preset)?;
            resolved.preset = Some(preset);
        }
        Property::EncoderOptions(options) => {
            refuse_beside(request, key, Asked::EncoderOptions)?;
            resolved.options = options;
        }
        Property::ThreadCount(threads) => {
            refuse_beside(request, key, Asked::Threads)?;
            resolved.threads = Some(threads);
        }
        _ => {}
    }
    Ok(())
}

fn wrong(key: Key, value: &PropertyValue) -> RequestError {
    RequestError::Property(PropertyError::Parameter { key, reason: format!("{value} is not a value of it") })
}

fn contradicts(key: Key, other: Asked) -> RequestError {
    RequestError::PropertyContradicts { name: key.name(), other }
}

fn refuse_beside(request: &Request, key: Key, other: Asked) -> Result<(), RequestError> {
    if request.asks(other) { Err(contradicts(key, other)) } else { Ok(()) }
}

/// There is one target, whether a call or a property asks for it; the same property may be set again.
fn refuse_another_target(request: &Request, resolved: &Request, key: Key) -> Result<(), RequestError> {
    refuse_beside(request, key, Asked::Target)?;
    let again = matches!(
        (key, resolved.target.map(Target::goal)),
        (_, None)
            | (Key::AverageBitRate, Some(Goal::BitRate(_)))
            | (Key::Quality | Key::ConstantQualityFactor, Some(Goal::Plain(_)))
    );
    if again { Ok(()) } else { Err(contradicts(key, Asked::Target)) }
}

/// What the properties of a request make of the settings of takes, for this film: each value checked as
/// sessions check it.
pub(crate) fn derived(request: &Request, video: &VideoTrack) -> Result<EncoderSettings, RequestError> {
    let scorers = QualityScorers::new();
    let environment = Environment {
        info: request.encoder.info(),
        low_latency: false,
        width: video.width,
        height: video.height,
        transfers: true,
        metrics: scorers.metrics(),
    };
    let mut hints = Hints::default();
    hints.format = Some(video.format);
    hints.colour = video.colour;
    hints.pixel_aspect_ratio = video.pixel_aspect_ratio;
    hints.mastering_display = video.mastering_display;
    hints.content_light = video.content_light;
    hints.dolby_vision = video.dolby_vision == Some(8);
    hints.duration = Time::new(i64::from(video.frame_rate.den), video.frame_rate.num);
    hints.from_frame = true;
    let mut settings = settings_of(&environment, &request.properties, &hints).map_err(refused)?;
    if let Some(frames) = key_frame_frames(request, settings.frame_rate.to_f64()) {
        let interval = settings.max_key_frame_interval;
        settings.max_key_frame_interval = if interval == 0 { frames } else { interval.min(frames) };
    }
    Ok(settings)
}

/// Whether a property of this name is set.
pub(crate) fn has(request: &Request, key: Key) -> bool {
    request.properties.iter().any(|(set, _)| *set == key)
}

/// The longest time between sync frames in frames: sessions watch the clock, an encoder counts.
fn key_frame_frames(request: &Request, frame_rate: f64) -> Option<u32> {
    let set = request.properties.iter().rev().find(|(key, _)| *key == Key::MaxKeyFrameIntervalDuration);
    let seconds = set?.1.as_f64().filter(|seconds| *seconds > 0.0)?;
    // `as` saturates, so that no time is too long
    Some(((seconds * frame_rate) as u32).max(1))
}

fn refused(error: SessionError) -> RequestError {
    match error {
        SessionError::Property(error) => RequestError::Property(error),
        // of a derivation that is a property, too
        other => RequestError::PropertyRefused(other.to_string()),
    }
}

/// A property by its name, with a value as people write it: `true`, `4000000`, a word, or JSON for arrays,
/// bytes and dictionaries.
pub(crate) fn parse(name: &str, text: &str) -> Result<(Key, PropertyValue), RequestError> {
    let key = Key::from_name(name).ok_or_else(|| RequestError::UnknownProperty { name: name.to_owned() })?;
    let refuse = |reason: String| RequestError::Property(PropertyError::Parameter { key, reason });
    let value = match key.row().kind {
        Kind::Boolean => {
            let value = text.parse::<bool>();
            PropertyValue::Boolean(value.map_err(|_| refuse(format!("'{text}' is not true or false")))?)
        }
        kind if kind.is_number() => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => PropertyValue::Integer(whole),
            (_, Ok(number)) => PropertyValue::Number(number),
            _ => return Err(refuse(format!("'{text}' is not a number"))),
        },
        Kind::Enumeration | Kind::Text => PropertyValue::Text(text.to_owned()),
        _ => serde_json::from_str(text).map_err(|error| refuse(format!("'{text}' is not JSON: {error}")))?,
    };
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::factory;

    fn request(properties: &[(&str, &str)]) -> Request {
        let mut request = Request::new("film.mkv".into(), "film.mp4".into(), factory());
        for (name, text) in properties {
            request.properties.push(parse(name, text).unwrap());
        }
        request
    }

    /// Every property of the table is taken or refused by name with a reason: none is accepted and then
    /// ignored.
    #[test]
    fn every_property_of_the_table_has_a_meaning_or_a_reason() {
        for key in Key::all() {
            match meaning(key) {
                Meaning::None(reason) => assert!(reason.len() > 10, "{key}"),
                Meaning::Request | Meaning::Settings => assert!(key.is_writable(), "{key}"),
            }
        }
    }

    #[test]
    fn properties_are_another_way_to_ask() {
        let goal = |properties: &[(&str, &str)]| resolve(&request(properties)).unwrap().target().goal();
        assert_eq!(goal(&[("AverageBitRate", "500000")]), Goal::BitRate(500_000));
        assert_eq!(
            goal(&[("QualityTolerance", "2"), ("QualityFloor", "80")]),
            Goal::Floor { floor: 80.0, tolerance: Some(2.0) }
        );
        assert_eq!(goal(&[("Quality", "0.5")]), Goal::Plain(None));
        let resolved = resolve(&request(&[
            ("DataRateLimits", "[250000, 2]"),
            ("ThreadCount", "3"),
            ("MaxPassCount", "2"),
            ("EncoderPreset", "only"),
        ]))
        .unwrap();
        assert_eq!((resolved.max_bit_rate, resolved.threads()), (Some(1_000_000), 3));
        assert_eq!((resolved.passes(), resolved.preset.as_deref()), (2, Some("only")));
    }

    #[test]
    fn what_has_no_meaning_or_contradicts_is_refused_by_name() {
        let refused = |request: &Request| resolve(request).err().unwrap().to_string();
        let real_time = refused(&request(&[("RealTime", "true")]));
        assert!(real_time.contains("RealTime") && real_time.contains("time it needs"), "{real_time}");
        let mut both = request(&[("AverageBitRate", "500000")]);
        both.target = Some(Target::size(1000));
        assert!(matches!(
            resolve(&both),
            Err(RequestError::PropertyContradicts { name: "AverageBitRate", other: Asked::Target })
        ));
        let two = request(&[("AverageBitRate", "500000"), ("Quality", "0.5")]);
        assert!(matches!(resolve(&two), Err(RequestError::PropertyContradicts { name: "Quality", .. })));
        assert!(matches!(parse("Warp", "9"), Err(RequestError::UnknownProperty { .. })));
        assert!(matches!(parse("AllowFrameReordering", "maybe"), Err(RequestError::Property(_))));
    }
}
