//! When a track takes more, and who has to hear of it (section 17.3). Who that is, is not known here: only
//! that there is somebody.

use super::WriterState;
use super::effects::{Awaited, Call, Effect, Observable, Observation};
use super::track::{TrackId, TrackState};
use crate::types::error::{Mistake, UsageError};

/// A standing request for media data.
#[derive(Debug, Clone, Copy)]
struct Request {
    /// Tells requests of one track apart.
    number: u64,
    state: RequestState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestState {
    /// The block is not called, because the track is not ready.
    Idle,
    /// The block waits in its queue, or runs there.
    Called,
    /// The block was called, and appended nothing though it could: it is called again when something else
    /// moves (resolution 28).
    Parked,
}

/// Whether somebody hears of changes, what they heard last, and whether they are being notified now.
#[derive(Debug, Default)]
struct Observed {
    notified: Option<Observation>,
    notifying: bool,
}

impl Observed {
    /// What observers have to hear of next; nothing once they know.
    fn next(&mut self, now: Observation) -> Option<Observation> {
        self.notifying = self.notified.as_ref() != Some(&now);
        self.notified = Some(now.clone());
        self.notifying.then_some(now)
    }
}

/// Whether a track is ready, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    ready: bool,
    request: Option<Request>,
    requests: u64,
    observed: [Observed; Observable::ALL.len()],
    /// Whether somebody hears of each pass.
    responds: bool,
    /// Whether futures wait for either.
    awaits_readiness: bool,
    awaits_pass: bool,
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The request that stands.
    pub(crate) fn request(&self) -> Option<u64> {
        self.request.map(|request| request.number)
    }

    /// Whether somebody hears of passes, and will again.
    pub(crate) fn responds(&self) -> bool {
        self.responds
    }

    /// Whether observers may have to hear something yet.
    pub(crate) fn is_notifying(&self) -> bool {
        self.observed.iter().any(|observed| observed.notifying)
    }

    /// No block is called any more, except one that runs already.
    pub(super) fn drop_request(&mut self) {
        self.request = None;
    }

    /// Nothing is taken any more.
    pub(super) fn close(&mut self) {
        self.request = None;
        self.responds = false;
    }

    fn set_ready(&mut self, ready: bool) {
        if std::mem::replace(&mut self.ready, ready) != ready {
            self.unpark();
        }
    }

    /// Something moved that a parked block may have waited for.
    fn unpark(&mut self) {
        if let Some(request) = self.request.as_mut().filter(|request| request.state == RequestState::Parked) {
            request.state = RequestState::Idle;
        }
    }
}

/// What observers of a track would hear now.
fn observation(track: &TrackState, what: Observable) -> Observation {
    match what {
        Observable::Readiness => Observation::Flag(track.readiness.ready),
        Observable::MultiplePasses => Observation::Flag(track.setup.can_perform_multiple_passes()),
        Observable::Pass => Observation::Pass(track.passes.description().cloned()),
    }
}

impl WriterState {
    /// Brings readiness up to date, and collects whom it concerns. Called after every change.
    pub(crate) fn settle(&mut self) {
        let open = self.phase.is_open();
        for index in 0..self.tracks.len() {
            let id = TrackId::new(index);
            let ready = open && self.tracks[index].passes.is_open() && self.interleaver.has_room(index);
            let (track, effects) = (&mut self.tracks[index], &mut self.effects);
            track.readiness.set_ready(ready);
            for what in Observable::ALL {
                let observed = &track.readiness.observed[what as usize];
                let idle = !observed.notifying && observed.notified.is_some();
                if idle && observed.notified.as_ref() != Some(&observation(track, what)) {
                    track.readiness.observed[what as usize].notifying = true;
                    effects.push(Effect::Call(Call::Observers(id, what)));
                }
            }
            let readiness = &mut track.readiness;
            if readiness.awaits_readiness && (ready || !track.passes.is_open() || !open) {
                readiness.awaits_readiness = false;
                effects.push(Effect::Wake(id, Awaited::Readiness));
            }
            if readiness.awaits_pass && (!track.passes.is_deciding() || !open) {
                readiness.awaits_pass = false;
                effects.push(Effect::Wake(id, Awaited::Pass));
            }
        }
        for (index, track) in self.tracks.iter_mut().enumerate().filter(|(_, track)| track.readiness.ready) {
            let request = track.readiness.request.as_mut();
            if let Some(request) = request.filter(|request| request.state == RequestState::Idle) {
                request.state = RequestState::Called;
                self.effects.push(Effect::Call(Call::Request(TrackId::new(index), request.number)));
            }
        }
    }

