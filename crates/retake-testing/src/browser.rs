//! Pages in a real browser.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Opens a page and uses it as a person does; `scripts/browser.mjs` tells what comes of it. Screenshots go to
/// a folder of the name `name` in the one that `RETAKE_SCREENSHOTS` names, where somebody wants them. `None`,
/// with a visible word, if there is no browser.
pub fn browse(page: impl AsRef<Path>, name: &str) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/browser");
    let mut command = Command::new(script);
    command.arg(page.as_ref());
    if let Some(shots) = std::env::var_os("RETAKE_SCREENSHOTS") {
        let shots = Path::new(&shots).join(name);
        std::fs::create_dir_all(&shots).expect("a folder for screenshots can be made");
        command.arg(shots);
    }
    let run = command.output().expect("scripts/browser can be run");
    if run.status.code() == Some(77) {
        eprintln!("SKIPPED: {}", String::from_utf8_lossy(&run.stderr).trim());
        return None;
    }
    assert!(run.status.success(), "{run:?}");
    Some(serde_json::from_slice(&run.stdout).expect("scripts/browser prints JSON"))
}

/// Asserts what holds of every page: no complaint, no request, nothing that a screen reader stumbles over,
/// still drawings for paper, and, where `live`, charts that are drawn and answer to pointer and keyboard.
pub fn assert_sound(seen: &Value, live: bool) {
    assert_eq!(seen["errors"], Value::Array(Vec::new()), "the browser complains");
    assert_eq!(seen["requests"], Value::Array(Vec::new()), "the page asks the network");
    let serious = |one: &&Value| matches!(one["impact"].as_str(), Some("serious" | "critical"));
    let found: Vec<_> = seen["axe"].as_array().expect("axe-core ran").iter().filter(serious).collect();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(seen["overflow"], 0, "a phone has to scroll sideways");
    assert!(seen["still"].as_u64() > Some(3), "the still drawing is there: {seen}");
    assert_eq!(seen["printed"]["still"], true, "paper shows the still drawings");
    assert_eq!(seen["printed"]["canvas"], true, "paper shows no canvas");
    let injected = &seen["injected"];
    assert_eq!((&injected["flag"], &injected["scripts"]), (&false.into(), &2.into()), "{injected}");
    assert_eq!((&injected["frames"], &injected["handlers"]), (&0.into(), &0.into()), "{injected}");
    if !live {
        eprintln!("SKIPPED: this build has no uPlot (scripts/uplot), so that charts are still");
        return;
    }
    let canvases = seen["canvases"].as_array().expect("it is a list");
    assert!(canvases.len() >= 2, "{seen}");
    for canvas in canvases {
        // a canvas with axes alone has few painted pixels
        let share = canvas["painted"].as_f64().unwrap_or(0.0) / canvas["pixels"].as_f64().unwrap_or(1.0);
        assert!(canvas["colours"].as_u64() > Some(10) && share > 0.04, "{canvas}");
    }
    for way in ["hover", "zoomed", "keyboard"] {
        let text = seen[way].as_str().unwrap_or("");
        let rows = text.contains("Pass") || text.contains("Film");
        assert!(text.contains("Frame ") && rows, "{way}: {seen}");
    }
    assert_ne!(seen["hover"], seen["zoomed"]);
    assert_eq!(seen["zoomChanges"], true);
}
