//! The whole job, from request to film.

use crate::assemble::{self, Chosen};
use crate::board::{Board, board};
use crate::crew::{self, Call, Done, FeedSource};
use crate::error::ExportError;
use crate::event::{Event, Outcome, Summary};
use crate::feed::Feed;
use crate::index::{FilmMap, Journal};
use crate::job::finished_before;
use crate::peaks::{self, Peaks};
use crate::prepare::{Job, bytes_at, prepare, work_dir};
use crate::report::{pass_summary, summary};
use crate::request::{Request, Target};
use crate::scout::Scout;
use crate::shoot::{Stage, process_cpu};
use crate::stop::StopFlag;
use crate::store::TakeStore;
use retake_compression::encoder::{EncoderSettings, RateControl};
use retake_compression::planner::{self, Brief, Caps, Objective, Reason, Retake, Trial, UnitState, floor};
use retake_compression::take::{self, Look, Measure, TakeDescription};
use retake_compression::units::FrameRange;
use retake_libav::{FrameIndex, FrameReader, RangeReader, SeekTrust};
use retake_quality::Pool;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Runs an export to its end. `tell` is called from several threads.
///
/// The output path holds nothing, or what it held before, until the finished and verified film is renamed to it. What was finished is kept
/// in the job folder whatever happens; the same request carries on from there.
///
/// # Errors
/// See [`ExportError`]. After [`ExportError::Stopped`] all finished takes are kept.
pub fn export(
    request: &Request,
    stop: &StopFlag,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Summary, ExportError> {
    let began = (Instant::now(), process_cpu());
    let summary = match finished_before(&work_dir(request), &request.output, &request.fingerprint()) {
        Some(summary) if !request.overwrite && !request.restart => summary,
        _ => {
            let job = prepare(request, stop)?;
            let mut mended = 0;
            let film = loop {
                let film = produce(request, &job, stop, tell, began);
                match film {
                    Err(ExportError::DamagedTake { path, .. }) if mended < MENDED_TAKES => {
                        // what cannot be removed fails again, and then ends the job
                        let _ = std::fs::remove_file(path);
                        mended += 1;
                    }
                    other => break other,
                }
            };
            let film = film.map_err(|error| if stop.is_raised() { ExportError::Stopped } else { error })?;
            job.folder.remove();
            film
        }
    };
    tell(Event::Finished(summary.clone()));
    Ok(summary)
}

/// Damaged takes that are encoded anew before the disk is given up.
const MENDED_TAKES: u32 = 8;

/// Runs a prepared job; all that an earlier run finished is found and kept.
fn produce(
    request: &Request,
    job: &Job,
    stop: &StopFlag,
    tell: &(dyn Fn(Event) + Sync),
    began: (Instant, f64),
) -> Result<Summary, ExportError> {
    let store = TakeStore::open(job.folder.path().join("takes"))?;
    let (journal, map) = Journal::open(&job.folder.path().join("index"), job.film.video.time_base)?;
    let abort = stop.child();
    let production =
        Production { request, job, store: &store, trust: SeekTrust::new(), stop: &abort, tell, began };
    production.run(journal, map)
}

struct Production<'a> {
    request: &'a Request,
    job: &'a Job,
    store: &'a TakeStore,
    /// What was learned about seeking in the source.
    trust: Arc<SeekTrust>,
    stop: &'a StopFlag,
    tell: &'a (dyn Fn(Event) + Sync),
    /// When the job began, and the CPU seconds of the process then.
    began: (Instant, f64),
}

/// A unit, and its takes in the order of the passes.
struct Unit {
    range: FrameRange,
    takes: Vec<Done>,
}

