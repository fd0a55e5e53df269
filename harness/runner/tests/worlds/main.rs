//! What a world promises, tried with the worlds themselves: cells are proven in each, and nothing survives a run
//! that is killed.
//!
//! The program of these tests is also what it starts: a worker, a guest's first process, and a run to be killed.
#![allow(clippy::unwrap_used)]

mod host;
mod kill;

use std::{
    env,
    path::{Path, PathBuf},
};

use lab::{
    image::{Image, Store, default_root},
    world::{self, Choice, World, inside},
};
use libtest_mimic::{Arguments, Trial};
use runner::{Progress, Run, images, record::CellRecord};
use scenario::Cell;

fn main() {
    let mut arguments = env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|word| word.to_str()) {
        Some(inside::COMMAND) if env::var_os(host::NESTED).is_none() => host::first_process(arguments),
        Some(inside::COMMAND) => runner::worker(arguments),
        Some(host::ORDINARY) => host::ordinary_user(arguments),
        Some(kill::RUN) => kill::run(arguments),
        _ => {}
    }
    let trials = vec![
        Trial::test("the_host_world_proves_cells_as_root", || host::proves_cells(host::Who::Root)),
        Trial::test("the_host_world_proves_cells_for_an_ordinary_user", || host::proves_cells(host::Who::Ordinary)),
        Trial::test("the_host_world_says_why_it_cannot_be", host::says_why),
        Trial::test("nothing_survives_a_killed_run_in_the_guest_world", || kill::leaves_nothing(Choice::Guest)),
        Trial::test("nothing_survives_a_killed_run_in_the_host_world", || kill::leaves_nothing(Choice::Host)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn cells() -> Vec<Cell> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/lifecycle/connect.yaml");
    scenario::load(&file).unwrap().cells()
}
