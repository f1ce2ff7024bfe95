//! What encoders keep in the storage for later passes.

use super::{FRAMES, film, send};
use crate::common::{self, decode, ffmpeg};
use retake::property::Property;
use retake::session::{CompressionSession, NextPass, PassOptions};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{
    Encoder, EncoderFactory, EncoderInfo, FormatDescription, FrameOptions, PixelBuffer, Registry,
    SampleBuffer, Time,
};
use retake_compression::encoder::{EncoderData, EncoderError, EncoderSettings, Output};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What went between encodes and the storage.
#[derive(Default)]
struct Seen {
    offered: AtomicUsize,
    found: AtomicUsize,
}

impl Seen {
    /// How often data was offered and how often found, since it was asked last.
    fn take(&self) -> (usize, usize) {
        (self.offered.swap(0, Ordering::Relaxed), self.found.swap(0, Ordering::Relaxed))
    }
}

/// An encoder that is watched, or that knows nothing of data.
struct Watched {
    inner: Arc<dyn EncoderFactory>,
    info: EncoderInfo,
    seen: Option<Arc<Seen>>,
}

impl EncoderFactory for Watched {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn memory(&self, settings: &EncoderSettings) -> u64 {
        self.inner.memory(settings)
    }

    fn delay(&self, settings: &EncoderSettings) -> u32 {
        self.inner.delay(settings)
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        Ok(Box::new(WatchedEncode { inner: self.inner.open(settings)?, seen: self.seen.clone() }))
    }
}

struct WatchedEncode {
    inner: Box<dyn Encoder>,
    seen: Option<Arc<Seen>>,
}

impl Encoder for WatchedEncode {
    fn format(&self) -> &FormatDescription {
        self.inner.format()
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        options: FrameOptions,
    ) -> Result<(), EncoderError> {
        self.inner.send(picture, pts, duration, options)
    }

    fn offer(&mut self, data: &EncoderData) {
        if let Some(seen) = &self.seen {
            seen.offered.fetch_add(1, Ordering::Relaxed);
            self.inner.offer(data);
        }
    }

    fn data(&mut self) -> Option<EncoderData> {
        let seen = self.seen.as_ref()?;
        let found = self.inner.data()?;
        seen.found.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.inner.finish()
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        self.inner.receive()
    }
}

/// A session of passes over everything, with a storage that is kept.
fn session(factory: Watched, path: &Path) -> (common::Pull, Arc<MultiPassStorage>) {
    let (codec, info) = (factory.info.codec, factory.info.clone());
    let mut registry = Registry::new();
    registry.add(Arc::new(factory));
    let pull =
        CompressionSession::builder(&registry, common::WIDTH, common::HEIGHT, codec).build_pull().unwrap();
    pull.0.set_all(&common::usual(&info)).unwrap();
    pull.0.set_all(&[Property::AverageBitRate(super::RATE), Property::MaxKeyFrameInterval(24)]).unwrap();
    let kept = StorageOptions { do_not_delete: true, ..StorageOptions::default() };
    let storage = MultiPassStorage::create(Some(path), &kept).unwrap();
    let whole = PassOptions { most: 4, whole_source: true, request_once: true };
    pull.0.set_multi_pass_storage(Some(&storage), whole).unwrap();
    (pull, storage)
}

/// ST-5, MP-3, MP-25: what the encoder's own first pass found out of a unit is found out once, for all later
/// passes and for all encodes of a unit until it takes its bytes, in this session and in one that goes on
/// with its storage; and samples are the same as where nothing is kept. What is kept of another version of
/// the encoder changes nothing.
#[test]
fn a_first_pass_of_the_encoder_is_made_once_for_each_unit() {
    let (frames, folder) = (film(), tempfile::tempdir().unwrap());
    let inner: Vec<Arc<dyn EncoderFactory>> = common::encoders()
        .iter()
        .filter(|info| info.controls.first_pass)
        .map(|info| retake::encoders().by_name(info.name).unwrap())
        .collect();
    assert!(!inner.is_empty());
    for inner in inner {
        let seen = Arc::new(Seen::default());
        let watched = |seen: Option<&Arc<Seen>>| Watched {
            inner: inner.clone(),
            info: inner.info().clone(),
            seen: seen.cloned(),
        };
        let name = inner.info().name;
        let log = Mutex::new(Vec::new());
        let passes = |factory: fn(Arc<Seen>) -> Option<Arc<Seen>>, path: &Path| -> Vec<Vec<SampleBuffer>> {
            let open = || session(watched(factory(seen.clone()).as_ref()), path);
            let (pull, storage) = open();
            let mut made = Vec::new();
            for _ in 0..2 {
                pull.0.begin_pass().unwrap();
                made.push(send(&pull, &frames, None));
                assert!(matches!(pull.0.end_pass().unwrap(), NextPass::Requested(_)), "{name}");
                log.lock().unwrap().push(seen.take());
            }
            drop(pull);
            storage.close().unwrap();
            drop(storage);
            // Another session goes on.
            let (pull, _storage) = open();
            pull.0.time_ranges_for_next_pass().unwrap();
            pull.0.begin_final_pass().unwrap();
            made.push(send(&pull, &frames, None));
            pull.0.end_final_pass().unwrap();
            log.lock().unwrap().push(seen.take());
            made
        };
        let with = passes(Some, &folder.path().join("with"));
        let counts = std::mem::take(&mut *log.lock().unwrap());
        let without = passes(|_| None, &folder.path().join("without"));
        println!("{name}: offered and found in each pass: {counts:?}");
        assert!(with == without, "{name}: other samples");
        let units = with[0].iter().filter(|sample| sample.sample.is_sync()).count();
        assert_eq!(counts[..2], [(0, 0), (0, units)], "{name}");
        // The last pass encodes units until they take their bytes, each time with what is known.
        assert!(counts[2].0 > units && counts[2].1 == 0, "{name}");
        if ffmpeg() {
            assert_eq!(decode(&with[2].iter().collect::<Vec<_>>()).len(), FRAMES, "{name}");
        }
    }
}
