//! This module tells how much this machine has room for. It lies below sessions, which recommend by it, and
//! below parallel sessions, which run by it.

use crate::encoder::{EncoderFactory, EncoderSettings};

/// A session holds this many frames beside those inside its encoder: those at the writer, and the one that it
/// is filling.
const SESSION_FRAMES: u64 = 8;

/// Returns how many sessions with these settings run well side by side, if each keeps so many threads busy:
/// as many as find cores for those of the threads that an encode can use, and fit into half of the memory,
/// because other programs run, too (resolution 43). It is at least 1.
pub(crate) fn sessions_at_once(
    factory: &dyn EncoderFactory,
    settings: &EncoderSettings,
    threads: u32,
) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let busy = EncoderSettings { threads, ..settings.clone() };
    let by_cores = cores / u64::from(factory.useful_threads(&busy).max(1));
    let picture = settings.format.picture_bytes(settings.width, settings.height);
    let each = factory.memory(settings).saturating_add(SESSION_FRAMES * picture);
    let by_memory = half_of_memory() / each.max(1);
    u32::try_from(by_cores.min(by_memory).max(1)).unwrap_or(u32::MAX)
}

/// Returns half of the machine's memory in bytes, or 4 GiB where it does not say.
pub fn half_of_memory() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    total.map_or(4 << 30, |kib| kib * 1024 / 2)
}
