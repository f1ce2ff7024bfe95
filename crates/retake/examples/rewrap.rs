//! Writes a film anew without encoding: `rewrap FROM TO`. The video's samples go through an input, all other
//! tracks are copied beside it.

mod common;

use common::{Answer, From, arguments, write};
use retake::source::{TrackReader, probe};
use std::path::Path;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let [from, to] = arguments else {
        return Err("usage: rewrap FROM TO".into());
    };
    let info = probe(Path::new(from))?;
    let mut reader = TrackReader::open(&info, info.video.index)?;
    let mut samples = Vec::new();
    while let Some(sample) = reader.next()? {
        samples.push(sample);
    }
    // Not every container knows when samples are decoded: that is in the order of the times at which they are
    // shown.
    let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
    times.sort();
    samples.iter_mut().zip(times).for_each(|(sample, time)| sample.dts = time);
    write(Path::new(to), reader.format().clone(), samples, From::Film(&info))
}
