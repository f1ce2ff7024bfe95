//! What joins cost: `joins FROM TO ENCODER PRESET TARGET SECONDS HOW [INTERVAL]` encodes a film in parts of
//! so many seconds, and joins them.
//!
//! TARGET is a quality (0.5) or a bit rate (350k). HOW is `parts` (each session is told its place), `plain`
//! (it is not), `serial` (one session, with sync frames where the others have them), `ahead` (as `plain`, and
//! each encoder sees 40 frames behind its part, whose samples are thrown away), `context` (40 frames before
//! it as well), or `passes` (each session is told its place, and all share a plan of several passes, in which
//! VMAF says where bits are worth most; the whole film is one part where SECONDS is long enough). INTERVAL is
//! the longest between sync frames. `./dev bench joins` and `./dev bench parallel` compare them.

mod common;

use common::{Answer, From, arguments, write};
use retake::asset::TrackFormat;
use retake::parallel::{
    FilmSource, FrameSource, Joiner, ParallelEncode, ParallelError, Part, SourceError, Subdivision,
};
use retake::property::Property;
use retake::session::{CompressionSession, EncoderSpecification, PassOptions};
use retake::{FrameRange, SampleBuffer, Time};
use std::path::Path;

/// Frames of the neighbours that an encoder sees: more than any of them looks ahead by default.
const CONTEXT: u64 = 40;

struct Job {
    source: FilmSource,
    encoder: String,
    properties: Vec<Property>,
}

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [from, to, encoder, preset, target, seconds, how, interval @ ..] = arguments else {
        return Err("usage: joins FROM TO ENCODER PRESET TARGET SECONDS HOW [INTERVAL]".into());
    };
    let source = FilmSource::open(Path::new(from), None)?;
    let rate = source.film().video.frame_rate.to_f64();
    let target = match target.strip_suffix('k') {
        Some(kilobits) => Property::AverageBitRate(kilobits.parse::<u64>()? * 1000),
        None => Property::Quality(target.parse()?),
    };
    let properties = vec![
        target,
        Property::EncoderPreset(preset.clone()),
        Property::ThreadCount(1),
        Property::ExpectedFrameRate(rate),
        Property::MaxKeyFrameInterval(interval.first().map_or(Ok(0), |frames| frames.parse())?),
    ];
    let frames = source.frame_count();
    let longest = (seconds.parse::<f64>()? * rate).round().max(1.0) as u64;
    let parts = Subdivision::at_most(frames.div_ceil(longest) as u32).parts(frames, None);
    let job = Job { source, encoder: encoder.clone(), properties };
    let mut samples = Vec::new();
    match how.as_str() {
        "serial" => {
            let keys: Vec<u64> = parts.iter().map(|part| part.range.start).collect();
            samples = job.encode(FrameRange::new(0, frames), None, &keys)?;
        }
        "parts" | "plain" | "ahead" | "context" => {
            let mut joiner = Joiner::default();
            for part in &parts {
                let part_samples = job.part(part, how, frames)?;
                joiner.begin(&part_samples.first().ok_or("a part without samples")?.format)?;
                for mut buffer in part_samples {
                    joiner.sample(&mut buffer.sample)?;
                    samples.push(buffer);
                }
            }
            joiner.finish()?;
        }
        "passes" => samples = job.passes(Subdivision::at_most(parts.len() as u32))?,
        other => {
            return Err(format!("'{other}' is none of parts, plain, serial, ahead, context, passes").into());
        }
    }
    if Path::new(to).exists() {
        std::fs::remove_file(to)?;
    }
    let first = samples.first().ok_or("the film has no frames")?;
    let format = TrackFormat::Video(first.format.as_ref().clone());
    write(Path::new(to), format, samples, From::Pictures(job.source.film()))
}

impl Job {
    fn part(&self, part: &Part, how: &str, frames: u64) -> Result<Vec<SampleBuffer>, SourceError> {
        let FrameRange { start, end } = part.range;
        match how {
            "plain" => self.encode(part.range, None, &[]),
            "parts" => self.encode(part.range, Some(part), &[]),
            _ => {
                let before = if how == "ahead" { 0 } else { CONTEXT };
                let seen = FrameRange::new(start.saturating_sub(before), (end + CONTEXT).min(frames));
                let samples = self.encode(seen, None, &[start, end])?;
                let wanted = self.times(part.range)?;
                Ok(samples.into_iter().filter(|buffer| wanted.contains(&buffer.sample.pts)).collect())
            }
        }
    }

    /// All parts in several passes, with one plan.
    fn passes(&self, subdivision: Subdivision) -> Answer<Vec<SampleBuffer>> {
        let registry = retake::encoders();
        let video = &self.source.film().video;
        let codec = registry.by_name(&self.encoder).ok_or("no such encoder in this build")?.info().codec;
        let specification =
            EncoderSpecification { encoder: Some(self.encoder.clone()), ..Default::default() };
        let properties = [&self.properties[..], &[Property::QualityMetric("vmaf".to_owned())]].concat();
        let parts = ParallelEncode::new(&registry, video.width, video.height, codec)
            .specification(specification)
            .properties(properties)
            .subdivision(subdivision)
            .passes(PassOptions::default())
            .run(&self.source, &|_| true)?;
        let passes: Vec<String> = parts.parts().iter().map(|part| part.passes.to_string()).collect();
        println!("passes over each part: {}", passes.join(", "));
        let mut samples = Vec::new();
        parts.join(|sample| {
            samples.push(sample);
            Ok::<_, ParallelError>(())
        })?;
        Ok(samples)
    }

    fn times(&self, range: FrameRange) -> Result<Vec<Time>, SourceError> {
        self.source.open(range)?.map(|frame| frame.map(|frame| frame.pts)).collect()
    }

    /// One session over a range, with sync frames at `keys`.
    fn encode(
        &self,
        range: FrameRange,
        place: Option<&Part>,
        keys: &[u64],
    ) -> Result<Vec<SampleBuffer>, SourceError> {
        let registry = retake::encoders();
        let codec = registry.by_name(&self.encoder).ok_or("no such encoder in this build")?.info().codec;
        let video = &self.source.film().video;
        let (session, outcomes) = CompressionSession::builder(&registry, video.width, video.height, codec)
            .encoder(&*self.encoder)
            .build_pull()?;
        session.set_all(&self.properties)?;
        if let Some(part) = place {
            session.set_all(&part.properties(&session.supported_properties()?))?;
        }
        for (frame, index) in self.source.open(range)?.zip(range.start..) {
            let mut frame = frame?;
            frame.options.force_key_frame = keys.contains(&index);
            session.encode(frame, ())?;
        }
        session.complete_frames()?;
        let samples = std::iter::from_fn(|| outcomes.try_receive());
        Ok(samples.filter_map(|outcome| outcome.into_sample().transpose()).collect::<Result<_, _>>()?)
    }
}
