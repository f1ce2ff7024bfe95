//! Finds black bars that a film has from its first frame to its last.
//!
//! Nothing is guessed from some places of a film: a scene in a larger shape, or words in a bar, may come
//! anywhere. So the sync frames are looked at first, which ends the search where there are no bars, and
//! where there seem to be some, all frames are.

use super::{CropArea, PictureFilters, Turn};
use crate::error::MediaError;
use crate::film::FilmInfo;
use crate::reader::{FrameReader, ReaderOptions};
use retake_media::{PixelBuffer, Range};

/// So much brighter than black a sample is no black any more, in steps of 8 bits: dirt of encoders is
/// darker.
const DIRT: u32 = 16;

/// What was found of bars.
pub(super) struct Bars {
    /// What lies between them; `None` if there are none.
    pub(super) area: Option<CropArea>,
    /// All about it in words.
    pub(super) told: String,
}

/// The part of the picture in which something was seen, as first and last numbers behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

/// Looks for bars; `None` if `stopped` said so meanwhile.
pub(super) fn find(
    film: &FilmInfo,
    turn: Option<Turn>,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Bars>, MediaError> {
    let turned = PictureFilters { turn, ..PictureFilters::default() };
    let film = film.clone().with_filters(&turned, stopped)?;
    let (width, height) = (film.video.width as usize, film.video.height as usize);
    let whole = Seen { left: 0, right: width, top: 0, bottom: height };
    let mut seen = Seen { left: width, right: 0, top: height, bottom: 0 };
    let mut frames = 0;
    for all in [false, true] {
        frames = 0;
        let mut reader = FrameReader::open(&film, ReaderOptions { format: film.video.format, threads: 0 })?;
        if !all {
            reader.sync_frames_only();
        }
        while seen != whole
            && let Some(frame) = reader.next()?
        {
            if stopped() {
                return Ok(None);
            }
            seen.look(&frame.picture, film.video.colour.range);
            frames += 1;
        }
        if seen == whole {
            break;
        }
    }
    let (mut across, mut down) = film.video.format.chroma_block().unwrap_or((1, 1));
    (across, down) = (across.max(2), down.max(2));
    if film.video.fields.is_some() {
        down *= 2;
    }
    let area = seen.area(width as u32, height as u32, across, down);
    let told = match area {
        _ if seen.is_nothing() => "all of the picture is kept: every frame is black".to_owned(),
        None => "all of the picture is kept: it has no black bars".to_owned(),
        Some(CropArea { width: w, height: h, x, y }) => format!(
            "black bars are cropped: {x} samples on the left, {} on the right, {y} rows above, {} below, in all \
             {frames} frames; what is kept is {w}:{h}:{x}:{y}",
            width as u32 - w - x,
            height as u32 - h - y
        ),
    };
    Ok(Some(Bars { area, told }))
}

impl Seen {
    fn is_nothing(self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }

    /// Adds what is seen in a picture.
    fn look(&mut self, picture: &PixelBuffer, range: Range) {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let deep = picture.format().bytes_per_sample() == 2;
        let shift = picture.format().bit_depth() - 8;
        let black = if range == Range::Full { 0 } else { 16 };
        let limit = (black + DIRT) << shift;
        let bright = |x: usize, row: &[u8]| match deep {
            true => u32::from(u16::from_le_bytes([row[2 * x], row[2 * x + 1]])) > limit,
            false => u32::from(row[x]) > limit,
        };
        let row = |y: usize| picture.row(0, y);
        // A few samples are no picture: decoders may leave a spot.
        let enough = |count: usize, of: usize| count >= (of / 400).max(2);
        let row_shows = |y: usize| enough((0..width).filter(|&x| bright(x, row(y))).count(), width);
        if let Some(top) = (0..self.top.min(height)).find(|&y| row_shows(y)) {
            self.top = top;
        }
        if let Some(bottom) = (self.bottom..height).rev().find(|&y| row_shows(y)) {
            self.bottom = bottom + 1;
        }
        let column_shows = |x: usize| enough((0..height).filter(|&y| bright(x, row(y))).count(), height);
        if let Some(left) = (0..self.left.min(width)).find(|&x| column_shows(x)) {
            self.left = left;
        }
        if let Some(right) = (self.right..width).rev().find(|&x| column_shows(x)) {
            self.right = right + 1;
        }
    }

    /// Returns the part of the picture that holds all that was seen, in multiples of units; `None` if that is
    /// all of it, or nothing.
    fn area(self, width: u32, height: u32, across: u32, down: u32) -> Option<CropArea> {
        if self.is_nothing() {
            return None;
        }
        let span = |from: usize, to: usize, unit: u32, all: u32| {
            let from = from as u32 / unit * unit;
            let to = (to as u32).div_ceil(unit) * unit;
            // What is left of a unit at the end of the picture belongs to it.
            if to + unit > all { (from, all) } else { (from, to) }
        };
        let (left, right) = span(self.left, self.right, across, width);
        let (top, bottom) = span(self.top, self.bottom, down, height);
        let area = CropArea { width: right - left, height: bottom - top, x: left, y: top };
        let least = |length: u32| length >= 16;
        (area.width < width || area.height < height)
            .then_some(area)
            .filter(|area| least(area.width) && least(area.height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_holds_all_that_was_seen() {
        let seen = |left, right, top, bottom| Seen { left, right, top, bottom };
        let area = |seen: Seen| seen.area(640, 360, 2, 2).map(|a| (a.width, a.height, a.x, a.y));
        assert_eq!(area(seen(0, 640, 45, 315)), Some((640, 272, 0, 44)));
        assert_eq!(area(seen(3, 637, 0, 360)), Some((636, 360, 2, 0)));
        assert_eq!(area(seen(0, 640, 0, 359)), None);
        assert_eq!(area(seen(640, 0, 360, 0)), None);
        assert_eq!(area(seen(0, 640, 100, 108)), None);
    }
}
