//! What is fuzzed: one module for each parser, and one for a whole encode, with `run`, which must neither
//! panic nor take long for any bytes, and `seeds`, valid inputs to begin with.
//!
//! `./dev fuzz` runs the targets under libFuzzer. The tests here run every seed and damaged copies of it
//! without libFuzzer, so that a target that no longer compiles, or a seed that is no longer valid, is found
//! by `./dev test`.

pub mod bitstream;
pub mod boxes;
mod bytes;
pub mod chapters;
pub mod elements;
pub mod encode;
pub mod idr;
pub mod journal;
mod journalled;
pub mod metadata_keys;
pub mod playlist;
pub mod property;
pub mod sample;
pub mod silo;
pub mod storage;
pub mod take;
pub mod timed;

/// The entry points of a target for libFuzzer. Where `RETAKE_SEEDS` names a folder, the seeds are written
/// there instead.
#[macro_export]
macro_rules! target {
    ($module:ident) => {
        libfuzzer_sys::fuzz_target!(
            init: {
                if let Some(folder) = std::env::var_os("RETAKE_SEEDS") {
                    for (number, seed) in retake_fuzz::$module::seeds().iter().enumerate() {
                        let path = std::path::Path::new(&folder).join(format!("seed-{number}"));
                        std::fs::write(path, seed).expect("seeds need a folder that can be written to");
                    }
                    std::process::exit(0);
                }
            },
            |data: &[u8]| retake_fuzz::$module::run(data)
        );
    };
}

#[cfg(test)]
mod tests {
    /// Runs every seed, and copies of it with bytes changed, left out, doubled and cut off.
    fn damaged(seeds: Vec<Vec<u8>>, run: fn(&[u8]), copies: u32) {
        assert!(!seeds.is_empty());
        // xorshift: the same damage in every run
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for seed in seeds {
            run(&seed);
            for _ in 0..copies {
                let mut bytes = seed.clone();
                for _ in 0..1 + random() % 3 {
                    let at = random() % bytes.len().max(1);
                    match random() % 5 {
                        _ if bytes.is_empty() => {}
                        0 => bytes[at] = random() as u8,
                        1 => bytes[at] ^= 1 << (random() % 8),
                        2 => drop(bytes.drain(at..(at + 1 + random() % 8).min(bytes.len()))),
                        3 => drop(bytes.splice(at..at, bytes[at..(at + 8).min(bytes.len())].to_vec())),
                        _ => bytes.truncate(at),
                    }
                }
                run(&bytes);
            }
        }
    }

    macro_rules! tests {
        ($($module:ident)*) => {$(
            #[test]
            fn $module() {
                damaged(crate::$module::seeds(), crate::$module::run, 300);
            }
        )*};
    }

    tests! { bitstream boxes chapters elements idr journal metadata_keys playlist property sample silo storage take timed }

    /// Fewer, because each is a whole encode.
    #[test]
    fn encode() {
        damaged(crate::encode::seeds(), crate::encode::run, 40);
    }
}
