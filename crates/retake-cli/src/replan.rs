//! `retake replan` tells what a film would become under other wishes.

use crate::args;
use crate::exit::Usage;
use crate::output::{self, one_line};
use anyhow::Result;
use retake::records::{AskedGoal, Interval, Records};
use retake::{Replan, Target, replan};
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;

/// A wish and what would come of it, as it is printed.
#[derive(Serialize)]
struct Row {
    /// The wish, in words.
    wish: String,
    #[serde(flatten)]
    told: Replan,
}

pub(crate) fn run(args: &args::Replan) -> Result<ExitCode> {
    let records = Records::open(&args.film)?;
    let mut rows = Vec::new();
    for target in targets(args, &records)? {
        let told = replan(&records, target, args.max_bitrate)?;
        let limit = told.max_bit_rate.map_or(String::new(), |rate| format!(", below {} kb/s", rate / 1000));
        rows.push(Row { wish: format!("{target}{limit}"), told });
    }
    let mut text = String::new();
    if args.json {
        writeln!(text, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else {
        render(&records, &rows, &mut text)?;
    }
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Returns what is asked about, in the order of the help. A highest rate alone is asked about with what was
/// wanted before.
fn targets(args: &args::Replan, records: &Records) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    let table = args.table.map_or(Vec::new(), |(from, to)| (from..=to).map(f64::from).collect());
    for floor in args.quality.iter().copied().chain(table) {
        targets.push(Target::floor(floor)?);
    }
    for &rate in &args.bitrate {
        targets.push(Target::bit_rate(rate)?);
    }
    targets.extend(args.size.iter().map(|&size| Target::size(size)));
    if targets.is_empty() && args.max_bitrate.is_some() {
        targets.push(match records.request.goal {
            AskedGoal::Floor { floor, .. } => Target::floor(floor)?,
            AskedGoal::BitRate(rate) => Target::bit_rate(rate)?,
            AskedGoal::Size(size) => Target::size(size),
            AskedGoal::Plain(_) => Target::plain(),
        });
    }
    if targets.is_empty() {
        let text = "nothing is asked: give --quality, --bitrate, --size, --max-bitrate or --table";
        return Err(Usage(text.into()).into());
    }
    let tolerant = |target: Target| match args.tolerance {
        Some(tolerance) => target.tolerance(tolerance),
        None => Ok(target),
    };
    Ok(targets.into_iter().map(tolerant).collect::<Result<_, _>>()?)
}

fn render(records: &Records, rows: &[Row], text: &mut String) -> std::fmt::Result {
    let kilobytes =
        |of: Interval| format!("{:.0} ({:.0}-{:.0})", of.expected / 1e3, of.low / 1e3, of.high / 1e3);
    let score = |of: Option<Interval>| {
        of.map_or("-".into(), |of| format!("{:.2} ({:.2}-{:.2})", of.expected, of.low, of.high))
    };
    let width = rows.iter().map(|row| row.wish.len()).max().unwrap_or(0).max(24);
    writeln!(
        text,
        "{:<width$} {:>22} {:>20} {:>20} {:>12} {:>8} {:>7} {:>5}",
        "wish", "file kB", "mean", "worst unit", "units again", "frames", "about s", "met"
    )?;
    for Row { wish, told } in rows {
        writeln!(
            text,
            "{:<width$} {:>22} {:>20} {:>20} {:>12} {:>8.0} {:>7.0} {:>4.0}%",
            one_line(wish),
            kilobytes(told.file_bytes),
            score(told.mean),
            score(told.worst),
            format!("{:.0} of {}", told.units.expected, told.of_units),
            told.frames.expected,
            told.seconds,
            100.0 * told.met
        )?;
    }
    let kept = match &records.takes {
        Some(_) => "the takes are kept, so that no more is encoded",
        None => {
            "the takes were not kept (--keep-takes), so that an encode makes those again that are shipped"
        }
    };
    writeln!(text, "nine times in ten a number lies between those in brackets; {kept}")
}
