//! The page: all that a report says, in one file that needs no network.
//!
//! Its security policy allows the script and the style of this build alone, by their hashes, so that a text
//! of a source that came into the markup by a mistake of this crate would be shown, and never obeyed.

use crate::model::{Moment, Pass, Picture, Report, State};
use crate::sentence::Mood;
use crate::text::{Markup, bit_rate, bytes, count, duration, number, place, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/page.js"));
const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/page.css"));

/// The most rows of the table behind the timeline: with more units, they are put together by time.
const MOST_ROWS: usize = 300;

/// Tells whether this build draws charts that answer to a pointer. Without, pages have still ones.
pub const fn has_live_charts() -> bool {
    HAS_UPLOT
}

impl Report {
    /// Returns the report as a page.
    pub fn render(&self) -> String {
        self.page(false)
    }

    /// Returns the report as a page that asks whoever served it for its next state, until the work is done.
    pub fn render_live(&self) -> String {
        self.page(true)
    }

    fn page(&self, live: bool) -> String {
        let (data, thinned) = self.page_data();
        let (mut header, mut main) = (Markup::default(), Markup::default());
        self.header(&mut header);
        self.section_timeline(&mut main, thinned);
        self.section_moments(&mut main);
        self.section_histogram(&mut main);
        self.section_passes(&mut main);
        section_notes(&mut main, &self.notes);
        self.section_settings(&mut main);
        self.closing_words(&mut main, thinned);
        Shell { title: &self.title, program: &self.program, data, live }.page(&header, &main)
    }

    fn header(&self, page: &mut Markup) {
        let (mood, word) = self.mood();
        let class = match mood {
            Mood::Good => "good",
            Mood::Bad => "bad",
            Mood::Neutral => "neutral",
        };
        put!(page, "<header>\n<p class=\"kicker\">Retake report</p>\n<h1><bdi>{}</bdi></h1>\n", self.title);
        put!(
            page,
            "<p class=\"verdict\"><span class=\"mood {}\">{}</span> {}</p>\n",
            class,
            word,
            self.verdict()
        );
        if !self.gave_way.is_empty() {
            put!(page, "<ul class=\"gave-way\">\n");
            self.gave_way.iter().for_each(|line| put!(page, "<li>{}</li>\n", line));
            put!(page, "</ul>\n");
        }
        put!(page, "<dl class=\"figures\">\n");
        let mut figure = |name: &str, value: String, detail: String| {
            put!(page, "<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>\n", name, value, detail);
        };
        let metric = self.metric.as_ref();
        if let Some((unit, worst)) = self.worst() {
            let floor = metric.and_then(|metric| metric.floor);
            let detail = floor.map_or_else(
                || format!("at {}", place(unit.seconds)),
                |floor| format!("floor {}, at {}", number(floor, 2), place(unit.seconds)),
            );
            figure("Worst unit", number(worst, 2), detail);
        }
        if let (Some(mean), Some(metric)) = (self.mean, metric) {
            figure("Mean", number(mean, 2), format!("{}, all frames", metric.name));
        }
        if let Some(size) = self.file_bytes.or(self.video_bytes) {
            let other = self.file_bytes.zip(self.video_bytes).map(|(all, video)| all.saturating_sub(video));
            let detail = other.map_or_else(String::new, |other| format!("{} of it not video", bytes(other)));
            figure("Size", bytes(size), detail);
        }
        if let Some(video) = self.video_bytes.filter(|_| self.seconds > 0.0) {
            let rate = bit_rate(video as f64 * 8.0 / self.seconds);
            figure("Video bit rate", rate, format!("over {}", place(self.seconds)));
        }
        if let Some(seconds) = self.wall_seconds {
            let cpu = self.cpu_seconds.map_or_else(String::new, |cpu| format!("{} of CPU", duration(cpu)));
            figure("Time", duration(seconds), cpu);
        }
        if self.frames > 0 {
            let takes: u64 = self.units.iter().map(|unit| unit.takes.len() as u64).sum();
            let units = self.units.len() as u64;
            let detail = format!("{} frames", count(self.frames));
            figure("Units", count(units), format!("{} takes, {detail}", count(takes)));
        }
        put!(page, "</dl>\n</header>\n");
    }

    fn section_timeline(&self, page: &mut Markup, thinned: bool) {
        put!(page, "<section id=\"timeline\" aria-labelledby=\"h-timeline\">\n");
        Shell::toolbar(page);
        put!(page, "<ul class=\"legend\" aria-label=\"Legend\">");
        put!(page, "<li><i class=\"k-met\"></i>score of a unit</li>");
        let mut key = |class: &str, text: &str| put!(page, "<li><i class=\"{}\"></i>{}</li>", class, text);
        if self
            .units
            .iter()
            .any(|unit| unit.chosen().and_then(|take| take.score).is_some_and(|s| self.is_below(s)))
        {
            key("k-below", "below the floor");
        }
        if self.units.iter().any(|unit| unit.takes.len() > 1) {
            key("k-ghost", "earlier takes");
        }
        if self.metric.as_ref().is_some_and(|metric| metric.floor.is_some()) {
            key("k-floor", "floor");
        }
        if self.rate.as_ref().is_some_and(|rate| rate.limit.is_some()) {
            key("k-limit", "highest bit rate");
        }
        if !self.chapters.is_empty() {
            key("k-chapter", "chapter");
        }
        put!(page, "</ul>\n");
        self.thumbnails(page);
        put!(page, "<div class=\"charts\">\n<div id=\"scores\" class=\"chart\"></div>\n");
        put!(page, "<div id=\"rates\" class=\"chart\"></div>\n");
        page.add(&self.timeline());
        put!(page, "</div>\n");
        Shell::readout(page);
        self.table_of_units(page, thinned);
        if !self.chapters.is_empty() {
            put!(
                page,
                "<details><summary>Chapters as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" "
            );
            put!(
                page,
                "role=\"region\" aria-label=\"Chapters\"><table><thead><tr><th scope=\"col\">Begins</th>"
            );
            put!(page, "<th scope=\"col\" class=\"words\">Title</th></tr></thead><tbody>\n");
            for chapter in &self.chapters {
                let begins = place(chapter.seconds);
                put!(
                    page,
                    "<tr><td>{}</td><td class=\"words\"><bdi>{}</bdi></td></tr>\n",
                    begins,
                    chapter.title
                );
            }
            put!(page, "</tbody></table></div></details>\n");
        }
        put!(page, "</section>\n");
    }

    fn thumbnails(&self, page: &mut Markup) {
        if self.thumbnails.is_empty() {
            return;
        }
        put!(page, "<ol class=\"thumbs\" aria-label=\"Pictures of the film\">\n");
        for thumbnail in &self.thumbnails {
            put!(page, "<li data-at=\"{}\">", number(thumbnail.seconds, 3));
            let alt = format!("Frame {} at {}", thumbnail.frame, place(thumbnail.seconds));
            picture(page, &thumbnail.picture, &alt, "");
            put!(page, "<span aria-hidden=\"true\">{}</span></li>\n", place(thumbnail.seconds));
        }
        put!(page, "</ol>\n");
    }

    /// Writes the table behind the timeline. Where a film has more units than a table should have rows, a row
    /// is a stretch of time.
    fn table_of_units(&self, page: &mut Markup, thinned: bool) {
        if self.units.is_empty() {
            return;
        }
        let together = self.units.len().div_ceil(MOST_ROWS);
        put!(page, "<details><summary>The timeline as a table</summary>\n");
        if together > 1 || thinned {
            put!(page, "<p>A row tells of up to {} units that follow each other.</p>\n", together);
        }
        put!(
            page,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Units\"><table><thead><tr>"
        );
        for name in ["Begins", "Frames", "Worst score", "Quality setting", "Takes", "Video", "Bit rate"] {
            let name = match (name, &self.quality_name) {
                ("Quality setting", Some(scale)) => scale,
                _ => name,
            };
            put!(page, "<th scope=\"col\">{}</th>", name);
        }
        put!(page, "</tr></thead><tbody>\n");
        for (row, group) in self.units.chunks(together).enumerate() {
            let last = row * together + group.len() - 1;
            let seconds = self.end_of(last) - group[0].seconds;
            let chosen = || group.iter().filter_map(|unit| unit.chosen());
            let worst = chosen().filter_map(|take| take.score).min_by(f64::total_cmp);
            let video: u64 = chosen().map(|take| take.bytes).sum();
            let takes: usize = group.iter().map(|unit| unit.takes.len()).sum();
            let mut qualities: Vec<f64> = chosen().filter_map(|take| take.quality).collect();
            qualities.sort_by(f64::total_cmp);
            let quality = match (qualities.first(), qualities.last()) {
                (Some(low), Some(high)) if low < high => format!("{}–{}", number(*low, 2), number(*high, 2)),
                (Some(one), _) => number(*one, 2),
                _ => "–".into(),
            };
            let below = worst.is_some_and(|worst| self.is_below(worst));
            put!(page, "<tr class=\"{}\">", if below { "is-below" } else { "" });
            put!(page, "<td>{}</td>", place(group[0].seconds));
            put!(page, "<td>{}–{}</td>", group[0].start, group[group.len() - 1].end.saturating_sub(1));
            let mark = if below { " (below the floor)" } else { "" };
            put!(page, "<td>{}{}</td>", worst.map_or("–".into(), |worst| number(worst, 2)), mark);
            put!(page, "<td>{}</td><td>{}</td><td>{}</td>", quality, takes, bytes(video));
            let rate = if seconds > 0.0 { bit_rate(video as f64 * 8.0 / seconds) } else { "–".into() };
            put!(page, "<td>{}</td></tr>\n", rate);
        }
        put!(page, "</tbody></table></div></details>\n");
    }

    fn section_moments(&self, page: &mut Markup) {
        if self.moments.is_empty() {
            return;
        }
        put!(page, "<section id=\"moments\" aria-labelledby=\"h-moments\">\n");
        put!(page, "<h2 id=\"h-moments\">The worst moments</h2>\n");
        put!(page, "<p class=\"lead\">The source on the left, the film on the right. ");
        put!(page, "<span class=\"slide-hint\" hidden>Move the slider to compare.</span></p>\n");
        put!(page, "<ol class=\"moments\">\n");
        for (place, moment) in self.moments.iter().enumerate() {
            self.moment(page, place + 1, moment);
        }
        put!(page, "</ol>\n</section>\n");
    }

    fn moment(&self, page: &mut Markup, rank: usize, moment: &Moment) {
        let metric = self.metric.as_ref().map_or("score", |metric| metric.name.as_str());
        let at = place(moment.seconds);
        let of = if moment.of_unit { "in its unit" } else { "in this frame" };
        put!(page, "<li><figure><div class=\"pair\">");
        picture(page, &moment.source, &format!("The source at {at}, frame {}", moment.frame), "source");
        picture(page, &moment.encode, &format!("The film at {at}, frame {}", moment.frame), "encode");
        put!(page, "</div>\n<input type=\"range\" min=\"0\" max=\"100\" value=\"50\" hidden ");
        put!(page, "aria-label=\"How much of the source is shown at {}\">\n", at);
        put!(page, "<figcaption><b>{}</b> {} {} {}", rank, metric, number(moment.score, 2), of);
        put!(page, "<span>{}, frame {}</span>", at, count(moment.frame));
        put!(page, "<button type=\"button\" hidden data-show=\"{}\">Show", number(moment.seconds, 3));
        put!(page, "<span class=\"unseen\"> {} in the timeline</span></button>", at);
        put!(page, "</figcaption></figure></li>\n");
    }

    fn section_histogram(&self, page: &mut Markup) {
        let Some(histogram) = self.histogram.as_ref().filter(|histogram| !histogram.counts.is_empty()) else {
            return;
        };
        let metric = self.metric.as_ref().map_or("score", |metric| metric.name.as_str());
        put!(page, "<section id=\"distribution\" aria-labelledby=\"h-distribution\">\n");
        put!(page, "<h2 id=\"h-distribution\">How good the frames are</h2>\n");
        put!(page, "<p class=\"lead\">Frames by {}", metric);
        let floor = self.metric.as_ref().and_then(|metric| Some((metric.floor?, &metric.pool)));
        match floor {
            _ if !histogram.of_frames => put!(page, "; each frame counts with the score of its unit."),
            Some((floor, pool)) if !pool.is_empty() => put!(
                page,
                ". The floor of {} is for {}; the paler bars are single frames below it.",
                number(floor, 2),
                pool
            ),
            _ => put!(page, "."),
        }
        put!(page, "</p>\n<div class=\"charts\"><div id=\"histogram\" class=\"chart\"></div>\n");
        page.add(&self.histogram(histogram));
        put!(
            page,
            "</div>\n<details><summary>The scores as a table</summary><div class=\"scroll\" tabindex=\"0\" "
        );
        put!(
            page,
            "role=\"region\" aria-label=\"Frames by score\"><table><thead><tr><th scope=\"col\">From</th>"
        );
        put!(page, "<th scope=\"col\">To</th><th scope=\"col\">Frames</th></tr></thead><tbody>\n");
        for (bin, &frames) in histogram.counts.iter().enumerate().filter(|(_, frames)| **frames > 0) {
            let at = |bin: usize| number(histogram.start + bin as f64 * histogram.width, 4);
            let (from, to) = (at(bin), at(bin + 1));
            put!(page, "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", from, to, count(frames));
        }
        put!(page, "</tbody></table></div></details>\n</section>\n");
    }

    fn section_passes(&self, page: &mut Markup) {
        if self.passes.is_empty() {
            return;
        }
        put!(
            page,
            "<section id=\"work\" aria-labelledby=\"h-work\">\n<h2 id=\"h-work\">Where the time went</h2>\n"
        );
        let most = self.passes.iter().map(|pass| pass.cpu.total()).fold(0.0, f64::max);
        if most > 0.0 {
            put!(
                page,
                "<ul class=\"legend\" aria-label=\"Legend\"><li><i class=\"k-encode\"></i>encoding</li>"
            );
            put!(
                page,
                "<li><i class=\"k-measure\"></i>scoring</li><li><i class=\"k-look\"></i>probes</li></ul>\n"
            );
            self.passes.iter().for_each(|pass| work_bar(page, pass, most));
        }
        put!(
            page,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Passes\"><table><thead><tr>"
        );
        let timed = self.passes.iter().any(|pass| pass.wall_seconds.is_some());
        let names =
            ["Pass", "Why", "Takes", "Frames", "CPU", "Time", "Video after it", "Worst", "Below floor"];
        for name in names.into_iter().filter(|name| timed || *name != "Time") {
            let class = if name == "Why" { "words" } else { "" };
            put!(page, "<th scope=\"col\" class=\"{}\">{}</th>", class, name);
        }
        put!(page, "</tr></thead><tbody>\n");
        for pass in &self.passes {
            put!(page, "<tr><th scope=\"row\">{}</th><td class=\"words\">{}</td>", pass.pass, pass.reason);
            put!(page, "<td>{}</td><td>{}</td>", count(pass.takes), count(pass.frames));
            let time = |seconds: f64| if seconds > 0.0 { duration(seconds) } else { "–".into() };
            put!(page, "<td>{}</td>", time(pass.cpu.total()));
            if timed {
                put!(page, "<td>{}</td>", time(pass.wall_seconds.unwrap_or(0.0)));
            }
            put!(page, "<td>{}</td>", bytes(pass.video_bytes));
            put!(page, "<td>{}</td>", pass.worst.map_or("–".into(), |worst| number(worst, 2)));
            put!(page, "<td>{}</td></tr>\n", pass.below.map_or("–".into(), count));
        }
        put!(page, "</tbody></table></div>\n</section>\n");
    }

    fn section_settings(&self, page: &mut Markup) {
        if self.settings.is_empty() && self.command.is_empty() {
            return;
        }
        put!(page, "<section id=\"settings\" aria-labelledby=\"h-settings\">\n");
        put!(page, "<h2 id=\"h-settings\">Settings</h2>\n<div class=\"groups\">\n");
        for group in self.settings.iter().filter(|group| !group.lines.is_empty()) {
            put!(page, "<div><h3>{}</h3><dl>\n", group.name);
            for (name, value) in &group.lines {
                put!(page, "<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>\n", name, value);
            }
            put!(page, "</dl></div>\n");
        }
        put!(page, "</div>\n");
        if !self.command.is_empty() {
            put!(
                page,
                "<h3>Make it again</h3>\n<pre tabindex=\"0\" role=\"region\" aria-label=\"Command line\">"
            );
            let words: Vec<String> = self.command.iter().map(|word| shell_word(word)).collect();
            put!(page, "<code>{}</code></pre>\n", words.join(" "));
        }
        put!(page, "</section>\n");
    }

    fn closing_words(&self, page: &mut Markup, thinned: bool) {
        if !thinned && self.data_file.is_none() && self.state != State::Stopped {
            return;
        }
        put!(page, "<p class=\"closing\">");
        if thinned {
            put!(page, "There are more units than a page should hold: each bar is the worst of several. ");
        }
        if let Some(file) = &self.data_file {
            put!(page, "All numbers are in <bdi>{}</bdi>. ", file);
        }
        if self.state == State::Stopped {
            put!(page, "The same command carries on.");
        }
        put!(page, "</p>\n");
    }
}

/// Writes what has to be told.
pub(crate) fn section_notes(page: &mut Markup, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    put!(page, "<section id=\"notes\" aria-labelledby=\"h-notes\">\n<h2 id=\"h-notes\">Notes about the ");
    put!(page, "source and what was kept</h2>\n<ul>\n");
    notes.iter().for_each(|note| put!(page, "<li><bdi>{}</bdi></li>\n", note));
    put!(page, "</ul>\n</section>\n");
}

/// What all pages have: head, policy, style, data and script.
pub(crate) struct Shell<'a> {
    pub title: &'a str,
    pub program: &'a str,
    /// JSON that can stand inside a script.
    pub data: String,
    /// Whether the page asks whoever served it for its next state.
    pub live: bool,
}

