use crate::storage::MultiPassStorage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A property's value without its type: what the layer by names, saved settings and
/// [`get`](crate::session::SessionHandle::get) speak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PropertyValue {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any finite number.
    Number(f64),
    /// A word; for enumerations one of their names.
    Text(String),
    /// Bytes, or several values in a row.
    Array(Vec<PropertyValue>),
    /// Values by name.
    Dictionary(BTreeMap<String, PropertyValue>),
    /// A multi-pass storage. Has no form in text.
    #[serde(skip)]
    Storage(Arc<MultiPassStorage>),
}

impl PropertyValue {
    /// The number, whichever way it is kept.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Integer(value) => Some(value as f64),
            Self::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number; fractions are cut off towards zero.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Integer(value) => Some(value),
            // `as` saturates, so that no number leaves the range
            Self::Number(value) if value.is_finite() => Some(value as i64),
            _ => None,
        }
    }

    /// Yes or no.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// The word.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// Bytes as an array of numbers from 0 to 255.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::Array(bytes.iter().map(|&byte| Self::Integer(byte.into())).collect())
    }

    /// The bytes of such an array.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let Self::Array(values) = self else { return None };
        values
            .iter()
            .map(|value| match value {
                Self::Integer(byte) => u8::try_from(*byte).ok(),
                _ => None,
            })
            .collect()
    }
}

impl fmt::Display for PropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Array(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Dictionary(values) => {
                f.write_str("{")?;
                for (index, (key, value)) in values.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Storage(_) => f.write_str("a multi-pass storage"),
        }
    }
}

/// Writes `From` for the plain cases.
macro_rules! from {
    ($($type:ty => |$value:ident| $make:expr;)*) => {$(
        impl From<$type> for PropertyValue {
            fn from($value: $type) -> Self {
                $make
            }
        }
    )*};
}

from! {
    bool => |value| Self::Boolean(value);
    u32 => |value| Self::Integer(value.into());
    i32 => |value| Self::Integer(value.into());
    i64 => |value| Self::Integer(value);
    // no key has values beyond 63 bits: the ranges are checked against the table afterwards
    u64 => |value| Self::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    f64 => |value| Self::Number(value);
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    Arc<MultiPassStorage> => |value| Self::Storage(value);
}
