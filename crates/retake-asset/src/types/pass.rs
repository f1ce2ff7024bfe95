//! This module describes a pass of an input.

use retake_media::TimeRange;
use std::sync::Arc;

/// A pass asks for ranges of the source.
#[doc(alias = "AVAssetWriterInputPassDescription")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassDescription {
    ranges: Arc<[TimeRange]>,
}

impl PassDescription {
    pub(crate) fn new(ranges: impl Into<Arc<[TimeRange]>>) -> Self {
        Self { ranges: ranges.into() }
    }

    /// The parts of the source that must be appended in this pass, all of them and no others: ascending and
    /// apart, in the source's own time, whatever the session's start is. The first pass has
    /// [`TimeRange::EVERYTHING`], which stands for all media, also before zero.
    #[doc(alias = "sourceTimeRanges")]
    pub fn source_time_ranges(&self) -> &[TimeRange] {
        &self.ranges
    }
}
