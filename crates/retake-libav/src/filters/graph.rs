//! A graph of filters that pictures are put into and come out of.
#![allow(unsafe_code)]

use super::chain::Chain;
use super::{FilterError, FilterStep, burn};
use crate::decoder::{Decoded, code};
use crate::failure::{Failure, attempt, attempt_quickly, c_text};
use crate::ffi::{self, Ratio, RawColour, RawGraphInput, RawGraphOutput, RawPlanes};
use crate::film::VideoTrack;
use crate::probe::ratio;
use retake_media::{Colour, PixelBuffer, PixelFormat, Range, Rational};
use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// A graph for pictures of one film.
pub(super) struct Graph {
    graph: NonNull<ffi::RtGraph>,
    /// The format of pictures that are put in.
    from: PixelFormat,
    width: u32,
    height: u32,
    colour: RawColour,
}

// SAFETY: a graph without threads of its own is used by one thread at a time, because all calls take `&mut`,
// and not bound to one thread.
unsafe impl Send for Graph {}

/// What comes out of a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GraphOutput {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) time_base: Rational,
    /// `None` where it is not known.
    pub(super) frame_rate: Option<Rational>,
    pub(super) aspect: Option<Rational>,
}

/// The answer of a graph.
pub(super) enum FromGraph {
    Picture(Decoded),
    /// Another picture must be put in first.
    NotYet,
    End,
}

impl Graph {
    /// Opens a graph for pictures of a film, as it is before filters; `burned` are the texts that a step of
    /// it draws.
    pub(super) fn open(film: &VideoTrack, chain: &Chain, burned: Option<&str>) -> Result<Self, FilterError> {
        let mut chain = chain.clone();
        // Pictures change neither size nor time.
        chain.retain(|(step, _)| *step != FilterStep::Burn || burned.is_some());
        let lost = |detail: String| FilterError::Texts { detail };
        // libass has read it when the graph is open.
        let file = burned.map(burn::temporary).transpose().map_err(|error| lost(error.to_string()))?;
        for (_, text) in chain.iter_mut().filter(|(step, _)| *step == FilterStep::Burn) {
            let step = file.as_ref().and_then(|file| burn::step(file.path()));
            *text = step.ok_or_else(|| lost("the folder of temporary files is not UTF-8".into()))?;
        }
        let texts: Vec<CString> = chain.iter().map(|(_, text)| c_text(text)).collect();
        let parts: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let raw_ratio = |ratio: Rational| Ratio { num: ratio.num, den: ratio.den };
        let colour = raw_colour(&film.colour);
        let input = RawGraphInput {
            picture: code(film.format).expect("films are described in formats that decoders have"),
            width: film.width as i32,
            height: film.height as i32,
            time_base: raw_ratio(film.time_base),
            frame_rate: raw_ratio(film.frame_rate),
            aspect: raw_ratio(film.pixel_aspect_ratio),
            colour,
        };
        let (mut refused, mut graph) = (-1, ptr::null_mut());
        let count = i32::try_from(parts.len()).expect("a chain has a step for each field of its filters");
        // SAFETY: input, texts and the list of them live until the call returns, and the shim copies what it
        // needs; on success the graph is ours.
        attempt(|| unsafe { ffi::rt_graph_open(&input, parts.as_ptr(), count, &mut refused, &mut graph) })
            .map_err(|failure| {
                let known = usize::try_from(refused).ok().and_then(|part| chain.get(part));
                // What only shows when all parts are joined is the fault of the one that nobody has tried.
                let own = chain.iter().find(|(step, _)| *step == FilterStep::Graph);
                match known.or(own).or(chain.first()) {
                    Some((step, text)) => FilterError::Refused {
                        step: *step,
                        text: text.clone(),
                        detail: failure.message().to_owned(),
                    },
                    None => failed(&failure),
                }
            })?;
        let graph = NonNull::new(graph).expect("an opened graph has an address");
        Ok(Self { graph, from: film.format, width: film.width, height: film.height, colour })
    }

