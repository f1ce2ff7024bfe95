//! Processes beside the one that a test has started.

use std::process::{Command, Stdio};

/// The workers that are told of a folder.
#[cfg(target_os = "linux")]
pub(crate) fn workers_of(folder: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<String> =
            words.split(|&b| b == 0).map(|w| String::from_utf8_lossy(w).into()).collect();
        let ours = words.iter().any(|word| word == "worker") && words.iter().any(|word| word == folder);
        ours.then_some(number)
    });
    processes.collect()
}

/// Sends a signal by name to a process, or to a group of them (`-NUMBER`); of one that has ended there is
/// nothing to tell.
pub(crate) fn signal(process: impl ToString, name: &str) {
    let process = process.to_string();
    Command::new("kill").args(["-s", name, "--", &process]).stderr(Stdio::null()).status().unwrap();
}

/// Waits until something is so, for two minutes at most.
#[cfg(target_os = "linux")]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    use std::time::{Duration, Instant};
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(120), "not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
