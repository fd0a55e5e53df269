//! `tunnelproof run`: cells in, verdicts, record and reports out.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
};

use lab::world::{Choice, Clock};
use runner::{Endpoint, Foreign, Ground, Machines};
use scenario::Cell;

use super::{
    Failure, Outcome,
    conclusion::{self, count},
    describe, ensure,
    expect::Expect,
    program,
    reuse::{Earlier, Reuse},
    store,
};
use crate::{
    arguments::{RunArguments, Time, WorldChoice},
    files::{self, Chosen},
    paint,
    progress::Proving,
    times,
};

pub fn run(arguments: &RunArguments) -> Result<Outcome, Failure> {
    let Chosen { cells, scenarios, choice } = files::choose(&arguments.what, arguments.choice)?;
    let expected = arguments.expect.as_deref().map(Expect::load).transpose()?;
    let earlier = arguments.reuse.as_deref().map(Earlier::load).transpose()?;
    let ground = ground(arguments, &cells)?;
    let is_held =
        !arguments.choice.brief && matches!(&ground, Ground::Machines(machines) if machines.has_virtual_time());
    let cells: Vec<Cell> = if is_held { cells.into_iter().map(runner::held).collect() } else { cells };
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => fresh(Path::new("target/proof"))?,
    };
    let jobs = arguments.jobs.map_or_else(processors, std::num::NonZero::get);
    eprintln!("{} {}", count(cells.len(), "cell"), introduction(&ground));
    if let Some(defect) = ground.sabotage() {
        eprintln!(
            "{} by {defect}: what is proven or refuted here says nothing of the cloud",
            paint::yellow("sabotaged")
        );
    }
    let reuse = Reuse::divide(cells, &ground, earlier)?;
    if let Some(taken) = reuse.introduction() {
        eprintln!("{taken}");
    }
    let mut times = times::known();
    times.learn_from(reuse.earlier(), &out);
    let proving = Proving::begin(reuse.rest.len());
    let run = runner::Run { ground, jobs, out: out.clone(), times: times.times.clone() };
    let ran = runner::run(&run, &reuse.rest, &proving)?;
    proving.end();
    if matches!(run.ground, Ground::Machines(_)) && run.ground.sabotage().is_none() {
        times.keep(&ran);
    }
    let mut record = reuse.complete(ran, &out)?;
    record.choice = Some(choice);
    record.diagnoses = runner::diagnose(&record.cells);
    if let Some(expected) = &expected {
        expected.of_run(&mut record, &scenarios)?;
    }
    conclusion::conclude(&record, &out, arguments.json, false)
}

/// What the cells are run on; images that it needs are made.
fn ground(arguments: &RunArguments, cells: &[Cell]) -> Result<Ground, Failure> {
    if let Some(file) = &arguments.cloud {
        return Ok(Ground::Foreign(Foreign::reach(Endpoint::load(file)?)?));
    }
    let choice = match arguments.world {
        WorldChoice::Machines(choice) => choice,
        WorldChoice::Modelled if arguments.sabotage.is_some() => {
            let help = "the modelled world has no packets that could show a defect: leave out --world or --sabotage";
            return Err(Failure::Input(help.to_owned()));
        }
        WorldChoice::Modelled => return Ok(Ground::Modelled),
    };
    let clock = match arguments.time {
        Time::Virtual => Clock::Virtual,
        Time::Real => Clock::Wall,
    };
    let sabotage = arguments.sabotage;
    Ok(Ground::Machines(Machines { sabotage, ..machines(choice, clock, cells)? }))
}

/// What cells with machines are run with; images that it needs are made.
pub(super) fn machines(choice: Choice, clock: Clock, cells: &[Cell]) -> Result<Machines, Failure> {
    let store = store()?;
    let program = program()?;
    let kind = lab::world::choose(choice, &store, &program)?;
    let mut names: Vec<_> = kind.image().into_iter().collect();
    names.extend(runner::images(cells));
    let images = ensure(&store, &names)?;
    Ok(Machines { world: kind.world(&store)?, images, clock, program, sabotage: None })
}

fn introduction(ground: &Ground) -> String {
    match ground {
        Ground::Machines(machines) => format!("in the {}", describe(machines)),
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

/// A folder of this name and the time that is not there yet.
pub fn fresh(parent: &Path) -> Result<PathBuf, Failure> {
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
