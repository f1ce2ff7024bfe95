//! Properties of sessions: one [table](PropertyKey) of everything that can be set and asked for.
//!
//! The same lines make the typed [`Property`], the names on the wire, [what an encoder
//! supports](SupportedProperties), and the lists that people read. Which properties an encoder has follows
//! from what it says of itself ([`ControlSupport`](crate::encoder::ControlSupport)): a property that would
//! have no effect is not there.

mod conflict;
mod error;
mod line;
mod names;
mod preset;
mod profile;
mod row;
mod saved;
mod store;
mod support;
mod table;
mod typed;
mod value;

pub use error::PropertyError;
pub use names::{
    ColorPrimaries, H264EntropyMode, HdrMetadataInsertionMode, OutputChroma, TransferFunction, YCbCrMatrix,
};
pub use profile::profile_level_name;
pub use row::{Class, Environment, Kind, Row};
pub use saved::SavedProperties;
pub use support::{PropertyType, SupportedProperties, SupportedProperty};
pub(crate) use table::USUAL_PASSES;
pub use table::{Property, PropertyKey, Readable, key};

pub use typed::DataRateLimit;
pub use value::PropertyValue;

pub(crate) use conflict::why_no_fields;
pub(crate) use preset::{hinted_preset, preset_dictionaries};
pub(crate) use profile::parse as parse_profile;
pub(crate) use store::{Values, not_supported, set_value};
pub(crate) use support::supported;
pub(crate) use typed::time_value;
