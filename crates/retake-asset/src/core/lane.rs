//! One input as its writer sees it: readiness, passes, requests.

use super::encoding::Errand;
use super::{Core, Shared};
use crate::error::Mistake;
use crate::input::AssetWriterInput;
use crate::media::{MediaSample, MediaType};
use crate::options::MediaDataLocation;
use crate::passes::Shape;
use crate::passes::machine::PassMachine;
use crate::queue::Queue;
use retake_media::Time;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

type Block = Arc<Mutex<dyn FnMut(&AssetWriterInput) + Send>>;
type PassBlock = Arc<Mutex<dyn FnMut(&AssetWriterInput) + Send>>;
type Observer = Arc<dyn Fn(bool) + Send + Sync>;

/// A standing request for media data.
pub(crate) struct Request {
    queue: Arc<dyn Queue>,
    block: Block,
    /// Tells requests of one input apart.
    number: u64,
    state: RequestState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestState {
    /// Nothing to do: not ready, or called in vain.
    Idle,
    /// Waits in its queue, or runs there.
    Out,
    /// Was called, and appended nothing though it could: called again when something else moves (resolution 28).
    Parked,
}

/// Who hears of each pass.
#[derive(Clone)]
struct Responder {
    queue: Arc<dyn Queue>,
    block: PassBlock,
}

/// One input of a writer.
pub(crate) struct Lane {
    pub(crate) input: AssetWriterInput,
    pub(crate) ready: bool,
    pub(crate) passes: PassMachine,
    pub(crate) last: Option<Time>,
    pub(crate) appended: u64,
    /// What a thread does for the input, one after the other.
    pub(crate) errands: VecDeque<Errand>,
    request: Option<Request>,
    requests: u64,
    observers: Vec<Observer>,
    /// The readiness that observers heard of last, and whether a thread is telling them.
    told: bool,
    telling: bool,
    responder: Option<Responder>,
    wakers: Vec<Waker>,
    pass_wakers: Vec<Waker>,
}

impl Lane {
    pub(crate) fn new(input: AssetWriterInput) -> Self {
        Self {
            input,
            ready: false,
            passes: PassMachine::new(),
            last: None,
            appended: 0,
            errands: VecDeque::new(),
            request: None,
            requests: 0,
            observers: Vec::new(),
            told: false,
            telling: false,
            responder: None,
            wakers: Vec::new(),
            pass_wakers: Vec::new(),
        }
    }

    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    pub(crate) fn has_request(&self) -> bool {
        self.request.is_some()
    }

    pub(crate) fn request(&mut self, queue: Arc<dyn Queue>, block: Block) {
        self.requests += 1;
        self.request = Some(Request { queue, block, number: self.requests, state: RequestState::Idle });
    }

    /// Has `block` told of each pass; `false` if there is one that is told.
    pub(crate) fn respond(&mut self, queue: Arc<dyn Queue>, block: PassBlock) -> bool {
        let free = self.responder.is_none();
        if free {
            self.responder = Some(Responder { queue, block });
        }
        free
    }

    /// Wakes a future at the next change of whatever it may wait for.
    pub(crate) fn wake(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    /// The same for a future that waits for a pass, which readiness does not end.
    pub(crate) fn wake_later(&mut self, waker: &Waker) {
        if !self.pass_wakers.iter().any(|known| known.will_wake(waker)) {
            self.pass_wakers.push(waker.clone());
        }
    }

    /// No block is called any more, except one that runs already.
    pub(crate) fn drop_request(&mut self) {
        self.request = None;
    }

    /// Whether all other inputs wait until this one is finished.
    pub(crate) fn comes_first(&self) -> bool {
        let first = self.input.options().media_data_location == MediaDataLocation::BeforeMainNotInterleaved;
        first || self.passes.is_multiple()
    }

    /// Whether a picture can come now (AD-4, AM-20).
    pub(crate) fn admits_picture(&self, time: Time, shape: Shape) -> Result<(), Mistake> {
        if self.last.is_some_and(|last| time <= last) {
            return Err(Mistake::TimeGoesBack(time));
        }
        self.passes.admits_picture(time, shape, self.last)
    }

    pub(crate) fn took_picture(&mut self, time: Time, shape: Shape) {
        self.last = Some(time);
        self.passes.took(time, shape);
    }

    /// Whether a stretch of sound can come now: where the last one ended, within a `sample`.
    pub(crate) fn admits_sound(&self, time: Time, sample: Time) -> Result<(), Mistake> {
        self.passes.admits(time)?;
        match self.last {
            Some(end) if time.add(sample) <= end => Err(Mistake::TimeGoesBack(time)),
            Some(end) if time >= end.add(sample) => Err(Mistake::SoundGap(end)),
            _ => Ok(()),
        }
    }

    pub(crate) fn took_sound(&mut self, time: Time, length: Time) {
        self.last = Some(self.last.unwrap_or(time).add(length));
    }

    /// Nothing is taken any more.
    pub(crate) fn close(&mut self) {
        self.drop_request();
        self.responder = None;
    }
}

impl Core {
    /// Brings readiness up to date, and calls those who wait for it.
    pub(super) fn settle(&mut self, shared: &Arc<Shared>) {
        let open = self.is_open();
        for index in 0..self.lanes.len() {
            let ready = open && self.lanes[index].passes.is_open() && self.interleaver.has_room(index);
            let lane = &mut self.lanes[index];
            if lane.ready != ready {
                lane.ready = ready;
                if lane.observers.is_empty() {
                    lane.told = ready;
                } else if !lane.telling {
                    lane.telling = true;
                    let shared = shared.clone();
                    self.tell(move || tell_readiness(&shared, index));
                }
                self.unpark(index);
            }
            let lane = &mut self.lanes[index];
            // what futures wait for: readiness, a pass, or the end of all waiting
            let mut woken = Vec::new();
            if ready || !lane.passes.is_open() || !open {
                woken.append(&mut lane.wakers);
            }
            if !lane.passes.is_deciding() || !open {
                woken.append(&mut lane.pass_wakers);
            }
            if !woken.is_empty() {
                self.tell(move || woken.into_iter().for_each(Waker::wake));
            }
        }
        for index in 0..self.lanes.len() {
            self.call(shared, index);
        }
    }

