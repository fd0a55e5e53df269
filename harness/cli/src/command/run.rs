//! `tunnelproof run`: cells in, verdicts, record and reports out.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

use lab::world::{Choice, Clock};
use runner::{
    Endpoint, Foreign, Ground, Machines,
    record::{CellRecord, Record, Verdict},
};
use scenario::Cell;

use super::{Failure, Outcome, describe, ensure, program, store};
use crate::{
    arguments::{RunArguments, Time, WorldChoice},
    files, paint,
    progress::{Proving, duration},
};

pub fn run(arguments: &RunArguments) -> Result<Outcome, Failure> {
    let cells = files::cells(&arguments.what, arguments.choice)?;
    let ground = ground(arguments, &cells)?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => fresh(Path::new("target/proof"))?,
    };
    let jobs = arguments.jobs.map_or_else(processors, std::num::NonZero::get);
    eprintln!("{} {}", count(cells.len(), "cell"), introduction(&ground));
    let proving = Proving::begin(cells.len());
    let run = runner::Run { ground, jobs, out: out.clone() };
    let record = runner::run(&run, &cells, &proving)?;
    proving.end();
    report::write(&record, &out)?;
    eprintln!("{}", summary(&record, &out));
    if arguments.json {
        print_json(&record)?;
    }
    Ok(outcome(&record))
}

/// What the cells are run on; images that it needs are made.
fn ground(arguments: &RunArguments, cells: &[Cell]) -> Result<Ground, Failure> {
    if let Some(file) = &arguments.cloud {
        return Ok(Ground::Foreign(Foreign::reach(Endpoint::load(file)?)?));
    }
    let choice = match arguments.world {
        WorldChoice::Machines(choice) => choice,
        WorldChoice::Modelled => return Ok(Ground::Modelled),
    };
    let clock = match arguments.time {
        Time::Virtual => Clock::Virtual,
        Time::Real => Clock::Wall,
    };
    Ok(Ground::Machines(machines(choice, clock, cells)?))
}

/// What cells with machines are run with; images that it needs are made.
pub(super) fn machines(choice: Choice, clock: Clock, cells: &[Cell]) -> Result<Machines, Failure> {
    let store = store()?;
    let program = program()?;
    let kind = lab::world::choose(choice, &store, &program)?;
    let mut names: Vec<_> = kind.image().into_iter().collect();
    names.extend(runner::images(cells));
    let images = ensure(&store, &names)?;
    Ok(Machines { world: kind.world(&store)?, images, clock, program })
}

fn introduction(ground: &Ground) -> String {
    match ground {
        Ground::Machines(machines) => format!("in the {}", describe(&machines.world)),
        Ground::Modelled => "in the modelled world: no packets, virtual time".to_owned(),
        Ground::Foreign(foreign) => {
            let mut text = format!("against {}: no packets", foreign.describe());
            for left in foreign.leftovers() {
                text.push_str(&format!(
                    "\n{} {left}: another run made it, and it is not touched",
                    paint::yellow("found")
                ));
            }
            if !foreign.leftovers().is_empty() {
                text.push_str("\nif no other run is under way, it was killed: delete what it left");
            }
            text
        }
    }
}

/// A refuted cell weighs more than a laboratory that failed in another.
fn outcome(record: &Record) -> Outcome {
    let any = |verdict| record.cells.iter().any(|cell| cell.verdict == verdict);
    if any(Verdict::Refuted) {
        Outcome::Unexpected
    } else if any(Verdict::Broken) {
        Outcome::NoLaboratory
    } else {
        Outcome::AsExpected
    }
}

/// The last line: skips are counted like everything else.
fn summary(record: &Record, out: &Path) -> String {
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| {
            let count = record.cells.iter().filter(|cell| cell.verdict == *verdict).count();
            let text = format!("{count} {verdict}");
            if count == 0 { text } else { paint::verdict(*verdict, &text) }
        })
        .collect();
    let not_run = match record.cells.iter().flat_map(CellRecord::skipped_steps).count() {
        0 => String::new(),
        steps => format!("; {} not run", count(steps, "step")),
    };
    format!(
        "{} in {}: {}{not_run}\n{}",
        count(record.cells.len(), "cell"),
        duration(record.wall_ms),
        counts.join(", "),
        out.join(report::HTML).display()
    )
}

fn print_json(record: &Record) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, record).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// A folder of this name and the time that is not there yet.
pub(super) fn fresh(parent: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(parent)
        .map_err(|e| Failure::Laboratory(format!("{}: {e}; name a folder with --out", parent.display())))?;
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let names = std::iter::once(now.clone()).chain((2..).map(|number| format!("{now}-{number}")));
    for name in names {
        let path = parent.join(name);
        match std::fs::create_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                return made
                    .map(|()| path.clone())
                    .map_err(|e| Failure::Laboratory(format!("{}: {e}", path.display())));
            }
        }
    }
    unreachable!("numbers do not end")
}

/// A guest has one processor, so each processor gets a guest.
pub(super) fn processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
