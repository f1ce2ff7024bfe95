//! Which rungs a ladder gets, by what probes of the film found: sizes lie on the upper convex hull of quality
//! over rate, as Netflix published it for encodes per title (Aaron et al., 2015). It is drawn over the
//! logarithm of the rate, because curves of single sizes are nearly straight there.
//!
//! The first rung is the cheapest that reaches the floor. Each further one is the next noticeable difference
//! below, for which six points of VMAF are customary, as far as that keeps its rate between 1/2 and 2/3 of
//! the one before: Apple's rules for authors of HLS want adjacent rates to differ by a factor of 1.5 to 2.
//! The alternative was rates at equal ratios alone: of films that are easy, several rungs then look alike.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// By how many times what matters of a metric two rungs differ: six points of VMAF.
const STEP: f64 = 6.0;
/// The bounds of the ratio of two rates.
const RATIOS: [f64; 2] = [1.5, 2.0];
/// How far below the usual floor the lowest useful score is, in what matters: VMAF 40, which viewers call
/// poor.
const LOWEST: f64 = 53.0;
/// No ladder has so many rungs; where fewer are wanted, they are spread over as far a way.
const MOST: usize = 32;

/// What was found of the film at one size and one quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Probed {
    /// Rows of the pictures.
    pub rows: u32,
    /// Bits per second.
    pub rate: f64,
    /// The mean score against the source, in the source's size.
    pub score: f64,
    /// The worst score of a sample of the film.
    pub worst: f64,
}

/// What is wanted of the ladder, on the metric's scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// What the first rung is to reach.
    pub floor: f64,
    /// The usual floor of the metric.
    pub usual: f64,
    /// A difference that matters, as of one point of VMAF.
    pub unit: f64,
    /// The most rungs.
    pub most: usize,
}

/// A rung of a ladder that was chosen by measured quality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChosenRung {
    /// Rows of its pictures.
    pub rows: u32,
    /// The bits per second of its video that are expected.
    pub bit_rate: u64,
    /// The mean score that is expected against the source, when its pictures are scaled to the source's size.
    pub score: f64,
    /// Whether it is made to the floor that is wanted, because it has the source's size; the others are made
    /// to their rate.
    pub to_floor: bool,
}

/// What each size costs: points of rising rate and score.
struct Curves(BTreeMap<u32, Vec<Probed>>);

impl Curves {
    fn of(points: &[Probed]) -> Self {
        let mut curves: BTreeMap<u32, Vec<Probed>> = BTreeMap::new();
        for point in points {
            curves.entry(point.rows).or_default().push(*point);
        }
        for curve in curves.values_mut() {
            curve.sort_by(|a, b| a.rate.total_cmp(&b.rate));
            let mut risen: Vec<Probed> = Vec::new();
            for point in curve.iter() {
                if risen.last().is_none_or(|last| point.score > last.score && point.rate > last.rate) {
                    risen.push(*point);
                }
            }
            *curve = risen;
        }
        let hull = hull(curves.values().flatten().copied().collect());
        curves.retain(|rows, _| hull.iter().any(|point| point.rows == *rows));
        Self(curves)
    }

    /// The rates that are known of some size.
    fn rates(&self) -> Option<(f64, f64)> {
        let all = || self.0.values().flatten().map(|point| point.rate);
        Some((all().min_by(f64::total_cmp)?, all().max_by(f64::total_cmp)?))
    }

