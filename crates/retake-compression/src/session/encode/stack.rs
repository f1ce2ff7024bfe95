//! The open encode, and everything that stands between it and the core.

use super::conversion::Conversion;
use super::key_frames::KeyFrames;
use super::scorer::{UnitScorer, Units};
use crate::encoder::{
    EncodedFrame, Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings, FrameOptions, Output,
    RateControl, RateLimit, TransferMaker,
};
use crate::property::{Values, set_value};
use crate::scorer::SharedScorers;
use crate::session::SessionError;
use crate::session::core::{Command, QueuedFrame, Report};
use crate::session::derive::{self, Change, Hints, UnitStart};
use crate::session::edges::{Edges, End};
use crate::session::guard::{Coarseness, Excess, Held, Sending, excess};
use crate::session::limit::Watch;
use crate::session::setup::Setup;
use retake_media::{FormatDescription, PixelBuffer, SampleAttachments, SampleBuffer, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Who is told what comes of commands.
pub(in crate::session) trait Listener {
    /// Takes a report. It may take long, because the client's handler is called with outcomes.
    fn report(&mut self, report: Report);

    /// Whether the session is over, so that what is inside the encoder is of no use to anybody.
    fn is_over(&self) -> bool;
}

/// What a stack is made of.
pub(in crate::session) struct StackParts {
    pub(in crate::session) setup: Arc<Setup>,
    pub(in crate::session) factory: Arc<dyn EncoderFactory>,
    pub(in crate::session) transfer: Option<TransferMaker>,
    pub(in crate::session) scorers: Option<SharedScorers>,
}

pub(in crate::session) struct Stack {
    parts: StackParts,
    running: Option<Running>,
    /// What frames told about those to come, from the first one on.
    hints: Hints,
    /// The description of the last sample: shared by all that have an equal one.
    format: Option<Arc<FormatDescription>>,
    key_frames: KeyFrames,
    conversion: Conversion,
    /// In a session of several passes: the unit that is being encoded.
    unit: UnitStart,
    watch: Watch,
    /// The time of the session's first frame, which is its first decode time (T-2).
    start: Option<Time>,
    /// Frames whose samples did not fit under a limit, with all that came after them: for another encode.
    again: VecDeque<Sending>,
    coarseness: Coarseness,
    /// The next frame begins an encode that may be finer.
    finer: bool,
    /// In a later pass: what samples before the unit leave of the limit.
    limit: Option<RateLimit>,
}

/// An open encode.
struct Running {
    encoder: Box<dyn Encoder>,
    settings: EncoderSettings,
    values: Arc<Values>,
    format: Arc<FormatDescription>,
    /// Frames inside, by their index in this encode.
    inside: BTreeMap<u64, Inside>,
    sent: u64,
    /// In a session of several passes that scores what it encodes.
    scorer: Option<UnitScorer>,
    /// Under a limit: what waits until it is known to fit.
    held: Option<Held>,
}

/// A frame inside, and under a limit the frame itself.
struct Inside {
    number: u64,
    pts: Time,
    kept: Option<Kept>,
}

struct Kept {
    picture: PixelBuffer,
    duration: Time,
    options: FrameOptions,
    values: Arc<Values>,
}

/// The edges of a part, for encoders that do not look at limits there themselves.
fn edges(info: &EncoderInfo, running: &Running, start: Option<Time>) -> Option<Edges> {
    let flag = |value: Option<&bool>| value == Some(&true);
    let before = flag(set_value!(running.values, MoreFramesBeforeStart));
    let after = flag(set_value!(running.values, MoreFramesAfterEnd));
    if info.controls.rate_limit || !(before || after) {
        return None;
    }
    let length = match (set_value!(running.values, ExpectedDuration), running.settings.controls.frame_count) {
        (Some(&seconds), _) if seconds > 0.0 => Some(seconds),
        (_, 0) => None,
        (_, frames) => Some(frames as f64 / running.settings.frame_rate.to_f64()),
    };
    let end = match length.zip(start) {
        _ if !after => End::Free,
        Some((seconds, start)) => End::At(start.add(Time::from_seconds(seconds, 90_000))),
        None => End::Unknown,
    };
    let average = derive::average(&running.values);
    Some(Edges { start: start.filter(|_| before), end, average })
}

impl Stack {
    pub(in crate::session) fn new(parts: StackParts) -> Self {
        Self {
            parts,
            running: None,
            hints: Hints::default(),
            format: None,
            key_frames: KeyFrames::default(),
            conversion: Conversion::default(),
            unit: UnitStart::default(),
            watch: Watch::default(),
            start: None,
            again: VecDeque::new(),
            coarseness: Coarseness::default(),
            finer: false,
            limit: None,
        }
    }

    fn info(&self) -> &EncoderInfo {
        &self.parts.setup.info
    }

    /// Does a command, and reports what comes of it. An error is the end of the session; what concerns one
    /// frame alone is reported.
    pub(in crate::session) fn work(
        &mut self,
        command: Command,
        listener: &mut dyn Listener,
    ) -> Result<(), SessionError> {
        match command {
            Command::Open { request, hints, values } => {
                self.hints = *hints;
                let result = match self.running {
                    Some(_) => Ok(()),
                    None => self.open(&values),
                };
                listener.report(Report::Opened { request, result });
                Ok(())
            }
            Command::BeginUnit { start, pts, values } => {
                self.begin_unit(start, pts, &values);
                Ok(())
            }
            Command::Encode(frame) => self.frame(*frame, listener),
            Command::Skip(number) => {
                listener.report(Report::Dropped(number));
                Ok(())
            }
            Command::Drain => {
                self.drain(listener)?;
                listener.report(Report::Ended);
                Ok(())
            }
        }
    }

    fn open(&mut self, values: &Arc<Values>) -> Result<(), SessionError> {
        let mut settings = self.settings(values)?;
        let (usual, limit) = (settings.limit, self.limit.or(settings.limit));
        settings.limit = limit;
        let mut encoder = self.parts.factory.open(&settings)?;
        let mut described = derive::described(values, encoder.format());
        if limit != usual && self.format.as_ref().is_some_and(|format| **format != described) {
            // a level that follows from the limit, for one
            settings.limit = usual;
            encoder = self.parts.factory.open(&settings)?;
            described = derive::described(values, encoder.format());
        }
        let again = self.unit.quality.is_some();
        let format = match &self.format {
            Some(format) if **format == described => format.clone(),
            // MP-20: samples of all passes are decoded with one description
            Some(_) if again => {
                let reason = "the headers of a unit encoded again differ from those of the first pass";
                return Err(SessionError::Malfunction(reason.to_owned()));
            }
            _ => Arc::new(described),
        };
        let environment = self.parts.setup.environment();
        let scoring = derive::scoring(&environment, values).filter(|_| settings.reconstruct);
        let units = if again { Units::One } else { Units::BySync };
        let scorer =
            scoring.map(|scoring| UnitScorer::new(scoring.metric.to_owned(), settings.clone(), units));
        self.format = Some(format.clone());
        // in a later pass, encoders that know the limit are told what is left of it
        let told = again && self.info().controls.rate_limit;
        let guarded = derive::is_limited(values) && !settings.controls.base_qp && !told;
        self.running = Some(Running {
            encoder,
            settings,
            values: values.clone(),
            format,
            inside: BTreeMap::new(),
            sent: 0,
            scorer,
            held: guarded.then(Held::default),
        });
        Ok(())
    }

    /// What an encode with these values is determined by.
    fn settings(&self, values: &Values) -> Result<EncoderSettings, SessionError> {
        let settings = derive::settings(&self.parts.setup.environment(), values, &self.hints)?;
        let mut settings = derive::unit_settings(self.info(), values, settings, &self.unit);
        self.coarseness.apply(self.info(), &mut settings);
        Ok(settings)
    }

    /// Everything before the unit is out.
    fn begin_unit(&mut self, start: UnitStart, pts: Time, values: &Values) {
        if !start.opens_like(&self.unit) {
            self.running = None;
        }
        let usual = derive::rate(&self.parts.setup.environment(), values).1;
        let again = start.quality.is_some();
        self.limit = usual.filter(|_| again).map(|limit| limit.behind(&start.before, pts));
        self.watch = Watch::of(start.before.iter().copied());
        (self.coarseness, self.finer) = (Coarseness::default(), false);
        self.unit = start;
    }

    fn frame(&mut self, frame: QueuedFrame, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let QueuedFrame { number, picture, pts, duration, options, values, .. } = frame;
        self.start.get_or_insert(pts);
        if let Err(error) = self.make_ready(&picture, &options, &values, (pts, duration), listener) {
            listener.report(Report::Refused { number, error: error.clone() });
            return Err(error);
        }
        let Some(running) = &mut self.running else {
            return Err(SessionError::Malfunction("no encode is open".to_owned()));
        };
        let interval = running.settings.max_key_frame_interval;
        let sync =
            options.force_key_frame || running.sent == 0 || self.key_frames.due(&values, interval, pts);
        let options_of_transfer = set_value!(values, PixelTransferProperties).copied().unwrap_or_default();
        let maker = self.parts.transfer.as_ref();
        let picture = match self.conversion.fit(maker, &running.settings, &options_of_transfer, &picture) {
            Ok(picture) => picture,
            Err(error) => {
                listener.report(Report::Refused { number, error });
                return Ok(());
            }
        };
        let options = FrameOptions { force_key_frame: sync, ..options };
        if self.send(Sending { number, pts, picture, duration, options, values }, listener)? {
            self.key_frames.sent(pts, sync);
        }
        self.feed(listener)
    }

    /// Gives a frame to the open encode. False if it was not taken; that was reported then, and the encode
    /// goes on.
    fn send(&mut self, frame: Sending, listener: &mut dyn Listener) -> Result<bool, SessionError> {
        let Some(running) = &mut self.running else { return Ok(false) };
        let Sending { number, pts, picture, duration, options, values } = frame;
        let index = running.sent;
        let kept = running.held.is_some().then(|| Kept {
            picture: picture.clone(),
            duration,
            options: options.clone(),
            values,
        });
        running.inside.insert(index, Inside { number, pts, kept });
        if let Some(scorer) = &mut running.scorer {
            scorer.sent(index, pts, picture.clone());
        }
        // redundant on the first frame, which is a sync frame anyway
        let options = FrameOptions { force_key_frame: options.force_key_frame && index > 0, ..options };
        match running.encoder.send(&picture, pts, duration, options) {
            Ok(()) => {
                running.sent += 1;
                Ok(true)
            }
            Err(error @ EncoderError::Settings { .. }) => {
                running.inside.remove(&index);
                if let Some(scorer) = &mut running.scorer {
                    scorer.refused(index);
                }
                listener.report(Report::Refused { number, error: error.into() });
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Hands out what is ready, and sends what was called back, until nothing is.
    fn feed(&mut self, listener: &mut dyn Listener) -> Result<(), SessionError> {
        loop {
            self.collect(listener)?;
            if listener.is_over() {
                return Ok(());
            }
            let Some(next) = self.again.pop_front() else { return Ok(()) };
            if self.running.is_none() {
                let values = next.values.clone();
                if let Err(error) = self.open(&values) {
                    self.again.push_front(next);
                    return Err(error);
                }
            }
            self.send(next, listener)?;
        }
    }

    /// Sees to it that an encode is open which encodes with these values, and can do with this frame what is
    /// wanted.
    fn make_ready(
        &mut self,
        picture: &PixelBuffer,
        options: &FrameOptions,
        values: &Arc<Values>,
        (pts, duration): (Time, Time),
        listener: &mut dyn Listener,
    ) -> Result<(), SessionError> {
        if options.base_qp.is_some() && !self.hints.base_qp {
            // an encode that was opened without knowing has had no frame: the first frame decides
            self.hints.base_qp = true;
            self.running = None;
        }
        if !self.hints.from_frame {
            // an encode that was opened before any frame came: what the first says about itself may decide
            // otherwise
            self.hints = Hints::of(picture, duration, self.hints.base_qp);
            let settings = derive::settings(&self.parts.setup.environment(), values, &self.hints)?;
            if self.running.as_ref().is_some_and(|running| running.settings != settings) {
                self.running = None;
            }
        }
        if let Some(running) = &self.running
            && !Arc::ptr_eq(&running.values, values)
            && !self.adapt(values)?
        {
            self.drain(listener)?;
        }
        if let Some(running) = &self.running {
            let controls = &self.info().controls;
            let at_rate = !matches!(running.settings.rate, RateControl::Quality(_) | RateControl::Lossless);
            let forced = (controls.forced_at_rate || !at_rate)
                && (controls.forced_within_delay || running.settings.controls.max_delay.is_none());
            let due = options.force_key_frame
                || self.key_frames.due(values, running.settings.max_key_frame_interval, pts);
            // where a key frame cannot be forced, a new encode begins with one
            if due && running.sent > 0 && !forced {
                self.drain(listener)?;
            }
        }
        if std::mem::take(&mut self.finer) {
            self.drain(listener)?;
        }
        if self.running.is_none() {
            self.open(values)?;
        }
        Ok(())
    }

    /// Makes a running encode obey other values. False where that takes a new encode.
    fn adapt(&mut self, values: &Arc<Values>) -> Result<bool, SessionError> {
        let new = self.settings(values)?;
        let Some(running) = &mut self.running else { return Ok(true) };
        match running.settings.change_to(&new) {
            Change::None => {}
            Change::Reopen => return Ok(false),
            Change::Live(change) => {
                if !self.parts.setup.info.controls.takes(&change) || !running.encoder.reconfigure(&change)? {
                    return Ok(false);
                }
                // the interval is still what the encoder was opened with
                let interval = running.settings.max_key_frame_interval;
                running.settings = EncoderSettings { max_key_frame_interval: interval, ..new };
            }
        }
        running.values = values.clone();
        Ok(true)
    }

    /// Puts out everything; the next frame begins a new encode.
    fn drain(&mut self, listener: &mut dyn Listener) -> Result<(), SessionError> {
        while let Some(running) = &mut self.running {
            running.encoder.finish()?;
            while self.running.is_some() {
                if listener.is_over() {
                    return Ok(());
                }
                if self.collect(listener)? {
                    self.over(listener);
                }
            }
            // what was called back on the way goes into another encode, which is to be emptied as well
            self.feed(listener)?;
        }
        Ok(())
    }

    /// The open encode is over: its last score is known.
    fn over(&mut self, listener: &mut dyn Listener) -> Option<Running> {
        let mut running = self.running.take()?;
        if let Some((first, score)) = running.scorer.as_mut().and_then(UnitScorer::finish) {
            listener.report(Report::Score { first, score });
        }
        Some(running)
    }

    /// Hands out what is ready. True at the end of the encode.
    fn collect(&mut self, listener: &mut dyn Listener) -> Result<bool, SessionError> {
        while let Some(running) = &mut self.running {
            if listener.is_over() {
                break;
            }
            match running.encoder.receive()? {
                Output::Frame(frame) => self.sample(frame, listener)?,
                Output::Picture { index, picture } => {
                    if let Some(scorer) = &mut running.scorer {
                        scorer.seen(index, picture);
                        self.score(listener);
                    }
                }
                Output::Dropped { index } => {
                    if let Some(scorer) = &mut running.scorer {
                        scorer.refused(index);
                    }
                    if let Some(inside) = running.inside.remove(&index) {
                        listener.report(Report::Dropped(inside.number));
                    }
                }
                Output::Pending => return Ok(false),
                Output::End => return Ok(true),
            }
        }
        Ok(false)
    }

    fn sample(&mut self, frame: EncodedFrame, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(held) = &mut running.held else { return self.hand_out(frame, listener) };
        let ready = held.add(frame);
        let limits = set_value!(running.values, DataRateLimits).map_or(&[][..], Vec::as_slice);
        let info = &self.parts.setup.info;
        let share = self.coarseness.share(info, running.settings.rate);
        // MP-26: in passes a frame is out in any case; a later pass has to make room for it
        let passes = running.values.has(crate::property::PropertyKey::MultiPassStorage);
        let kept = self.coarseness.is_at_end(info, &running.settings) && passes;
        let edges = edges(info, running, self.start);
        match excess(&self.watch, limits, edges.as_ref(), &ready, share) {
            Some(excess) if !kept => self.call_back(excess, listener),
            _ => ready.into_iter().try_for_each(|frame| self.hand_out(frame, listener)),
        }
    }

    /// Gives up the open encode: its frames that are not out go into another one, which is coarser.
    fn call_back(&mut self, excess: Excess, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let Some(running) = self.over(listener) else { return Ok(()) };
        for (_, Inside { number, pts, kept }) in running.inside.into_iter().rev() {
            match kept {
                Some(Kept { picture, duration, options, values }) => {
                    self.again.push_front(Sending { number, pts, picture, duration, options, values });
                }
                None => {
                    let reason = "a frame that has to be encoded again was not kept";
                    let error = SessionError::Malfunction(reason.to_owned());
                    listener.report(Report::Refused { number, error });
                }
            }
        }
        let first = self.again.front().map_or(Time::INVALID, |frame| frame.pts);
        // nothing coarser is left: the frame has no room
        if !self.coarseness.raise(&self.parts.setup.info, &running.settings, excess, first)
            && let Some(frame) = self.again.pop_front()
        {
            listener.report(Report::Dropped(frame.number));
        }
        self.key_frames.again(self.again.iter().map(|frame| (frame.pts, frame.options.force_key_frame)));
        Ok(())
    }

    fn hand_out(&mut self, frame: EncodedFrame, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(Inside { number, .. }) = running.inside.remove(&frame.index) else {
            let reason = format!("the encoder gave frame {}, which is not inside", frame.index);
            return Err(SessionError::Malfunction(reason));
        };
        let errors = frame.error.map(|error| [error.luma, error.blue, error.red]);
        let attachments = SampleAttachments {
            temporal_layer: frame.layer,
            long_term_reference: frame.token,
            mean_squared_errors: errors.into_iter().collect(),
            ..SampleAttachments::default()
        };
        let (dts, bytes) = (frame.sample.dts, frame.sample.data.len() as u64);
        if let Some(scorer) = &mut running.scorer {
            scorer.coded(frame.index, frame.sample.is_sync());
        }
        let buffer = SampleBuffer { sample: frame.sample, format: running.format.clone(), attachments };
        listener.report(Report::Sample { number, buffer: Box::new(buffer), qp: frame.qp });
        self.score(listener);
        let Some(running) = &self.running else { return Ok(()) };
        if let Some(limits) = set_value!(running.values, DataRateLimits) {
            let edges = edges(&self.parts.setup.info, running, self.start);
            let fullest = self.watch.note(limits, edges.as_ref(), dts, bytes);
            self.finer |= self.coarseness.may_end(limits, fullest, dts);
        }
        Ok(())
    }

    /// Scores what can be scored.
    fn score(&mut self, listener: &mut dyn Listener) {
        let scorer = self.running.as_mut().and_then(|running| running.scorer.as_mut());
        let (Some(scorer), Some(scorers)) = (scorer, &self.parts.scorers) else { return };
        while let Some((first, score)) = scorer.score(&**scorers) {
            listener.report(Report::Score { first, score });
        }
    }
}
