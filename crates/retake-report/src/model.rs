//! What a report says, as plain data. Who fills it opens films and reads records; this crate does neither.

/// A report of one encode, or of one film that was measured against its source.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The name of the film, as its file has it.
    pub title: String,
    /// The program that made the report, with its version.
    pub program: String,
    /// How far the work is.
    pub state: State,
    /// What was asked for.
    pub asked: Option<Asked>,
    /// Whether what was asked for was reached; `None` where nothing was, and while the work goes on.
    pub reached: Option<bool>,
    /// What of the wishes gave way, in plain sentences.
    pub gave_way: Vec<String>,
    /// What has to be told of the source and of what could not be kept, in plain sentences.
    pub notes: Vec<String>,
    /// The number of frames.
    pub frames: u64,
    /// How long the film is, in seconds.
    pub seconds: f64,
    /// Frames in a second, on average.
    pub frame_rate: f64,
    /// What quality was measured with, where it was.
    pub metric: Option<Metric>,
    /// The mean score over all frames.
    pub mean: Option<f64>,
    /// The name of the encoder's quality scale, such as CRF.
    pub quality_name: Option<String>,
    /// All units, in order and without gaps.
    pub units: Vec<Unit>,
    /// The bytes of the film's video by second, and the highest rate that was allowed.
    pub rate: Option<Rate>,
    /// Bytes of the whole file.
    pub file_bytes: Option<u64>,
    /// Bytes of its video.
    pub video_bytes: Option<u64>,
    /// The chapters.
    pub chapters: Vec<Chapter>,
    /// Pictures of the film, in order.
    pub thumbnails: Vec<Thumbnail>,
    /// The moments that came out worst, the worst first.
    pub moments: Vec<Moment>,
    /// The passes, in order.
    pub passes: Vec<Pass>,
    /// Seconds that the work took.
    pub wall_seconds: Option<f64>,
    /// Processor seconds that the work took, over all that ran.
    pub cpu_seconds: Option<f64>,
    /// The distribution of scores.
    pub histogram: Option<Histogram>,
    /// Settings, versions and the machine, in groups.
    pub settings: Vec<Group>,
    /// The words of the command line that makes the same film again.
    pub command: Vec<String>,
    /// The name of the file that holds all that is known, unthinned.
    pub data_file: Option<String>,
}

/// How far the work is that a report tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// The film is there.
    #[default]
    Finished,
    /// The work goes on; the text says how far it is.
    Running(String),
    /// The work was stopped, and can be carried on with.
    Stopped,
    /// A film that was there already was measured.
    Measured,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Asked {
    /// A score that every unit reaches.
    Floor(f64),
    /// An average bit rate, in bits per second.
    BitRate(u64),
    /// A size of the file that is not exceeded.
    Size(u64),
    /// One plain pass, with a quality of the encoder's own scale or with its usual one.
    Plain(Option<f64>),
}

/// A way to measure quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, as people write it.
    pub name: String,
    /// What the score of a unit is made of, such as the mean of its frames.
    pub pool: String,
    /// The score that every unit has to reach, if one was asked for.
    pub floor: Option<f64>,
    /// The highest score there is, if there is one.
    pub most: Option<f64>,
}

/// A unit, which is judged and encoded again as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its first frame.
    pub start: u64,
    /// The frame after its last.
    pub end: u64,
    /// The time of its first frame, in seconds.
    pub seconds: f64,
    /// Whether a scene begins with it.
    pub scene: bool,
    /// Its takes, in the order in which they were made.
    pub takes: Vec<Take>,
    /// Which of them is in the film. A number that there is no take of counts as the last.
    pub chosen: usize,
}

impl Unit {
    /// Returns the take that is in the film; `None` as long as there is none.
    pub fn chosen(&self) -> Option<&Take> {
        self.takes.get(self.chosen).or(self.takes.last())
    }

    /// Returns the number of its frames.
    pub fn frames(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// A take of a unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Take {
    /// The pass that it was made in, counted from 1.
    pub pass: u32,
    /// The quality setting, on the encoder's scale.
    pub quality: Option<f64>,
    /// Its score.
    pub score: Option<f64>,
    /// Its bytes.
    pub bytes: u64,
    /// Why it was made, in plain words.
    pub reason: String,
}

/// The bit rate along the film.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rate {
    /// The bytes of video that are shown in each second.
    pub bytes_by_second: Vec<u64>,
    /// The bits per second that no two seconds may exceed.
    pub limit: Option<u64>,
}

/// A chapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// Where it begins, in seconds.
    pub seconds: f64,
    /// Its title.
    pub title: String,
}

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The bytes of a JPEG file.
    pub jpeg: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// A small picture of a place in the film.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    /// The frame.
    pub frame: u64,
    /// Its time, in seconds.
    pub seconds: f64,
    /// What it looks like.
    pub picture: Picture,
}

