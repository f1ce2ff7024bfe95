//! Places at which a film can be read by several readers, each of which has a range of it.
//!
//! A reader that begins in the middle is believed only if it begins as a reader that came from the start goes
//! on: both decode the frames between two sync samples, and these have to be equal to the bit, as must be
//! what the readers have learned of the clock. Whatever a decoder keeps from one picture to the next comes
//! from those frames then. Nothing is believed of a range in which anything was damaged, because what is made
//! of damage depends on all that came before it.

use crate::film::{FilmInfo, WrongTimes, time_to_ticks};
use crate::filters::PictureFilters;
use crate::finding::FindingKind;
use retake_media::Time;
use serde::{Deserialize, Serialize};

/// The least distance between the two sync samples of an entry point, in seconds, so that enough is compared
/// in films in which decoding can begin at every frame.
const COMPARED: f64 = 0.25;

/// Coding formats of which a sync sample ends all that decoding remembers of earlier pictures. Others either
/// say so of samples of which it is not true, or carry on values that no picture shows.
const RESTARTED_BY_SYNC: [&str; 11] =
    ["h264", "hevc", "av1", "vp8", "vp9", "prores", "ffv1", "mpeg2video", "mjpeg", "dnxhd", "rawvideo"];

/// A place in the middle of a film at which a reader of a range can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The time of the sync sample at which such a reader begins to decode, in ticks of the video. The frames
    /// from there up to [`EntryPoint::at`], with that one, are compared with those of the reader before it.
    pub from: i64,
    /// The time of a later sync sample, in ticks of the video: the first frame of the range.
    pub at: i64,
}

impl FilmInfo {
    /// Returns places at which the film can be divided into ranges, in order. Ranges last at least `least`,
    /// and so many times as long as what is decoded twice between them.
    ///
    /// There are none where times or order of samples are in doubt, the clock jumps, or anything is missing
    /// or damaged, as far as [`survey`](crate::survey()) knows; nor in films that nobody looked through.
    pub fn entry_points(&self, least: Time, times: u32) -> Vec<EntryPoint> {
        let ticks = |time: Time| time_to_ticks(time, self.unfiltered().time_base).unwrap_or(i64::MAX).max(1);
        let in_doubt = !self.breaks.is_empty() || *self.wrong != WrongTimes::default();
        let sound = self.seekable && self.surveyed && !in_doubt;
        let damaged = |kind: FindingKind| kind.is_damage() || kind == FindingKind::Unstarted;
        let sound = sound && !self.findings.iter().any(|finding| damaged(finding.kind));
        // What filters remember of earlier pictures is not theirs alone.
        let sound = sound && self.filters().is_none_or(PictureFilters::is_alone);
        if !sound || !RESTARTED_BY_SYNC.contains(&self.video.codec.as_str()) {
            return Vec::new();
        }
        choose(&self.syncs, ticks(least), ticks(Time::from_seconds(COMPARED, 1000)), times)
    }
}

/// Chooses entry points among the times of all sync samples.
fn choose(syncs: &[i64], least: i64, compared: i64, times: u32) -> Vec<EntryPoint> {
    let Some(&(mut last)) = syncs.first() else { return Vec::new() };
    let (mut chosen, mut from) = (Vec::new(), 0);
    for &at in syncs {
        while syncs.get(from + 1).is_some_and(|next| at.saturating_sub(*next) >= compared) {
            from += 1;
        }
        let twice = at.saturating_sub(syncs[from]);
        let range = at.saturating_sub(last);
        if twice < compared || range < least || range < twice.saturating_mul(i64::from(times)) {
            continue;
        }
        // What is decoded twice lies in the range before.
        if syncs[from] >= last {
            chosen.push(EntryPoint { from: syncs[from], at });
            last = at;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Ranges are as long as they have to be, and what is decoded twice never reaches into the range
        /// before the one before.
        #[test]
        fn ranges_are_long_enough(steps in prop::collection::vec(1i64..300, 0..200), least in 1i64..500,
                compared in 1i64..60, times in 1u32..30) {
            let syncs: Vec<i64> = steps.iter().scan(-50, |at, step| { *at += step; Some(*at) }).collect();
            let mut last = syncs.first().copied().unwrap_or(0);
            for EntryPoint { from, at } in choose(&syncs, least, compared, times) {
                prop_assert!(syncs.contains(&from) && syncs.contains(&at));
                prop_assert!(at - from >= compared && from >= last);
                prop_assert!(at - last >= least && at - last >= (at - from) * i64::from(times));
                // No later sync sample would do.
                let nearer = syncs.iter().any(|sync| *sync > from && at - sync >= compared);
                prop_assert!(!nearer);
                last = at;
            }
        }
    }

    #[test]
    fn a_film_of_one_scene_has_no_entry_points() {
        assert_eq!(choose(&[0], 1, 1, 1), []);
        assert_eq!(choose(&[], 1, 1, 1), []);
        let regular: Vec<i64> = (0..20).map(|n| n * 10).collect();
        assert_eq!(
            choose(&regular, 60, 10, 6)[..2],
            [EntryPoint { from: 50, at: 60 }, EntryPoint { from: 110, at: 120 }]
        );
    }
}
