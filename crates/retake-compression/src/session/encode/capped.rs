//! The encoder of a session with what stands around it: the schedule of sync frames, and the cap of its rate.

use super::key_frames::{KeyFrameIntervals, KeyFrameSchedule, SharedIntervals};
use crate::encoder::{Controls, Encoder, EncoderError, EncoderFactory, EncoderSettings, RateLimit};
use crate::property::{PropertyKey, Values, set_value};
use crate::rate_limit::{CapRules, CapState, PartEnd, PartMargins, RateCapped, Unfit};
use crate::session::SessionError;
use crate::session::derive::{self, UnitStart};
use retake_media::{FormatDescription, Time};
use std::sync::Arc;

pub(super) type Capped = RateCapped<KeyFrameSchedule<Box<dyn Encoder>>>;

/// What the encodes of a session hand on to each other.
#[derive(Default)]
pub(super) struct Stream {
    state: CapState,
    intervals: SharedIntervals,
    /// The time of the session's first frame, which is its first decode time (T-2).
    start: Option<Time>,
    /// In a later pass: what samples before the unit leave of the VBV buffer.
    left: Option<RateLimit>,
}

impl Stream {
    /// A frame comes. True if it is the session's first.
    pub(super) fn begins_at(&mut self, pts: Time) -> bool {
        let first = self.start.is_none();
        self.start.get_or_insert(pts);
        first
    }

    /// A unit comes, behind samples that are in place. `usual` is the buffer of an encode without these.
    pub(super) fn begin_unit(&mut self, unit: &UnitStart, usual: Option<RateLimit>, pts: Time) {
        let again = unit.quality.is_some();
        self.left = usual.filter(|_| again).map(|usual| usual.behind(&unit.before, pts));
        self.begin_again(unit);
    }

    /// All of the unit comes, the first time or once more.
    pub(super) fn begin_again(&mut self, unit: &UnitStart) {
        self.state = CapState::behind(unit.before.iter().copied());
    }

    /// Opens an encode. `known` is the description that its samples should have: of samples that are out.
    pub(super) fn open(
        &mut self,
        factory: &Arc<dyn EncoderFactory>,
        mut settings: EncoderSettings,
        values: &Arc<Values>,
        unit: &UnitStart,
        known: Option<Arc<FormatDescription>>,
    ) -> Result<Capped, SessionError> {
        self.set_intervals(values, &settings);
        let rules = self.rules(factory, values, &settings, unit);
        let usual = settings.limit;
        let kept_here = settings.controls.limit_kept_by_caller;
        let left = self.left.filter(|left| !kept_here && usual.is_some_and(|usual| usual != *left));
        // A unit whose encoder is told of the decoder's buffer has no limit beside it.
        settings.limit = usual.and(left.or(usual));
        let (factory, values, intervals) = (factory.clone(), values.clone(), self.intervals.clone());
        let info = factory.info().clone();
        let open = move |settings: &EncoderSettings| -> Result<_, EncoderError> {
            let mut encoder = factory.open(settings)?;
            let differs =
                known.as_ref().is_some_and(|known| **known != derive::described(&values, encoder.format()));
            if (left.is_some() || kept_here) && differs {
                // A level that follows from the buffer, for one: samples of one stream have one description.
                let controls = Controls { limit_kept_by_caller: false, ..settings.controls.clone() };
                encoder = factory.open(&EncoderSettings { limit: usual, controls, ..settings.clone() })?;
            }
            Ok(KeyFrameSchedule::new(encoder, intervals.clone()))
        };
        let state = std::mem::take(&mut self.state);
        let kept = state.clone();
        RateCapped::new(&info, settings, rules, state, Box::new(open)).map_err(|error| {
            self.state = kept;
            error.into()
        })
    }

    /// An encode is over.
    pub(super) fn close(&mut self, encoder: Capped) {
        self.state = encoder.into_state();
    }

    /// The intervals of sync frames from now on.
    pub(super) fn set_intervals(&self, values: &Values, settings: &EncoderSettings) {
        self.intervals.set(KeyFrameIntervals::of(values, settings.max_key_frame_interval));
    }

    /// What the cap keeps to.
    pub(super) fn rules(
        &self,
        factory: &Arc<dyn EncoderFactory>,
        values: &Values,
        settings: &EncoderSettings,
        unit: &UnitStart,
    ) -> CapRules {
        let knows_limits = factory.info().controls.rate_limit && !settings.controls.limit_kept_by_caller;
        // In a later pass, encoders that know limits are told what is left of the buffer.
        let told = unit.quality.is_some() && knows_limits;
        if settings.controls.base_qp || told {
            return CapRules::default();
        }
        let passes = values.has(PropertyKey::MultiPassStorage);
        CapRules {
            limits: set_value!(values, DataRateLimits).cloned().unwrap_or_default(),
            margins: self.margins(values, settings).filter(|_| !knows_limits),
            unfit: if passes { Unfit::Emitted } else { Unfit::Dropped },
            hold_back: derive::hold_back(factory.info(), values, settings, unit),
            after: unit.after.clone(),
        }
    }

    /// Where the session is joined to others, for encoders that do not look at limits there themselves.
    fn margins(&self, values: &Values, settings: &EncoderSettings) -> Option<PartMargins> {
        let flag = |value: Option<&bool>| value == Some(&true);
        let before = flag(set_value!(values, MoreFramesBeforeStart));
        let after = flag(set_value!(values, MoreFramesAfterEnd));
        if !(before || after) {
            return None;
        }
        let length = match (set_value!(values, ExpectedDuration), settings.controls.frame_count) {
            (Some(&seconds), _) if seconds > 0.0 => Some(seconds),
            (_, 0) => None,
            (_, frames) => Some(frames as f64 / settings.frame_rate.to_f64()),
        };
        let end = match length.zip(self.start) {
            _ if !after => PartEnd::Free,
            Some((seconds, start)) => PartEnd::At(start + Time::from_seconds(seconds, 90_000)),
            None => PartEnd::Unknown,
        };
        Some(PartMargins { start: self.start.filter(|_| before), end, average: derive::average(values) })
    }
}
