//! `retake watch`: folders that films come into, each of which is encoded when it has stopped growing.

use crate::args::Watch as Args;
use crate::batch::{self, Maker, STOPPED_TEXT};
use crate::exit::{STOPPED, Usage};
use crate::{output, signals};
use anyhow::Result;
use retake::batch::{BatchError, OutputNames, Watch};
use retake::{ExportError, StopFlag};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often folders are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether a signal came meanwhile.
const PATIENCE: Duration = Duration::from_millis(20);
/// Nobody waits longer for a film.
const LONGEST_SETTLE: f64 = 7.0 * 86_400.0;

/// Encodes the films that come, until a signal comes. The end is a success unless a film was under way.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let encode = &args.encode;
    batch::check(encode)?;
    let settle = args.settle;
    if !(0.0..=LONGEST_SETTLE).contains(&settle) {
        return Err(Usage(format!("--settle {settle}: it is seconds, from 0 to {LONGEST_SETTLE}")).into());
    }
    if let Some(file) = encode.inputs.iter().find(|input| !input.is_dir()) {
        return Err(Usage(format!("{}: it is no folder that films could come into", file.display())).into());
    }
    let names = OutputNames::of(&encode.output).map_err(|error| Usage(format!("--output: {error}")))?;
    let Some(names) = names else {
        let text = format!(
            "--output {}: films do not become one file: end it with / for a folder, or give it a field such as {{stem}}",
            encode.output.display()
        );
        return Err(Usage(text).into());
    };
    let rules = batch::rules(encode, names)?;
    let busy = Arc::new(AtomicBool::new(false));
    let stop = signals::stop_flag_while(busy.clone(), encode.on.is_some(), ExportError::Stopped)?;
    let mut watch = Watch::new(encode.inputs.clone(), rules, Duration::from_secs_f64(settle));
    if !encode.json && !encode.quiet {
        output::print(&format!("waits for films that have not changed for {settle} s\n"));
    }
    loop {
        let films = match watch.look(Instant::now(), &stop) {
            // nothing was begun
            Err(BatchError::Stopped) => return Ok(ExitCode::SUCCESS),
            looked => looked?,
        };
        if !films.films().is_empty() || (encode.json && !films.left_out().is_empty()) {
            let maker = Maker::new(encode, &stop, films.films().len());
            busy.store(true, Ordering::Relaxed);
            let code = maker.make(&films);
            busy.store(false, Ordering::Relaxed);
            if code == STOPPED {
                output::complain(STOPPED_TEXT);
                return Ok(ExitCode::from(STOPPED));
            }
        }
        if !wait(&stop) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Waits until it is time for another look; false where a signal ends it.
fn wait(stop: &StopFlag) -> bool {
    let began = Instant::now();
    while began.elapsed() < LOOK && !stop.is_raised() {
        thread::sleep(PATIENCE);
    }
    !stop.is_raised()
}
