//! Decodes exact ranges of a film, and checks every frame against the index.

use crate::error::MediaError;
use crate::film::FilmInfo;
use crate::filters::PictureFilters;
use crate::frame::{Frame, Pictures};
use crate::index::{FrameEntry, FrameIndex};
use crate::reader::{Decoding, ReaderOptions, StampedFrame};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The number of decoders that wait for the next range of the same film.
const MOST_PARKED: usize = 2;

/// Records the experience with seeking in one film, shared by all its range readers.
///
/// Some films decode to other pictures after a seek than from the start. Once a reader saw that, no reader
/// seeks again: all later ranges are decoded from the start, or from the place where an earlier reader
/// stopped.
#[derive(Default)]
pub struct SeekTrust {
    linear_only: AtomicBool,
    parked: Mutex<Vec<Parked>>,
}

impl SeekTrust {
    /// Makes a record without bad experience, so that readers seek.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Returns whether seeking gave wrong pictures, so that ranges are decoded from the start.
    pub fn is_lost(&self) -> bool {
        self.linear_only.load(Ordering::Relaxed)
    }

    /// Makes all ranges decode linearly from here on.
    pub fn lose(&self) {
        self.linear_only.store(true, Ordering::Relaxed);
    }

    fn park(&self, parked: Parked) {
        let mut list = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == MOST_PARKED {
            list.remove(0);
        }
        list.push(parked);
    }

    /// Returns the parked decoder that is nearest before `start`, but not before `earliest`.
    fn take(&self, earliest: u64, start: u64, options: ReaderOptions) -> Option<Parked> {
        let mut list = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |parked: &Parked| (earliest..=start).contains(&parked.position) && parked.options == options;
        let best = list.iter().enumerate().filter(|(_, p)| fits(p)).max_by_key(|(_, p)| p.position)?.0;
        Some(list.remove(best))
    }
}

/// A decoder that stopped before frame `position`.
struct Parked {
    decoding: Decoding,
    position: u64,
    options: ReaderOptions,
    way: Way,
}

/// The ways in which a reader comes to its frames; each next one is slower and surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The reader decodes from the sync frame before the range.
    Near,
    /// The reader decodes from the sync frame before that.
    Earlier,
    /// The reader decodes from the start of the film, and counts.
    Linear,
}

/// Gives out exactly the frames of one range of a film, each checked against the index.
///
/// It seeks to the sync frame before the range. If a frame then is not the one that linear decoding found, it
/// falls back by itself: to an earlier sync frame, and at last to decoding from the start.
pub struct RangeReader {
    info: FilmInfo,
    index: Arc<FrameIndex>,
    options: ReaderOptions,
    trust: Arc<SeekTrust>,
    way: Way,
    at: Option<At>,
    start: u64,
    next: u64,
    end: u64,
    fallbacks: u32,
    /// The number of seeks that led to wrong frames.
    wrong_seeks: u32,
}

/// An open decoder, and the number of the frame that it gives out next, once that is known.
struct At {
    decoding: Decoding,
    position: Option<u64>,
}

/// The outcome of [`RangeReader::advance`].
#[derive(Debug)]
pub enum Advance {
    /// The next frame, which the caller owns.
    Frame(Box<Frame>),
    /// Another picture was decoded and skipped; the caller must go on.
    NotYet,
    /// All frames were given out.
    End,
}

/// The outcome of one step.
enum Step {
    Skipped,
    Frame(Frame),
    Wrong,
}

impl RangeReader {
    /// Opens frames `range.start` to `range.end` (not included), as numbered by the index.
    ///
    /// # Errors
    /// Returns [`MediaError::NotSeekable`] for a pipe, [`MediaError::OutOfRange`] if the index has no such
    /// frames.
    pub fn open(
        info: &FilmInfo,
        index: Arc<FrameIndex>,
        range: Range<u64>,
        options: ReaderOptions,
        trust: Arc<SeekTrust>,
    ) -> Result<Self, MediaError> {
        let (start, end, frames) = (range.start, range.end, index.frames.len() as u64);
        if start > end || end > frames {
            return Err(MediaError::OutOfRange { file: info.path.clone(), start, end, frames });
        }
        if !info.seekable {
            return Err(MediaError::NotSeekable { file: info.path.clone() });
        }
        // Where the clock jumps, a time is no place in the file.
        let linear = trust.is_lost() || !info.breaks.is_empty();
        let way = if linear { Way::Linear } else { Way::Near };
        Ok(Self {
            info: info.clone(),
            index,
            options,
            trust,
            way,
            at: None,
            start,
            next: start,
            end,
            fallbacks: 0,
            wrong_seeks: 0,
        })
    }

    /// Returns the next frame of the range; `None` after its last. Time, duration and sync flag are those of
    /// the index.
    ///
    /// # Errors
    /// Returns [`MediaError::SourceChanged`] if linear decoding, too, gives another picture than the index
    /// says; else fails like [`FrameReader::next`](crate::FrameReader::next).
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<Frame>, MediaError> {
        loop {
            match self.advance()? {
                Advance::NotYet => {}
                Advance::Frame(frame) => return Ok(Some(*frame)),
                Advance::End => return Ok(None),
            }
        }
    }

