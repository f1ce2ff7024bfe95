//! Setting and telling properties of a session.

use super::list::encoder_id;
use super::passes::Passes;
use super::settings::{self, Hints};
use super::state::Shared;
use super::{CompressionSession, SessionError, SessionHandle};
use crate::parallel::sessions_at_once;
use crate::property::{
    Property, PropertyError, PropertyKey, PropertyValue, SavedProperties, SupportedProperties, Values,
    not_supported, preset_dictionaries, set_value, supported, time_value,
};
use retake_media::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

fn four_cc(code: [u8; 4]) -> String {
    String::from_utf8_lossy(&code).into_owned()
}

/// MP-28: what may be set between passes.
pub(super) const MERE_HINTS: [PropertyKey; 3] = [
    PropertyKey::RealTime,
    PropertyKey::MaximizePowerEfficiency,
    PropertyKey::PrioritizeEncodingSpeedOverQuality,
];

impl<T> Shared<T> {
    /// All changes, or an error and none (PR-1, PR-3).
    pub(super) fn change(
        &self,
        changes: &[(PropertyKey, Option<PropertyValue>)],
    ) -> Result<(), SessionError> {
        let mut state = self.lock();
        state.dead()?;
        let frozen = state.frozen();
        if state.passes.as_ref().is_some_and(Passes::has_begun)
            && let Some((key, _)) = changes.iter().find(|(key, _)| !MERE_HINTS.contains(key))
        {
            let reason = "every pass has to encode with the same: it cannot be set once the first has begun";
            return Err(PropertyError::parameter(*key, reason).into());
        }
        let values = state.values.with(&self.environment(), changes, frozen)?;
        let storage = set_value!(values, MultiPassStorage);
        if storage != set_value!(state.values, MultiPassStorage) {
            // the lease of an earlier storage is given back when the new one is had
            state.passes = storage.map(|storage| self.passes(storage)).transpose()?;
        }
        state.values = Arc::new(values);
        Ok(())
    }

    /// PR-2, PR-10: from what is here, without asking the encoder.
    fn tell(&self, key: PropertyKey) -> Result<Option<PropertyValue>, SessionError> {
        let (values, pending) = {
            let state = self.lock();
            state.dead()?;
            (state.values.clone(), state.pending())
        };
        let environment = self.environment();
        let row = key.row();
        if (row.support)(&environment).is_none() {
            return Err(not_supported(&environment, row.name).into());
        }
        let value = match key {
            PropertyKey::NumberOfPendingFrames => Some(PropertyValue::Integer(pending as i64)),
            PropertyKey::AllowFrameReordering => Some(self.reorders(&values).into()),
            _ if key.is_writable() => {
                values.get(key).map(Property::value).or_else(|| (row.default)(&environment))
            }
            _ => self.tell_fixed(key, &values),
        };
        Ok(value)
    }

    /// FFmpeg and others read it back to learn whether there will be B frames.
    fn reorders(&self, values: &Values) -> bool {
        self.info().reorders
            && !self.low_latency
            && set_value!(values, AllowFrameReordering) != Some(&false)
            && set_value!(values, AllowTemporalCompression) != Some(&false)
            && set_value!(values, MaxKeyFrameInterval) != Some(&1)
            && set_value!(values, MaxFrameDelayCount) != Some(&0)
            // samples under a limit wait for what is shown before them: that would be a delay of its own
            && !(values.has(PropertyKey::DataRateLimits)
                && set_value!(values, MaxFrameDelayCount).is_some_and(|&delay| delay >= 0))
    }

    fn tell_fixed(&self, key: PropertyKey, values: &Values) -> Option<PropertyValue> {
        let info = self.info();
        let rate = settings::frame_rate(values, &Hints::default()).to_f64();
        match key {
            PropertyKey::PixelBufferPoolIsShared => Some(self.pool(values).1.into()),
            PropertyKey::VideoEncoderPixelBufferAttributes => {
                let formats = self.encoder_attributes(values).formats;
                let formats = formats.iter().map(|format| four_cc(format.four_cc()).into()).collect();
                Some(PropertyValue::Dictionary(BTreeMap::from([
                    ("PixelFormatType".to_owned(), PropertyValue::Array(formats)),
                    ("Width".to_owned(), self.width.into()),
                    ("Height".to_owned(), self.height.into()),
                ])))
            }
            PropertyKey::EstimatedAverageBytesPerFrame => {
                settings::average(values).map(|average| PropertyValue::Number(average as f64 / 8.0 / rate))
            }
            PropertyKey::SupportedPresetDictionaries => Some(preset_dictionaries(&self.environment())),
            PropertyKey::UsingHardwareAcceleratedVideoEncoder => Some(false.into()),
            PropertyKey::EncoderID => Some(encoder_id(info).into()),
            PropertyKey::SupportsBaseFrameQP => Some(info.controls.base_qp.into()),
            PropertyKey::RecommendedParallelizationLimit => {
                let settings = settings::derive(&self.environment(), values, &Hints::default());
                Some(settings.map_or(1, |settings| sessions_at_once(&*self.factory, &settings)).into())
            }
            PropertyKey::RecommendedParallelizedSubdivisionMinimumFrameCount => {
                Some(self.least_subdivision(values).into())
            }
            PropertyKey::RecommendedParallelizedSubdivisionMinimumDuration => {
                let rate = settings::frame_rate(values, &Hints::default());
                let ticks = i64::from(self.least_subdivision(values)) * i64::from(rate.den);
                Some(time_value(Time::new(ticks, rate.num)))
            }
            _ => None,
        }
    }

