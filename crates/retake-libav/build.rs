//! Builds the shims in `src/shim` against the FFmpeg that pkg-config finds.
//!
//! With `RETAKE_ASAN=1` they are compiled with the address sanitizer, and the tests are linked with its
//! runtime: `./dev sanitize` does both.

use std::path::Path;
use std::process::exit;

/// The libraries with their oldest versions that suffice: those of FFmpeg 5.1.
const LIBRARIES: [(&str, &str); 6] = [
    ("libavformat", "59.27"),
    ("libavcodec", "59.37"),
    ("libavfilter", "8.44"),
    ("libswscale", "6.7"),
    ("libswresample", "4.7"),
    ("libavutil", "57.28"),
];

const SHIMS: [&str; 14] = [
    "common",
    "input",
    "decode",
    "dynamic_hdr",
    "filter",
    "scale",
    "resize",
    "jpeg",
    "subtitle",
    "bitmaps",
    "sound",
    "pcm",
    "output",
    "track",
];

fn main() {
    if std::env::var_os("DOCS_RS").is_some() {
        return; // its builder has no FFmpeg, and pages need none
    }
    let shim = Path::new("src/shim");
    println!("cargo:rerun-if-changed={}", shim.display());
    println!("cargo:rerun-if-env-changed=RETAKE_ASAN");
    let mut build = cc::Build::new();
    if std::env::var_os("RETAKE_ASAN").is_some_and(|value| value == "1") {
        println!("cargo:rustc-link-arg=-lasan");
        build.flag("-fsanitize=address").flag("-fno-omit-frame-pointer").debug(true);
    }
    for (library, version) in LIBRARIES {
        match pkg_config::Config::new().atleast_version(version).probe(library) {
            Ok(found) => {
                build.includes(found.include_paths);
            }
            Err(error) => {
                eprintln!(
                    "\nRetake reads and writes films with FFmpeg 5.1 or newer, and {library} was not found."
                );
                eprintln!("On Debian and Ubuntu install it with:\n");
                eprintln!(
                    "    apt install pkg-config libavformat-dev libavcodec-dev libavfilter-dev libswscale-dev libswresample-dev libavutil-dev\n"
                );
                eprintln!(
                    "Elsewhere install FFmpeg with its headers, and point PKG_CONFIG_PATH to its .pc files.\n"
                );
                eprintln!("{error}");
                exit(1);
            }
        }
    }
    for name in SHIMS {
        build.file(shim.join(name).with_extension("c"));
    }
    build.std("c11").warnings(true).extra_warnings(true).opt_level(2).compile("retake_libav_shim");
}
