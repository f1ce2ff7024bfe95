//! Sees to it that no export waits for ever for a batch system that runs none of its takes: because all nodes
//! are out of service, say, or because a server that was started again knows its jobs and runs none.

use super::engine::Standing;
use std::time::{Duration, Instant};

/// How long takes may wait before that is told, and before they are given to the batch system once more, or
/// given up if that was done already.
#[derive(Debug, Clone, Copy)]
struct Patience {
    tell: Duration,
    renew: Duration,
}

/// Where the batch system says of a take that somebody has to do something about it. Others of the same
/// export wait for the same machines: behind it, they say.
const STUCK: Patience = Patience { tell: Duration::from_secs(60), renew: Duration::from_secs(600) };
/// Where they wait their turn, which may be long on a cluster that others use, too.
const QUEUED: Patience = Patience { tell: Duration::from_secs(600), renew: Duration::from_secs(24 * 3600) };

/// What is known of a batch system that may run none of the takes that it has.
#[derive(Debug)]
pub(super) struct Watch {
    /// Since when nothing moves.
    since: Instant,
    is_told: bool,
    /// Whether the takes were given to it once more, and nothing has run since.
    is_renewed: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Wait,
    /// It is to be told why all takes wait.
    Tell(String),
    /// All takes are to be given to the batch system once more.
    Renew(String),
    /// That has not helped: the export has to end.
    End(String),
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, is_told: false, is_renewed: false }
    }

    /// A take was run.
    pub(super) fn has_run(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// Looks how far the batch system is with all takes that it has; `None` stands for one that it has ended.
    pub(super) fn look<'a>(
        &mut self,
        standings: impl Iterator<Item = Option<&'a Standing>>,
        now: Instant,
    ) -> Verdict {
        let mut first = None;
        for standing in standings {
            match standing {
                Some(Standing::Waits { words, is_stuck }) => match first {
                    Some((_, true)) => {}
                    Some(_) if !is_stuck => {}
                    _ => first = Some((words, *is_stuck)),
                },
                Some(Standing::Runs) => {
                    self.has_run(now);
                    return Verdict::Wait;
                }
                // whether it was run is not known yet
                None => {
                    (self.since, self.is_told) = (now, false);
                    return Verdict::Wait;
                }
            }
        }
        let Some((words, is_stuck)) = first else {
            (self.since, self.is_told) = (now, false);
            return Verdict::Wait;
        };
        let patience = if is_stuck { STUCK } else { QUEUED };
        let waited = now.duration_since(self.since);
        if waited >= patience.renew {
            let reason = format!("{words}, and nothing runs for {} minutes", waited.as_secs() / 60);
            let is_renewed = self.is_renewed;
            *self = Self { is_renewed: true, ..Self::new(now) };
            return if is_renewed { Verdict::End(reason + ", twice") } else { Verdict::Renew(reason) };
        }
        if waited >= patience.tell && !self.is_told {
            self.is_told = true;
            return Verdict::Tell(words.clone());
        }
        Verdict::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn waits(is_stuck: bool) -> Standing {
        let reason = if is_stuck { "PartitionDown" } else { "Priority" };
        Standing::Waits { words: format!("job 1_0: PENDING ({reason})"), is_stuck }
    }

    /// What a watch says when it looks every minute, for so long; what it repeats is left out.
    fn said(standings: &[Option<Standing>], minutes: u32) -> Vec<(u32, Verdict)> {
        let began = Instant::now();
        let mut watch = Watch::new(began);
        let look = |minute| {
            let now = began + MINUTE * minute;
            (minute, watch.look(standings.iter().map(Option::as_ref), now))
        };
        (0..=minutes).map(look).filter(|(_, verdict)| *verdict != Verdict::Wait).collect()
    }

    /// One take that is stuck is enough: others wait behind it.
    #[test]
    fn takes_that_are_stuck_are_told_given_again_and_given_up() {
        let why = "job 1_0: PENDING (PartitionDown)";
        let reason = format!("{why}, and nothing runs for 10 minutes");
        let wanted = vec![
            (1, Verdict::Tell(why.into())),
            (10, Verdict::Renew(reason.clone())),
            (11, Verdict::Tell(why.into())),
            (20, Verdict::End(reason + ", twice")),
        ];
        for others in [true, false] {
            for standings in [[others, true], [true, others]] {
                assert_eq!(said(&standings.map(|is_stuck| Some(waits(is_stuck))), 20), wanted);
            }
        }
    }

    #[test]
    fn takes_that_wait_their_turn_have_a_day() {
        let why = "job 1_0: PENDING (Priority)";
        let all = said(&[Some(waits(false)), Some(waits(false))], 2 * 24 * 60);
        let day = 24 * 60;
        assert_eq!(all[0], (10, Verdict::Tell(why.into())));
        assert!(matches!(&all[1], (minute, Verdict::Renew(_)) if *minute == day), "{all:?}");
        assert_eq!(all[2], (day + 10, Verdict::Tell(why.into())));
        assert!(matches!(&all[3], (minute, Verdict::End(_)) if *minute == 2 * day), "{all:?}");
    }

    #[test]
    fn who_runs_anything_or_has_nothing_is_not_waited_for() {
        assert_eq!(said(&[Some(waits(true)), Some(Standing::Runs)], 100_000), []);
        assert_eq!(said(&[Some(waits(true)), None], 100_000), []);
        assert_eq!(said(&[], 100_000), []);
    }

    /// Given again, takes are not in the queue for a moment, which is no sign that any has run.
    #[test]
    fn only_what_has_run_renews_the_patience() {
        let began = Instant::now();
        let (stuck, at) = (waits(true), |minute| began + MINUTE * minute);
        for has_run in [false, true] {
            let mut watch = Watch::new(began);
            assert!(matches!(watch.look([Some(&stuck)].into_iter(), at(10)), Verdict::Renew(_)));
            watch.look([None].into_iter(), at(11));
            if has_run {
                watch.has_run(at(11));
            }
            let verdict = watch.look([Some(&stuck)].into_iter(), at(21));
            assert_eq!(matches!(verdict, Verdict::End(_)), !has_run, "{verdict:?}");
        }
    }
}
