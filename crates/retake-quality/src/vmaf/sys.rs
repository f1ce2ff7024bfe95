//! Declares the part of libvmaf's C interface that this crate uses. `layout.c` compares it with the real
//! headers whenever libvmaf is built.

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

#[repr(C)]
pub(super) struct VmafConfiguration {
    pub(super) log_level: c_uint,
    pub(super) n_threads: c_uint,
    pub(super) n_subsample: c_uint,
    pub(super) cpumask: u64,
    pub(super) gpumask: u64,
}

pub(super) const LOG_LEVEL_NONE: c_uint = 0;

#[repr(C)]
pub(super) struct VmafModelConfig {
    pub(super) name: *const c_char,
    pub(super) flags: u64,
}

#[repr(C)]
pub(super) struct VmafPicture {
    pub(super) pix_fmt: c_uint,
    pub(super) bpc: c_uint,
    pub(super) w: [c_uint; 3],
    pub(super) h: [c_uint; 3],
    pub(super) stride: [isize; 3],
    pub(super) data: [*mut c_void; 3],
    pub(super) reference: *mut c_void,
    pub(super) private: *mut c_void,
}

/// The pixel format of luma alone.
pub(super) const PIX_FMT_YUV400P: c_uint = 4;

#[repr(C)]
pub(super) struct VmafPictureConfiguration {
    pub(super) w: c_uint,
    pub(super) h: c_uint,
    pub(super) bpc: c_uint,
    pub(super) pix_fmt: c_uint,
    pub(super) pic_cnt: c_uint,
}

unsafe extern "C" {
    pub(super) fn vmaf_init(context: *mut *mut VmafContext, configuration: VmafConfiguration) -> c_int;
    pub(super) fn vmaf_close(context: *mut VmafContext) -> c_int;
    pub(super) fn vmaf_use_feature(
        context: *mut VmafContext,
        name: *const c_char,
        options: *mut c_void,
    ) -> c_int;
    pub(super) fn vmaf_import_feature_score(
        context: *mut VmafContext,
        name: *const c_char,
        value: f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn vmaf_preallocate_pictures(
        context: *mut VmafContext,
        configuration: VmafPictureConfiguration,
    ) -> c_int;
    pub(super) fn vmaf_fetch_preallocated_picture(
        context: *mut VmafContext,
        picture: *mut VmafPicture,
    ) -> c_int;
    pub(super) fn vmaf_picture_unref(picture: *mut VmafPicture) -> c_int;
    pub(super) fn vmaf_read_pictures(
        context: *mut VmafContext,
        reference: *mut VmafPicture,
        picture: *mut VmafPicture,
        index: c_uint,
    ) -> c_int;
    pub(super) fn vmaf_feature_score_at_index(
        context: *mut VmafContext,
        name: *const c_char,
        score: *mut f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn vmaf_score_at_index(
        context: *mut VmafContext,
        model: *mut VmafModel,
        score: *mut f64,
        index: c_uint,
    ) -> c_int;
    pub(super) fn vmaf_model_load(
        model: *mut *mut VmafModel,
        configuration: *mut VmafModelConfig,
        version: *const c_char,
    ) -> c_int;
    pub(super) fn vmaf_model_destroy(model: *mut VmafModel);
}
