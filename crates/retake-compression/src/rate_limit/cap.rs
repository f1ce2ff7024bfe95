//! An encode whose windows hold no more than their limits, whatever its encoder does.
//!
//! Encoders keep to a buffer and overshoot it, at a cut or where even their coarsest quantizer is too fine,
//! and some know no limits at all. So a [`RateCapped`] encode holds samples back until it is known that they
//! fit into every window. Where one does not fit, the samples that are held back are thrown away, and their
//! frames begin another encode inside, with a larger smallest quantizer. For that it keeps pictures as long
//! as their frames are inside.
//!
//! Where an encode inside begins follows from the samples alone: from the first frame whose sample was not
//! handed out. It must not follow from how many frames were sent by then, because that depends on how far the
//! encoder's own threads were, and equal frames would give other bytes.

#[cfg(test)]
mod tests;

use super::floor::QpFloor;
use super::margins::PartMargins;
use super::window::{RateWindow, TimedBytes, crowding};
use crate::encoder::{
    EncodedFrame, Encoder, EncoderData, EncoderError, EncoderInfo, EncoderSettings, FrameOptions, Output,
    RateControl, Reconfiguration,
};
use crate::property::DataRateLimit;
use retake_media::{FormatDescription, PixelBuffer, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// So many samples of an encode that replaces another are handed out together, because it may turn out too
/// large at once, and is then replaced where it began: what was handed out would leave a second sync frame.
const FIRST: usize = 16;

/// The most bytes of pictures that wait because they may have to be encoded again together.
const HELD_MEMORY: u64 = 256 << 20;

/// The share of a window that a group leaves for the sync frame of the next one.
const GROUP_RESERVE: f64 = 0.25;

/// What a group is given of an average rate, at least and at most, where others took more or less than
/// theirs.
const LEAST_SHARE: f64 = 0.5;
const MOST_SHARE: f64 = 1.5;

/// Opens the encodes inside a [`RateCapped`] one.
pub type Open<E> = Box<dyn FnMut(&EncoderSettings) -> Result<E, EncoderError> + Send>;

/// What a frame becomes that no quantizer makes small enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unfit {
    /// [`Output::Dropped`]: the limit holds.
    #[default]
    Dropped,
    /// A sample that breaks the limit: MP-26 asks for one from each frame of a pass, and a later pass can
    /// make its neighbours coarser.
    Emitted,
    /// As [`Unfit::Emitted`], and an encode that is held back as a whole is not encoded again either: who
    /// looks for its quality by itself learns from [`RateCapped::crowding`] whether it fits.
    Told,
}

/// How long samples are held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HoldBack {
    /// Until nothing that is shown before them is missing: another encode can begin there.
    #[default]
    Reordered,
    /// Until the end of the encode, if it has no more frames than this: all of it is encoded again, so that
    /// no sync frame comes into its middle. The caller knows that so many pictures fit into memory.
    Whole {
        /// The most frames.
        frames: u32,
    },
    /// Until the end of a group of so many frames, each of which is an encode of its own and encoded again as
    /// a whole. An average rate is that of the groups together, because an encoder that begins anew knows
    /// nothing of what was left over.
    Groups {
        /// The frames of a group: about as many as are in a window, so that what breaks a limit is made
        /// coarser, and not what stands far from it.
        frames: u32,
    },
}

impl HoldBack {
    /// How many pictures of an encode may wait until all of it, or all of a group, is there: at most 256 MiB.
    pub fn most_frames(settings: &EncoderSettings) -> u32 {
        let picture = settings.format.picture_bytes(settings.width, settings.height).max(1);
        u32::try_from(HELD_MEMORY / picture).unwrap_or(u32::MAX)
    }
}

