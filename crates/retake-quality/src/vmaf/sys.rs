//! Declares the functions of `shim.c`.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// This type is opaque.
#[repr(C)]
pub(super) struct VmafContext {
    _opaque: [u8; 0],
}

/// This type is opaque.
#[repr(C)]
pub(super) struct VmafModel {
    _opaque: [u8; 0],
}

/// This type is opaque.
#[repr(C)]
pub(super) struct VmafPicture {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    pub(super) fn retake_vmaf_open(context: *mut *mut VmafContext, plain: c_int) -> c_int;
    pub(super) fn retake_vmaf_close(context: *mut VmafContext) -> c_int;
    pub(super) fn retake_vmaf_use(context: *mut VmafContext, extractor: *const c_char) -> c_int;
    pub(super) fn retake_vmaf_picture(
        width: c_uint,
        height: c_uint,
        depth: c_uint,
        picture: *mut *mut VmafPicture,
        rows: *mut *mut c_void,
        stride: *mut isize,
    ) -> c_int;
    pub(super) fn retake_vmaf_release(picture: *mut VmafPicture);
    pub(super) fn retake_vmaf_read(
        context: *mut VmafContext,
        reference: *mut VmafPicture,
        scored: *mut VmafPicture,
        index: c_uint,
    ) -> c_int;
    pub(super) fn retake_vmaf_difference(context: *mut VmafContext, value: *mut f64, index: c_uint) -> c_int;
    pub(super) fn retake_vmaf_feature(
        context: *mut VmafContext,
        name: *const c_char,
        value: *mut f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn retake_vmaf_import(
        context: *mut VmafContext,
        name: *const c_char,
        value: f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn retake_vmaf_score(
        context: *mut VmafContext,
        model: *mut VmafModel,
        value: *mut f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn retake_vmaf_load(model: *mut *mut VmafModel, version: *const c_char) -> c_int;
    pub(super) fn retake_vmaf_unload(model: *mut VmafModel);
    pub(super) fn retake_vmaf_version() -> *const c_char;
}
