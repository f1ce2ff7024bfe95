//! The pixel buffer pool keeps the rules of section 12.2.

use proptest::prelude::*;
use retake_media::{
    AlphaMode, Attachment, AttachmentMode, AttachmentValue, BufferAge, Clock, ExtendedPixels, PixelBuffer,
    PixelBufferAttributes, PixelBufferPool, PixelFormat, PixelStorage, PoolAttributes, WritableBuffer,
};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A clock that the test moves by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn small() -> PixelBufferAttributes {
    PixelBufferAttributes::of(PixelFormat::Nv12, 18, 10)
}

fn pool(minimum_count: usize, maximum_age: BufferAge) -> (PixelBufferPool, Hand) {
    let hand = Hand::default();
    let attributes = PoolAttributes { minimum_count, maximum_age };
    (
        PixelBufferPool::create_with_clock(attributes, small(), Box::new(hand.clone())).expect("a good pool"),
        hand,
    )
}

const SECOND: BufferAge = BufferAge::After(Duration::from_secs(1));

fn counted(pool: &PixelBufferPool) -> (retake_media::FreeBufferObserver, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let own = count.clone();
    (pool.on_free_buffer(move || _ = own.fetch_add(1, Ordering::SeqCst)), count)
}

/// PB-1: insufficient attributes are refused when the pool is made.
#[test]
fn insufficient_attributes_are_refused() {
    let code = |pool, buffers| PixelBufferPool::create(pool, buffers).err().map(|error| error.code());
    let usual = PoolAttributes::default();
    assert_eq!(code(usual, small()), None);
    assert_eq!(code(usual, PixelBufferAttributes { formats: vec![], ..small() }), Some(-6680));
    assert_eq!(code(usual, PixelBufferAttributes { height: None, ..small() }), Some(-6681));
    for width in [0, 32769, u32::MAX] {
        assert_eq!(code(usual, PixelBufferAttributes { width: Some(width), ..small() }), Some(-6681));
    }
    assert_eq!(code(usual, PixelBufferAttributes { row_alignment: Some(0), ..small() }), Some(-6682));
    let extended = ExtendedPixels { top: u32::MAX, ..ExtendedPixels::default() };
    assert_eq!(code(usual, PixelBufferAttributes { extended, ..small() }), Some(-6682));
    let zero = PoolAttributes { maximum_age: BufferAge::After(Duration::ZERO), ..usual };
    assert_eq!(code(zero, small()), Some(-6691));
}

/// Resolution 1: zero seconds mean *never* in C.
#[test]
fn zero_seconds_are_never() {
    assert_eq!(BufferAge::from_seconds(0.0), Ok(BufferAge::Never));
    assert_eq!(BufferAge::from_seconds(1.0), Ok(BufferAge::default()));
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(BufferAge::from_seconds(wrong).unwrap_err().code(), -6691);
    }
}

/// PB-4: a recycled buffer has the attachments of the pool's attributes, and none of its former life.
#[test]
fn attachments_do_not_survive_recycling() {
    let mut attributes = small();
    attributes.attachments.set(Attachment::AlphaMode(AlphaMode::Straight), AttachmentMode::DoNotPropagate);
    let pool = PixelBufferPool::create(PoolAttributes::default(), attributes.clone()).unwrap();
    for _ in 0..3 {
        let mut buffer = pool.create_buffer().unwrap();
        assert_eq!(*buffer.attachments(), attributes.attachments);
        let note = Attachment::Other("note".to_owned(), AttachmentValue::Bool(true));
        buffer.attachments_mut().set(note, AttachmentMode::Propagate);
        assert_eq!(buffer.freeze().attachments().iter().count(), 2);
    }
    assert_eq!(pool.allocations(), 1);
}

