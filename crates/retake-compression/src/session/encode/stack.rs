//! The open encode, and everything that stands between it and the core.

use super::capped::{Capped, Stream};
use super::conversion::Conversion;
use super::fitting::{Fitted, Fitting, Next};
use crate::encode_run::{EncodeRun, RunError, RunEvent, ScoredUnits};
use crate::encoder::{
    EncodedFrame, Encoder, EncoderData, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings,
    FrameOptions, RateControl, TransferMaker,
};
use crate::property::{Values, set_value};
use crate::random_access::mark_partial_sync;
use crate::rate_limit::Unfit;
use crate::scorer::{Scorer, SharedScorers};
use crate::session::SessionError;
use crate::session::core::{Command, QueuedFrame, Report};
use crate::session::derive::{self, Change, Hints, UnitStart};
use crate::session::setup::Setup;
use retake_media::{FormatDescription, PixelBuffer, Sample, SampleAttachments, SampleBuffer, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is told what comes of commands.
pub(in crate::session) trait Listener {
    /// Takes a report. It may take long, because the client's handler is called with outcomes.
    fn report(&mut self, report: Report);

    /// What an encoder has kept about the frames with this digest.
    fn encoder_data(&self, frames: u128) -> Option<EncoderData>;

    /// Keeps data of an encoder about the frames with this digest, if there is room for it.
    fn keep_encoder_data(&self, frames: u128, data: &EncoderData);

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
    conversion: Conversion,
    /// In a session of several passes: the unit that is being encoded.
    unit: UnitStart,
    stream: Stream,
    /// Of the sample that was handed out last.
    last_dts: Option<Time>,
    /// No frame of the unit came yet.
    begins_unit: bool,
    /// In the last pass under a rate: the unit, if it can be encoded until it takes its bytes.
    fitting: Option<Fitting>,
}

/// Brings pictures into order and scores them, if the session of several passes is to score what it encodes.
type Run = EncodeRun<Capped, dyn Scorer<Error = String>>;

/// An open encode.
struct Running {
    run: Run,
    settings: EncoderSettings,
    values: Arc<Values>,
    format: Arc<FormatDescription>,
    /// How many encodes the cap had begun when the description was looked at.
    encodes: u64,
    /// The numbers of frames inside, by their index in this encode.
    inside: BTreeMap<u64, u64>,
}

impl From<RunError> for SessionError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Encoder(error) => error.into(),
            broken => Self::Malfunction(broken.to_string()),
        }
    }
}

