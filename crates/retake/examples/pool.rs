//! A bounded number of pictures: a producer that waits for a free buffer instead of making the process grow.
//!
//! Shows the pool of a session under a threshold, and the notice that a buffer has come back.

mod common;

use common::Answer;
use retake::SourceFrame;
use retake::session::CompressionSession;
use retake::{Codec, PixelBufferAttributes, Time};
use std::sync::mpsc;

/// Pictures that there are at most, the session's queue included.
const MOST: usize = 4;

fn main() -> Answer {
    run(&[])
}

/// What the program does; it takes no arguments.
pub(crate) fn run(_: &[String]) -> Answer {
    let session = CompressionSession::builder(&retake::encoders(), 640, 360, Codec::H264)
        .source_attributes(PixelBufferAttributes::default())
        .on_output(|outcome| {
            println!("{}: {}", outcome.pts, outcome.sample().map_or(0, |s| s.sample.data.len()))
        })
        .build()?;
    let pool = session.pixel_buffer_pool().ok_or("the session has no pool")?;
    let (free, freed) = mpsc::channel();
    // nobody waits any more when the program ends
    let _observer = pool.on_free_buffer(move || {
        let _ = free.send(());
    });
    for index in 0..100 {
        let mut buffer = loop {
            match pool.create_buffer_within(MOST) {
                Ok(buffer) => break buffer,
                // all are on their way through the session: one will come back
                Err(retake::PixelBufferError::WouldExceedAllocationThreshold { .. }) => freed.recv()?,
                Err(error) => return Err(error.into()),
            }
        };
        for plane in 0..buffer.format().planes() {
            buffer.plane_mut(plane).fill(96 + index as u8);
        }
        session.encode(
            SourceFrame::new(&buffer.freeze(), Time::new(index, 25)).duration(Time::new(1, 25)),
            (),
        )?;
    }
    session.complete_frames()?;
    println!("{} pictures were allocated", pool.allocations());
    Ok(())
}
