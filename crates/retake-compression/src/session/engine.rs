//! The session's own thread: it calls the encoder, and the handler with what comes out.

use super::judge::Judge;
use super::key_frames::KeyFrames;
use super::limit::Watch;
use super::passes::Beginning;
use super::pictures::Conversion;
use super::settings::{self, Hints};
use super::state::{Frame, Job, Shared, Ticket};
use super::{Emission, EncodedOutcome, SessionError};
use crate::encoder::{
    EncodedFrame, Encoder, EncoderError, EncoderSettings, FrameOptions, Output, RateControl, RateLimit,
    Reconfiguration,
};
use crate::property::{Values, set_value};
use retake_media::{FormatDescription, PixelBuffer, SampleAttachments, SampleBuffer, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a session calls with every outcome.
pub(super) type Handler<T> = Box<dyn FnMut(EncodedOutcome<T>) + Send>;

/// A window of a data rate limit that is fuller than this makes frames coarser, emptier than that finer again.
const TIGHT: (f64, f64) = (0.9, 0.75);

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
    conversion: Conversion,
    /// By how much the smallest quantizer is raised, because a window is nearly full.
    raised: u32,
    /// In a later pass: the quality of the unit that is being encoded again, and what samples before it leave of the limit.
    quality: Option<f64>,
    limit: Option<RateLimit>,
}

