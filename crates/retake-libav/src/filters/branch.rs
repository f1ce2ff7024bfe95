//! A graph of filters, and the way from what comes out of it to the pictures of a reader. Pictures of
//! subtitles are laid over on the way; the filters that come behind that are a graph of their own.

use super::chain::Chain;
use super::graph::{FromGraph, Graph};
use super::overlay::Overlay;
use super::settled::order;
use super::{FilterError, FilterStep, Filtered};
use crate::decoder::{Decoded, Scaler};
use crate::failure::Failure;
use crate::film::VideoTrack;
use crate::probe::colour;
use retake_media::{Colour, Fields, PixelBuffer, PixelFormat};

/// A graph, or two with a drawing between them.
pub(super) struct Branch {
    graph: Graph,
    /// The words of the graphs, to open them again.
    chain: Chain,
    drawing: Option<Drawing>,
    outlet: Outlet,
    /// When the last picture is over, once that is known, on the clock of what comes out.
    over: i64,
}

/// What is drawn into the pictures of a graph, and the filters behind that.
struct Drawing {
    overlay: Overlay,
    outlet: Outlet,
    behind: Option<Behind>,
}

/// A graph that takes what was drawn into.
struct Behind {
    graph: Graph,
    chain: Chain,
    film: VideoTrack,
    ended: bool,
}

/// Makes pictures of a reader of what comes out of a graph.
struct Outlet {
    to: PixelFormat,
    /// Converts as decoded frames are where there are no filters.
    scaler: Option<Scaler>,
    width: u32,
    height: u32,
    matrix: u8,
}

/// The answer of a branch.
pub(super) enum FromBranch {
    /// A picture, and when it is shown on the clock of the graph.
    Picture(PixelBuffer, i64),
    /// Another picture must be put in first.
    NotYet,
    End,
}

impl Branch {
    /// Opens the graphs of a chain, which give out pictures of a size in a format.
    pub(super) fn open(
        filtered: &Filtered,
        chain: Chain,
        (width, height): (u32, u32),
        to: PixelFormat,
        matrix: u8,
    ) -> Result<Self, FilterError> {
        let outlet = |to, (width, height)| Outlet { to, scaler: None, width, height, matrix };
        let place = chain.iter().position(|(step, _)| *step == FilterStep::Burn);
        let Some(place) = place.filter(|_| filtered.pictures().is_some()) else {
            let graph = Graph::open(filtered.source(), &chain, filtered.texts())?;
            return Ok(Self { graph, chain, drawing: None, outlet: outlet(to, (width, height)), over: 0 });
        };
        // Both graphs end with the step that makes the format.
        let mut before = chain[..place].to_vec();
        before.extend(chain.last().cloned());
        let graph = Graph::open(filtered.source(), &before, None)?;
        let out = graph.output();
        let size = (out.width, out.height);
        let overlay = Overlay::new(filtered.stage(size)?);
        let rest = chain[place + 1..].to_vec();
        let (format, behind) = match rest.len() {
            0 | 1 => (to, None),
            _ => {
                let format = filtered.end_format(to);
                let source = filtered.source();
                let film = VideoTrack {
                    width: out.width,
                    height: out.height,
                    format,
                    time_base: out.time_base,
                    frame_rate: out.frame_rate.unwrap_or(source.frame_rate),
                    pixel_aspect_ratio: out.aspect.unwrap_or(source.pixel_aspect_ratio),
                    ..source.clone()
                };
                let graph = Graph::open(&film, &rest, None)?;
                (format, Some(Behind { graph, chain: rest, film, ended: false }))
            }
        };
        let drawing = Some(Drawing { overlay, outlet: outlet(format, size), behind });
        Ok(Self { graph, chain: before, drawing, outlet: outlet(to, (width, height)), over: 0 })
    }

