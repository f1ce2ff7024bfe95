//! The only door to C: the table of functions that every `shim.c` offers, and [`Shim`], an open encode behind
//! it.
//!
//! `shim.h` is the other half; both files must say the same.
#![allow(unsafe_code)]

use crate::raw::{Fault, RawChange, RawEvent, RawFault, RawFrame, RawSettings};
use retake_compression::encoder::FrameOptions;
use retake_media::{PixelBuffer, PixelFormat, WritableBuffer};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, PoisonError};

/// The Rust side of `struct retake_shim`.
#[repr(C)]
pub(crate) struct ShimTable {
    pub(crate) quality_min: f64,
    pub(crate) quality_max: f64,
    pub(crate) quality_step: f64,
    pub(crate) preset_max: i32,
    version: unsafe extern "C" fn() -> *const c_char,
    codes: unsafe extern "C" fn(i32, i32) -> i32,
    delay: unsafe extern "C" fn(*const RawSettings) -> i32,
    open: unsafe extern "C" fn(*const RawSettings, *mut RawFault) -> *mut c_void,
    headers: unsafe extern "C" fn(*mut c_void, *mut *const u8, *mut usize, *mut RawFault) -> i32,
    send: unsafe extern "C" fn(*mut c_void, *const RawFrame, *mut RawFault) -> i32,
    receive: unsafe extern "C" fn(*mut c_void, *mut RawEvent, *mut RawFault) -> i32,
    picture: unsafe extern "C" fn(*mut c_void, *const *mut u8, *const isize),
    pub(crate) set_quality: Option<unsafe extern "C" fn(*mut c_void, f64) -> i32>,
    reconfigure: Option<unsafe extern "C" fn(*mut c_void, *const RawChange, *mut RawFault) -> i32>,
    statistics: Option<unsafe extern "C" fn(*mut c_void, *mut *const u8, *mut usize, *mut RawFault) -> i32>,
    abandon: Option<unsafe extern "C" fn(*mut c_void)>,
    close: unsafe extern "C" fn(*mut c_void),
}

/// The kinds of compressed frames by their dependencies, as the shims number them (`enum retake_kind`).
const KIND_SYNC: i32 = 0;
const KIND_DISPOSABLE: i32 = 2;

/// The result of [`Shim::receive`].
pub(crate) enum Event<'a> {
    Pending,
    Sample(RawSample<'a>),
    Picture { index: i64 },
    End,
}

/// A compressed frame as a library gives it.
pub(crate) struct RawSample<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) index: i64,
    pub(crate) sync: bool,
    pub(crate) disposable: bool,
    pub(crate) qp: f32,
    pub(crate) layer: u32,
    pub(crate) token: Option<u64>,
}

/// x265 and SVT-AV1 set up tables that all their encodes share whenever one is opened, so only one may be
/// opened at a time.
static GATE: Mutex<()> = Mutex::new(());

impl ShimTable {
    /// Returns the version of the linked library.
    pub(crate) fn version(&self) -> String {
        // SAFETY: every shim returns a string that lives as long as the program.
        unsafe { CStr::from_ptr((self.version)()) }.to_string_lossy().into_owned()
    }

    /// Returns whether the linked library encodes pictures with the chroma and the depth of a format.
    pub(crate) fn codes(&self, format: PixelFormat) -> bool {
        let chroma = format.chroma_subsampling().idc();
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the function takes and returns plain numbers.
        unsafe { (self.codes)(chroma.into(), format.bit_depth() as i32) != 0 }
    }

    /// Returns the most frames that go in before the first sample comes out; 0 for settings that the library
    /// refuses.
    pub(crate) fn delay(&self, settings: &RawSettings) -> u32 {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `settings` and the data that it points to (see `Lowered`) are alive during the call.
        unsafe { (self.delay)(settings) }.max(0) as u32
    }
}

/// An open encode of one library.
pub(crate) struct Shim {
    table: &'static ShimTable,
    handle: NonNull<c_void>,
    ended: bool,
}

// SAFETY: no shim keeps anything that belongs to a thread, and `&mut self` keeps two threads from being
// inside at once.
unsafe impl Send for Shim {}

impl Shim {
    pub(crate) fn open(table: &'static ShimTable, settings: &RawSettings) -> Result<Self, Fault> {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = RawFault::empty();
        // SAFETY: `settings` and the data that it points to are alive during the call; shims keep no pointer
        // into it.
        let handle = unsafe { (table.open)(settings, &mut fault) };
        NonNull::new(handle).map(|handle| Self { table, handle, ended: false }).ok_or_else(|| fault.read())
    }

