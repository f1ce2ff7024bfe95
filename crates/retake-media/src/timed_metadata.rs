//! Metadata that holds for a while, and the description of the items of a track.
//!
//! A track of timed metadata is `mebx` of ISO/IEC 14496-12 and of the QuickTime File Format: the description
//! lists all keys, and each sample has boxes whose types are the numbers of those keys.

use crate::TimeRange;
use std::collections::HashSet;

/// The largest value, and the largest name of a key, in bytes.
const MOST_BYTES: usize = 1 << 24;

/// The type of the values of a key.
#[doc(alias = "kCMMetadataBaseDataType")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetadataType {
    /// Bytes that only the program knows.
    #[doc(alias = "kCMMetadataBaseDataType_RawData")]
    Data,
    /// Text in UTF-8.
    #[doc(alias = "kCMMetadataBaseDataType_UTF8")]
    Text,
    /// An integer of 64 bits.
    #[doc(alias = "kCMMetadataBaseDataType_SInt64")]
    Integer,
    /// A floating-point number of 64 bits.
    #[doc(alias = "kCMMetadataBaseDataType_Float64")]
    Float,
    /// Another well-known type of the QuickTime File Format, by its number. Values are
    /// [`MetadataValue::Data`].
    Other(u32),
}

impl MetadataType {
    /// Every type that has values of its own.
    pub const ALL: [Self; 4] = [Self::Data, Self::Text, Self::Integer, Self::Float];

    /// Returns the number among the well-known types of the QuickTime File Format.
    pub const fn code(self) -> u32 {
        match self {
            Self::Data => 0,
            Self::Text => 1,
            Self::Float => 24,
            Self::Integer => 74,
            Self::Other(code) => code,
        }
    }

    /// Returns the type with a number among the well-known types.
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Data,
            1 => Self::Text,
            24 => Self::Float,
            74 => Self::Integer,
            code => Self::Other(code),
        }
    }

    /// Returns whether a value can be of this type.
    fn fits(self, value: &MetadataValue) -> bool {
        match self {
            Self::Other(_) => matches!(value, MetadataValue::Data(_)),
            own => value.data_type() == own,
        }
    }
}

/// The value of an item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MetadataValue {
    /// Bytes that only the program knows, or a value of a type that has no variant here.
    Data(Vec<u8>),
    /// Text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
}

impl MetadataValue {
    /// Returns its type.
    pub const fn data_type(&self) -> MetadataType {
        match self {
            Self::Data(_) => MetadataType::Data,
            Self::Text(_) => MetadataType::Text,
            Self::Integer(_) => MetadataType::Integer,
            Self::Float(_) => MetadataType::Float,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Data(bytes) => bytes.clone(),
            Self::Text(text) => text.clone().into_bytes(),
            Self::Integer(number) => number.to_be_bytes().to_vec(),
            Self::Float(number) => number.to_be_bytes().to_vec(),
        }
    }

    fn read(data_type: MetadataType, bytes: &[u8]) -> Option<Self> {
        Some(match data_type {
            MetadataType::Data | MetadataType::Other(_) => Self::Data(bytes.to_vec()),
            MetadataType::Text => Self::Text(String::from_utf8(bytes.to_vec()).ok()?),
            MetadataType::Integer => Self::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
            MetadataType::Float => Self::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        })
    }
}

/// One kind of item: its key and the type of its values.
#[doc(alias = "kCMMetadataFormatDescriptionMetadataSpecificationKey_Identifier")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetadataKey {
    /// The name, by reverse address: `com.example.heart-rate`.
    pub name: String,
    /// The type of all values.
    pub data_type: MetadataType,
    /// The language of all values by BCP 47, if they have one.
    #[doc(alias = "kCMMetadataFormatDescriptionMetadataSpecificationKey_ExtendedLanguageTag")]
    pub language: Option<String>,
}

impl MetadataKey {
    /// Makes a key without a language.
    pub fn new(name: impl Into<String>, data_type: MetadataType) -> Self {
        Self { name: name.into(), data_type, language: None }
    }
}

/// Items, or a description of them, cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// There is no key.
    #[error("a track of metadata has one key at least")]
    NoKeys,
    /// A name is empty or too long, or a language has a zero.
    #[error("the key {0:?} is empty or too long, or its language is no tag")]
    BadKey(String),
    /// A key is there twice, with the same language.
    #[error("the key {0} is there twice")]
    KnownKey(String),
    /// A key has the number 0 or 2³² - 1, which no key can have, or that of another key.
    #[error("{0} cannot be the number of one key")]
    BadNumber(u32),
    /// The description has no such kind of item.
    #[error("the track has no values of this type and language for the key {0}")]
    NotDescribed(String),
    /// A value is longer than 16 MiB.
    #[error("the value of {0} is longer than 16 MiB")]
    TooLong(String),
}

/// Describes all kinds of items of a track.
#[doc(alias = "CMMetadataFormatDescription")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetadataFormat {
    /// The keys by their numbers, ascending.
    keys: Vec<MetadataKey>,
    numbers: Vec<u32>,
}

