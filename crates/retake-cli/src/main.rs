//! `retake` is the last, thin layer: it takes flags, runs an export, and prints progress and a table.

mod args;
mod batch;
mod compare;
mod encode;
mod encoders;
mod exit;
mod measure;
mod objects;
mod output;
mod profiles;
mod progress;
mod properties;
#[cfg(feature = "restate")]
mod remote;
mod replan;
mod report;
mod serve;
mod signals;
mod table;
mod watch;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().collect()) {
        Ok(args) => args,
        Err(error) => match error.downcast::<clap::Error>() {
            // help and version must go to standard output
            Ok(error) if !error.use_stderr() => error.exit(),
            Ok(error) => return exit::report(&exit::Usage(exit::one_line(&error)).into()),
            Err(error) => return exit::report(&error),
        },
    };
    let result = match args.command {
        args::Command::Encode(args) => encode::run(&args),
        args::Command::Watch(args) => watch::run(&args),
        args::Command::Profiles(args) => profiles::run(&args, &args::encode_command()),
        args::Command::Encoders(args) => encoders::run(&args),
        args::Command::Measure(args) => measure::run(&args),
        args::Command::Replan(args) => replan::run(&args),
        args::Command::Compare(args) => compare::run(&args),
        args::Command::Report(args) => report::run(&args),
        args::Command::Worker(args) => worker::run(&args),
        #[cfg(feature = "restate")]
        args::Command::Status(job) => remote::status(&job),
        #[cfg(feature = "restate")]
        args::Command::Attach(job) => remote::attach(&job),
        #[cfg(feature = "restate")]
        args::Command::Cancel(job) => remote::cancel(&job),
    };
    match result {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}
