//! Passes over parts beside passes of one session, on recorded curves: the real planner and the real pace of
//! a pass, and an encoder that interpolates.

#[path = "../../../../tests/recorded/mod.rs"]
mod recorded;

use super::goal::PassGoal;
use super::shared::{PartRecord, plan};
use super::tests::{goal, info};
use super::units::Unit;
use crate::encoder::{EncoderInfo, QualityScale};
use crate::planner::pace::Pace;
use crate::session::PassOptions;
use crate::take::{CpuSeconds, Score, TakeRecord};
use crate::units::FrameRange;
use recorded::{ENCODERS, RecordedFilm, RecordedUnit};

const FRAMES_A_SECOND: f64 = 24.0;
const PASSES: u32 = 5;

/// What came of a film.
#[derive(Debug, Clone, Copy)]
struct Made {
    /// Its bytes, as a multiple of those that were asked for.
    bytes: f64,
    mean: f64,
    worst: f64,
    /// Frames that were encoded, as a multiple of the film's.
    work: f64,
}

/// What of a film is an encoder's chance.
struct Chances {
    /// By how much the quantizer of the first pass misleads about its quality: for all units, and for each.
    quantizer: f64,
    quantizers: Vec<f64>,
    /// The factor by which the first pass gives a unit more bytes than its rule says.
    bytes: Vec<f64>,
}

/// Numbers that look random, and are the same at every run: a linear congruential generator (D. E. Knuth,
/// *MMIX*), of which only the upper bits are used.
struct Numbers(u64);

impl Numbers {
    /// A number from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// An error of this standard deviation: a sum of twelve has about its form.
    fn error(&mut self, deviation: f64) -> f64 {
        ((0..12).map(|_| self.next()).sum::<f64>() - 6.0) * deviation
    }
}

impl Chances {
    fn new(units: usize, numbers: &mut Numbers) -> Self {
        let mut error = |deviation: f64| numbers.error(deviation);
        Self {
            quantizer: error(0.8),
            quantizers: (0..units).map(|_| error(1.0)).collect(),
            bytes: (0..units).map(|_| error(0.15).exp()).collect(),
        }
    }
}

fn take(
    range: FrameRange,
    quality: Option<f64>,
    qp: f64,
    (bytes, value): (f64, f64),
    ceiling: f64,
) -> TakeRecord {
    TakeRecord {
        range,
        quality,
        qp,
        bytes: bytes as u64,
        reorder_ticks: 0,
        score: Some(Score { value, error: 0.0, psnr: 40.0, ceiling: Some(ceiling) }),
        sizes: Vec::new(),
        frame_scores: None,
        pictures: None,
        look: None,
        cpu: CpuSeconds::default(),
    }
}

/// The first pass over a part: its bytes are those of the rate, and units of many bytes get fewer of them
/// than a constant quality would give them, as encoders do that control a rate.
fn first_pass(goal: &PassGoal, rate: f64, units: &[(usize, &RecordedUnit)], chances: &Chances) -> PartRecord {
    let scale = goal.info.quality;
    let frames: u64 = units.iter().map(|(_, unit)| unit.frames()).sum();
    let seconds = frames as f64 / FRAMES_A_SECOND;
    let share = |&(index, unit): &(usize, &RecordedUnit)| {
        let (bytes, _) = unit.encoded(scale.usual);
        let frames = unit.frames() as f64;
        frames * (bytes / frames).powf(0.7) * chances.bytes[index]
    };
    let all: f64 = units.iter().map(share).sum();
    // what the planner takes off a mean quantizer
    let above_knob = 30.0 - goal.family().quality_of(30.0, 1.0);
    let mut first = 0;
    let units = units.iter().map(|known| {
        let &(index, unit) = known;
        let bytes = rate / 8.0 * seconds * share(known) / all;
        let (mut low, mut high) = (scale.min, scale.max);
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if unit.encoded(middle).0 > bytes { low = middle } else { high = middle }
        }
        let (start, end) = (first, first + unit.frames() as usize);
        first = end;
        let qp = low + above_knob + chances.quantizer + chances.quantizers[index];
        let range = FrameRange::new(start as u64, end as u64);
        let takes = vec![take(range, None, qp, (bytes, unit.encoded(low).1), unit.ceiling)];
        Unit { first: start, end, takes, finest: None }
    });
    PartRecord {
        goal: goal.clone(),
        limits: Vec::new(),
        buffer: None,
        units: units.collect(),
        samples: Vec::new(),
        seconds,
        passes: 1,
        may_go_on: true,
    }
}