/// PB-5, PB-11: memory returns with the last reference, and a buffer may outlive its pool.
#[test]
fn memory_is_recycled_with_the_last_clone() {
    let pool = PixelBufferPool::new(PixelFormat::I010, 35, 17);
    let mut buffer = pool.take();
    buffer.row_mut(2, 8).fill(7);
    let picture = buffer.freeze();
    let clone = picture.clone();
    drop(picture);
    assert_eq!((pool.idle(), pool.allocated()), (0, 1));
    assert_eq!(clone.row(2, 8), &[7; 36]);
    let address = clone.plane(0).as_ptr();
    drop(clone);
    assert_eq!((pool.idle(), pool.allocated()), (1, 1));
    let again = pool.take().freeze();
    assert_eq!(again.plane(0).as_ptr(), address);
    drop(pool);
    assert_eq!(again.rows(1).count(), 9);
}

/// A14 (PB-6, PB-7): the threshold refuses new memory only, and one notification ends an episode.
#[test]
fn a14_threshold_refuses_allocations_and_notifies_once() {
    let (pool, _) = pool(0, SECOND);
    let (_observer, notified) = counted(&pool);
    let mut held: Vec<_> = (0..3).map(|_| pool.create_buffer_within(3).unwrap()).collect();
    for _ in 0..2 {
        assert_eq!(pool.create_buffer_within(3).err().map(|error| error.code()), Some(-6689));
    }
    assert_eq!((pool.allocated(), notified.load(Ordering::SeqCst)), (3, 0));
    held.pop();
    assert_eq!(notified.load(Ordering::SeqCst), 1);
    held.pop();
    assert_eq!(notified.load(Ordering::SeqCst), 1);
    // Recycled buffers are handed out whatever the threshold says.
    held.push(pool.create_buffer_within(0).unwrap());
    held.push(pool.create_buffer_within(3).unwrap());
    assert_eq!((pool.allocated(), pool.allocations()), (3, 3));
    // The threshold holds per call, and another failure begins another episode.
    assert_eq!(pool.create_buffer_within(3).err().map(|error| error.code()), Some(-6689));
    held.push(pool.create_buffer_within(4).unwrap());
    held.push(pool.create_buffer().unwrap());
    held.clear();
    assert_eq!((pool.allocated(), notified.load(Ordering::SeqCst)), (5, 2));
}

/// A14 (PB-7, PB-8): without a threshold nothing is refused, so no observer is notified.
#[test]
fn a14_no_threshold_no_notification() {
    let (pool, _) = pool(0, BufferAge::Never);
    let (_observer, notified) = counted(&pool);
    drop((0..50).map(|_| pool.create_buffer().unwrap()).collect::<Vec<_>>());
    assert_eq!((pool.allocated(), pool.idle(), notified.load(Ordering::SeqCst)), (50, 50, 0));
}

/// PB-7: a buffer that is freed at once counts as come back, a dropped observer is not notified, and a
/// callback may use the pool.
#[test]
fn notifications_reach_who_listens() {
    let (pool, _) = pool(0, BufferAge::Immediately);
    let (gone, silent) = counted(&pool);
    let caught: Arc<Mutex<Vec<WritableBuffer>>> = Arc::default();
    let (own, nest) = (pool.clone(), caught.clone());
    let observer =
        pool.on_free_buffer(move || nest.lock().unwrap().push(own.create_buffer_within(1).unwrap()));
    let held = pool.create_buffer_within(1).unwrap();
    drop(gone);
    assert!(pool.create_buffer_within(1).is_err());
    drop(held);
    assert_eq!((caught.lock().unwrap().len(), silent.load(Ordering::SeqCst)), (1, 0));
    drop(observer);
    caught.lock().unwrap().clear();
    assert_eq!(pool.allocated(), 0);
}

/// A15 (PB-2, PB-3, PB-9): both kinds of flush free what they must, and the minimum count is kept.
#[test]
fn a15_flush_and_age() {
    let (pool, hand) = pool(2, SECOND);
    let buffers: Vec<_> = (0..5).map(|_| pool.create_buffer().unwrap()).collect();
    let in_use = pool.create_buffer().unwrap();
    drop(buffers);
    hand.advance(999);
    pool.flush_aged();
    assert_eq!((pool.idle(), pool.allocated()), (5, 6));
    hand.advance(1);
    pool.flush_aged();
    // Two remain: the one in use, and one that does not age out.
    assert_eq!((pool.idle(), pool.allocated()), (1, 2));
    drop(in_use);
    hand.advance(100_000);
    pool.flush_aged();
    assert_eq!((pool.idle(), pool.allocated()), (2, 2));
    let in_use = pool.create_buffer().unwrap();
    pool.flush_excess();
    assert_eq!((pool.idle(), pool.allocated()), (0, 1));
    drop(in_use);
    pool.flush_excess();
    assert_eq!((pool.idle(), pool.allocated(), pool.allocations()), (0, 0, 6));
}

