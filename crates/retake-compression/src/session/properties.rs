//! Setting and telling properties of a session.

use super::core::PropertyChange;
use super::derive::{self, Hints};
use super::list::encoder_id;
use super::setup::Setup;
use super::shell::Shell;
use super::{SessionError, SessionHandle};
use crate::encoder::EncoderFactory;
use crate::machine::sessions_at_once;
use crate::property::{
    Property, PropertyKey, PropertyValue, Readable, SavedProperties, SupportedProperties, Values,
    not_supported, preset_dictionaries, set_value, supported, time_value,
};
use retake_media::{PixelBufferAttributes, Time};
use std::collections::BTreeMap;

fn four_cc(code: [u8; 4]) -> String {
    String::from_utf8_lossy(&code).into_owned()
}

fn change_to(property: &Property) -> PropertyChange {
    (property.key(), Some(property.value()))
}

/// A property by its name.
fn key(setup: &Setup, name: &str) -> Result<PropertyKey, SessionError> {
    PropertyKey::from_name(name).ok_or_else(|| not_supported(&setup.environment(), name).into())
}

/// The value of a property that holds (PR-2).
fn value<T>(shell: &Shell<T>, key: PropertyKey) -> Result<Option<PropertyValue>, SessionError> {
    let (values, pending) = shell.values_and_pending()?;
    let setup = shell.setup();
    let environment = setup.environment();
    let row = key.row();
    if (row.support)(&environment).is_none() {
        return Err(not_supported(&environment, row.name).into());
    }
    Ok(match key {
        PropertyKey::NumberOfPendingFrames => Some(PropertyValue::Integer(pending as i64)),
        PropertyKey::AllowFrameReordering => Some(reorders(setup, &values).into()),
        PropertyKey::PixelBufferPoolIsShared => Some(shell.pool(&values).1.into()),
        PropertyKey::VideoEncoderPixelBufferAttributes => {
            let formats = shell.encoder_attributes(&values).formats;
            let formats = formats.iter().map(|format| four_cc(format.four_cc()).into()).collect();
            Some(PropertyValue::Dictionary(BTreeMap::from([
                ("PixelFormatType".to_owned(), PropertyValue::Array(formats)),
                ("Width".to_owned(), setup.width.into()),
                ("Height".to_owned(), setup.height.into()),
            ])))
        }
        _ if key.is_writable() => {
            values.get(key).map(Property::value).or_else(|| (row.default)(&environment))
        }
        _ => read_only(setup, shell.factory(), key, &values),
    })
}

/// The value with its type.
fn typed<T, K: Readable>(shell: &Shell<T>, key: &K) -> Result<Option<K::Value>, SessionError> {
    let Some(value) = value(shell, key.key())? else { return Ok(None) };
    match K::read(value) {
        Some(value) => Ok(Some(value)),
        None => Err(SessionError::Malfunction(format!("{} has a value of another type", key.key()))),
    }
}

/// FFmpeg and others read it back to learn whether there will be B frames.
fn reorders(setup: &Setup, values: &Values) -> bool {
    setup.info.reorders
        && !setup.low_latency
        && set_value!(values, AllowFrameReordering) != Some(&false)
        && set_value!(values, AllowTemporalCompression) != Some(&false)
        && set_value!(values, MaxKeyFrameInterval) != Some(&1)
        && set_value!(values, MaxFrameDelayCount) != Some(&0)
        // Samples under a limit wait for what is shown before them, which would be a delay of its own.
        && !(values.has(PropertyKey::DataRateLimits)
            && set_value!(values, MaxFrameDelayCount).is_some_and(|&delay| delay >= 0))
}

/// What follows from the encoder and from what was set.
fn read_only(
    setup: &Setup,
    factory: &dyn EncoderFactory,
    key: PropertyKey,
    values: &Values,
) -> Option<PropertyValue> {
    let environment = setup.environment();
    let rate = derive::frame_rate(values, &Hints::default());
    match key {
        PropertyKey::EstimatedAverageBytesPerFrame => {
            let bytes = |average: u64| PropertyValue::Number(average as f64 / 8.0 / rate.to_f64());
            derive::average(values).map(bytes)
        }
        PropertyKey::SupportedPresetDictionaries => Some(preset_dictionaries(&environment)),
        PropertyKey::UsingHardwareAcceleratedVideoEncoder => Some(false.into()),
        PropertyKey::EncoderID => Some(encoder_id(&setup.info).into()),
        PropertyKey::SupportsBaseFrameQP => Some(setup.info.controls.base_qp.into()),
        PropertyKey::RecommendedParallelizationLimit => {
            let settings = derive::settings(&environment, values, &Hints::default());
            // Where nobody says how many threads a session has, as many sessions of one thread fill the
            // cores: each of them would have all cores otherwise, and one would be recommended.
            let threads = set_value!(values, ThreadCount).copied().unwrap_or(1);
            Some(settings.map_or(1, |settings| sessions_at_once(factory, &settings, threads)).into())
        }
        PropertyKey::RecommendedParallelizedSubdivisionMinimumFrameCount => {
            Some(least_subdivision(setup, factory, values).into())
        }
        PropertyKey::RecommendedParallelizedSubdivisionMinimumDuration => {
            let ticks = i64::from(least_subdivision(setup, factory, values)) * i64::from(rate.den);
            Some(time_value(Time::new(ticks, rate.num)))
        }
        _ => None,
    }
}