/// Encodes a film in parts of about equal length, by an average bit rate.
fn encode(info: &EncoderInfo, film: &[RecordedUnit], rate: f64, parts: usize, chances: &Chances) -> Made {
    let mut goal = goal(PassOptions::default(), Some(rate as u64));
    (goal.metric, goal.info, goal.most, goal.pixels) = ("vmaf".into(), info.clone(), PASSES, 640 * 360);
    let frames: u64 = film.iter().map(RecordedUnit::frames).sum();
    let (mut divided, mut before) = (vec![Vec::new(); parts], 0);
    for unit in film.iter().enumerate() {
        divided[(before as usize * parts / frames as usize).min(parts - 1)].push(unit);
        before += unit.1.frames();
    }
    divided.retain(|part| !part.is_empty());
    let first = |part: &Vec<(usize, &RecordedUnit)>| first_pass(&goal, rate, part, chances);
    let mut records: Vec<PartRecord> = divided.iter().map(first).collect();
    let mut encoded = frames;
    for pass in 2..=PASSES {
        let plans = plan(&records);
        for ((record, plan), part) in records.iter_mut().zip(plans).zip(&divided) {
            record.passes = pass;
            let Some(plan) = plan else { continue };
            let bytes = plan.bytes.filter(|_| !plan.exact);
            let mut pace = bytes.map(|bytes| Pace::new(info.quality, bytes, plan.takes.values().copied()));
            for (&unit, expected) in &plan.takes {
                let quality = pace.as_ref().and_then(Pace::quality).unwrap_or(expected.quality);
                let quality = info.quality.snap(quality);
                let curve = part[unit].1;
                let made = curve.encoded(quality);
                if let Some(pace) = &mut pace {
                    pace.is_out(quality, made.0 as u64);
                }
                let unit = &mut record.units[unit];
                let range = FrameRange::new(unit.first as u64, unit.end as u64);
                encoded += range.len();
                unit.takes.push(take(range, Some(quality), quality, made, curve.ceiling));
            }
        }
    }
    let units = records.iter().flat_map(|record| &record.units);
    let scores = units.clone().filter_map(|unit| {
        let score = unit.newest()?.score?;
        Some((score.value, (unit.end - unit.first) as f64))
    });
    let bytes: u64 = units.map(Unit::bytes).sum();
    Made {
        bytes: bytes as f64 / (rate / 8.0 * frames as f64 / FRAMES_A_SECOND),
        mean: scores.clone().map(|(score, frames)| score * frames).sum::<f64>() / frames as f64,
        worst: scores.map(|(score, _)| score).fold(f64::INFINITY, f64::min),
        work: encoded as f64 / frames as f64,
    }
}

/// PA-15: at equal size, parts that share a plan are no worse than one session, in mean and in worst unit.
/// That holds in the mean over films; of single ones either way comes out better by chance, as it does where
/// one session encodes a film twice at rates that differ by a little.
#[test]
fn parts_are_no_worse_than_one_session_in_the_mean_over_films() {
    for encoder in ENCODERS {
        let recorded = RecordedFilm::of(encoder);
        let [min, max, step, usual] = recorded.scale();
        let info = EncoderInfo { name: encoder, quality: QualityScale { min, max, step, usual }, ..info() };
        let mut numbers = Numbers(1);
        let (mut gains, mut films) = ([[0.0; 4]; 3], 0.0);
        for rate in [150e3, 250e3, 400e3, 700e3] {
            for _ in 0..60 {
                let mut film = recorded.units.clone();
                for unit in (1..film.len()).rev() {
                    film.swap(unit, (numbers.next() * (unit + 1) as f64) as usize);
                }
                let chances = Chances::new(film.len(), &mut numbers);
                let one = encode(&info, &film, rate, 1, &chances);
                for (gains, parts) in gains.iter_mut().zip([2, 4, 8]) {
                    let made = encode(&info, &film, rate, parts, &chances);
                    assert!((made.bytes - 1.0).abs() < 0.02, "{encoder}, {rate}, {parts} parts: {made:?}");
                    let gained =
                        [made.mean - one.mean, made.worst - one.worst, made.work / one.work, made.bytes];
                    gains.iter_mut().zip(gained).for_each(|(sum, gained)| *sum += gained);
                }
                films += 1.0;
            }
        }
        for (gains, parts) in gains.iter().zip([2, 4, 8]) {
            let [mean, worst, work, bytes] = gains.map(|sum| sum / films);
            assert!(mean > 0.0 && worst > 0.05, "{encoder}, {parts} parts: {mean:+.3} {worst:+.3}");
            assert!(work < 1.35 && (bytes - 1.0).abs() < 0.002, "{encoder}, {parts} parts: {work} {bytes}");
        }
    }
}
