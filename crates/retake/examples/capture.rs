//! A camera that is not there: pictures come at 30 a second, and each has to be out before long.
//! `capture [SECONDS]`.
//!
//! Shows a session with a handler, the session's own pool, hints for real time, and a rate that follows the
//! network.

mod common;

use common::{Answer, arguments};
use retake::SourceFrame;
use retake::property::Property;
use retake::session::{CompressionSession, Emission, EncodedOutcome};
use retake::{Codec, PixelBuffer, PixelBufferAttributes, PixelBufferPool, Time};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const RATE: i32 = 30;

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let seconds: i64 = arguments.first().map_or(Ok(3), |word| word.parse())?;
    let (send, outcomes) = mpsc::channel();
    // the token of each frame is the instant at which it was shot
    let session = CompressionSession::builder(&retake::encoders(), 640, 360, Codec::H264)
        .source_attributes(PixelBufferAttributes::default())
        .on_output(move |outcome: EncodedOutcome<Instant>| {
            let late = outcome.token.elapsed();
            // nobody listens any more when the program ends
            let _ = send.send((late, outcome.result));
        })
        .build()?;
    session.set_all(&[
        Property::RealTime(true),
        Property::ExpectedFrameRate(RATE.into()),
        Property::AverageBitRate(800_000),
        Property::MaxKeyFrameIntervalDuration(2.0),
    ])?;
    session.prepare()?;
    let pool = session.pixel_buffer_pool().ok_or("the session has no pool")?;

    let began = Instant::now();
    for index in 0..seconds * i64::from(RATE) {
        let due = Duration::from_secs_f64(index as f64 / f64::from(RATE));
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        if index == seconds * i64::from(RATE) / 2 {
            // the network has become narrow: from the next frame on
            session.set(Property::AverageBitRate(300_000))?;
        }
        let picture = shoot(&pool, index)?;
        let (pts, duration) = (Time::new(index, RATE), Time::new(1, RATE));
        session.encode(SourceFrame::new(&picture, pts).duration(duration), Instant::now())?;
    }
    session.complete_frames()?;
    drop(session);

    let (mut bytes, mut dropped, mut worst) = (0, 0, Duration::ZERO);
    for (late, result) in outcomes {
        worst = worst.max(late);
        match result? {
            Emission::Sample { buffer, .. } => bytes += buffer.sample.data.len(),
            Emission::Dropped => dropped += 1,
        }
    }
    println!("{bytes} bytes, {dropped} frames dropped, the latest {worst:?} after it was shot");
    Ok(())
}

/// A picture of moving stripes.
fn shoot(pool: &PixelBufferPool, index: i64) -> Answer<PixelBuffer> {
    let mut buffer = pool.create_buffer()?;
    for plane in 0..buffer.format().planes() {
        let rows = if plane == 0 { buffer.height() } else { buffer.height().div_ceil(2) };
        for row in 0..rows as usize {
            for (column, sample) in buffer.row_mut(plane, row).iter_mut().enumerate() {
                *sample = 64 + ((column + row / 2 + index as usize * 3) / 8 % 16 * 8) as u8;
            }
        }
    }
    Ok(buffer.freeze())
}
