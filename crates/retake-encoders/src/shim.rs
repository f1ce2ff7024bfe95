//! The only door to C: the table of functions that every `shim.c` offers, and [`Shim`], an open encode behind it.
//!
//! `shim.h` is the other half; both files must say the same.
#![allow(unsafe_code)]

use retake_media::{PixelBuffer, WritableBuffer};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, PoisonError};

#[repr(C)]
pub(crate) struct RawOption {
    pub(crate) key: *const c_char,
    pub(crate) value: *const c_char,
}

#[repr(C)]
pub(crate) struct RawSettings {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) bit_depth: i32,
    pub(crate) fps_num: i32,
    pub(crate) fps_den: i32,
    pub(crate) sar_num: i32,
    pub(crate) sar_den: i32,
    pub(crate) primaries: i32,
    pub(crate) transfer: i32,
    pub(crate) matrix: i32,
    pub(crate) range: i32,
    pub(crate) chroma_location: i32,
    pub(crate) has_mastering: i32,
    pub(crate) has_content_light: i32,
    pub(crate) mastering: [i32; 10],
    pub(crate) max_content: i32,
    pub(crate) max_frame_average: i32,
    pub(crate) average: i32,
    pub(crate) key_interval: i32,
    pub(crate) threads: i32,
    pub(crate) reconstruct: i32,
    pub(crate) quality: f64,
    pub(crate) bit_rate: i64,
    pub(crate) limit_rate: i64,
    pub(crate) limit_window: i64,
    pub(crate) preset: *const c_char,
    pub(crate) options: *const RawOption,
    pub(crate) option_count: usize,
}

#[repr(C)]
struct RawFault {
    setting: [c_char; 64],
    reason: [c_char; 256],
}

#[repr(C)]
struct RawFrame {
    plane: [*const u8; 3],
    stride: [isize; 3],
    index: i64,
    force_key: i32,
}

#[repr(C)]
struct RawEvent {
    data: *const u8,
    size: usize,
    index: i64,
    kind: i32,
    qp: f32,
}

/// `struct retake_shim`.
#[repr(C)]
pub(crate) struct ShimTable {
    pub(crate) quality_min: f64,
    pub(crate) quality_max: f64,
    pub(crate) quality_step: f64,
    pub(crate) preset_max: i32,
    version: unsafe extern "C" fn() -> *const c_char,
    has_depth: unsafe extern "C" fn(i32) -> i32,
    delay: unsafe extern "C" fn(*const RawSettings) -> i32,
    open: unsafe extern "C" fn(*const RawSettings, *mut RawFault) -> *mut c_void,
    headers: unsafe extern "C" fn(*mut c_void, *mut *const u8, *mut usize, *mut RawFault) -> i32,
    send: unsafe extern "C" fn(*mut c_void, *const RawFrame, *mut RawFault) -> i32,
    receive: unsafe extern "C" fn(*mut c_void, *mut RawEvent, *mut RawFault) -> i32,
    picture: unsafe extern "C" fn(*mut c_void, *const *mut u8, *const isize),
    pub(crate) set_quality: Option<unsafe extern "C" fn(*mut c_void, f64) -> i32>,
    abandon: Option<unsafe extern "C" fn(*mut c_void)>,
    close: unsafe extern "C" fn(*mut c_void),
}

/// Why a library refused; an empty setting means that no single one is to blame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) setting: String,
    pub(crate) reason: String,
}

/// What a compressed frame depends on, as the shims say it (`enum retake_kind`).
const KIND_SYNC: i32 = 0;
const KIND_DISPOSABLE: i32 = 2;

/// What [`Shim::receive`] found.
pub(crate) enum Event<'a> {
    Pending,
    Sample { data: &'a [u8], index: i64, sync: bool, disposable: bool, qp: f32 },
    Picture { index: i64 },
    End,
}

/// x265 and SVT-AV1 set up tables that all their encodes share whenever one is opened: one at a time.
static GATE: Mutex<()> = Mutex::new(());

impl ShimTable {
    /// The version of the linked library.
    pub(crate) fn version(&self) -> String {
        // SAFETY: every shim returns a string that lives as long as the program.
        unsafe { CStr::from_ptr((self.version)()) }.to_string_lossy().into_owned()
    }

    /// Whether the linked library encodes samples of so many bits.
    pub(crate) fn has_depth(&self, depth: u32) -> bool {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: takes and returns plain numbers.
        unsafe { (self.has_depth)(depth as i32) != 0 }
    }

    /// The most frames that go in before the first sample comes out; 0 for settings that the library refuses.
    pub(crate) fn delay(&self, settings: &RawSettings) -> u32 {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `settings` and what it points to (see `Lowered`) are alive during the call.
        unsafe { (self.delay)(settings) }.max(0) as u32
    }
}

/// An open encode of one library.
pub(crate) struct Shim {
    table: &'static ShimTable,
    handle: NonNull<c_void>,
    ended: bool,
}

// SAFETY: no shim keeps anything that belongs to a thread, and `&mut self` keeps two threads from being inside at once.
unsafe impl Send for Shim {}

impl Shim {
    pub(crate) fn open(table: &'static ShimTable, settings: &RawSettings) -> Result<Self, Fault> {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = RawFault::empty();
        // SAFETY: `settings` and what it points to are alive during the call; shims keep no pointer into it.
        let handle = unsafe { (table.open)(settings, &mut fault) };
        NonNull::new(handle).map(|handle| Self { table, handle, ended: false }).ok_or_else(|| fault.read())
    }

