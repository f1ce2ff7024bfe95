//! When a property may still be set.

use super::Core;
use super::passes::Passes;
use crate::property::{PropertyError, PropertyKey, PropertyValue, Values};
use crate::session::{SessionError, derive};
use std::sync::Arc;

/// MP-28: what may be set between passes, because samples do not depend on it.
pub(in crate::session) const MERE_HINTS: [PropertyKey; 3] = [
    PropertyKey::RealTime,
    PropertyKey::MaximizePowerEfficiency,
    PropertyKey::PrioritizeEncodingSpeedOverQuality,
];

/// One change: another value, or back to the default without one.
pub(in crate::session) type PropertyChange = (PropertyKey, Option<PropertyValue>);

impl<T> Core<T> {
    /// The values with all changes, or an error and none of them (PR-1, PR-3). Nothing has changed until
    /// [`Core::commit`].
    ///
    /// A group is complete: what its values need beside them has to be there. What a single change needs may
    /// still come, until the session opens.
    pub(in crate::session) fn propose(
        &self,
        changes: &[PropertyChange],
        group: bool,
    ) -> Result<Values, SessionError> {
        self.phase.dead()?;
        if self.passes.have_begun()
            && let Some((key, _)) = changes.iter().find(|(key, _)| !MERE_HINTS.contains(key))
        {
            let reason = "every pass has to encode with the same: it cannot be set once the first has begun";
            return Err(PropertyError::parameter(*key, reason).into());
        }
        let (environment, frozen) = (self.setup.environment(), self.phase.is_frozen());
        let values = self.values.with(&environment, changes, frozen)?;
        if frozen {
            // There is no later moment at which it could be judged.
            derive::check_complete(&environment, &values, &self.hints)?;
        } else if group {
            let frame_rate = derive::frame_rate(&values, &self.hints).to_f64();
            values.check_complete(&environment, frame_rate, changes.iter().map(|(key, _)| *key))?;
        }
        Ok(values)
    }

    /// Makes values hold that were proposed.
    pub(in crate::session) fn commit(&mut self, values: Values) {
        self.values = Arc::new(values);
    }

    /// Makes the session one of several passes, or of one without any.
    pub(in crate::session) fn set_passes(&mut self, passes: Option<Passes>) {
        self.passes.set(passes);
    }
}

/// What samples depend on, as text that is equal for equal values: a storage goes on with equal ones only
/// (MP-3).
pub(in crate::session) fn settings_text(values: &Values) -> String {
    let of_passes = |key| {
        matches!(
            key,
            PropertyKey::MultiPassStorage
                | PropertyKey::MaxPassCount
                | PropertyKey::RequestWholeSourcePasses
                | PropertyKey::AlwaysRequestSecondPass
        )
    };
    let counted = |key| !of_passes(key) && !MERE_HINTS.contains(&key);
    let counted = values.iter().filter(|property| counted(property.key()));
    let text: Vec<String> =
        counted.map(|property| format!("{}={}", property.key(), property.value())).collect();
    text.join("; ")
}
