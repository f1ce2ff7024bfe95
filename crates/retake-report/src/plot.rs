//! Still drawings of the charts, as SVG: what a page shows without a script and on paper, and what goes into
//! a README or an issue by itself.

use crate::model::{Histogram, Report};
use crate::text::{Markup, bit_rate, number, place, put};

/// The size of a drawing, in its own units.
const WIDTH: f64 = 960.0;
/// The room on the left for the labels of the vertical axis, and on the right.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 20.0;
/// The heights of the plots, and what lies between and around them.
const CHAPTERS: f64 = 20.0;
const SCORES: f64 = 230.0;
const GAP: f64 = 42.0;
const RATES: f64 = 90.0;
const FOOT: f64 = 30.0;
/// Fewer units of a drawing than this are not told apart, so that several units share a bar.
const FINEST: f64 = 1.5;

/// The colours of a drawing that stands by itself. Inside a page, the style of the page gives them.
const STYLE: &str = "
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;fill:#56606e}
.ground{fill:#fff}.name{font-weight:600;fill:#1d2733}.grid{stroke:#e6e4df;stroke-width:1}
.met{fill:#3d7ea6}.below{fill:#c8501e}.spread{fill:#bcd3e0}.ghost{fill:#d5dde3}
.earlier{stroke:#8496a3;stroke-width:1.2}.inside{stroke:#d8e8f2}.floor{stroke:#1d2733;stroke-width:1.3;stroke-dasharray:5 3}
.rate{fill:#8a7fb0;fill-opacity:.35;stroke:#6f6499;stroke-width:1}.limit{stroke:#c8501e;stroke-width:1.3;stroke-dasharray:5 3}
.chapter{stroke:#9aa4ae;stroke-width:1;stroke-dasharray:2 3}.join{stroke:#9aa4ae;stroke-width:1}
@media (prefers-color-scheme:dark){text{fill:#a3adb8}.ground{fill:#15191e}.name{fill:#e6eaee}.grid{stroke:#2b323a}
.met{fill:#4b8fbd}.below{fill:#ef8150}.spread{fill:#2f4a5c}.ghost{fill:#333d47}.earlier{stroke:#7e8d99}.inside{stroke:#14384f}
.floor{stroke:#e6eaee}.rate{fill:#a59bd0;stroke:#a59bd0}.limit{stroke:#ef8150}}
";

impl Report {
    /// Draws the timeline: the units with their takes and the floor, and the bit rate below it. It is a whole
    /// file of SVG.
    pub fn plot(&self) -> String {
        let height = self.timeline_height() + 34.0;
        let mut svg = Markup::default();
        put!(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" ", WIDTH, height);
        put!(svg, "width=\"{}\" height=\"{}\" role=\"img\">\n<title>{}</title>\n", WIDTH, height, self.title);
        put!(svg, "<desc>{}</desc>\n<style>", self.verdict());
        svg.trusted(STYLE);
        put!(svg, "</style>\n<rect class=\"ground\" width=\"{}\" height=\"{}\"/>\n", WIDTH, height);
        put!(svg, "<text class=\"name\" x=\"{}\" y=\"22\">{}</text>\n", LEFT, shortened(&self.title, 110));
        put!(svg, "<g transform=\"translate(0 34)\">\n");
        self.draw_timeline(&mut svg);
        put!(svg, "</g>\n</svg>\n");
        svg.finish()
    }

    /// Draws the timeline as a part of a page.
    pub(crate) fn timeline(&self) -> Markup {
        let mut svg = Markup::default();
        put!(
            svg,
            "<svg class=\"still\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Timeline: {}\">\n",
            WIDTH,
            self.timeline_height(),
            self.verdict()
        );
        self.draw_timeline(&mut svg);
        put!(svg, "</svg>\n");
        svg
    }

    /// Draws the distribution of scores as a part of a page.
    pub(crate) fn histogram(&self, histogram: &Histogram) -> Markup {
        const HEIGHT: f64 = 180.0;
        let mut svg = Markup::default();
        put!(svg, "<svg class=\"still\" viewBox=\"0 0 {} {}\" role=\"img\" ", WIDTH, HEIGHT + FOOT);
        put!(svg, "aria-label=\"Frames by score; the table below has the numbers\">\n");
        let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let scale = Scale::new(0.0, most, 10.0, HEIGHT);
        scale.draw(&mut svg, |value| number(value, 0));
        let bin = (WIDTH - LEFT - RIGHT) / histogram.counts.len().max(1) as f64;
        let score = |place: f64| histogram.start + place * histogram.width;
        for (place, &frames) in histogram.counts.iter().enumerate() {
            let below = self.is_below(score(place as f64 + 0.5));
            let x = LEFT + place as f64 * bin;
            let class = match (below, histogram.of_frames) {
                (false, _) => "met",
                (true, true) => "spread",
                (true, false) => "below",
            };
            bar(&mut svg, class, x, bin - 1.0, scale.y(frames as f64), HEIGHT);
        }
        let every = (histogram.counts.len() as f64 / 10.0).ceil().max(1.0);
        let mut place = 0.0;
        while place <= histogram.counts.len() as f64 {
            let x = LEFT + place * bin;
            put!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">", fine(x), HEIGHT + 18.0);
            put!(svg, "{}</text>\n", number(score(place), 3));
            place += every;
        }
        put!(svg, "</svg>\n");
        svg
    }

    fn timeline_height(&self) -> f64 {
        let rates = if self.rate.is_some() { RATES + GAP } else { 0.0 };
        CHAPTERS + SCORES + rates + FOOT
    }

    fn draw_timeline(&self, svg: &mut Markup) {
        let seconds = self.seconds.max(0.001);
        let x = |at: f64| LEFT + (WIDTH - LEFT - RIGHT) * (at / seconds).clamp(0.0, 1.0);
        let mut ground = CHAPTERS + SCORES;
        self.draw_units(svg, x, ground);
        if let Some(rate) = &self.rate {
            let top = ground + GAP;
            ground = top + RATES;
            // Drawings cannot show more columns than they are wide, so seconds are put together: their mean
            // and their highest would be two charts, and the highest is what a limit is about.
            let together = rate.bytes_by_second.len().div_ceil(480).max(1);
            let groups = rate.bytes_by_second.chunks(together);
            let values: Vec<f64> =
                groups.map(|group| group.iter().copied().max().unwrap_or(0) as f64 * 8.0).collect();
            let most = values.iter().copied().fold(rate.limit.unwrap_or(0) as f64, f64::max).max(1.0);
            let scale = Scale::new(0.0, most, top, ground);
            put!(svg, "<text class=\"name\" x=\"{}\" y=\"{}\">Bit rate by second</text>\n", LEFT, top - 12.0);
            scale.draw(svg, short_rate);
            put!(svg, "<path class=\"rate\" d=\"M{} {}", fine(LEFT), fine(ground));
            for (place, &value) in values.iter().enumerate() {
                let end = ((place + 1) * together) as f64;
                put!(svg, "V{}H{}", fine(scale.y(value)), fine(x(end)));
            }
            put!(svg, "V{}Z\"/>\n", fine(ground));
            if let Some(limit) = rate.limit {
                line(svg, "limit", (LEFT, scale.y(limit as f64)), (WIDTH - RIGHT, scale.y(limit as f64)));
                put!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">", WIDTH - RIGHT, top - 12.0);
                put!(svg, "limit {}</text>\n", bit_rate(limit as f64));
            }
        }
        time_axis(svg, seconds, ground);
    }

    fn draw_units(&self, svg: &mut Markup, x: impl Fn(f64) -> f64, ground: f64) {
        let top = CHAPTERS;
        let takes = self.units.iter().flat_map(|unit| &unit.takes);
        let floor = self.metric.as_ref().and_then(|metric| metric.floor);
        let scores = takes.filter_map(|take| take.score).chain(floor);
        let Some((low, high)) = bounds(scores) else {
            put!(svg, "<text x=\"{}\" y=\"{}\">No scores were measured.</text>\n", LEFT, top + 24.0);
            return;
        };
        let most = self.metric.as_ref().and_then(|metric| metric.most).unwrap_or(f64::INFINITY);
        let margin = ((high - low) * 0.12).max(high.abs() * 0.002);
        let scale = Scale::new(low - margin, (high + margin).min(most.max(high)), top, ground);
        let metric = self.metric.as_ref().map_or("Score", |metric| metric.name.as_str());
        scale.draw(svg, |value| number(value, 3));
        put!(svg, "<text class=\"name\" x=\"{}\" y=\"{}\">{} of each unit</text>\n", LEFT, top - 8.0, metric);
        let mut place = 0;
        while place < self.units.len() {
            let start = x(self.units[place].seconds);
            let mut last = place;
            while last + 1 < self.units.len() && x(self.end_of(last)) - start < FINEST {
                last += 1;
            }
            let (group, width) = (&self.units[place..=last], x(self.end_of(last)) - start);
            let chosen = group.iter().filter_map(|unit| unit.chosen()?.score);
            if let Some((worst, best)) = bounds(chosen) {
                let gap = if width > 4.0 { 1.0 } else { 0.0 };
                let earlier = || {
                    let takes = group.iter().flat_map(|unit| unit.takes.iter());
                    takes.filter_map(|take| take.score)
                };
                if let Some((_, highest)) = bounds(earlier()).filter(|(_, highest)| *highest > best) {
                    bar(svg, "ghost", start, width - gap, scale.y(highest), ground);
                }
                if best > worst {
                    bar(svg, "spread", start, width - gap, scale.y(best), ground);
                }
                let class = if self.is_below(worst) { "below" } else { "met" };
                bar(svg, class, start, width - gap, scale.y(worst), ground);
                if let [unit] = group
                    && width > 2.0 * FINEST
                {
                    for take in unit.takes.iter().filter(|take| Some(*take) != unit.chosen()) {
                        if let Some(score) = take.score.filter(|score| score.is_finite()) {
                            let y = scale.y(score);
                            let class = if score < worst { "earlier inside" } else { "earlier" };
                            line(svg, class, (start, y), (start + width - gap, y));
                        }
                    }
                }
            }
            place = last + 1;
        }
        if let Some(floor) = floor {
            let y = scale.y(floor);
            line(svg, "floor", (LEFT, y), (WIDTH - RIGHT, y));
            put!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">", WIDTH - RIGHT, top - 8.0);
            put!(svg, "floor {}</text>\n", number(floor, 2));
        }
        let mut free = LEFT + 170.0;
        for chapter in &self.chapters {
            let at = x(chapter.seconds);
            line(svg, "chapter", (at, top), (at, ground));
            let title = shortened(&chapter.title, 18);
            // A title that would run into the one before it, or out of the drawing, is left to the table.
            let width = title.chars().count() as f64 * 7.0;
            if at + 3.0 >= free && at + width < WIDTH - RIGHT - 90.0 {
                put!(svg, "<text x=\"{}\" y=\"{}\">{}</text>\n", fine(at + 3.0), top - 8.0, title);
                free = at + width + 10.0;
            }
        }
    }
}

/// A vertical axis, with round numbers on it.
pub(crate) struct Scale {
    low: f64,
    high: f64,
    top: f64,
    ground: f64,
}

impl Scale {
    pub(crate) fn new(low: f64, high: f64, top: f64, ground: f64) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, top, ground }
    }

    fn y(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        self.ground - (self.ground - self.top) * part.clamp(0.0, 1.0)
    }

    /// Draws lines at round numbers, and writes these.
    pub(crate) fn draw(&self, svg: &mut Markup, label: impl Fn(f64) -> String) {
        let wanted = ((self.ground - self.top) / 45.0).max(2.0);
        let step = round_step((self.high - self.low) / wanted);
        let mut value = (self.low / step).ceil() * step;
        while value <= self.high + step * 1e-6 {
            let y = self.y(value);
            line(svg, "grid", (LEFT, y), (WIDTH - RIGHT, y));
            put!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">", LEFT - 6.0, fine(y + 4.0));
            put!(svg, "{}</text>\n", label(value));
            value += step;
        }
    }
}

/// Writes times below a plot of so many seconds.
pub(crate) fn time_axis(svg: &mut Markup, seconds: f64, ground: f64) {
    let seconds = seconds.max(0.001);
    for at in ticks(seconds) {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * (at / seconds).clamp(0.0, 1.0);
        put!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">", fine(x), ground + 18.0);
        put!(svg, "{}</text>\n", place(at));
    }
}

/// The class of the line of a film, of several.
pub(crate) fn line_colour(number: usize) -> String {
    format!("line l{}", number + 1)
}

/// Draws values that hold from one place to the next, as steps. Of several that share a pixel the lowest is
/// drawn, because that is the one to look at.
pub(crate) fn curve(
    svg: &mut Markup,
    class: String,
    starts: &[f64],
    values: &[f64],
    seconds: f64,
    scale: &Scale,
) {
    let x = |at: f64| LEFT + (WIDTH - LEFT - RIGHT) * (at / seconds.max(0.001)).clamp(0.0, 1.0);
    put!(svg, "<path class=\"{}\" d=\"", class);
    let mut step = 0;
    while step < values.len().min(starts.len()) {
        let (first, mut lowest) = (step, values[step]);
        while step + 1 < values.len().min(starts.len()) && x(starts[step + 1]) - x(starts[first]) < FINEST {
            step += 1;
            lowest = lowest.min(values[step]);
        }
        let end = starts.get(step + 1).copied().unwrap_or(seconds);
        let y = fine(scale.y(lowest));
        match first {
            0 => put!(svg, "M{} {}", fine(x(starts[first])), y),
            _ => put!(svg, "V{}", y),
        }
        put!(svg, "H{}", fine(x(end)));
        step += 1;
    }
    put!(svg, "\"/>\n");
}

/// Returns the next of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-9).log10().floor());
    let factor = least / power;
    power * [1.0, 2.0, 5.0].into_iter().find(|&step| step >= factor).unwrap_or(10.0)
}

/// Returns places on the time axis that read well, about eight of them.
fn ticks(seconds: f64) -> Vec<f64> {
    const STEPS: [f64; 17] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
        7200.0,
    ];
    let step = STEPS.into_iter().find(|step| seconds / step <= 9.0).unwrap_or(seconds / 8.0);
    (0..=(seconds / step) as u32).map(|place| f64::from(place) * step).collect()
}

pub(crate) fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |bounds, value| match bounds {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}

fn bar(svg: &mut Markup, class: &'static str, x: f64, width: f64, y: f64, ground: f64) {
    put!(svg, "<rect class=\"{}\" x=\"{}\" y=\"{}\" ", class, fine(x), fine(y));
    put!(svg, "width=\"{}\" height=\"{}\"/>\n", fine(width.max(0.4)), fine((ground - y).max(0.0)));
}

fn line(svg: &mut Markup, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    put!(svg, "<line class=\"{}\" x1=\"{}\" y1=\"{}\" ", class, fine(from.0), fine(from.1));
    put!(svg, "x2=\"{}\" y2=\"{}\"/>\n", fine(to.0), fine(to.1));
}

/// A coordinate, in tenths.
fn fine(value: f64) -> String {
    number(value, 1)
}

fn short_rate(bits: f64) -> String {
    match bits {
        0.0 => "0".into(),
        bits if bits >= 1e6 => format!("{}M", number(bits / 1e6, 2)),
        bits => format!("{}k", number(bits / 1e3, 1)),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.into(),
    }
}
