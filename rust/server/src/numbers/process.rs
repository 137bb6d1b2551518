//! What the system says about this process.

use std::fs::read_to_string;

/// Of a second, in `/proc`.
const TICKS: f64 = 100.0;

/// Memory the process has in use, in bytes; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    // In kilobytes, where `statm` has pages, whose size differs from one machine to another.
    let text = read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}

/// Seconds of a core that the process has used; `None` where the system does not tell.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let text = read_to_string("/proc/self/stat").ok()?;
    // The second word is the name of the program, in parentheses, and may have anything in it.
    let mut words = text.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || words.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// File descriptors the process has open; `None` where the system does not tell.
pub(crate) fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_this_process() {
        let before = cpu_seconds().unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 150 {}
        let used = cpu_seconds().unwrap() - before;
        assert!((0.05..10.0).contains(&used), "{used}");
        assert!(resident_bytes() > 100_000 && open_files().unwrap() > 2);
    }
}
