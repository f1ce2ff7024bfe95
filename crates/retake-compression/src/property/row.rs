use super::{PropertyKey, PropertyValue};
use crate::encoder::EncoderInfo;
use crate::scorer::Metric;

/// What the table says about one property.
#[derive(Clone, Copy)]
pub struct Row {
    /// The property.
    pub key: PropertyKey,
    /// Its name on the wire.
    pub name: &'static str,
    /// The name that Apple's headers give it; none for those of our own.
    pub apple: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub documentation: &'static str,
    /// Values, default, class and encoders as a list in Markdown, as rustdoc has it.
    pub facts: &'static str,
    /// The encoders that have it in some kind of session, by their names; `all`, or `none` of those that are
    /// known here.
    pub encoders: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Least and greatest value of a number, before an encoder narrows it.
    pub range: Option<(f64, f64)>,
    /// What a number counts; empty where there is nothing to say.
    pub unit: &'static str,
    /// When it may be set.
    pub class: Class,
    /// Whether saved settings hold it.
    pub saved: bool,
    /// What holds while nobody has set it. None is "no value": the encoder decides, or there is nothing to
    /// say.
    pub(crate) default: fn(&Environment<'_>) -> Option<PropertyValue>,
    /// Which values an encoder takes; none where it does not have the property.
    pub(crate) support: fn(&Environment<'_>) -> Option<Allowed>,
}

impl Row {
    pub(super) const fn new(
        key: PropertyKey,
        name: &'static str,
        apple: Option<&'static str>,
        documentation: &'static str,
    ) -> Self {
        Self {
            key,
            name,
            apple,
            documentation,
            facts: "",
            encoders: "all",
            kind: Kind::Boolean,
            range: None,
            unit: "",
            class: Class::Before,
            saved: true,
            default: |_| None,
            support: |_| Some(Allowed::All),
        }
    }
}

/// What the values of a property are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    #[doc(alias = "kVTPropertyType_Boolean")]
    Boolean,
    /// A whole number; fractions are refused.
    #[doc(alias = "kVTPropertyType_Number")]
    Count,
    /// A whole number; fractions are cut off towards zero.
    #[doc(alias = "kVTPropertyType_Number")]
    Rate,
    /// Any number.
    #[doc(alias = "kVTPropertyType_Number")]
    Number,
    /// One of a list of words.
    #[doc(alias = "kVTPropertyType_Enumeration")]
    Enumeration,
    /// Any words.
    Text,
    /// Several values in a row.
    Array,
    /// So many bytes.
    Data(usize),
    /// Bytes, whose number is their own.
    Bytes,
    /// Values by name.
    Dictionary,
    /// An object of the library: its entry has no type, and it is never saved.
    Object,
}

impl Kind {
    /// Whether values are numbers.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Rate | Self::Number)
    }
}

/// When a property may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Before the first frame.
    Before,
    /// Also between frames; holds from the next submitted frame on.
    Between,
    /// Never.
    ReadOnly,
}

/// What decides which properties there are, and what they mean: the encoder, and how a session is created.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The encoder.
    pub info: &'a EncoderInfo,
    /// Whether it is a session of low latency.
    pub low_latency: bool,
    /// The width of the encoded pictures, in pixels: 1 to 16384.
    pub width: u32,
    /// Their height, in pixels: 1 to 16384.
    pub height: u32,
    /// Whether pictures can be converted for the encoder.
    pub transfers: bool,
    /// The metrics that takes can be scored by, the default one first; empty where there are none.
    pub metrics: &'a [Metric],
}

/// Which values of a property an encoder takes.
pub(crate) enum Allowed {
    /// All that the row allows.
    All,
    /// Numbers from one to another.
    Range(f64, f64),
    /// These words.
    List(Vec<String>),
}
