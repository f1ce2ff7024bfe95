//! Transfers between pictures (spec 13), against plain references in floating point.

mod attachments;
mod colours;
mod geometry;
mod light;
mod pictures;
mod repacking;
