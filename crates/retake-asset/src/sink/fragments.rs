//! This module writes a film that stays playable while it is written.

use super::fragmenter::{Fragmenter, Waiting};
use super::{Ending, FilmSink, Sink, SinkPlan};
use crate::boxes::fragment::{Head, finish_head};
use crate::boxes::movie::TrackHeader;
use crate::output::OutputTarget;
use crate::state::timeline::Stored;
use crate::types::error::WriterError;
use retake_libav::time_to_ticks;
use retake_media::{Rational, Time};
use std::io::{self, Read, Seek, SeekFrom, Write};
use tempfile::NamedTempFile;

/// The film is written in fragments, so that it plays as far as it got; at the end it becomes a plain film
/// (SG-10).
pub(crate) struct FragmentSink {
    plan: SinkPlan,
    target: OutputTarget,
    fragmenter: Fragmenter,
    file: NamedTempFile,
    written: u64,
    /// The fragment that is being made began at this time.
    began: Option<Time>,
    fragments: u64,
    samples: Vec<Kept>,
}

/// These are the intervals at which fragments end, and the facts that their head states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) first: Time,
    pub(crate) others: Time,
    pub(crate) number: u32,
    pub(crate) duration: Option<Time>,
}

/// A sample that lies in the unfinished file.
struct Kept {
    sample: Waiting,
    offset: u64,
    length: u32,
}

impl FragmentSink {
    pub(crate) fn create(plan: SinkPlan, target: OutputTarget) -> Result<Self, WriterError> {
        let folder = plan.temporary.clone().unwrap_or_else(|| target.folder().to_owned());
        let file = target.unfinished_file(&folder)?;
        let number = plan.intervals.map_or(1, |intervals| intervals.number);
        let fragmenter = Fragmenter::create(&plan, number)?;
        Ok(Self {
            plan,
            target,
            fragmenter,
            file,
            written: 0,
            began: None,
            fragments: 0,
            samples: Vec::new(),
        })
    }

    fn is_over(&self, time: Time) -> bool {
        let Some((began, intervals)) = self.began.zip(self.plan.intervals) else { return false };
        let interval = if self.fragments == 0 { intervals.first } else { intervals.others };
        self.fragmenter.is_full() || time - began >= interval
    }

    fn cut(&mut self) -> Result<(), WriterError> {
        let Some(fragment) = self.fragmenter.cut()? else { return Ok(()) };
        let failed = |source| WriterError::io(self.file.path())(source);
        if let Some(head) = fragment.head {
            let headers: Vec<TrackHeader> =
                self.plan.tracks.iter().map(|track| track.header.clone()).collect();
            let movie = Rational::new(1, i32::try_from(self.plan.movie_timescale).unwrap_or(i32::MAX));
            let duration = self.plan.intervals.and_then(|intervals| intervals.duration);
            let length = duration.and_then(|duration| time_to_ticks(duration, movie));
            let head = finish_head(
                &head,
                &Head {
                    headers: &headers,
                    placements: Some(self.fragmenter.placements()),
                    duration: length.and_then(|ticks| u64::try_from(ticks).ok()),
                    brands: None,
                },
            );
            let odd =
                || io::Error::new(io::ErrorKind::InvalidData, "the head of the film cannot be finished");
            let head = head.ok_or_else(odd).map_err(failed)?;
            self.file.as_file().write_all(&head).map_err(failed)?;
            self.written += head.len() as u64;
        }
        self.file.as_file().write_all(&fragment.media).map_err(failed)?;
        // media that is announced as playable must survive a crash of the machine, too
        self.file.as_file().sync_data().map_err(failed)?;
        let start = self.written;
        self.samples.extend(fragment.samples.into_iter().map(|(sample, piece)| Kept {
            sample,
            offset: start + piece.offset,
            length: piece.length,
        }));
        self.written += fragment.media.len() as u64;
        self.fragments += 1;
        Ok(())
    }
}

impl Sink for FragmentSink {
    fn time_base(&self, track: usize) -> Rational {
        self.fragmenter.time_base(track)
    }

    fn write(&mut self, track: usize, sample: &Stored) -> Result<(), WriterError> {
        let time = self.fragmenter.time(track, sample.dts);
        if self.is_over(time) {
            self.cut()?;
            self.began = None;
        }
        self.began = Some(self.began.map_or(time, |began| began.min(time)));
        self.fragmenter.write(track, sample)
    }

    fn finish(mut self: Box<Self>, ending: &Ending) -> Result<Vec<String>, WriterError> {
        self.cut()?;
        let Self { plan, target, file, mut samples, fragmenter, .. } = *self;
        let failed = |source| WriterError::io(file.path())(source);
        let seconds = |kept: &Kept| kept.sample.dts as f64 * fragmenter.time_base(kept.sample.track).to_f64();
        // fragments hold one track after the other, so samples are interleaved anew
        samples.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        let mut film = FilmSink::create(plan, target)?;
        let mut from = io::BufReader::with_capacity(1 << 20, file.as_file());
        let mut position = 0;
        for Kept { sample, offset, length } in samples {
            if offset != position {
                // a near sample lies within the buffer
                let distance =
                    i64::try_from(offset).unwrap_or(i64::MAX) - i64::try_from(position).unwrap_or(i64::MAX);
                if position == 0 {
                    from.seek(SeekFrom::Start(offset)).map_err(failed)?;
                } else {
                    from.seek_relative(distance).map_err(failed)?;
                }
            }
            let mut data = vec![0; length as usize];
            from.read_exact(&mut data).map_err(failed)?;
            position = offset + u64::from(length);
            let Waiting { track, pts, dts, duration, sync, disposable } = sample;
            film.write(track, &Stored { pts, dts, duration, sync, disposable, starts_segment: false, data })?;
        }
        drop(from);
        Box::new(film).finish(ending)
        // the fragments are deleted with their file
    }
}
