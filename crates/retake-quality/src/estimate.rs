//! Estimates the pooled score of all frames from a sample of them, with its uncertainty.

use crate::{Pooling, Scores};
use serde::{Deserialize, Serialize};

/// The pooled score of all frames, as the scored ones suggest it.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The pooled score.
    pub value: f64,
    /// The standard error of the value: two in three true values lie within it. It is 0 where every frame has
    /// a score.
    pub standard_error: f64,
}

impl Scores {
    /// Returns the pooled score of all frames. It is exact where every frame has a score; otherwise it is
    /// estimated:
    ///
    /// * The mean comes from a regression estimator, which moves the mean of the sample by the difference
    ///   that the known properties of all frames (luma PSNR, and motion for VMAF) predict for the others. The
    ///   slopes come from the sample; the fewer frames it has and the more alike they are, the nearer they
    ///   stay to usual slopes.
    /// * For p5 and min, frames without a score get the one that the regression expects, and the error is
    ///   that of one such frame. They are extremes of few frames, so treat the result as a hint and score all
    ///   frames before a promise is made.
    ///
    /// It is NaN with an infinite error where no frame has a score.
    pub fn estimate(&self, pool: Pooling) -> Estimate {
        if let Some(all) = self.complete() {
            let standard_error = if all.is_empty() { f64::INFINITY } else { 0.0 };
            return Estimate { value: pool.pool(&all), standard_error };
        }
        let Some(fit) = Fit::of(self) else {
            return Estimate { value: f64::NAN, standard_error: f64::INFINITY };
        };
        let (all, scored) = (self.frames.len() as f64, self.scored() as f64);
        let expected = (0..self.frames.len()).map(|frame| fit.expect(known(self, frame)));
        match pool {
            Pooling::Mean => {
                let value = (expected.sum::<f64>() / all).min(self.metric.best());
                let unseen = 1.0 - scored / all;
                Estimate { value, standard_error: (unseen * fit.variance / scored).sqrt() }
            }
            Pooling::P5 | Pooling::Min => {
                let filled: Vec<f64> = self
                    .frames
                    .iter()
                    .zip(expected)
                    .map(|(score, expected)| score.unwrap_or(expected))
                    .collect();
                Estimate { value: pool.pool(&filled), standard_error: fit.variance.sqrt() }
            }
        }
    }
}

/// Returns the properties of a frame that are known without its score: luma PSNR, and the root of its motion
/// (0 where the metric measures none).
fn known(scores: &Scores, frame: usize) -> [f64; 2] {
    [scores.psnr_y[frame], scores.motion.get(frame).map_or(0.0, |motion| motion.max(0.0).sqrt())]
}

/// The weight of the usual slopes, as a sum of squares of a sample that had them: of 8 dB², and of 1 unit of
/// motion.
const TRUST: [f64; 2] = [8.0, 1.0];

/// The score as a linear function of a frame's known properties, found by ridge regression towards the
/// metric's usual slopes.
struct Fit {
    middle: [f64; 2],
    mean: f64,
    slopes: [f64; 2],
    /// The variance of scores around those that the fit expects.
    variance: f64,
}

