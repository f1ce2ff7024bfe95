//! What a report says of a job, from its records alone.

use super::{PROGRAM, metric, metric_name, name_of, pool_name, shortened};
use crate::event::{Missed, Outcome, StopReason};
use crate::job::identity::AskedGoal;
use crate::records::clock::FrameClock;
use crate::records::{RecordedTake, RecordedUnit, Records};
use retake_compression::encoder::RateControl;
use retake_compression::planner::{Objective, Reason};
use retake_report::{Asked, Chapter, Cpu, Group, Histogram, Metric, Pass, Rate, Report, State, Take, Unit};
use std::path::Path;

/// Notes and chapters beyond so many are left to the records.
const MOST_LINES: usize = 200;

impl Records {
    /// Makes a report of the records. It has no pictures:
    /// [`FilmPair::add_to`](crate::report::FilmPair::add_to) adds them.
    pub fn report(&self) -> Report {
        let clock = FrameClock::of(self);
        let title = match &self.summary {
            Some(summary) => name_of(&summary.output),
            None => name_of(Path::new(&self.source.name)),
        };
        let mut report = Report::new(title, PROGRAM);
        report.state = if self.summary.is_some() { State::Finished } else { State::Stopped };
        report.asked = Some(self.asked());
        report.frames = self.index.frames;
        report.seconds = self.index.seconds;
        if let (None, Some(last)) = (&self.summary, self.units.last()) {
            // of a job that goes on, the report ends with the last unit that has a take
            report.frames = last.range.end;
            report.seconds = clock.seconds(last.range.end).min(report.seconds);
        }
        report.frame_rate = self.source.frame_rate.to_f64();
        report.metric = self.metric();
        report.quality_name = Some(if self.encoder.codec == "vp9" { "CQ" } else { "CRF" }.into());
        report.units = self.units.iter().map(|unit| self.unit(unit, &clock)).collect();
        report.rate = self.rate(&clock, report.seconds);
        report.histogram = self.histogram();
        report.mean = self.mean();
        let begin = clock.origin;
        let chapters = self.source.chapters.iter().take(MOST_LINES);
        report.chapters = chapters
            .map(|chapter| Chapter {
                seconds: (chapter.start - begin).max(0.0),
                title: shortened(&chapter.title),
            })
            .filter(|chapter| chapter.seconds <= report.seconds)
            .collect();
        report.video_bytes = (!self.units.is_empty())
            .then(|| report.units.iter().filter_map(Unit::chosen).map(|take| take.bytes).sum());
        report.notes = self.source.notes.iter().take(MOST_LINES).map(|note| shortened(note)).collect();
        self.tell_summary(&mut report);
        report.settings = self.settings();
        report.command = self.command.iter().map(|word| shortened(word)).collect();
        if let Some(program) = report.command.first_mut() {
            // where the program lies is another place on the next machine
            *program = name_of(Path::new(&program));
        }
        report
    }

    fn tell_summary(&self, report: &mut Report) {
        let Some(summary) = &self.summary else { return };
        report.file_bytes = Some(summary.file_bytes);
        report.video_bytes = Some(summary.video_bytes);
        (report.wall_seconds, report.cpu_seconds) = (Some(summary.wall_seconds), Some(summary.cpu_seconds));
        (report.frames, report.seconds) = (summary.frames, summary.seconds);
        if let Some(quality) = &summary.quality {
            report.mean = Some(quality.mean);
        }
        report.reached = match summary.outcome {
            Outcome::Satisfied => Some(true),
            Outcome::Missed => Some(false),
            Outcome::Plain => None,
        };
        report.gave_way = summary.missed.iter().map(gave_way).collect();
        if summary.outcome == Outcome::Missed {
            match summary.stopped_because {
                StopReason::PassCap => {
                    report.gave_way.push("The passes that were allowed are used up.".into())
                }
                StopReason::NoGainExpected => {
                    report.gave_way.push("No further take is expected to help.".into());
                }
                StopReason::Satisfied => {}
            }
        }
        let cpu_of = |pass: u32| {
            let takes = self.units.iter().flat_map(|unit| &unit.takes).filter(|take| take.pass == pass);
            takes.fold(Cpu::default(), |sum, take| Cpu {
                look: sum.look + take.record.cpu.look,
                encode: sum.encode + take.record.cpu.encode,
                measure: sum.measure + take.record.cpu.measure,
            })
        };
        report.passes = summary
            .passes
            .iter()
            .map(|pass| Pass {
                pass: pass.pass,
                reason: pass.reason.clone(),
                takes: pass.takes as u64,
                frames: pass.frames,
                video_bytes: pass.video_bytes,
                worst: pass.worst,
                below: pass.below.map(|below| below as u64),
                cpu: cpu_of(pass.pass),
                wall_seconds: (pass.wall_seconds > 0.0).then_some(pass.wall_seconds),
            })
            .collect();
    }