/// One item.
#[doc(alias = "AVMetadataItem")]
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataItem {
    /// The name of its key.
    pub key: String,
    /// The value.
    pub value: MetadataValue,
    /// The language of the value by BCP 47, if it has one.
    pub language: Option<String>,
}

impl MetadataItem {
    /// Makes an item without a language.
    pub fn new(key: impl Into<String>, value: MetadataValue) -> Self {
        Self { key: key.into(), value, language: None }
    }
}

/// Items that hold for the same time.
#[doc(alias = "AVTimedMetadataGroup")]
#[derive(Debug, Clone, PartialEq)]
pub struct TimedMetadataGroup {
    /// The items; none says that nothing holds.
    pub items: Vec<MetadataItem>,
    /// The time for which they hold: a numeric start, and a duration above zero, or
    /// [`Time::INVALID`](crate::Time::INVALID) for one that ends where the next group begins.
    #[doc(alias = "timeRange")]
    pub range: TimeRange,
}

impl TimedMetadataGroup {
    /// Makes a group.
    #[doc(alias = "initWithItems:timeRange:")]
    pub fn new(items: Vec<MetadataItem>, range: TimeRange) -> Self {
        Self { items, range }
    }
}

impl MetadataFormat {
    /// The sample that says that nothing holds: a box of a type that no key has, which the QuickTime File
    /// Format recommends in place of a sample without bytes.
    pub const NOTHING: [u8; 8] = [0, 0, 0, 8, 0, 0, 0, 0];

    /// Makes a description of these keys, which are numbered from 1.
    ///
    /// # Errors
    /// Returns [`MetadataError::NoKeys`], [`MetadataError::BadKey`] or [`MetadataError::KnownKey`].
    #[doc(alias = "CMMetadataFormatDescriptionCreateWithMetadataSpecifications")]
    pub fn new(keys: Vec<MetadataKey>) -> Result<Self, MetadataError> {
        Self::numbered((1..).zip(keys).collect())
    }

    /// Makes a description of keys by their numbers in samples, which are those of another film.
    ///
    /// # Errors
    /// Returns [`MetadataError::BadNumber`], and those of [`new`](Self::new).
    pub fn numbered(mut keys: Vec<(u32, MetadataKey)>) -> Result<Self, MetadataError> {
        if keys.is_empty() {
            return Err(MetadataError::NoKeys);
        }
        keys.sort_by_key(|(number, _)| *number);
        let twice = keys.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
        let wrong = keys.iter().map(|(number, _)| *number).find(|number| matches!(*number, 0 | u32::MAX));
        if let Some(number) = wrong.or(twice) {
            return Err(MetadataError::BadNumber(number));
        }
        let mut known = HashSet::new();
        for (_, key) in &keys {
            let no_tag = key.language.as_ref().is_some_and(|tag| tag.is_empty() || tag.contains('\0'));
            if key.name.is_empty() || key.name.len() > MOST_BYTES || no_tag {
                return Err(MetadataError::BadKey(key.name.clone()));
            }
            if !known.insert((&key.name, &key.language)) {
                return Err(MetadataError::KnownKey(key.name.clone()));
            }
        }
        let (numbers, keys) = keys.into_iter().unzip();
        Ok(Self { keys, numbers })
    }

    /// Returns all keys, in the order of their numbers.
    pub fn keys(&self) -> &[MetadataKey] {
        &self.keys
    }

    /// Returns all keys with the numbers that they have in samples, ascending.
    pub fn numbered_keys(&self) -> impl Iterator<Item = (u32, &MetadataKey)> {
        self.numbers.iter().copied().zip(&self.keys)
    }

    /// Returns the number of an item's key.
    fn number(&self, item: &MetadataItem) -> Option<u32> {
        let fits = |key: &MetadataKey| {
            key.name == item.key && key.language == item.language && key.data_type.fits(&item.value)
        };
        self.keys.iter().position(fits).map(|index| self.numbers[index])
    }

    /// Returns items as the payload of a sample.
    ///
    /// # Errors
    /// Returns [`MetadataError::NotDescribed`] for an item of no key, or with another type or language than
    /// its key's, and [`MetadataError::TooLong`].
    pub fn payload(&self, items: &[MetadataItem]) -> Result<Vec<u8>, MetadataError> {
        let mut payload = Vec::new();
        for item in items {
            let number = self.number(item).ok_or_else(|| MetadataError::NotDescribed(item.key.clone()))?;
            let bytes = item.value.bytes();
            let size = u32::try_from(bytes.len() + 8).ok().filter(|_| bytes.len() <= MOST_BYTES);
            payload.extend(size.ok_or_else(|| MetadataError::TooLong(item.key.clone()))?.to_be_bytes());
            payload.extend(number.to_be_bytes());
            payload.extend(bytes);
        }
        Ok(if payload.is_empty() { Self::NOTHING.to_vec() } else { payload })
    }