impl Stack {
    pub(in crate::session) fn new(parts: StackParts) -> Self {
        Self {
            parts,
            running: None,
            hints: Hints::default(),
            format: None,
            conversion: Conversion::default(),
            unit: UnitStart::default(),
            stream: Stream::default(),
            last_dts: None,
            begins_unit: false,
            fitting: None,
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
        let settings = self.settings(values)?;
        let known = self.format.clone();
        let encoder = self.stream.open(&self.parts.factory, settings.clone(), values, &self.unit, known)?;
        let format = self.describe(values, encoder.format())?;
        let encodes = encoder.encodes();
        let run = self.run(encoder, values, &settings);
        let (values, inside) = (values.clone(), BTreeMap::new());
        self.running = Some(Running { run, settings, values, format, encodes, inside });
        Ok(())
    }

    /// A run of the encode. Reconstructions are asked for where units are scored, and nowhere else.
    fn run(&self, encoder: Capped, values: &Values, settings: &EncoderSettings) -> Run {
        // A unit that is encoded again is an encode of its own.
        let units = match self.unit.quality {
            Some(_) => ScoredUnits::Whole,
            None => ScoredUnits::BetweenSyncFrames,
        };
        let environment = self.parts.setup.environment();
        let metric = derive::scoring(&environment, values).map(|scoring| scoring.metric.to_owned());
        let (scorers, of_scorer) = (self.parts.scorers.clone(), settings.clone());
        let open = move || match (&scorers, &metric) {
            (Some(scorers), Some(metric)) => scorers.open(metric, &of_scorer),
            _ => Err("there is nothing to score it by".to_owned()),
        };
        EncodeRun::new(encoder, settings.reconstruct).scored_by(units, open)
    }

    /// The description of samples from an encode that describes itself so.
    fn describe(
        &mut self,
        values: &Values,
        format: &FormatDescription,
    ) -> Result<Arc<FormatDescription>, SessionError> {
        let described = derive::described(values, format);
        let format = match &self.format {
            Some(format) if **format == described => format.clone(),
            // MP-20: samples of all passes are decoded with one description
            Some(_) if self.unit.quality.is_some() => {
                let reason = "the headers of a unit encoded again differ from those of the first pass";
                return Err(SessionError::Malfunction(reason.to_owned()));
            }
            _ => Arc::new(described),
        };
        self.format = Some(format.clone());
        Ok(format)
    }

    /// What an encode with these values is determined by.
    fn settings(&self, values: &Values) -> Result<EncoderSettings, SessionError> {
        let settings = derive::settings(&self.parts.setup.environment(), values, &self.hints)?;
        Ok(derive::unit_settings(self.info(), values, settings, &self.unit))
    }

    /// Everything before the unit is out.
    fn begin_unit(&mut self, start: UnitStart, pts: Time, values: &Values) {
        if !start.opens_like(&self.unit) || !start.before.is_empty() {
            self.discard();
        }
        let usual = derive::rate(&self.parts.setup.environment(), values).1;
        self.stream.begin_unit(&start, usual, pts);
        // A pass may begin, whose samples are decoded from an earlier time on.
        self.last_dts = None;
        self.begins_unit = true;
        self.unit = start;
    }

    fn frame(&mut self, frame: QueuedFrame, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let QueuedFrame { number, picture, pts, duration, options, values, .. } = frame;
        let first = self.stream.begins_at(pts);
        if let Err(error) = self.make_ready(&picture, &options, &values, (pts, duration), listener) {
            listener.report(Report::Refused { number, error: error.clone() });
            return Err(error);
        }
        if self.begins_unit {
            self.offer(listener);
        }
        let Some(running) = &mut self.running else {
            return Err(SessionError::Malfunction("no encode is open".to_owned()));
        };
        if running.run.pushed() == 0 && self.begins_unit {
            let fitted = derive::is_fitted(&running.settings, &self.unit);
            self.fitting = self.unit.target.filter(|_| fitted).map(Fitting::new);
        }
        self.begins_unit = false;
        if first || self.fitting.is_some() && running.run.pushed() == 0 {
            // an encode that was opened before any frame came did not know when it begins
            self.set_rules();
        }
        let Some(running) = &mut self.running else {
            return Err(SessionError::Malfunction("no encode is open".to_owned()));
        };
        let options_of_transfer = set_value!(values, PixelTransferProperties).copied().unwrap_or_default();
        let maker = self.parts.transfer.as_ref();
        let picture = match self.conversion.fit(maker, &running.settings, &options_of_transfer, &picture) {
            Ok(picture) => picture,
            Err(error) => {
                listener.report(Report::Refused { number, error });
                return Ok(());
            }
        };
        if let Some(fitting) = &mut self.fitting {
            let options = options.clone();
            fitting.frames.push(Fitted { number, picture: picture.clone(), pts, duration, options });
        }
        self.send(number, &picture, (pts, duration), options, listener)?;
        self.collect(listener)?;
        Ok(())
    }

    /// An encode of a whole unit was opened and has had no frame: an earlier one may have kept what saves it
    /// work.
    fn offer(&mut self, listener: &dyn Listener) {
        let Some(running) = self
            .running
            .as_mut()
            .filter(|running| running.run.pushed() == 0 && running.settings.controls.first_pass.is_some())
        else {
            return;
        };
        if let Some(data) = listener.encoder_data(self.unit.digest) {
            running.run.encoder_mut().offer(&data);
        }
    }

    /// The encode of a unit has ended. Only what it knows of the whole unit is kept.
    fn keep_data(&mut self, listener: &dyn Listener) {
        let Some(running) = &mut self.running else { return };
        if running.run.pushed() == self.unit.frames as u64
            && let Some(data) = running.run.encoder_mut().data()
        {
            listener.keep_encoder_data(self.unit.digest, &data);
        }
    }

    /// The encode has ended, and it was that of a whole unit that is to take a number of bytes. True if it is
    /// encoded once more; all its samples come again then.
    fn fit(&mut self, listener: &mut dyn Listener) -> Result<bool, SessionError> {
        let scale = self.info().quality;
        let (Some(running), Some(fitting)) = (&self.running, &mut self.fitting) else { return Ok(false) };
        let whole = fitting.frames.len() == self.unit.frames;
        let Some(quality) = self.unit.quality else { return Ok(false) };
        let crowding = running.run.encoder().crowding();
        let (values, frames) = (running.values.clone(), fitting.frames.clone());
        let next = match whole {
            true => fitting.next(quality, crowding, &scale),
            // The client ended in the middle: nothing is made of the bytes, but the limit holds.
            false if crowding > 1.0 => Next::Capped(quality),
            false => Next::Nearest,
        };
        let quality = match next {
            Next::Again(quality) => quality,
            Next::Nearest => return Ok(false),
            Next::Capped(quality) => {
                self.fitting = None;
                quality
            }
        };
        self.unit.quality = Some(quality);
        self.discard();
        self.stream.begin_again(&self.unit);
        self.open(&values)?;
        self.set_rules();
        self.offer(listener);
        for Fitted { number, picture, pts, duration, options } in frames {
            self.send(number, &picture, (pts, duration), options, listener)?;
            self.collect(listener)?;
        }
        if let Some(running) = &mut self.running {
            running.run.finish()?;
        }
        Ok(true)
    }

    /// Hands out what a unit held back.
    fn release(&mut self, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let Some(fitting) = self.fitting.take() else { return Ok(()) };
        let (quality, attempt) = fitting.nearest();
        if let Some(quality) = quality {
            listener.report(Report::Fitted(quality));
        }
        // Frames are numbered alike in all encodes of the unit.
        for frame in attempt.samples {
            self.hand_out(frame, listener)?;
        }
        attempt.scores.into_iter().for_each(|(first, score)| listener.report(Report::Score { first, score }));
        Ok(())
    }

    /// Tells the cap of the open encode what it is to keep to. Where the unit is encoded until it takes its
    /// bytes, the quality that fits is found by that.
    fn set_rules(&mut self) {
        let Some(running) = &mut self.running else { return };
        let mut rules =
            self.stream.rules(&self.parts.factory, &running.values, &running.settings, &self.unit);
        if self.fitting.is_some() {
            rules.unfit = Unfit::Told;
        }
        running.run.encoder_mut().set_rules(rules);
    }

    /// Gives a frame to the open encode. One that is not taken is reported, and the encode goes on.
    fn send(
        &mut self,
        number: u64,
        picture: &PixelBuffer,
        (pts, duration): (Time, Time),
        options: FrameOptions,
        listener: &mut dyn Listener,
    ) -> Result<(), SessionError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        match running.run.push(picture, pts, duration, options) {
            Ok(index) => {
                running.inside.insert(index, number);
                Ok(())
            }
            Err(error @ EncoderError::Settings { .. }) => {
                listener.report(Report::Refused { number, error: error.into() });
                Ok(())
            }
            Err(error) => Err(error.into()),
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
            self.discard();
        }
        if !self.hints.from_frame {
            // an encode that was opened before any frame came: what the first says about itself may decide
            // otherwise
            self.hints = Hints::of(picture, duration, self.hints.base_qp);
            let settings = derive::settings(&self.parts.setup.environment(), values, &self.hints)?;
            if self.running.as_ref().is_some_and(|running| running.settings != settings) {
                self.discard();
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
            let open_group = running.settings.controls.open_gop;
            let running_controls = &running.settings.controls;
            let bounded = running_controls.max_delay.is_some() || running_controls.low_latency;
            let forced = (controls.forced_at_rate || !at_rate)
                && (controls.forced_in_open_gop || !open_group)
                && (controls.forced_within_delay || !bounded);
            let due = options.force_key_frame
                || running.run.encoder().inner().is_some_and(|encode| encode.due(pts));
            // where a key frame cannot be forced, a new encode begins with one
            if due && running.run.pushed() > 0 && !forced {
                self.drain(listener)?;
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
        let Some(running) = &mut self.running else { return Ok(true) };
        match running.settings.change_to(&new) {
            Change::None => {}
            Change::Reopen => return Ok(false),
            Change::Live(change) => {
                if !self.parts.setup.info.controls.takes(&change) || !running.run.reconfigure(&change)? {
                    return Ok(false);
                }
                // the interval is still what the encoder was opened with
                let interval = running.settings.max_key_frame_interval;
                running.settings = EncoderSettings { max_key_frame_interval: interval, ..new };
            }
        }
        running.values = values.clone();
        self.stream.set_intervals(values, &running.settings);
        self.set_rules();
        Ok(true)
    }

    /// Puts out everything; the next frame begins a new encode.
    fn drain(&mut self, listener: &mut dyn Listener) -> Result<(), SessionError> {
        if let Some(running) = &mut self.running {
            running.run.finish()?;
        }
        while self.running.is_some() && !listener.is_over() {
            if !self.collect(listener)? {
                continue;
            }
            self.keep_data(listener);
            if !self.fit(listener)? {
                self.release(listener)?;
                let capped = self.running.as_ref().and_then(|running| running.run.encoder().coarser());
                if let Some(quality) = capped {
                    listener.report(Report::Coarser(quality));
                }
                self.discard();
            }
        }
        Ok(())
    }

    /// Gives up an encode that is over, or has had no frame.
    fn discard(&mut self) {
        if let Some(running) = self.running.take() {
            self.stream.close(running.run.into_encoder());
        }
    }

    /// Hands out what is ready. True at the end of the encode.
    fn collect(&mut self, listener: &mut dyn Listener) -> Result<bool, SessionError> {
        while let Some(running) = &mut self.running {
            if listener.is_over() {
                break;
            }
            match running.run.next()? {
                Some(RunEvent::Sample(frame)) => match &mut self.fitting {
                    Some(fitting) => fitting.attempt.samples.push(frame),
                    None => self.hand_out(frame, listener)?,
                },
                Some(RunEvent::Dropped { index }) => {
                    if let Some(number) = running.inside.remove(&index) {
                        listener.report(Report::Dropped(number));
                    }
                }
                Some(RunEvent::Score { first, score }) => match &mut self.fitting {
                    Some(fitting) => fitting.attempt.scores.push((first, score)),
                    None => listener.report(Report::Score { first, score }),
                },
                // the run has scored it
                Some(RunEvent::Picture { .. }) => {}
                None => return Ok(running.run.is_over()),
            }
        }
        Ok(false)
    }

    fn hand_out(&mut self, frame: EncodedFrame, listener: &mut dyn Listener) -> Result<(), SessionError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let Some(number) = running.inside.remove(&frame.index) else {
            let reason = format!("the encoder gave frame {}, which is not inside", frame.index);
            self.running = Some(running);
            return Err(SessionError::Malfunction(reason));
        };
        let encodes = running.run.encoder().encodes();
        if running.encodes != encodes {
            running.encodes = encodes;
            running.format = self.describe(&running.values, running.run.format())?;
        }
        let errors = frame.error.map(|error| [error.luma, error.blue, error.red]);
        let attachments = SampleAttachments {
            temporal_layer: frame.layer,
            long_term_reference: frame.token,
            mean_squared_errors: errors.into_iter().collect(),
            ..SampleAttachments::default()
        };
        let Sample { data, dts, .. } = &frame.sample;
        if data.is_empty() || !dts.is_numeric() || self.last_dts.is_some_and(|last| *dts <= last) {
            let (bytes, last) = (data.len(), self.last_dts.unwrap_or(Time::INVALID));
            let reason =
                format!("the encoder gave a sample of {bytes} bytes, decoded at {dts} after one at {last}");
            self.running = Some(running);
            return Err(SessionError::Malfunction(reason));
        }
        self.last_dts = Some(*dts);
        let mut buffer = SampleBuffer { sample: frame.sample, format: running.format.clone(), attachments };
        mark_partial_sync(&mut buffer);
        listener.report(Report::Sample { number, buffer: Box::new(buffer), qp: frame.qp });
        self.running = Some(running);
        Ok(())
    }
}