    /// The other tracks may have waited for just what this one did.
    pub(super) fn unpark_others(&mut self, id: TrackId) {
        let others = self.tracks.iter_mut().enumerate().filter(|(index, _)| *index != id.index());
        others.for_each(|(_, track)| track.readiness.unpark());
    }

    /// A client wants to be called when a track is ready.
    pub(crate) fn request(&mut self, call: &'static str, id: TrackId) -> Result<(), UsageError> {
        let wrong = |mistake| Err(UsageError { call, mistake });
        if !self.phase.is_running() || self.phase.is_finishing() {
            return Err(self.phase.wrong_status(call, "writing"));
        }
        let track = &mut self.tracks[id.index()];
        if track.passes.is_finished() {
            return wrong(Mistake::InputFinished);
        }
        if !track.passes.is_open() {
            return wrong(Mistake::NoPass);
        }
        let readiness = &mut track.readiness;
        if readiness.request.is_some() {
            return wrong(Mistake::SecondRequest);
        }
        readiness.requests += 1;
        readiness.request = Some(Request { number: readiness.requests, state: RequestState::Idle });
        Ok(())
    }

    /// The turn of a request has come in its queue: whether its block is still wanted, and how much was
    /// appended before.
    pub(crate) fn begin_request(&mut self, id: TrackId, number: u64) -> Option<u64> {
        let track = &mut self.tracks[id.index()];
        let (ready, appended) = (track.readiness.ready, track.appended);
        let request = track.readiness.request.as_mut().filter(|request| request.number == number)?;
        if !ready {
            request.state = RequestState::Idle;
        }
        ready.then_some(appended)
    }

    /// The block of a request has returned, before which so much had been appended.
    pub(crate) fn end_request(&mut self, id: TrackId, number: u64, before: u64) {
        let track = &mut self.tracks[id.index()];
        let moved = track.appended != before;
        if let Some(request) = track.readiness.request.as_mut().filter(|request| request.number == number) {
            request.state = if moved { RequestState::Idle } else { RequestState::Parked };
        }
    }

    /// Somebody wants to hear of changes.
    pub(crate) fn observe(&mut self, id: TrackId, what: Observable) {
        let now = observation(&self.tracks[id.index()], what);
        self.tracks[id.index()].readiness.observed[what as usize].notified.get_or_insert(now);
    }

    /// What observers have to hear of next; nothing once they know.
    pub(crate) fn next_observation(&mut self, id: TrackId, what: Observable) -> Option<Observation> {
        let now = observation(&self.tracks[id.index()], what);
        self.tracks[id.index()].readiness.observed[what as usize].next(now)
    }

    /// A future waits until a track may be ready. Answers whether another attempt is worth while at once.
    pub(crate) fn await_readiness(&mut self, id: TrackId) -> bool {
        let readiness = &mut self.tracks[id.index()].readiness;
        readiness.awaits_readiness = true;
        readiness.ready || !self.phase.is_open()
    }

    /// A future waits until it is decided what the next pass is.
    pub(super) fn await_pass(&mut self, id: TrackId) {
        self.tracks[id.index()].readiness.awaits_pass = true;
    }

    /// Somebody wants to hear of each pass; the current one is the first.
    pub(crate) fn respond(&mut self, call: &'static str, id: TrackId) -> Result<(), UsageError> {
        if !self.phase.is_running() || self.phase.is_finishing() {
            return Err(self.phase.wrong_status(call, "writing"));
        }
        let readiness = &mut self.tracks[id.index()].readiness;
        if std::mem::replace(&mut readiness.responds, true) {
            return Err(UsageError { call, mistake: Mistake::SecondRequest });
        }
        self.announce_pass(id);
        Ok(())
    }

    /// Tells of the pass that a track is in now, or that there is none any more (AM-12).
    pub(super) fn announce_pass(&mut self, id: TrackId) {
        let track = &self.tracks[id.index()];
        if track.readiness.responds {
            let description = track.passes.description().cloned();
            self.effects.push(Effect::Call(Call::Pass(id, description)));
        }
    }
}
