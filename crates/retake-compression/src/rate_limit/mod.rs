//! Limits of a rate: no window of so many seconds of decode time holds more than so many bytes.
//!
//! A limit is a hard cap. Wherever a window of its length is laid over the samples of a film, in decode time
//! and across the joins of passes, takes and parts, the samples in it together are at most 1.0 times the
//! limit. A window begins with a sample, which is in it, and ends just before the instant that lies the
//! limit's seconds later.
//!
//! ```text
//!  limits ──vbv──► what an encoder that has a buffer is told
//!     │
//!     ├──cap (window, margins)──► one encode: what does not fit is encoded again, coarser
//!     ├──plan──► a film of units: which of them have to be coarser in the next pass
//!     └──report──► a finished film: which windows break a limit
//! ```

mod buffer;
mod cap;
mod floor;
mod margins;
mod plan;
mod report;
mod vbv;
mod window;

pub use buffer::{Held, dry, fullness, held};
pub use cap::{CapRules, CapState, HoldBack, Open, RateCapped, Unfit};
pub use margins::{PartEnd, PartMargins};
pub use plan::{Caps, coarser, finest_within_limits, keep_limits};
pub use report::{LimitReport, Violation};
pub use vbv::VbvOf;
pub use window::{RateWindow, TimedBytes, fullest, overfull, samples_before};
