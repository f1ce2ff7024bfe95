//! One encode from its first frame to its last sample, with its pictures in presentation order and, where
//! that is wanted, their scores.
//!
//! Encoders give samples in decode order and reconstructed pictures in any order, each a while after its
//! frame went in. Whoever scores pictures, compares them or steers by them needs them in presentation order
//! and beside their sources. An [`EncodeRun`] is the one place that brings them into that order: takes and
//! probes of exports and the units of sessions stand on it.

#[cfg(test)]
mod tests;

use crate::encoder::{
    EncodedFrame, Encoder, EncoderError, EncoderFactory, EncoderSettings, FrameOptions, Output,
    Reconfiguration,
};
use crate::scorer::Scorer;
use crate::take::Score;
use retake_media::{FormatDescription, PixelBuffer, Time};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use thiserror::Error;

/// What comes out of an [`EncodeRun`]. `X` is what its scorer fails with.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunEvent<X = Infallible> {
    /// The sample of a frame, once for each frame that is not dropped, in decode order.
    Sample(EncodedFrame),
    /// What a decoder will see of a frame: once for each frame that is not dropped, in presentation order. It
    /// is scored already, so that a client that steers by scores can call [`EncodeRun::set_quality`] before
    /// the encoder codes another frame.
    Picture {
        /// The frame, counted in presentation order from 0 at the start of the run.
        index: u64,
        /// Its reconstruction; the caller's from here on.
        picture: PixelBuffer,
    },
    /// A frame of which neither a sample nor a picture comes, because a limit of the rate left no room for
    /// it.
    Dropped {
        /// The frame, counted in presentation order from 0 at the start of the run.
        index: u64,
    },
    /// A unit is over, or could not be scored: once for each unit in which a picture was.
    Score {
        /// The presentation time of the unit's first frame.
        first: Time,
        /// Its score, or why it has none. The encode goes on in either case; the rest of a unit whose scorer
        /// failed is not scored.
        score: Result<Score, X>,
    },
}

/// What pictures have one score together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoredUnits {
    /// All of the run.
    Whole,
    /// Those from one sync frame to the next. A picture is then scored no sooner than the sample of its frame
    /// is out, because only the sample tells whether a unit begins with it.
    BetweenSyncFrames,
}

/// What can go wrong while a run is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The encoder gave a sample or a picture of a frame that it does not hold: one that was never sent, or
    /// whose sample or picture it had given before.
    #[error("the encoder gave a {what} of frame {index}, which it does not hold")]
    NotInside {
        /// `sample` or `picture`.
        what: &'static str,
        /// The frame, counted from 0.
        index: u64,
    },
    /// The encoder said that it was done, and had not given everything.
    #[error("the encoder ended without the {what} of frame {index}")]
    Missing {
        /// `sample` or `picture`.
        what: &'static str,
        /// The first such frame, counted from 0.
        index: u64,
    },
}

/// The scorer of a run that is not scored.
#[derive(Debug)]
pub enum Unscored {}

impl Scorer for Unscored {
    type Error = Infallible;

    fn push(&mut self, _: &PixelBuffer, _: &PixelBuffer) -> Result<(), Infallible> {
        match *self {}
    }

    fn finish(self: Box<Self>) -> Result<Score, Infallible> {
        match *self {}
    }
}

/// An encode from its first frame to its last sample.
///
/// A client pushes frames in presentation order and takes out events with [`EncodeRun::next`] after each,
/// until there are none for now; after [`EncodeRun::finish`] it takes out events until there are none at all.
/// Nothing happens in between: the encoder is only ever asked for more when the client asks, so that what the
/// client changes between two events holds from there on.
///
/// Of each frame the run keeps the source picture until its reconstruction is scored: as many as the encoder
/// holds, and none where nothing is scored.
pub struct EncodeRun<E, S: Scorer + ?Sized = Unscored> {
    encoder: E,
    /// Whether the encoder gives a picture for every frame.
    gives_pictures: bool,
    scoring: Option<Scoring<S>>,
    /// Frames of which something is to come, and those between them, in presentation order.
    inside: VecDeque<Inside>,
    /// The index of the first of them.
    first: u64,
    /// The frame whose picture is handed out next.
    next_picture: u64,
    /// Follows the event that was handed out last.
    following: Option<RunEvent<S::Error>>,
    over: bool,
}

