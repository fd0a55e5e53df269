//! `tunnelproof`: arguments in, progress and reports out, an exit status that a build server can trust.
//!
//! | status | means |
//! |---|---|
//! | 0 | every verdict is as expected |
//! | 1 | a cell is refuted or not as expected, a shard is missing, or a capture has findings |
//! | 2 | the input is wrong |
//! | 3 | the laboratory is broken, or cannot be made |

mod arguments;
mod command;
mod files;
mod paint;
mod progress;
mod times;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use lab::world::inside;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let mut raw = std::env::args_os().skip(1);
    if raw.next().is_some_and(|first| first == inside::COMMAND) {
        runner::worker(raw);
    }
    let done = match Arguments::parse().command {
        Command::Run(arguments) => command::run::run(&arguments),
        Command::Bench(arguments) => command::bench::run(&arguments),
        Command::Report(arguments) => command::report::run(&arguments),
        Command::Compare(arguments) => command::compare::run(&arguments),
        Command::Audit(arguments) => command::audit::run(&arguments),
        Command::Check(arguments) => command::check::run(&arguments),
        Command::Plan(arguments) => command::plan::run(&arguments),
        Command::Doctor(arguments) => command::doctor::run(&arguments),
        Command::Setup(arguments) => command::setup::run(&arguments),
        Command::Serve(arguments) => command::serve::run(&arguments),
    };
    match done {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{}{failure}", failure.prefix());
            failure.outcome().into()
        }
    }
}
