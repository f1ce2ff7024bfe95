//! Between values of a type and values without one.

use super::{
    ColorPrimaries, H264EntropyMode, HdrMetadataInsertionMode, OutputChroma, PropertyValue, TransferFunction,
    YCbCrMatrix,
};
use crate::storage::MultiPassStorage;
use retake_media::{
    CleanAperture, ContentLight, Downsampling, FieldDetail, IccProfile, MasteringDisplay, Rational,
    ScalingMode, Time, TransferOptions,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A type that a property's values have.
pub(crate) trait Typed: Sized {
    fn to_value(&self) -> PropertyValue;
    fn from_value(value: &PropertyValue) -> Option<Self>;
}

macro_rules! typed {
    ($($type:ty: |$value:ident| $read:expr;)*) => {$(
        impl Typed for $type {
            fn to_value(&self) -> PropertyValue {
                self.clone().into()
            }

            fn from_value($value: &PropertyValue) -> Option<Self> {
                $read
            }
        }
    )*};
}

typed! {
    bool: |value| value.as_bool();
    u32: |value| value.as_i64().and_then(|value| value.try_into().ok());
    i32: |value| value.as_i64().and_then(|value| value.try_into().ok());
    u64: |value| value.as_i64().and_then(|value| value.try_into().ok());
    f64: |value| value.as_f64();
    String: |value| value.as_str().map(str::to_owned);
    Arc<MultiPassStorage>: |value| match value {
        PropertyValue::Storage(storage) => Some(storage.clone()),
        _ => None,
    };
    ColorPrimaries: |value| value.as_str().and_then(Self::from_name);
    TransferFunction: |value| value.as_str().and_then(Self::from_name);
    YCbCrMatrix: |value| value.as_str().and_then(Self::from_name);
    H264EntropyMode: |value| value.as_str().and_then(Self::from_name);
    HdrMetadataInsertionMode: |value| value.as_str().and_then(Self::from_name);
    OutputChroma: |value| value.as_str().and_then(Self::from_name);
}

/// A hard limit: in no window of `seconds` of decode time are there more than `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DataRateLimit {
    /// The most bytes; more than 0.
    pub bytes: u64,
    /// The length of the window; more than 0.
    pub seconds: f64,
}

impl Typed for Vec<DataRateLimit> {
    fn to_value(&self) -> PropertyValue {
        PropertyValue::Array(
            self.iter().flat_map(|limit| [limit.bytes.into(), limit.seconds.into()]).collect(),
        )
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let PropertyValue::Array(values) = value else { return None };
        if values.len() > 4 || values.len() % 2 != 0 {
            return None;
        }
        values
            .chunks_exact(2)
            .map(|pair| {
                let (bytes, seconds) = (pair[0].as_i64()?, pair[1].as_f64()?);
                let bytes = u64::try_from(bytes).ok().filter(|&bytes| bytes > 0 && bytes < 1 << 50)?;
                (seconds > 0.0 && seconds < 1e6).then_some(DataRateLimit { bytes, seconds })
            })
            .collect()
    }
}

impl Typed for Vec<(String, String)> {
    fn to_value(&self) -> PropertyValue {
        PropertyValue::Array(
            self.iter().map(|(key, value)| PropertyValue::Text(format!("{key}={value}"))).collect(),
        )
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let PropertyValue::Array(values) = value else { return None };
        let pair = |value: &PropertyValue| {
            let (key, value) = value.as_str()?.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        };
        values.iter().map(pair).collect()
    }
}

/// A time in the form of a dictionary (1.1).
#[doc(alias = "CMTimeCopyAsDictionary")]
pub(crate) fn time_value(time: Time) -> PropertyValue {
    PropertyValue::Dictionary(BTreeMap::from([
        ("value".to_owned(), time.value().into()),
        ("timescale".to_owned(), time.timescale().into()),
        ("epoch".to_owned(), time.epoch().into()),
        ("flags".to_owned(), time.flags().into()),
    ]))
}

/// The time of such a dictionary.
#[doc(alias = "CMTimeMakeFromDictionary")]
pub(crate) fn time_of(value: &PropertyValue) -> Option<Time> {
    let PropertyValue::Dictionary(values) = value else { return None };
    let part = |name| values.get(name)?.as_i64();
    let timescale = i32::try_from(part("timescale")?).ok()?;
    let flags = u32::try_from(part("flags")?).ok()?;
    Some(Time::from_parts(part("value")?, timescale, flags, part("epoch")?))
}