    /// The fewest frames of a part: two groups of pictures, so that the sync frame at its start is not one more than there would be for long,
    /// and no fewer than the encoder has to see before its first sample.
    fn least_subdivision(&self, values: &Values) -> u32 {
        let Ok(settings) = settings::derive(&self.environment(), values, &Hints::default()) else {
            return 1;
        };
        let seconds = set_value!(values, MaxKeyFrameIntervalDuration).copied().filter(|&most| most > 0.0);
        let by_time = seconds.map_or(u32::MAX, |most| (most * settings.frame_rate.to_f64()) as u32);
        let interval = self.factory.key_frame_interval(&settings).min(by_time).max(1);
        interval.saturating_mul(2).max(self.factory.delay(&settings))
    }

    fn saved(&self) -> Result<SavedProperties, SessionError> {
        let values = self.get_values()?;
        let saved = values.iter().filter(|property| property.key().row().saved);
        Ok(SavedProperties(
            saved.map(|property| (property.key().name().to_owned(), property.value())).collect(),
        ))
    }

    fn key(&self, name: &str) -> Result<PropertyKey, SessionError> {
        PropertyKey::from_name(name).ok_or_else(|| not_supported(&self.environment(), name).into())
    }
}

impl<T: Send + 'static> CompressionSession<T> {
    /// Sets a property. What may be set between frames holds for frames submitted from now on.
    ///
    /// # Errors
    /// [`PropertyError`] in [`SessionError::Property`]: the encoder does not have it, it is read-only, or the
    /// value is out of range, in conflict with others, or too late. Nothing has changed then.
    #[doc(alias = "VTSessionSetProperty")]
    pub fn set(&self, property: Property) -> Result<(), SessionError> {
        self.shared.change(&[(property.key(), Some(property.value()))])
    }

    /// Sets several properties, all of them or none; they are judged together, so that their order does not count.
    ///
    /// # Errors
    /// As [`CompressionSession::set`].
    #[doc(alias = "VTSessionSetProperties")]
    pub fn set_all(&self, properties: &[Property]) -> Result<(), SessionError> {
        let changes: Vec<_> =
            properties.iter().map(|property| (property.key(), Some(property.value()))).collect();
        self.shared.change(&changes)
    }

    /// Sets a property back to its default, as if it had never been set.
    ///
    /// # Errors
    /// As [`CompressionSession::set`].
    pub fn reset(&self, key: PropertyKey) -> Result<(), SessionError> {
        self.shared.change(&[(key, None)])
    }

    /// Sets a property by its name on the wire, or back to its default with no value.
    ///
    /// # Errors
    /// As [`CompressionSession::set`].
    pub fn set_named(&self, name: &str, value: Option<PropertyValue>) -> Result<(), SessionError> {
        self.shared.change(&[(self.shared.key(name)?, value)])
    }

    /// Sets what another session saved, all of it or nothing.
    ///
    /// # Errors
    /// As [`CompressionSession::set`].
    pub fn set_saved(&self, saved: &SavedProperties) -> Result<(), SessionError> {
        let changes = saved.changes().map_err(|name| not_supported(&self.shared.environment(), &name))?;
        self.shared.change(&changes)
    }

    /// The value that holds; none for "no value". Cheap enough for every frame.
    ///
    /// # Errors
    /// As [`CompressionSession::set`], where the encoder does not have it.
    #[doc(alias = "VTSessionCopyProperty")]
    pub fn get(&self, key: PropertyKey) -> Result<Option<PropertyValue>, SessionError> {
        self.shared.tell(key)
    }

    /// The value that holds, by the property's name on the wire.
    ///
    /// # Errors
    /// As [`CompressionSession::get`].
    pub fn get_named(&self, name: &str) -> Result<Option<PropertyValue>, SessionError> {
        self.shared.tell(self.shared.key(name)?)
    }

    /// Exactly the properties that this session has.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail.
    #[doc(alias = "VTSessionCopySupportedPropertyDictionary")]
    pub fn supported_properties(&self) -> Result<SupportedProperties, SessionError> {
        self.shared.get_values()?;
        Ok(supported(&self.shared.environment()))
    }

    /// What was set and is worth keeping, for [`CompressionSession::set_saved`] of another session.
    ///
    /// # Errors
    /// [`SessionError::Invalidated`], or what made the session fail.
    #[doc(alias = "VTSessionCopySerializableProperties")]
    pub fn serializable_properties(&self) -> Result<SavedProperties, SessionError> {
        self.shared.saved()
    }
}

impl<T: Send + 'static> SessionHandle<T> {
    /// As [`CompressionSession::set`].
    ///
    /// # Errors
    /// As [`CompressionSession::set`].
    pub fn set(&self, property: Property) -> Result<(), SessionError> {
        self.shared.change(&[(property.key(), Some(property.value()))])
    }

    /// As [`CompressionSession::get`].
    ///
    /// # Errors
    /// As [`CompressionSession::get`].
    pub fn get(&self, key: PropertyKey) -> Result<Option<PropertyValue>, SessionError> {
        self.shared.tell(key)
    }
}