    /// Returns the parameter sets as the library writes them. Some shims open another encode to get them.
    pub(crate) fn headers(&mut self) -> Result<Vec<u8>, Fault> {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut data, mut size, mut fault) = (null(), 0, RawFault::empty());
        // SAFETY: the handle is open, the out-pointers are ours.
        let result = unsafe { (self.table.headers)(self.handle.as_ptr(), &mut data, &mut size, &mut fault) };
        if result < 0 {
            return Err(fault.read());
        }
        // SAFETY: on success the shim points to `size` bytes that live until the next call.
        Ok(unsafe { bytes(data, size) }.to_vec())
    }

    /// Hands over a frame. All four libraries copy the samples during the call, so that nothing of `picture`
    /// is kept.
    pub(crate) fn send(
        &mut self,
        picture: &PixelBuffer,
        index: i64,
        options: &FrameOptions,
    ) -> Result<(), Fault> {
        let frame = RawFrame {
            plane: [0, 1, 2].map(|plane| picture.plane(plane).as_ptr()),
            stride: [0, 1, 2].map(|plane| picture.geometry(plane).stride as isize),
            index,
            force_key: options.force_key_frame.into(),
            base_qp: options.base_qp.and_then(|qp| i32::try_from(qp).ok()).unwrap_or(-1),
            refresh: options.refresh.into(),
            acknowledged: options.acknowledged.as_ptr(),
            acknowledged_count: options.acknowledged.len(),
        };
        self.send_raw(&frame)
    }

    /// Declares that no more frames follow.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.send_raw(null())
    }

    fn send_raw(&mut self, frame: *const RawFrame) -> Result<(), Fault> {
        let mut fault = RawFault::empty();
        // SAFETY: the handle is open; `frame` is null or points to planes that `PixelBuffer` vouches for:
        // `rows` rows of the settings' size, `stride` bytes apart (the driver compares the sizes).
        let result = unsafe { (self.table.send)(self.handle.as_ptr(), frame, &mut fault) };
        if result < 0 { Err(fault.read()) } else { Ok(()) }
    }

    /// Returns the next output that is ready.
    pub(crate) fn receive(&mut self) -> Result<Event<'_>, Fault> {
        let mut event = RawEvent::empty();
        let mut fault = RawFault::empty();
        // SAFETY: the handle is open, the out-pointers are ours.
        match unsafe { (self.table.receive)(self.handle.as_ptr(), &mut event, &mut fault) } {
            0 => Ok(Event::Pending),
            1 => Ok(Event::Sample(RawSample {
                // SAFETY: the shim points to `size` bytes that live until the next call, and the borrow of
                // `self` forbids one.
                data: unsafe { bytes(event.data, event.size) },
                index: event.index,
                sync: event.kind == KIND_SYNC,
                disposable: event.kind == KIND_DISPOSABLE,
                qp: event.qp,
                layer: event.layer.max(0) as u32,
                token: (event.token != 0).then_some(event.token),
            })),
            2 => Ok(Event::Picture { index: event.index }),
            3 => {
                self.ended = true;
                Ok(Event::End)
            }
            _ => Err(fault.read()),
        }
    }

    /// Returns the statistics of a first pass, after [`Event::End`]; they are empty where the library has
    /// none.
    pub(crate) fn statistics(&mut self) -> Result<Vec<u8>, Fault> {
        let Some(statistics) = self.table.statistics else { return Ok(Vec::new()) };
        let (mut data, mut size, mut fault) = (null(), 0, RawFault::empty());
        // SAFETY: the handle is open, the out-pointers are ours.
        let result = unsafe { statistics(self.handle.as_ptr(), &mut data, &mut size, &mut fault) };
        if result < 0 {
            return Err(fault.read());
        }
        // SAFETY: on success the shim points to `size` bytes that live until it is closed.
        Ok(unsafe { bytes(data, size) }.to_vec())
    }

    /// Changes the constant quality of frames that are not coded yet; false where the library cannot.
    pub(crate) fn set_quality(&mut self, quality: f64) -> bool {
        let Some(set_quality) = self.table.set_quality else { return false };
        // SAFETY: the handle is open; a plain number goes in.
        unsafe { set_quality(self.handle.as_ptr(), quality) == 0 }
    }

    /// Changes the settings of frames that are not sent yet. It returns false, and nothing has changed, where
    /// the library cannot.
    pub(crate) fn reconfigure(&mut self, change: &RawChange) -> Result<bool, Fault> {
        let Some(reconfigure) = self.table.reconfigure else { return Ok(false) };
        let mut fault = RawFault::empty();
        // SAFETY: the handle is open; `change` is numbers, `fault` is ours.
        match unsafe { reconfigure(self.handle.as_ptr(), change, &mut fault) } {
            0 => Ok(true),
            1.. => Ok(false),
            _ => Err(fault.read()),
        }
    }

    /// Copies the picture that [`Event::Picture`] announced; nothing else may be called between.
    pub(crate) fn picture(&mut self, into: &mut WritableBuffer) {
        let mut planes = [null_mut(); 3];
        let mut strides = [0; 3];
        for plane in 0..3 {
            planes[plane] = into.plane_mut(plane).as_mut_ptr();
            strides[plane] = into.stride(plane) as isize;
        }
        // SAFETY: the buffer comes from a pool of the settings' format and size, so that the shim stays
        // inside its planes.
        unsafe { (self.table.picture)(self.handle.as_ptr(), planes.as_ptr(), strides.as_ptr()) }
    }
}

impl Drop for Shim {
    /// Closes the encode. A library that insists on encoding everything it was sent does so on a thread of
    /// its own, so that giving up an encode takes no time.
    fn drop(&mut self) {
        let closing = Closing { table: self.table, handle: self.handle };
        match self.table.abandon {
            Some(abandon) if !self.ended => {
                let run = move || {
                    let closing = closing; // The closure must own the whole value, not its parts.
                    // SAFETY: the handle is open and was given to this thread alone.
                    unsafe { abandon(closing.handle.as_ptr()) }
                };
                // Where no thread can be had, the closure is dropped, and `close` waits here.
                let _ = std::thread::Builder::new().name("encoder-abandon".to_owned()).spawn(run);
            }
            _ => drop(closing),
        }
    }
}

/// A handle that is not used any more.
struct Closing {
    table: &'static ShimTable,
    handle: NonNull<c_void>,
}

// SAFETY: the argument for `Shim` holds here, too.
unsafe impl Send for Closing {}

impl Drop for Closing {
    fn drop(&mut self) {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the handle is open and never used again.
        unsafe { (self.table.close)(self.handle.as_ptr()) }
    }
}

/// # Safety
/// `size` bytes at `data` must be readable for `'a`; a null pointer stands for no bytes.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the caller promised that the bytes are readable.
    unsafe { std::slice::from_raw_parts(data, size) }
}
