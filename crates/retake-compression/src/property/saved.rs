use super::{PropertyKey, PropertyValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values of a session by the names of properties, to be kept and set in another session (PR-5). Reads and
/// writes as a plain object.
#[doc(alias = "VTSessionCopySerializableProperties")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedProperties(pub BTreeMap<String, PropertyValue>);

impl SavedProperties {
    /// Keys and values, where the name is known; a zero or one stands for a Boolean here, as old files have
    /// it.
    pub(crate) fn changes(&self) -> Result<Vec<(PropertyKey, Option<PropertyValue>)>, String> {
        self.0
            .iter()
            .map(|(name, value)| {
                let key = PropertyKey::from_name(name).ok_or_else(|| name.clone())?;
                let value = match (key.row().kind, value) {
                    (super::Kind::Boolean, PropertyValue::Integer(number @ (0 | 1))) => {
                        PropertyValue::Boolean(*number == 1)
                    }
                    _ => value.clone(),
                };
                Ok((key, Some(value)))
            })
            .collect()
    }
}
