//! This module guesses how a unit answers to the encoder's quality knob.
//!
//! Measurements on films cut into units show that every unit has a *ceiling* that the metric cannot exceed on
//! it (for VMAF the motion of the source sets it), and that the logarithm of the distance to the ceiling is
//! close to a straight line in the knob, with nearly the same slope for all units. So scores are turned into
//! a *loss* `u` in which curves are lines, and a Gaussian process around the population's line predicts the
//! knob from the loss. With no point it gives the population's mean, with one it moves the line, with two or
//! three it is within a few tenths of a point. The numbers were fitted on `reel-640x360` (22 units,
//! leave-one-out); `docs/planner.md` tells how.

use super::Trial;
use crate::encoder::QualityScale;

/// A family is the population of curves of one encoder under one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    metric: Metric,
    /// These are the knob at loss 0, and the knob steps per unit of loss.
    middle: f64,
    slope: f64,
    /// These are standard deviations in knob steps: of units' lines, of their bends (over a length of 2 in
    /// loss) and of single measurements.
    spread: f64,
    bend: f64,
    noise: f64,
    /// This is the number of doublings of bytes per knob step; it is negative.
    bytes: f64,
    /// This is the logarithm to base 2 of the bits a pixel that films take at `middle`.
    bits: f64,
    /// The mean quantizer of a unit's frames is above the knob by this much.
    quantizer: f64,
    scale: QualityScale,
    /// The model of a quick look is present where the encoder has one.
    look: Option<LookModel>,
}

/// The model predicts the knob from the score of a fast first encode: `middle + slope × (loss(aim) −
/// loss(look))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookModel {
    /// The preset of the look.
    pub preset: &'static str,
    /// The knob of the look, on the encoder's scale.
    pub quality: f64,
    middle: f64,
    slope: f64,
    /// This is the standard deviation of the prediction in knob steps.
    error: f64,
}

/// A metric turns scores into losses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    /// The loss is `ln((ceiling − score) / unit)`.
    Bounded {
        /// This ceiling applies where the unit does not know its own.
        ceiling: f64,
        /// This is the distance from the ceiling at loss 0.
        unit: f64,
        /// Smaller distances count as this one, because curves are flat and not monotone closer to the
        /// ceiling.
        least: f64,
    },
    /// The loss is `(middle − score) / 6`, because the scores are decibels.
    Decibels {
        /// This is the score at loss 0.
        middle: f64,
    },
}

/// A point of a unit's curve that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The quality knob of the encoder; lower is better.
    pub quality: f64,
    /// The score, on the metric's scale.
    pub score: f64,
    /// The standard error of the score; 0 where every frame was scored.
    pub error: f64,
    /// The metric's ceiling on the unit, where it is known.
    pub ceiling: Option<f64>,
}

impl Point {
    /// Returns the point that a take measured, or `None` if the take has no score.
    pub fn of(trial: &Trial) -> Option<Self> {
        let score = trial.score?;
        Some(Self { quality: trial.quality, score: score.value, error: score.error, ceiling: score.ceiling })
    }
}

/// Returns how much larger steps with the same effect are: 6 make a doubling of bytes on the H.264 and HEVC
/// scale of 51, about 14 on scales of 63, and proportionally more on longer ones. Scales of 31 are those of
/// MPEG-2 and MPEG-4: steps of quantizers themselves, not of their logarithms, which near the usual 4 are as
/// large as those of H.264, and smaller further on.
fn steps(scale: QualityScale) -> f64 {
    match scale.max {
        max if max > 64.0 => 2.4 * max / 63.0,
        max if max > 56.0 => 2.4,
        _ => 1.0,
    }
}

/// Returns the encoder whose curves those of another one are: libavcodec calls some libraries that Retake
/// calls itself, on the same scale.
fn library_of(encoder: &str) -> &str {
    match encoder {
        "avcodec:libx264" => "x264",
        "avcodec:libx265" => "x265",
        "avcodec:libsvtav1" => "svt-av1",
        "avcodec:libvpx-vp9" => "vp9",
        "avcodec:libaom-av1" => "libaom",
        _ => encoder,
    }
}

/// Returns the doublings of bytes per knob step, and by how much the mean quantizer of a unit's frames is
/// above the knob. Both do not depend on the metric.
fn bytes_and_quantizer(encoder: &str, scale: QualityScale) -> (f64, f64) {
    match encoder {
        "x264" => (-0.19, 5.0),
        "x265" => (-0.2, 4.6),
        "svt-av1" => (-0.085, -3.5),
        "vp9" => (-0.085, -3.0),
        "libaom" => (-0.077, 0.0),
        _ => (-0.17 / steps(scale), 0.0),
    }
}

