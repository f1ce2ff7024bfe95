//! Wraps libvmaf's contexts, pictures and model as owned Rust values. All unsafe code of this crate is here.
//!
//! All blocks rely on these properties of libvmaf: with `n_threads` 0 it starts no thread and does everything
//! inside the call; it keeps no pointer to anything of ours (pictures are allocated by it, names are copied
//! or compared); a context and a model are freed once, by us. Its global state is a division table
//! that every context writes with the same values, as libvmaf's own thread pool does, and the instructions
//! that extractors may choose from when they see their first picture; [`Context::read`] guards these.

#![allow(unsafe_code)]

use super::sys;
use crate::planes::Sample;
use retake_media::{PixelBuffer, PixelFormat};
use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

/// A call that libvmaf refused, and its answer (a negated errno).
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) call: &'static str,
    pub(super) code: c_int,
}

fn check(call: &'static str, code: c_int) -> Result<(), Refused> {
    if code == 0 { Ok(()) } else { Err(Refused { call, code }) }
}

/// This lock must be held while extractors choose their code, because the choice depends on a global setting.
static CHOICE: Mutex<()> = Mutex::new(());

/// Chooses the code that extractors run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The fastest code that the processor can run.
    Fast,
    /// The plain code, which has no vector instructions of its own.
    Plain,
}

impl Code {
    /// Opens an instance, which sets the instructions for all instances whose extractors have not chosen yet.
    fn open(self) -> Result<NonNull<sys::VmafContext>, Refused> {
        let mut raw = ptr::null_mut();
        // SAFETY: the pointer to be set is valid.
        let code = unsafe { sys::retake_vmaf_open(&mut raw, c_int::from(self == Self::Plain)) };
        check("vmaf_init", code)?;
        NonNull::new(raw).ok_or(Refused { call: "vmaf_init", code })
    }
}

/// A loaded model.
pub(super) struct Model(NonNull<sys::VmafModel>);

// SAFETY: a model is plain memory without ties to the thread that loaded it, and `&Model` is not shared (no
// Sync).
unsafe impl Send for Model {}

impl Model {
    /// Loads one of the models inside libvmaf, which takes about 0.35 ms.
    pub(super) fn load(version: &CStr) -> Result<Self, Refused> {
        let mut raw = ptr::null_mut();
        // SAFETY: the pointer to be set is valid, the version is a C string that is only compared.
        let code = unsafe { sys::retake_vmaf_load(&mut raw, version.as_ptr()) };
        check("vmaf_model_load", code)?;
        NonNull::new(raw).map(Self).ok_or(Refused { call: "vmaf_model_load", code })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model is ours and used no more; contexts never hold it (it is not mounted, only passed
        // to `score`).
        unsafe { sys::retake_vmaf_unload(self.0.as_ptr()) }
    }
}

/// A libvmaf instance with the feature extractors it was opened for.
pub(super) struct Context {
    raw: NonNull<sys::VmafContext>,
    code: Code,
    depth: u32,
    width: u32,
    height: u32,
    /// Whether the extractors have seen a picture.
    started: bool,
}

// SAFETY: libvmaf keeps no thread-local state, and its locks are free between calls; every call here borrows
// the context.
unsafe impl Send for Context {}

impl Context {
    /// Opens a context for pictures of one format and size whose luma goes through `features`.
    pub(super) fn new(
        features: &[&CStr],
        code: Code,
        format: PixelFormat,
        width: u32,
        height: u32,
    ) -> Result<Self, Refused> {
        let guard = CHOICE.lock().unwrap_or_else(PoisonError::into_inner);
        let depth = format.bit_depth();
        let context = Self { raw: code.open()?, code, depth, width, height, started: false };
        drop(guard);
        for feature in features {
            // SAFETY: the context lives, the name is a C string that is only compared.
            let code = unsafe { sys::retake_vmaf_use(context.raw.as_ptr(), feature.as_ptr()) };
            check("vmaf_use_feature", code)?;
        }
        Ok(context)
    }

    /// Runs the extractors on the luma of two pictures of the context's format and size, which the caller
    /// must have checked. Without a scored picture, for extractors that look at the reference alone, the
    /// second one is undefined.
    pub(super) fn read(
        &mut self,
        reference: &PixelBuffer,
        picture: Option<&PixelBuffer>,
        index: u32,
    ) -> Result<(), Refused> {
        let mut first = Picture::new(self)?;
        first.fill(reference);
        let mut second = Picture::new(self)?;
        if let Some(picture) = picture {
            second.fill(picture);
        }
        let mut guard = None;
        if !self.started {
            guard = Some(CHOICE.lock().unwrap_or_else(PoisonError::into_inner));
            let setter = self.code.open()?;
            // SAFETY: the instance was opened a line above, and nothing else knows it.
            unsafe { sys::retake_vmaf_close(setter.as_ptr()) };
            self.started = true;
        }
        let (first, second) = (first.give(), second.give());
        // SAFETY: context and pictures live, and both pictures are given away, whatever comes of the call.
        let code = unsafe { sys::retake_vmaf_read(self.raw.as_ptr(), first, second, index) };
        drop(guard);
        check("vmaf_read_pictures", code)
    }

