//! How long the planner thinks, on the recorded curves of one film, repeated to the length of a long one.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use retake_compression::encoder::QualityScale;
use retake_compression::planner::curve::Family;
use retake_compression::planner::{Brief, Effort, Objective, Trial, UnitState, plan};
use retake_compression::take::Score;
use retake_compression::units::FrameRange;
use serde::Deserialize;

fn main() {
    divan::main();
}

#[derive(Deserialize)]
struct Recorded {
    units: Vec<RecordedUnit>,
}

#[derive(Deserialize)]
struct RecordedUnit {
    start: u64,
    end: u64,
    ceiling: f64,
    /// Quality, bytes, score; by rising quality number.
    points: Vec<[f64; 3]>,
}

const SCALE: QualityScale = QualityScale { min: 1.0, max: 51.0, step: 0.1, usual: 23.0 };

/// A film of so many units, each of which was taken so many times.
fn film(count: usize, takes: usize) -> Vec<UnitState> {
    let recorded: Recorded = serde_json::from_str(include_str!("../tests/data/x264.json"))
        .expect("the recorded curves are part of the repository");
    let trial = |unit: &RecordedUnit, [quality, bytes, value]: [f64; 3]| Trial {
        quality,
        bytes: bytes as u64,
        score: Some(Score { value, error: 0.1, psnr: 40.0, ceiling: Some(unit.ceiling) }),
    };
    recorded
        .units
        .iter()
        .cycle()
        .take(count)
        .map(|unit| UnitState {
            range: FrameRange::new(unit.start, unit.end),
            trials: unit.points.iter().skip(4).take(takes).map(|point| trial(unit, *point)).collect(),
        })
        .collect()
}

fn brief(objective: Objective) -> Brief {
    let family = Family::of("x264", "vmaf", SCALE);
    Brief { objective, scale: SCALE, family, max_passes: 5, newest_only: false, effort: Effort::Balanced }
}

/// A quality floor: two hours are about two thousand units.
#[divan::bench(args = [(22, 1), (2000, 1), (2000, 3)])]
fn floor(bencher: Bencher, (units, takes): (usize, usize)) {
    let (film, brief) = (film(units, takes), brief(Objective::Floor { floor: 93.0, tolerance: 0.5 }));
    bencher.counter(ItemsCount::new(units)).bench(|| plan(black_box(&brief), black_box(&film), 1));
}

/// A number of bytes, a tenth below what the takes have.
#[divan::bench(args = [(22, 1), (2000, 1), (2000, 3)])]
fn bytes(bencher: Bencher, (units, takes): (usize, usize)) {
    let film = film(units, takes);
    let taken: u64 = film.iter().map(|unit| unit.trials[0].bytes).sum();
    let brief = brief(Objective::Bytes { target: taken * 9 / 10, at_most: true });
    bencher.counter(ItemsCount::new(units)).bench(|| plan(black_box(&brief), black_box(&film), 1));
}