impl Production<'_> {
    fn run(&self, journal: Journal, map: FilmMap) -> Result<Summary, ExportError> {
        let (map, mut units) = self.first_pass(journal, map)?;
        let seconds = seconds(&map.index);
        let objective = match (self.request.target, self.job.description.objective) {
            (Target::BitRate(rate), Objective::Bytes { at_most, .. }) => {
                Objective::Bytes { target: bytes_at(rate, seconds), at_most }
            }
            (Target::Size(size), Objective::Bytes { at_most, .. }) => {
                let target = self.video_bytes(size, &map, &units)?;
                Objective::Bytes { target, at_most }
            }
            (_, objective) => objective,
        };
        let brief = Brief {
            objective,
            scale: self.request.encoder.info().quality,
            family: self.job.family,
            max_passes: self.request.passes,
            newest_only: false,
        };
        let index = Arc::new(map.index.clone());
        let mut passes = Vec::new();
        let mut number = 1;
        let mut taken: Vec<usize> = (0..units.len()).collect();
        let per_frame = |rate: u64| rate as f64 / 8.0 * seconds / map.index.frames.len().max(1) as f64;
        let mut highest = self
            .job
            .description
            .max_bit_rate
            .map(|rate| (Peaks::new(self.store, rate), Caps::new(units.len(), per_frame(rate))));
        let (plan, broken) = loop {
            let states: Vec<UnitState> = units.iter().map(Unit::state).collect();
            let (plan, broken) = match &mut highest {
                None => (planner::plan(&brief, &states, number), BTreeMap::new()),
                Some((peaks, caps)) => {
                    caps.learn_bounds(&brief, &states);
                    loop {
                        let plan = caps.plan(&brief, &states, number);
                        let broken = peaks.broken(&choose(&units, &plan.ship))?;
                        if !caps.learn(&brief, &states, &plan.ship, &broken) {
                            break (plan, broken);
                        }
                    }
                }
            };
            passes.push(pass_summary(number, &taken, &brief, &states, &plan));
            if plan.retakes.is_empty() {
                break (plan, broken);
            }
            number += 1;
            taken = plan.retakes.iter().map(|retake| retake.unit).collect();
            self.retakes(number, &plan.retakes, &mut units, &index)?;
        };
        let chosen = choose(&units, &plan.ship);
        (self.tell)(Event::Writing { frames: index.frames.len() as u64 });
        let progress = assemble::Progress { verified: &|frames| (self.tell)(Event::Verifying { frames }) };
        let states: Vec<UnitState> = units.iter().map(Unit::state).collect();
        let mut film = summary(&brief, &states, &plan, passes);
        film.output = self.request.output.clone();
        film.seconds = seconds;
        let measure = chosen.first().and_then(|take| take.description.measure.as_ref());
        if let (Some(quality), Some(measure)) = (&mut film.quality, measure) {
            quality.metric.clone_from(&measure.metric);
            quality.pool.clone_from(&measure.pool);
        }
        film.notes.clone_from(&self.job.notes);
        if let Some(note) = peaks::note(&broken, &states) {
            film.notes.push(note);
            if film.outcome == Outcome::Satisfied {
                film.outcome = Outcome::NoGainExpected;
            }
        }
        let verified = Box::new(|path: &Path, bytes: u64, notes: Vec<String>| {
            film.file_bytes = bytes;
            film.notes.extend(notes);
            if matches!(self.request.target, Target::Size(size) if bytes > size) {
                film.outcome = Outcome::NoGainExpected;
            }
            film.cpu_seconds = process_cpu() - self.began.1;
            film.wall_seconds = self.began.0.elapsed().as_secs_f64();
            self.job.folder.note_finished(path, &self.request.fingerprint(), &film)
        });
        let output = &self.request.output;
        assemble::assemble(self.job, self.store, &map, &chosen, output, self.stop, &progress, verified)?;
        Ok(film)
    }

    /// What the video of a file of `size` bytes may take.
    fn video_bytes(&self, size: u64, map: &FilmMap, units: &[Unit]) -> Result<u64, ExportError> {
        let newest: Vec<usize> = units.iter().map(|unit| unit.takes.len() - 1).collect();
        let rest = assemble::overhead(self.job, self.store, map, &choose(units, &newest), self.stop)?;
        // sizes of samples are stored in as many bytes as they need: they may need one more
        let rest = rest + map.index.frames.len() as u64 + 64;
        size.checked_sub(rest).filter(|bytes| *bytes > 0).ok_or_else(|| {
            ExportError::Request(format!(
                "--size {size}: the other tracks and the container alone take {rest} bytes: allow more, or leave tracks out"
            ))
        })
    }

    /// Covers the whole film with takes: those of units that are known from an earlier run read their frames themselves, the others get
    /// them from the scout. What an earlier run finished is kept.
    fn first_pass(&self, journal: Journal, map: FilmMap) -> Result<(FilmMap, Vec<Unit>), ExportError> {
        let kept = Mutex::new(Vec::new());
        let keep = |description: &TakeDescription| match self.store.find(description) {
            Some((description, record)) => {
                let done = Done { description, record };
                self.tell_finished(1, &done, true);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(done);
                true
            }
            None => false,
        };
        (self.tell)(Event::Started {
            frames: self.job.film.video.frames_hint,
            jobs: self.job.jobs,
            notes: self.job.notes.clone(),
        });
        (self.tell)(Event::PassStarted {
            pass: 1,
            takes: None,
            frames: None,
            reason: "the whole film".into(),
        });
        let known = Arc::new(map.index.clone());
        let (caller, calls) = board();
        for &range in &map.units {
            let description = self.first_take(range);
            // exactly this range: only takes that are still to be scouted may differ in their end
            if self.store.record(&description).is_none() || !keep(&description) {
                caller.call(Call { description, feed: FeedSource::Range });
            }
        }
        let lead = || {
            if map.complete {
                return Ok(map);
            }
            let scout = Scout {
                plan: self.job.scout,
                reader: FrameReader::open(&self.job.film, self.job.reader)?,
                journal,
                map,
                stop: self.stop,
                progress: &|frames| (self.tell)(Event::Indexed { frames }),
                call: &|start, feed| {
                    // the end of the range is filled in when the take has seen it
                    let description = self.first_take(FrameRange::new(start, start));
                    if !keep(&description) {
                        caller.call(Call { description, feed: FeedSource::Ready(feed) });
                    }
                },
            };
            let map = scout.run();
            drop(caller);
            map
        };
        let mut takes = Vec::new();
        let map = self.crew(1, calls, &known, lead, |done| takes.push(done))?;
        takes.append(&mut kept.into_inner().unwrap_or_else(PoisonError::into_inner));
        if map.units.is_empty() {
            return Err(ExportError::Request(format!("{}: has no frames", self.job.film.path.display())));
        }
        let mut by_start: BTreeMap<u64, Done> =
            takes.into_iter().map(|take| (take.record.range.start, take)).collect();
        let mut units = Vec::with_capacity(map.units.len());
        for &range in &map.units {
            let take = by_start.remove(&range.start).filter(|take| take.record.range == range);
            let take = take.ok_or_else(|| ExportError::Internal(format!("{range} were not taken")))?;
            units.push(Unit { range, takes: vec![take] });
        }
        Ok((map, units))
    }

    /// Encodes units again.
    fn retakes(
        &self,
        pass: u32,
        retakes: &[Retake],
        units: &mut [Unit],
        index: &Arc<FrameIndex>,
    ) -> Result<(), ExportError> {
        let frames = retakes.iter().map(|retake| units[retake.unit].range.len()).sum();
        (self.tell)(Event::PassStarted {
            pass,
            takes: Some(retakes.len()),
            frames: Some(frames),
            reason: reasons(retakes),
        });
        let (caller, calls) = board();
        let mut finished = BTreeMap::new();
        for retake in retakes {
            let description = self.retake(units[retake.unit].range, retake.quality);
            match self.store.record(&description) {
                Some(record) => {
                    let done = Done { description, record };
                    self.tell_finished(pass, &done, true);
                    finished.insert(done.record.range.start, done);
                }
                None => caller.call(Call { description, feed: FeedSource::Range }),
            }
        }
        drop(caller);
        self.crew(
            pass,
            calls,
            index,
            || Ok(()),
            |done| {
                finished.insert(done.record.range.start, done);
            },
        )?;
        for retake in retakes {
            let unit = &mut units[retake.unit];
            let done = finished.remove(&unit.range.start);
            unit.takes
                .push(done.ok_or_else(|| ExportError::Internal(format!("{} were not taken", unit.range)))?);
        }
        Ok(())
    }

    fn crew<T: Send>(
        &self,
        pass: u32,
        calls: Board,
        index: &Arc<FrameIndex>,
        lead: impl FnOnce() -> Result<T, ExportError> + Send,
        mut done: impl FnMut(Done),
    ) -> Result<T, ExportError> {
        let progress = |frames| (self.tell)(Event::Encoded { pass, frames });
        let stage = Stage {
            factory: &*self.request.encoder,
            store: self.store,
            time_base: self.job.film.video.time_base,
            family: self.job.family,
            stop: self.stop,
            progress: &progress,
        };
        let trust = self.trust.clone();
        let open_range = |description: &TakeDescription| {
            let range = description.range.start..description.range.end;
            let reader =
                RangeReader::open(&self.job.film, index.clone(), range, self.job.reader, trust.clone())?;
            Ok(Feed::Range(Box::new(reader)))
        };
        crew::run(&stage, self.job.jobs, &calls, &open_range, lead, |finished| {
            self.tell_finished(pass, &finished, false);
            done(finished);
        })
    }

    /// The take that covers a unit first.
    fn first_take(&self, range: FrameRange) -> TakeDescription {
        let description = &self.job.description;
        let scale = self.request.encoder.info().quality;
        let mut settings = description.settings.clone();
        let mut steer = None;
        let look = match description.objective {
            Objective::Floor { floor, tolerance } => {
                let aim = floor::first_aim(&self.job.family, floor, tolerance, self.steers());
                settings.rate = RateControl::Quality(scale.snap(self.job.family.usual(aim)));
                steer = self.steers().then_some(aim);
                // a take that corrects itself needs no look first
                let looks = self.job.family.look().filter(|_| steer.is_none());
                let preset = looks.map_or(String::new(), |look| look.preset.to_owned());
                Some(Look { aim, preset })
            }
            Objective::Bytes { target, .. } => {
                settings.rate = RateControl::Quality(
                    scale.snap(self.job.family.usual_for_bits(self.job.bits_per_pixel(target))),
                );
                None
            }
            Objective::Plain => None,
        };
        TakeDescription { look, steer, ..self.description(range, settings) }
    }

    /// Whether takes correct themselves: the encoder can, and it is the mean that counts.
    fn steers(&self) -> bool {
        self.request.encoder.info().steers && self.request.pool == Pool::Mean
    }

    fn retake(&self, range: FrameRange, quality: f64) -> TakeDescription {
        let mut settings = self.job.description.settings.clone();
        settings.rate = RateControl::Quality(quality);
        self.description(range, settings)
    }

    fn description(&self, range: FrameRange, settings: EncoderSettings) -> TakeDescription {
        let description = &self.job.description;
        let measure = match (&description.metric, &description.pool) {
            (Some(metric), Some(pool)) => Some(Measure {
                metric: metric.clone(),
                pool: pool.clone(),
                stride: self.job.stride,
                adapt: !self.job.scout.streaming,
            }),
            _ => None,
        };
        TakeDescription {
            version: take::VERSION,
            source: description.source.clone(),
            range,
            encoder: description.encoder.clone(),
            settings,
            look: None,
            steer: None,
            measure,
        }
    }

    fn tell_finished(&self, pass: u32, done: &Done, kept: bool) {
        let Done { record, .. } = done;
        (self.tell)(Event::TakeFinished {
            pass,
            range: record.range,
            quality: record.quality,
            score: record.score.map(|score| score.value),
            bytes: record.bytes,
            kept,
            cpu: record.cpu,
        });
    }
}

