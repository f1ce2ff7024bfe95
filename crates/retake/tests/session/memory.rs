//! Which memory a session hands to its encoder: shared means the client's own, with no copy between.

use crate::common::{STEP, at, ffmpeg};
use crate::recorder::{address, recording};
use retake::SourceFrame;
use retake::property::PropertyKey;
use retake::{PixelBufferAttributes, PixelFormat};
use std::process::Command;

/// PB-15, table 12.4: buffers of a shared pool reach the encoder as they are, whatever their layout; those of
/// one that is not shared are converted into memory of the session's own. However many are sent, no more
/// buffers are made than are in use at once.
#[test]
fn a13_a_shared_pool_means_no_copy() {
    use PixelFormat::{Bgra, I420, I420Full, Nv12, Nv12Full};
    for (format, shared) in [(I420, true), (I420Full, true), (Nv12, true), (Nv12Full, true), (Bgra, false)] {
        let source = PixelBufferAttributes { formats: vec![format], ..Default::default() };
        let (session, outcomes, log) = recording(|_, _, _| 100, (176, 144), Some(source));
        assert_eq!(session.get(PropertyKey::PixelBufferPoolIsShared).unwrap(), Some(shared.into()));
        let pool = session.pixel_buffer_pool().unwrap();
        let mut sent = Vec::new();
        for index in 0..60 {
            let mut buffer = pool.create_buffer().unwrap();
            for plane in 0..format.planes() {
                buffer.plane_mut(plane).fill(128);
            }
            let picture = buffer.freeze();
            sent.push(address(&picture));
            session.encode(SourceFrame::new(&picture, at(index)).duration(STEP), index).unwrap();
        }
        session.complete_frames().unwrap();
        assert_eq!(std::iter::from_fn(|| outcomes.try_receive()).count(), 60);
        let log = log.lock().unwrap();
        let seen: Vec<_> = log.pictures.iter().map(|(address, _)| address.clone()).collect();
        assert_eq!(seen == sent, shared, "{format:?}");
        assert_eq!(log.opened.len(), 1);
        assert!(log.pictures.iter().all(|(_, taken)| shared == taken.same_layout(format)), "{format:?}");
        // the queue, the frame that is encoded, and the one that is filled
        assert!(pool.allocations() <= 8, "{format:?}: {} buffers for 60 frames", pool.allocations());
        if !shared {
            let mut own: Vec<_> = seen.into_iter().flatten().collect();
            own.sort_unstable();
            own.dedup();
            assert!(own.len() <= 3 * 2, "the session's own buffers are used again: {}", own.len());
        }
    }
}

/// The issue's own words: frames of a decoder flow into the encoder without a copy when formats agree.
#[test]
fn decoded_frames_reach_the_encoder_as_they_are() {
    if !ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mkv");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24", "-t", "2"])
        .args(["-c:v", "ffv1", "-pix_fmt", "yuv420p"])
        .arg(&film)
        .status()
        .unwrap();
    assert!(made.success());
    let info = retake_libav::probe(&film).unwrap();
    let options = retake_libav::ReaderOptions { format: info.video.format, threads: 1 };
    let mut reader = retake_libav::FrameReader::open(&info, options).unwrap();
    let (session, _outcomes, log) = recording(|_, _, _| 100, (320, 180), None);
    let mut decoded = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        decoded.push(address(&frame.picture));
        let index = decoded.len() - 1;
        session.encode(SourceFrame::new(&frame.picture, at(index)).duration(STEP), index).unwrap();
    }
    session.complete_frames().unwrap();
    let seen: Vec<_> = log.lock().unwrap().pictures.iter().map(|(address, _)| address.clone()).collect();
    assert_eq!(decoded.len(), 48);
    assert_eq!(seen, decoded);
}