impl Shell<'_> {
    pub(crate) fn page(self, header: &Markup, main: &Markup) -> String {
        let mut page = Markup::default();
        put!(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        let connect = if self.live { "connect-src 'self'; " } else { "" };
        put!(
            page,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        );
        put!(page, "{}style-src '{}'; script-src '{}'; ", connect, STYLE_HASH, SCRIPT_HASH);
        put!(page, "base-uri 'none'; form-action 'none'\">\n");
        put!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        put!(page, "<meta name=\"color-scheme\" content=\"light dark\">\n");
        put!(page, "<title>{} – Retake</title>\n<style>", self.title);
        page.trusted(STYLE);
        put!(page, "</style>\n</head>\n<body{}>\n", if self.live { " data-live" } else { "" });
        put!(page, "<a class=\"skip\" href=\"#timeline\">Skip to the timeline</a>\n");
        page.add(header);
        put!(page, "<main>\n");
        page.add(main);
        put!(page, "</main>\n<footer>\n<p>Made by {}.", self.program);
        if HAS_UPLOT {
            put!(page, " Charts by uPlot 1.6.32, copyright Leon Sorokin, MIT licence.");
        } else {
            put!(page, " This build has no uPlot, so that the charts are still drawings.");
        }
        put!(page, "</p>\n</footer>\n<script type=\"application/json\" id=\"data\">");
        page.trusted(&self.data);
        put!(page, "</script>\n<script>");
        page.trusted(SCRIPT);
        put!(page, "</script>\n</body>\n</html>\n");
        page.finish()
    }

    /// Writes the heading of a timeline with the buttons that zoom.
    pub(crate) fn toolbar(page: &mut Markup) {
        put!(page, "<div class=\"bar\"><h2 id=\"h-timeline\">Timeline</h2>\n");
        put!(page, "<div class=\"tools\" hidden role=\"group\" aria-label=\"Zoom\">");
        put!(page, "<button type=\"button\" data-zoom=\"in\">Zoom in</button>");
        put!(page, "<button type=\"button\" data-zoom=\"out\">Zoom out</button>");
        put!(page, "<button type=\"button\" data-zoom=\"all\">Whole film</button></div></div>\n");
    }

    /// Writes the place where the script tells what is under the pointer.
    pub(crate) fn readout(page: &mut Markup) {
        put!(page, "<div id=\"readout\" class=\"readout\" role=\"status\" hidden></div>\n");
        put!(
            page,
            "<p class=\"hint\" hidden>Point at the chart to read it, drag to zoom, double-click for the "
        );
        put!(page, "whole film. With the keyboard: arrows move, + and − zoom, 0 shows all.</p>\n");
    }
}

