//! The session's own thread: it calls the encoder, and the handler with what comes out.

use super::edges::{Edges, End};
use super::guard::{Coarseness, Excess, Held, Sending, excess};
use super::judge::Judge;
use super::key_frames::KeyFrames;
use super::limit::Watch;
use super::passes::Beginning;
use super::pictures::Conversion;
use super::settings::{self, Hints};
use super::state::{Frame, Job, Shared, Ticket};
use super::{Emission, EncodedOutcome, SessionError};
use crate::encoder::{
    EncodedFrame, Encoder, EncoderError, EncoderInfo, EncoderSettings, FrameOptions, Output, RateControl,
    RateLimit, Reconfiguration,
};
use crate::property::{Values, set_value};
use retake_media::{FormatDescription, PixelBuffer, SampleAttachments, SampleBuffer, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The most bytes of pictures that are kept for an encoder's first pass.
const FIRST_PASS_MEMORY: u64 = 256 << 20;

/// What a session calls with every outcome.
pub(super) type Handler<T> = Box<dyn FnMut(EncodedOutcome<T>) + Send>;

pub(super) struct Engine<T> {
    shared: Arc<Shared<T>>,
    handler: Handler<T>,
    running: Option<Running<T>>,
    /// What frames told about those to come, from the first one on.
    hints: Hints,
    /// The description of the last sample: shared by all that have an equal one.
    format: Option<Arc<FormatDescription>>,
    key_frames: KeyFrames,
    watch: Watch,
    /// The time of the session's first frame, which is its first decode time (T-2).
    start: Option<Time>,
    conversion: Conversion,
    /// Frames whose samples did not fit under a limit, with all that came after them: for another encode.
    again: VecDeque<Sending<T>>,
    coarseness: Coarseness,
    /// The next frame begins an encode that may be finer.
    finer: bool,
    /// In a later pass: the quality of the unit that is being encoded again, and what samples before it leave of the limit.
    quality: Option<f64>,
    limit: Option<RateLimit>,
    /// … and how many frames it has, if the encoder may look at all of them first.
    first_pass: Option<u32>,
}

/// An open encode.
struct Running<T> {
    encoder: Box<dyn Encoder>,
    settings: EncoderSettings,
    values: Arc<Values>,
    format: Arc<FormatDescription>,
    /// Frames inside, by their index in this encode.
    inside: BTreeMap<u64, Inside<T>>,
    sent: u64,
    /// In a session of several passes that judges what it encodes.
    judge: Option<Judge>,
    /// Under a limit: what waits until it is known to fit.
    held: Option<Held>,
}

/// What is owed for a frame inside, and under a limit the frame itself.
struct Inside<T> {
    ticket: Ticket<T>,
    kept: Option<Kept>,
}

struct Kept {
    picture: PixelBuffer,
    duration: Time,
    options: FrameOptions,
    values: Arc<Values>,
}

/// The edges of a part, for encoders that do not look at limits there themselves.
fn edges<T>(info: &EncoderInfo, running: &Running<T>, start: Option<Time>) -> Option<Edges> {
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
    let average = settings::average(&running.values);
    Some(Edges { start: start.filter(|_| before), end, average })
}

/// Runs until the session is over. However it ends, everybody who waits is told.
pub(super) fn run<T: Send>(shared: Arc<Shared<T>>, handler: Handler<T>) {
    struct Ending<'a, T>(&'a Shared<T>);
    impl<T> Drop for Ending<'_, T> {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let ending = Ending(&shared);
    shared.begin();
    let mut engine = Engine {
        shared: shared.clone(),
        handler,
        running: None,
        hints: Hints::default(),
        format: None,
        key_frames: KeyFrames::default(),
        watch: Watch::default(),
        start: None,
        conversion: Conversion::default(),
        again: VecDeque::new(),
        coarseness: Coarseness::default(),
        finer: false,
        quality: None,
        limit: None,
        first_pass: None,
    };
    while let Some(job) = shared.next_job() {
        if let Err(error) = engine.work(job) {
            shared.fail(&error);
        }
    }
    engine.give_up();
    drop(ending);
}

