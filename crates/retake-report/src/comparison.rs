//! Several encodes of one source side by side: their scores and rates over each other, who is better where,
//! and what each saves against the others where there are enough points for that.

use crate::model::{Metric, Rate};
use crate::page::{Shell, section_notes};
use crate::plot::{Scale, bounds, curve, line_colour, time_axis};
use crate::text::{Markup, bit_rate, bytes, count, number, place, put, script_json};
use serde_json::json;

/// The size of a drawing.
const WIDTH: f64 = 960.0;
/// So many points does a curve need for a BD-rate: fewer say too little between them.
const FEWEST_POINTS: usize = 4;
/// The most films that are told apart by their colours.
pub const MOST_FILMS: usize = 8;

/// Films that were made of one source, measured in one way.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The name of the source.
    pub source: String,
    /// The program that made the comparison, with its version.
    pub program: String,
    /// What quality was measured with.
    pub metric: Option<Metric>,
    /// The number of frames.
    pub frames: u64,
    /// How long the films are, in seconds.
    pub seconds: f64,
    /// The units: the first frame of each, the frame after its last, and when it begins, in seconds.
    pub units: Vec<(u64, u64, f64)>,
    /// The films.
    pub films: Vec<ComparedFilm>,
    /// What has to be told, in plain sentences.
    pub notes: Vec<String>,
}

/// One of the films of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparedFilm {
    /// Its name.
    pub name: String,
    /// The films of one name here are points of one curve.
    pub curve: String,
    /// The score of each unit.
    pub scores: Vec<f64>,
    /// The mean over all frames.
    pub mean: f64,
    /// The score below which 5 % of the frames are.
    pub p5: f64,
    /// The worst frame.
    pub worst_frame: f64,
    /// Its bytes by second, where they are known.
    pub rate: Option<Rate>,
    /// Bytes of its video, where they are known.
    pub video_bytes: Option<u64>,
    /// Bytes of its file, where they are known.
    pub file_bytes: Option<u64>,
}

impl Comparison {
    /// Returns an empty comparison of films that were made of `source`.
    pub fn new(source: impl Into<String>, program: impl Into<String>) -> Self {
        Self { source: source.into(), program: program.into(), ..Self::default() }
    }