    /// Returns the items of a sample; `None` if its boxes or values are damaged. Boxes of no key are left
    /// out, as the QuickTime File Format wants it.
    pub fn items(&self, mut payload: &[u8]) -> Option<Vec<MetadataItem>> {
        let mut items = Vec::new();
        while let Some((head, _)) = payload.split_first_chunk::<8>() {
            let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let size = word(0) as usize;
            let bytes = payload.get(8..size)?;
            if let Ok(index) = self.numbers.binary_search(&word(4)) {
                let key = &self.keys[index];
                let value = MetadataValue::read(key.data_type, bytes)?;
                items.push(MetadataItem { key: key.name.clone(), value, language: key.language.clone() });
            }
            payload = &payload[size..];
        }
        payload.is_empty().then_some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn format() -> MetadataFormat {
        let key = |(number, data_type)| MetadataKey::new(format!("com.example.{number}"), data_type);
        let mut keys: Vec<_> = MetadataType::ALL.into_iter().enumerate().map(key).collect();
        keys.push(MetadataKey { language: Some("de-AT".into()), ..keys[1].clone() });
        MetadataFormat::new(keys).unwrap()
    }

    /// AD-5: items are boxes whose types are the numbers of their keys; nothing is a box of no key.
    #[test]
    fn items_are_boxes_by_the_numbers_of_their_keys() {
        let mut german = MetadataItem::new("com.example.1", MetadataValue::Text("ja".into()));
        german.language = Some("de-AT".into());
        let items = [MetadataItem::new("com.example.2", MetadataValue::Integer(-2)), german];
        let bytes = b"\0\0\0\x10\0\0\0\x03\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE\0\0\0\x0A\0\0\0\x05ja";
        assert_eq!(format().payload(&items).unwrap(), bytes);
        assert_eq!(format().payload(&[]).unwrap(), MetadataFormat::NOTHING);
        assert_eq!(format().items(&MetadataFormat::NOTHING), Some(Vec::new()));
    }

    /// AD-5: what the description does not cover is refused, and so are descriptions that cannot be.
    #[test]
    fn what_is_not_described_is_refused() {
        let refused = |key: &str, value| format().payload(&[MetadataItem::new(key, value)]).unwrap_err();
        let not_described = |key: &str| MetadataError::NotDescribed(key.into());
        assert_eq!(refused("com.example.9", MetadataValue::Integer(1)), not_described("com.example.9"));
        assert_eq!(refused("com.example.1", MetadataValue::Integer(1)), not_described("com.example.1"));
        let long = MetadataValue::Data(vec![0; MOST_BYTES + 1]);
        assert_eq!(refused("com.example.0", long), MetadataError::TooLong("com.example.0".into()));
        let key = |name: &str| MetadataKey::new(name, MetadataType::Text);
        assert_eq!(MetadataFormat::new(Vec::new()), Err(MetadataError::NoKeys));
        assert_eq!(MetadataFormat::new(vec![key("")]), Err(MetadataError::BadKey(String::new())));
        assert_eq!(MetadataFormat::new(vec![key("a"), key("a")]), Err(MetadataError::KnownKey("a".into())));
    }

    /// RD-7: keys keep the numbers of the film that they were read from, and values of types without a
    /// variant are their bytes.
    #[test]
    fn keys_keep_their_numbers() {
        let pulse = MetadataKey::new("pulse", MetadataType::from_code(74));
        let place = MetadataKey::new("place", MetadataType::from_code(80));
        let format = MetadataFormat::numbered(vec![(9, pulse.clone()), (3, place.clone())]).unwrap();
        assert_eq!(format.numbered_keys().collect::<Vec<_>>(), [(3, &place), (9, &pulse)]);
        let items = [
            MetadataItem::new("pulse", MetadataValue::Integer(1)),
            MetadataItem::new("place", MetadataValue::Data(vec![5])),
        ];
        let bytes = b"\0\0\0\x10\0\0\0\x09\0\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\x03\x05";
        assert_eq!(format.payload(&items).unwrap(), bytes);
        assert_eq!(format.items(bytes), Some(items.to_vec()));
        for number in [0, u32::MAX, 3] {
            let keys = vec![(3, place.clone()), (number, pulse.clone())];
            assert_eq!(MetadataFormat::numbered(keys), Err(MetadataError::BadNumber(number)));
        }
        for kind in MetadataType::ALL {
            assert_eq!(MetadataType::from_code(kind.code()), kind);
        }
    }

    proptest! {
        /// AD-5: items come back as they were.
        #[test]
        fn items_come_back(which in prop::collection::vec((0_usize..4, any::<i64>(), ".{0,10}"), 0..6)) {
            let value = |(which, number, text): (usize, i64, String)| {
                let value = match which {
                    0 => MetadataValue::Data(text.into_bytes()),
                    1 => MetadataValue::Text(text),
                    2 => MetadataValue::Integer(number),
                    _ => MetadataValue::Float(number as f64),
                };
                MetadataItem::new(format!("com.example.{which}"), value)
            };
            let items: Vec<_> = which.into_iter().map(value).collect();
            let payload = format().payload(&items).unwrap();
            prop_assert_eq!(format().items(&payload), Some(items));
        }

        #[test]
        fn any_bytes_are_refused_or_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = format().items(&bytes);
        }
    }
}
