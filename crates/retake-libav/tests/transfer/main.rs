//! Transfers between pictures (spec 13) are compared with plain references in floating point.

mod attachments;
mod colours;
mod geometry;
mod light;
mod pictures;
mod repacking;
