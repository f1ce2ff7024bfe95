//! Feedback: a take that is scored while it is encoded can still change its quality.
//!
//! The scores of the frames that are out tell how the unit answers to the quality, and so what the frames
//! that are not coded yet must have for the mean of all to be where it was aimed at. An encoder decides about
//! a frame when it codes it, so what is learned from one frame helps the next. This costs nothing: the frames
//! are scored anyway. Quality within the take drifts by a step or two, which costs about 1 % of bits; a
//! retake costs 100 %.
//!
//! Everything is reckoned in loss, where curves are lines ([`Family`]): the unit has a *level*, which is the
//! loss that its frames have at the quality that the take began with. Scores of frames tell the level, what
//! was taken for it before the first frame counts less with each of them, and recent frames count most,
//! because scenes change.

use retake_compression::encoder::QualityScale;
use retake_compression::planner::curve::Family;

/// Scored frames before the first correction: a single one is too often a sync frame that says little of the
/// others.
const FIRST: usize = 2;

/// Frames that lie so far back count a third of the newest one.
const MEMORY: f64 = 40.0;

/// The standard deviation of a frame from the level of its unit, in loss.
const FRAME_ERROR: f64 = 0.35;

/// How much worse the end of a take comes out than its beginning, with the same quality, in loss: encoders
/// invest in frames that others will refer to, and towards the end of a take there are ever fewer others.
const DRIFT: f64 = 0.15;

/// The furthest that frames may be sent from the aim to make up for those before them, in loss.
const FURTHEST: f64 = 0.7;

/// The furthest that one correction moves the quality, and the furthest from the mean of the take, in loss.
const STEP: f64 = 0.6;
const FROM_MEAN: f64 = 0.8;

/// A frame of at least so many bits a pixel is coded anew in all its parts. On recordings of screens, frames
/// between changes have a tenth of it.
const CODED_WHOLE: f64 = 0.015;

/// Chooses the quality of the frames of a take that are not coded yet, by the scores of those that are out.
pub(crate) struct QualityController {
    family: Family,
    scale: QualityScale,
    aim: f64,
    /// Frames of the take.
    frames: usize,
    begun: f64,
    quality: f64,
    /// The quality of each coded frame, in the order of coding, which is near enough to that of presentation.
    used: Vec<f64>,
    /// Pixels of a frame.
    pixels: f64,
    /// The quality that shows in the newest frame, and the sum of those of all.
    shown: f64,
    sum: f64,
    /// How many scores are known already.
    known: usize,
}

impl QualityController {
    /// A controller for a take of `frames` frames of so many `pixels` that begins with `quality` and aims at
    /// a mean score of `aim`.
    pub(crate) fn new(
        family: Family,
        scale: QualityScale,
        aim: f64,
        (frames, pixels): (u64, u64),
        quality: f64,
    ) -> Self {
        let (used, frames) = (Vec::new(), usize::try_from(frames).unwrap_or(usize::MAX));
        let family = family.of_frames();
        let pixels = pixels.max(1) as f64;
        let (shown, sum) = (quality, 0.0);
        Self { family, scale, aim, frames, begun: quality, quality, used, pixels, shown, sum, known: 0 }
    }

    /// Notes that a frame was coded, into so many bytes.
    pub(crate) fn coded(&mut self, bytes: u64) {
        self.used.push(self.quality);
        let coded = (8.0 * bytes as f64 / self.pixels / CODED_WHOLE).min(1.0).powi(2);
        self.shown += coded * (self.quality - self.shown);
        self.sum += self.shown;
    }

    /// The quality that the take as a whole has: with it for all frames, the take would have about the same
    /// score. A frame of few bits is a copy of those before it, and what shows in it is their quality.
    pub(crate) fn average(&self) -> f64 {
        if self.used.is_empty() { self.quality } else { self.sum / self.used.len() as f64 }
    }

    /// What the scores so far ask for: a new quality for the rest of the take, if it should change. Scores
    /// are those of the frames from the first one on, with `None` for frames that are not scored.
    pub(crate) fn correct(&mut self, settled: &[Option<f64>]) -> Option<f64> {
        let scores = || settled.iter().enumerate().filter_map(|(frame, score)| Some((frame, (*score)?)));
        let count = scores().count();
        let coded = self.used.len().max(settled.len());
        if count < FIRST || count == self.known || coded >= self.frames {
            return None;
        }
        self.known = count;
        let level = self.level(scores(), settled.len());
        let done = settled.len() as f64;
        let mean = scores().map(|(_, score)| score).sum::<f64>() / count as f64;
        let drift = DRIFT * (1.0 - done / self.frames as f64);
        let on_the_way: f64 = (settled.len()..coded)
            .map(|frame| self.family.score_of(level + drift + self.steps(frame) / self.family.slope(), None))
            .sum();
        let rest = (self.frames - coded) as f64;
        let wanted = (self.aim * self.frames as f64 - mean * done - on_the_way) / rest;
        let aim = self.family.loss(self.aim, None);
        let wanted = self.family.loss(wanted, None).clamp(aim - FURTHEST, aim + FURTHEST);
        let slope = self.family.slope();
        let quality = self.begun + slope * (wanted - level - drift);
        let quality = quality
            .clamp(self.average() - FROM_MEAN * slope, self.average() + FROM_MEAN * slope)
            .clamp(self.quality - STEP * slope, self.quality + STEP * slope);
        let quality = self.scale.snap(quality);
        let changed = (quality - self.quality).abs() >= self.scale.step / 2.0;
        if !changed {
            return None;
        }
        self.quality = quality;
        Some(quality)
    }

