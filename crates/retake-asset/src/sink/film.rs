//! This module writes one whole film.

use super::{Ending, Sink, SinkPlan};
use crate::boxes::file::{index_in_front, read_index, replace_index};
use crate::boxes::metadata;
use crate::boxes::movie::{Copied, TrackFinish, finish};
use crate::output::OutputTarget;
use crate::state::timeline::Stored;
use crate::types::error::WriterError;
use retake_libav::{
    FinishedFilm, Muxer, MuxerKind, MuxerSample, MuxerSettings, MuxerTrack, Note, ticks_to_time,
};
use retake_media::Rational;
use std::io;
use tempfile::NamedTempFile;

/// The film is written under another name, and renamed when it is complete and on the disk.
pub(crate) struct FilmSink {
    plan: SinkPlan,
    muxer: Muxer,
    /// The number of each track in the file, from 0.
    numbers: Vec<Option<u32>>,
    file: NamedTempFile,
    target: OutputTarget,
    notes: Vec<Note>,
}

impl FilmSink {
    pub(crate) fn create(plan: SinkPlan, target: OutputTarget) -> Result<Self, WriterError> {
        let folder = match &plan.temporary {
            // only a file that is copied once more may lie elsewhere, because a rename cannot leave its file
            // system
            Some(folder) if plan.moves_index() => folder.clone(),
            _ => target.folder().to_owned(),
        };
        let file = target.unfinished_file(&folder)?;
        let tracks: Vec<MuxerTrack<'_>> = plan.tracks.iter().map(|track| track.as_muxer_track()).collect();
        let settings = MuxerSettings {
            container: plan.container,
            kind: MuxerKind::Whole,
            path: file.path(),
            tracks: &tracks,
            tags: &plan.tags,
            movie_timescale: plan.movie_timescale,
            copy_from: plan.other_tracks.as_ref().map(|film| (film.film(), plan.session)),
        };
        let (muxer, notes) = Muxer::create(&settings)?;
        let numbers = (0..plan.tracks.len()).map(|track| muxer.number(track)).collect();
        Ok(Self { plan, muxer, numbers, file, target, notes })
    }

    fn finish_index(
        plan: &SinkPlan,
        file: NamedTempFile,
        target: &OutputTarget,
        ending: &Ending,
        numbers: &[Option<u32>],
        finished: &FinishedFilm,
    ) -> Result<NamedTempFile, WriterError> {
        let failed = |source| WriterError::io(file.path())(source);
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "the index of the film cannot be finished");
        let mut reopened =
            std::fs::File::options().read(true).write(true).open(file.path()).map_err(failed)?;
        let mut layout = read_index(&mut reopened).map_err(failed)?;
        let tracks = plan.tracks.iter().zip(&ending.extents).zip(&ending.ends);
        let tracks = tracks.map(|((track, extent), end)| {
            let mut header = track.header.clone();
            // tracks without samples are not in the index
            header
                .references
                .retain(|(_, track)| matches!(ending.extents.get(*track as usize - 1), Some(Some(_))));
            for (_, track) in &mut header.references {
                let number = numbers.get(*track as usize - 1).copied().flatten();
                *track = number.map_or(*track, |number| number + 1);
            }
            extent.map(|extent| TrackFinish { extent, lead: track.lead(), end: *end, header })
        });
        // those that stand for tracks of the copied film lie among the copies
        let mut placed: Vec<Option<TrackFinish>> = Vec::new();
        for (track, number) in tracks.zip(numbers) {
            let Some(number) = number.map(|number| number as usize) else { continue };
            placed.resize_with(placed.len().max(number + 1), || None);
            placed[number] = track;
        }
        let tracks = placed;
        let FinishedFilm { shown_unasked, languages, .. } = finished;
        finish(&mut layout.moov, &tracks, &Copied { disabled: shown_unasked, languages }, ending.length)
            .ok_or_else(odd)
            .map_err(failed)?;
        let tags = &finished.lost_tags;
        metadata::add(&mut layout.moov, plan.container, tags).ok_or_else(odd).map_err(failed)?;
        if !plan.moves_index() {
            replace_index(&mut reopened, &layout).map_err(failed)?;
            return Ok(file);
        }
        let mut front = target.unfinished_file(target.folder())?;
        index_in_front(&mut reopened, &mut layout, front.as_file_mut())
            .map_err(|source| WriterError::io(front.path())(source))?;
        Ok(front)
    }
}

impl SinkPlan {
    fn moves_index(&self) -> bool {
        self.fast_start && self.container.is_iso()
    }
}

impl Sink for FilmSink {
    fn time_base(&self, track: usize) -> Rational {
        self.muxer.time_base(track)
    }

    fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError> {
        let Stored { pts, dts, duration, sync, disposable, ref data, .. } = *sample;
        if self.plan.other_tracks.is_some() {
            let decoded = ticks_to_time(dts, self.muxer.time_base(track));
            self.muxer.copy_until(decoded + self.plan.session)?;
        }
        let dts = dts - self.plan.tracks[track].lead();
        Ok(self.muxer.write(track, MuxerSample { pts, dts, duration, sync, disposable, data })?)
    }

    fn finish(self: Box<Self>, ending: &Ending) -> Result<Vec<String>, WriterError> {
        let Self { plan, muxer, numbers, mut file, target, mut notes } = *self;
        let mut finished = muxer.finish()?;
        notes.append(&mut finished.notes);
        if plan.container.is_iso() {
            file = Self::finish_index(&plan, file, &target, ending, &numbers, &finished)?;
        } else {
            notes.extend(finished.lost_tags.iter().map(|(name, value)| {
                let text = format!("the tag {name}={value} cannot be written to {}", plan.container);
                Note { track: None, text }
            }));
        }
        target.put_file(file)?;
        Ok(notes.iter().map(ToString::to_string).collect())
    }
}