/// PB-3, PB-13: each policy works without any call to flush.
#[test]
fn a15_buffers_age_by_policy() {
    let left = |age, wait| {
        let (pool, hand) = pool(0, age);
        drop([pool.create_buffer().unwrap(), pool.create_buffer().unwrap()]);
        hand.advance(wait);
        drop(pool.create_buffer().unwrap());
        pool.idle()
    };
    assert_eq!(left(BufferAge::Never, u64::MAX / 2), 2);
    assert_eq!(left(BufferAge::Immediately, 0), 0);
    assert_eq!(left(SECOND, 999), 2);
    // An aged buffer that is asked for is better than a new one.
    assert_eq!(left(SECOND, 1000), 1);
    assert_eq!(BufferAge::default(), SECOND);
}

/// PB-10: the getters return what the pool was made with.
#[test]
fn attributes_are_given_back() {
    let buffers = PixelBufferAttributes {
        formats: vec![PixelFormat::Nv12, PixelFormat::Bgra],
        preserved: [("Metal".to_owned(), AttachmentValue::Bool(true))].into(),
        ..small()
    };
    let attributes = PoolAttributes { minimum_count: 4, maximum_age: BufferAge::Never };
    let pool = PixelBufferPool::create(attributes, buffers.clone()).unwrap();
    assert_eq!((pool.pool_attributes(), pool.buffer_attributes()), (attributes, &buffers));
    assert_eq!(pool.take().format(), PixelFormat::Nv12);
    assert!(pool.is_same(&pool.clone()));
    assert!(!pool.is_same(&PixelBufferPool::create(attributes, buffers).unwrap()));
}

/// PB-12: when many threads ask at once, no buffer is given to two, and none is lost.
#[test]
fn threads_share_a_pool() {
    const THRESHOLD: usize = 5;
    let (pool, hand) = pool(1, SECOND);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (pool, hand) = (&pool, &hand);
            scope.spawn(move || {
                for round in 0..500_u64 {
                    let Ok(mut buffer) = pool.create_buffer_within(THRESHOLD) else { continue };
                    let mark = thread.wrapping_mul(61).wrapping_add(round as u8);
                    buffer.plane_mut(0).fill(mark);
                    hand.advance(round % 3 * 400);
                    match round % 50 {
                        0 => pool.flush_excess(),
                        1 => pool.flush_aged(),
                        _ => {}
                    }
                    assert!(pool.allocated() <= THRESHOLD);
                    let picture = buffer.freeze();
                    assert!(picture.plane(0).iter().all(|&byte| byte == mark));
                }
            });
        }
    });
    assert_eq!(pool.idle(), pool.allocated());
    pool.flush_excess();
    assert_eq!(pool.allocated(), 0);
}