    /// Returns the film that is best in a unit; `None` where the two best ones are as good as equal.
    fn best(&self, unit: usize) -> Option<usize> {
        let score = |film: usize| self.films[film].scores.get(unit).copied().unwrap_or(f64::NEG_INFINITY);
        let mut order: Vec<usize> = (0..self.films.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        let (first, second) = (*order.first()?, *order.get(1)?);
        (score(first) - score(second) >= self.equal()).then_some(first)
    }

    /// Returns the difference of two scores below which they count as equal: a thousandth of the scale.
    fn equal(&self) -> f64 {
        self.metric.as_ref().and_then(|metric| metric.most).unwrap_or(100.0) / 1000.0
    }

    /// Returns the frames in which each film is best, and those in which none is.
    fn best_frames(&self) -> (Vec<u64>, u64) {
        let (mut frames, mut equal) = (vec![0; self.films.len()], 0);
        for (unit, (start, end, _)) in self.units.iter().enumerate() {
            match self.best(unit) {
                Some(film) => frames[film] += end - start,
                None => equal += end - start,
            }
        }
        (frames, equal)
    }

    /// Says who is best, in a sentence or two.
    pub fn verdict(&self) -> String {
        let metric = self.metric.as_ref().map_or("Score", |metric| metric.name.as_str());
        let films: Vec<String> = self
            .films
            .iter()
            .map(|film| {
                let rate = film.video_bytes.filter(|_| self.seconds > 0.0);
                let rate = rate.map(|video| format!(" at {}", bit_rate(video as f64 * 8.0 / self.seconds)));
                format!("{} has {metric} {}{}", film.name, number(film.mean, 2), rate.unwrap_or_default())
            })
            .collect();
        let (frames, equal) = self.best_frames();
        let share = |frames: u64| number(100.0 * frames as f64 / self.frames.max(1) as f64, 0);
        let mut where_best: Vec<String> = self
            .films
            .iter()
            .zip(frames)
            .filter(|(_, frames)| *frames > 0)
            .map(|(film, frames)| format!("{} is best in {} % of the frames", film.name, share(frames)))
            .collect();
        if equal > 0 {
            where_best.push(format!("{} % are as good as equal", share(equal)));
        }
        format!("{}. {}.", films.join("; "), where_best.join("; "))
    }

    /// Returns the BD-rate of each pair of curves with enough points: the names of both, and how many per
    /// cent more bits the first takes for the same score than the second.
    pub fn bd_rates(&self) -> Vec<(String, String, f64)> {
        let mut curves: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
        for film in &self.films {
            let Some(video) = film.video_bytes.filter(|&video| video > 0) else { continue };
            let point = (film.mean, (video as f64).ln());
            match curves.iter_mut().find(|(name, _)| *name == film.curve) {
                Some((_, points)) => points.push(point),
                None => curves.push((&film.curve, vec![point])),
            }
        }
        let mut rates = Vec::new();
        for (number, (name, points)) in curves.iter().enumerate() {
            for (other, against) in &curves[number + 1..] {
                rates.extend(
                    bd_rate(points, against).map(|rate| ((*name).to_owned(), (*other).to_owned(), rate)),
                );
            }
        }
        rates
    }

    /// Returns the comparison as a page that needs no network.
    pub fn render(&self) -> String {
        let mut header = Markup::default();
        put!(
            header,
            "<header>\n<p class=\"kicker\">Retake comparison</p>\n<h1><bdi>{}</bdi></h1>\n",
            self.source
        );
        put!(header, "<p class=\"verdict\">{}</p>\n</header>\n", self.verdict());
        let mut main = Markup::default();
        self.section_timeline(&mut main);
        self.section_films(&mut main);
        section_notes(&mut main, &self.notes);
        Shell { title: &self.source, program: &self.program, data: self.data(), live: false }
            .page(&header, &main)
    }

    fn section_timeline(&self, page: &mut Markup) {
        put!(page, "<section id=\"timeline\" aria-labelledby=\"h-timeline\">\n");
        Shell::toolbar(page);
        put!(page, "<ul class=\"legend\" aria-label=\"Legend\">");
        for (number, film) in self.films.iter().enumerate() {
            put!(page, "<li><i class=\"s{}\"></i><bdi>{}</bdi></li>", number + 1, film.name);
        }
        put!(page, "</ul>\n<div class=\"charts\">\n<div id=\"scores\" class=\"chart\"></div>\n");
        put!(page, "<div id=\"rates\" class=\"chart\"></div>\n");
        page.add(&self.drawing());
        put!(page, "</div>\n");
        Shell::readout(page);
        let together = self.units.len().div_ceil(300).max(1);
        put!(
            page,
            "<details><summary>The timeline as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" "
        );
        put!(page, "role=\"region\" aria-label=\"Units\"><table><thead><tr><th scope=\"col\">Begins</th>");
        put!(page, "<th scope=\"col\">Frames</th>");
        self.films.iter().for_each(|film| put!(page, "<th scope=\"col\"><bdi>{}</bdi></th>", film.name));
        put!(page, "<th scope=\"col\">Best</th></tr></thead><tbody>\n");
        for (unit, (start, end, seconds)) in self.units.iter().enumerate().step_by(together) {
            put!(page, "<tr><td>{}</td><td>{}–{}</td>", place(*seconds), start, end.saturating_sub(1));
            for film in &self.films {
                put!(
                    page,
                    "<td>{}</td>",
                    film.scores.get(unit).map_or("–".into(), |score| number(*score, 2))
                );
            }
            let best = self.best(unit).map_or("equal", |film| self.films[film].name.as_str());
            put!(page, "<td><bdi>{}</bdi></td></tr>\n", best);
        }
        put!(page, "</tbody></table></div></details>\n</section>\n");
    }

    fn section_films(&self, page: &mut Markup) {
        put!(page, "<section id=\"films\" aria-labelledby=\"h-films\">\n<h2 id=\"h-films\">The films</h2>\n");
        put!(
            page,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Films\"><table><thead><tr>"
        );
        for name in ["Film", "Mean", "Worst unit", "5 % below", "Worst frame", "Bit rate", "Size", "Best in"]
        {
            put!(page, "<th scope=\"col\">{}</th>", name);
        }
        put!(page, "</tr></thead><tbody>\n");
        for (film, frames) in self.films.iter().zip(self.best_frames().0) {
            let worst = film.scores.iter().copied().min_by(f64::total_cmp);
            put!(
                page,
                "<tr><th scope=\"row\"><bdi>{}</bdi></th><td>{}</td>",
                film.name,
                number(film.mean, 2)
            );
            put!(page, "<td>{}</td>", worst.map_or("–".into(), |worst| number(worst, 2)));
            put!(page, "<td>{}</td><td>{}</td>", number(film.p5, 2), number(film.worst_frame, 2));
            let rate = film.video_bytes.filter(|_| self.seconds > 0.0);
            let rate = rate.map_or("–".into(), |video| bit_rate(video as f64 * 8.0 / self.seconds));
            put!(page, "<td>{}</td><td>{}</td>", rate, film.file_bytes.map_or("–".into(), bytes));
            put!(page, "<td>{} frames</td></tr>\n", count(frames));
        }
        put!(page, "</tbody></table></div>\n");
        let rates = self.bd_rates();
        if rates.is_empty() {
            put!(
                page,
                "<p class=\"hint\">A BD-rate needs at least {} films of each of two curves, whose ",
                FEWEST_POINTS
            );
            put!(page, "scores overlap.</p>\n");
        } else {
            put!(page, "<h3>BD-rate</h3>\n<ul>\n");
            for (name, other, rate) in rates {
                let word = if rate < 0.0 { "fewer" } else { "more" };
                put!(page, "<li><bdi>{}</bdi> takes {} % {} bits ", name, number(rate.abs(), 1), word);
                put!(page, "than <bdi>{}</bdi> for the same score.</li>\n", other);
            }
            put!(page, "</ul>\n");
        }
        put!(page, "</section>\n");
    }

    fn drawing(&self) -> Markup {
        let mut svg = Markup::default();
        let (top, ground) = (22.0, 252.0);
        put!(svg, "<svg class=\"still\" viewBox=\"0 0 {} 470\" role=\"img\" ", WIDTH);
        put!(svg, "aria-label=\"Scores and bit rates; the tables have the numbers\">\n");
        let metric = self.metric.as_ref().map_or("Score", |metric| metric.name.as_str());
        put!(svg, "<text class=\"name\" x=\"52\" y=\"14\">{} of each unit</text>\n", metric);
        let scores = self.films.iter().flat_map(|film| film.scores.iter().copied());
        if let Some((low, high)) = bounds(scores) {
            let margin = ((high - low) * 0.1).max(high.abs() * 0.002);
            let scale = Scale::new(low - margin, high + margin, top, ground);
            scale.draw(&mut svg, |value| number(value, 3));
            let starts: Vec<f64> = self.units.iter().map(|(_, _, seconds)| *seconds).collect();
            for (number, film) in self.films.iter().enumerate() {
                curve(&mut svg, line_colour(number), &starts, &film.scores, self.seconds, &scale);
            }
        }
        let (top, ground) = (312.0, 432.0);
        put!(svg, "<text class=\"name\" x=\"52\" y=\"304\">Bit rate by second</text>\n");
        let rate_of = |film: &ComparedFilm| -> Vec<f64> {
            film.rate.as_ref().map_or(Vec::new(), |rate| {
                rate.bytes_by_second.iter().map(|&bytes| bytes as f64 * 8.0 / 1000.0).collect()
            })
        };
        let all: Vec<Vec<f64>> = self.films.iter().map(rate_of).collect();
        if let Some((_, high)) = bounds(all.iter().flatten().copied()) {
            let scale = Scale::new(0.0, high.max(1.0), top, ground);
            scale.draw(&mut svg, |value| format!("{}k", number(value, 0)));
            for (number, rates) in all.iter().enumerate() {
                let starts: Vec<f64> = (0..rates.len()).map(|second| second as f64).collect();
                curve(&mut svg, line_colour(number), &starts, rates, self.seconds, &scale);
            }
        }
        time_axis(&mut svg, self.seconds, ground);
        put!(svg, "</svg>\n");
        svg
    }

    fn data(&self) -> String {
        let round = |value: f64, factor: f64| (value * factor).round() / factor;
        let ends = self.units.iter().skip(1).map(|unit| unit.2).chain([self.seconds]);
        let units: Vec<_> = self
            .units
            .iter()
            .zip(ends)
            .map(|((start, end, from), to)| json!([start, end, round(*from, 1e3), round(to, 1e3), 0, [], 1]))
            .collect();
        let films: Vec<_> = self
            .films
            .iter()
            .map(|film| {
                let scores: Vec<f64> = film.scores.iter().map(|&score| round(score, 1e4)).collect();
                let kilobits: Option<Vec<f64>> = film.rate.as_ref().map(|rate| {
                    rate.bytes_by_second.iter().map(|&bytes| round(bytes as f64 * 8.0 / 1e3, 10.0)).collect()
                });
                json!({ "name": film.name, "scores": scores, "kilobits": kilobits })
            })
            .collect();
        script_json(&json!({
            "seconds": round(self.seconds, 1e3), "together": 1, "floor": null, "quality": null, "reasons": [],
            "metric": self.metric.as_ref().map(|metric| &metric.name),
            "most": self.metric.as_ref().and_then(|metric| metric.most),
            "units": units, "rate": null, "histogram": null, "chapters": [], "films": films,
        }))
    }
}

/// Returns by how many per cent the bytes of one curve differ from those of another for the same score, on
/// average over the scores that both have (Bjøntegaard's measure, with a monotone cubic between the points).
/// Points are scores and logarithms of bytes.
fn bd_rate(points: &[(f64, f64)], against: &[(f64, f64)]) -> Option<f64> {
    const STEPS: u32 = 1000;
    let (a, b) = (Monotone::through(points)?, Monotone::through(against)?);
    let (low, high) = (a.low().max(b.low()), a.high().min(b.high()));
    if low >= high {
        return None;
    }
    let at = |step: u32| low + (high - low) * (f64::from(step) + 0.5) / f64::from(STEPS);
    let sum: f64 = (0..STEPS).map(at).map(|score| a.at(score) - b.at(score)).sum();
    Some(((sum / f64::from(STEPS)).exp() - 1.0) * 100.0)
}

/// A curve through points that rises wherever they do (Fritsch and Carlson, with the harmonic means that
/// Fritsch and Butland chose for the slopes).
struct Monotone {
    points: Vec<(f64, f64)>,
    slopes: Vec<f64>,
}

impl Monotone {
    /// Returns `None` with too few points, and where more bytes do not mean a better score.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let mut points = points.to_vec();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rises = points.windows(2).all(|pair| pair[1].0 > pair[0].0 && pair[1].1 > pair[0].1);
        if points.len() < FEWEST_POINTS || !rises {
            return None;
        }
        let secants: Vec<f64> =
            points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
        let inner = secants.windows(2).map(|pair| 2.0 / (1.0 / pair[0] + 1.0 / pair[1]));
        let slopes = [secants[0]].into_iter().chain(inner).chain(secants.last().copied()).collect();
        Some(Self { points, slopes })
    }

