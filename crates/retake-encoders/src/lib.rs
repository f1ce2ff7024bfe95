//! x264, x265, SVT-AV1 and VP9 behind the one trait [`Encoder`](retake_compression::encoder::Encoder).
//!
//! [`registry`] gives the encoders of this build. Each has a folder with a C shim over the system library (`shim.c`) and the table of what
//! is particular to it; everything else lives once: settings are checked and lowered in `settings`, times are kept in `times`, headers and
//! payloads are put in ISO form in `bitstream`, and `driver` runs a shim as an encoder.

mod bitstream;
mod driver;
mod factory;
mod options;
mod settings;
mod shim;
mod times;

#[cfg(has_svt_av1)]
mod svt_av1;
#[cfg(has_vp9)]
mod vp9;
#[cfg(has_x264)]
mod x264;
#[cfg(has_x265)]
mod x265;

use retake_compression::encoder::{MissingEncoder, Registry};
use retake_media::Codec;
use std::sync::Arc;

/// The encoders of this build. Of two for one codec, the first is the default.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    let missing = |registry: &mut Registry, name, codec, remedy| {
        registry.add_missing(MissingEncoder { name, codec, remedy });
    };

    #[cfg(has_svt_av1)]
    registry.add(Arc::new(factory::Factory::new(svt_av1::spec())));
    #[cfg(not(has_svt_av1))]
    missing(&mut registry, "svt-av1", Codec::Av1, "install libsvtav1enc-dev and build with the feature svt-av1");

    #[cfg(has_x264)]
    registry.add(Arc::new(factory::Factory::new(x264::spec())));
    #[cfg(not(has_x264))]
    missing(&mut registry, "x264", Codec::H264, "install libx264-dev and build with the feature x264");

    #[cfg(has_x265)]
    registry.add(Arc::new(factory::Factory::new(x265::spec())));
    #[cfg(not(has_x265))]
    missing(&mut registry, "x265", Codec::Hevc, "install libx265-dev and build with the feature x265");

    #[cfg(has_vp9)]
    registry.add(Arc::new(factory::Factory::new(vp9::spec())));
    #[cfg(not(has_vp9))]
    missing(&mut registry, "vp9", Codec::Vp9, "install libvpx-dev and build with the feature vp9");

    let _ = missing;
    registry
}