/// Bends of curves are alike over this length in loss.
const BEND_LENGTH: f64 = 2.0;

/// A look is repeated where its score is further from the wanted one than this, in loss, and the knob of the
/// second one moves by as much loss as the other at most. (On films that the model was not fitted on, first
/// takes after single looks were off by up to 60 VMAF points.)
const FAR_LOOK: f64 = 0.9;
const FURTHEST_LOOK: f64 = 1.2;

/// The ceiling of single frames is above the one of units that do not know their own, in units of the metric:
/// 101 for VMAF.
const FRAMES_ABOVE: f64 = 0.36;

/// Knob steps for each loss of a frame are more than for one of a unit.
const FRAMES_SLOPE: f64 = 1.2;

impl Family {
    /// Returns the family of an encoder under a metric, both by name. Encoders and metrics without recorded
    /// curves get wide guesses derived from their scale, so that they need more passes for the same result.
    pub fn of(encoder: &str, metric: &str, scale: QualityScale) -> Self {
        let encoder = library_of(encoder);
        let vmaf = Metric::Bounded { ceiling: 98.5, unit: 7.0, least: 0.7 };
        let (bytes, quantizer) = bytes_and_quantizer(encoder, scale);
        let known = |middle, slope, spread, bend, noise, bits, look| Self {
            metric: vmaf,
            middle,
            slope,
            spread,
            bend,
            noise,
            bytes,
            bits,
            quantizer,
            scale,
            look,
        };
        let look =
            |preset, quality, middle, slope, error| Some(LookModel { preset, quality, middle, slope, error });
        match (encoder, metric) {
            ("x264", "vmaf") => {
                known(26.6, 7.94, 2.58, 2.95, 0.45, -4.2, look("veryfast", 24.0, 26.6, 5.7, 1.5))
            }
            ("x265", "vmaf") => {
                known(26.47, 8.59, 2.04, 3.27, 0.44, -4.5, look("ultrafast", 26.0, 29.7, 7.5, 1.5))
            }
            ("svt-av1", "vmaf") => {
                known(39.7, 19.9, 5.0, 17.9, 1.26, -4.8, look("12", 40.0, 42.7, 14.5, 4.0))
            }
            // VP9 has no model of a first look because its takes correct themselves
            ("vp9", "vmaf") => known(38.5, 19.0, 5.0, 10.0, 1.2, -4.8, None),
            ("libaom", "vmaf") => known(42.2, 19.5, 5.0, 10.0, 1.2, -4.8, None),
            _ => {
                let step = steps(scale);
                let metric = match metric {
                    "vmaf" => vmaf,
                    "ssimulacra2" => Metric::Bounded { ceiling: 100.0, unit: 28.0, least: 2.0 },
                    "ssim" => Metric::Bounded { ceiling: 1.0, unit: 0.02, least: 0.0005 },
                    _ => Metric::Decibels { middle: 40.0 },
                };
                let slope = match metric {
                    Metric::Decibels { .. } => 11.0,
                    Metric::Bounded { .. } => 8.0,
                };
                Self {
                    metric,
                    middle: scale.usual + 2.0 * step,
                    slope: slope * step,
                    spread: 3.0 * step,
                    bend: 3.0 * step,
                    noise: 0.5 * step,
                    bytes,
                    bits: -4.5,
                    quantizer,
                    scale,
                    look: None,
                }
            }
        }
    }

    /// Returns the model of a quick look, or `None` where it is not known how to read one.
    pub fn look(&self) -> Option<LookModel> {
        self.look
    }

    /// Predicts the knob with which an unknown unit reaches a score.
    pub fn usual(&self, score: f64) -> f64 {
        self.line(self.loss(score, None))
    }