/// What a cap keeps to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CapRules {
    /// No window holds more than one of these allows. Without any the encode is left as it is.
    pub limits: Vec<DataRateLimit>,
    /// Where the encode will be joined to others, if windows across the joins are the cap's affair.
    pub margins: Option<PartMargins>,
    /// What a frame becomes that no quantizer makes small enough.
    pub unfit: Unfit,
    /// How long samples are held back.
    pub hold_back: HoldBack,
    /// Decode times and bytes of samples that follow the encode in a film that is already there, in decode
    /// order: windows may reach into them. They are looked at where the encode is held back as a whole.
    pub after: Vec<(Time, u64)>,
}

/// What the encodes of one stream hand on to each other: the windows so far, and how coarse frames have to
/// be.
#[derive(Debug, Clone, Default)]
pub struct CapState {
    window: RateWindow,
    floor: QpFloor,
    /// The bits that groups so far left of an average rate; below 0, they took more.
    left_over: f64,
}

impl CapState {
    /// Behind these samples of the same stream, in decode order.
    pub fn behind(samples: impl IntoIterator<Item = (Time, u64)>) -> Self {
        Self { window: RateWindow::behind(samples), ..Self::default() }
    }
}

/// An encode under limits. Frames are counted through all encodes inside, and a client does not see where one
/// ends: a frame comes out once, as a sample or as [`Output::Dropped`], and its reconstruction comes after
/// the sample.
pub struct RateCapped<E> {
    open: Open<E>,
    info: EncoderInfo,
    /// What frames that are sent now are encoded with, but for the floor.
    settings: Arc<EncoderSettings>,
    rules: Arc<CapRules>,
    /// Whether there were limits when it began.
    capped: bool,
    state: CapState,
    /// The encode inside; none where the next frame begins one.
    inner: Option<Inner<E>>,
    /// The description of the encode that the last output is from.
    format: FormatDescription,
    /// Frames that wait for the next encode inside.
    queue: VecDeque<Sending>,
    ready: VecDeque<Output>,
    accepted: u64,
    finished: bool,
    /// How many encodes were begun inside.
    encodes: u64,
    /// How many times what others leave of a window an encode had in it that was held back as a whole.
    crowding: f64,
}

/// An encode inside.
struct Inner<E> {
    encoder: E,
    settings: Arc<EncoderSettings>,
    sent: u64,
    finished: bool,
    /// It has given all that it gives.
    ended: bool,
    /// So many samples are handed out together, if none is out.
    first: usize,
    /// Frames that are not handed out, by their number in this encode.
    frames: BTreeMap<u64, Sending>,
    /// Samples that are held back, in decode order.
    samples: VecDeque<EncodedFrame>,
    /// Reconstructions of frames whose samples are held back.
    pictures: BTreeMap<u64, PixelBuffer>,
}

/// A frame, with all that it takes to encode it again.
struct Sending {
    /// Counted through all encodes inside.
    index: u64,
    picture: PixelBuffer,
    pts: Time,
    duration: Time,
    options: FrameOptions,
    settings: Arc<EncoderSettings>,
    rules: Arc<CapRules>,
}

/// What goes wrong where the encoder breaks its own contract.
fn malfunction(info: &EncoderInfo, frame: u64, reason: String) -> EncoderError {
    EncoderError::Malfunction { encoder: info.name, frame, reason }
}

