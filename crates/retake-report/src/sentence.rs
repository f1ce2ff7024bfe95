//! The verdict, in a sentence.

use crate::model::{Asked, Report, State};
use crate::text::{bit_rate, bytes, duration, number};

/// What a verdict comes to, which a page shows by a word and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Bad,
    Neutral,
}

impl Report {
    /// Returns what became of what was asked for, as one word.
    pub(crate) fn mood(&self) -> (Mood, &'static str) {
        match (&self.state, self.reached) {
            (State::Running(_), _) => (Mood::Neutral, "Running"),
            (State::Stopped, _) => (Mood::Neutral, "Stopped"),
            (_, Some(true)) => (Mood::Good, "Reached"),
            (_, Some(false)) => (Mood::Bad, "Not reached"),
            (State::Measured, None) => (Mood::Neutral, "Measured"),
            (State::Finished, None) => (Mood::Neutral, "Done"),
        }
    }

    /// Returns the verdict: what was asked for, what was reached, and what that took.
    pub fn verdict(&self) -> String {
        let metric = self.metric.as_ref().map_or("the score", |metric| metric.name.as_str());
        let asked = self.asked.map(|asked| match asked {
            Asked::Floor(floor) => format!("{metric} {} in every unit", number(floor, 2)),
            Asked::BitRate(rate) => format!("{} on average", bit_rate(rate as f64)),
            Asked::Size(size) => format!("a file of at most {}", bytes(size)),
            Asked::Plain(Some(quality)) => {
                let scale = self.quality_name.as_deref().unwrap_or("quality");
                format!("one plain pass at {scale} {}", number(quality, 2))
            }
            Asked::Plain(None) => "one plain pass".into(),
        });
        let mut reached = Vec::new();
        if let Some((_, worst)) = self.worst() {
            let mean = self.mean.map_or(String::new(), |mean| format!(" and {} on average", number(mean, 2)));
            reached.push(format!("{metric} {} in the worst unit{mean}", number(worst, 2)));
        }
        let mut size: Vec<String> = self.file_bytes.or(self.video_bytes).map(bytes).into_iter().collect();
        if let Some(video) = self.video_bytes.filter(|_| self.seconds > 0.0) {
            size.push(format!("{} of video", bit_rate(video as f64 * 8.0 / self.seconds)));
        }
        if !size.is_empty() {
            reached.push(size.join(", "));
        }
        let took = match self.wall_seconds {
            Some(seconds) => format!(", in {}", duration(seconds)),
            None => String::new(),
        };
        let reached = reached.join("; ");
        match (&self.state, asked, reached.is_empty()) {
            (State::Running(progress), Some(asked), _) => format!("Asked for {asked}. {progress}."),
            (State::Running(progress), None, _) => format!("{progress}."),
            (_, Some(asked), false) => format!("Asked for {asked}; got {reached}{took}."),
            (_, Some(asked), true) => format!("Asked for {asked}{took}."),
            (State::Measured, None, false) => format!("Measured: {reached}{took}."),
            (_, None, false) => format!("Got {reached}{took}."),
            (_, None, true) => "Nothing is known yet.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Metric, Take, Unit};

    #[test]
    fn the_verdict_tells_what_was_asked_and_reached() {
        let mut report = Report::new("film.mp4", "retake");
        assert_eq!(report.verdict(), "Nothing is known yet.");
        let take = Take { pass: 1, score: Some(93.217), bytes: 1000, ..Take::default() };
        let unit = Unit { start: 0, end: 25, seconds: 0.0, scene: true, takes: vec![take], chosen: 0 };
        report.metric =
            Some(Metric { name: "VMAF".into(), pool: "mean".into(), floor: Some(93.0), most: Some(100.0) });
        (report.units, report.seconds, report.mean) = (vec![unit], 10.0, Some(94.5));
        (report.asked, report.reached) = (Some(Asked::Floor(93.0)), Some(true));
        (report.file_bytes, report.video_bytes) = (Some(1_300_000), Some(1_250_000));
        report.wall_seconds = Some(75.0);
        let wanted = "Asked for VMAF 93 in every unit; got VMAF 93.22 in the worst unit and 94.5 on average; \
                      1.30 MB, 1.00 Mbit/s of video, in 1 min 15 s.";
        assert_eq!(report.verdict().replace('\u{a0}', " "), wanted);
        assert_eq!(report.mood(), (Mood::Good, "Reached"));
        report.state = State::Running("Pass 1, 40 of 100 frames".into());
        assert_eq!(report.verdict(), "Asked for VMAF 93 in every unit. Pass 1, 40 of 100 frames.");
    }
}
