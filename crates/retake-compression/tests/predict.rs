//! Predictions from the takes of a film, held against what the planner comes to on recorded curves.

#![allow(clippy::unwrap_used)] // helpers of tests fail by panic, as tests do

mod recorded;

use recorded::{ENCODERS, RecordedFilm, RecordedUnit};
use retake_compression::encoder::QualityScale;
use retake_compression::planner::curve::Family;
use retake_compression::planner::{
    Brief, Effort, Interval, Objective, Trial, UnitState, Windows, floor, plan, predict,
};
use retake_compression::property::DataRateLimit;
use retake_compression::rate_limit::{Caps, TimedBytes, fullest, overfull};
use retake_compression::take::Score;
use retake_compression::units::FrameRange;
use std::collections::BTreeMap;

/// A film that was made: its recorded units and their takes.
struct Made {
    recorded: Vec<RecordedUnit>,
    states: Vec<UnitState>,
    scale: QualityScale,
    family: Family,
}

/// What came of a film.
struct Came {
    bytes: f64,
    mean: f64,
    worst: f64,
    frames: f64,
}

fn trial(unit: &RecordedUnit, quality: f64) -> Trial {
    let (bytes, score) = unit.encoded(quality);
    let score = Score { value: score, error: 0.1, psnr: 40.0, ceiling: Some(unit.ceiling) };
    Trial { quality, bytes: bytes as u64, score: Some(score) }
}

impl Made {
    /// The film of these units, made for a floor. Where the film's units lie does not matter.
    fn of(film: &RecordedFilm, recorded: Vec<RecordedUnit>, made_for: f64) -> Self {
        let [min, max, step, usual] = film.scale();
        let scale = QualityScale { min, max, step, usual };
        let family = Family::of(&film.encoder, &film.metric, scale);
        let first = scale.snap(family.usual(floor::first_aim(&family, made_for, 1.0, false)));
        let state = |unit: &RecordedUnit| UnitState {
            range: FrameRange::new(unit.start, unit.end),
            trials: vec![trial(unit, first)],
        };
        let mut made = Self { states: recorded.iter().map(state).collect(), recorded, scale, family };
        made.run(Objective::Floor { floor: made_for, tolerance: 1.0 });
        made
    }

    fn brief(&self, objective: Objective) -> Brief {
        Brief {
            objective,
            scale: self.scale,
            family: self.family,
            max_passes: 5,
            newest_only: false,
            effort: Effort::Balanced,
        }
    }

    /// When the samples of each unit are decoded, and their shares: at 25 frames a second, all alike.
    fn samples(&self) -> Vec<Vec<(f64, f64)>> {
        let mut frame = 0;
        let mut next = || {
            frame += 1;
            f64::from(frame) / 25.0
        };
        let of_unit = |unit: &UnitState| {
            let count = unit.range.len();
            (0..count).map(|_| (next(), 1.0 / count as f64)).collect()
        };
        self.states.iter().map(of_unit).collect()
    }

    /// The samples of the takes that are shipped.
    fn shipped(&self, samples: &[Vec<(f64, f64)>], ship: &[usize]) -> Vec<TimedBytes> {
        let mut all = Vec::new();
        for (unit, samples) in samples.iter().enumerate() {
            let bytes = self.states[unit].trials[ship[unit]].bytes as f64;
            let sample = |&(seconds, share)| TimedBytes { seconds, bytes: (bytes * share) as u64, unit };
            all.extend(samples.iter().map(sample));
        }
        all
    }

    /// The bytes of the fullest two seconds.
    fn fullest(&self) -> u64 {
        let newest: Vec<usize> = self.states.iter().map(|unit| unit.trials.len() - 1).collect();
        let limit = DataRateLimit { bytes: 1_000_000, seconds: 2.0 };
        let samples = self.shipped(&self.samples(), &newest);
        (fullest(&samples, &[limit], self.states.len()).into_iter().fold(0.0, f64::max) * 1e6) as u64
    }

    /// Carries on with another objective, as a real job does, and gives what comes of it.
    fn run(&mut self, objective: Objective) -> Came {
        self.run_within(objective, None)
    }