    fn asked(&self) -> Asked {
        match self.request.goal {
            AskedGoal::Floor { floor, .. } => Asked::Floor(floor),
            AskedGoal::BitRate(rate) => Asked::BitRate(rate),
            AskedGoal::Size(size) => Asked::Size(size),
            AskedGoal::Plain(quality) => Asked::Plain(quality),
        }
    }

    fn metric(&self) -> Option<Metric> {
        let name = self.job.metric.as_ref()?;
        let floor = match (self.objective, self.job.objective) {
            (Objective::Floor { floor, .. }, _) | (_, Objective::Floor { floor, .. }) => Some(floor),
            _ => None,
        };
        Some(metric(name, self.job.pool.as_deref().unwrap_or_default(), floor))
    }

    fn unit(&self, unit: &RecordedUnit, clock: &FrameClock) -> Unit {
        let take = |take: &RecordedTake| Take {
            pass: take.pass,
            quality: take.record.quality,
            score: take.record.score.map(|score| score.value),
            bytes: take.record.bytes,
            reason: match take.reason {
                None => "the first take".into(),
                Some(Reason::BelowFloor) => "was below the floor".into(),
                Some(Reason::AboveTolerance) => "was better than asked for".into(),
                Some(Reason::Rate) => "bits were moved to meet the rate".into(),
                Some(Reason::Cap) => "was in a window above the highest rate".into(),
            },
        };
        Unit {
            start: unit.range.start,
            end: unit.range.end,
            seconds: clock.seconds(unit.range.start),
            scene: self.index.scenes.binary_search(&unit.range.start).is_ok(),
            takes: unit.takes.iter().map(take).collect(),
            chosen: unit.chosen.unwrap_or(usize::MAX),
        }
    }

    /// Counts the bytes of the film by second, each sample where it is decoded.
    fn rate(&self, clock: &FrameClock, seconds: f64) -> Option<Rate> {
        // Untrusted seconds must not decide how much memory this takes.
        let seconds = (seconds.ceil().max(0.0) as usize).min(7 * 24 * 3600);
        if seconds == 0 || self.units.is_empty() {
            return None;
        }
        let mut rate = Rate { bytes_by_second: vec![0; seconds], limit: self.job.max_bit_rate };
        for unit in &self.units {
            let Some(take) = unit.shipped() else { continue };
            for (frame, size) in (unit.range.start..unit.range.end).zip(take.record.sample_sizes()) {
                let second = (clock.seconds(frame).max(0.0) as usize).min(seconds - 1);
                rate.bytes_by_second[second] = rate.bytes_by_second[second].saturating_add(size);
            }
        }
        Some(rate)
    }

    /// Returns the scores of single frames of the film as it is, where all units have them: the frame, how
    /// many frames it stands for, and the score.
    pub(super) fn frame_scores(&self) -> Option<Vec<(u64, u64, f64)>> {
        let mut scores = Vec::new();
        for unit in &self.units {
            let known = unit.shipped()?.record.frame_scores.as_ref()?;
            let every = known.every.max(1);
            for (number, &score) in (0u64..).zip(&known.values) {
                let frame = known.first.saturating_add(number.saturating_mul(every));
                if frame >= unit.range.len() {
                    break;
                }
                scores.push((unit.range.start + frame, every, score));
            }
        }
        Some(scores).filter(|scores| !scores.is_empty())
    }

    fn histogram(&self) -> Option<Histogram> {
        if let Some(scores) = self.frame_scores() {
            return Histogram::of(scores.iter().map(|&(_, every, score)| (score, every)), true);
        }
        let scores = self
            .units
            .iter()
            .filter_map(|unit| Some((unit.shipped()?.record.score?.value, unit.range.len())));
        Histogram::of(scores, false)
    }

