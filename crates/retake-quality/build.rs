//! Compiles libvmaf where the tools for that are installed, and reports a missing one where they are not. A
//! missing metric must never be an error of the build.
//!
//! The source is the one inside the package `vmaf-head-sys`, found and checked by cargo itself. The package
//! is not an ordinary dependency, because its own build script fails where a tool is missing, and the build
//! of everything else with it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// It must be the version that `Cargo.toml` names.
const SOURCE: &str = "vmaf-head-sys";
const VERSION: &str = "=0.2.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/vmaf/layout.c");
    println!("cargo:rerun-if-env-changed=PATH");
    println!("cargo:rustc-check-cfg=cfg(vmaf)");
    let outcome = if env::var_os("CARGO_FEATURE_VMAF").is_none() {
        Err("the feature `vmaf` of retake-quality is off".to_owned())
    } else {
        tools().and_then(|()| build())
    };
    match outcome {
        Ok(()) => println!("cargo:rustc-cfg=vmaf"),
        Err(reason) => {
            println!("cargo:warning=built without VMAF, XPSNR is the default metric: {reason}");
        }
    }
}

/// Names the programs that are missing, and makes the next build look again.
fn tools() -> Result<(), String> {
    let mut wanted = vec!["meson", "ninja", "xxd"];
    if matches!(variable("CARGO_CFG_TARGET_ARCH").as_str(), "x86" | "x86_64") {
        wanted.push("nasm");
    }
    let missing: Vec<&str> = wanted.into_iter().filter(|tool| !has(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    // Cargo runs this script again whenever a file that it depends on does not exist.
    println!("cargo:rerun-if-changed={}", out_dir().join("tools-that-are-missing").display());
    Err(format!("{} not found: install, and build again", missing.join(", ")))
}

fn has(tool: &str) -> bool {
    let is_in = |folder: PathBuf| folder.join(tool).is_file() || folder.join(format!("{tool}.exe")).is_file();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(is_in))
}

fn build() -> Result<(), String> {
    let (build, prefix) = (out_dir().join("libvmaf"), out_dir().join("install"));
    // A changed environment alone is no reason to compile libvmaf again, so a stamp records the version that
    // was built.
    let stamp = prefix.join("stamp");
    if !fs::read_to_string(&stamp).is_ok_and(|built| built == VERSION) {
        compile(&build, &prefix)?;
        fs::write(stamp, VERSION).map_err(|error| error.to_string())?;
    }
    link(&prefix)
}

fn compile(build: &Path, prefix: &Path) -> Result<(), String> {
    let source = source()?.join("vendored/vmaf/libvmaf");
    for folder in [build, prefix] {
        // The leftovers of an earlier run may be of another version. If they cannot be removed, meson fails
        // below.
        let _ = fs::remove_dir_all(folder);
    }
    let on_x86 = matches!(variable("CARGO_CFG_TARGET_ARCH").as_str(), "x86" | "x86_64");
    let asm = on_x86 || variable("CARGO_CFG_TARGET_ARCH") == "aarch64";
    let mut setup = Command::new("meson");
    setup.arg("setup").args([build, &source]).arg(format!("--prefix={}", prefix.display()));
    setup.args(["--libdir=lib", "--default-library=static", "--buildtype=release", "-Db_ndebug=if-release"]);
    setup.args([
        "-Denable_tests=false",
        "-Denable_docs=false",
        "-Denable_tools=false",
        "-Dbuilt_in_models=true",
    ]);
    setup.args([format!("-Denable_asm={asm}"), format!("-Denable_avx512={on_x86}")]);
    run(&mut setup)?;
    run(Command::new("meson").args(["install", "-C"]).arg(build)).map(|_| ())
}

fn link(prefix: &Path) -> Result<(), String> {
    // Our declarations are compared with libvmaf's headers.
    cc::Build::new()
        .file("src/vmaf/layout.c")
        .include(prefix.join("include"))
        .try_compile("retake_vmaf_layout")
        .map_err(|error| format!("libvmaf's structures are not the expected ones: {error}"))?;
    println!("cargo:rustc-link-search=native={}", prefix.join("lib").display());
    println!("cargo:rustc-link-lib=static=vmaf");
    for library in match variable("CARGO_CFG_TARGET_OS").as_str() {
        "macos" | "ios" => &["c++"][..],
        "windows" if variable("CARGO_CFG_TARGET_ENV") == "msvc" => &[],
        "windows" => &["stdc++"],
        _ => &["stdc++", "m", "pthread"],
    } {
        println!("cargo:rustc-link-lib={library}");
    }
    Ok(())
}

/// Returns the folder where cargo keeps the source. Cargo downloads it if necessary, and it must have the
/// checksum of our `Cargo.lock`.
fn source() -> Result<PathBuf, String> {
    let folder = out_dir().join("source");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let manifest = format!(
        "[package]\nname = \"source\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
         [dependencies]\n{SOURCE} = \"{VERSION}\"\n[workspace]\n"
    );
    let write =
        |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| error.to_string());
    write("Cargo.toml", &manifest)?;
    write("lib.rs", "")?;
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    // A crate that was taken out of its workspace has no lock, so the exact version must suffice.
    let _ = fs::copy(root, folder.join("Cargo.lock"));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ask = |offline: &[&str]| {
        let mut metadata = Command::new(&cargo);
        metadata.current_dir(&folder).args(["metadata", "--format-version", "1"]).args(offline);
        run(&mut metadata)
    };
    let answer = ask(&["--offline"]).or_else(|_| ask(&[]))?;
    // Exactly one manifest path ends in a folder of the package's name.
    let paths = answer.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders =
        paths.filter_map(|path| Path::new(&path.replace("\\\\", "\\")).parent().map(Path::to_owned));
    let ours = |folder: &PathBuf| {
        folder.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(SOURCE))
    };
    folders.find(ours).ok_or_else(|| format!("cargo does not say where {SOURCE} is"))
}

/// Runs a program to its end and returns its output; on failure, its last line.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} could not be started: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = [text(&output.stdout), text(&output.stderr)].join("\n");
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing").to_owned();
    Err(format!("{program} failed: {last}"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn out_dir() -> PathBuf {
    variable("OUT_DIR").into()
}