    /// The same with a highest rate.
    fn run_within(&mut self, objective: Objective, limit: Option<DataRateLimit>) -> Came {
        let (brief, mut passes, mut frames) = (self.brief(objective), 1, 0);
        let samples = self.samples();
        let mut caps = limit.map(|limit| Caps::new(self.states.len(), limit.bytes as f64 / 50.0));
        let ship = loop {
            let broken = |ship: &[usize]| match limit {
                Some(limit) => overfull(&self.shipped(&samples, ship), &[limit]),
                None => BTreeMap::new(),
            };
            let planned = match &mut caps {
                Some(caps) => caps.plan_within(&brief, &self.states, passes, broken).0,
                None => plan(&brief, &self.states, passes),
            };
            if planned.retakes.is_empty() {
                break planned.ship;
            }
            for retake in planned.retakes {
                frames += self.recorded[retake.unit].frames();
                let taken = trial(&self.recorded[retake.unit], retake.quality);
                self.states[retake.unit].trials.push(taken);
            }
            passes += 1;
        };
        let shipped =
            || self.states.iter().zip(&ship).map(|(unit, &take)| (unit.range.len(), unit.trials[take]));
        let length: u64 = shipped().map(|(frames, _)| frames).sum();
        let score = |trial: Trial| trial.score.unwrap().value;
        Came {
            bytes: shipped().map(|(_, trial)| trial.bytes as f64).sum(),
            mean: shipped().map(|(frames, trial)| frames as f64 * score(trial)).sum::<f64>() / length as f64,
            worst: shipped().map(|(_, trial)| score(trial)).fold(f64::INFINITY, f64::min),
            frames: frames as f64,
        }
    }
}

/// How often numbers lay in their intervals.
#[derive(Default)]
struct Coverage {
    within: u32,
    below: u32,
    above: u32,
    /// The mean of half the intervals' widths.
    width: f64,
}

impl Coverage {
    fn count(&mut self, interval: Interval, came: f64, scale: f64) {
        self.within += u32::from((interval.low..=interval.high).contains(&came));
        self.below += u32::from(came < interval.low);
        self.above += u32::from(came > interval.high);
        self.width += (interval.high - interval.low) / 2.0 / scale;
    }

    fn share(&self) -> f64 {
        f64::from(self.within) / f64::from(self.cases())
    }

    fn cases(&self) -> u32 {
        self.within + self.below + self.above
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cases = f64::from(self.cases());
        let share = |count: u32| 100.0 * f64::from(count) / cases;
        let (below, above) = (share(self.below), share(self.above));
        let (within, width) = (share(self.within), self.width / cases);
        write!(f, "{within:.1} % of {cases} (below {below:.1}, above {above:.1}), ±{width:.4}")
    }
}

/// Films of some of the recorded units: each time others are left out.
fn films(film: &RecordedFilm, seed: u64) -> Vec<Vec<RecordedUnit>> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let some = |share: u64, next: &mut dyn FnMut() -> u64| -> Vec<RecordedUnit> {
        film.units.iter().filter(|_| next() % 10 < share).cloned().collect()
    };
    [3, 5, 7, 9, 10].iter().map(|&share| some(share, &mut next)).filter(|units| units.len() > 2).collect()
}

/// What intervals of one kind came to.
#[derive(Default)]
struct Coverages {
    floor_bytes: Coverage,
    floor_mean: Coverage,
    floor_worst: Coverage,
    floor_frames: Coverage,
    size_bytes: Coverage,
    size_mean: Coverage,
    size_worst: Coverage,
    limit_bytes: Coverage,
    limit_mean: Coverage,
    limit_worst: Coverage,
}

impl Coverages {
    /// Films of the recorded units, made for several floors, are asked about other floors, sizes and highest
    /// rates, and then made for these.
    fn count(&mut self, film: &RecordedFilm, seed: u64) {
        for units in films(film, seed) {
            for made_for in [89.0, 91.0, 93.0, 95.0] {
                for wanted in [88.0, 90.0, 92.0, 94.0, 96.0] {
                    let mut made = Made::of(film, units.clone(), made_for);
                    let objective = Objective::Floor { floor: wanted, tolerance: 1.0 };
                    let told = predict(&made.brief(objective), &made.states, None);
                    let came = made.run(objective);
                    self.floor_bytes.count(told.bytes, came.bytes, came.bytes);
                    self.floor_mean.count(told.mean.unwrap(), came.mean, 1.0);
                    self.floor_worst.count(told.worst.unwrap(), came.worst, 1.0);
                    self.floor_frames.count(told.frames, came.frames, came.frames.max(1.0));
                }
                for times in [0.7, 0.85, 1.15, 1.3] {
                    let mut made = Made::of(film, units.clone(), made_for);
                    let now: u64 = made.states.iter().map(|unit| unit.trials.last().unwrap().bytes).sum();
                    let objective = Objective::Bytes { target: (now as f64 * times) as u64, at_most: true };
                    let told = predict(&made.brief(objective), &made.states, None);
                    let came = made.run(objective);
                    self.size_bytes.count(told.bytes, came.bytes, came.bytes);
                    self.size_mean.count(told.mean.unwrap(), came.mean, 1.0);
                    self.size_worst.count(told.worst.unwrap(), came.worst, 1.0);
                }
                for times in [0.5, 0.65, 0.8] {
                    let mut made = Made::of(film, units.clone(), made_for);
                    let objective = Objective::Floor { floor: made_for, tolerance: 1.0 };
                    let limit = DataRateLimit { bytes: (made.fullest() as f64 * times) as u64, seconds: 2.0 };
                    let samples = made.samples();
                    let a_frame = limit.bytes as f64 / 50.0;
                    let held: Vec<Vec<bool>> =
                        made.states.iter().map(|unit| vec![false; unit.trials.len()]).collect();
                    let windows = Windows { limit, a_frame, samples: &samples, buffer: None, held: &held };
                    let told = predict(&made.brief(objective), &made.states, Some(windows));
                    let came = made.run_within(objective, Some(limit));
                    self.limit_bytes.count(told.bytes, came.bytes, came.bytes);
                    self.limit_mean.count(told.mean.unwrap(), came.mean, 1.0);
                    self.limit_worst.count(told.worst.unwrap(), came.worst, 1.0);
                }
            }
        }
    }

