//! Scoring while encoding: source pictures wait for what a decoder will see of them, and each unit has a
//! score of its own.

use crate::encoder::EncoderSettings;
use crate::scorer::{AnyScorer, Scorers};
use crate::take::Score;
use retake_media::{PixelBuffer, Time};
use std::collections::BTreeMap;

/// A score, or why there is none, with the time of the first frame that it is about.
pub(super) type UnitScore = (Time, Result<Score, String>);

/// Scores the units of one running encode.
pub(super) struct UnitScorer {
    metric: String,
    settings: EncoderSettings,
    units: Units,
    /// Frames whose picture or sample is not out yet, by their index in this encode.
    waiting: BTreeMap<u64, Waiting>,
    /// The unit that is being scored, by the time of its first frame.
    scorer: Option<(Time, Opened)>,
}

/// Which frames of an encode are scored as one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// Each sync frame begins another unit.
    BySync,
    /// The encode is one unit.
    One,
}

/// A scorer, or why it is of no further use.
type Opened = Result<AnyScorer, String>;

struct Waiting {
    pts: Time,
    source: PixelBuffer,
    picture: Option<PixelBuffer>,
    /// Whether its sample is a sync sample, when that is known.
    sync: Option<bool>,
}

impl UnitScorer {
    pub(super) fn new(metric: String, settings: EncoderSettings, units: Units) -> Self {
        Self { metric, settings, units, waiting: BTreeMap::new(), scorer: None }
    }

    /// A frame went in. Its source is kept until its picture is out: as many are kept as the encoder holds.
    pub(super) fn sent(&mut self, index: u64, pts: Time, source: PixelBuffer) {
        self.waiting.insert(index, Waiting { pts, source, picture: None, sync: None });
    }

    /// A frame was refused.
    pub(super) fn refused(&mut self, index: u64) {
        self.waiting.remove(&index);
    }

    /// The sample of a frame came out.
    pub(super) fn coded(&mut self, index: u64, sync: bool) {
        if let Some(frame) = self.waiting.get_mut(&index) {
            frame.sync = Some(sync);
        }
    }

    /// What a decoder will see of a frame came out.
    pub(super) fn seen(&mut self, index: u64, picture: PixelBuffer) {
        if let Some(frame) = self.waiting.get_mut(&index) {
            frame.picture = Some(picture);
        }
    }

    /// Scores what can be scored, in presentation order. Gives the score of a unit that is over.
    pub(super) fn score(&mut self, scorers: &dyn Scorers) -> Option<UnitScore> {
        while let Some(entry) = self.waiting.first_entry() {
            let (Some(picture), Some(sync)) = (&entry.get().picture, entry.get().sync) else { return None };
            if self.scorer.is_some() && sync && self.units == Units::BySync {
                // the frame stays, and begins another unit
                return self.finish();
            }
            let frame = entry.get();
            let (_, scorer) =
                self.scorer.get_or_insert_with(|| (frame.pts, scorers.open(&self.metric, &self.settings)));
            if let Ok(running) = scorer
                && let Err(reason) = running.push(&frame.source, picture)
            {
                *scorer = Err(reason);
            }
            entry.remove();
            if self.units == Units::BySync && self.scorer.as_ref().is_some_and(|(_, scorer)| scorer.is_err())
            {
                return self.finish();
            }
        }
        None
    }

    /// The encode is over, or its unit is: the score of what was scored since the last one.
    pub(super) fn finish(&mut self) -> Option<UnitScore> {
        let (first, scorer) = self.scorer.take()?;
        Some((first, scorer.and_then(|scorer| scorer.finish())))
    }
}