    /// Predicts the knob with which a unit has a score, from points of its curve.
    pub fn quality_for(&self, score: f64, points: &[Point]) -> f64 {
        let ceiling = points.iter().find_map(|point| point.ceiling);
        let loss = self.loss(score, ceiling);
        let quality = Posterior::of(self, points).mean(loss);
        // a prediction far outside the tried knobs is a guess about a flat curve, so it is approached in
        // steps
        let reach = self.slope;
        let near = points.iter().map(|point| point.quality);
        let (low, high) = near.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), quality| {
            (low.min(quality), high.max(quality))
        });
        let quality = if points.is_empty() { quality } else { quality.clamp(low - reach, high + reach) };
        quality.clamp(self.scale.min, self.scale.max)
    }

    /// Predicts the knob with which a unit has a score, from the probes of a look: from the two around the
    /// score, where there are such, or from the nearest one.
    pub fn quality_by_look(&self, score: f64, probes: &[Point]) -> f64 {
        let ceiling = probes.iter().find_map(|probe| probe.ceiling);
        let loss = self.loss(score, ceiling);
        let known = self.look.and_then(|model| {
            let seen = |probe: &Point| {
                let quality = probe.quality + model.middle - model.quality;
                (self.loss(probe.score, ceiling), quality)
            };
            let better = probes.iter().map(seen).filter(|(seen, _)| *seen <= loss);
            let worse = probes.iter().map(seen).filter(|(seen, _)| *seen > loss);
            let (better, worse) =
                (better.max_by(|a, b| a.0.total_cmp(&b.0)), worse.min_by(|a, b| a.0.total_cmp(&b.0)));
            let quality = match (better, worse) {
                (Some((a, low)), Some((b, high))) => low + (high - low) * (loss - a) / (b - a),
                (Some((seen, quality)), None) | (None, Some((seen, quality))) => {
                    quality + model.slope * (loss - seen)
                }
                (None, None) => return None,
            };
            Some(Observation { loss, quality, variance: model.error * model.error })
        });
        let quality = Posterior::new(*self, known.into_iter().collect()).mean(loss);
        quality.clamp(self.scale.min, self.scale.max)
    }

    /// Returns the knob of a second probe, where the first one came out so far from a score that what lies
    /// between is a guess: near its ceiling a score tells nearly nothing.
    pub fn look_again(&self, score: f64, probe: &Point) -> Option<f64> {
        let model = self.look?;
        let away = self.loss(score, probe.ceiling) - self.loss(probe.score, probe.ceiling);
        let moved = model.slope * away.clamp(-FURTHEST_LOOK, FURTHEST_LOOK);
        let quality = self.scale.snap(probe.quality + moved);
        (away.abs() > FAR_LOOK && quality != probe.quality).then_some(quality)
    }

    /// Returns how surely takes of a unit reach a score, as its points tell it.
    pub(super) fn reach(&self, score: f64, points: &[Point]) -> Reach {
        let loss = self.loss(score, points.iter().find_map(|point| point.ceiling));
        let curve = Posterior::of(self, points);
        // that a single take is off its curve counts, too
        let deviation = curve.deviation(loss).hypot(self.noise_of_takes()).max(1e-6);
        Reach { mean: curve.mean(loss), deviation }
    }

    /// Returns the knob to begin with where an unknown film must take so many bits a pixel. It aims a quarter
    /// above, because a take that is too good can stay and be paid for elsewhere, but one that is too bad
    /// must be encoded again.
    pub fn usual_for_bits(&self, bits_per_pixel: f64) -> f64 {
        let aim = 1.25 * bits_per_pixel.max(1e-6);
        let quality = self.middle + (aim.log2() - self.bits) / self.bytes;
        // the line says nothing towards the ends of the scale: a noisy film took nine times its bytes there,
        // and every unit twice the passes
        let QualityScale { min, max, usual, .. } = self.scale;
        quality.clamp(usual - 0.4 * (usual - min), usual + 0.7 * (max - usual))
    }

    /// Returns the knob that a unit would have needed to come out as it did by a rate. `quantizer` is its
    /// mean quantizer, or 0 where the encoder does not tell it.
    pub fn quality_of(&self, quantizer: f64, bits_per_pixel: f64) -> f64 {
        let quality = match quantizer > 0.0 {
            true => quantizer - self.quantizer,
            false => self.middle + (bits_per_pixel.max(1e-6).log2() - self.bits) / self.bytes,
        };
        quality.clamp(self.scale.min, self.scale.max)
    }

    /// Returns the factor by which bytes change when the knob moves by `by`.
    pub fn bytes_factor(&self, by: f64) -> f64 {
        (by * self.bytes).exp2()
    }

    /// Returns a unit's doublings of bytes per knob step from its takes (knob, log2 of bytes). It stays near
    /// the population's value where the takes say little.
    pub fn bytes_slope(&self, takes: &[(f64, f64)]) -> f64 {
        let (count, sums) =
            (takes.len() as f64, takes.iter().fold((0.0, 0.0), |sum, take| (sum.0 + take.0, sum.1 + take.1)));
        let (mean_knob, mean_bytes) = (sums.0 / count.max(1.0), sums.1 / count.max(1.0));
        let (mut xx, mut xy) = (0.0, 0.0);
        for (knob, bytes) in takes {
            xx += (knob - mean_knob).powi(2);
            xy += (knob - mean_knob) * (bytes - mean_bytes);
        }
        // the population weighs as if it had been measured over a span of one noise-free step
        let weight = (self.noise * 2.0).powi(2);
        ((xy + weight * self.bytes) / (xx + weight)).clamp(2.0 * self.bytes, 0.4 * self.bytes)
    }

    /// Returns the logarithm of the cost of a knob step where a unit has `score`, and the growth of it with
    /// every further step. The cost of a loss is its square, because a byte must go to the worse of two units
    /// that it would improve equally.
    pub fn log_cost_rate(&self, score: f64, ceiling: Option<f64>) -> (f64, f64) {
        match self.metric {
            Metric::Bounded { unit, .. } => {
                let loss = self.loss(score, ceiling);
                ((2.0 * unit * unit / self.slope).ln() + 2.0 * loss, 2.0 / self.slope)
            }
            Metric::Decibels { .. } => ((6.0 / self.slope).ln(), 0.0),
        }
    }

    /// Returns how high above the floor a first take must aim, in tolerances. A steered take aims lower
    /// because it corrects itself.
    pub fn first_aim(&self, steered: bool) -> f64 {
        if steered { 0.5 } else { 0.8 }
    }

    /// Returns a step of the knob that surely shows in the score, whatever the curve is: about a tenth of a
    /// loss.
    pub fn nudge(&self) -> f64 {
        (0.1 * self.slope).max(self.scale.step)
    }

    /// Returns how single frames answer to the knob. They scatter around the mean of their unit, some of them
    /// above its ceiling, so that theirs is higher; a step of the knob is the same difference of scores,
    /// which is a smaller one of losses then.
    pub fn of_frames(&self) -> Self {
        match self.metric {
            Metric::Bounded { ceiling, unit, least } => {
                let metric = Metric::Bounded { ceiling: ceiling + FRAMES_ABOVE * unit, unit, least };
                Self { metric, slope: FRAMES_SLOPE * self.slope, ..*self }
            }
            Metric::Decibels { .. } => *self,
        }
    }

    /// Returns the knob steps that change the loss by 1.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// Returns the difference of knobs that is nearest to one, in whole steps of the encoder's.
    pub(super) fn in_steps(&self, difference: f64) -> f64 {
        (difference / self.scale.step).round() * self.scale.step
    }

    /// Returns the standard deviation of units' lines in knob steps.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    fn line(&self, loss: f64) -> f64 {
        self.middle + self.slope * loss
    }

    /// Returns the loss that a score stands for, on a unit with its own ceiling or one that is not known.
    pub fn loss(&self, score: f64, own: Option<f64>) -> f64 {
        match self.metric {
            Metric::Bounded { ceiling, unit, least } => {
                ((own.unwrap_or(ceiling) - score).max(least) / unit).ln()
            }
            Metric::Decibels { middle } => (middle - score) / 6.0,
        }
    }

    /// Turns a point into an observation; its variance follows from the slope of the loss by the score.
    fn observe(&self, point: &Point) -> Observation {
        let loss = self.loss(point.score, point.ceiling);
        let off = (self.loss(point.score - 0.5 * point.error, point.ceiling)
            - self.loss(point.score + 0.5 * point.error, point.ceiling))
            * self.slope;
        Observation { loss, quality: point.quality, variance: (self.noise / 2.0).powi(2) + off * off }
    }

    fn covariance(&self, a: f64, b: f64) -> f64 {
        let apart = (a - b) / BEND_LENGTH;
        self.spread * self.spread + self.bend * self.bend * (-0.5 * apart * apart).exp()
    }

    /// Returns the score that a loss stands for.
    pub fn score_of(&self, loss: f64, own: Option<f64>) -> f64 {
        match self.metric {
            Metric::Bounded { ceiling, unit, .. } => own.unwrap_or(ceiling) - unit * loss.exp(),
            Metric::Decibels { middle } => middle - 6.0 * loss,
        }
    }

    /// Returns the standard deviation of single takes from their unit's curve, in steps of the knob.
    pub(super) fn noise_of_takes(&self) -> f64 {
        self.noise / 2.0
    }
}

