//! What a process takes of the machine.

use std::time::Duration;

/// The memory of a process, and the time that it has spent on processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Bytes in memory.
    pub memory: u64,
    /// The time on all processors together.
    pub busy: Duration,
}

/// Asks the system about a process of this user; nothing where the system does not tell, or the process has
/// ended.
#[cfg(target_os = "linux")]
pub(crate) fn vitals(process: u32) -> Option<Vitals> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parse(&text, rustix::param::page_size() as u64, rustix::param::clock_ticks_per_second())
}

/// Asks the system about a process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn vitals(_: u32) -> Option<Vitals> {
    None
}

/// Reads a line of `/proc/PID/stat`, as proc(5) describes it: fields 14, 15 and 24.
#[cfg(target_os = "linux")]
fn parse(text: &str, page: u64, ticks: u64) -> Option<Vitals> {
    // the second field is a name in parentheses, which may hold anything
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let busy = field(14)?.checked_add(field(15)?)?;
    let busy = Duration::from_millis(busy.checked_mul(1000)?.checked_div(ticks)?);
    Some(Vitals { memory: field(24)?.checked_mul(page)?, busy })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_do_not_mislead() {
        let text =
            "7 (a) 9 (b) S 1 7 7 0 -1 4194304 90 0 0 0 150 50 0 0 20 0 1 0 5 8192 3 18446744073709551615";
        let wanted = Vitals { memory: 3 * 4096, busy: Duration::from_secs(2) };
        assert_eq!(parse(text, 4096, 100), Some(wanted));
        assert_eq!(parse("7 (a", 4096, 100), None);
        assert_eq!(parse("7 (a) S 1", 4096, 100), None);
    }

    #[test]
    fn this_process_has_vitals() {
        let found = vitals(std::process::id()).unwrap();
        assert!(found.memory > 1 << 20, "{found:?}");
        assert_eq!(vitals(u32::MAX), None);
    }
}