    /// Takes a sample in.
    pub(crate) fn push(&mut self, index: usize, mut sample: MediaSample) {
        if self.flushing && index == self.deciding_track() {
            (sample.starts_segment, self.flushing) = (true, false);
        }
        self.lanes[index].last = Some(sample.decode_time());
        self.lanes[index].appended += 1;
        self.interleaver.push(index, sample);
        self.unpark_others(index);
    }

    /// The track whose sync samples begin segments: video, if there is one.
    pub(crate) fn deciding_track(&self) -> usize {
        let video = |lane: &Lane| lane.input.media_type() == MediaType::Video;
        self.lanes.iter().position(video).unwrap_or(0)
    }

    /// The others may have waited for just what this one did.
    pub(super) fn unpark_others(&mut self, index: usize) {
        for other in 0..self.lanes.len() {
            if other != index {
                self.unpark(other);
            }
        }
    }

    /// Tells of the pass that an input is in now, or that there is none any more (AM-12).
    pub(crate) fn announce_pass(&mut self, shared: &Arc<Shared>, index: usize) {
        let Some(Responder { queue, block }) = self.lanes[index].responder.clone() else { return };
        let (input, shared) = (self.lanes[index].input.clone(), shared.clone());
        let told = self.lanes[index].passes.description().cloned();
        let work = move || {
            // an input that was finished meanwhile hears nothing more, and one that went on hears of the newest pass
            let current = shared.look(|core| {
                let passes = &core.lanes[index].passes;
                (!passes.is_finished() && !passes.is_deciding()).then(|| passes.description().cloned())
            });
            if current == Some(told) {
                let mut block = block.lock().unwrap_or_else(PoisonError::into_inner);
                (*block)(&input);
            }
        };
        self.tell(move || queue.dispatch(Box::new(work)));
    }

    fn unpark(&mut self, index: usize) {
        if let Some(request) = &mut self.lanes[index].request
            && request.state == RequestState::Parked
        {
            request.state = RequestState::Idle;
        }
    }

    /// Sends the block of a ready input to its queue, unless it is there.
    fn call(&mut self, shared: &Arc<Shared>, index: usize) {
        let lane = &mut self.lanes[index];
        if !lane.ready {
            return;
        }
        if let Some(request) = &mut lane.request
            && request.state == RequestState::Idle
        {
            request.state = RequestState::Out;
            let (queue, number) = (request.queue.clone(), request.number);
            let shared = shared.clone();
            self.tell(move || queue.dispatch(Box::new(move || run(&shared, index, number))));
        }
    }
}

/// Tells observers of an input what its readiness is, until they know: one thread at a time, so that what they hear last is so.
fn tell_readiness(shared: &Arc<Shared>, index: usize) {
    let next = || {
        shared.change(|core| {
            let lane = &mut core.lanes[index];
            lane.telling = lane.told != lane.ready;
            lane.told = lane.ready;
            lane.telling.then(|| (lane.ready, lane.observers.clone()))
        })
    };
    while let Some((ready, observers)) = next() {
        observers.iter().for_each(|observer| observer(ready));
    }
}

/// What runs in the client's queue: its block, if it is still wanted.
fn run(shared: &Arc<Shared>, index: usize, number: u64) {
    let block = shared.change(|core| {
        let lane = core.lanes.get_mut(index)?;
        let (ready, appended, input) = (lane.ready, lane.appended, lane.input.clone());
        let request = lane.request.as_mut().filter(|request| request.number == number)?;
        if !ready {
            request.state = RequestState::Idle;
            return None;
        }
        Some((request.block.clone(), appended, input))
    });
    let Some((block, before, input)) = block else { return };
    {
        // a request has one call out at a time: this never waits
        let mut block = block.lock().unwrap_or_else(PoisonError::into_inner);
        (*block)(&input);
    }
    shared.change(|core| {
        let Some(lane) = core.lanes.get_mut(index) else { return };
        let moved = lane.appended != before;
        if let Some(request) = lane.request.as_mut().filter(|request| request.number == number) {
            request.state = if moved { RequestState::Idle } else { RequestState::Parked };
        }
    });
}
