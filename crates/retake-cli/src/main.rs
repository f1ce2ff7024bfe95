//! `retake`: the last, thin layer. Flags in, an export run, progress and a table out.

mod args;
mod encode;
mod encoders;
mod exit;
mod measure;
mod progress;
mod table;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap prints help and version to standard output, and mistakes to standard error with code 2
            error.exit();
        }
    };
    let result = match args.command {
        args::Command::Encode(args) => encode::run(&args),
        args::Command::Encoders(args) => encoders::run(&args),
        args::Command::Measure(args) => measure::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}