    /// Returns what comes out, as far as it is known before any picture.
    pub(super) fn output(&self) -> GraphOutput {
        let mut out = MaybeUninit::<RawGraphOutput>::uninit();
        // SAFETY: the graph is open; the shim fills the whole struct.
        let out = unsafe {
            ffi::rt_graph_output_of(self.graph.as_ptr(), out.as_mut_ptr());
            out.assume_init()
        };
        let positive = |value: Ratio| Some(ratio(value)).filter(|value| value.is_positive());
        GraphOutput {
            width: out.width.unsigned_abs(),
            height: out.height.unsigned_abs(),
            time_base: ratio(out.time_base),
            frame_rate: positive(out.frame_rate),
            aspect: positive(out.aspect),
        }
    }

    /// Puts a picture in; `fields` is 1 for one of two fields whose top field is the earlier one, 2 for the
    /// other order, 0 for a whole one.
    pub(super) fn send(&mut self, picture: &PixelBuffer, fields: i32, pts: i64) -> Result<(), FilterError> {
        assert!(
            (picture.format(), picture.width(), picture.height()) == (self.from, self.width, self.height),
            "pictures have the form of their film before they are filtered"
        );
        let mut planes = RawPlanes {
            data: [ptr::null_mut(); 3],
            stride: [0; 3],
            width: self.width as i32,
            height: self.height as i32,
        };
        for plane in 0..self.from.planes() {
            // The shim only reads.
            planes.data[plane] = picture.plane(plane).as_ptr().cast_mut();
            planes.stride[plane] = picture.geometry(plane).stride as i32;
        }
        let picture = code(self.from).expect("the graph was opened with it");
        // SAFETY: each plane has all rows of a picture of this format and size at its stride (`PixelBuffer`
        // checks that), and lives until the call returns; it is copied, and not written.
        attempt(|| unsafe {
            ffi::rt_graph_send(self.graph.as_ptr(), &planes, picture, &self.colour, fields, pts)
        })
        .map(drop)
        .map_err(|failure| failed(&failure))
    }

    /// Puts in that no picture follows, and that the last one is over at a time.
    pub(super) fn end(&mut self, pts: i64) -> Result<(), FilterError> {
        // SAFETY: the graph is ours.
        attempt(|| unsafe { ffi::rt_graph_end(self.graph.as_ptr(), pts) })
            .map(drop)
            .map_err(|failure| failed(&failure))
    }

    /// Returns the next picture that comes out.
    pub(super) fn receive(&mut self) -> Result<FromGraph, FilterError> {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct; on success its frame is ours.
        match attempt_quickly(|| unsafe { ffi::rt_graph_receive(self.graph.as_ptr(), out.as_mut_ptr()) }) {
            // SAFETY: the call succeeded, so that the struct is filled and its frame is nobody else's.
            Ok(_) => Ok(FromGraph::Picture(unsafe { Decoded::owned(out.assume_init()) })),
            Err(failure) if failure.is_again() => Ok(FromGraph::NotYet),
            Err(failure) if failure.is_end() => Ok(FromGraph::End),
            Err(failure) => Err(failed(&failure)),
        }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the graph is ours, and this is its last use; pictures that are still alive hold their
        // memory themselves.
        unsafe { ffi::rt_graph_close(self.graph.as_ptr()) };
    }
}

/// Returns whether this FFmpeg has a filter.
pub(super) fn has(filter: &str) -> bool {
    let filter = c_text(filter);
    // SAFETY: the name lives until the call returns, which looks it up in constant tables.
    unsafe { ffi::rt_graph_has(filter.as_ptr()) != 0 }
}

fn failed(failure: &Failure) -> FilterError {
    FilterError::Failed { detail: failure.message().to_owned() }
}

fn raw_colour(colour: &Colour) -> RawColour {
    RawColour {
        primaries: colour.primaries.into(),
        transfer: colour.transfer.into(),
        matrix: colour.matrix.into(),
        // What nobody states is what it is taken for everywhere else.
        range: if colour.range == Range::Full { 2 } else { 1 },
        chroma_location: colour.chroma_location.into(),
    }
}
