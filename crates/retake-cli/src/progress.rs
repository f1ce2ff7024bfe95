//! This module shows progress to a person at a terminal; elsewhere it is silent.

use crate::args::Encode;
use crate::{output, table};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use retake::{EncoderInfo, Event, MetricKind, Pooling, Target};
use std::sync::Mutex;

pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
    verbose: bool,
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
}

impl Progress {
    /// Prints the plan of the run.
    pub(crate) fn new(
        args: &Encode,
        encoder: &EncoderInfo,
        target: Option<Target>,
        metric: MetricKind,
        pool: Pooling,
    ) -> Self {
        let quiet = args.quiet || args.json;
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if !quiet && !bar.is_hidden() {
            let target =
                target.map_or("what is usual, or what properties ask for".into(), |one| one.to_string());
            let text = format!(
                "{} → {}: {} {}, {target} ({}, {})",
                args.input.display(),
                args.output.display(),
                encoder.name,
                encoder.version,
                metric.name(),
                pool.name()
            );
            bar.println(output::one_line(&text));
        }
        Self { bar, quiet, verbose: args.verbose, state: Mutex::default() }
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
            Event::Waiting { reason } => self.say(&format!("all takes wait: {reason}")),
            Event::TakeFinished { range, bytes, kept, pass, quality, score, .. } => {
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
                self.bar.finish_and_clear();
                table::print(summary);
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

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(unit: &str) -> ProgressStyle {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left  {{msg}}");
    // only the unit varies in the template, so it always parses; the default bar is no worse than a panic
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn open_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {pos} frames  {per_sec}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
