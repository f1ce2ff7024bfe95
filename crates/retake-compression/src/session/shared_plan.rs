//! The plan that sessions over the parts of one source have together.

use super::core::{PartRecord, PassPlan, plan_parts};
use super::{SessionError, SessionMistake};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One plan for several sessions, each of which encodes a part of one source in several passes. Bits are
/// spread over the whole source, an average bit rate is that of all parts together, and windows of data rate
/// limits are judged across their joins.
///
/// Every session gets a storage of its own, and its part by
/// [`SessionHandle::share_plan`](super::SessionHandle::share_plan). When the sessions of all parts that the
/// pass asks for have ended it, the next one is planned, in the call that ended the last of them. Nothing
/// ever waits for that: until then the others answer [`NextPass::Undecided`](super::NextPass::Undecided) and
/// are asked again by [`SessionHandle::next_pass`](super::SessionHandle::next_pass), so that one thread can
/// run them one after another. What is planned depends neither on their order nor on how many run at once.
pub struct SharedPlan {
    parts: Mutex<Vec<Part>>,
}

#[derive(Default)]
struct Part {
    /// Counts the sessions that have taken the part, because only the newest may speak for it.
    claims: u64,
    record: Option<PartRecord>,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    /// Its session has not ended the pass, which is the first or one that was asked for.
    #[default]
    Encoding,
    /// Its session was told to make a pass, or can be told now.
    Asked(PassPlan),
    /// It waits for the others to end their pass.
    Ended,
    /// There is nothing to be asked for any more.
    Finished,
}

/// What a plan says to the session of a part.
pub(super) enum Answer {
    Undecided,
    Finished,
    Asked(PassPlan),
}

impl SharedPlan {
    /// Makes a plan for this number of parts, which follow each other in the order of their numbers.
    pub fn new(parts: usize) -> Arc<Self> {
        Arc::new(Self { parts: Mutex::new((0..parts).map(|_| Part::default()).collect()) })
    }

    /// Returns the number of parts.
    pub fn parts(&self) -> usize {
        self.lock().len()
    }

    /// Takes a part for a session. An earlier session of this part has no say any more, and what it told is
    /// forgotten.
    pub(super) fn claim(self: &Arc<Self>, part: usize) -> Result<PlanShare, SessionError> {
        let mut parts = self.lock();
        let count = parts.len();
        let Some(claimed) = parts.get_mut(part) else {
            return Err(SessionError::parameter(
                "share_plan",
                SessionMistake::NoSuchPart { part, parts: count },
            ));
        };
        *claimed = Part { claims: claimed.claims + 1, ..Part::default() };
        Ok(PlanShare { plan: self.clone(), part, claim: claimed.claims })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Part>> {
        // the parts are changed in single steps, each of which is whole
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's part in a plan.
#[derive(Clone)]
pub(super) struct PlanShare {
    plan: Arc<SharedPlan>,
    part: usize,
    claim: u64,
}

impl PlanShare {
    fn lock(&self, call: &'static str) -> Result<MutexGuard<'_, Vec<Part>>, SessionError> {
        let parts = self.plan.lock();
        if parts.get(self.part).is_none_or(|part| part.claims != self.claim) {
            return Err(SessionError::parameter(call, SessionMistake::PartTaken { part: self.part }));
        }
        Ok(parts)
    }

    /// The session has ended a pass. Plans the next one if that was the last that the plan waited for, which
    /// may take long.
    pub(super) fn end_pass(&self, record: PartRecord) -> Result<(), SessionError> {
        let mut parts = self.lock("end_pass")?;
        if parts.iter().filter_map(|part| part.record.as_ref()).any(|other| !record.goes_with(other)) {
            return Err(SessionError::parameter("end_pass", SessionMistake::OtherGoal { part: self.part }));
        }
        (parts[self.part].record, parts[self.part].stage) = (Some(record), Stage::Ended);
        if parts.iter().any(|part| !matches!(part.stage, Stage::Ended | Stage::Finished)) {
            return Ok(());
        }
        let records: Vec<PartRecord> = parts.iter().filter_map(|part| part.record.clone()).collect();
        let plans = plan_parts(&records);
        let over = plans.iter().all(Option::is_none);
        for (part, plan) in parts.iter_mut().zip(plans) {
            part.stage = match plan {
                Some(plan) => Stage::Asked(plan),
                None if over => Stage::Finished,
                None => Stage::Ended,
            };
        }
        Ok(())
    }

    /// What the plan says by now.
    pub(super) fn answer(&self) -> Result<Answer, SessionError> {
        Ok(match &self.lock("next_pass")?[self.part].stage {
            Stage::Encoding | Stage::Ended => Answer::Undecided,
            Stage::Asked(plan) => Answer::Asked(plan.clone()),
            Stage::Finished => Answer::Finished,
        })
    }
}