impl<T: Send> Engine<T> {
    /// Does one job. An error is the end of the session; what concerns one frame is told to its owner.
    fn work(&mut self, job: Job<T>) -> Result<(), SessionError> {
        match job {
            Job::Open { hints, values, reply } => {
                self.hints = hints;
                let opened = match self.running {
                    Some(_) => Ok(()),
                    None => self.open(&values),
                };
                // the caller may have gone: then the session is over, and nobody is to be told
                let _ = reply.send(opened);
                Ok(())
            }
            Job::Dropped(ticket) => {
                self.tell(ticket, Ok(Emission::Dropped));
                Ok(())
            }
            Job::Drain { until } if self.shared.needs_drain(until) => self.drain(),
            Job::Drain { .. } => Ok(()),
            Job::End { reply } => {
                let ended = self.drain();
                // the caller may have gone: then the session is over, and nobody is to be told
                let _ = reply.send(ended.clone());
                ended
            }
            Job::Frame(frame) => self.frame(*frame),
        }
    }

    fn open(&mut self, values: &Arc<Values>) -> Result<(), SessionError> {
        let mut settings = self.settings(values)?;
        let (usual, limit) = (settings.limit, self.limit.or(settings.limit));
        settings.limit = limit;
        let mut encoder = self.shared.factory.open(&settings)?;
        let mut described = settings::described(values, encoder.format());
        if limit != usual && self.format.as_ref().is_some_and(|format| **format != described) {
            // a level that follows from the limit, for one
            settings.limit = usual;
            encoder = self.shared.factory.open(&settings)?;
            described = settings::described(values, encoder.format());
        }
        let format = match &self.format {
            Some(format) if **format == described => format.clone(),
            // MP-20: samples of all passes are decoded with one description
            Some(_) if self.quality.is_some() => {
                let reason = "the headers of a unit encoded again differ from those of the first pass";
                return Err(SessionError::Malfunction(reason.to_owned()));
            }
            _ => Arc::new(described),
        };
        let judged = settings::judged(&self.shared.environment(), values).filter(|_| settings.reconstruct);
        let splits = self.quality.is_none();
        let judge = judged.map(|judged| Judge::new(judged.metric.to_owned(), settings.clone(), splits));
        self.format = Some(format.clone());
        let limited = set_value!(values, DataRateLimits).is_some_and(|limits| !limits.is_empty());
        // in a later pass, encoders that know the limit are told what is left of it
        let told = self.quality.is_some() && self.shared.info().controls.rate_limit;
        let guarded = limited && !settings.controls.base_qp && !told;
        self.running = Some(Running {
            encoder,
            settings,
            values: values.clone(),
            format,
            inside: BTreeMap::new(),
            sent: 0,
            judge,
            held: guarded.then(Held::default),
        });
        Ok(())
    }

    /// What an encode with these values is determined by.
    fn settings(&self, values: &Values) -> Result<EncoderSettings, SessionError> {
        let mut settings = settings::derive(&self.shared.environment(), values, &self.hints)?;
        if let Some(quality) = self.quality {
            settings.rate = RateControl::Quality(quality);
            settings.controls.quality_ceiling = None;
            // a buffer at constant quality is what encoders have that know limits
            settings.controls.buffer =
                settings.controls.buffer.filter(|_| self.shared.info().controls.rate_limit);
            settings.controls.first_pass = self.first_pass(values, &settings);
        }
        self.coarseness.apply(self.shared.info(), &mut settings);
        Ok(settings)
    }

    /// A unit that is encoded again is there as a whole: an encoder that gives bits better for that may look at all of it. Not under a limit, where
    /// what comes out decides how the rest is encoded, and not where frames of others would have to wait for too much memory.
    fn first_pass(&self, values: &Values, settings: &EncoderSettings) -> Option<u32> {
        let limited = set_value!(values, DataRateLimits).is_some_and(|limits| !limits.is_empty());
        let picture = settings.format.picture_bytes(settings.width, settings.height);
        let fits = |frames: &u32| u64::from(*frames).saturating_mul(picture) <= FIRST_PASS_MEMORY;
        self.first_pass.filter(fits).filter(|_| self.shared.info().controls.first_pass && !limited)
    }