/// Draws the processor seconds of a pass, as a part of those of the longest one.
fn work_bar(page: &mut Markup, pass: &Pass, most: f64) {
    const WIDTH: f64 = 1000.0;
    let text = format!(
        "Pass {}: {} encoding, {} scoring, {} probes",
        pass.pass,
        duration(pass.cpu.encode),
        duration(pass.cpu.measure),
        duration(pass.cpu.look)
    );
    put!(page, "<div class=\"work\"><span>Pass {}</span><svg viewBox=\"0 0 1000 20\" ", pass.pass);
    put!(page, "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">", text);
    let mut x = 0.0;
    let parts = [("k-encode", pass.cpu.encode), ("k-measure", pass.cpu.measure), ("k-look", pass.cpu.look)];
    for (class, seconds) in parts {
        let width = (WIDTH * seconds / most).max(0.0);
        put!(
            page,
            "<rect class=\"{}\" x=\"{}\" width=\"{}\" height=\"20\"/>",
            class,
            number(x, 1),
            number(width, 1)
        );
        x += width;
    }
    put!(page, "</svg><span>{}</span></div>\n", duration(pass.cpu.total()));
}

fn picture(page: &mut Markup, picture: &Picture, alt: &str, class: &'static str) {
    put!(page, "<img class=\"{}\" alt=\"{}\" width=\"{}\" ", class, alt, picture.width);
    put!(page, "height=\"{}\" decoding=\"async\" src=\"data:image/jpeg;base64,", picture.height);
    // Base64 holds nothing that has to be escaped, and escaping it character by character would take long.
    page.trusted(&STANDARD.encode(&picture.jpeg));
    put!(page, "\">");
}

/// Writes a word so that a shell reads it back as it was.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
