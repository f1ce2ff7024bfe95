//! The chain of filters of one reader, and what belongs to pictures beside them on their way through it.

use super::branch::{Branch, FromBranch};
use super::{FilterError, Filtered};
use crate::film::{FilmInfo, ticks_to_time, time_to_ticks};
use crate::frame::Pictures;
use retake_media::{Attachments, Fields, PixelBuffer, PixelFormat, Rational};
use std::collections::VecDeque;
use std::sync::Arc;

/// The bytes of pictures that a graph may keep without giving one out.
const MOST_HELD: u64 = 4 << 30;

/// A chain of filters, and the pictures that are on their way through it.
pub(crate) struct FilterStage {
    filtered: Arc<Filtered>,
    main: Branch,
    /// The same without scaling, where frames have such pictures, too. A graph that divides before it scales
    /// would do the steps before that once, but its two ends would have to be read in turn, and every step
    /// behind named twice.
    unscaled: Option<Branch>,
    /// What belongs to pictures that were put in, in their order.
    waiting: VecDeque<Beside>,
    /// Pictures that were put in since one came out, and the bytes of each.
    held: u64,
    bytes: u64,
    /// When the last picture that was put in is over, on the clock of the graph.
    over: i64,
    ended: bool,
    last: Option<i64>,
    /// A picture at which decoding can start has come in, and none has come out since.
    sync: bool,
    /// Pictures with captions that did not come out with their times, since somebody asked.
    lost_captions: u64,
}

/// What comes with a picture.
struct Beside {
    /// On the clock of the graph.
    pts: i64,
    duration: i64,
    sync: bool,
    attachments: Attachments,
}

/// A picture that came out of filters.
pub(crate) struct FilteredPicture {
    pub(crate) pictures: Pictures,
    /// In ticks of the filtered film, as is the duration.
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) sync: bool,
}

/// The next picture of a stage.
pub(crate) enum FromStage {
    Picture(FilteredPicture),
    /// Another picture must be put in first.
    NotYet,
    End,
}

impl FilterStage {
    /// Opens the chain of a filtered film; `None` if there is none. Pictures come out in a format.
    pub(crate) fn open(film: &FilmInfo, to: PixelFormat) -> Result<Option<Self>, FilterError> {
        let Some(filtered) = film.filtered.clone() else { return Ok(None) };
        let matrix = film.video.colour.matrix;
        let size = (film.video.width, film.video.height);
        let main = Branch::open(&filtered, filtered.chain(to)?, size, to, matrix)?;
        let unscaled = match filtered.unscaled() {
            Some(size) => Some(Branch::open(&filtered, filtered.unscaled_chain(to)?, size, to, matrix)?),
            None => None,
        };
        let source = filtered.source();
        let bytes = source.format.picture_bytes(source.width, source.height);
        Ok(Some(Self {
            main,
            unscaled,
            waiting: VecDeque::new(),
            held: 0,
            bytes,
            over: 0,
            ended: false,
            last: None,
            sync: false,
            lost_captions: 0,
            filtered,
        }))
    }

    /// Returns whether each picture becomes one, by itself.
    pub(crate) fn is_alone(&self) -> bool {
        self.filtered.filters().is_alone()
    }

    /// Returns a time of what comes out in ticks of the source.
    pub(crate) fn source_ticks(&self, ticks: i64) -> i64 {
        self.filtered.source_ticks(ticks)
    }

    /// Begins anew, as must happen after a seek.
    pub(crate) fn restart(&mut self) -> Result<(), FilterError> {
        let filtered = self.filtered.clone();
        self.branches().try_for_each(|branch| branch.restart(&filtered))?;
        self.waiting.clear();
        (self.held, self.over, self.ended) = (0, 0, false);
        (self.last, self.sync) = (None, false);
        Ok(())
    }

    /// Puts in a picture of the source, with times in its ticks.
    pub(crate) fn send(
        &mut self,
        picture: &PixelBuffer,
        fields: Option<Fields>,
        (pts, duration): (i64, i64),
        sync: bool,
    ) -> Result<(), FilterError> {
        let pts = pts.saturating_sub(self.filtered.origin);
        self.branches().try_for_each(|branch| branch.send(picture, fields, pts))?;
        self.held += 1;
        if self.held.saturating_mul(self.bytes) > MOST_HELD {
            return Err(FilterError::HoldsBack { frames: self.held });
        }
        let rate = self.filtered.source().frame_rate;
        let usual = time_to_ticks(
            ticks_to_time(i64::from(rate.den), Rational::new(1, rate.num.max(1))),
            self.filtered.source().time_base,
        );
        self.over = pts.saturating_add(if duration > 0 { duration } else { usual.unwrap_or(1).max(1) });
        let attachments = picture.attachments().clone();
        self.waiting.push_back(Beside { pts, duration, sync, attachments });
        Ok(())
    }