impl<E: Encoder> RateCapped<E> {
    /// Opens an encode with these settings that keeps to these rules, behind what `state` stands for.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn new(
        info: &EncoderInfo,
        settings: EncoderSettings,
        rules: CapRules,
        state: CapState,
        open: Open<E>,
    ) -> Result<Self, EncoderError> {
        let settings = Arc::new(settings);
        let mut open = open;
        let encoder = open(&state.floor.applied(info, &settings))?;
        let format = encoder.format().clone();
        let mut capped = Self {
            open,
            info: info.clone(),
            settings: settings.clone(),
            capped: !rules.limits.is_empty(),
            rules: Arc::new(rules),
            state,
            inner: None,
            format,
            queue: VecDeque::new(),
            ready: VecDeque::new(),
            accepted: 0,
            finished: false,
            encodes: 1,
            crowding: 0.0,
        };
        capped.inner = Some(Inner::new(encoder, settings));
        Ok(capped)
    }

    /// What an encode hands on to the next one of the same stream.
    pub fn into_state(self) -> CapState {
        self.state
    }

    /// The encode inside, if one is open.
    pub fn inner(&self) -> Option<&E> {
        self.inner.as_ref().map(|inner| &inner.encoder)
    }

    /// The constant quality that the encode was given last, where that is coarser than what it was asked for.
    pub fn coarser(&self) -> Option<f64> {
        let (RateControl::Quality(asked), RateControl::Quality(given)) =
            (self.settings.rate, self.applied(&self.settings).rate)
        else {
            return None;
        };
        (given > asked).then_some(given)
    }

    /// How many times what other samples leave of a window the encode has in it, in the window where that is
    /// most, if it was held back as a whole and has ended: above 1, it breaks a limit. 0 where nothing is
    /// held back as a whole, or there are no limits.
    pub fn crowding(&self) -> f64 {
        self.crowding
    }

    /// How many encodes were begun inside, that of the last output among them. The description may have
    /// changed where this has.
    pub fn encodes(&self) -> u64 {
        self.encodes
    }

    /// Changes the rules for frames that are not sent yet. Whether there are any is decided at the beginning.
    pub fn set_rules(&mut self, rules: CapRules) {
        if self.caps() {
            self.rules = Arc::new(rules);
        }
    }

    fn caps(&self) -> bool {
        self.capped
    }

    /// What an encode inside is told in place of these settings.
    fn applied(&self, settings: &EncoderSettings) -> EncoderSettings {
        let mut applied = self.state.floor.applied(&self.info, settings);
        if let (HoldBack::Groups { frames }, RateControl::AverageBitRate(rate)) =
            (self.rules.hold_back, applied.rate)
        {
            let seconds = f64::from(frames) / settings.frame_rate.to_f64();
            let rate = rate as f64;
            let wanted = (rate + self.state.left_over / seconds).clamp(LEAST_SHARE * rate, MOST_SHARE * rate);
            applied.rate = RateControl::AverageBitRate(wanted as u64);
        }
        applied
    }

    fn open_inner(&mut self, settings: Arc<EncoderSettings>) -> Result<(), EncoderError> {
        let applied = self.applied(&settings);
        let encoder = (self.open)(&applied)?;
        self.format = encoder.format().clone();
        self.encodes += 1;
        let mut inner = Inner::new(encoder, settings);
        // a client that bounds the delay waits for the sample
        let bounded = !inner.settings.controls.may_hold_all();
        // where nothing coarser is left, the frame that does not fit has to be found
        let last = self.state.floor.is_at_end(&self.info, &inner.settings);
        inner.first = if bounded || last { 1 } else { FIRST };
        self.inner = Some(inner);
        Ok(())
    }

    /// Sends a frame to the encode inside.
    fn give(&mut self, sending: Sending) -> Result<(), EncoderError> {
        if self.inner.is_none() {
            self.open_inner(sending.settings.clone())?;
        }
        let Some(inner) = &self.inner else { return Ok(()) };
        if !Arc::ptr_eq(&inner.settings, &sending.settings) {
            // the encode took the same change when the frame came first
            let inside = inner.settings.clone();
            let (old, new) = (self.applied(&inside), self.applied(&sending.settings));
            let Some(inner) = &mut self.inner else { return Ok(()) };
            if !inner.encoder.reconfigure(&difference(&old, &new))? {
                let reason = "does not repeat a change that it took before".to_owned();
                return Err(malfunction(&self.info, self.accepted, reason));
            }
            inner.settings = sending.settings.clone();
        }
        let full = self.group().map(u64::from);
        let Some(inner) = &mut self.inner else { return Ok(()) };
        let Sending { picture, pts, duration, options, .. } = &sending;
        inner.encoder.send(picture, *pts, *duration, options.clone())?;
        inner.frames.insert(inner.sent, sending);
        inner.sent += 1;
        if full.is_some_and(|full| inner.sent >= full) {
            inner.finished = true;
            inner.encoder.finish()?;
        }
        Ok(())
    }

    /// The frames of a group, where the encode is one of groups.
    fn group(&self) -> Option<u32> {
        match self.rules.hold_back {
            HoldBack::Groups { frames } if self.caps() => Some(frames.max(1)),
            _ => None,
        }
    }

    /// Whether the encode inside takes frames.
    fn takes_frames(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| !inner.finished)
    }

    /// Gives up the encode inside: its frames that are not handed out go into another one.
    fn recall(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        for sending in inner.frames.into_values().rev() {
            self.queue.push_front(sending);
        }
    }

    /// Hands out what is held back and known to fit, or recalls it.
    fn settle(&mut self) {
        while let Some(group) = self.inner.as_mut().and_then(Inner::closed_group) {
            self.decide(group);
        }
    }

    /// Samples which follow each other, and in front of which nothing is missing, either fit or are recalled.
    fn decide(&mut self, group: Vec<EncodedFrame>) {
        let Some(inner) = &mut self.inner else { return };
        let settings = inner.settings.clone();
        let Some(rules) = inner.frames.values().next().map(|frame| frame.rules.clone()) else { return };
        let floor = &self.state.floor;
        let share = floor.share(&self.info, &settings, &rules.limits);
        let emits = rules.unfit != Unfit::Dropped && floor.is_at_end(&self.info, &settings);
        if !emits && exceeds(&self.state.window, &inner.frames, &group, share) {
            self.recall();
            // nothing coarser is left: the frame has no room
            if !self.state.floor.raise(&self.info, &settings, &rules.limits, &group)
                && let Some(frame) = self.queue.pop_front()
            {
                self.ready.push_back(Output::Dropped { index: frame.index });
            }
            return;
        }
        let mut finer = false;
        for sample in group {
            finer |= self.hand_out(sample);
        }
        if finer {
            self.recall();
        }
    }

    /// Hands out a sample, and its reconstruction if that is there. True if frames from now on may be finer.
    fn hand_out(&mut self, sample: EncodedFrame) -> bool {
        let Some(inner) = &mut self.inner else { return false };
        let Some(Sending { index, settings, rules, .. }) = inner.frames.remove(&sample.index) else {
            return false;
        };
        let picture = inner.pictures.remove(&sample.index);
        let CapRules { limits, margins, .. } = &*rules;
        let (dts, bytes) = (sample.sample.dts, sample.sample.data.len() as u64);
        if let RateControl::AverageBitRate(rate) = settings.rate {
            self.state.left_over += rate as f64 / settings.frame_rate.to_f64() - bytes as f64 * 8.0;
        }
        let fullest = self.state.window.note(limits, margins.as_ref(), dts, bytes);
        let finer = self.state.floor.note(&self.info, &settings, limits, fullest, &sample);
        self.ready.push_back(Output::Frame(EncodedFrame { index, ..sample }));
        self.ready.extend(picture.map(|picture| Output::Picture { index, picture }));
        finer
    }

    /// All of an encode that is held back as a whole is there: it fits, or is encoded again as a whole.
    fn decide_whole(&mut self) {
        let Some(inner) = &self.inner else { return };
        let settings = inner.settings.clone();
        let times = self.fullest(inner, |frame| frame.sample.data.len() as f64);
        self.crowding = self.crowding_of(inner).max(if times > 1.0 { times } else { 0.0 });
        if times > 1.0 && self.rules.unfit != Unfit::Told {
            let fits = |bytes: &dyn Fn(&EncodedFrame) -> f64| self.fullest(inner, bytes) <= 1.0;
            let coarser = self.state.floor.clone().raised_whole(&self.info, &settings, times, fits);
            if let Some(coarser) = coarser {
                self.state.floor = coarser;
                self.recall();
                return;
            }
            if self.group().is_some() && self.rules.unfit == Unfit::Dropped {
                // nothing coarser is left: the frames that have no room have to be found
                if let Some(inner) = &mut self.inner {
                    inner.ended = true;
                }
                self.settle();
                self.end_group();
                return;
            }
        }
        let samples = self.inner.as_mut().map(|inner| std::mem::take(&mut inner.samples));
        for sample in samples.into_iter().flatten() {
            self.hand_out(sample);
        }
        self.end_group();
    }

    /// How coarse one group has to be says nothing of the next.
    fn end_group(&mut self) {
        if self.group().is_some() && self.inner.as_ref().is_some_and(|inner| inner.frames.is_empty()) {
            self.state.floor = QpFloor::default();
        }
    }

    /// How full the fullest window is that holds samples of an encode which is there as a whole, if they were
    /// of these sizes.
    fn fullest(&self, inner: &Inner<E>, bytes: impl Fn(&EncodedFrame) -> f64) -> f64 {
        let (mut window, mut times) = (self.state.window.clone(), 0.0f64);
        let CapRules { limits, margins, after, .. } = &*self.rules;
        for frame in &inner.samples {
            times = times.max(window.note(limits, margins.as_ref(), frame.sample.dts, bytes(frame) as u64));
        }
        let last = inner.samples.back().map_or(Time::INVALID, |frame| frame.sample.dts);
        for (dts, bytes) in after {
            window.note(limits, None, *dts, *bytes);
            let reach = (*dts - last).seconds();
            let reaching = limits.iter().filter(|limit| limit.seconds > reach);
            let fullest = reaching.map(|limit| window.bytes(limit.seconds) as f64 / limit.bytes as f64);
            times = fullest.fold(times, f64::max);
        }
        // whether the client has ended by now must not matter, because that depends on when it is asked
        if self.group().is_some_and(|full| inner.sent >= u64::from(full)) {
            let full = |limit: &DataRateLimit| window.bytes(limit.seconds) as f64 / limit.bytes as f64;
            times =
                limits.iter().map(full).fold(times, |times, full| times.max(full / (1.0 - GROUP_RESERVE)));
        }
        times
    }

    /// How many times what other samples leave of a window the encode has in it, where that is most.
    fn crowding_of(&self, inner: &Inner<E>) -> f64 {
        const OTHERS: usize = 0;
        const OWN: usize = 1;
        let before = self.state.window.samples().map(|(seconds, bytes)| (seconds, bytes, OTHERS));
        let own = inner
            .samples
            .iter()
            .map(|EncodedFrame { sample, .. }| (sample.dts.seconds(), sample.data.len() as u64, OWN));
        let after = self.rules.after.iter().map(|(dts, bytes)| (dts.seconds(), *bytes, OTHERS));
        let all = before.chain(own).chain(after);
        let all: Vec<_> = all.map(|(seconds, bytes, unit)| TimedBytes { seconds, bytes, unit }).collect();
        crowding(&all, &self.rules.limits, OWN)
    }

    /// Whether samples of the encode inside wait for its end.
    fn holds_whole(&self) -> bool {
        match self.rules.hold_back {
            HoldBack::Reordered => false,
            HoldBack::Whole { frames } => {
                let inside = self.inner.as_ref().map_or(0, |inner| inner.frames.len() + self.queue.len());
                inside <= frames as usize
            }
            HoldBack::Groups { .. } => true,
        }
    }

    /// Takes what the encode inside gives. None if there is nothing to hand out yet.
    fn take(&mut self, output: Output) -> Result<Option<Output>, EncoderError> {
        let holds = self.holds_whole();
        let Some(inner) = &mut self.inner else { return Ok(None) };
        match output {
            Output::Frame(frame) if !inner.frames.contains_key(&frame.index) => {
                let reason = format!("gave frame {}, which is not inside", frame.index);
                return Err(malfunction(&self.info, self.accepted, reason));
            }
            Output::Frame(frame) => inner.samples.push_back(frame),
            Output::Picture { index, picture } => {
                inner.pictures.insert(index, picture);
            }
            Output::Dropped { index } => {
                let frame = inner.frames.remove(&index);
                return Ok(frame.map(|frame| Output::Dropped { index: frame.index }));
            }
            Output::Pending if !self.queue.is_empty() && !inner.finished => {
                if let Some(next) = self.queue.pop_front() {
                    self.give(next)?;
                }
                return Ok(None);
            }
            Output::Pending if self.finished && !inner.finished => {
                inner.finished = true;
                inner.encoder.finish()?;
                return Ok(None);
            }
            Output::Pending => return Ok(Some(Output::Pending)),
            Output::End => {
                if holds {
                    self.decide_whole();
                } else {
                    inner.ended = true;
                    self.settle();
                }
                // without it all is handed out, or in the queue again
                if let Some(inner) = self.inner.take()
                    && let Some(frame) = inner.frames.values().next()
                {
                    let reason = format!("ended without the sample of frame {}", frame.index);
                    return Err(malfunction(&self.info, self.accepted, reason));
                }
                return Ok(None);
            }
        }
        if !holds {
            self.settle();
        }
        Ok(None)
    }
}

