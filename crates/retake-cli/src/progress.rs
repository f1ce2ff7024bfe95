//! This module shows progress to a person at a terminal; elsewhere it is silent.

use crate::args::Encode;
use crate::{output, table};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use retake::{EncoderInfo, Event, MetricKind, Pooling, Target};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// How often the line of a running take is drawn again.
const TICK: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    /// The bar, and below it a line for each running take where these are asked for.
    lines: MultiProgress,
    bar: ProgressBar,
    quiet: bool,
    verbose: bool,
    /// Whether the film is one of several, whose table comes in the end.
    of_batch: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pass: u32,
    /// The number of the film's frames, as far as it is known.
    film: Option<u64>,
    indexed: u64,
    encoded: u64,
    bytes: u64,
    taken: u64,
    /// The lines of running takes, by their first frames.
    running: BTreeMap<u64, ProgressBar>,
}

impl Progress {
    /// Prints the plan of the run. `place` is the number of the film, from 1, and how many there are, where
    /// it is one of several.
    pub(crate) fn new(
        args: &Encode,
        place: Option<(usize, usize)>,
        encoder: &EncoderInfo,
        target: Option<Target>,
        metric: MetricKind,
        pool: Pooling,
    ) -> Self {
        let quiet = args.quiet || args.json;
        let lines = MultiProgress::new();
        let bar = if quiet { ProgressBar::hidden() } else { lines.add(ProgressBar::no_length()) };
        if !quiet && !bar.is_hidden() {
            let target =
                target.map_or("what is usual, or what properties ask for".into(), |one| one.to_string());
            let place = place.map_or(String::new(), |(number, of)| format!("[{number}/{of}] "));
            let text = format!(
                "{place}{} → {}: {} {}, {target} ({}, {})",
                args.input().display(),
                args.output.display(),
                encoder.name,
                encoder.version,
                metric.name(),
                pool.name()
            );
            bar.println(output::one_line(&text));
        }
        let (verbose, of_batch) = (args.verbose, place.is_some());
        Self { lines, bar, quiet, verbose, of_batch, state: Mutex::default() }
    }

    pub(crate) fn show(&self, event: &Event) {
        if self.quiet {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Started { frames, notes, jobs, memory, .. } => {
                state.film = *frames;
                for note in notes {
                    self.say(&format!("note: {note}"));
                }
                let (s, megabytes) = (if *jobs == 1 { "" } else { "s" }, memory >> 20);
                self.say(&format!("{jobs} take{s} at once, in about {megabytes} MiB"));
            }
            Event::ChoosingLadder => self.say("choosing rungs: samples of the film are encoded and scored"),
            Event::LadderChosen { rungs, cpu_seconds } => {
                self.say(&format!("rungs, chosen by measured quality ({cpu_seconds:.1} CPU seconds):"));
                self.say("  rows     kb/s  expected score, in the size of the source");
                for rung in rungs {
                    let (rows, rate) = (format!("{}p", rung.rows), rung.bit_rate as f64 / 1000.0);
                    let to = if rung.to_floor { "  (made to the floor)" } else { "" };
                    self.say(&format!("{rows:>6} {rate:>8.0}  {:.2}{to}", rung.score));
                }
            }
            Event::VariantStarted { variant, of, name } => {
                *state = State::default();
                self.say(&format!("variant {variant} of {of}: {name}"));
            }
            Event::Indexed { frames } => {
                state.indexed = *frames;
                self.message(&state);
            }
            Event::PassStarted { pass, frames, reason, takes } => {
                state.pass = *pass;
                state.encoded = 0;
                let takes = takes.map_or(String::new(), |takes| format!("{takes} takes: "));
                self.say(&format!("pass {pass}: {takes}{reason}"));
                self.bar.reset();
                self.bar.set_style(style("frames"));
                match frames.or(state.film) {
                    Some(frames) => self.bar.set_length(frames),
                    None => self.bar.set_style(open_style()),
                }
            }
            Event::Encoded { frames, .. } => {
                state.encoded += frames;
                self.bar.inc(*frames);
            }
            Event::TakeStarted { pass, start, end } if self.verbose => {
                let line = self.lines.add(ProgressBar::no_length().with_style(take_style()));
                let range =
                    end.map_or(format!("frames {start}-"), |end| format!("frames {start}-{}", end - 1));
                line.set_message(format!("take of {range}, pass {pass}"));
                line.enable_steady_tick(TICK);
                // one that is run again has a line already
                if let Some(before) = state.running.insert(*start, line) {
                    before.finish_and_clear();
                }
            }
            Event::Waiting { reason } => self.say(&format!("all takes wait: {reason}")),
            Event::TakeFinished { range, bytes, kept, pass, quality, score, .. } => {
                if let Some(line) = state.running.remove(&range.start) {
                    line.finish_and_clear();
                }
                if self.verbose {
                    let number = |name: &str, value: &Option<f64>| {
                        value.map_or(String::new(), |value| format!(", {name} {value:.2}"))
                    };
                    let (quality, score) = (number("quality", quality), number("score", score));
                    let kept = if *kept { ", from an earlier run" } else { "" };
                    self.say(&format!("take of {range}{quality}{score}, {bytes} bytes{kept}"));
                }
                if *pass == 1 {
                    state.bytes += bytes;
                    state.taken += range.len();
                }
                if *kept {
                    self.bar.inc(range.len());
                }
                self.message(&state);
            }
            Event::Writing { frames } => {
                self.say("writing and verifying");
                self.bar.reset();
                self.bar.set_style(style("frames verified"));
                self.bar.set_length(*frames);
                self.bar.set_message("");
            }
            Event::Verifying { frames } => self.bar.set_position(*frames),
            // told while the job folder is still there, so that a run that dies now tells it again
            Event::Finished(summary) => {
                self.end_takes(&mut state);
                self.bar.finish_and_clear();
                if self.verbose || !self.of_batch {
                    table::print(summary);
                }
            }
            _ => {}
        }
    }

    fn say(&self, text: &str) {
        self.bar.println(output::one_line(text));
    }

    fn message(&self, state: &State) {
        let mut words = Vec::new();
        if state.pass == 1 {
            words.push(format!("{} indexed", state.indexed));
            if let (Some(film), true) = (state.film, state.taken > 0) {
                let expected = state.bytes as f64 * film as f64 / state.taken as f64;
                words.push(format!("about {}", HumanBytes(expected as u64)));
            }
        }
        self.bar.set_message(words.join(", "));
    }

    fn end_takes(&self, state: &mut State) {
        std::mem::take(&mut state.running).into_values().for_each(|line| line.finish_and_clear());
    }

    pub(crate) fn end(&self) {
        self.end_takes(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.bar.finish_and_clear();
    }
}

fn style(unit: &str) -> ProgressStyle {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left  {{msg}}");
    // only the unit varies in the template, so it always parses; the default bar is no worse than a panic
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn take_style() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {msg}, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn open_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {pos} frames  {per_sec}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
