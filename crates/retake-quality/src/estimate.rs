use crate::{Pool, Scores};
use serde::{Deserialize, Serialize};

/// A pooled score of all frames, as far as the scored ones tell.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The pooled score.
    pub value: f64,
    /// Its standard error: two in three true values lie within it. 0 where every frame has a score.
    pub standard_error: f64,
}

/// Samples below which the slope of score over PSNR is taken from the metric and not fitted.
const FITTED: usize = 8;

impl Scores {
    /// The pooled score of all frames. Exact where every frame has a score; otherwise:
    ///
    /// * mean: the regression estimator. The mean of the sample is moved by what the PSNR of the frames that were not sampled
    ///   says they differ by; slope and error come from the sample.
    /// * p5 and min: frames without a score get the one that the regression expects of their PSNR; the error is that of a single such
    ///   frame. They are extremes of few frames, so treat the result as a hint and score all frames before a promise is made.
    ///
    /// NaN with an infinite error where no frame has a score.
    pub fn estimate(&self, pool: Pool) -> Estimate {
        if let Some(all) = self.complete() {
            let standard_error = if all.is_empty() { f64::INFINITY } else { 0.0 };
            return Estimate { value: pool.pool(&all), standard_error };
        }
        let sample: Vec<(f64, f64)> =
            self.frames.iter().zip(&self.psnr_y).filter_map(|(score, &db)| Some((db, (*score)?))).collect();
        if sample.is_empty() {
            return Estimate { value: f64::NAN, standard_error: f64::INFINITY };
        }
        let line = Line::through(&sample, self.metric.points_per_db());
        let (all, scored) = (self.frames.len() as f64, sample.len() as f64);
        match pool {
            Pool::Mean => {
                let value = line.at(Pool::Mean.pool(&self.psnr_y)).min(self.metric.best());
                let unseen = 1.0 - scored / all;
                Estimate { value, standard_error: (unseen * line.variance / scored).sqrt() }
            }
            Pool::P5 | Pool::Min => {
                let expected = |(score, &db): (&Option<f64>, &f64)| score.unwrap_or_else(|| line.at(db));
                let filled: Vec<f64> = self.frames.iter().zip(&self.psnr_y).map(expected).collect();
                Estimate { value: pool.pool(&filled), standard_error: line.variance.sqrt() }
            }
        }
    }
}

/// Score as a function of PSNR: a straight line through the middle of a sample.
struct Line {
    middle: (f64, f64),
    slope: f64,
    /// Of the scores around the line.
    variance: f64,
}

impl Line {
    fn through(sample: &[(f64, f64)], usual_slope: f64) -> Self {
        let n = sample.len() as f64;
        let sum = |term: &dyn Fn(f64, f64) -> f64| sample.iter().map(|&(x, y)| term(x, y)).sum::<f64>();
        let middle = (sum(&|x, _| x) / n, sum(&|_, y| y) / n);
        let spread = sum(&|x, _| (x - middle.0).powi(2));
        let fitted = sample.len() >= FITTED && spread > 1e-9;
        let slope = if fitted { sum(&|x, y| (x - middle.0) * (y - middle.1)) / spread } else { usual_slope };
        let line = Self { middle, slope, variance: 0.0 };
        let residuals = sum(&|x, y| (y - line.at(x)).powi(2));
        let freedom = (n - if fitted { 2.0 } else { 1.0 }).max(1.0);
        // a single score has no spread: what frames of one take usually differ by, beyond their PSNR, stands in
        let variance = if sample.len() == 1 { (2.0 * usual_slope).powi(2) } else { residuals / freedom };
        Self { variance, ..line }
    }

    fn at(&self, db: f64) -> f64 {
        self.middle.1 + self.slope * (db - self.middle.0)
    }
}
