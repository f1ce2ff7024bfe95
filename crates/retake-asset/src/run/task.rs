//! The threads of tracks: each does the tasks of one track, as long as there are any.

use super::shell::Shared;
use crate::state::track::TrackId;
use crate::types::error::WriterError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

/// Starts a thread that does the tasks of a track.
pub(super) fn spawn(shared: Arc<Shared>, id: TrackId) {
    let own = shared.clone();
    let spawned = thread::Builder::new().name("retake input".into()).spawn(move || run(&own, id));
    if let Err(error) = spawned {
        let file = shared.look(|state| state.destination().file.clone());
        shared.change(|state| state.not_spawned(id, WriterError::io(file)(error)));
    }
}

fn run(shared: &Arc<Shared>, id: TrackId) {
    while let Some((task, encoder)) = shared.change_with(|state, clients| {
        let task = state.next_task(id)?;
        Some((task, clients.tracks[id.index()].encoder.clone()))
    }) {
        let Some(encoder) = encoder else { continue };
        // an encoder that panics must not leave everybody waiting
        if catch_unwind(AssertUnwindSafe(|| encoder.run(task, shared, id))).is_err() {
            shared.change(|state| state.tasks_failed(id, WriterError::Panicked("the encoder of an input")));
        }
    }
}