/// What the Gaussian process says of a unit whose curve was observed somewhere.
pub(super) struct Posterior {
    family: Family,
    known: Vec<Observation>,
    matrix: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl Posterior {
    /// Looks at points of a curve.
    pub(super) fn of(family: &Family, points: &[Point]) -> Self {
        Self::new(*family, points.iter().map(|point| family.observe(point)).collect())
    }

    fn new(family: Family, known: Vec<Observation>) -> Self {
        let count = known.len();
        let mut matrix: Vec<Vec<f64>> = (0..count)
            .map(|i| (0..count).map(|j| family.covariance(known[i].loss, known[j].loss)).collect())
            .collect();
        for (i, observation) in known.iter().enumerate() {
            matrix[i][i] += observation.variance;
        }
        let off =
            known.iter().map(|observation| observation.quality - family.line(observation.loss)).collect();
        let weights = solve(matrix.clone(), off);
        Self { family, known, matrix, weights }
    }

    /// Returns the mean of the knob at a loss.
    pub(super) fn mean(&self, loss: f64) -> f64 {
        let shift: f64 = self
            .known
            .iter()
            .zip(&self.weights)
            .map(|(observation, weight)| weight * self.family.covariance(loss, observation.loss))
            .sum();
        self.family.line(loss) + shift
    }

    /// Returns the standard deviation of the knob at a loss.
    pub(super) fn deviation(&self, loss: f64) -> f64 {
        let alike: Vec<f64> =
            self.known.iter().map(|known| self.family.covariance(loss, known.loss)).collect();
        let weights = solve(self.matrix.clone(), alike.clone());
        let explained: f64 = weights.iter().zip(&alike).map(|(weight, alike)| weight * alike).sum();
        (self.family.covariance(loss, loss) - explained).max(0.0).sqrt()
    }
}

struct Observation {
    loss: f64,
    quality: f64,
    variance: f64,
}

/// The coarsest knob with which a take reaches a score: its mean and its standard deviation.
pub(super) struct Reach {
    mean: f64,
    deviation: f64,
}

impl Reach {
    /// Returns the chance of a take with a knob. The normal distribution is near to a logistic curve, which
    /// is off by 0.01 at most (Bowling and others, 2009).
    pub(super) fn chance(&self, quality: f64) -> f64 {
        let sure = (self.mean - quality) / self.deviation;
        1.0 / (1.0 + (-(0.07056 * sure.powi(3) + 1.5976 * sure)).exp())
    }
}

/// Solves a small symmetric positive definite system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let count = right.len();
    for pivot in 0..count {
        for row in pivot + 1..count {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            let (above, below) = matrix.split_at_mut(row);
            for (value, over) in below[0][pivot..].iter_mut().zip(&above[pivot][pivot..]) {
                *value -= factor * over;
            }
            right[row] -= factor * right[pivot];
        }
    }
    for row in (0..count).rev() {
        let sum: f64 = (row + 1..count).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - sum) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x264() -> Family {
        Family::of("x264", "vmaf", QualityScale { min: 0.0, max: 51.0, step: 0.25, usual: 23.0 })
    }