    /// Returns by how much the reference at a frame differs from the one before, as *motion* found it.
    pub(super) fn difference(&self, index: u32) -> Result<f64, Refused> {
        let mut value = 0.0;
        // SAFETY: both pointers are valid for the call.
        let code = unsafe { sys::retake_vmaf_difference(self.raw.as_ptr(), &mut value, index) };
        check("vmaf_feature_score_at_index", code).map(|()| value)
    }

    /// Returns the value that an extractor found at a frame.
    pub(super) fn feature(&self, name: &CStr, index: u32) -> Result<f64, Refused> {
        let mut value = 0.0;
        // SAFETY: all pointers are valid for the call; the name is only compared.
        let code = unsafe { sys::retake_vmaf_feature(self.raw.as_ptr(), name.as_ptr(), &mut value, index) };
        check("vmaf_feature_score_at_index", code).map(|()| value)
    }

    /// Adds the value of a feature that was found elsewhere.
    pub(super) fn import(&mut self, name: &CStr, value: f64, index: u32) -> Result<(), Refused> {
        // SAFETY: the context lives, the name is copied.
        let code = unsafe { sys::retake_vmaf_import(self.raw.as_ptr(), name.as_ptr(), value, index) };
        check("vmaf_import_feature_score", code)
    }

    /// Returns the model's score of a frame all of whose features are known.
    pub(super) fn score(&mut self, model: &mut Model, index: u32) -> Result<f64, Refused> {
        let mut value = 0.0;
        // SAFETY: context, model and the place for the score live; both are borrowed exclusively.
        let code = unsafe { sys::retake_vmaf_score(self.raw.as_ptr(), model.0.as_ptr(), &mut value, index) };
        check("vmaf_score_at_index", code).map(|()| value)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours and used no more; `Picture` never outlives `read`.
        unsafe { sys::retake_vmaf_close(self.raw.as_ptr()) };
    }
}

/// A picture of luma that libvmaf allocated, until it is given away.
struct Picture {
    raw: NonNull<sys::VmafPicture>,
    rows: *mut u8,
    stride: usize,
    depth: u32,
    width: usize,
    height: usize,
}

impl Picture {
    fn new(context: &Context) -> Result<Self, Refused> {
        let (mut raw, mut rows, mut stride) = (ptr::null_mut(), ptr::null_mut(), 0);
        let Context { depth, width, height, .. } = *context;
        // SAFETY: all three pointers to be set are valid.
        let code =
            unsafe { sys::retake_vmaf_picture(width, height, depth, &mut raw, &mut rows, &mut stride) };
        check("vmaf_picture_alloc", code)?;
        let raw = NonNull::new(raw).ok_or(Refused { call: "vmaf_picture_alloc", code })?;
        let stride = stride.unsigned_abs();
        Ok(Self { raw, rows: rows.cast(), stride, depth, width: width as usize, height: height as usize })
    }

    /// Gives the picture away, to be released by who takes it.
    fn give(self) -> *mut sys::VmafPicture {
        std::mem::ManuallyDrop::new(self).raw.as_ptr()
    }

    /// Copies the luma of a picture of the same format and size.
    fn fill(&mut self, from: &PixelBuffer) {
        let geometry = from.geometry(0);
        let row_bytes = geometry.samples * from.format().bytes_per_sample();
        assert!(
            self.depth == from.format().bit_depth()
                && self.width == geometry.samples
                && self.height == geometry.rows
                && self.stride >= row_bytes,
            "a picture of another size came through"
        );
        for (index, row) in from.rows(0).enumerate() {
            // SAFETY: libvmaf allocated `stride × height` bytes at `rows`, the row index is below `height`
            // and a row's bytes fit the stride (both asserted above); the picture is ours alone until `read`
            // hands it over, so nothing else refers to it.
            let to = unsafe { std::slice::from_raw_parts_mut(self.rows.add(index * self.stride), row_bytes) };
            copy_row(to, row, from.format());
        }
    }
}

/// Copies a row, because libvmaf requires two-byte samples in the machine's order and ours are little-endian.
fn copy_row(to: &mut [u8], from: &[u8], format: PixelFormat) {
    if format.bytes_per_sample() == 1 || cfg!(target_endian = "little") {
        to.copy_from_slice(from);
    } else {
        to.copy_from_slice(bytemuck::cast_slice(&u16::cast(from)));
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the picture is ours, because `give` forgets those that are not.
        unsafe { sys::retake_vmaf_release(self.raw.as_ptr()) };
    }
}

/// Returns the version of the library that is in use, which one of the system may have got after the build.
pub(super) fn version() -> String {
    // SAFETY: libvmaf returns a C string that lives as long as the library.
    let version = unsafe { CStr::from_ptr(sys::retake_vmaf_version()) };
    version.to_string_lossy().into_owned()
}