/// A frame of which something is to come.
struct Inside {
    pts: Time,
    /// Where pictures are scored.
    source: Option<PixelBuffer>,
    sample: Came,
    picture: Picture,
}

/// What has become of a frame's sample.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Owed,
    Out { sync: bool },
    Dropped,
}

enum Picture {
    Owed,
    /// It waits for that of an earlier frame.
    Here(PixelBuffer),
    Out,
}

/// How the scorer of a unit is opened.
type Open<S> = Box<dyn FnMut() -> Result<Box<S>, <S as Scorer>::Error> + Send>;

struct Scoring<S: Scorer + ?Sized> {
    units: ScoredUnits,
    open: Option<Open<S>>,
    unit: Option<Unit<S>>,
}

/// The unit that is being scored.
struct Unit<S: ?Sized> {
    /// The time of its first frame, once that was scored.
    first: Option<Time>,
    /// None after it has failed.
    scorer: Option<Box<S>>,
}

impl EncodeRun<Box<dyn Encoder>> {
    /// Opens an encode with these settings. Nothing is scored.
    ///
    /// # Errors
    /// Those of [`EncoderFactory::open`].
    pub fn open(factory: &dyn EncoderFactory, settings: &EncoderSettings) -> Result<Self, EncoderError> {
        let encoder = factory.open(settings)?;
        Ok(Self::new(encoder, settings.reconstruct && factory.info().reconstructs))
    }
}

impl<E: Encoder> EncodeRun<E> {
    /// A run of an encode that was opened and has had no frame. Where `gives_pictures`, it must give a
    /// reconstruction of every frame; otherwise it must give none. Nothing is scored.
    pub fn new(encoder: E, gives_pictures: bool) -> Self {
        Self {
            encoder,
            gives_pictures,
            scoring: None,
            inside: VecDeque::new(),
            first: 0,
            next_picture: 0,
            following: None,
            over: false,
        }
    }

    /// The same run, with all its pictures scored by `scorer`. Without pictures there is no score.
    pub fn scored<S: Scorer>(self, scorer: S) -> EncodeRun<E, S> {
        let unit = Unit { first: None, scorer: Some(Box::new(scorer)) };
        self.with_scoring(Some(Scoring { units: ScoredUnits::Whole, open: None, unit: Some(unit) }))
    }

    /// The same run, scored by units. `open` gives a scorer for each, when its first picture is there.
    /// Without pictures there is no score.
    pub fn scored_by<S: Scorer + ?Sized>(
        self,
        units: ScoredUnits,
        open: impl FnMut() -> Result<Box<S>, S::Error> + Send + 'static,
    ) -> EncodeRun<E, S> {
        self.with_scoring(Some(Scoring { units, open: Some(Box::new(open)), unit: None }))
    }

    /// The same run, of the type that it would have with a scorer, for clients that score some runs and
    /// others not.
    pub fn unscored<S: Scorer + ?Sized>(self) -> EncodeRun<E, S> {
        self.with_scoring(None)
    }

    fn with_scoring<S: Scorer + ?Sized>(self, scoring: Option<Scoring<S>>) -> EncodeRun<E, S> {
        let Self { encoder, gives_pictures, inside, first, next_picture, over, .. } = self;
        let scoring = scoring.filter(|_| gives_pictures);
        EncodeRun { encoder, gives_pictures, scoring, inside, first, next_picture, following: None, over }
    }
}

impl<E: Encoder, S: Scorer + ?Sized> EncodeRun<E, S> {
    /// What a decoder and a container have to know.
    pub fn format(&self) -> &FormatDescription {
        self.encoder.format()
    }