impl<E> Inner<E> {
    fn new(encoder: E, settings: Arc<EncoderSettings>) -> Self {
        Self {
            encoder,
            settings,
            sent: 0,
            finished: false,
            ended: false,
            first: 1,
            frames: BTreeMap::new(),
            samples: VecDeque::new(),
            pictures: BTreeMap::new(),
        }
    }

    /// The first samples in front of which nothing is missing that is shown before one of them, with their
    /// reconstructions: only there can another encode begin.
    fn closed_group(&mut self) -> Option<Vec<EncodedFrame>> {
        let mut last = 0;
        for number in 0..self.samples.len() {
            last = last.max(self.samples[number].index);
            let closed = self.frames.range(..=last).count() == number + 1;
            if !closed || !self.ended && number + 1 < self.first {
                continue;
            }
            let seen = |sample: &EncodedFrame| self.pictures.contains_key(&sample.index);
            let all_seen =
                self.ended || !self.settings.reconstruct || self.samples.iter().take(number + 1).all(seen);
            if !all_seen {
                return None;
            }
            self.first = 1;
            return Some(self.samples.drain(..=number).collect());
        }
        None
    }
}

impl<E: Encoder> Encoder for RateCapped<E> {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        if !self.caps() {
            return match &mut self.inner {
                Some(inner) => inner.encoder.send(picture, pts, duration, options),
                None => Err(malfunction(&self.info, self.accepted, "a frame came after the end".to_owned())),
            };
        }
        let sending = Sending {
            index: self.accepted,
            picture: picture.clone(),
            pts,
            duration,
            options,
            settings: self.settings.clone(),
            rules: self.rules.clone(),
        };
        // another encode begins only when all of the last one is taken out, because its description goes with
        // it
        let open = self.inner.is_none() && self.ready.is_empty() || self.takes_frames();
        if self.queue.is_empty() && open {
            self.give(sending)?;
        } else {
            self.queue.push_back(sending);
        }
        self.accepted += 1;
        Ok(())
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        let caps = self.caps();
        let Some(inner) = &mut self.inner else { return false };
        if caps && !matches!(self.settings.rate, RateControl::Quality(_)) {
            return false;
        }
        let changed = EncoderSettings { rate: RateControl::Quality(quality), ..(*self.settings).clone() };
        let applied = match self.state.floor.applied(&self.info, &changed).rate {
            RateControl::Quality(applied) => applied,
            _ => quality,
        };
        if !inner.encoder.set_quality(applied) {
            return false;
        }
        self.settings = Arc::new(changed);
        inner.settings = self.settings.clone();
        true
    }

    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        if !self.queue.is_empty() {
            // frames from before the change are still on their way into the encode inside
            return Ok(false);
        }
        let changed = changed(&self.settings, change);
        let with_floor = self.applied(&changed);
        let Some(inner) = self.inner.as_mut().filter(|inner| !inner.finished) else {
            self.settings = Arc::new(changed);
            return Ok(true);
        };
        let mut applied = *change;
        applied.min_qp = change.min_qp.and(with_floor.controls.min_qp);
        applied.rate = change.rate.map(|_| with_floor.rate);
        if !inner.encoder.reconfigure(&applied)? {
            return Ok(false);
        }
        self.settings = Arc::new(changed);
        inner.settings = self.settings.clone();
        Ok(true)
    }

    fn offer(&mut self, data: &EncoderData) {
        // Under limits the frames of an encode may end up in several, which the data is not about.
        if let Some(inner) = self.inner.as_mut().filter(|_| !self.capped) {
            inner.encoder.offer(data);
        }
    }

    fn data(&mut self) -> Option<EncoderData> {
        self.inner.as_mut().filter(|_| !self.capped)?.encoder.data()
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        match &mut self.inner {
            Some(inner) if !inner.finished && self.queue.is_empty() => {
                inner.finished = true;
                inner.encoder.finish()
            }
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        loop {
            if let Some(output) = self.ready.pop_front() {
                return Ok(output);
            }
            let Some(inner) = &mut self.inner else {
                match self.queue.pop_front() {
                    Some(next) => self.give(next)?,
                    None if self.finished => return Ok(Output::End),
                    None => return Ok(Output::Pending),
                }
                continue;
            };
            let output = inner.encoder.receive()?;
            if !self.caps() {
                return Ok(output);
            }
            if let Some(output) = self.take(output)? {
                return Ok(output);
            }
        }
    }
}

