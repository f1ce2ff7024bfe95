use super::row::{Allowed, Class, Environment, Kind};
use super::{PropertyKey, PropertyValue};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What an encoder says about each property that it has.
#[doc(alias = "VTSessionCopySupportedPropertyDictionary")]
pub type SupportedProperties = BTreeMap<PropertyKey, SupportedProperty>;

/// What may be asked about a property before it is set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SupportedProperty {
    /// What its values are; none for arrays, dictionaries, data and objects.
    #[doc(alias = "kVTPropertyTypeKey")]
    #[serde(rename = "PropertyType", skip_serializing_if = "Option::is_none")]
    pub property_type: Option<PropertyType>,
    /// Whether it can be set.
    #[doc(alias = "kVTPropertyReadWriteStatusKey")]
    #[serde(rename = "ReadWriteStatus", serialize_with = "status")]
    pub writable: bool,
    /// Whether saved settings hold it.
    #[doc(alias = "kVTPropertyShouldBeSerializedKey")]
    #[serde(rename = "ShouldBeSerialized")]
    pub serializable: bool,
    /// The least number.
    #[doc(alias = "kVTPropertySupportedValueMinimumKey")]
    #[serde(rename = "SupportedValueMinimum", skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest number.
    #[doc(alias = "kVTPropertySupportedValueMaximumKey")]
    #[serde(rename = "SupportedValueMaximum", skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The words of an enumeration.
    #[doc(alias = "kVTPropertySupportedValueListKey")]
    #[serde(rename = "SupportedValueList", skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
    /// What holds while it is not set; none is "no value".
    #[serde(rename = "DefaultValue", skip_serializing_if = "Option::is_none")]
    pub default: Option<PropertyValue>,
    /// What a number counts.
    #[serde(rename = "Unit", skip_serializing_if = "str::is_empty")]
    pub unit: &'static str,
    /// Whether it may be set between frames.
    #[serde(rename = "BetweenFrames")]
    pub live: bool,
    /// What it does.
    #[doc(alias = "kVTPropertyDocumentationKey")]
    #[serde(rename = "PropertyDocumentation")]
    pub documentation: &'static str,
}

/// The types that a client can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PropertyType {
    /// One of a list of words.
    #[doc(alias = "kVTPropertyType_Enumeration")]
    Enumeration,
    /// Yes or no.
    #[doc(alias = "kVTPropertyType_Boolean")]
    Boolean,
    /// A number.
    #[doc(alias = "kVTPropertyType_Number")]
    Number,
}

/// PR-4: exactly the properties that can be set or asked for.
pub(crate) fn supported(environment: &Environment<'_>) -> SupportedProperties {
    PropertyKey::all().filter_map(|key| Some((key, entry(environment, key)?))).collect()
}

fn entry(environment: &Environment<'_>, key: PropertyKey) -> Option<SupportedProperty> {
    let row = key.row();
    let allowed = (row.support)(environment)?;
    let mut bounds = row.range;
    let mut list = Vec::new();
    match allowed {
        Allowed::All => {}
        Allowed::Range(from, to) => {
            let (least, most) = bounds.unwrap_or((from, to));
            bounds = Some((least.max(from), most.min(to)));
        }
        Allowed::List(words) => list = words,
    }
    Some(SupportedProperty {
        property_type: match row.kind {
            Kind::Boolean => Some(PropertyType::Boolean),
            kind if kind.is_number() => Some(PropertyType::Number),
            Kind::Enumeration => Some(PropertyType::Enumeration),
            _ => None,
        },
        writable: row.class != Class::ReadOnly,
        serializable: row.saved,
        minimum: bounds.map(|(least, _)| least),
        maximum: bounds.map(|(_, most)| most),
        list,
        default: (row.default)(environment),
        unit: row.unit,
        live: row.class == Class::Between,
        documentation: row.documentation.trim(),
    })
}

fn status<S: Serializer>(writable: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *writable { "ReadWrite" } else { "ReadOnly" })
}

impl Serialize for PropertyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
