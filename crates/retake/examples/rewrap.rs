//! Writes a film anew without encoding: `rewrap FROM TO`. The video's samples go through an input, all other tracks are copied beside it.

use retake::asset::{AssetWriter, AssetWriterInput, Container};
use retake_libav::{TrackReader, probe};
use std::path::Path;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        return Err("usage: rewrap FROM TO".into());
    };
    let info = probe(Path::new(from))?;
    let mut reader = TrackReader::open(&info, info.video.index)?;
    let mut samples = Vec::new();
    while let Some(sample) = reader.next()? {
        samples.push(sample);
    }
    // not every container knows when samples are decoded: in the order of the times at which they are shown
    let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
    times.sort();
    samples.iter_mut().zip(times).for_each(|(sample, time)| sample.dts = time);
    let writer = AssetWriter::new(to, Container::from_path(Path::new(to))?);
    writer.configure(|options| {
        options.fast_start = true;
        options.other_tracks = Some(info.clone().into());
    })?;
    let input = AssetWriterInput::passthrough(reader.format().clone());
    input.configure(|options| {
        options.frame_rate = Some(info.video.frame_rate);
        options.transform = info.video.display_matrix;
    })?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(info.start)?;
    for sample in samples {
        if !input.wait_until_ready(Duration::from_secs(60)) {
            break; // it has failed: finishing says why
        }
        input.append(sample)?;
    }
    writer.finish_writing_and_wait()?;
    writer.notes().iter().for_each(|note| println!("{note}"));
    Ok(())
}