/// The settings after a change.
fn changed(settings: &EncoderSettings, change: &Reconfiguration) -> EncoderSettings {
    let mut new = settings.clone();
    new.rate = change.rate.unwrap_or(new.rate);
    new.limit = change.limit.or(new.limit);
    new.controls.min_qp = change.min_qp.or(new.controls.min_qp);
    new.controls.max_qp = change.max_qp.or(new.controls.max_qp);
    new.frame_rate = change.frame_rate.unwrap_or(new.frame_rate);
    new
}

/// The change that leads from one to the other.
fn difference(old: &EncoderSettings, new: &EncoderSettings) -> Reconfiguration {
    Reconfiguration {
        rate: (old.rate != new.rate).then_some(new.rate),
        limit: new.limit.filter(|_| old.limit != new.limit),
        min_qp: new.controls.min_qp.filter(|_| old.controls.min_qp != new.controls.min_qp),
        max_qp: new.controls.max_qp.filter(|_| old.controls.max_qp != new.controls.max_qp),
        frame_rate: (old.frame_rate != new.frame_rate).then_some(new.frame_rate),
    }
}

/// Whether these samples, which follow each other, fill a window above a share of its limit.
fn exceeds(
    window: &RateWindow,
    frames: &BTreeMap<u64, Sending>,
    samples: &[EncodedFrame],
    share: f64,
) -> bool {
    let mut window = window.clone();
    samples.iter().any(|sample| {
        let Some(frame) = frames.get(&sample.index) else { return false };
        let CapRules { limits, margins, .. } = &*frame.rules;
        let (dts, bytes) = (sample.sample.dts, sample.sample.data.len() as u64);
        window.note(limits, margins.as_ref(), dts, bytes) > share
    })
}
