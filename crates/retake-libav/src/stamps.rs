//! Finds the wrong one of two stamps of a sample that contradict each other.
//!
//! A sample says when it is decoded and when it is shown. Where the clock of a source jumps, both jump. Where
//! one of them goes on from the sample before and the other does not, that one is damaged, and must move
//! nothing.

/// A jump back by more than this is one of the clock, or of a wrong stamp, in milliseconds; a smaller one is
/// a slip of single stamps.
pub(crate) const BACK: i64 = 300;
/// A jump ahead by more than this is one where clocks are known to jump, in seconds. A shorter one is a gap
/// in a broadcast, in which nothing was sent.
pub(crate) const AHEAD: i64 = 10;

/// The stamp that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// When the sample is decoded.
    Decoded,
    /// When it is shown.
    Shown,
}

/// Judges the samples of one track, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct StampJudge {
    /// The ticks a second.
    second: i64,
    /// Where the clock was at the sample before.
    last: Option<i64>,
    /// The start of the film, as its container has it.
    start: Option<i64>,
}

/// No first sample is decoded so long before it is shown, in seconds.
const LONGEST_WAIT: i64 = 3600;

impl StampJudge {
    pub(crate) fn new(second: i64, start: Option<i64>) -> Self {
        Self { second, last: None, start }
    }

    /// Begins anew, as must happen after a seek.
    pub(crate) fn restart(&mut self) {
        self.last = None;
    }

    /// Returns which stamp of the next sample is wrong, if one is.
    pub(crate) fn next(&mut self, decoded: Option<i64>, shown: Option<i64>) -> Option<Wrong> {
        let (Some(decoded), Some(shown)) = (decoded, shown) else {
            self.last = decoded.or(shown).or(self.last);
            return None;
        };
        let back = self.second.saturating_mul(BACK) / 1000;
        let ahead = self.second.saturating_mul(AHEAD);
        let goes_back = |time: i64| self.last.is_some_and(|last| time < last.saturating_sub(back));
        let leaps = |time: i64| self.last.is_some_and(|last| time > last.saturating_add(ahead));
        let goes_on = |time: i64| !goes_back(time) && !leaps(time);
        // No sample is shown before it is decoded; some containers count one of the two from another zero, so
        // that a little means nothing.
        let contradict = decoded.saturating_sub(shown) > self.second;
        let waits = shown.saturating_sub(decoded) > back;
        // Before the first sample there is none to go on from, but the film begins with it.
        let longest = self.second.saturating_mul(LONGEST_WAIT);
        let begins = |start: i64| start.abs_diff(shown) <= ahead.unsigned_abs();
        let far = shown.saturating_sub(decoded) > longest && self.last.is_none();
        let contradict = contradict || far && self.start.is_some_and(begins);
        let wrong = match (contradict, goes_on(decoded), goes_on(shown)) {
            (true, true, false) => Some(Wrong::Shown),
            (true, _, _) => Some(Wrong::Decoded),
            (false, false, true) if waits && goes_back(decoded) => Some(Wrong::Decoded),
            (false, _, _) => None,
        };
        self.last = Some(if wrong == Some(Wrong::Decoded) { shown } else { decoded });
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in samples 40 ticks apart, each of which is shown 80 ticks after it is decoded, where
    /// one stamp of the tenth is another.
    fn found(which: Wrong, ticks: i64) -> Vec<(i64, Wrong)> {
        let mut judge = StampJudge::new(1000, Some(0));
        let samples = 0..20;
        let judged = samples.filter_map(|sample| {
            let damage = |own| if sample == 10 && own == which { ticks } else { 0 };
            let (decoded, shown) =
                (sample * 40 + damage(Wrong::Decoded), sample * 40 + 80 + damage(Wrong::Shown));
            judge.next(Some(decoded), Some(shown)).map(|wrong| (sample, wrong))
        });
        judged.collect()
    }

    #[test]
    fn one_stamp_of_two_is_wrong() {
        for ticks in [1_500, 12_000, 1 << 32] {
            assert_eq!(found(Wrong::Decoded, ticks), [(10, Wrong::Decoded)], "late by {ticks}");
            assert_eq!(found(Wrong::Decoded, -ticks), [(10, Wrong::Decoded)], "early by {ticks}");
            assert_eq!(found(Wrong::Shown, -ticks), [(10, Wrong::Shown)], "early by {ticks}");
        }
    }

    /// The first sample has none before it: the start of the film says which stamp is wrong.
    #[test]
    fn a_first_stamp_is_held_against_the_start_of_the_film() {
        let (day, hours) = (86_400_000, 40_000_000);
        let mut judge = StampJudge::new(1000, Some(day));
        assert_eq!(judge.next(Some(day - hours), Some(day + 80)), Some(Wrong::Decoded));
        assert_eq!(judge.next(Some(day + 40), Some(day + 120)), None);
        // Of a late picture the start says nothing, as what comes later does.
        assert_eq!(StampJudge::new(1000, Some(0)).next(Some(0), Some(hours)), None);
    }

    #[test]
    fn a_clock_that_jumps_is_not_wrong() {
        for jump in [-100_000, -1_000, 5_000, 100_000] {
            let mut judge = StampJudge::new(1000, Some(0));
            let samples =
                (0..20).chain(20..40).map(|sample| sample * 40 + if sample < 20 { 0 } else { jump });
            let wrong = samples.filter_map(|time| judge.next(Some(time), Some(time + 80)));
            assert_eq!(wrong.collect::<Vec<_>>(), [], "{jump}");
        }
    }
}
