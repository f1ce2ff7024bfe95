use retake_media::TimeRange;
use std::sync::Arc;

/// What one pass asks for.
#[doc(alias = "AVAssetWriterInputPassDescription")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassDescription {
    ranges: Arc<[TimeRange]>,
}

impl PassDescription {
    pub(crate) fn new(ranges: impl Into<Arc<[TimeRange]>>) -> Self {
        Self { ranges: ranges.into() }
    }

    /// The parts of the source that have to be appended in this pass, all of them and nothing else: ascending
    /// and apart, in the source's own time, whatever the session's start is. Of the first pass:
    /// [`TimeRange::EVERYTHING`], which stands for all that there is, before zero too.
    #[doc(alias = "sourceTimeRanges")]
    pub fn source_time_ranges(&self) -> &[TimeRange] {
        &self.ranges
    }
}
