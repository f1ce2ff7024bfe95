//! What a session was created with. It never changes, so it is read without a lock.

use crate::encoder::EncoderInfo;
use crate::property::Environment;
use crate::scorer::Metric;

/// What decides which properties a session has, and what they mean.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) info: EncoderInfo,
    pub(super) low_latency: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether pictures can be converted for the encoder.
    pub(super) transfers: bool,
    /// The metrics that units can be scored by, the default one first.
    pub(super) metrics: Vec<Metric>,
}

impl Setup {
    pub(super) fn environment(&self) -> Environment<'_> {
        let Self { info, low_latency, width, height, transfers, metrics } = self;
        let (low_latency, transfers) = (*low_latency, *transfers);
        Environment { info, low_latency, width: *width, height: *height, transfers, metrics }
    }
}