    /// How far the quality of a frame is from the one that the take began with.
    fn steps(&self, frame: usize) -> f64 {
        self.used.get(frame).unwrap_or(&self.quality) - self.begun
    }

    /// The level of the unit, by the scores of frames before `end`. Before the first of them it is taken to
    /// be what was planned for, and that is believed as much as units of a film are alike.
    fn level(&self, scores: impl Iterator<Item = (usize, f64)>, end: usize) -> f64 {
        let (mut weights, mut squares, mut sum) = (0.0, 0.0, 0.0);
        for (frame, score) in scores {
            let weight = (-((end - frame) as f64) / MEMORY).exp();
            weights += weight;
            squares += weight * weight;
            sum += weight * (self.family.loss(score, None) - self.steps(frame) / self.family.slope());
        }
        let before = self.family.loss(self.aim, None);
        let doubt = (self.family.spread() / self.family.slope()).powi(2);
        let error = FRAME_ERROR * FRAME_ERROR * squares / (weights * weights);
        before + doubt / (doubt + error) * (sum / weights - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Frames between the encoder and their scores.
    const DELAY: usize = 8;

    /// A take of a unit whose level is `away` from what was planned for, in loss, and whose frames scatter by
    /// `noise`, scored at every third frame; returns its mean score. The encoder holds frames back, as real
    /// ones do.
    fn mean_score(frames: u64, away: f64, noise: impl Fn(usize) -> f64, corrects: bool) -> f64 {
        let scale = QualityScale { min: 0.0, max: 51.0, step: 0.25, usual: 23.0 };
        let family = Family::of("x264", "vmaf", scale);
        let (of_frames, aim) = (family.of_frames(), 93.5);
        let begun = family.usual(aim);
        let mut controller = QualityController::new(family, scale, aim, (frames, 640 * 360), begun);
        let (mut quality, mut sum, mut scores) = (begun, 0.0, Vec::new());
        for frame in 0..frames as usize {
            controller.coded(100_000);
            let loss =
                of_frames.loss(aim, None) + away + noise(frame) + (quality - begun) / of_frames.slope();
            let score = of_frames.score_of(loss, None);
            sum += score;
            scores.push((frame % 3 == 1).then_some(score));
            let settled = &scores[..scores.len().saturating_sub(DELAY)];
            if let Some(corrected) = controller.correct(settled).filter(|_| corrects) {
                quality = corrected;
            }
        }
        sum / frames as f64
    }

    proptest! {
        /// Whatever a unit is like, a take that corrects itself comes out near the aim: a unit that is 0.4 of
        /// loss off what was planned misses it by 3 points otherwise.
        #[test]
        fn takes_come_out_near_their_aim(frames in 60u64..200, away in -0.45..0.45, seed in any::<u64>()) {
            let noise = |frame: usize| {
                let mut mixed = seed ^ (frame as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for _ in 0..3 {
                    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                }
                ((mixed >> 40) as f64 / f64::from(1u32 << 24) - 0.5) * 0.4
            };
            let mean = mean_score(frames, away, noise, true);
            prop_assert!((mean - 93.5).abs() < 0.6, "{mean}");
        }
    }

    /// The model shows something: without corrections the same takes come out far away.
    #[test]
    fn takes_that_do_not_correct_themselves_come_out_elsewhere() {
        for away in [-0.4, 0.4] {
            assert!((mean_score(100, away, |_| 0.0, false) - 93.5).abs() > 2.0);
        }
    }

    /// Pictures that stand still have the quality of their first frame, whatever the copies of it are coded
    /// with; pictures that move have that of all their frames.
    #[test]
    fn copies_have_the_quality_of_what_they_copy() {
        let scale = QualityScale { min: 0.0, max: 51.0, step: 0.25, usual: 23.0 };
        let average = |bytes: u64| {
            let family = Family::of("x264", "vmaf", scale);
            let mut controller = QualityController::new(family, scale, 93.5, (32, 800 * 600), 24.0);
            controller.coded(20_000);
            controller.quality = 34.0;
            (1..32).for_each(|_| controller.coded(bytes));
            controller.average()
        };
        assert!(average(30) < 24.5, "{}", average(30));
        assert!(average(5000) > 33.0, "{}", average(5000));
    }
}