    fn kinds(&self) -> [&Coverage; 10] {
        [
            &self.floor_bytes,
            &self.floor_mean,
            &self.floor_worst,
            &self.floor_frames,
            &self.size_bytes,
            &self.size_mean,
            &self.size_worst,
            &self.limit_bytes,
            &self.limit_mean,
            &self.limit_worst,
        ]
    }

    fn print(&self, of: &str) {
        println!(
            "{of}\n  a floor: bytes {}\n    mean {}\n    worst {}\n    frames {}\n  a size: bytes {}\n    mean {}\n    worst {}\n  a highest rate: bytes {}\n    mean {}\n    worst {}",
            self.floor_bytes,
            self.floor_mean,
            self.floor_worst,
            self.floor_frames,
            self.size_bytes,
            self.size_mean,
            self.size_worst,
            self.limit_bytes,
            self.limit_mean,
            self.limit_worst
        );
    }
}

/// How many sets of films are made of the units of each recorded one.
const SEEDS: u64 = 3;

/// Films of two kinds: those on which the sizes of errors were chosen, and those that were held out.
fn films_of(held_out: bool) -> Vec<RecordedFilm> {
    let is_held_out = |film: &RecordedFilm| !film.film.starts_with("planetblupi");
    let others = RecordedFilm::others().into_iter().filter(|film| is_held_out(film) == held_out);
    let fitted = ENCODERS.iter().filter(|_| !held_out).map(|encoder| RecordedFilm::of(encoder));
    fitted.chain(others).collect()
}

/// Counts the intervals of films, and asserts that 85 to 98 in a hundred of each kind hold: fewer would be
/// promises that are broken, and more would tell nothing.
fn nine_in_ten(films: &[RecordedFilm]) {
    let mut all = Coverages::default();
    for (number, film) in films.iter().enumerate() {
        let mut one = Coverages::default();
        for seed in 0..SEEDS {
            let seed = number as u64 * SEEDS + seed + 1;
            for coverages in [&mut all, &mut one] {
                coverages.count(film, seed);
            }
        }
        one.print(&format!("{}, {}", film.film, film.encoder));
    }
    all.print("all of them");
    for coverage in all.kinds() {
        assert!((0.85..=0.98).contains(&coverage.share()), "{coverage}");
    }
}

/// Of all intervals that are told of recorded films, nine in ten hold what the planner then comes to: 85 to
/// 98 in a hundred, of each kind. The takes of a film are known for one wish, and the question is another, so
/// that no answer is among the takes.
#[test]
fn nine_in_ten_intervals_hold() {
    nine_in_ten(&films_of(false));
}

/// The same holds for films that were held out.
#[test]
fn nine_in_ten_intervals_hold_for_films_that_were_held_out() {
    nine_in_ten(&films_of(true));
}

/// The same question has the same answer, to the last bit, and what is known is told exactly.
#[test]
fn predictions_are_a_function_and_what_is_known_is_exact() {
    let film = RecordedFilm::of("x264");
    let mut made = Made::of(&film, film.units.clone(), 93.0);
    let objective = Objective::Floor { floor: 93.0, tolerance: 1.0 };
    let told = predict(&made.brief(objective), &made.states, None);
    assert_eq!(told, predict(&made.brief(objective), &made.states, None));
    assert!(told.plan.retakes.is_empty() && told.met == 1.0);
    let came = made.run(objective);
    for (interval, came) in [(told.bytes, came.bytes), (told.mean.unwrap(), came.mean)] {
        assert!(interval.low == interval.high && (interval.expected - came).abs() < 1e-6, "{interval:?}");
    }
}

/// A film of very many units is asked about as a short one is: its interval is narrower, by what units err by
/// alone, and not by what all of them err by together.
#[test]
fn errors_that_units_share_do_not_average_out() {
    let film = RecordedFilm::of("x264");
    let width = |times: usize| {
        let units = (0..times).flat_map(|_| film.units.clone()).collect();
        let made = Made::of(&film, units, 93.0);
        let objective = Objective::Floor { floor: 95.0, tolerance: 1.0 };
        let told = predict(&made.brief(objective), &made.states, None).bytes;
        (told.high - told.low) / told.expected
    };
    let (short, long) = (width(1), width(450));
    println!("22 units: {short:.4}, 9900 units: {long:.4}");
    assert!(long < short && long > short / 21.0, "{short} of 22 units, {long} of 9900");
}
