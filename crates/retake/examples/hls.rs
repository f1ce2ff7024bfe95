//! Encodes generated pictures as a live source would bring them, and writes what HTTP Live Streaming needs:
//! segments and their playlist.
//!
//!     cargo run --example hls -- folder

mod common;

use common::{Answer, LONG, arguments};
use retake::asset::{
    AssetWriter, AssetWriterInput, PixelBufferAdaptor, SegmentKind, SegmentProfile, SegmentReport,
    VideoSettings,
};
use retake::property::Property;
use retake::{Codec, PixelBufferAttributes, PixelFormat, Time};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const FRAMES: i64 = 240;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let folder = PathBuf::from(arguments.first().map_or("hls", String::as_str));
    fs::create_dir_all(&folder)?;
    let mut stream = Stream { folder, playlist: String::new(), segments: 0 };
    let writer =
        AssetWriter::segments(SegmentProfile::AppleHls, move |data: Vec<u8>, report: &SegmentReport| {
            if let Err(error) = stream.add(&data, report) {
                eprintln!("a segment is lost: {error}");
            }
        });
    writer.configure(|options| {
        options.preferred_output_segment_interval = Some(Time::new(2, 1));
        options.initial_segment_start_time = Some(Time::ZERO);
    })?;
    let mut settings = VideoSettings::new(Codec::H264, 640, 360);
    // a segment can end where a sync frame is
    settings.properties = vec![Property::AverageBitRate(800_000), Property::MaxKeyFrameInterval(48)];
    let input = AssetWriterInput::video(&settings, &retake::encoders())?;
    let adaptor =
        PixelBufferAdaptor::new(&input, Some(PixelBufferAttributes::of(PixelFormat::I420, 640, 360)))?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(Time::ZERO)?;
    for index in 0..FRAMES {
        if !input.wait_until_ready(LONG) {
            break; // it has failed: finishing says why
        }
        let mut picture = adaptor.pool().ok_or("no pool")?.take();
        for plane in 0..3 {
            picture.plane_mut(plane).fill(128);
        }
        for row in 0..360 {
            picture.row_mut(0, row).fill((row as i64 + index * 2) as u8);
        }
        adaptor.append(picture.freeze(), Time::new(index, 24))?;
    }
    writer.finish_writing_and_wait()?;
    Ok(())
}

struct Stream {
    folder: PathBuf,
    playlist: String,
    segments: u32,
}

impl Stream {
    /// Writes a segment, then the playlist that names it: a player never reads of what is not there.
    fn add(&mut self, data: &[u8], report: &SegmentReport) -> Answer {
        if report.kind == SegmentKind::Initialization {
            fs::write(self.folder.join("init.mp4"), data)?;
            self.playlist =
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"init.mp4\"\n".into();
            return Ok(());
        }
        let name = format!("{}.m4s", self.segments);
        self.segments += 1;
        fs::write(self.folder.join(&name), data)?;
        let seconds = report.tracks.first().map_or(0.0, |track| track.duration.seconds());
        writeln!(self.playlist, "#EXTINF:{seconds:.3},\n{name}")?;
        let playlist: &Path = &self.folder.join("stream.m3u8");
        fs::write(playlist, format!("{}#EXT-X-ENDLIST\n", self.playlist))?;
        Ok(())
    }
}
