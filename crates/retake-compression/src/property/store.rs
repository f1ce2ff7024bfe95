use super::row::{Allowed, Class, Environment, Kind};
use super::{HdrMetadataInsertionMode, Property, PropertyError, PropertyKey, PropertyValue, conflict};
use std::collections::BTreeMap;

/// Values that were set, by property: checked one by one and against each other. What was not set is not
/// here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values(BTreeMap<PropertyKey, Property>);

/// Reads the value of a property, in its own type, if it was set.
macro_rules! set_value {
    ($values:expr, $key:ident) => {
        match $values.get($crate::property::PropertyKey::$key) {
            Some($crate::property::Property::$key(value)) => Some(value),
            _ => None,
        }
    };
}
pub(crate) use set_value;

impl Values {
    pub(crate) fn get(&self, key: PropertyKey) -> Option<&Property> {
        self.0.get(&key)
    }

    pub(crate) fn has(&self, key: PropertyKey) -> bool {
        self.0.contains_key(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Property> {
        self.0.values()
    }

    /// These values with others set, or set back to their defaults (PR-1, PR-3): all of them, or an error and
    /// none.
    ///
    /// `frozen` is true when the first frame was sent.
    pub(crate) fn with(
        &self,
        environment: &Environment<'_>,
        changes: &[(PropertyKey, Option<PropertyValue>)],
        frozen: bool,
    ) -> Result<Self, PropertyError> {
        let mut values = self.clone();
        for (key, value) in changes {
            let row = key.row();
            let allowed = (row.support)(environment).ok_or_else(|| not_supported(environment, row.name))?;
            match row.class {
                Class::ReadOnly => return Err(PropertyError::ReadOnly(*key)),
                Class::Before if frozen => {
                    return Err(PropertyError::parameter(
                        *key,
                        "is decided by the first frame: set it before",
                    ));
                }
                Class::Before | Class::Between => {}
            }
            match value {
                None => values.0.remove(key),
                Some(value) => values.0.insert(*key, check(environment, *key, value, &allowed)?),
            };
        }
        conflict::check(environment, &values, changes.last().map(|(key, _)| *key))?;
        Ok(values)
    }

    /// Refuses a value of these properties that lacks another beside it, where rate control counts with so
    /// many frames per second.
    pub(crate) fn check_complete(
        &self,
        environment: &Environment<'_>,
        frame_rate: f64,
        keys: impl IntoIterator<Item = PropertyKey>,
    ) -> Result<(), PropertyError> {
        for key in keys {
            if let Some(reason) = conflict::lacks(environment, self, frame_rate, key) {
                return Err(PropertyError::parameter(key, reason));
            }
        }
        Ok(())
    }
}

pub(crate) fn not_supported(environment: &Environment<'_>, name: &str) -> PropertyError {
    PropertyError::NotSupported { name: name.to_owned(), encoder: environment.info.name }
}

/// The value in the type of its property (PR-8), within the bounds of table and encoder.
fn check(
    environment: &Environment<'_>,
    key: PropertyKey,
    value: &PropertyValue,
    allowed: &Allowed,
) -> Result<Property, PropertyError> {
    let row = key.row();
    let refuse = |reason: String| Err(PropertyError::parameter(key, reason));
    if row.kind.is_number() {
        let Some(number) = value.as_f64().filter(|number| number.is_finite()) else {
            return refuse(format!("{value} is not a number"));
        };
        if row.kind == Kind::Count && number.fract() != 0.0 {
            return refuse(format!("{value} is not a whole number"));
        }
        let (mut least, mut most) = row.range.unwrap_or((f64::MIN, f64::MAX));
        if let Allowed::Range(from, to) = allowed {
            (least, most) = (least.max(*from), most.min(*to));
        }
        if !(least..=most).contains(&number) {
            return refuse(format!("{value} is not between {least} and {most}"));
        }
    }
    let service = HdrMetadataInsertionMode::RequestSdrRangePreservation.name();
    if key == PropertyKey::HDRMetadataInsertionMode && value.as_str() == Some(service) {
        return refuse(format!("{service} needs a service that converts colours, and there is none here"));
    }
    if let Allowed::List(words) = allowed
        && !value.as_str().is_some_and(|word| words.iter().any(|one| one == word))
    {
        return refuse(format!("{value} is not one of {}", words.join(", ")));
    }
    let Some(property) = Property::from_value(key, value) else {
        return match (row.kind, value) {
            // a profile may be a million numbers
            (Kind::Data(_) | Kind::Bytes, PropertyValue::Array(values)) => {
                refuse(format!("these {} numbers are not {}", values.len(), expected(row.kind)))
            }
            (kind, value) => refuse(format!("{value} is not {}", expected(kind))),
        };
    };
    let has_depth = |depth| environment.info.formats.iter().any(|format| format.bit_depth() == depth);
    if let Property::OutputBitDepth(depth) = property
        && !has_depth(depth)
    {
        return refuse(format!("{} has no samples of {depth} bits", environment.info.name));
    }
    if let Property::BaseLayerFrameRateFraction(share) = property
        && share != 0.5
        && share != 1.0
    {
        return refuse(format!("{share} of the frames: {} has 0.5 and 1", environment.info.name));
    }
    Ok(property)
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Boolean => "true or false".into(),
        Kind::Count | Kind::Rate | Kind::Number => "a number of this kind".into(),
        Kind::Enumeration | Kind::Text => "a word".into(),
        Kind::Array => "an array of this kind".into(),
        Kind::Bytes => "the bytes of this kind".into(),
        Kind::Data(size) => format!("{size} bytes"),
        Kind::Dictionary => "a dictionary of this kind".into(),
        Kind::Object => "an object of this kind".into(),
    }
}
