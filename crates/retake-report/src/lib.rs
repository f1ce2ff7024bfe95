//! Pages and plots that show how a film was encoded.
//!
//! [`Report`] is what is told, as plain data; [`Report::render`] makes one page of it that needs no network,
//! and [`Report::plot`] a drawing of its timeline. Everything here is a pure function from data to text:
//! whoever fills the report opens the films, and hands their pictures over as files of JPEG.

mod comparison;
mod data;
mod model;
mod page;
mod plot;
mod sentence;
mod text;

pub use comparison::{ComparedFilm, Comparison, MOST_FILMS};
pub use model::{
    Asked, Chapter, Cpu, Group, Histogram, Metric, Moment, Pass, Picture, Rate, Report, State, Take,
    Thumbnail, Unit,
};
pub use page::has_live_charts;
