//! Another wish for a film that was made: the takes of the earlier job count as those of a first pass,
//! whether or not they are still there.
//!
//! Equal descriptions give equal bytes, so that a take that is known from records can be planned with, and is
//! made again only where it goes into the film.

use super::{RecordedTake, RecordedUnit, Records};
use crate::error::{ExportError, RequestError};
use crate::film::history::UnitTake;
use crate::job::Job;
use crate::job::folder::{JobDescription, differences};
use crate::job::plan::bytes_at;
use crate::job::request::Goal;
use crate::passes::{Unit, reasons};
use crate::take::finished::FinishedTake;
use crate::take::identity::retake;
use retake_compression::encoder::EncoderSettings;
use retake_compression::planner::{self, Brief, Objective, Reason};
use retake_compression::take::TakeDescription;
use retake_compression::units::FrameRange;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// What an export begins with that follows an earlier job.
pub(crate) struct Again {
    /// By the first frame of each unit, the take that is wanted of it first.
    wanted: BTreeMap<u64, TakeDescription>,
    /// Units that are encoded again, and why.
    retakes: BTreeMap<u64, Reason>,
    /// The takes of the earlier job.
    known: BTreeMap<u64, Vec<UnitTake>>,
    /// In words why the first takes are made.
    pub reason: String,
}

impl Again {
    /// The takes of the earlier job count as the first pass.
    pub(crate) const PASS: u32 = 2;

    /// Plans what of a film is encoded first. The objective of the brief becomes the one that is wanted, as
    /// far as the records tell how much a container takes besides.
    pub(crate) fn plan(records: &Records, job: &Job, brief: &mut Brief) -> Result<Self, ExportError> {
        brief.objective = records.objective(job.request.target().goal(), job.description.objective);
        let keeps = job.request.encoder.info().controls.rate_limit;
        let mut under = records.under_rate(job.description.max_bit_rate, keeps, &brief.family);
        if !records.joins(job)? {
            under.held.iter_mut().for_each(|unit| unit.fill(true));
        }
        let plan = planner::plan_again(brief, &under.states, |unit, take| under.held[unit][take]);
        let mut again = Self {
            wanted: BTreeMap::new(),
            retakes: plan.retakes.iter().map(|it| (records.units[it.unit].range.start, it.reason)).collect(),
            known: BTreeMap::new(),
            reason: match plan.retakes.is_empty() {
                true => "the takes of an earlier job".into(),
                false => reasons(&plan.retakes),
            },
        };
        for ((unit, &ship), held) in records.units.iter().zip(&plan.ship).zip(&under.held) {
            let stay = unit.takes.iter().zip(held).filter(|(_, held)| !**held);
            let takes = stay.map(|(take, _)| records.recalled(unit, take));
            let takes = takes.collect::<Result<Vec<UnitTake>, RequestError>>()?;
            again.known.insert(unit.range.start, takes);
            if !held[ship] {
                let shipped = records.recalled(unit, &unit.takes[ship])?;
                again.wanted.insert(unit.range.start, shipped.take.description.clone());
            }
        }
        for wanted in &plan.retakes {
            let range = records.units[wanted.unit].range;
            again.wanted.insert(range.start, retake(job, range, wanted.quality));
        }
        Ok(again)
    }

    /// The take that is wanted first of the unit that begins with a frame.
    pub(crate) fn first(&self, start: u64) -> Option<&TakeDescription> {
        self.wanted.get(&start)
    }

    /// Whether a unit is encoded with a quality that it did not have before.
    pub(crate) fn is_retake(&self, range: FrameRange) -> bool {
        self.retakes.contains_key(&range.start)
    }

    /// Puts the takes of the earlier job before those that were made first.
    pub(crate) fn recall(&self, units: &mut [Unit]) {
        for unit in units {
            let reason = self.retakes.get(&unit.range.start).copied();
            let known = self.known.get(&unit.range.start);
            let known = known.filter(|known| known.iter().all(|known| known.take.record.range == unit.range));
            let mut takes = known.cloned().unwrap_or_default();
            for made in unit.takes.drain(..) {
                let same = |known: &&mut UnitTake| known.take.description == made.take.description;
                match takes.iter_mut().find(same) {
                    Some(known) => (known.take, known.recalled) = (made.take, false),
                    None => takes.push(UnitTake { pass: Self::PASS, reason, ..made }),
                }
            }
            unit.takes = takes;
        }
    }
}

