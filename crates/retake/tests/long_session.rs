//! What a long session costs: nothing that grows with its length. A process of its own, so that nothing else grows in it.

#![allow(clippy::unwrap_used)]

use retake::property::{Property, PropertyKey};
use retake::session::CompressionSession;
use retake::{FrameOptions, PixelBufferAttributes, Time};

/// Bytes of memory that this process holds.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// PB-5, PB-16, PB-18, EF-12: 10,000 frames at 320×180 through the session's own pool allocate no picture after the first few, and the
/// process does not grow.
#[test]
fn ten_thousand_frames_allocate_nothing_that_grows() {
    let registry = retake::encoders();
    let Some(info) = registry.encoders().find(|info| info.name == "x264") else {
        eprintln!("SKIPPED: no x264 in this build, and others would take minutes");
        return;
    };
    let session = CompressionSession::<usize>::builder(&registry, 320, 180, info.codec)
        .encoder(info.name)
        .source_attributes(PixelBufferAttributes::default())
        .on_output(|outcome| assert!(outcome.sample().is_some()))
        .build()
        .unwrap();
    session.set_all(&[Property::EncoderPreset("ultrafast".to_owned()), Property::ThreadCount(1)]).unwrap();
    let pool = session.pixel_buffer_pool().unwrap();
    let (mut allocated, mut held) = (0, None);
    for index in 0..10_000 {
        assert!(session.pixel_buffer_pool().unwrap().is_same(&pool));
        let mut buffer = pool.create_buffer().unwrap();
        for plane in 0..buffer.format().planes() {
            buffer.plane_mut(plane).fill((index % 200) as u8 + 16);
        }
        let pts = Time::new(index as i64, 25);
        session.encode(&buffer.freeze(), pts, Time::new(1, 25), FrameOptions::default(), index).unwrap();
        if index == 1000 {
            (allocated, held) = (pool.allocations(), resident());
        }
    }
    session.complete_frames(Time::INVALID).unwrap();
    // the queue may be fuller at one time than at another, but never fuller than it gets
    assert!(pool.allocations() <= allocated.max(8), "{} after {allocated}", pool.allocations());
    if let (Some(before), Some(after)) = (held, resident()) {
        println!("{before} bytes after 1,000 frames, {after} after 10,000");
        assert!(after < before + (8 << 20), "{before} bytes became {after}");
    }
    assert_eq!(session.get(PropertyKey::NumberOfPendingFrames).unwrap(), Some(0.into()));
}
