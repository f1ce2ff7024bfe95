//! Puts the script and the style of a page together, and tells the page their hashes, by which a browser
//! knows them from any other script.
//!
//! The charts that answer to a pointer are drawn by uPlot (MIT licence), which is no part of this repository
//! and is never downloaded by a build: `scripts/uplot` installs it below the target folder, and the variable
//! `RETAKE_UPLOT` names its folder `dist` wherever else it lies. A missing one must never be an error of the
//! build, because a page shows all its charts as still drawings without it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of uPlot 1.6.32, and the SHA-256 of each. They must be those of the version in `scripts/uplot`.
const UPLOT: [(&str, &str); 2] = [
    ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
    ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in ["build.rs", "assets/page.js", "assets/page.css"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=RETAKE_UPLOT");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    let uplot = uplot(&out);
    if let Err(reason) = &uplot {
        println!("cargo:warning=built without uPlot, so that reports have still charts alone: {reason}");
    }
    let present = uplot.is_ok();
    let [script, style] = uplot.unwrap_or_default();
    let script = format!("{script}\n{}", fs::read_to_string("assets/page.js")?);
    let style = format!("{style}\n{}", fs::read_to_string("assets/page.css")?);
    for (text, end) in [(&script, "</script"), (&style, "</style"), (&script, "<!--")] {
        if text.to_ascii_lowercase().contains(end) {
            return Err(format!("a page cannot hold a text with {end} in it").into());
        }
    }
    let hash = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    let constants = format!(
        "pub(crate) const HAS_UPLOT: bool = {present};\n\
         pub(crate) const SCRIPT_HASH: &str = \"{}\";\n\
         pub(crate) const STYLE_HASH: &str = \"{}\";\n",
        hash(&script),
        hash(&style)
    );
    fs::write(out.join("page.js"), script)?;
    fs::write(out.join("page.css"), style)?;
    fs::write(out.join("assets.rs"), constants)?;
    Ok(())
}

/// Returns script and style of uPlot, from the folder that the variable names, or else from the target
/// folder.
fn uplot(out: &Path) -> Result<[String; 2], String> {
    let below = |folder: &Path| folder.join("uplot/node_modules/uplot/dist");
    let folder = match env::var_os("RETAKE_UPLOT").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => out
            .ancestors()
            .map(below)
            .find(|folder| folder.is_dir())
            .ok_or("scripts/uplot installs it, and RETAKE_UPLOT names another place")?,
    };
    let read = |(name, wanted): (&str, &str)| {
        let path = folder.join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if found != wanted {
            return Err(format!("{} is another version or damaged: its SHA-256 is {found}", path.display()));
        }
        String::from_utf8(bytes).map_err(|error| format!("{}: {error}", path.display()))
    };
    let [script, style] = UPLOT;
    Ok([read(script)?, read(style)?])
}
