//! Metadata that holds for a while, and the description of the items of a track.
//!
//! A track of timed metadata is `mebx` of ISO/IEC 14496-12 and of the QuickTime File Format: the description
//! lists all keys, and each sample has boxes whose types are the numbers of those keys.

use crate::TimeRange;

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
}

impl MetadataType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::Data, Self::Text, Self::Integer, Self::Float];

    /// Returns the number among the well-known types of the QuickTime File Format.
    pub const fn code(self) -> u32 {
        match self {
            Self::Data => 0,
            Self::Text => 1,
            Self::Float => 24,
            Self::Integer => 74,
        }
    }
}

/// The value of an item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MetadataValue {
    /// Bytes that only the program knows.
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
            MetadataType::Data => Self::Data(bytes.to_vec()),
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
    keys: Vec<MetadataKey>,
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

    /// Makes a description of these keys.
    ///
    /// # Errors
    /// Returns [`MetadataError::NoKeys`], [`MetadataError::BadKey`] or [`MetadataError::KnownKey`].
    #[doc(alias = "CMMetadataFormatDescriptionCreateWithMetadataSpecifications")]
    pub fn new(keys: Vec<MetadataKey>) -> Result<Self, MetadataError> {
        if keys.is_empty() {
            return Err(MetadataError::NoKeys);
        }
        for (index, key) in keys.iter().enumerate() {
            let no_tag = key.language.as_ref().is_some_and(|tag| tag.is_empty() || tag.contains('\0'));
            if key.name.is_empty() || key.name.len() > MOST_BYTES || no_tag {
                return Err(MetadataError::BadKey(key.name.clone()));
            }
            let same = |other: &MetadataKey| other.name == key.name && other.language == key.language;
            if keys[..index].iter().any(same) {
                return Err(MetadataError::KnownKey(key.name.clone()));
            }
        }
        Ok(Self { keys })
    }

    /// Returns all keys. In samples they are numbered from 1, in this order.
    pub fn keys(&self) -> &[MetadataKey] {
        &self.keys
    }

    /// Returns the number of an item's key.
    fn number(&self, item: &MetadataItem) -> Option<u32> {
        let fits = |key: &MetadataKey| {
            key.name == item.key && key.language == item.language && key.data_type == item.value.data_type()
        };
        u32::try_from(self.keys.iter().position(fits)? + 1).ok()
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
            let key = (word(4) as usize).checked_sub(1).and_then(|index| self.keys.get(index));
            if let Some(key) = key {
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
