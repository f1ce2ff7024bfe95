//! Takes: what identifies them, who runs them, how one is run, and where the finished ones are kept.

pub(crate) mod dispatch;
pub(crate) mod encode;
pub(crate) mod executor;
pub(crate) mod feedback;
pub(crate) mod finished;
pub(crate) mod identity;
pub(crate) mod memory;
pub(crate) mod probe;
pub(crate) mod queue;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod threads;