    /// Parameter sets as the library writes them. Some shims open another encode to get them.
    pub(crate) fn headers(&mut self) -> Result<Vec<u8>, Fault> {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut data, mut size, mut fault) = (null(), 0, RawFault::empty());
        // SAFETY: the handle is open, the out-pointers are ours.
        let result = unsafe { (self.table.headers)(self.handle.as_ptr(), &mut data, &mut size, &mut fault) };
        if result < 0 {
            return Err(fault.read());
        }
        // SAFETY: on success the shim says where `size` bytes lie until the next call.
        Ok(unsafe { bytes(data, size) }.to_vec())
    }

    /// Hands over a frame. All four libraries copy the samples during the call, so that nothing of `picture` is kept.
    pub(crate) fn send(&mut self, picture: &PixelBuffer, index: i64, force_key: bool) -> Result<(), Fault> {
        let frame = RawFrame {
            plane: [0, 1, 2].map(|plane| picture.plane(plane).as_ptr()),
            stride: [0, 1, 2].map(|plane| picture.geometry(plane).stride as isize),
            index,
            force_key: force_key.into(),
        };
        self.send_raw(&frame)
    }

    /// Says that no more frames follow.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.send_raw(null())
    }

    fn send_raw(&mut self, frame: *const RawFrame) -> Result<(), Fault> {
        let mut fault = RawFault::empty();
        // SAFETY: the handle is open; `frame` is null or points to planes that `PixelBuffer` vouches for: `rows` rows of the
        // settings' size, `stride` bytes apart (the driver compares the sizes).
        let result = unsafe { (self.table.send)(self.handle.as_ptr(), frame, &mut fault) };
        if result < 0 { Err(fault.read()) } else { Ok(()) }
    }

    /// What is ready.
    pub(crate) fn receive(&mut self) -> Result<Event<'_>, Fault> {
        let mut event = RawEvent { data: null(), size: 0, index: 0, kind: 0, qp: 0.0 };
        let mut fault = RawFault::empty();
        // SAFETY: the handle is open, the out-pointers are ours.
        match unsafe { (self.table.receive)(self.handle.as_ptr(), &mut event, &mut fault) } {
            0 => Ok(Event::Pending),
            1 => Ok(Event::Sample {
                // SAFETY: the shim says where `size` bytes lie until the next call, and the borrow of `self` forbids one.
                data: unsafe { bytes(event.data, event.size) },
                index: event.index,
                sync: event.kind == KIND_SYNC,
                disposable: event.kind == KIND_DISPOSABLE,
                qp: event.qp,
            }),
            2 => Ok(Event::Picture { index: event.index }),
            3 => {
                self.ended = true;
                Ok(Event::End)
            }
            _ => Err(fault.read()),
        }
    }

    /// Changes the constant quality of frames that are not coded yet; false where the library cannot.
    pub(crate) fn set_quality(&mut self, quality: f64) -> bool {
        let Some(set_quality) = self.table.set_quality else { return false };
        // SAFETY: the handle is open; a plain number goes in.
        unsafe { set_quality(self.handle.as_ptr(), quality) == 0 }
    }

    /// Copies the picture that [`Event::Picture`] announced; nothing else may be called between.
    pub(crate) fn picture(&mut self, into: &mut WritableBuffer) {
        let mut planes = [null_mut(); 3];
        let mut strides = [0; 3];
        for plane in 0..3 {
            planes[plane] = into.plane_mut(plane).as_mut_ptr();
            strides[plane] = into.stride(plane) as isize;
        }
        // SAFETY: the buffer comes from a pool of the settings' format and size, so that the shim stays inside its planes.
        unsafe { (self.table.picture)(self.handle.as_ptr(), planes.as_ptr(), strides.as_ptr()) }
    }
}

impl Drop for Shim {
    /// Closes. A library that insists on encoding everything it was sent does so on a thread of its own, so that giving up an encode
    /// takes no time.
    fn drop(&mut self) {
        let closing = Closing { table: self.table, handle: self.handle };
        match self.table.abandon {
            Some(abandon) if !self.ended => {
                let run = move || {
                    let closing = closing; // the whole of it, not its parts
                    // SAFETY: the handle is open and nobody else has it any more.
                    unsafe { abandon(closing.handle.as_ptr()) }
                };
                // where no thread can be had, the closure is dropped, and `close` waits here
                let _ = std::thread::Builder::new().name("encoder-abandon".to_owned()).spawn(run);
            }
            _ => drop(closing),
        }
    }
}

/// A handle that nobody uses any more.
struct Closing {
    table: &'static ShimTable,
    handle: NonNull<c_void>,
}

// SAFETY: as for `Shim`.
unsafe impl Send for Closing {}

impl Drop for Closing {
    fn drop(&mut self) {
        let _gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the handle is open and never used again.
        unsafe { (self.table.close)(self.handle.as_ptr()) }
    }
}

impl RawFault {
    fn empty() -> Self {
        Self { setting: [0; 64], reason: [0; 256] }
    }

    fn read(&self) -> Fault {
        // SAFETY: the arrays begin as zeros and shims write into them with snprintf, which ends its text with a zero.
        let text =
            |chars: &[c_char]| unsafe { CStr::from_ptr(chars.as_ptr()) }.to_string_lossy().into_owned();
        Fault { setting: text(&self.setting), reason: text(&self.reason) }
    }
}

/// # Safety
/// `size` bytes at `data` must be readable for `'a`; a null pointer stands for no bytes.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(data, size) }
}
