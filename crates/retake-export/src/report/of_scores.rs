//! What a report says of a film that was measured against its source.

use super::{PROGRAM, metric, metric_name, name_of, pool_name, shortened};
use crate::measure::FilmScore;
use retake_report::{Asked, ComparedFilm, Comparison, Group, Histogram, Rate, Report, State, Take, Unit};
use std::path::Path;

impl FilmScore {
    /// Makes a report of the scores of `film` against `reference`. `floor` is what each unit is to reach, if
    /// anything. It has no pictures: [`FilmPair::add_to`](crate::report::FilmPair::add_to) adds them.
    pub fn report(&self, reference: &Path, film: &Path, floor: Option<f64>) -> Report {
        let detail = &self.detail;
        let mut report = Report::new(name_of(film), PROGRAM);
        report.state = State::Measured;
        (report.frames, report.seconds) = (self.frames, detail.duration);
        report.frame_rate = detail.frame_rate;
        report.mean = Some(self.mean);
        report.metric = Some(metric(&self.metric, &self.pool, floor));
        report.asked = floor.map(Asked::Floor);
        let bytes = |frame: u64| detail.bytes.get(frame as usize).copied().unwrap_or(0);
        report.units = self
            .units
            .iter()
            .map(|unit| {
                let take = Take {
                    pass: 1,
                    score: Some(unit.score),
                    bytes: (unit.range.start..unit.range.end).map(bytes).sum(),
                    reason: "as it was measured".into(),
                    ..Take::default()
                };
                Unit {
                    start: unit.range.start,
                    end: unit.range.end,
                    seconds: self.seconds_of(unit.range.start),
                    scene: true,
                    takes: vec![take],
                    chosen: 0,
                }
            })
            .collect();
        report.reached = floor.map(|_| !self.units.iter().any(|unit| report.is_below(unit.score)));
        report.histogram = Histogram::of(detail.scores.iter().map(|&score| (score, 1)), true);
        report.file_bytes = Some(detail.file_bytes).filter(|bytes| *bytes > 0);
        if !detail.bytes.is_empty() {
            report.video_bytes = Some(detail.bytes.iter().sum());
            report.rate = Some(Rate { bytes_by_second: self.bytes_by_second(), limit: None });
        }
        let findings = self.reference_findings.iter().map(|finding| format!("The source: {finding}"));
        let of_film = self.film_findings.iter().map(|finding| format!("The film: {finding}"));
        report.notes = findings.chain(of_film).map(|note| shortened(&note)).collect();
        let line = |name: &str, value: String| (name.to_owned(), shortened(&value));
        let lines = vec![
            line("Source", reference.display().to_string()),
            line("Film", film.display().to_string()),
            line("Metric", metric_name(&self.metric)),
            line("A unit's score", pool_name(&self.pool).to_owned()),
            line("5 % of the frames are below", format!("{:.2}", self.p5)),
            line("Worst frame", format!("{:.2}", self.min)),
        ];
        report.settings = vec![Group { name: "Measurement".into(), lines }];
        report
    }

    /// Returns when a frame is shown, in seconds from the first one.
    pub fn seconds_of(&self, frame: u64) -> f64 {
        self.detail.seconds.get(frame as usize).copied().unwrap_or(self.detail.duration)
    }

    /// Counts the bytes of the film by second, each frame where it is shown.
    fn bytes_by_second(&self) -> Vec<u64> {
        let mut seconds = Vec::new();
        for (at, bytes) in self.detail.seconds.iter().zip(&self.detail.bytes) {
            let second = at.max(0.0) as usize;
            // No film that was measured frame by frame is longer than it took; a broken clock may say so.
            if second < 7 * 24 * 3600 {
                if seconds.len() <= second {
                    seconds.resize(second + 1, 0);
                }
                seconds[second] += bytes;
            }
        }
        seconds
    }
}

/// Puts the scores of several films of one source side by side. Each comes with its name and that of the
/// curve which it is a point of; all have to be measured in one way, over the same units.
pub fn compare(reference: &Path, films: &[(String, String, FilmScore)]) -> Comparison {
    let mut comparison = Comparison::new(name_of(reference), PROGRAM);
    if let Some((_, _, first)) = films.first() {
        comparison.metric = Some(metric(&first.metric, &first.pool, None));
        (comparison.frames, comparison.seconds) = (first.frames, first.detail.duration);
        let unit =
            |unit: &crate::UnitScore| (unit.range.start, unit.range.end, first.seconds_of(unit.range.start));
        comparison.units = first.units.iter().map(unit).collect();
        let findings = first.reference_findings.iter().map(|finding| format!("The source: {finding}"));
        comparison.notes = findings.map(|note| shortened(&note)).collect();
    }
    for (name, curve, score) in films {
        let known = !score.detail.bytes.is_empty();
        comparison.films.push(ComparedFilm {
            name: shortened(name),
            curve: shortened(curve),
            scores: score.units.iter().map(|unit| unit.score).collect(),
            mean: score.mean,
            p5: score.p5,
            worst_frame: score.min,
            rate: known.then(|| Rate { bytes_by_second: score.bytes_by_second(), limit: None }),
            video_bytes: known.then(|| score.detail.bytes.iter().sum()),
            file_bytes: Some(score.detail.file_bytes).filter(|bytes| *bytes > 0),
        });
        let findings = score.film_findings.iter().map(|finding| shortened(&format!("{name}: {finding}")));
        comparison.notes.extend(findings);
    }
    comparison
}
