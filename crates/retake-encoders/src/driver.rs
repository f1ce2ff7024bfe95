//! Runs a shim as an [`Encoder`]: keeps times, order and pictures of frames while the library works on them
//! by index.

use crate::bitstream::{Bitstream, SideData};
use crate::controls::{Refusal, check_frame};
use crate::errors::Errors;
use crate::first_pass::{FirstPass, NextInput, Statistics};
use crate::library::Library;
use crate::live::Live;
use crate::opening::{Opened, open, open_second};
use crate::raw::{Fault, RawChange};
use crate::shim::{Event, RawSample, Shim};
use crate::times::Times;
use crate::warm_up::{self, WarmUp};
use retake_compression::encoder::{
    EncodedFrame, Encoder, EncoderData, EncoderError, EncoderSettings, FrameOptions, Output, RateControl,
    Reconfiguration,
};
use retake_media::{FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Sample, SampleKind, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs one encode of a shim: the library sees frame indices, the caller sees times.
pub(crate) struct Driver {
    library: Arc<Library>,
    settings: EncoderSettings,
    shim: Shim,
    bitstream: Bitstream,
    description: FormatDescription,
    times: Times,
    /// What frames on the way bring beside their pictures, by their indices.
    side_data: BTreeMap<u64, SideData>,
    /// The pool of reconstructed pictures, if they are needed.
    pool: Option<PixelBufferPool>,
    /// The errors of frames on the way, if they are needed.
    errors: Option<Errors>,
    live: Live,
    warm_up: WarmUp,
    /// The library's own first pass, if it makes two.
    first_pass: Option<FirstPass>,
    finished: bool,
}

impl Driver {
    pub(crate) fn open(library: Arc<Library>, settings: &EncoderSettings) -> Result<Self, EncoderError> {
        let warm_up = WarmUp::new(warm_up::lengths(&library, settings));
        let Opened { shim, bitstream, description } = open(&library, settings)?;
        let pool = (settings.reconstruct || settings.controls.frame_errors)
            .then(|| PixelBufferPool::new(planar(settings.format), settings.width, settings.height));
        Ok(Self {
            live: Live::new(&library.info, settings),
            warm_up,
            first_pass: settings.controls.first_pass.map(FirstPass::new),
            library,
            settings: settings.clone(),
            shim,
            bitstream,
            description,
            times: Times::default(),
            side_data: BTreeMap::new(),
            pool,
            errors: settings.controls.frame_errors.then(Errors::default),
            finished: false,
        })
    }

    fn refused(&self, (setting, reason): Refusal) -> EncoderError {
        EncoderError::Settings { encoder: self.library.spec.name, setting: setting.to_owned(), reason }
    }

    fn malfunction(&self, reason: String) -> EncoderError {
        EncoderError::Malfunction { encoder: self.library.spec.name, frame: self.times.accepted(), reason }
    }

    /// Returns the picture that the library announced.
    fn picture(&mut self, index: i64) -> Result<PixelBuffer, String> {
        let pool = self.pool.as_ref().ok_or("the library gave a picture that nobody asked for")?;
        self.times.picture(index)?;
        let mut buffer = pool.take();
        self.shim.picture(&mut buffer);
        Ok(buffer.freeze())
    }

    /// Encodes the kept frames, and then once more; only the last time counts.
    fn begin(&mut self) -> Result<(), EncoderError> {
        let forces = self.library.info.controls.forced_at_rate;
        let (frames, before) = self.warm_up.begin(forces);
        for (index, place) in (0..).zip(before) {
            let (picture, options) = &frames[place];
            // Where no sync frame can be forced, all of these but the first would be refused.
            let force_key_frame = options.force_key_frame && (forces || index == 0);
            let options = FrameOptions { force_key_frame, ..options.clone() };
            let sent = self.shim.send(picture, index, &options);
            sent.map_err(|fault| self.malfunction(fault.reason))?;
            self.collect()?;
        }
        for (index, (picture, options)) in (0..).zip(&frames) {
            self.submit(picture, index, options)?;
            self.collect()?;
        }
        Ok(())
    }

    /// Keeps the ready outputs for later, because a library may forget them with the next frame.
    fn collect(&mut self) -> Result<(), EncoderError> {
        loop {
            match self.pull()? {
                Output::Pending | Output::End => return Ok(()),
                output => self.warm_up.ready.push_back(output),
            }
        }
    }

    fn submit(
        &mut self,
        picture: &PixelBuffer,
        index: u64,
        options: &FrameOptions,
    ) -> Result<(), EncoderError> {
        let sent = self.shim.send(picture, (index + self.warm_up.before) as i64, options);
        sent.map_err(|fault| self.malfunction(fault.reason))?;
        if let Some(errors) = &mut self.errors {
            errors.sent(index, picture);
        }
        Ok(())
    }

    /// Ends the first of the library's own passes, and opens it for the second.
    fn begin_second(&mut self) -> Result<(), EncoderError> {
        let Some(first) = self.first_pass.as_mut() else { return Ok(()) };
        let offered = first.has_offer();
        let statistics = match first.accept() {
            Some(known) => known,
            None => {
                if offered {
                    self.look_again().map_err(|fault| self.malfunction(fault.reason))?;
                }
                self.shim.flush().map_err(|fault| self.malfunction(fault.reason))?;
                let Some(first) = self.first_pass.as_mut().filter(|first| !first.is_empty()) else {
                    return Ok(());
                };
                let found = match self.shim.receive() {
                    Ok(Event::End) => self.shim.statistics(),
                    Ok(_) => return Err(self.malfunction("the library's first pass did not end".to_owned())),
                    Err(fault) => Err(fault),
                };
                if let Ok(found) = &found {
                    first.found(found);
                }
                found.map_err(|fault| self.malfunction(fault.reason))?
            }
        };
        if let Some(first) = &mut self.first_pass {
            first.begin_second();
        }
        self.shim = open_second(&self.library, &self.settings, statistics)?;
        Ok(())
    }

    /// The frames that came are not those that statistics were offered of: they are looked at now.
    fn look_again(&mut self) -> Result<(), Fault> {
        let kept = self.first_pass.iter().flat_map(FirstPass::kept);
        for (index, (picture, options)) in (0..).zip(kept) {
            self.shim.send(picture, index, options)?;
        }
        Ok(())
    }

    /// Gives the library its next input; false where there is none.
    fn give_input(&mut self) -> Result<bool, EncoderError> {
        match self.first_pass.as_mut().map_or(NextInput::Nothing, FirstPass::next_input) {
            NextInput::Frame(picture, index, options) => self.submit(&picture, index, &options)?,
            NextInput::NoMore => self.shim.flush().map_err(|fault| self.malfunction(fault.reason))?,
            NextInput::Nothing => return Ok(false),
        }
        Ok(true)
    }

    /// Returns the next output of the library that counts.
    fn pull(&mut self) -> Result<Output, EncoderError> {
        let before = self.warm_up.before as i64;
        loop {
            if let Some(frame) = self.errors.as_mut().and_then(Errors::next) {
                return Ok(Output::Frame(frame));
            }
            match self.shim.receive() {
                Ok(Event::Pending) => {
                    if !self.give_input()? {
                        return Ok(Output::Pending);
                    }
                }
                Ok(Event::End) => return self.at_end(),
                Ok(Event::Sample(raw)) if raw.index < before => {}
                Ok(Event::Picture { index }) if index < before => {}
                Ok(Event::Sample(raw)) => {
                    let raw = RawSample { index: raw.index - before, ..raw };
                    let side = self.side_data.remove(&(raw.index as u64));
                    let frame = encoded(&self.bitstream, &mut self.times, raw, side.as_ref());
                    let frame = frame.map_err(|reason| self.malfunction(reason))?;
                    match &mut self.errors {
                        Some(errors) => errors.coded(frame),
                        None => return Ok(Output::Frame(frame)),
                    }
                }
                Ok(Event::Picture { index }) => {
                    let index = index - before;
                    let picture = self.picture(index).map_err(|reason| self.malfunction(reason))?;
                    let index = index as u64;
                    if let Some(errors) = &mut self.errors {
                        errors.reconstructed(index, &picture);
                    }
                    if self.settings.reconstruct {
                        return Ok(Output::Picture { index, picture });
                    }
                }
                Err(fault) => return Err(self.malfunction(fault.reason)),
            }
        }
    }

    fn is_analysing(&self) -> bool {
        self.first_pass.as_ref().is_some_and(FirstPass::is_analysing)
    }

    fn at_end(&self) -> Result<Output, EncoderError> {
        let pictures = if self.pool.is_some() { self.times.missing_pictures() } else { 0 };
        match (self.times.missing(), pictures) {
            (0, 0) => Ok(Output::End),
            (0, lost) => {
                Err(self.malfunction(format!("the library kept {lost} reconstructed pictures for itself")))
            }
            (lost, _) => Err(self.malfunction(format!("the library lost {lost} frames"))),
        }
    }
}

impl Encoder for Driver {
    fn format(&self) -> &FormatDescription {
        &self.description
    }

    fn set_quality(&mut self, quality: f64) -> bool {
        if self.is_analysing() {
            self.settings.rate = RateControl::Quality(
                quality.clamp(self.library.info.quality.min, self.library.info.quality.max),
            );
            return true;
        }
        let done = self.shim.set_quality(quality);
        if done {
            self.live.set_quality(quality);
        }
        done
    }

    fn reconfigure(&mut self, change: &Reconfiguration) -> Result<bool, EncoderError> {
        if self.first_pass.is_some() {
            return Ok(*change == Reconfiguration::default());
        }
        let planned = self.live.plan(change).map_err(|refusal| self.refused(refusal))?;
        let Some((raw, live)) = planned else { return Ok(false) };
        if self.warm_up.is_waiting() {
            // Frames that came before the change must be encoded as it was then.
            self.begin()?;
        }
        let done = raw == RawChange::NOTHING
            || self.shim.reconfigure(&raw).map_err(|fault| self.malfunction(fault.reason))?;
        if done {
            self.live = live;
        }
        Ok(done)
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        mut options: FrameOptions,
    ) -> Result<(), EncoderError> {
        if self.finished {
            return Err(self.malfunction("a frame was sent after the last one".to_owned()));
        }
        let (width, height) = (self.settings.width, self.settings.height);
        let wanted = self.settings.format;
        if (picture.width(), picture.height(), picture.format()) != (width, height, wanted) {
            return Err(self
                .malfunction(format!("{picture:?} was sent where {wanted:?} {width}×{height} is encoded")));
        }
        let (controls, scale) = (&self.settings.controls, self.library.info.controls.qp_bounds);
        check_frame(controls, scale, &options).map_err(|refusal| self.refused(refusal))?;
        if self.first_pass.as_ref().is_some_and(FirstPass::is_full) {
            return Err(
                self.refused(("first_pass", "more frames came than were allowed: allow more".to_owned()))
            );
        }
        let index = self.times.accept(pts, duration).map_err(|reason| self.malfunction(reason))?;
        options.force_key_frame |= index == 0;
        if let Some(side) = self.bitstream.side_data(picture) {
            self.side_data.insert(index, side);
        }
        if let Some(first) = &mut self.first_pass {
            let analysed = match first.has_offer() {
                true => Ok(()),
                false => self.shim.send(picture, index as i64, &options),
            };
            first.keep(picture, options);
            return analysed.map_err(|fault| self.malfunction(fault.reason));
        }
        if !self.warm_up.is_waiting() {
            return self.submit(picture, index, &options);
        }
        if self.warm_up.keep(picture, options) {
            self.begin()?;
        }
        Ok(())
    }

    fn offer(&mut self, data: &EncoderData) {
        if let Some(first) = &mut self.first_pass
            && data.is_of(&self.library.info, &self.settings)
            && let Some(statistics) = Statistics::decode(&data.bytes)
        {
            first.offer(statistics);
        }
    }

    fn data(&mut self) -> Option<EncoderData> {
        let found = self.first_pass.as_mut()?.take_found()?;
        Some(EncoderData::new(&self.library.info, &self.settings, found.encode()))
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        if self.warm_up.is_waiting() {
            self.begin()?;
        }
        if self.first_pass.is_some() {
            return self.begin_second();
        }
        self.shim.flush().map_err(|fault| self.malfunction(fault.reason))
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        match self.warm_up.ready.pop_front() {
            Some(output) => Ok(output),
            None => self.pull(),
        }
    }
}

/// Returns the format of reconstructed pictures, which are planar whatever the format of the frames.
fn planar(format: PixelFormat) -> PixelFormat {
    // No library codes other depths, and the settings were checked against what it codes.
    PixelFormat::planar(format.chroma_subsampling(), format.bit_depth()).unwrap_or(format)
}

/// Returns a sample in ISO form, with its times and the side data of its frame.
fn encoded(
    bitstream: &Bitstream,
    times: &mut Times,
    raw: RawSample<'_>,
    side: Option<&SideData>,
) -> Result<EncodedFrame, String> {
    let kind = match (raw.sync, raw.disposable) {
        (true, _) => SampleKind::Sync,
        (_, true) if bitstream.can_be_left_out(raw.data) => SampleKind::Disposable,
        _ => SampleKind::Reference,
    };
    let data = bitstream.sample(raw.data, raw.sync, side)?;
    let stamp = times.emit(raw.index)?;
    let sample = Sample { data, pts: stamp.pts, dts: stamp.dts, duration: stamp.duration, kind };
    let (index, qp) = (raw.index as u64, raw.qp);
    Ok(EncodedFrame { sample, index, qp, error: None, token: raw.token, layer: raw.layer })
}