/// An open encode.
struct Running<T> {
    encoder: Box<dyn Encoder>,
    settings: EncoderSettings,
    values: Arc<Values>,
    format: Arc<FormatDescription>,
    /// Frames inside, by their index in this encode.
    inside: BTreeMap<u64, Ticket<T>>,
    sent: u64,
    /// In a session of several passes that judges what it encodes.
    judge: Option<Judge>,
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
        conversion: Conversion::default(),
        raised: 0,
        quality: None,
        limit: None,
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
            Job::Frame(frame) => self.frame(*frame),
        }
    }

    fn open(&mut self, values: &Arc<Values>) -> Result<(), SessionError> {
        let mut settings = self.settings(values)?;
        let (usual, limit) = (settings.limit, self.limit.or(settings.limit));
        settings.limit = limit;
        let mut encoder = self.shared.factory.open(&settings)?;
        if limit != usual && self.format.as_ref().is_some_and(|format| **format != *encoder.format()) {
            // a level that follows from the limit, for one
            settings.limit = usual;
            encoder = self.shared.factory.open(&settings)?;
        }
        let format = match &self.format {
            Some(format) if **format == *encoder.format() => format.clone(),
            // MP-20: samples of all passes are decoded with one description
            Some(_) if self.quality.is_some() => {
                let reason = "the headers of a unit encoded again differ from those of the first pass";
                return Err(SessionError::Malfunction(reason.to_owned()));
            }
            _ => Arc::new(encoder.format().clone()),
        };
        let judged = settings::judged(&self.shared.environment(), values).filter(|_| settings.reconstruct);
        let splits = self.quality.is_none();
        let judge = judged.map(|judged| Judge::new(judged.metric.to_owned(), settings.clone(), splits));
        self.format = Some(format.clone());
        self.raised = 0;
        self.running = Some(Running {
            encoder,
            settings,
            values: values.clone(),
            format,
            inside: BTreeMap::new(),
            sent: 0,
            judge,
        });
        Ok(())
    }

    /// What an encode with these values is determined by.
    fn settings(&self, values: &Values) -> Result<EncoderSettings, SessionError> {
        let mut settings = settings::derive(&self.shared.environment(), values, &self.hints)?;
        if let Some(quality) = self.quality {
            settings.rate = RateControl::Quality(quality);
            settings.controls.quality_ceiling = None;
        }
        Ok(settings)
    }

    fn frame(&mut self, frame: Frame<T>) -> Result<(), SessionError> {
        let Frame { ticket, picture, duration, options, values, start } = frame;
        if start.is_some() {
            if self.running.as_ref().is_some_and(|running| running.sent > 0) {
                self.drain()?;
            }
            // only now is known what everything before it took
            let Beginning { quality, before } = self.shared.beginning(ticket.pts);
            if quality != self.quality {
                self.running = None;
            }
            self.quality = quality;
            let usual = settings::rate(&self.shared.environment(), &values).1;
            self.limit = usual.filter(|_| quality.is_some()).map(|limit| limit.behind(&before, ticket.pts));
            self.watch = Watch::of(before);
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
        // redundant on the first frame, which is a sync frame anyway
        let options = FrameOptions { force_key_frame: sync && running.sent > 0, ..options };
        let index = running.sent;
        running.inside.insert(index, ticket);
        if let Some(judge) = &mut running.judge {
            judge.sent(index, pts, picture.clone());
        }
        match running.encoder.send(&picture, pts, duration, options) {
            Ok(()) => {}
            // the frame was not taken, and the encode goes on
            Err(error @ EncoderError::Settings { .. }) => {
                let ticket = running.inside.remove(&index);
                if let Some(judge) = &mut running.judge {
                    judge.refused(index);
                }
                if let Some(ticket) = ticket {
                    self.tell(ticket, Err(error.into()));
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        running.sent += 1;
        self.key_frames.sent(pts, sync);
        drop(picture);
        self.collect().map(|_| ())
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
        let Some(running) = &mut self.running else { return Ok(()) };
        running.encoder.finish()?;
        while !self.shared.is_invalid() {
            if self.collect()? {
                let mut judge = self.running.take().and_then(|running| running.judge);
                if let Some((first, score)) = judge.as_mut().and_then(Judge::finish) {
                    self.shared.scored(first, score);
                }
                break;
            }
        }
        Ok(())
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
                Output::Pending => return Ok(false),
                Output::End => return Ok(true),
            }
        }
        Ok(false)
    }

    fn sample(&mut self, frame: EncodedFrame) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(ticket) = running.inside.remove(&frame.index) else {
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
        self.watch(dts, bytes)
    }

    /// Scores what can be scored.
    fn judge(&mut self) {
        let judge = self.running.as_mut().and_then(|running| running.judge.as_mut());
        let (Some(judge), Some(scorers)) = (judge, &self.shared.scorers) else { return };
        while let Some((first, score)) = judge.score(&**scorers) {
            self.shared.scored(first, score);
        }
    }

    /// Makes frames coarser while a window of DataRateLimits is nearly full, where the encoder takes other bounds in a running encode.
    fn watch(&mut self, dts: Time, bytes: u64) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(limits) = set_value!(running.values, DataRateLimits) else { return Ok(()) };
        let fullest = self.watch.note(limits, dts, bytes);
        let controls = &self.shared.info().controls;
        let Some((least, most)) = controls.qp_bounds.filter(|_| controls.live_qp_bounds) else {
            return Ok(());
        };
        let raised = match fullest {
            full if full > TIGHT.0 => self.raised + 2,
            full if full < TIGHT.1 => self.raised.saturating_sub(1),
            _ => self.raised,
        };
        // half of the scale is coarse enough for anything
        let raised = raised.min((most - least) / 2);
        if raised != self.raised {
            let floor = running.settings.controls.min_qp.unwrap_or(least);
            let highest = running.settings.controls.max_qp.unwrap_or(most);
            let base = least + (most - least) / 3;
            let min_qp = if raised == 0 { floor } else { (base + raised).clamp(floor, highest) };
            if running.encoder.reconfigure(&Reconfiguration { min_qp: Some(min_qp), ..Default::default() })? {
                self.raised = raised;
            }
        }
        Ok(())
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
        for (_, ticket) in inside {
            self.tell(ticket, Err(error.clone()));
        }
        for job in jobs {
            match job {
                Job::Frame(frame) => self.tell(frame.ticket, Err(error.clone())),
                Job::Dropped(ticket) => self.tell(ticket, Ok(Emission::Dropped)),
                Job::Open { .. } | Job::Drain { .. } => {}
            }
        }
    }
}