impl Fit {
    fn of(scores: &Scores) -> Option<Self> {
        let scored = |(frame, score): (usize, &Option<f64>)| Some((known(scores, frame), (*score)?));
        let sample: Vec<([f64; 2], f64)> = scores.frames.iter().enumerate().filter_map(scored).collect();
        if sample.is_empty() {
            return None;
        }
        let n = sample.len() as f64;
        let sum = |term: &dyn Fn([f64; 2], f64) -> f64| sample.iter().map(|&(x, y)| term(x, y)).sum::<f64>();
        let middle = [0, 1].map(|which| sum(&|x, _| x[which]) / n);
        let mean = sum(&|_, y| y) / n;
        let product = |i: usize, j: usize| sum(&|x, _| (x[i] - middle[i]) * (x[j] - middle[j]));
        let with_score = |i: usize| sum(&|x, y| (x[i] - middle[i]) * (y - mean));

        let usual = scores.metric.usual_slopes();
        let (a, b, d) = (product(0, 0) + TRUST[0], product(0, 1), product(1, 1) + TRUST[1]);
        let right = [0, 1].map(|which| with_score(which) + TRUST[which] * usual[which]);
        // The weight of the usual slopes keeps the determinant above 0.
        let determinant = a * d - b * b;
        let slopes =
            [(right[0] * d - right[1] * b) / determinant, (right[1] * a - right[0] * b) / determinant];

        let fit = Self { middle, mean, slopes, variance: 0.0 };
        let residuals = sum(&|x, y| (y - fit.expect(x)).powi(2));
        // One more residual of the usual size is added, because two or three frames that happen to agree
        // prove little.
        let usual_residual = (0.4 * usual[0]).powi(2);
        let variance = (residuals + usual_residual) / ((n - 2.0).max(0.0) + 1.0);
        Some(Self { variance, ..fit })
    }

    fn expect(&self, known: [f64; 2]) -> f64 {
        let [x, y] = [0, 1].map(|which| self.slopes[which] * (known[which] - self.middle[which]));
        self.mean + x + y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricKind;

    fn scores(frames: &[Option<f64>], psnr_y: &[f64], motion: &[f64]) -> Scores {
        Scores {
            metric: MetricKind::Vmaf,
            frames: frames.into(),
            psnr_y: psnr_y.into(),
            motion: motion.into(),
        }
    }

    #[test]
    fn complete_scores_are_not_estimated() {
        let all = scores(&[Some(90.0), Some(94.0)], &[38.0, 30.0], &[]);
        assert_eq!(all.estimate(Pooling::Mean), Estimate { value: 92.0, standard_error: 0.0 });
        assert_eq!(all.estimate(Pooling::Min), Estimate { value: 90.0, standard_error: 0.0 });
    }

    #[test]
    fn nothing_scored_is_nothing_known() {
        let none = scores(&[None, None], &[38.0, 30.0], &[]);
        assert!(Pooling::ALL.iter().all(|&pool| none.estimate(pool).value.is_nan()));
        assert_eq!(none.estimate(Pooling::Mean).standard_error, f64::INFINITY);
        assert!(scores(&[], &[], &[]).estimate(Pooling::Mean).value.is_nan());
    }

    #[test]
    fn one_frame_speaks_for_the_others_by_the_usual_slope() {
        let one = scores(&[Some(90.0), None], &[38.0, 40.0], &[]);
        let estimate = one.estimate(Pooling::Mean);
        assert!((estimate.value - (90.0 + 2.5)).abs() < 1e-9, "half of the frames are 2 dB better");
        assert!(estimate.standard_error > 0.3);
        assert_eq!(one.estimate(Pooling::Min).value, 90.0);
    }

    #[test]
    fn a_linear_film_is_found_exactly() {
        let known = |frame: usize| (36.0 + 5.0 * ((frame * 37 % 100) as f64 / 100.0), (frame % 7) as f64);
        let truth = |frame: usize| 50.0 + known(frame).0 + 1.5 * known(frame).1.sqrt();
        let psnr: Vec<f64> = (0..900).map(|frame| known(frame).0).collect();
        let motion: Vec<f64> = (0..900).map(|frame| known(frame).1).collect();
        let sampled: Vec<_> = (0..900).map(|frame| (frame % 5 == 2).then(|| truth(frame))).collect();
        let mean = (0..900).map(truth).sum::<f64>() / 900.0;
        let estimate = scores(&sampled, &psnr, &motion).estimate(Pooling::Mean);
        assert!(
            (estimate.value - mean).abs() < 0.01 && estimate.standard_error < 0.02,
            "{estimate:?}, {mean}"
        );
    }
}