    /// Puts in that no picture follows.
    pub(crate) fn end(&mut self) -> Result<(), FilterError> {
        if !self.ended {
            self.ended = true;
            let over = self.over;
            let filtered = self.filtered.clone();
            self.branches().try_for_each(|branch| branch.end(&filtered, over))?;
        }
        Ok(())
    }

    fn branches(&mut self) -> impl Iterator<Item = &mut Branch> {
        std::iter::once(&mut self.main).chain(&mut self.unscaled)
    }

    /// Returns the next picture that comes out.
    pub(crate) fn receive(&mut self) -> Result<FromStage, FilterError> {
        let (picture, pts) = match self.main.receive(&self.filtered)? {
            FromBranch::NotYet => return Ok(FromStage::NotYet),
            FromBranch::End => return Ok(FromStage::End),
            FromBranch::Picture(picture, pts) => (picture, pts),
        };
        self.held = 0;
        if self.last.is_some_and(|last| pts <= last) {
            return Err(FilterError::Times);
        }
        self.last = Some(pts);
        let beside = self.beside(pts);
        let unscaled = self.unscaled(pts)?;
        let duration = match (self.filtered.keeps_rate, &beside) {
            (true, Some(beside)) => self.filtered.out_ticks(beside.duration),
            (true, None) => 0,
            (false, _) => self.filtered.frame_ticks(),
        };
        let attachments = beside.map_or_else(Attachments::default, |beside| beside.attachments);
        Ok(FromStage::Picture(FilteredPicture {
            pictures: Pictures { picture: picture.with_attachments(attachments), unscaled },
            pts: pts.saturating_add(self.filtered.out_ticks(self.filtered.origin)),
            duration,
            sync: std::mem::take(&mut self.sync),
        }))
    }

    /// Returns how many pictures with captions did not come out with their times, since it was asked last.
    pub(crate) fn lost_captions(&mut self) -> u64 {
        std::mem::take(&mut self.lost_captions)
    }

    /// Filters one picture by itself.
    pub(crate) fn filter(
        &mut self,
        picture: &PixelBuffer,
        fields: Option<Fields>,
    ) -> Result<Pictures, FilterError> {
        // Times only have to go on.
        let pts = self.last.map_or(0, |last| last + 1);
        self.last = Some(pts);
        self.branches().try_for_each(|branch| branch.send(picture, fields, pts))?;
        let FromBranch::Picture(filtered, _) = self.main.receive(&self.filtered)? else {
            let detail = "a picture did not come out again".into();
            return Err(FilterError::Failed { detail });
        };
        let filtered = filtered.with_attachments(picture.attachments().clone());
        Ok(Pictures { picture: filtered, unscaled: self.unscaled(pts)? })
    }

    /// Returns the picture without scaling of the frame that came out last, if frames have one.
    fn unscaled(&mut self, pts: i64) -> Result<Option<PixelBuffer>, FilterError> {
        let Some(branch) = &mut self.unscaled else { return Ok(None) };
        match branch.receive(&self.filtered)? {
            FromBranch::Picture(picture, shown) if shown == pts => Ok(Some(picture)),
            _ => Err(FilterError::Unscaled),
        }
    }

    /// Returns what belongs to the picture with a time on the clock of what comes out, and forgets what
    /// belongs to those before it.
    fn beside(&mut self, pts: i64) -> Option<Beside> {
        let mut found = None;
        while let Some(next) = self.waiting.front() {
            let shown = ticks_to_time(next.pts, self.filtered.source().time_base);
            let order = shown.cmp(&ticks_to_time(pts, self.filtered.time_base));
            if order.is_gt() {
                break;
            }
            self.sync |= next.sync;
            let had_captions = next.attachments.captions().is_some();
            found = self.waiting.pop_front().filter(|_| order.is_eq());
            self.lost_captions += u64::from(found.is_none() && had_captions);
        }
        found
    }
}