    /// The size that looks best at a rate, of those with so many rows at most, and its score.
    fn best(&self, rate: f64, most_rows: u32) -> Option<(u32, f64)> {
        let of = self.0.range(..=most_rows).filter_map(|(rows, curve)| Some((*rows, score_at(curve, rate)?)));
        // of two that look alike the larger one
        of.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The least rate at which some size, of those with so many rows at most, has a score.
    fn rate_for(&self, score: f64, most_rows: u32) -> Option<f64> {
        let (mut low, mut high) = self.rates()?;
        let reaches = |rate| self.best(rate, most_rows).is_some_and(|(_, found)| found >= score);
        if reaches(low) || !reaches(high) {
            return reaches(low).then_some(low);
        }
        for _ in 0..40 {
            let middle = (low * high).sqrt();
            *if reaches(middle) { &mut high } else { &mut low } = middle;
        }
        Some(high)
    }
}

/// The upper convex hull of points over the logarithm of their rate, as far as it rises.
fn hull(mut points: Vec<Probed>) -> Vec<Probed> {
    points.sort_by(|a, b| a.rate.total_cmp(&b.rate).then(b.score.total_cmp(&a.score)));
    let mut hull: Vec<Probed> = Vec::new();
    let slope = |a: &Probed, b: &Probed| (b.score - a.score) / (b.rate / a.rate).log2().max(1e-9);
    for point in points {
        if hull.last().is_some_and(|last| point.score <= last.score) {
            continue;
        }
        while let [.., before, last] = &hull[..]
            && slope(before, last) <= slope(last, &point)
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

/// The score of a size at a rate; what is finer than all probes scores like the finest, and of what is
/// coarser nothing is known.
fn score_at(curve: &[Probed], rate: f64) -> Option<f64> {
    let behind = curve.partition_point(|point| point.rate <= rate);
    let before = curve.get(behind.checked_sub(1)?)?;
    let Some(after) = curve.get(behind) else { return Some(before.score) };
    let part = (rate / before.rate).log2() / (after.rate / before.rate).log2();
    Some(before.score + part * (after.score - before.score))
}

/// The least rate at which the worst sample of a size reaches a score.
fn reaching(curve: &[Probed], score: f64) -> Option<f64> {
    let at = curve.iter().position(|point| point.worst >= score)?;
    let after = curve[at];
    let Some(before) = at.checked_sub(1).map(|before| curve[before]) else { return Some(after.rate) };
    let part = (score - before.worst) / (after.worst - before.worst).max(1e-9);
    Some(before.rate * (after.rate / before.rate).powf(part))
}

/// The rungs, the best first; `source` is how many rows that has. None where there are no points.
pub(super) fn rungs(points: &[Probed], wanted: Wanted, source: u32) -> Vec<ChosenRung> {
    let curves = Curves::of(points);
    let Some((least, most)) = curves.rates() else { return Vec::new() };
    let cheapest = curves
        .0
        .iter()
        .filter_map(|(rows, curve)| Some((*rows, reaching(curve, wanted.floor)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    // where nothing reaches the floor, the first is the best that was found
    let first = cheapest.or_else(|| Some((curves.best(most, source)?.0, most)));
    let Some((rows, rate)) = first else { return Vec::new() };
    let Some(score) = curves.0.get(&rows).and_then(|curve| score_at(curve, rate)) else { return Vec::new() };
    let mut all = vec![(rows, rate, score)];
    let lowest = wanted.usual.min(wanted.floor) - LOWEST * wanted.unit;
    while all.len() < MOST
        && let Some(&(rows, rate, score)) = all.last()
    {
        let step = curves.rate_for(score - STEP * wanted.unit, rows).unwrap_or(least);
        let next = step.clamp(rate / RATIOS[1], rate / RATIOS[0]);
        match curves.best(next, rows) {
            Some((rows, lower)) if next >= least && lower < score && lower >= lowest => {
                all.push((rows, next, lower));
            }
            _ => break,
        }
    }
    if all.len() > wanted.most {
        let last = all[all.len() - 1].1;
        let ratio = (last / rate).powf(1.0 / (wanted.most.max(2) - 1) as f64);
        let mut spread = vec![all[0]];
        while spread.len() < wanted.most
            && let Some(&(rows, rate, score)) = spread.last()
            && let Some((rows, lower)) = curves.best((rate * ratio).max(least), rows)
            && lower < score
        {
            spread.push((rows, (rate * ratio).max(least), lower));
        }
        all = spread;
    }
    let rung = |(number, (rows, rate, score)): (usize, (u32, f64, f64))| ChosenRung {
        rows,
        bit_rate: round(rate),
        score,
        to_floor: number == 0 && rows == source,
    };
    all.into_iter().enumerate().map(rung).collect()
}

/// Three digits are as good as any more, and read better.
fn round(rate: f64) -> u64 {
    let scale = 10_f64.powf((rate.max(1.0).log10().floor() - 2.0).max(0.0));
    ((rate / scale).round() * scale).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { floor: 93.0, usual: 93.0, unit: 1.0, most: 8 };

    /// A size whose score rises by so much with each doubling of the rate, up to a ceiling that it comes near
    /// to at `full`.
    fn size(rows: u32, ceiling: f64, full: f64) -> Vec<Probed> {
        let point = |doublings: f64| {
            let score = ceiling - 4.0 * doublings * doublings / 2.0;
            Probed { rows, rate: full / doublings.exp2(), score, worst: score - 1.0 }
        };
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(point).into()
    }

    fn ladder(sizes: &[Vec<Probed>], most: usize) -> Vec<ChosenRung> {
        rungs(&sizes.concat(), Wanted { most, ..WANTED }, 1080)
    }

    #[test]
    fn rungs_fall_in_size_rate_and_score() {
        let sizes = [size(1080, 98.0, 8e6), size(720, 92.0, 4e6), size(360, 75.0, 1e6)];
        let rungs = ladder(&sizes, 8);
        assert!(rungs.len() > 3, "{rungs:?}");
        assert!(rungs[0].to_floor && rungs[0].rows == 1080 && rungs[0].score > 93.0, "{rungs:?}");
        for pair in rungs.windows(2) {
            let ratio = pair[0].bit_rate as f64 / pair[1].bit_rate as f64;
            assert!((1.49..2.02).contains(&ratio), "{rungs:?}");
            assert!(pair[0].rows >= pair[1].rows && pair[0].score > pair[1].score, "{rungs:?}");
            assert!(!pair[1].to_floor);
        }
        assert!(rungs.iter().any(|rung| rung.rows == 720) && rungs.iter().any(|rung| rung.rows == 360));
    }

    /// Where a small size loses nothing, it takes the place of the large one at every rate.
    #[test]
    fn a_size_below_the_hull_has_no_rung() {
        let rungs = ladder(&[size(1080, 97.0, 8e6), size(540, 97.0, 3e6)], 8);
        assert!(rungs.iter().all(|rung| rung.rows == 540 && !rung.to_floor), "{rungs:?}");
        let rungs = ladder(&[size(1080, 97.0, 3e6), size(540, 80.0, 3e6)], 8);
        assert!(rungs.iter().all(|rung| rung.rows == 1080), "{rungs:?}");
    }

    #[test]
    fn fewer_rungs_are_spread_over_the_same_way() {
        let sizes = [size(1080, 98.0, 8e6), size(360, 80.0, 1e6)];
        let (all, few) = (ladder(&sizes, 8), ladder(&sizes, 3));
        assert_eq!(few.len(), 3);
        assert_eq!(few[0], all[0]);
        let (last, end) = (few[2].bit_rate as f64, all[all.len() - 1].bit_rate as f64);
        assert!((last / end - 1.0).abs() < 0.02, "{all:?} {few:?}");
        assert_eq!(ladder(&sizes, 1).len(), 1);
    }

    /// Where no probe reaches the floor, the first rung is the best; where there is no probe, there is none.
    #[test]
    fn a_floor_that_nothing_reaches_and_no_points() {
        let rungs = ladder(&[size(1080, 85.0, 8e6)], 8);
        assert_eq!((rungs[0].rows, rungs[0].bit_rate), (1080, 8_000_000));
        assert!(ladder(&[], 8).is_empty());
        assert_eq!([round(1_234_567.0), round(87.4), round(0.2)], [1_230_000, 87, 1]);
    }

    #[test]
    fn hulls_are_convex() {
        let point = |rate: f64, score: f64| Probed { rows: 2, rate, score, worst: score };
        let points = [(1.0, 10.0), (2.0, 11.0), (4.0, 40.0), (8.0, 50.0), (16.0, 45.0), (16.0, 52.0)];
        let kept = hull(points.map(|(rate, score)| point(rate, score)).into());
        let rates: Vec<f64> = kept.iter().map(|point| point.rate).collect();
        assert_eq!(rates, [1.0, 4.0, 8.0, 16.0]);
    }
}