impl Typed for Time {
    fn to_value(&self) -> PropertyValue {
        time_value(*self)
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        time_of(value)
    }
}

const HORIZONTAL: &str = "HorizontalSpacing";
const VERTICAL: &str = "VerticalSpacing";

impl Typed for Rational {
    fn to_value(&self) -> PropertyValue {
        PropertyValue::Dictionary(BTreeMap::from([
            (HORIZONTAL.to_owned(), self.num.into()),
            (VERTICAL.to_owned(), self.den.into()),
        ]))
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let PropertyValue::Dictionary(values) = value else { return None };
        let part = |name| values.get(name)?.as_i64().and_then(|part| i32::try_from(part).ok());
        let ratio = Self::new(part(HORIZONTAL)?, part(VERTICAL)?);
        ratio.is_positive().then_some(ratio)
    }
}

/// A whole number, or an array of numerator and denominator.
fn fraction(value: Rational) -> PropertyValue {
    if value.den == 1 {
        value.num.into()
    } else {
        PropertyValue::Array(vec![value.num.into(), value.den.into()])
    }
}

fn as_fraction(value: &PropertyValue) -> Option<Rational> {
    let part = |value: &PropertyValue| value.as_i64().and_then(|part| i32::try_from(part).ok());
    match value {
        PropertyValue::Array(parts) => match &parts[..] {
            [num, den] => Some(Rational::new(part(num)?, part(den).filter(|den| *den > 0)?)),
            _ => None,
        },
        value if value.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            Some(Rational::new(part(value)?, 1))
        }
        _ => None,
    }
}

impl Typed for CleanAperture {
    fn to_value(&self) -> PropertyValue {
        let named = [
            ("Width", self.width),
            ("Height", self.height),
            ("HorizontalOffset", self.horizontal_offset),
            ("VerticalOffset", self.vertical_offset),
        ];
        PropertyValue::Dictionary(named.map(|(name, value)| (name.to_owned(), fraction(value))).into())
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let PropertyValue::Dictionary(values) = value else { return None };
        let part = |name| as_fraction(values.get(name)?);
        let aperture = Self {
            width: part("Width")?,
            height: part("Height")?,
            horizontal_offset: part("HorizontalOffset")?,
            vertical_offset: part("VerticalOffset")?,
        };
        (aperture.width.is_positive() && aperture.height.is_positive()).then_some(aperture)
    }
}

const SCALING: &[(&str, ScalingMode)] = &[
    ("Normal", ScalingMode::Normal),
    ("CropSourceToCleanAperture", ScalingMode::CropSourceToCleanAperture),
    ("Letterbox", ScalingMode::Letterbox),
    ("Trim", ScalingMode::Trim),
];
const DOWNSAMPLING: &[(&str, Downsampling)] =
    &[("Decimate", Downsampling::Decimate), ("Average", Downsampling::Average)];