impl Records {
    /// By what records are known again.
    pub(crate) fn identity(&self) -> String {
        // records that cannot be written cannot be read
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{:032x}", xxh3_128(&text))
    }

    /// Whether takes of the earlier job can stand beside those of this one in a film: an encoder that is told
    /// of a rate may write another level into its headers.
    fn joins(&self, job: &Job) -> Result<bool, ExportError> {
        let (then, now) = (&self.job.settings, &job.description.settings);
        if then.limit == now.limit {
            return Ok(true);
        }
        let format = |limit| -> Result<_, ExportError> {
            let settings = EncoderSettings { limit, ..now.clone() };
            let encoder = job.request.encoder.open(&settings).map_err(RequestError::Encoder)?;
            Ok(encoder.format().clone())
        };
        Ok(format(then.limit)? == format(now.limit)?)
    }

    /// Refuses records that another job cannot begin with.
    pub(crate) fn fit(&self, job: &JobDescription) -> Result<(), RequestError> {
        let (then, now) = (&self.job, job);
        for (name, then, now) in
            [("source", &then.source, &now.source), ("encoder", &then.encoder, &now.encoder)]
        {
            if then != now {
                let differences = format!("{name}: {then} then, {now} now");
                return Err(RequestError::RecordsDoNotFit { differences });
            }
        }
        let general = |job: &JobDescription| {
            let mut job = job.clone();
            // what is wanted may be another thing, and what a take begins with follows from it
            job.settings.rate = self.job.settings.rate;
            job.settings.controls.first_pass = self.job.settings.controls.first_pass;
            job.settings.limit = self.job.settings.limit;
            let (objective, max_bit_rate, rule) = (self.job.objective, self.job.max_bit_rate, self.job.rule);
            JobDescription { objective, max_bit_rate, again: None, rule, ..job }
        };
        let (earlier, wanted) = (general(&self.job), general(job));
        if earlier != wanted {
            return Err(RequestError::RecordsDoNotFit { differences: differences(&earlier, &wanted) });
        }
        let covered = self.units.last().map_or(0, |unit| unit.range.end);
        if !self.index.complete || covered != self.index.frames {
            let reason = "the earlier job did not come far enough to have takes of all units";
            return Err(RequestError::RecordsInsufficient { reason });
        }
        Ok(())
    }

    /// What is wanted in the planner's words, by what the records tell of the length of the film and of the
    /// rest of its file.
    pub(crate) fn objective(&self, goal: Goal, planned: Objective) -> Objective {
        match goal {
            Goal::BitRate(rate) => {
                Objective::Bytes { target: bytes_at(rate, self.index.seconds), at_most: false }
            }
            Goal::Size(size) => {
                let target = size.saturating_sub(self.others()).max(1);
                Objective::Bytes { target, at_most: true }
            }
            Goal::Floor { .. } | Goal::Plain(_) => planned,
        }
    }

    /// The bytes of the film beside its video.
    pub(crate) fn others(&self) -> u64 {
        self.summary.as_ref().map_or(0, |summary| summary.file_bytes.saturating_sub(summary.video_bytes))
    }

    fn recalled(&self, unit: &RecordedUnit, take: &RecordedTake) -> Result<UnitTake, RequestError> {
        let general = self.descriptions.get(take.description);
        let description = general.map(|general| TakeDescription { range: unit.range, ..general.clone() });
        let description = description.filter(|description| description.id().to_string() == take.id);
        let description = description.ok_or(RequestError::RecordsInsufficient {
            reason: "a take is not the one that its description says",
        })?;
        let take_again = FinishedTake { description, record: take.record.clone() };
        Ok(UnitTake { take: Arc::new(take_again), pass: 1, reason: take.reason, recalled: true })
    }
}