    /// Hands over the next frame in presentation order, and says which it is, counted from 0. The run keeps a
    /// reference to the picture as long as the encoder or the scorer needs it.
    ///
    /// # Errors
    /// [`EncoderError::Settings`] for options that do not fit: the frame was not taken then, and the run goes
    /// on. After any other error the run is of no further use.
    pub fn push(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<u64, EncoderError> {
        self.push_scored_by(picture, picture, pts, duration, options)
    }

    /// Hands over the next frame like [`EncodeRun::push`], and says with which picture its reconstruction is
    /// scored: another one than is encoded where that was scaled before.
    ///
    /// # Errors
    /// Those of [`EncodeRun::push`].
    pub fn push_scored_by(
        &mut self,
        picture: &PixelBuffer,
        reference: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<u64, EncoderError> {
        self.encoder.send(picture, pts, duration, options)?;
        let index = self.pushed();
        let source = self.scoring.is_some().then(|| reference.clone());
        self.inside.push_back(Inside { pts, source, sample: Came::Owed, picture: Picture::Owed });
        Ok(index)
    }

    /// Frames that were pushed.
    pub fn pushed(&self) -> u64 {
        self.first + self.inside.len() as u64
    }

    /// Says that no more frames follow. Repeating it does nothing.
    ///
    /// # Errors
    /// Those of [`Encoder::finish`].
    pub fn finish(&mut self) -> Result<(), EncoderError> {
        self.encoder.finish()
    }

    /// Whether everything is out: [`EncodeRun::finish`] was called, and [`EncodeRun::next`] has given the
    /// last event.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Changes the constant quality of frames that are not coded yet, as [`Encoder::set_quality`] does.
    #[doc(alias = "kVTCompressionPropertyKey_Quality")]
    pub fn set_quality(&mut self, quality: f64) -> bool {
        self.encoder.set_quality(quality)
    }

    /// Changes what can be changed in a running encode, as [`Encoder::reconfigure`] does.
    ///
    /// # Errors
    /// Those of [`Encoder::reconfigure`].
    pub fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        self.encoder.reconfigure(change)
    }

    /// The encoder, for what only its kind can be asked. Frames and samples must go through the run.
    pub fn encoder(&self) -> &E {
        &self.encoder
    }

    /// As [`EncodeRun::encoder`], to change it.
    pub fn encoder_mut(&mut self) -> &mut E {
        &mut self.encoder
    }

    /// Gives the run up, and its encoder back.
    pub fn into_encoder(self) -> E {
        self.encoder
    }

    /// The scorer of the unit that is being scored, for those who steer by it: none before the first picture
    /// of a unit, nor after it has failed.
    pub fn scorer(&self) -> Option<&S> {
        self.scoring.as_ref()?.unit.as_ref()?.scorer.as_deref()
    }

    /// The next event; nothing where the encoder has to have more frames first, and nothing at the end
    /// ([`EncodeRun::is_over`]).
    ///
    /// # Errors
    /// [`RunError`]; the run is of no further use then.
    // It is no iterator, because frames must be pushed between the calls.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<RunEvent<S::Error>>, RunError> {
        loop {
            if let Some(event) = self.following.take().or_else(|| self.next_shown()) {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            match self.encoder.receive()? {
                Output::Frame(frame) => {
                    self.coded(frame.index, frame.sample.is_sync())?;
                    return Ok(Some(RunEvent::Sample(frame)));
                }
                Output::Picture { index, picture } => self.reconstructed(index, picture)?,
                Output::Dropped { index } => {
                    self.dropped(index)?;
                    return Ok(Some(RunEvent::Dropped { index }));
                }
                Output::Pending => return Ok(None),
                Output::End => {
                    self.check_end()?;
                    self.over = true;
                    return Ok(self.scoring.as_mut().and_then(Scoring::end_unit));
                }
            }
        }
    }

    fn frame(&mut self, what: &'static str, index: u64) -> Result<&mut Inside, RunError> {
        let at = index.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.inside.get_mut(at)).ok_or(RunError::NotInside { what, index })
    }

    fn coded(&mut self, index: u64, sync: bool) -> Result<(), RunError> {
        const WHAT: &str = "sample";
        let frame = self.frame(WHAT, index)?;
        if frame.sample != Came::Owed {
            return Err(RunError::NotInside { what: WHAT, index });
        }
        frame.sample = Came::Out { sync };
        self.forget();
        Ok(())
    }

    fn dropped(&mut self, index: u64) -> Result<(), RunError> {
        // a drop comes in the place of the sample
        const WHAT: &str = "sample";
        let frame = self.frame(WHAT, index)?;
        if frame.sample != Came::Owed || !matches!(frame.picture, Picture::Owed) {
            return Err(RunError::NotInside { what: WHAT, index });
        }
        (frame.sample, frame.picture, frame.source) = (Came::Dropped, Picture::Out, None);
        self.forget();
        Ok(())
    }

