//! Says what this build will lack.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PATH");
    if env::var_os("CARGO_FEATURE_VMAF").is_none() {
        println!(
            "cargo:warning=built without VMAF: XPSNR is the default metric (feature `vmaf` of retake-quality)"
        );
    } else if !has("xxd") && !has("xxd.exe") {
        println!(
            "cargo:warning=xxd was not found: if libvmaf is built now, it has no models, and VMAF is left out"
        );
    }
}

fn has(tool: &str) -> bool {
    let is_in = |folder: &Path| folder.join(tool).is_file();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| is_in(&folder)))
}
