//! What a long session costs: nothing that grows with its length. A process of its own, so that nothing else
//! allocates in it.

#![allow(clippy::unwrap_used, unsafe_code)]

use retake::SourceFrame;
use retake::property::{Property, PropertyKey};
use retake::session::CompressionSession;
use retake::{PixelBufferAttributes, PixelFormat, Time};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Half of a picture: nothing but pictures is as large.
const LARGE: usize = 320 * 180 * 3 / 4;

/// Bytes of this program that are allocated and not given back, and how often as much as a picture was asked
/// for.
static LIVE: AtomicU64 = AtomicU64::new(0);
static PICTURES: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: all is left to the system's allocator; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Relaxed);
        PICTURES.fetch_add(u64::from(layout.size() >= LARGE), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of memory that this process holds, those of the libraries included.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// PB-5, PB-16, PB-18, EF-12: of 10,000 frames at 320×180 through the session's own pool, none after the
/// first 1,000 allocates a picture, here or in the pool, and neither the session's memory nor the process
/// grows. With buffers that the encoder takes as they are, and with buffers that are converted.
#[test]
fn ten_thousand_frames_allocate_nothing_that_grows() {
    let registry = retake::encoders();
    let Some(info) = registry.encoders().find(|info| info.name == "x264") else {
        eprintln!("SKIPPED: no x264 in this build, and others would take minutes");
        return;
    };
    for format in [PixelFormat::Nv12, PixelFormat::Bgra] {
        let attributes = PixelBufferAttributes { formats: vec![format], ..Default::default() };
        let session = CompressionSession::<usize>::builder(&registry, 320, 180, info.codec)
            .encoder(info.name)
            .source_attributes(attributes)
            .on_output(|outcome| assert!(outcome.sample().is_some()))
            .build()
            .unwrap();
        session
            .set_all(&[Property::EncoderPreset("ultrafast".to_owned()), Property::ThreadCount(1)])
            .unwrap();
        let pool = session.pixel_buffer_pool().unwrap();
        let shared = session.get(PropertyKey::PixelBufferPoolIsShared).unwrap();
        assert_eq!(shared, Some((format == PixelFormat::Nv12).into()));
        let (mut allocated, mut pictures, mut live, mut held) = (0, 0, 0, None);
        for index in 0..10_000 {
            assert!(session.pixel_buffer_pool().unwrap().is_same(&pool));
            let mut buffer = pool.create_buffer().unwrap();
            for plane in 0..buffer.format().planes() {
                buffer.plane_mut(plane).fill((index % 200) as u8 + 16);
            }
            let pts = Time::new(index as i64, 25);
            session
                .encode(SourceFrame::new(&buffer.freeze(), pts).duration(Time::new(1, 25)), index)
                .unwrap();
            if index == 1000 {
                session.complete_frames_until(pts).unwrap();
                (allocated, pictures) = (pool.allocations(), PICTURES.load(Relaxed));
                (live, held) = (LIVE.load(Relaxed), resident());
            }
        }
        session.complete_frames().unwrap();
        let grown = LIVE.load(Relaxed).saturating_sub(live);
        println!(
            "{format:?}: {allocated} pictures in the pool, {} later; {} large allocations later; {grown} bytes more",
            pool.allocations(),
            PICTURES.load(Relaxed) - pictures
        );
        // the queue may be fuller at one time than at another, but never fuller than it gets
        let most = allocated.max(8);
        assert!(pool.allocations() <= most, "{} after {allocated}", pool.allocations());
        assert!(PICTURES.load(Relaxed) - pictures <= most - allocated);
        assert!(grown < 64 << 10, "{grown} bytes are held for 9,000 frames");
        if let (Some(before), Some(after)) = (held, resident()) {
            println!("{before} bytes resident after 1,000 frames, {after} after 10,000");
            assert!(after < before + (4 << 20), "{before} bytes became {after}");
        }
        assert_eq!(session.get(PropertyKey::NumberOfPendingFrames).unwrap(), Some(0.into()));
    }
}