    fn mean(&self) -> Option<f64> {
        let mut sum = (0.0, 0.0);
        for unit in &self.units {
            let score = unit.shipped()?.record.score?.value;
            sum = (sum.0 + score * unit.range.len() as f64, sum.1 + unit.range.len() as f64);
        }
        (sum.1 > 0.0).then(|| sum.0 / sum.1)
    }

    fn settings(&self) -> Vec<Group> {
        let settings = &self.job.settings;
        let text = |name: &str, value: String| (name.to_owned(), shortened(&value));
        let mut encoder = vec![
            text("Encoder", format!("{} {}", self.encoder.name, self.encoder.version)),
            text("Codec", self.encoder.codec.clone()),
            text("Preset", settings.preset.clone()),
        ];
        match settings.rate {
            RateControl::Quality(quality) => encoder.push(text("Quality to begin with", quality.to_string())),
            ref other => encoder.push(text("Rate control", format!("{other:?}"))),
        }
        encoder.push(text("Picture", format!("{} × {}", settings.width, settings.height)));
        encoder.push(text("Pixel format", format!("{:?}", settings.format)));
        encoder.push(text("Threads of an encoder", settings.threads.to_string()));
        for (key, value) in &settings.options {
            encoder.push((shortened(key), shortened(value)));
        }
        let mut work = Vec::new();
        if let Some(metric) = &self.job.metric {
            work.push(text("Metric", metric_name(metric)));
        }
        let size = self.descriptions.iter().find_map(|take| take.measure.as_ref()?.size);
        if let Some((width, height)) = size {
            work.push(text("Scored at", format!("{width}×{height}, the size of the source")));
        }
        if let Some(pool) = &self.job.pool {
            work.push(text("A unit's score", pool_name(pool).to_owned()));
        }
        work.push(text("Passes allowed", self.request.passes.to_string()));
        if let Some(rate) = self.job.max_bit_rate {
            work.push(text("Highest bit rate", format!("{rate} bit/s in any two seconds")));
        }
        for (key, value) in &self.request.properties {
            work.push((shortened(key), shortened(&format!("{value:?}"))));
        }
        let source = &self.source;
        let mut of_source = vec![
            text("File", source.name.clone()),
            text("Container", source.container.clone()),
            text("Video", format!("{}, {} × {}", source.codec, source.width, source.height)),
            text("Pixel format", source.pixel_format.clone()),
            text("Frame rate", format!("{:.3}", source.frame_rate.to_f64())),
        ];
        for track in source.tracks.iter().take(MOST_LINES) {
            let language = track
                .language
                .as_ref()
                .filter(|language| *language != "und")
                .map_or(String::new(), |language| format!(", {language}"));
            let title = track.title.as_ref().map_or(String::new(), |title| format!(", {title}"));
            let value = shortened(&format!("{}{language}{title}", track.codec));
            of_source.push((format!("Track {} ({})", track.index, shortened(&track.kind)), value));
        }
        for (name, value) in source.tags.iter().take(MOST_LINES) {
            of_source.push((shortened(name), shortened(value)));
        }
        let machine = &self.machine;
        let on = vec![
            text("Program", format!("retake {}", self.program)),
            text("System", machine.system.clone()),
            text("Processors", machine.cores.to_string()),
            text("Memory", format!("{:.1} GB", machine.memory as f64 / 1e9)),
            text("Takes at once", machine.jobs.to_string()),
            text("Takes ran on", machine.takes_ran.clone()),
        ];
        let group = |name: &str, lines| Group { name: name.into(), lines };
        vec![
            group("Encoder", encoder),
            group("What was asked for", work),
            group("Source", of_source),
            group("Versions and machine", on),
        ]
    }
}

fn gave_way(missed: &Missed) -> String {
    match missed {
        Missed::Floor { units, of } => format!("{units} of {of} units are below the floor."),
        Missed::BitRate { wanted, got } => {
            format!("The bit rate that was asked for makes {wanted} bytes of video, and there are {got}.")
        }
        Missed::Size { wanted, got } => format!("{wanted} bytes were allowed, and the file has {got}."),
        Missed::MaxBitRate { units, of, times, worst } => format!(
            "The highest bit rate is exceeded in {units} of {of} units, at most {times:.2} times (frames {worst})."
        ),
        Missed::Source { damage } => {
            let damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
            format!("The source could not be read whole: {}.", shortened(&damage.join("; ")))
        }
    }
}