    fn point(quality: f64, score: f64) -> Point {
        Point { quality, score, error: 0.0, ceiling: Some(99.0) }
    }

    #[test]
    fn a_point_at_the_target_is_the_prediction() {
        let quality = x264().quality_for(93.0, &[point(31.0, 93.0)]);
        assert!((quality - 31.0).abs() < 0.1, "{quality}");
    }

    #[test]
    fn points_on_a_line_are_carried_on() {
        // the distance to the ceiling doubles every 5 steps: 3, 6, 12
        let family = x264();
        let quality = family.quality_for(93.0, &[point(20.0, 96.0), point(30.0, 87.0)]);
        assert!((quality - 25.0).abs() < 0.5, "{quality}");
    }

    /// A look whose score is near the wanted one is believed as it was fitted; one near the ceiling is
    /// repeated, and a second probe on the other side of the score makes the prediction one between both.
    #[test]
    fn a_look_far_away_is_repeated() {
        let scale = QualityScale { min: 1.0, max: 63.0, step: 1.0, usual: 35.0 };
        let family = Family::of("svt-av1", "vmaf", scale);
        let model = family.look().unwrap();
        assert_eq!(family.look_again(93.8, &point(model.quality, 93.0)), None);
        let near = family.quality_by_look(93.8, &[point(model.quality, 93.8)]);
        assert!((near - model.middle).abs() < 2.0, "{near}");
        let high = point(model.quality, 98.9);
        let again = family.look_again(93.8, &high).unwrap();
        assert!(again > model.quality && again <= 63.0, "{again}");
        let between = family.quality_by_look(93.8, &[high, point(again, 60.0)]);
        assert!((model.quality..again).contains(&between), "{between}");
        assert!(family.quality_by_look(93.8, &[high]) > between);
        assert_eq!(family.look_again(93.8, &point(63.0, 98.9)), None);
    }

    #[test]
    fn the_system_is_solved() {
        let solution = solve(vec![vec![4.0, 1.0], vec![1.0, 3.0]], vec![1.0, 2.0]);
        assert!((solution[0] - 1.0 / 11.0).abs() < 1e-12 && (solution[1] - 7.0 / 11.0).abs() < 1e-12);
    }
}
