//! Which clock expresses the times that come.

use crate::types::media::MediaSample;
use retake_libav::common_multiple;
use retake_media::Time;

/// Finer clocks leave too little room for offsets of 32 bits.
const FINEST: u32 = 10_000_000;

/// The finest clock of a whole film; edit lists are written in its ticks.
const FINEST_MOVIE: u32 = 1_000_000_000;

/// For tracks of which nothing is known yet.
const USUAL: u32 = 90_000;

/// Players expect a clock of video to be at least this fine.
const COARSEST: u32 = 10_000;

/// Ticks a second that express all times of these samples exactly, if that can be; else microseconds.
pub(crate) fn timescale<'a>(samples: impl Iterator<Item = &'a MediaSample>) -> u32 {
    let times = samples.flat_map(|sample| [sample.sample.pts, sample.sample.dts, sample.sample.duration]);
    // zero is zero on every clock
    let scales = times.filter(|time| time.is_numeric() && time.value() != 0).map(Time::timescale);
    automatic_time_scale(scales.filter_map(|scale| u32::try_from(scale).ok()))
}

/// Returns the ticks a second of a track whose input sets no
/// [`media_time_scale`](crate::InputOptions::media_time_scale), where its times come in these: their common
/// multiple and at least 10,000, or 1,000,000 where that would be more than 10,000,000.
pub fn automatic_time_scale(scales: impl Iterator<Item = u32>) -> u32 {
    let mut common = None;
    for scale in scales {
        match common_multiple(common.unwrap_or(1), scale, FINEST) {
            Some(multiple) => common = Some(multiple),
            None => return 1_000_000,
        }
    }
    let mut scale = common.unwrap_or(USUAL);
    while scale < COARSEST {
        scale *= 2;
    }
    scale
}

/// A clock that expresses all of these exactly, if that can be; else the finest of them.
pub(crate) fn movie_timescale(tracks: impl Iterator<Item = u32> + Clone) -> u32 {
    let finest = tracks.clone().max().unwrap_or(1000);
    tracks
        .filter(|&scale| scale > 0)
        .try_fold(1, |common, scale| common_multiple(common, scale, FINEST_MOVIE))
        .filter(|&common| common > 1)
        .unwrap_or(finest)
}
