//! Links libvmaf: that of the system where its scores are those of the pinned version, else the pinned
//! version, compiled where the tools for that are installed. Reports what is missing where neither can be
//! had: a missing metric must never be an error of the build. `RETAKE_VMAF=system` and `RETAKE_VMAF=source`
//! leave one of both.
//!
//! The pinned source is the one inside the package `vmaf-head-sys`, which cargo fetches and checks like any
//! other, because a dependency for no target names it (in `retake-export`), and which is looked for where
//! cargo keeps sources. It is not an ordinary dependency, because its own build script fails where a tool is
//! missing, and the build of everything else with it; and it would be compiled where the system has libvmaf,
//! too. Asking `cargo metadata` for it means to run a second cargo inside the build, which needs the network
//! or a lock file of its own. A copy in this repository would be nobody's to keep up to date.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// It must be the version that `Cargo.toml` names.
const SOURCE: &str = "vmaf-head-sys";
const VERSION: &str = "0.2.0";

/// The oldest version of the system that is looked at. Scores are what decides: those of 2.3.1 are off by up
/// to 0.004 where pictures move.
const OLDEST: &str = "2.3";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/vmaf/shim.c");
    println!("cargo:rerun-if-changed=src/vmaf/check.c");
    println!("cargo:rerun-if-env-changed=PATH");
    println!("cargo:rerun-if-env-changed=RETAKE_VMAF");
    println!("cargo:rustc-check-cfg=cfg(vmaf)");
    match libvmaf() {
        Ok(()) => println!("cargo:rustc-cfg=vmaf"),
        Err(reason) => {
            println!("cargo:warning=built without VMAF, XPSNR is the default metric: {reason}");
        }
    }
}

fn libvmaf() -> Result<(), String> {
    if env::var_os("CARGO_FEATURE_VMAF").is_none() {
        return Err("the feature `vmaf` of retake-quality is off".to_owned());
    }
    match variable("RETAKE_VMAF").as_str() {
        "system" => system(),
        "source" => pinned(),
        "" => match system() {
            Ok(()) => Ok(()),
            Err(reason) => pinned().map_err(|other| format!("{reason}; and {other}")),
        },
        other => {
            eprintln!("\nRETAKE_VMAF={other}: it is 'system', 'source' or nothing\n");
            std::process::exit(1);
        }
    }
}

/// Links the library of the system, if it scores as the pinned version does.
fn system() -> Result<(), String> {
    let none = "this system has no libvmaf";
    // Of a library that is not there nothing is to be linked, so that cargo is told late.
    let mut ask = pkg_config::Config::new();
    let found = ask.atleast_version(OLDEST).cargo_metadata(false).probe("libvmaf").map_err(|_| none)?;
    let checked = scores_alike(&found);
    if let Err(reason) = checked {
        let reason = format!("libvmaf {} of this system is not taken: {reason}", found.version);
        println!("cargo:warning={reason}");
        return Err(reason);
    }
    shim(&found.include_paths)?;
    ask.cargo_metadata(true).probe("libvmaf").map(drop).map_err(|_| none.to_owned())
}

/// Scores drawn pictures with a library, and compares the scores with those of the pinned version.
fn scores_alike(library: &pkg_config::Library) -> Result<(), String> {
    if variable("HOST") != variable("TARGET") {
        return Err("it cannot be tried out for another machine than this one".to_owned());
    }
    let program = out_dir().join("check");
    let mut compiler = cc::Build::new();
    compiler.includes(&library.include_paths).std("gnu11").cargo_metadata(false);
    let compiler = compiler.try_get_compiler().map_err(|error| error.to_string())?;
    let mut compile = compiler.to_command();
    compile.args(["src/vmaf/shim.c", "src/vmaf/check.c", "-o"]).arg(&program);
    for folder in &library.link_paths {
        compile.arg(format!("-L{}", folder.display())).arg(format!("-Wl,-rpath,{}", folder.display()));
    }
    compile.args(library.libs.iter().map(|name| format!("-l{name}"))).arg("-lm");
    run(&mut compile).map_err(|_| "no program can be made with it".to_owned())?;
    match Command::new(&program).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Err(if said.is_empty() { "a program with it does not run".to_owned() } else { said })
        }
        Err(error) => Err(format!("a program with it does not run: {error}")),
    }
}

fn pinned() -> Result<(), String> {
    tools().and_then(|()| build())
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

/// Compiles our own door to the library. It has to be named before the library, which it calls.
fn shim(headers: &[PathBuf]) -> Result<(), String> {
    let mut shim = cc::Build::new();
    shim.file("src/vmaf/shim.c").includes(headers).std("gnu11").warnings(true);
    shim.try_compile("retake_vmaf").map_err(|error| format!("libvmaf has another interface: {error}"))
}

fn link(prefix: &Path) -> Result<(), String> {
    shim(&[prefix.join("include")])?;
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

/// Returns the folder where cargo keeps the source: beside this package, where that was fetched or vendored,
/// in the folder of vendored packages, or among those that cargo has fetched.
fn source() -> Result<PathBuf, String> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let registries = registries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let places = [package.join(".."), package.join("../../vendor")].into_iter().chain(registries);
    let named = |place: PathBuf| [place.join(format!("{SOURCE}-{VERSION}")), place.join(SOURCE)];
    let is_it = |folder: &PathBuf| {
        let version = format!("version = \"{VERSION}\"");
        fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line == version))
    };
    let found = places.flat_map(named).find(is_it);
    found.ok_or_else(|| {
        // Cargo runs this script again whenever a file that it depends on does not exist.
        println!("cargo:rerun-if-changed={}", out_dir().join("source-that-is-missing").display());
        format!("the source of {SOURCE} {VERSION} was not fetched: run `cargo fetch`, and build again")
    })
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
