//! What makes a writer's state run: its lock, the thread that stores, the threads that end passes, encoders,
//! and the code of clients, which is called when the lock is free.

pub(crate) mod clients;
pub(crate) mod encoder;
mod plan;
pub(crate) mod queue;
pub(crate) mod shell;
pub(crate) mod store;
mod task;
