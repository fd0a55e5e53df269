//! What a world promises, tried with the worlds themselves: its cells are proven, and nothing survives a run that
//! is killed.
//!
//! The program of these tests is also what they start: a worker, a guest's first process, a run to be killed.
#![allow(clippy::unwrap_used)]

extern crate tunnelproof_runner as runner;

mod host;
mod kill;
mod standing;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use lab::{
    image::{Image, Name, Store},
    world::{World, inside},
};
use libtest_mimic::{Arguments, Completion, Trial};
use runner::{
    Ground, Machines, Progress, Run, Times, images,
    record::{CellRecord, Record},
};
use scenario::Cell;

fn main() {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    let first = arguments.next().unwrap_or_default();
    match first.to_str() {
        Some(inside::COMMAND) if Path::new(&name).ends_with(host::FIRST) => host::first_process(arguments),
        Some(inside::COMMAND) => runner::worker(arguments),
        Some(host::ORDINARY) => host::ordinary(arguments),
        Some(kill::RUN) => kill::run(arguments),
        _ => {}
    }
    let trials = vec![
        Trial::ignorable_test("the_host_world_proves_cells_as_root", || host::proves_cells(host::Who::Root)),
        Trial::ignorable_test("the_host_world_proves_cells_for_anyone", || host::proves_cells(host::Who::Anyone)),
        Trial::ignorable_test("the_host_world_is_or_says_why_not", host::is_or_says_why_not),
        Trial::ignorable_test("nothing_survives_a_killed_run_in_the_guest_world", kill::in_the_guest_world),
        Trial::ignorable_test("nothing_survives_a_killed_run_in_the_host_world", kill::in_the_host_world),
        Trial::ignorable_test("a_standing_laboratory_connects_where_a_customer_answers", || {
            standing::connects_where_a_customer_answers()
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

type Outcome = Result<Completion, libtest_mimic::Failed>;

fn program() -> PathBuf {
    env::current_exe().unwrap()
}

/// A fresh folder of this test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("worlds-{name}"));
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

fn cells() -> Vec<Cell> {
    let text = include_str!("../../../../scenarios/lifecycle/connect.yaml");
    scenario::parse("scenarios/lifecycle/connect.yaml", text).unwrap().cells()
}

/// What a run needs that takes minutes to make; why there is none is the reason of a test that is left out.
struct Made {
    store: Store,
    kernel: Image,
    daemons: Vec<Image>,
}

impl Made {
    fn find(store: Store) -> Result<Self, Completion> {
        let ready = |name: Name| {
            let absent = || Completion::ignored_with(format!("{name} is not made yet: tunnelproof setup"));
            store.lookup(name).ok_or_else(absent)
        };
        let kernel = ready(Name::Kernel)?;
        let daemons = images(&cells()).into_iter().map(ready).collect::<Result<_, _>>()?;
        Ok(Self { store, kernel, daemons })
    }

    fn prove(&self, world: World, out: &Path, jobs: usize) -> Record {
        let machines = Machines {
            world,
            images: self.daemons.clone(),
            clock: lab::world::Clock::Virtual,
            program: program(),
            sabotage: None,
        };
        let run = Run { ground: Ground::Machines(machines), jobs, out: out.to_owned(), times: Times::default() };
        runner::run(&run, &cells(), &Silent).unwrap()
    }
}

struct Silent;

impl Progress for Silent {
    fn doing(&self, _: &str, _: &str) {}
    fn done(&self, _: &CellRecord) {}
}