proptest! {
    /// The counts agree with a model that only counts, whatever is asked for in whatever order.
    #[test]
    fn counts_follow_a_model(
        minimum in 0_usize..3,
        steps in prop::collection::vec((0_u8..6, 0_usize..5), 1..80),
    ) {
        let (pool, hand) = pool(minimum, SECOND);
        let (_observer, notified) = counted(&pool);
        let mut held: Vec<PixelBuffer> = Vec::new();
        // Each number is the time when an idle buffer came back; the last one is used first.
        let (mut idle, mut now): (Vec<u64>, u64) = (Vec::new(), 0);
        let (mut refused, mut episodes) = (false, 0);
        for (step, n) in steps {
            let age = |idle: &mut Vec<u64>, in_use: usize, now: u64| {
                while idle.first().is_some_and(|since| now - since >= 1000) && idle.len() + in_use > minimum {
                    idle.remove(0);
                }
            };
            match step {
                0 | 1 => {
                    let threshold = (step == 1).then_some(n);
                    let recycled = idle.pop().is_some();
                    age(&mut idle, held.len() + usize::from(recycled), now);
                    let allowed = recycled || threshold.is_none_or(|n| idle.len() + held.len() < n);
                    let buffer = threshold.map_or_else(|| pool.create_buffer(), |n| pool.create_buffer_within(n));
                    prop_assert_eq!(buffer.is_ok(), allowed);
                    refused |= !allowed;
                    held.extend(buffer.ok().map(WritableBuffer::freeze));
                }
                2 if !held.is_empty() => {
                    held.swap_remove(n % held.len());
                    idle.push(now);
                    age(&mut idle, held.len(), now);
                    episodes += usize::from(std::mem::take(&mut refused));
                }
                3 => {
                    hand.advance(n as u64 * 300);
                    now += n as u64 * 300;
                }
                4 => {
                    pool.flush_aged();
                    age(&mut idle, held.len(), now);
                }
                5 if n == 0 => {
                    pool.flush_excess();
                    idle.clear();
                }
                _ => {}
            }
            prop_assert_eq!((pool.idle(), pool.allocated()), (idle.len(), idle.len() + held.len()));
            prop_assert_eq!(notified.load(Ordering::SeqCst), episodes);
        }
    }

    /// Spec 12.1, attributes: alignments and extended pixels are as required, and no plane reaches into
    /// another.
    #[test]
    fn memory_lies_as_asked_for(
        index in 0..PixelFormat::ALL.len(),
        (width, height) in (1_u32..70, 1_u32..40),
        (left, top, right, bottom) in (0_u32..20, 0_u32..20, 0_u32..20, 0_u32..20),
        rows in prop::option::of(1_usize..200),
        planes in prop::option::of(1_usize..200),
    ) {
        let format = PixelFormat::ALL[index];
        let attributes = PixelBufferAttributes {
            extended: ExtendedPixels { left, top, right, bottom },
            row_alignment: rows,
            plane_alignment: planes,
            ..PixelBufferAttributes::of(format, width, height)
        };
        let mut buffer = WritableBuffer::create(&attributes).unwrap();
        for plane in 0..format.planes() {
            let stride = buffer.stride(plane);
            prop_assert_eq!(stride % rows.unwrap_or(64), 0);
            prop_assert_eq!(buffer.plane(plane).as_ptr() as usize % planes.unwrap_or(64), 0);
            let before = format.row_bytes(left, plane) + stride * format.plane_size(1, top, plane).1 as usize;
            let visible = format.plane_size(1, height, plane).1 as usize;
            let below = format.plane_size(1, bottom, plane).1 as usize;
            let (bytes, start) = buffer.extended_plane_mut(plane);
            bytes.fill(0xEE);
            prop_assert!(start >= before);
            prop_assert!(bytes.len() - start >= stride * (visible + below));
        }
        for plane in 0..format.planes() {
            for row in 0..format.plane_size(width, height, plane).1 as usize {
                buffer.row_mut(plane, row).fill(plane as u8);
            }
        }
        for plane in 0..format.planes() {
            let rows = format.plane_size(width, height, plane).1 as usize;
            let stride = buffer.stride(plane);
            let (bytes, start) = buffer.extended_plane_mut(plane);
            let marked = bytes.iter().filter(|&&byte| byte == plane as u8).count();
            prop_assert_eq!(marked, rows * format.row_bytes(width, plane));
            prop_assert!(bytes[..start].iter().all(|&byte| byte == 0xEE));
            prop_assert!(bytes[start + stride * rows..].iter().all(|&byte| byte == 0xEE));
        }
        let lengths = [0, 1, 2].map(|plane| buffer.plane(plane).len());
        for (plane, bytes) in buffer.planes_mut().into_iter().enumerate() {
            prop_assert_eq!(bytes.len(), lengths[plane]);
            prop_assert!(bytes.first().is_none_or(|&byte| byte == plane as u8));
        }
        let picture = buffer.freeze();
        prop_assert!((0..3).all(|plane| picture.rows(plane).flatten().all(|&byte| byte == plane as u8)));
    }
}