    fn low(&self) -> f64 {
        self.points[0].0
    }

    fn high(&self) -> f64 {
        self.points[self.points.len() - 1].0
    }

    fn at(&self, score: f64) -> f64 {
        let after = self.points.partition_point(|point| point.0 <= score).clamp(1, self.points.len() - 1);
        let ((x0, y0), (x1, y1)) = (self.points[after - 1], self.points[after]);
        let (width, t) = (x1 - x0, (score - x0) / (x1 - x0));
        let (s0, s1) = (self.slopes[after - 1] * width, self.slopes[after] * width);
        let (t2, t3) = (t * t, t * t * t);
        y0 * (2.0 * t3 - 3.0 * t2 + 1.0)
            + s0 * (t3 - 2.0 * t2 + t)
            + y1 * (3.0 * t2 - 2.0 * t3)
            + s1 * (t3 - t2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve of so many bytes for each score is so many per cent from another, whatever its points are.
    #[test]
    fn bd_rate_of_curves_that_are_known() {
        let curve = |scores: &[f64], factor: f64| -> Vec<(f64, f64)> {
            scores.iter().map(|&score| (score, (factor * (score / 10.0).exp()).ln())).collect()
        };
        let (a, b) = (curve(&[80.0, 86.0, 91.0, 97.0], 0.5), curve(&[82.0, 85.0, 90.0, 93.0, 99.0], 1.0));
        assert!((bd_rate(&a, &b).unwrap_or(0.0) + 50.0).abs() < 1e-6);
        assert!((bd_rate(&b, &a).unwrap_or(0.0) - 100.0).abs() < 1e-6);
        assert_eq!(bd_rate(&a[..3], &b), None);
        assert_eq!(bd_rate(&a, &curve(&[98.0, 98.5, 99.0, 99.5], 1.0)), None);
    }

    #[test]
    fn the_best_is_told_where_there_is_one() {
        let film = |name: &str, scores: [f64; 3]| ComparedFilm {
            name: name.into(),
            scores: scores.into(),
            ..ComparedFilm::default()
        };
        let mut comparison = Comparison::new("source.mkv", "retake");
        comparison.units = vec![(0, 10, 0.0), (10, 30, 0.4), (30, 40, 1.2)];
        comparison.frames = 40;
        comparison.films = vec![film("a", [90.0, 90.0, 90.0]), film("b", [80.0, 95.0, 90.05])];
        assert_eq!(comparison.best_frames(), (vec![10, 20], 10));
        assert!(comparison.verdict().contains("b is best in 50 % of the frames; 25 % are as good as equal."));
    }
}