    fn frame(&mut self, frame: Frame<T>) -> Result<(), SessionError> {
        let Frame { ticket, picture, duration, options, values, start } = frame;
        self.start.get_or_insert(ticket.pts);
        if start.is_some() {
            if self.running.as_ref().is_some_and(|running| running.sent > 0) {
                self.drain()?;
            }
            // only now is known what everything before it took
            let Beginning { quality, frames, before } = self.shared.beginning(ticket.pts);
            let first_pass = quality.and_then(|_| u32::try_from(frames).ok()).filter(|frames| *frames > 0);
            if (quality, first_pass) != (self.quality, self.first_pass) {
                self.running = None;
            }
            (self.quality, self.first_pass) = (quality, first_pass);
            let usual = settings::rate(&self.shared.environment(), &values).1;
            self.limit = usual.filter(|_| quality.is_some()).map(|limit| limit.behind(&before, ticket.pts));
            self.watch = Watch::of(before);
            (self.coarseness, self.finer) = (Coarseness::default(), false);
        }
        if let Err(error) = self.make_ready(&picture, &options, &values, (ticket.pts, duration)) {
            self.tell(ticket, Err(error.clone()));
            return Err(error);
        }
        let Some(running) = &mut self.running else {
            return Err(SessionError::Malfunction("no encode is open".to_owned()));
        };
        let interval = running.settings.max_key_frame_interval;
        let sync = options.force_key_frame
            || running.sent == 0
            || self.key_frames.due(&values, interval, ticket.pts);
        let options_of_transfer = set_value!(values, PixelTransferProperties).copied().unwrap_or_default();
        let maker = self.shared.transfer.as_ref();
        let picture = match self.conversion.fit(maker, &running.settings, &options_of_transfer, &picture) {
            Ok(picture) => picture,
            Err(error) => {
                self.tell(ticket, Err(error));
                return Ok(());
            }
        };
        let pts = ticket.pts;
        let options = FrameOptions { force_key_frame: sync, ..options };
        if self.send(Sending { ticket, picture, duration, options, values })? {
            self.key_frames.sent(pts, sync);
        }
        self.feed()
    }

