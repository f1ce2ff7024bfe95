//! Finds the encoder libraries of the system and compiles the shim of each one that is installed.
//!
//! An encoder whose library is missing is left out, with a warning that says how to get it.
//!
//! With `RETAKE_ASAN=1` the shims are compiled with the address sanitizer, and the tests are linked with its
//! runtime: `./dev sanitize` does both.

struct Library {
    feature: &'static str,
    cfg: &'static str,
    folder: &'static str,
    pkg_config: &'static str,
    minimum: &'static str,
    debian: &'static str,
}

const LIBRARIES: [Library; 6] = [
    Library {
        feature: "AVCODEC",
        cfg: "has_avcodec",
        folder: "avcodec",
        pkg_config: "libavcodec",
        minimum: "59.37",
        debian: "libavcodec-dev libavutil-dev",
    },
    Library {
        feature: "LIBAOM",
        cfg: "has_libaom",
        folder: "libaom",
        pkg_config: "aom",
        minimum: "3.3",
        debian: "libaom-dev",
    },
    Library {
        feature: "SVT_AV1",
        cfg: "has_svt_av1",
        folder: "svt_av1",
        pkg_config: "SvtAv1Enc",
        minimum: "1.0",
        debian: "libsvtav1enc-dev",
    },
    Library {
        feature: "X264",
        cfg: "has_x264",
        folder: "x264",
        pkg_config: "x264",
        minimum: "0.155",
        debian: "libx264-dev",
    },
    Library {
        feature: "X265",
        cfg: "has_x265",
        folder: "x265",
        pkg_config: "x265",
        minimum: "3.0",
        debian: "libx265-dev",
    },
    Library {
        feature: "VP9",
        cfg: "has_vp9",
        folder: "vp9",
        pkg_config: "vpx",
        minimum: "1.8",
        debian: "libvpx-dev",
    },
];

fn main() {
    println!("cargo:rerun-if-changed=src/shim.h");
    println!("cargo:rerun-if-changed=src/bucket.h");
    println!("cargo:rerun-if-changed=src/aom_vpx.h");
    println!("cargo:rerun-if-env-changed=RETAKE_ASAN");
    let sanitize = std::env::var_os("RETAKE_ASAN").is_some_and(|value| value == "1");
    if sanitize {
        println!("cargo:rustc-link-arg=-lasan");
    }
    for library in &LIBRARIES {
        println!("cargo:rustc-check-cfg=cfg({})", library.cfg);
        if std::env::var_os(format!("CARGO_FEATURE_{}", library.feature)).is_some() {
            build(library, sanitize);
        }
    }
}

fn build(library: &Library, sanitize: bool) {
    let shim = format!("src/{}/shim.c", library.folder);
    println!("cargo:rerun-if-changed=src/{}", library.folder);
    if !std::path::Path::new(&shim).exists() {
        println!("cargo:warning=built without {}: its shim is not part of this source tree", library.folder);
        return;
    }
    let found = match pkg_config::Config::new().atleast_version(library.minimum).probe(library.pkg_config) {
        Ok(found) => found,
        Err(_) => {
            println!(
                "cargo:warning=no {} {} or newer on this system: built without this encoder (Debian: apt install {})",
                library.pkg_config, library.minimum, library.debian
            );
            return;
        }
    };
    // The encoders of libavcodec are set by options, which are a part of libavutil.
    if library.feature == "AVCODEC" && pkg_config::probe_library("libavutil").is_err() {
        println!("cargo:warning=no libavutil on this system: built without the encoders of libavcodec");
        return;
    }
    let mut cc = cc::Build::new();
    cc.file(&shim).includes(&found.include_paths).std("gnu11").warnings(true);
    for (name, value) in &found.defines {
        cc.define(name, value.as_deref());
    }
    if sanitize {
        cc.flag("-fsanitize=address").flag("-fno-omit-frame-pointer").debug(true);
    }
    cc.compile(&format!("retake_{}", library.folder));
    println!("cargo:rustc-cfg={}", library.cfg);
}