/// A moment that came out badly, as the source has it and as the film does.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// The frame.
    pub frame: u64,
    /// Its time, in seconds.
    pub seconds: f64,
    /// Its score, or that of its unit.
    pub score: f64,
    /// Whether the score is that of the whole unit.
    pub of_unit: bool,
    /// The frame in the source.
    pub source: Picture,
    /// The frame in the film.
    pub encode: Picture,
}

/// What a pass did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pass {
    /// Counted from 1.
    pub pass: u32,
    /// Why it was made, in plain words.
    pub reason: String,
    /// The number of takes.
    pub takes: u64,
    /// Frames that were encoded.
    pub frames: u64,
    /// Bytes of the film's video after it.
    pub video_bytes: u64,
    /// The worst unit after it.
    pub worst: Option<f64>,
    /// Units that miss the floor after it.
    pub below: Option<u64>,
    /// Processor seconds, by what they were spent on.
    pub cpu: Cpu,
    /// Seconds from its beginning to its end, where they are known.
    pub wall_seconds: Option<f64>,
}

/// Processor seconds, by what they were spent on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cpu {
    /// Probes before takes.
    pub look: f64,
    /// Encoding.
    pub encode: f64,
    /// Scoring.
    pub measure: f64,
}

impl Cpu {
    /// Returns all of them.
    pub fn total(self) -> f64 {
        self.look + self.encode + self.measure
    }
}

/// A distribution of scores.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Whether the scores are those of frames; otherwise each frame counts with the score of its unit.
    pub of_frames: bool,
    /// Where the first bin begins.
    pub start: f64,
    /// How wide each bin is.
    pub width: f64,
    /// Frames in each bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The most bins of a distribution: more could not be told apart on a page.
    const MOST: usize = 60;
    /// Widths that read well.
    const WIDTHS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0];

    /// Sorts scores, each with the number of frames that it counts for, into bins; `None` without any.
    pub fn of(scores: impl Iterator<Item = (f64, u64)> + Clone, of_frames: bool) -> Option<Self> {
        let scores = scores.filter(|(score, frames)| score.is_finite() && *frames > 0);
        let low = scores.clone().map(|(score, _)| score).fold(f64::INFINITY, f64::min);
        let high = scores.clone().map(|(score, _)| score).fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return None;
        }
        let fits = |width: &f64| (high / width).floor() - (low / width).floor() < Self::MOST as f64;
        let wide = ((high - low) / (Self::MOST - 1) as f64).ceil();
        let width = Self::WIDTHS.into_iter().find(fits).unwrap_or(wide.max(1.0));
        let first = (low / width).floor();
        let bins = ((high / width).floor() - first).min((Self::MOST - 1) as f64) as usize + 1;
        let mut counts = vec![0; bins];
        for (score, frames) in scores {
            let bin = ((score / width).floor() - first).max(0.0) as usize;
            counts[bin.min(bins - 1)] += frames;
        }
        Some(Self { of_frames, start: first * width, width, counts })
    }
}

/// Lines that belong together, with a heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The heading.
    pub name: String,
    /// Names and values.
    pub lines: Vec<(String, String)>,
}

impl Report {
    /// Returns a report that says nothing yet but its title and who makes it.
    pub fn new(title: impl Into<String>, program: impl Into<String>) -> Self {
        Self { title: title.into(), program: program.into(), ..Self::default() }
    }

    /// Returns the worst unit of the film as it is, with its score.
    pub fn worst(&self) -> Option<(&Unit, f64)> {
        let scores = self.units.iter().filter_map(|unit| Some((unit, unit.chosen()?.score?)));
        scores.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Returns whether a unit misses the floor. Scores are compared as they are shown, in hundredths, so that
    /// no unit is called below a floor that it is shown at.
    pub fn is_below(&self, score: f64) -> bool {
        let floor = self.metric.as_ref().and_then(|metric| metric.floor);
        floor.is_some_and(|floor| (score * 100.0).round() < (floor * 100.0).round())
    }

    /// Returns when a unit ends, in seconds.
    pub(crate) fn end_of(&self, unit: usize) -> f64 {
        self.units.get(unit + 1).map_or(self.seconds, |next| next.seconds).max(self.units[unit].seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No frame is lost between bins, and each score lies within the bins.
        #[test]
        fn every_frame_is_in_one_bin(scores in proptest::collection::vec((-50.0..150.0f64, 1..5u64), 1..200)) {
            let histogram = Histogram::of(scores.iter().copied(), true).expect("there are scores");
            let frames: u64 = scores.iter().map(|(_, frames)| frames).sum();
            prop_assert_eq!(histogram.counts.iter().sum::<u64>(), frames);
            prop_assert!(histogram.counts.len() <= Histogram::MOST);
            let end = histogram.start + histogram.width * histogram.counts.len() as f64;
            let inside = |score: f64| score >= histogram.start - 1e-9 && score <= end + 1e-9;
            prop_assert!(scores.iter().all(|(score, _)| inside(*score)));
        }
    }
}