    /// Gives a frame to the open encode. False if it was not taken; its owner knows then, and the encode goes on.
    fn send(&mut self, frame: Sending<T>) -> Result<bool, SessionError> {
        let Some(running) = &mut self.running else { return Ok(false) };
        let Sending { ticket, picture, duration, options, values } = frame;
        let (index, pts) = (running.sent, ticket.pts);
        let kept = running.held.is_some().then(|| Kept {
            picture: picture.clone(),
            duration,
            options: options.clone(),
            values,
        });
        running.inside.insert(index, Inside { ticket, kept });
        // redundant on the first frame, which is a sync frame anyway
        if let Some(judge) = &mut running.judge {
            judge.sent(index, pts, picture.clone());
        }
        let options = FrameOptions { force_key_frame: options.force_key_frame && index > 0, ..options };
        match running.encoder.send(&picture, pts, duration, options) {
            Ok(()) => {
                running.sent += 1;
                Ok(true)
            }
            Err(error @ EncoderError::Settings { .. }) => {
                let inside = running.inside.remove(&index);
                if let Some(judge) = &mut running.judge {
                    judge.refused(index);
                }
                if let Some(inside) = inside {
                    self.tell(inside.ticket, Err(error.into()));
                }
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Hands out what is ready, and sends what was called back, until nothing is.
    fn feed(&mut self) -> Result<(), SessionError> {
        loop {
            self.collect()?;
            if self.shared.is_invalid() {
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
            self.send(next)?;
        }
    }

    /// Sees to it that an encode is open which encodes with these values, and can do with this frame what is wanted.
    fn make_ready(
        &mut self,
        picture: &PixelBuffer,
        options: &FrameOptions,
        values: &Arc<Values>,
        (pts, duration): (Time, Time),
    ) -> Result<(), SessionError> {
        if options.base_qp.is_some() && !self.hints.base_qp {
            // an encode that was opened without knowing has had no frame: the first frame decides
            self.hints.base_qp = true;
            self.running = None;
        }
        if !self.hints.from_frame {
            // an encode that was opened before any frame came: what the first says about itself may decide otherwise
            self.hints = Hints::of(picture, duration, self.hints.base_qp);
            let settings = settings::derive(&self.shared.environment(), values, &self.hints)?;
            if self.running.as_ref().is_some_and(|running| running.settings != settings) {
                self.running = None;
            }
        }
        if let Some(running) = &self.running
            && !Arc::ptr_eq(&running.values, values)
            && !self.adapt(values)?
        {
            self.drain()?;
        }
        if let Some(running) = &self.running {
            let controls = &self.shared.info().controls;
            let at_rate = !matches!(running.settings.rate, RateControl::Quality(_) | RateControl::Lossless);
            let forced = (controls.forced_at_rate || !at_rate)
                && (controls.forced_within_delay || running.settings.controls.max_delay.is_none());
            let due = options.force_key_frame
                || self.key_frames.due(values, running.settings.max_key_frame_interval, pts);
            // where a key frame cannot be forced, a new encode begins with one
            if due && running.sent > 0 && !forced {
                self.drain()?;
            }
        }
        if std::mem::take(&mut self.finer) {
            self.drain()?;
        }
        if self.running.is_none() {
            self.open(values)?;
        }
        Ok(())
    }

    /// Makes a running encode obey other values. False where that takes a new encode.
    fn adapt(&mut self, values: &Arc<Values>) -> Result<bool, SessionError> {
        let new = self.settings(values)?;
        let controls = &self.shared.info().controls;
        let Some(running) = &mut self.running else { return Ok(true) };
        let old = &running.settings;
        let mut change = Reconfiguration::default();
        if new.rate != old.rate {
            change.rate = Some(new.rate);
        }
        if new.limit != old.limit {
            change.limit = new.limit;
        }
        if new.controls.min_qp != old.controls.min_qp {
            change.min_qp = new.controls.min_qp;
        }
        if new.controls.max_qp != old.controls.max_qp {
            change.max_qp = new.controls.max_qp;
        }
        if new.frame_rate != old.frame_rate {
            change.frame_rate = Some(new.frame_rate);
        }
        // the same but for what can be said in a change: a preset, for one, stays what it was when the encode began
        let same = EncoderSettings {
            rate: new.rate,
            limit: new.limit,
            frame_rate: new.frame_rate,
            max_key_frame_interval: new.max_key_frame_interval,
            preset: new.preset.clone(),
            threads: new.threads,
            controls: crate::encoder::Controls {
                min_qp: new.controls.min_qp,
                max_qp: new.controls.max_qp,
                frame_count: new.controls.frame_count,
                ..old.controls.clone()
            },
            ..old.clone()
        } == new;
        let gone = (old.limit.is_some() != new.limit.is_some())
            || (old.controls.min_qp.is_some() && new.controls.min_qp.is_none())
            || (old.controls.max_qp.is_some() && new.controls.max_qp.is_none())
            || std::mem::discriminant(&old.rate) != std::mem::discriminant(&new.rate);
        if change == Reconfiguration::default() && same {
            running.values = values.clone();
            return Ok(true);
        }
        let rates = change.rate.is_some() || change.limit.is_some() || change.frame_rate.is_some();
        let bounds = change.min_qp.is_some() || change.max_qp.is_some();
        if !same || gone || (rates && !controls.live_rate) || (bounds && !controls.live_qp_bounds) {
            return Ok(false);
        }
        if !running.encoder.reconfigure(&change)? {
            return Ok(false);
        }
        let interval = running.settings.max_key_frame_interval;
        running.settings = EncoderSettings { max_key_frame_interval: interval, ..new };
        running.values = values.clone();
        Ok(true)
    }

    /// Puts out everything; the next frame begins a new encode.
    fn drain(&mut self) -> Result<(), SessionError> {
        while let Some(running) = &mut self.running {
            running.encoder.finish()?;
            while self.running.is_some() {
                if self.shared.is_invalid() {
                    return Ok(());
                }
                if self.collect()? {
                    self.over();
                }
            }
            // what was called back on the way goes into another encode, which is to be emptied as well
            self.feed()?;
        }
        Ok(())
    }

    /// The open encode is over: what it was judged is known.
    fn over(&mut self) -> Option<Running<T>> {
        let mut running = self.running.take()?;
        if let Some((first, score)) = running.judge.as_mut().and_then(Judge::finish) {
            self.shared.scored(first, score);
        }
        Some(running)
    }

    /// Hands out what is ready. True at the end of the encode.
    fn collect(&mut self) -> Result<bool, SessionError> {
        while let Some(running) = &mut self.running {
            if self.shared.is_invalid() {
                break;
            }
            match running.encoder.receive()? {
                Output::Frame(frame) => self.sample(frame)?,
                Output::Picture { index, picture } => {
                    if let Some(judge) = &mut running.judge {
                        judge.seen(index, picture);
                        self.judge();
                    }
                }
                Output::Dropped { index } => {
                    if let Some(judge) = &mut running.judge {
                        judge.refused(index);
                    }
                    if let Some(inside) = running.inside.remove(&index) {
                        self.tell(inside.ticket, Ok(Emission::Dropped));
                    }
                }
                Output::Pending => return Ok(false),
                Output::End => return Ok(true),
            }
        }
        Ok(false)
    }

    fn sample(&mut self, frame: EncodedFrame) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(held) = &mut running.held else { return self.hand_out(frame) };
        let ready = held.add(frame);
        let limits = set_value!(running.values, DataRateLimits).map_or(&[][..], Vec::as_slice);
        let share = self.coarseness.share(self.shared.info(), running.settings.rate);
        // MP-26: in passes a frame is out in any case; a later pass has to make room for it
        let kept =
            self.coarseness.is_at_end(self.shared.info(), &running.settings) && self.shared.has_passes();
        let edges = edges(self.shared.info(), running, self.start);
        match excess(&self.watch, limits, edges.as_ref(), &ready, share) {
            Some(excess) if !kept => self.call_back(excess),
            _ => ready.into_iter().try_for_each(|frame| self.hand_out(frame)),
        }
    }

    /// Gives up the open encode: its frames that are not out go into another one, which is coarser.
    fn call_back(&mut self, excess: Excess) -> Result<(), SessionError> {
        let Some(running) = self.over() else { return Ok(()) };
        for (_, Inside { ticket, kept }) in running.inside.into_iter().rev() {
            match kept {
                Some(Kept { picture, duration, options, values }) => {
                    self.again.push_front(Sending { ticket, picture, duration, options, values });
                }
                None => {
                    let reason = "a frame that has to be encoded again was not kept";
                    self.tell(ticket, Err(SessionError::Malfunction(reason.to_owned())));
                }
            }
        }
        let first = self.again.front().map_or(Time::INVALID, |frame| frame.ticket.pts);
        // nothing coarser is left: the frame has no room
        if !self.coarseness.raise(self.shared.info(), &running.settings, excess, first)
            && let Some(frame) = self.again.pop_front()
        {
            self.tell(frame.ticket, Ok(Emission::Dropped));
        }
        self.key_frames
            .again(self.again.iter().map(|frame| (frame.ticket.pts, frame.options.force_key_frame)));
        Ok(())
    }

    fn hand_out(&mut self, frame: EncodedFrame) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(Inside { ticket, .. }) = running.inside.remove(&frame.index) else {
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
        if let Some(judge) = &mut running.judge {
            judge.coded(frame.index, frame.sample.is_sync());
        }
        self.shared.emitted(&frame.sample, frame.qp);
        let buffer = SampleBuffer { sample: frame.sample, format: running.format.clone(), attachments };
        self.tell(ticket, Ok(Emission::Sample { buffer, qp: frame.qp }));
        self.judge();
        let Some(running) = &self.running else { return Ok(()) };
        if let Some(limits) = set_value!(running.values, DataRateLimits) {
            let edges = edges(self.shared.info(), running, self.start);
            let fullest = self.watch.note(limits, edges.as_ref(), dts, bytes);
            self.finer |= self.coarseness.may_end(limits, fullest, dts);
        }
        Ok(())
    }

    /// Scores what can be scored.
    fn judge(&mut self) {
        let judge = self.running.as_mut().and_then(|running| running.judge.as_mut());
        let (Some(judge), Some(scorers)) = (judge, &self.shared.scorers) else { return };
        while let Some((first, score)) = judge.score(&**scorers) {
            self.shared.scored(first, score);
        }
    }

    fn tell(&mut self, ticket: Ticket<T>, result: Result<Emission, SessionError>) {
        let Ticket { number, pts, token } = ticket;
        (self.handler)(EncodedOutcome { token, pts, result });
        self.shared.is_out(number);
    }

    /// The session is over: every frame that is still here gets its one outcome (resolution 14), in the order in which they came.
    fn give_up(&mut self) {
        let (error, jobs) = self.shared.rest();
        let inside = self.running.take().map(|running| running.inside).unwrap_or_default();
        let again = std::mem::take(&mut self.again);
        let tickets = inside.into_values().map(|inside| inside.ticket);
        for ticket in tickets.chain(again.into_iter().map(|frame| frame.ticket)) {
            self.tell(ticket, Err(error.clone()));
        }
        for job in jobs {
            match job {
                Job::Frame(frame) => self.tell(frame.ticket, Err(error.clone())),
                Job::Dropped(ticket) => self.tell(ticket, Ok(Emission::Dropped)),
                Job::Open { .. } | Job::Drain { .. } | Job::End { .. } => {}
            }
        }
    }
}