    /// Begins anew, as must happen after a seek.
    pub(super) fn restart(&mut self, filtered: &Filtered) -> Result<(), FilterError> {
        let texts = filtered.texts().filter(|_| self.drawing.is_none());
        self.graph = Graph::open(filtered.source(), &self.chain, texts)?;
        if let Some(Drawing { behind: Some(behind), .. }) = &mut self.drawing {
            behind.graph = Graph::open(&behind.film, &behind.chain, None)?;
            behind.ended = false;
        }
        Ok(())
    }

    /// Puts in a picture of the source, with its time on the clock of the graph.
    pub(super) fn send(
        &mut self,
        picture: &PixelBuffer,
        fields: Option<Fields>,
        pts: i64,
    ) -> Result<(), FilterError> {
        self.graph.send(picture, order(fields), pts)
    }

    /// Puts in that no picture follows, and that the last one is over at a time.
    pub(super) fn end(&mut self, filtered: &Filtered, over: i64) -> Result<(), FilterError> {
        self.over = filtered.out_ticks(over);
        self.graph.end(over)
    }

    /// Returns the next picture that comes out.
    pub(super) fn receive(&mut self, filtered: &Filtered) -> Result<FromBranch, FilterError> {
        loop {
            if let Some(Drawing { behind: Some(behind), .. }) = &mut self.drawing {
                match behind.graph.receive()? {
                    FromGraph::Picture(decoded) => {
                        let pts = decoded.pts().ok_or(FilterError::Times)?;
                        return Ok(FromBranch::Picture(self.outlet.picture(decoded)?, pts));
                    }
                    FromGraph::End => return Ok(FromBranch::End),
                    FromGraph::NotYet => {}
                }
            }
            let decoded = match (self.graph.receive()?, &mut self.drawing) {
                (FromGraph::Picture(decoded), _) => decoded,
                (FromGraph::NotYet, _) => return Ok(FromBranch::NotYet),
                (FromGraph::End, Some(Drawing { behind: Some(behind), .. })) if !behind.ended => {
                    behind.ended = true;
                    behind.graph.end(self.over)?;
                    continue;
                }
                (FromGraph::End, _) => return Ok(FromBranch::End),
            };
            let pts = decoded.pts().ok_or(FilterError::Times)?;
            let (Some(drawing), Some(cues)) = (&mut self.drawing, filtered.pictures()) else {
                return Ok(FromBranch::Picture(self.outlet.picture(decoded)?, pts));
            };
            let (tags, fields) = (tags(&decoded), decoded.raw().interlaced);
            let picture = drawing.outlet.picture(decoded)?;
            let picture = drawing.overlay.draw(cues, picture, tags, pts, filtered.time_base)?;
            match &mut drawing.behind {
                Some(behind) => behind.graph.send(&picture, fields, pts)?,
                None => return Ok(FromBranch::Picture(picture, pts)),
            }
        }
    }
}

/// Returns what the samples of a picture mean.
fn tags(decoded: &Decoded) -> Colour {
    let raw = decoded.raw();
    colour(raw.colour, raw.colour, &raw.pixels, raw.height)
}

impl Outlet {
    /// Returns what came out of the graph in the reader's format.
    fn picture(&mut self, decoded: Decoded) -> Result<PixelBuffer, FilterError> {
        let size = (i64::from(decoded.raw().width), i64::from(decoded.raw().height));
        if size != (i64::from(self.width), i64::from(self.height)) {
            return Err(FilterError::Sizes);
        }
        let decoded = match decoded.into_picture(self.to, self.width, self.height) {
            Ok(picture) => return Ok(picture),
            Err(decoded) => decoded,
        };
        let failed = |failure: Failure| FilterError::Failed { detail: failure.message().to_owned() };
        let scaler = match &mut self.scaler {
            Some(scaler) => scaler,
            none => none.insert(Scaler::open().map_err(failed)?),
        };
        scaler.convert(&decoded, self.to, self.width, self.height, self.matrix).map_err(failed)
    }
}
