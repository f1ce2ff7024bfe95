//! Declares the flat structures of `shim.h` for Rust.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::ptr::null;

#[repr(C)]
pub(crate) struct RawOption {
    pub(crate) key: *const c_char,
    pub(crate) value: *const c_char,
}

/// The values of `enum retake_rate`.
#[repr(i32)]
#[derive(Clone, Copy)]
pub(crate) enum RawRate {
    Quality = 0,
    Average = 1,
    Constant = 2,
    Lossless = 3,
}

/// The values of `enum retake_pass`.
#[repr(i32)]
#[derive(Clone, Copy)]
pub(crate) enum RawPass {
    Only = 0,
    First = 1,
    Second = 2,
}

#[repr(C)]
pub(crate) struct RawControls {
    pub(crate) no_reordering: i32,
    pub(crate) open_gop: i32,
    pub(crate) references: i32,
    pub(crate) look_ahead: i32,
    pub(crate) max_delay: i32,
    pub(crate) low_latency: i32,
    pub(crate) min_qp: i32,
    pub(crate) max_qp: i32,
    pub(crate) no_spatial_adaptation: i32,
    pub(crate) spatial_adaptation: i32,
    pub(crate) base_qp: i32,
    pub(crate) level: i32,
    pub(crate) cabac: i32,
    pub(crate) slice_bytes: i32,
    pub(crate) layers: i32,
    pub(crate) long_term: i32,
    pub(crate) more_before: i32,
    pub(crate) more_after: i32,
    pub(crate) fields: i32,
    pub(crate) film_grain: i32,
    pub(crate) crop: [i32; 4],
    pub(crate) limit_kept_by_caller: i32,
    pub(crate) frame_count: i64,
    pub(crate) buffer_rate: i64,
    pub(crate) buffer_bits: i64,
    pub(crate) buffer_initial: f64,
    pub(crate) ceiling: f64,
    pub(crate) base_share: f64,
    pub(crate) profile: *const c_char,
}

/// What is known of an encoder of libavcodec (`struct retake_avcodec`).
#[repr(C)]
#[derive(Clone)]
pub(crate) struct RawAvcodec {
    pub(crate) name: [c_char; 64],
    pub(crate) key: [c_char; 32],
    pub(crate) preset_key: [c_char; 32],
    pub(crate) default_preset: [c_char; 32],
    pub(crate) presets: [c_char; 1024],
    pub(crate) codec: i32,
    pub(crate) knob: i32,
    pub(crate) inverted: i32,
    pub(crate) is_intra: i32,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) step: f64,
    pub(crate) usual: f64,
}

#[repr(C)]
pub(crate) struct RawSettings {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) bit_depth: i32,
    pub(crate) chroma: i32,
    pub(crate) pairs: i32,
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
    pub(crate) rate: RawRate,
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
    pub(crate) pass: RawPass,
    pub(crate) statistics: *const u8,
    pub(crate) statistics_size: usize,
    pub(crate) controls: RawControls,
    pub(crate) avcodec: *const RawAvcodec,
}

/// A change of a running encode; negative numbers change nothing.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawChange {
    pub(crate) bit_rate: i64,
    pub(crate) limit_rate: i64,
    pub(crate) limit_window: i64,
    pub(crate) quality: f64,
    pub(crate) min_qp: i32,
    pub(crate) max_qp: i32,
}

impl RawAvcodec {
    pub(crate) fn empty() -> Self {
        Self {
            name: [0; 64],
            key: [0; 32],
            preset_key: [0; 32],
            default_preset: [0; 32],
            presets: [0; 1024],
            codec: 0,
            knob: 0,
            inverted: 0,
            is_intra: 0,
            min: 0.0,
            max: 0.0,
            step: 0.0,
            usual: 0.0,
        }
    }
}

impl RawChange {
    pub(crate) const NOTHING: Self =
        Self { bit_rate: -1, limit_rate: -1, limit_window: -1, quality: -1.0, min_qp: -1, max_qp: -1 };
}

#[repr(C)]
pub(crate) struct RawFault {
    setting: [c_char; 64],
    reason: [c_char; 256],
}

#[repr(C)]
pub(crate) struct RawFrame {
    pub(crate) plane: [*const u8; 3],
    pub(crate) stride: [isize; 3],
    pub(crate) index: i64,
    pub(crate) force_key: i32,
    pub(crate) base_qp: i32,
    pub(crate) refresh: i32,
    pub(crate) acknowledged: *const u64,
    pub(crate) acknowledged_count: usize,
}

#[repr(C)]
pub(crate) struct RawEvent {
    pub(crate) data: *const u8,
    pub(crate) size: usize,
    pub(crate) index: i64,
    pub(crate) kind: i32,
    pub(crate) qp: f32,
    pub(crate) layer: i32,
    pub(crate) token: u64,
}

impl RawEvent {
    pub(crate) fn empty() -> Self {
        Self { data: null(), size: 0, index: 0, kind: 0, qp: 0.0, layer: 0, token: 0 }
    }
}

/// The reason why a library refused; an empty setting means that no single one is to blame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) setting: String,
    pub(crate) reason: String,
}

impl RawFault {
    pub(crate) fn empty() -> Self {
        Self { setting: [0; 64], reason: [0; 256] }
    }

    pub(crate) fn read(&self) -> Fault {
        Fault { setting: text(&self.setting), reason: text(&self.reason) }
    }
}

/// Reads a text that a shim wrote into an array.
pub(crate) fn text(chars: &[c_char]) -> String {
    // SAFETY: the arrays begin as zeros and shims write into them with snprintf, which ends its text with a
    // zero.
    unsafe { CStr::from_ptr(chars.as_ptr()) }.to_string_lossy().into_owned()
}
