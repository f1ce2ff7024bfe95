//! This crate puts x264, x265, SVT-AV1, libaom, VP9 and the encoders of libavcodec behind the one trait
//! [`Encoder`](retake_compression::encoder::Encoder).
//!
//! [`registry`] returns the encoders of this build; those of libavcodec are a family in it, found by name
//! alone. Each has a folder with a C shim over the system library
//! (`shim.c`) and the table of its peculiarities. All else exists once: `library` describes a library,
//! settings are checked and lowered in `settings`, times are kept in `times`, headers and payloads are put in
//! ISO form in `bitstream`, and `driver` runs a shim as an encoder.
//!
//! Ids such as `MP-26`, resolutions and numbered sections in comments are those of `docs/contract.md`, which
//! defines what every call must do.

// A build that lacks encoders leaves parts of the common code without a caller.
#![cfg_attr(
    not(all(has_avcodec, has_libaom, has_svt_av1, has_x264, has_x265, has_vp9)),
    allow(dead_code, unused_imports, unused_macros, unused_mut)
)]

#[cfg(has_avcodec)]
mod avcodec;
mod bitstream;
mod controls;
mod driver;
mod errors;
mod factory;
mod first_pass;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod library;
mod live;
mod opening;
mod options;
mod raw;
mod settings;
mod shim;
mod times;
mod warm_up;

#[cfg(has_libaom)]
mod libaom;
#[cfg(has_svt_av1)]
mod svt_av1;
#[cfg(has_vp9)]
mod vp9;
#[cfg(has_x264)]
mod x264;
#[cfg(has_x265)]
mod x265;

use retake_compression::encoder::{EncoderFactory, EncoderFamily, Registry};
use std::sync::Arc;

/// Adds an encoder, or the note that this build lacks it.
macro_rules! register {
    ($registry:ident, $found:ident, $module:ident, $name:literal, $codec:ident, $package:literal) => {
        #[cfg($found)]
        $registry.add(Arc::new(factory::Factory::new($module::spec())));
        #[cfg(not($found))]
        $registry.add_missing(retake_compression::encoder::MissingEncoder {
            name: $name,
            codec: retake_media::Codec::$codec,
            remedy: concat!("install ", $package, " and build with the feature ", $name),
        });
    };
}

/// Returns the encoders of this build. Of two for one codec, the first is the default.
///
/// Call it before other threads run that may read the environment from C: it sets `SVT_LOG` there, unless the
/// user has, because SVT-AV1 cannot be kept silent in another way.
#[doc(alias = "x264")]
#[doc(alias = "x265")]
#[doc(alias = "svt-av1")]
#[doc(alias = "libvpx")]
#[doc(alias = "libaom")]
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    register!(registry, has_svt_av1, svt_av1, "svt-av1", Av1, "libsvtav1enc-dev");
    register!(registry, has_x264, x264, "x264", H264, "libx264-dev");
    register!(registry, has_x265, x265, "x265", Hevc, "libx265-dev");
    register!(registry, has_vp9, vp9, "vp9", Vp9, "libvpx-dev");
    register!(registry, has_libaom, libaom, "libaom", Av1, "libaom-dev");
    registry.add_family(EncoderFamily {
        prefix: "avcodec:",
        about: "any video encoder of libavcodec, such as avcodec:mpeg4",
        find: find_avcodec,
    });
    registry
}

#[cfg(has_avcodec)]
fn find_avcodec(name: &str) -> Result<Arc<dyn EncoderFactory>, String> {
    avcodec::find(name)
}

#[cfg(not(has_avcodec))]
fn find_avcodec(_: &str) -> Result<Arc<dyn EncoderFactory>, String> {
    Err("this build has no libavcodec: install libavcodec-dev and build with the feature avcodec".to_owned())
}
