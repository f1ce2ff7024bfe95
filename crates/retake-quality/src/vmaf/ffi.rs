//! Wraps libvmaf's contexts, pictures and model as owned Rust values. All unsafe code of this crate is here.
//!
//! All blocks rely on these properties of libvmaf: with `n_threads` 0 it starts no thread and does everything
//! inside the call; it keeps no pointer to anything of ours (pictures come from its own pool, names are
//! copied or compared); a context and a model are freed once, by us. Its global state is a division table
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

/// The number of pictures of a context's pool: two of the running call, the two reference pictures before it
/// that libvmaf keeps, and one spare.
const POOL: u32 = 5;

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
        let config = sys::VmafConfiguration {
            log_level: sys::LOG_LEVEL_NONE,
            n_threads: 0,
            n_subsample: 1,
            cpumask: if self == Self::Plain { u64::from(u32::MAX) } else { 0 },
            gpumask: 0,
        };
        let mut raw = ptr::null_mut();
        // SAFETY: the pointer to be set is valid, the configuration is passed by value.
        let code = unsafe { sys::vmaf_init(&mut raw, config) };
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
        let mut config = sys::VmafModelConfig { name: ptr::null(), flags: 0 };
        // SAFETY: all three pointers are valid for the call; a null name asks for the default one.
        let code = unsafe { sys::vmaf_model_load(&mut raw, &mut config, version.as_ptr()) };
        check("vmaf_model_load", code)?;
        NonNull::new(raw).map(Self).ok_or(Refused { call: "vmaf_model_load", code })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model is ours and used no more; contexts never hold it (it is not mounted, only passed
        // to `score`).
        unsafe { sys::vmaf_model_destroy(self.0.as_ptr()) }
    }
}

/// A libvmaf instance with the feature extractors it was opened for.
pub(super) struct Context {
    raw: NonNull<sys::VmafContext>,
    code: Code,
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
        let context = Self { raw: code.open()?, code, started: false };
        drop(guard);
        for feature in features {
            // SAFETY: the context lives, the name is a C string that is only compared, no options are handed
            // over.
            let code =
                unsafe { sys::vmaf_use_feature(context.raw.as_ptr(), feature.as_ptr(), ptr::null_mut()) };
            check("vmaf_use_feature", code)?;
        }
        let pictures = sys::VmafPictureConfiguration {
            w: width,
            h: height,
            bpc: format.bit_depth(),
            pix_fmt: sys::PIX_FMT_YUV400P,
            pic_cnt: POOL,
        };
        // SAFETY: the context lives and has no pool yet.
        let code = unsafe { sys::vmaf_preallocate_pictures(context.raw.as_ptr(), pictures) };
        check("vmaf_preallocate_pictures", code)?;
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
        let mut first = Picture::fetch(self)?;
        first.fill(reference);
        let mut second = Picture::fetch(self)?;
        if let Some(picture) = picture {
            second.fill(picture);
        }
        let mut guard = None;
        if !self.started {
            guard = Some(CHOICE.lock().unwrap_or_else(PoisonError::into_inner));
            let setter = self.code.open()?;
            // SAFETY: the instance was opened a line above, and nothing else knows it.
            unsafe { sys::vmaf_close(setter.as_ptr()) };
            self.started = true;
        }
        // SAFETY: context and pictures live. libvmaf takes its references over and blanks the two structs;
        // where it fails early it leaves them, and `Picture` gives them back.
        let code = unsafe { sys::vmaf_read_pictures(self.raw.as_ptr(), &mut first.0, &mut second.0, index) };
        drop(guard);
        check("vmaf_read_pictures", code)
    }

    /// Returns the value that an extractor found at a frame.
    pub(super) fn feature(&self, name: &CStr, index: u32) -> Result<f64, Refused> {
        let mut value = 0.0;
        // SAFETY: all pointers are valid for the call; the name is only compared.
        let code =
            unsafe { sys::vmaf_feature_score_at_index(self.raw.as_ptr(), name.as_ptr(), &mut value, index) };
        check("vmaf_feature_score_at_index", code).map(|()| value)
    }

    /// Adds the value of a feature that was found elsewhere.
    pub(super) fn import(&mut self, name: &CStr, value: f64, index: u32) -> Result<(), Refused> {
        // SAFETY: the context lives, the name is copied.
        let code = unsafe { sys::vmaf_import_feature_score(self.raw.as_ptr(), name.as_ptr(), value, index) };
        check("vmaf_import_feature_score", code)
    }

    /// Returns the model's score of a frame all of whose features are known.
    pub(super) fn score(&mut self, model: &mut Model, index: u32) -> Result<f64, Refused> {
        let mut value = 0.0;
        // SAFETY: context, model and the place for the score live; both are borrowed exclusively.
        let code =
            unsafe { sys::vmaf_score_at_index(self.raw.as_ptr(), model.0.as_ptr(), &mut value, index) };
        check("vmaf_score_at_index", code).map(|()| value)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours and used no more. Closing waits for pictures that were not given back:
        // `Picture` never outlives `read`, and the context's own references are dropped first, so that there
        // is none.
        unsafe { sys::vmaf_close(self.raw.as_ptr()) };
    }
}

/// A picture of a context's pool, until libvmaf takes it.
struct Picture(sys::VmafPicture);

impl Picture {
    fn fetch(context: &mut Context) -> Result<Self, Refused> {
        let mut raw = sys::VmafPicture {
            pix_fmt: 0,
            bpc: 0,
            w: [0; 3],
            h: [0; 3],
            stride: [0; 3],
            data: [ptr::null_mut(); 3],
            reference: ptr::null_mut(),
            private: ptr::null_mut(),
        };
        // SAFETY: the context lives and has a pool of more pictures than can be out at once, so that this
        // does not wait.
        let code = unsafe { sys::vmaf_fetch_preallocated_picture(context.raw.as_ptr(), &mut raw) };
        check("vmaf_fetch_preallocated_picture", code)?;
        Ok(Self(raw))
    }

    /// Copies the luma of a picture of the same format and size.
    fn fill(&mut self, from: &PixelBuffer) {
        let geometry = from.geometry(0);
        let row_bytes = geometry.samples * from.format().bytes_per_sample();
        let stride = self.0.stride[0] as usize;
        assert!(
            self.0.bpc == from.format().bit_depth()
                && self.0.w[0] as usize == geometry.samples
                && self.0.h[0] as usize == geometry.rows
                && stride >= row_bytes,
            "a picture of another size came through"
        );
        let first: *mut u8 = self.0.data[0].cast();
        for (index, row) in from.rows(0).enumerate() {
            // SAFETY: the pool allocated `stride × rows` bytes at `first`, the row index is below `rows` and
            // a row's bytes fit the stride (both asserted above); the picture is ours alone until `read`
            // hands it over, so nothing else refers to it.
            let to = unsafe { std::slice::from_raw_parts_mut(first.add(index * stride), row_bytes) };
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
        if !self.0.reference.is_null() {
            // SAFETY: a picture with a reference is still ours: libvmaf blanks those it takes over.
            unsafe { sys::vmaf_picture_unref(&mut self.0) };
        }
    }
}