/// The fewest frames of a part: two groups of pictures, so that the sync frame at its start is not one more
/// than there would be for long, and no fewer than the encoder has to see before its first sample.
fn least_subdivision(setup: &Setup, factory: &dyn EncoderFactory, values: &Values) -> u32 {
    let Ok(settings) = derive::settings(&setup.environment(), values, &Hints::default()) else { return 1 };
    let seconds = set_value!(values, MaxKeyFrameIntervalDuration).copied().filter(|&most| most > 0.0);
    let by_time = seconds.map_or(u32::MAX, |most| (most * settings.frame_rate.to_f64()) as u32);
    let interval = factory.key_frame_interval(&settings).min(by_time).max(1);
    interval.saturating_mul(2).max(factory.delay(&settings))
}

impl<T: Send + 'static> SessionHandle<T> {
    /// Sets a property. What may be set between frames holds for frames submitted from now on. What a
    /// property needs beside it may be set later, in any order: it is asked for when the session opens, and
    /// whatever is missing then is the error of [`SessionHandle::prepare`] or of the first frame.
    ///
    /// # Errors
    /// [`PropertyError`](crate::property::PropertyError) in [`SessionError::Property`]: the encoder does not
    /// have it, it is read-only, or the value is out of range, in conflict with others, or too late. Nothing
    /// has changed then.
    #[doc(alias = "VTSessionSetProperty")]
    pub fn set(&self, property: Property) -> Result<(), SessionError> {
        self.shell.change_one(change_to(&property))
    }

    /// Sets several properties, all of them or none; they are judged together, so that their order does not
    /// count.
    ///
    /// # Errors
    /// As [`SessionHandle::set`].
    #[doc(alias = "VTSessionSetProperties")]
    pub fn set_all(&self, properties: &[Property]) -> Result<(), SessionError> {
        let changes: Vec<_> = properties.iter().map(change_to).collect();
        self.shell.change(&changes)
    }

    /// Sets a property back to its default, as if it had never been set.
    ///
    /// # Errors
    /// As [`SessionHandle::set`].
    pub fn reset(&self, key: PropertyKey) -> Result<(), SessionError> {
        self.shell.change_one((key, None))
    }

    /// Sets a property by its name on the wire, or back to its default with no value.
    ///
    /// # Errors
    /// As [`SessionHandle::set`].
    pub fn set_named(&self, name: &str, value: Option<PropertyValue>) -> Result<(), SessionError> {
        self.shell.change_one((key(self.shell.setup(), name)?, value))
    }

    /// Sets what another session saved, all of it or nothing.
    ///
    /// # Errors
    /// As [`SessionHandle::set`].
    pub fn set_saved(&self, saved: &SavedProperties) -> Result<(), SessionError> {
        let changes =
            saved.changes().map_err(|name| not_supported(&self.shell.setup().environment(), &name))?;
        self.shell.change(&changes)
    }

    /// The value that holds; none for "no value". Cheap enough for every frame. [Typed
    /// keys](crate::property::key) give values of their type, a [`PropertyKey`] gives a [`PropertyValue`].
    ///
    /// ```no_run
    /// # use retake_compression::session::{CompressionSession, SessionError};
    /// use retake_compression::property::key;
    ///
    /// # fn rate(session: &CompressionSession) -> Result<(), SessionError> {
    /// let rate: Option<u64> = session.get(key::AverageBitRate)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`SessionHandle::set`], where the encoder does not have it.
    #[doc(alias = "VTSessionCopyProperty")]
    pub fn get<K: Readable>(&self, key: K) -> Result<Option<K::Value>, SessionError> {
        typed(&self.shell, &key)
    }

    /// The value that holds, by the property's name on the wire.
    ///
    /// # Errors
    /// As [`SessionHandle::get`].
    pub fn get_named(&self, name: &str) -> Result<Option<PropertyValue>, SessionError> {
        value(&self.shell, key(self.shell.setup(), name)?)
    }

    /// The pictures that the encoder takes as they are: formats, the preferred one first, and the size.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail.
    #[doc(alias = "kVTCompressionPropertyKey_VideoEncoderPixelBufferAttributes")]
    pub fn encoder_picture_attributes(&self) -> Result<PixelBufferAttributes, SessionError> {
        let values = self.shell.values()?;
        Ok(self.shell.encoder_attributes(&values))
    }

    /// Exactly the properties that this session has.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail.
    #[doc(alias = "VTSessionCopySupportedPropertyDictionary")]
    pub fn supported_properties(&self) -> Result<SupportedProperties, SessionError> {
        self.shell.values()?;
        Ok(supported(&self.shell.setup().environment()))
    }

    /// What was set and is worth keeping, for [`SessionHandle::set_saved`] of another session.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail.
    #[doc(alias = "VTSessionCopySerializableProperties")]
    pub fn serializable_properties(&self) -> Result<SavedProperties, SessionError> {
        let values = self.shell.values()?;
        let saved = values.iter().filter(|property| property.key().row().saved);
        Ok(SavedProperties(
            saved.map(|property| (property.key().name().to_owned(), property.value())).collect(),
        ))
    }
}