    fn reconstructed(&mut self, index: u64, picture: PixelBuffer) -> Result<(), RunError> {
        const WHAT: &str = "picture";
        let gives_pictures = self.gives_pictures;
        let frame = self.frame(WHAT, index)?;
        if !gives_pictures || !matches!(frame.picture, Picture::Owed) {
            return Err(RunError::NotInside { what: WHAT, index });
        }
        frame.picture = Picture::Here(picture);
        Ok(())
    }

    /// Forgets the first frames, as far as everything of them is out.
    fn forget(&mut self) {
        let out = |frame: &Inside| {
            frame.sample != Came::Owed && (!self.gives_pictures || matches!(frame.picture, Picture::Out))
        };
        while self.inside.front().is_some_and(out) {
            self.inside.pop_front();
            self.first += 1;
        }
        self.next_picture = self.next_picture.max(self.first);
    }

    /// The next picture in presentation order, if it is here, scored; or a score that comes before it.
    fn next_shown(&mut self) -> Option<RunEvent<S::Error>> {
        let (index, frame) = loop {
            let index = self.next_picture;
            let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
            match self.inside.get_mut(at)? {
                // it was dropped
                Inside { picture: Picture::Out, .. } => self.next_picture += 1,
                Inside { picture: Picture::Owed, .. } => return None,
                // the borrow checker does not let a borrow out of the loop
                Inside { picture: Picture::Here(_), .. } => break (index, &mut self.inside[at]),
            }
        };
        if let Some(scoring) = &mut self.scoring
            && scoring.units == ScoredUnits::BetweenSyncFrames
        {
            let Came::Out { sync } = frame.sample else { return None };
            if sync && let Some(score) = scoring.end_unit() {
                // the frame stays, and begins another unit
                return Some(score);
            }
        }
        let Picture::Here(picture) = std::mem::replace(&mut frame.picture, Picture::Out) else { return None };
        let failed = match (&mut self.scoring, frame.source.take()) {
            (Some(scoring), Some(source)) => scoring.score(frame.pts, &source, &picture),
            _ => None,
        };
        self.next_picture += 1;
        self.forget();
        let picture = RunEvent::Picture { index, picture };
        Some(match failed {
            Some(failed) => {
                self.following = Some(picture);
                failed
            }
            None => picture,
        })
    }

    /// At the end nothing may be missing.
    fn check_end(&self) -> Result<(), RunError> {
        let lost = |what, is_lost: fn(&Inside) -> bool| {
            let at = self.inside.iter().position(is_lost)?;
            Some(RunError::Missing { what, index: self.first + at as u64 })
        };
        let sample = lost("sample", |frame| frame.sample == Came::Owed);
        let picture = || lost("picture", |frame| !matches!(frame.picture, Picture::Out));
        match sample.or_else(|| picture().filter(|_| self.gives_pictures)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl<S: Scorer + ?Sized> Scoring<S> {
    /// Scores a picture in the unit that is open, or opens one. Gives an event where that fails.
    fn score(
        &mut self,
        pts: Time,
        source: &PixelBuffer,
        picture: &PixelBuffer,
    ) -> Option<RunEvent<S::Error>> {
        let (unit, opened) = match (self.unit.take(), &mut self.open) {
            (Some(unit), _) => (unit, Ok(())),
            (None, Some(open)) => match open() {
                Ok(scorer) => (Unit { first: None, scorer: Some(scorer) }, Ok(())),
                Err(error) => (Unit { first: None, scorer: None }, Err(error)),
            },
            (None, None) => return None,
        };
        let unit = self.unit.insert(unit);
        let first = *unit.first.get_or_insert(pts);
        let scored = opened.and_then(|()| match &mut unit.scorer {
            Some(scorer) => scorer.push(source, picture),
            None => Ok(()),
        });
        let error = scored.err()?;
        unit.scorer = None;
        Some(RunEvent::Score { first, score: Err(error) })
    }

    /// Ends the unit that is open. Gives its score, if it has not failed.
    fn end_unit(&mut self) -> Option<RunEvent<S::Error>> {
        let Unit { first, scorer } = self.unit.take()?;
        Some(RunEvent::Score { first: first?, score: scorer?.finish() })
    }
}

impl<E, S: Scorer + ?Sized> fmt::Debug for EncodeRun<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.inside.len();
        f.debug_struct("EncodeRun")
            .field("next_picture", &self.next_picture)
            .field("inside", &inside)
            .finish_non_exhaustive()
    }
}
