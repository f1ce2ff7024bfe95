//! Runs the passes of an export over simulated machines, and prints what they cost: `./dev simulate --help`.
//! `docs/simulation.md` tells what is real in it, and what came of it.

use retake_export::simulation::{Engine, Figures, Setup, simulate};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

const USAGE: &str = "\
./dev simulate [FLAG VALUE...]

  --seed N           from what the film follows (1)
  --machines N       from what follows what machines do (1)
  --engine NAME      queue, or arrays of a batch system (arrays)
  --takes N          units of the film (100000)
  --frames N         frames of a unit in the mean (96)
  --workers N        takes at once (1000)
  --slots N          of them on one machine (10)
  --floor N          the floor in VMAF (93)
  --rate N           kilobits a second instead of a floor
  --knob NAME        fine, as that of x264, or coarse, as that of SVT-AV1 (fine)
  --rough            all of the following, at usual rates
  --crashing N       percent of runs whose worker crashes
  --hanging N        percent of runs that hang, until the engine ends them
  --straggling N     percent of runs that are two to eight times as slow
  --twice N          percent of runs that the batch system makes twice
  --silent N         percent of questions that the batch system does not answer
  --death N          hours that a machine lasts
  --broken N         machines that can run nothing
  --outage N         seconds that the storage is away, from the fifth minute on
  --place FOLDER     where takes and reports are written; a folder in memory is faster
";

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)).and_then(|(setup, place)| run(&setup, place)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<(Setup, Option<String>), String> {
    let mut setup = Setup { engine: Engine::Arrays, ..Setup::calm(100_000, 1000) };
    let mut place = None;
    while let Some(flag) = words.next() {
        match flag.as_str() {
            "--help" => return Err(USAGE.to_owned()),
            "--rough" => {
                setup = setup.rough();
                continue;
            }
            _ => {}
        }
        let value = words.next().ok_or_else(|| format!("{flag} has no value\n\n{USAGE}"))?;
        let percent = || number::<f64>(&flag, &value).map(|percent| percent / 100.0);
        match flag.as_str() {
            "--seed" => setup.seed = number(&flag, &value)?,
            "--machines" => setup.machines = number(&flag, &value)?,
            "--engine" => {
                setup.engine = choice(&flag, &value, &[("queue", Engine::Queue), ("arrays", Engine::Arrays)])?
            }
            "--takes" => setup.takes = number(&flag, &value)?,
            "--frames" => setup.frames = number(&flag, &value)?,
            "--workers" => setup.workers = number(&flag, &value)?,
            "--slots" => setup.slots = number(&flag, &value)?,
            "--floor" => setup.floor = number(&flag, &value)?,
            "--rate" => setup.rate = number::<u64>(&flag, &value)? * 1000,
            "--knob" => setup.coarse = choice(&flag, &value, &[("fine", false), ("coarse", true)])?,
            "--crashing" => setup.crashing = percent()?,
            "--hanging" => setup.hanging = percent()?,
            "--straggling" => setup.straggling = percent()?,
            "--twice" => setup.twice = percent()?,
            "--silent" => setup.silent = percent()?,
            "--death" => setup.hours_between_deaths = number(&flag, &value)?,
            "--broken" => setup.broken = number(&flag, &value)?,
            "--outage" => setup.outage = (300.0, number(&flag, &value)?),
            "--place" => place = Some(value),
            _ => return Err(format!("there is no {flag}\n\n{USAGE}")),
        }
    }
    Ok((setup, place))
}

fn number<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag}: {value} is not a number that it can be"))
}

fn choice<T: Copy>(flag: &str, value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice);
    found.ok_or_else(|| format!("{flag}: {value} is none of its values"))
}

fn run(setup: &Setup, place: Option<String>) -> Result<(), String> {
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("retake-simulate-");
    let folder = place.map_or_else(|| folder.tempdir(), |place| folder.tempdir_in(place));
    let folder = folder.map_err(|error| format!("a temporary folder cannot be made: {error}"))?;
    let began = Instant::now();
    let figures = simulate(setup, folder.path()).map_err(|error| format!("the export ended: {error}"))?;
    print(setup, &figures, began.elapsed().as_secs_f64());
    Ok(())
}

fn print(setup: &Setup, figures: &Figures, seconds: f64) {
    let Figures { makespan, ideal, takes, controller, .. } = *figures;
    let gb = |bytes: u64| bytes as f64 / 1e9;
    let each = |of: f64| of / takes.max(1) as f64;
    let row = |name: &str, value: String| println!("{name:34}{value}");
    row(
        "film",
        format!(
            "{} units, {} frames, {:.1} hours",
            setup.takes,
            figures.frames,
            figures.frames as f64 / 86400.0
        ),
    );
    row("passes, takes, runs", format!("{}, {takes}, {}", figures.passes, figures.runs));
    row("hash of the film, its video", format!("{}, {:.2} GB", figures.film, gb(figures.video_bytes)));
    row("units below the floor", figures.below_floor.to_string());
    row("makespan", format!("{makespan:.0} s, {:.3} × ideal ({ideal:.0} s)", makespan / ideal));
    row("CPU seconds of takes", format!("{:.0}", figures.work));
    row("runs lost, machines lost", format!("{}, {}", figures.runs_lost, figures.machines_lost));
    row(
        "worker seconds lost",
        format!("{:.0} ({:.2} %)", figures.seconds_lost, 100.0 * figures.seconds_lost / figures.work),
    );
    row("takes found when run again", figures.made_twice.to_string());
    row("read of the source", format!("{:.1} GB", gb(figures.bytes_of_source)));
    row(
        "read of descriptions",
        format!(
            "{:.3} GB ({:.0} bytes a run)",
            gb(figures.bytes_of_descriptions),
            figures.bytes_of_descriptions as f64 / figures.runs.max(1) as f64
        ),
    );
    row("written as takes", format!("{:.1} GB", gb(figures.bytes_of_takes)));
    row(
        "questions to the batch system",
        format!("{} ({:.1} a second)", figures.engine_asked, figures.engine_asked as f64 / makespan),
    );
    row(
        "CPU of the export",
        format!(
            "{controller:.1} s ({:.2} ms a take, {:.2} % of a core)",
            1e3 * each(controller),
            100.0 * controller / makespan
        ),
    );
    row("of it planning", format!("{:.2} s", figures.planning));
    row(
        "peak memory of this process",
        peak().map_or("unknown".into(), |bytes| {
            format!("{:.0} MB ({:.0} bytes a take)", bytes as f64 / 1e6, each(bytes as f64))
        }),
    );
    row("simulated in", format!("{seconds:.1} s"));
}

/// The most memory that this process had.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
