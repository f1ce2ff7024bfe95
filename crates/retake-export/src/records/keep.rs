//! Makes the records of a job: of what is known when it begins, and of all that came of it.

use super::{
    RecordedChapter, RecordedEncoder, RecordedFilm, RecordedIndex, RecordedMachine, RecordedSource,
    RecordedTake, RecordedTrack, RecordedUnit, Records,
};
use crate::error::ExportError;
use crate::event::Summary;
use crate::film::Film;
use crate::film::history::UnitTake;
use crate::index::FilmMap;
use crate::job::Job;
use crate::job::folder::PROGRAM;
use crate::job::identity::file_identity;
use crate::output::Written;
use crate::take::finished::FinishedTake;
use crate::worker::RunOn;
use retake_compression::parallel::half_of_memory;
use retake_compression::planner::Reason;
use retake_compression::take::{TakeDescription, TakeRecord};
use retake_compression::units::FrameRange;
use retake_libav::chapters;
use std::collections::HashMap;

impl Records {
    /// The records of a job that begins: what was asked for, and what is known of the source.
    pub(crate) fn begin(job: &Job) -> Self {
        let info = job.request.encoder.info();
        Self {
            program: PROGRAM.to_owned(),
            command: job.request.command.clone(),
            request: job.identity.clone(),
            job: job.description.clone(),
            encoder: RecordedEncoder {
                name: info.name.to_owned(),
                version: info.version.clone(),
                codec: info.codec.to_string(),
                scale: info.quality,
                keeps_rate: Some(info.controls.rate_limit),
            },
            machine: RecordedMachine {
                system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                cores: job.cores,
                memory: half_of_memory().saturating_mul(2),
                jobs: job.jobs,
                takes_ran: match job.request.run_on {
                    RunOn::Threads => "threads",
                    RunOn::Processes(_) => "processes",
                    RunOn::Slurm { .. } => "slurm",
                    RunOn::Array { .. } => "array",
                    RunOn::Steps => "engine",
                }
                .to_owned(),
            },
            source: source(job),
            index: RecordedIndex { time_base: Some(job.source.video.time_base), ..RecordedIndex::default() },
            objective: job.description.objective,
            descriptions: Vec::new(),
            units: Vec::new(),
            film: None,
            summary: None,
            takes: None,
        }
    }

    /// The records of a job whose film is finished.
    pub(crate) fn finish(film: &Film<'_>, written: &Written, summary: &Summary) -> Result<Self, ExportError> {
        let mut records = Self::begin(film.job);
        records.source.notes.clone_from(&summary.notes);
        records.index = RecordedIndex::of(&film.map);
        let mut descriptions = Descriptions::default();
        if let Some(history) = &film.history {
            records.objective = history.brief.objective;
            let units = history.units.iter().zip(&history.plan.ship);
            records.units = units
                .map(|(takes, &chosen)| RecordedUnit {
                    range: takes.first().map_or(FrameRange::new(0, 0), |take| take.take.record.range),
                    takes: takes.iter().map(|take| descriptions.recorded(take)).collect(),
                    chosen: Some(chosen),
                })
                .collect();
        }
        records.descriptions = descriptions.list;
        // of an object there is no file
        let identity = file_identity(&written.film).unwrap_or_default();
        records.film = Some(RecordedFilm { identity, bytes: written.bytes });
        records.summary = Some(summary.clone());
        Ok(records)
    }
}

impl RecordedIndex {
    /// What is kept of a map: the times of frames as runs of equal steps, scenes, and sync frames.
    pub(super) fn of(map: &FilmMap) -> Self {
        let frames = &map.index.frames;
        let mut steps: Vec<(u64, i64)> = Vec::new();
        let next = frames.iter().skip(1).map(|frame| Some(frame.pts)).chain([None]);
        let mut last = 0;
        for (frame, next) in frames.iter().zip(next) {
            let step = next.map_or(if frame.duration > 0 { frame.duration } else { last }, |next| {
                next.saturating_sub(frame.pts)
            });
            last = step;
            match steps.last_mut() {
                Some((count, ticks)) if *ticks == step => *count += 1,
                _ => steps.push((1, step)),
            }
        }
        let syncs = (0..).zip(frames).filter(|(_, frame)| frame.sync).map(|(number, _)| number).collect();
        Self {
            complete: map.complete,
            frames: frames.len() as u64,
            seconds: if frames.is_empty() { 0.0 } else { map.seconds() },
            first: frames.first().map_or(0, |frame| frame.pts),
            time_base: Some(map.index.time_base),
            steps,
            syncs,
            scenes: map.scenes.clone(),
        }
    }
}

/// The descriptions of takes, each once.
#[derive(Default)]
pub(super) struct Descriptions {
    pub(super) list: Vec<TakeDescription>,
    /// By what is left of their identities without the range.
    known: HashMap<String, usize>,
}

impl Descriptions {
    fn recorded(&mut self, take: &UnitTake) -> RecordedTake {
        self.take(&take.take, take.pass, take.reason)
    }

    pub(super) fn take(&mut self, take: &FinishedTake, pass: u32, reason: Option<Reason>) -> RecordedTake {
        let id = take.description.id().to_string();
        let general = TakeDescription { range: FrameRange::new(0, 0), ..take.description.clone() };
        let description = *self.known.entry(general.id().to_string()).or_insert_with(|| {
            self.list.push(general);
            self.list.len() - 1
        });
        let record = TakeRecord { pictures: None, ..take.record.clone() };
        RecordedTake { id, description, pass, reason, record }
    }
}

fn source(job: &Job) -> RecordedSource {
    let film = &job.source;
    let track = |track: &retake_libav::TrackInfo| RecordedTrack {
        index: track.index,
        kind: track.kind.to_string(),
        codec: track.codec.clone(),
        language: track.language.clone(),
        title: track.title.clone(),
    };
    let chapter = |chapter: &retake_media::Caption| {
        let range = chapter.range;
        let seconds = Some(range.duration).filter(|duration| duration.is_numeric());
        RecordedChapter {
            start: range.start.seconds(),
            seconds: seconds.map(retake_media::Time::seconds),
            title: chapter.text.clone(),
        }
    };
    // a film without them is as good
    let chapters = if film.chapters > 0 { chapters(film).unwrap_or_default() } else { Vec::new() };
    RecordedSource {
        name: job.request.input.to_string_lossy().into_owned(),
        identity: job.description.source.clone(),
        bytes: film.file_size,
        container: film.container.clone(),
        codec: film.video.codec.clone(),
        pixel_format: film.video.pixel_format.clone(),
        width: film.unfiltered().width,
        height: film.unfiltered().height,
        frame_rate: film.video.frame_rate,
        filters: film.filters().cloned().unwrap_or_default(),
        tracks: film.tracks.iter().map(track).collect(),
        chapters: chapters.iter().map(chapter).collect(),
        tags: film.tags.clone(),
        notes: job.notes.clone(),
    }
}
