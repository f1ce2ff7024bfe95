//! Starts an encode as in the middle of a film, because its samples are joined behind those of another (rule
//! PA-8).
//!
//! Rate control by an average knows nothing of the film at first: it begins with a quantizer that fits no
//! film in particular, and takes the share of the first sync frame for the film's. That shows at every join.
//! So the first frames are encoded twice in a row, and only the second time counts: by then the controller
//! knows what they cost.
//!
//! The first frame that counts must be a sync frame. Where a library lets nobody force one at a rate
//! (SVT-AV1), it comes after as many frames as there are from one sync frame to the next, so that so many are
//! encoded before: the first ones forwards and backwards until there are enough, because keeping a whole
//! group of pictures would take too much memory, and a cut in the middle would not be like the film.

use crate::library::Library;
use retake_compression::encoder::{EncoderSettings, FrameOptions, Output, RateControl};
use retake_media::PixelBuffer;
use std::collections::VecDeque;

/// The longest time that is encoded twice, in seconds.
const SECONDS: f64 = 1.0;
const MOST: u64 = 64;
/// What is encoded before must be no more than this part of the frames that will come.
const PART: u64 = 4;
/// The longest group of pictures that is encoded before where no sync frame can be forced: what the library
/// has by itself.
const LONGEST_GROUP: u32 = 256;

/// How many frames an encode encodes before those that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// The number of frames that are kept for it.
    pub(crate) kept: u32,
    /// The number of frames that the library sees before the first that counts, which are the kept ones,
    /// forwards and backwards in turn.
    pub(crate) sent: u32,
}

/// Returns how many frames an encode with these settings encodes before those that count; none where its
/// start is like any other.
pub(crate) fn lengths(library: &Library, settings: &EncoderSettings) -> Lengths {
    let info = &library.info;
    let controls = &settings.controls;
    let by_average = matches!(settings.rate, RateControl::AverageBitRate(_));
    let plain = controls.may_hold_all()
        && !controls.base_qp
        && controls.quality_ceiling.is_none()
        && controls.temporal_layers.unwrap_or(1) < 2;
    if !(library.spec.warms_up && controls.more_before && info.controls.steady_start && by_average && plain) {
        return Lengths::default();
    }
    // The cast `as` saturates, so that no rate is too much.
    let second = ((settings.frame_rate.to_f64() * SECONDS).ceil() as u64).clamp(1, MOST);
    let share = if controls.frame_count > 0 { controls.frame_count / PART } else { u64::MAX };
    if info.controls.forced_at_rate {
        let frames = second.min(share) as u32;
        return Lengths { kept: frames, sent: frames };
    }
    let group = library.key_frame_interval(settings);
    if group > LONGEST_GROUP || u64::from(group) > share {
        return Lengths::default();
    }
    Lengths { kept: group.min(second as u32), sent: group }
}

/// Returns the place of frame `index` of a stream that goes through `count` frames forwards and backwards in
/// turn, without showing the outermost ones twice in a row.
fn place(index: usize, count: usize) -> usize {
    if count < 2 {
        return 0;
    }
    let turn = 2 * count - 2;
    let at = index % turn;
    if at < count { at } else { turn - at }
}

/// The frames that are kept until they are encoded twice, and the outputs that came meanwhile.
#[derive(Default)]
pub(crate) struct WarmUp {
    lengths: Lengths,
    waiting: bool,
    kept: Vec<(PixelBuffer, FrameOptions)>,
    /// The number of frames that the library saw before the first that counts.
    pub(crate) before: u64,
    pub(crate) ready: VecDeque<Output>,
}

impl WarmUp {
    pub(crate) fn new(lengths: Lengths) -> Self {
        Self { lengths, waiting: lengths.kept > 0, ..Self::default() }
    }

    /// Returns whether frames are still kept.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Keeps a frame; returns true when there are enough.
    pub(crate) fn keep(&mut self, picture: &PixelBuffer, options: FrameOptions) -> bool {
        self.kept.push((picture.clone(), options));
        self.kept.len() == self.lengths.kept as usize
    }

    /// Returns the kept frames, and which of them must be encoded before all of them are encoded for good. No
    /// more are kept. `forces` is true where a sync frame can be forced behind any number of frames.
    pub(crate) fn begin(&mut self, forces: bool) -> (Vec<(PixelBuffer, FrameOptions)>, Vec<usize>) {
        self.waiting = false;
        let Lengths { sent, .. } = self.lengths;
        // A film that ended before enough frames were kept is encoded twice as a whole, or as often as it
        // takes to the next sync frame.
        let enough = if forces { self.kept.len() } else { sent as usize };
        let count = self.kept.len();
        let order =
            if count == 0 { Vec::new() } else { (0..enough).map(|index| place(index, count)).collect() };
        self.before = order.len() as u64;
        (std::mem::take(&mut self.kept), order)
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn frames_go_forwards_and_backwards() {
        let places =
            |count: usize, length: usize| (0..length).map(|index| place(index, count)).collect::<Vec<_>>();
        assert_eq!(places(4, 9), [0, 1, 2, 3, 2, 1, 0, 1, 2]);
        assert_eq!(places(2, 5), [0, 1, 0, 1, 0]);
        assert_eq!(places(1, 3), [0, 0, 0]);
        assert_eq!(places(25, 25), (0..25).collect::<Vec<_>>());
    }
}