/// The name of one of a list.
fn name_of<T: PartialEq>(list: &[(&'static str, T)], one: &T) -> Option<PropertyValue> {
    list.iter().find(|(_, other)| other == one).map(|(name, _)| (*name).into())
}

/// The one of a list that has the name.
fn named<T: Copy>(list: &[(&'static str, T)], value: &PropertyValue) -> Option<T> {
    let word = value.as_str()?;
    list.iter().find(|(name, _)| *name == word).map(|(_, one)| *one)
}

/// A code point of H.273: its name where it has one here, or else its number.
macro_rules! code_point_value {
    ($words:ty, $code:expr) => {
        <$words>::from_code_point($code).map_or_else(|| u32::from($code).into(), PropertyValue::from)
    };
}

macro_rules! code_point_of {
    ($words:ty, $value:expr) => {
        match $value.as_str() {
            Some(word) => <$words>::from_name(word)?.code_point(),
            None => u8::try_from($value.as_i64()?).ok()?,
        }
    };
}

impl Typed for TransferOptions {
    fn to_value(&self) -> PropertyValue {
        // Every field is named, because one that is left out here would be lost on the way to the session.
        let Self {
            scaling_mode,
            destination_clean_aperture,
            destination_pixel_aspect_ratio,
            downsampling,
            destination_primaries,
            destination_transfer,
            destination_matrix,
        } = self;
        let parts = [
            ("ScalingMode", name_of(SCALING, scaling_mode)),
            ("DownsamplingMode", name_of(DOWNSAMPLING, downsampling)),
            ("DestinationCleanAperture", destination_clean_aperture.as_ref().map(Typed::to_value)),
            ("DestinationPixelAspectRatio", destination_pixel_aspect_ratio.as_ref().map(Typed::to_value)),
            (
                "DestinationColorPrimaries",
                destination_primaries.map(|code| code_point_value!(ColorPrimaries, code)),
            ),
            (
                "DestinationTransferFunction",
                destination_transfer.map(|code| code_point_value!(TransferFunction, code)),
            ),
            ("DestinationYCbCrMatrix", destination_matrix.map(|code| code_point_value!(YCbCrMatrix, code))),
        ];
        PropertyValue::Dictionary(
            parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
        )
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let PropertyValue::Dictionary(values) = value else { return None };
        let mut options = Self::default();
        for (key, value) in values {
            match key.as_str() {
                "ScalingMode" => options.scaling_mode = named(SCALING, value)?,
                "DownsamplingMode" => options.downsampling = named(DOWNSAMPLING, value)?,
                "DestinationCleanAperture" => {
                    options.destination_clean_aperture = Some(Typed::from_value(value)?);
                }
                "DestinationPixelAspectRatio" => {
                    options.destination_pixel_aspect_ratio = Some(Typed::from_value(value)?);
                }
                "DestinationColorPrimaries" => {
                    options.destination_primaries = Some(code_point_of!(ColorPrimaries, value));
                }
                "DestinationTransferFunction" => {
                    options.destination_transfer = Some(code_point_of!(TransferFunction, value));
                }
                "DestinationYCbCrMatrix" => {
                    options.destination_matrix = Some(code_point_of!(YCbCrMatrix, value));
                }
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The words for arrangements of fields.
pub(super) const FIELD_DETAILS: &[(&str, FieldDetail)] = &[
    ("TemporalTopFirst", FieldDetail::TemporalTopFirst),
    ("TemporalBottomFirst", FieldDetail::TemporalBottomFirst),
    ("SpatialFirstLineEarly", FieldDetail::SpatialFirstLineEarly),
    ("SpatialFirstLineLate", FieldDetail::SpatialFirstLineLate),
];

impl Typed for FieldDetail {
    fn to_value(&self) -> PropertyValue {
        let named = FIELD_DETAILS.iter().find(|(_, detail)| detail == self);
        named.map_or_else(|| PropertyValue::Text(String::new()), |(name, _)| (*name).into())
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let word = value.as_str()?;
        FIELD_DETAILS.iter().find(|(name, _)| *name == word).map(|(_, detail)| *detail)
    }
}

impl Typed for IccProfile {
    fn to_value(&self) -> PropertyValue {
        PropertyValue::from_bytes(self.as_bytes())
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        match value {
            PropertyValue::Array(bytes) if bytes.len() > Self::LARGEST => None,
            value => Self::new(value.to_bytes()?),
        }
    }
}

impl Typed for MasteringDisplay {
    fn to_value(&self) -> PropertyValue {
        let corners = self.primaries_gbr.iter().chain([&self.white_point]).flatten();
        let mut bytes: Vec<u8> = corners.flat_map(|part| part.to_be_bytes()).collect();
        bytes.extend(self.max_luminance.to_be_bytes());
        bytes.extend(self.min_luminance.to_be_bytes());
        PropertyValue::from_bytes(&bytes)
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let bytes: [u8; 24] = value.to_bytes()?.try_into().ok()?;
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let point = |at: usize| [short(at), short(at + 2)];
        Some(Self {
            primaries_gbr: [point(0), point(4), point(8)],
            white_point: point(12),
            max_luminance: long(16),
            min_luminance: long(20),
        })
    }
}

impl Typed for ContentLight {
    fn to_value(&self) -> PropertyValue {
        let [a, b] = self.max_content.to_be_bytes();
        let [c, d] = self.max_frame_average.to_be_bytes();
        PropertyValue::from_bytes(&[a, b, c, d])
    }

    fn from_value(value: &PropertyValue) -> Option<Self> {
        let [a, b, c, d]: [u8; 4] = value.to_bytes()?.try_into().ok()?;
        Some(Self { max_content: u16::from_be_bytes([a, b]), max_frame_average: u16::from_be_bytes([c, d]) })
    }
}