    /// Decodes one picture on the way to the next frame of the range, for callers who must not wait while a
    /// reader that cannot seek decodes half a film.
    ///
    /// # Errors
    /// Fails like [`RangeReader::next`].
    pub fn advance(&mut self) -> Result<Advance, MediaError> {
        if self.next >= self.end {
            return Ok(Advance::End);
        }
        match self.step() {
            Ok(Step::Skipped) => {}
            Ok(Step::Frame(frame)) => {
                // One wrong seek can come from a container's imprecise index. Two, where linear decoding is
                // right, will happen again.
                if self.wrong_seeks > 1 && self.way == Way::Linear {
                    self.trust.lose();
                }
                self.next += 1;
                if self.next == self.end {
                    self.park();
                }
                return Ok(Advance::Frame(Box::new(frame)));
            }
            Ok(Step::Wrong) => {
                let error = MediaError::SourceChanged { file: self.info.path.clone(), frame: self.next };
                self.fall_back(error)?;
            }
            Err(error) => self.fall_back(error)?,
        }
        Ok(Advance::NotYet)
    }

    /// Goes back to the first frame of the range, for callers who have no memory for all of its frames and
    /// need some of them twice.
    pub fn restart(&mut self) {
        self.next = self.start;
        self.at = None;
    }

    /// Returns how often the reader had to start anew because a frame was not the right one.
    pub fn fallbacks(&self) -> u32 {
        self.fallbacks
    }

    fn step(&mut self) -> Result<Step, MediaError> {
        let at = match &mut self.at {
            Some(at) => at,
            none => {
                let (at, way) =
                    start(&self.info, &self.index, self.next, self.options, &self.trust, self.way)?;
                self.way = way;
                none.insert(at)
            }
        };
        let entry = self.index.frames[self.next as usize];
        let Some(StampedFrame { content, stated, .. }) = at.decoding.next(self.next)? else {
            return Ok(Step::Wrong);
        };
        // Linear decoding counts; after a seek, time stamps tell which frame it is.
        if self.way != Way::Linear || at.position.is_none() {
            match stated {
                Some(pts) if at.position.is_none() && pts < entry.pts => return Ok(Step::Skipped),
                Some(pts) if at.position.is_none() && pts == entry.pts => at.position = Some(self.next),
                Some(pts) if at.position.is_some_and(|p| self.index.frames[p as usize].pts == pts) => {}
                _ => return Ok(Step::Wrong),
            }
        }
        let position = at.position.unwrap_or(self.next);
        at.position = Some(position + 1);
        if position < self.next {
            return Ok(Step::Skipped);
        }
        let pictures = at.decoding.pictures(content, self.next)?;
        if pictures.hash() != entry.hash {
            return Ok(Step::Wrong);
        }
        let Pictures { picture, unscaled } = pictures;
        let FrameEntry { pts, duration, sync, .. } = entry;
        Ok(Step::Frame(Frame { index: self.next, pts, duration, sync, picture, unscaled }))
    }

    /// Starts anew on the next surer way, or gives up with `error` if there is none.
    fn fall_back(&mut self, error: MediaError) -> Result<(), MediaError> {
        self.at = None;
        self.fallbacks += 1;
        self.wrong_seeks += u32::from(self.way != Way::Linear);
        self.way = match self.way {
            Way::Near => Way::Earlier,
            Way::Earlier => Way::Linear,
            Way::Linear => {
                self.end = self.next; // no frame must follow an error
                return Err(error);
            }
        };
        Ok(())
    }

    /// Leaves the decoder to the next range.
    fn park(&mut self) {
        if let Some(At { decoding, position: Some(position) }) = self.at.take() {
            self.trust.park(Parked { decoding, position, options: self.options, way: self.way });
        }
    }
}

/// Returns a decoder on its way to frame `next`, and the way that it really took.
fn start(
    info: &FilmInfo,
    index: &FrameIndex,
    next: u64,
    options: ReaderOptions,
    trust: &SeekTrust,
    way: Way,
) -> Result<(At, Way), MediaError> {
    let sync_before =
        |frame: u64| index.frames[..=frame as usize].iter().rposition(|entry| entry.sync).unwrap_or(0) as u64;
    // Filters have to see some of what came before.
    let near = sync_before(next.saturating_sub(info.filters().map_or(0, PictureFilters::memory)));
    let from = match way {
        Way::Near => near,
        Way::Earlier if near > 0 => sync_before(near - 1),
        Way::Earlier | Way::Linear => 0,
    };
    let parked = match way {
        Way::Near => trust.take(near, next, options),
        // A decoder that saw all frames from the first on is as good as one that starts there.
        Way::Linear => trust.take(0, next, options).filter(|parked| parked.way == Way::Linear),
        Way::Earlier => None,
    };
    if let Some(Parked { decoding, position, way, .. }) = parked {
        return Ok((At { decoding, position: Some(position) }, way));
    }
    let mut decoding = Decoding::open(info, options)?;
    if from == 0 {
        return Ok((At { decoding, position: Some(0) }, Way::Linear));
    }
    if decoding.seek_shown(index.frames[from as usize].pts)? {
        return Ok((At { decoding, position: None }, way));
    }
    // A failed seek may have moved something.
    drop(decoding);
    Ok((At { decoding: Decoding::open(info, options)?, position: Some(0) }, Way::Linear))
}
