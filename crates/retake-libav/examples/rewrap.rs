//! Writes a film anew without encoding: `rewrap FROM TO`. The video's samples go through [`FilmWriter`], all other tracks are copied.

use retake_libav::{Container, FilmWriter, SampleReader, WriterSettings, probe, time_to_ticks};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: rewrap FROM TO");
        return ExitCode::from(2);
    };
    match rewrap(Path::new(from), Path::new(to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn rewrap(from: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let info = probe(from)?;
    let mut reader = SampleReader::open(&info)?;
    let mut samples = Vec::new();
    while let Some(sample) = reader.next()? {
        samples.push(sample);
    }
    // rule T-2: decode times are the presentation times in order
    let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
    times.sort();
    let mut max_reorder = 0;
    for (sample, dts) in samples.iter_mut().zip(times) {
        sample.dts = dts;
        let early = time_to_ticks(dts.subtract(sample.pts), info.video.time_base).unwrap_or(0);
        max_reorder = max_reorder.max(early);
    }
    let (mut writer, notes) = FilmWriter::create(&WriterSettings {
        path: to,
        container: Container::from_path(to)?,
        format: reader.format(),
        time_base: info.video.time_base,
        frame_rate: info.video.frame_rate,
        start: info.start,
        max_reorder,
        display_matrix: info.video.display_matrix,
        copy_from: Some(&info),
        fast_start: true,
        encoder: "rewrap",
    })?;
    for sample in &samples {
        writer.write(sample)?;
    }
    let written = writer.finish()?;
    for note in notes.iter().chain(&written.notes) {
        println!("{note}");
    }
    println!("{} bytes, {} samples, {} packets", written.bytes, written.samples, written.copied_packets);
    Ok(())
}