impl Unit {
    fn state(&self) -> UnitState {
        let trials = self.takes.iter().map(|take| Trial {
            quality: take.record.quality.unwrap_or(0.0),
            bytes: take.record.bytes,
            score: take.record.score,
        });
        UnitState { range: self.range, trials: trials.collect() }
    }
}

/// The takes that go into the film.
fn choose<'a>(units: &'a [Unit], ship: &[usize]) -> Vec<Chosen<'a>> {
    let chosen = units.iter().zip(ship).map(|(unit, &take)| &unit.takes[take]);
    chosen.map(|take| Chosen { description: &take.description, record: &take.record }).collect()
}

/// How long the film lasts: to the end of its last frame, or, where that has no duration, as long again as the frame before.
fn seconds(index: &FrameIndex) -> f64 {
    let (Some(first), Some(last)) = (index.frames.first(), index.frames.last()) else { return 0.0 };
    let before = index.frames.iter().rev().nth(1).map_or(0, |before| last.pts - before.pts);
    let tail = if last.duration > 0 { last.duration } else { before };
    let seconds = (last.pts - first.pts + tail) as f64 * index.time_base.to_f64();
    // a film of one frame that does not say how long it is shown
    if seconds > 0.0 { seconds } else { 0.04 }
}

/// In words why units are encoded again.
fn reasons(retakes: &[Retake]) -> String {
    let parts = [
        (Reason::BelowFloor, "below the floor"),
        (Reason::AboveTolerance, "better than asked for"),
        (Reason::Rate, "to meet the rate"),
        (Reason::Cap, "above the highest rate"),
    ];
    let parts = parts.iter().filter_map(|(reason, words)| {
        let count = retakes.iter().filter(|retake| retake.reason == *reason).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}
