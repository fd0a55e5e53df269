//! `tunnelproof bench`: how fast cells are run, where their time goes, and what of it is the harness's own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lab::world::Clock;
use runner::{
    Ground, Kept, Machines, Run, Times,
    record::{Record, Spent, Verdict},
};
use scenario::Cell;

use super::{
    Failure, Outcome, describe,
    run::{fresh, machines, processors},
};
use crate::{
    arguments::{BenchArguments, ChoiceArguments},
    files,
    progress::Counting,
};

/// The same cells three times: each in a laboratory with a cloud, a capture and an audit; the same machines and daemons
/// without these, driven by a loop; and the tunnels alone, between two daemons that are kept.
pub fn run(arguments: &BenchArguments) -> Result<Outcome, Failure> {
    let choice = ChoiceArguments { cells: arguments.cells, seed: 1, shard: None, brief: true };
    let cells = files::choose(&arguments.what, choice)?.cells;
    let machines = machines(arguments.world, Clock::Virtual, &cells)?;
    let jobs = arguments.jobs.map_or_else(processors, std::num::NonZero::get);
    let out = Folder(fresh(Path::new("target/bench"))?);
    eprintln!("{} cells by {jobs} workers in the {}", cells.len(), describe(&machines));

    let run = Run { ground: Ground::Machines(machines), jobs, out: out.0.clone(), times: Times::default() };
    let record = runner::run(&run, &cells, &Counting::begin(cells.len()))?;
    let Ground::Machines(machines) = &run.ground else { unreachable!("they were given above") };
    let proven = record.cells.iter().filter(|cell| cell.verdict == Verdict::Proven).count();
    if proven < cells.len() {
        let other = record.cells.iter().find(|cell| cell.verdict != Verdict::Proven);
        let (id, reason) = other.map_or(("", ""), |cell| (&cell.id, &cell.reason));
        return Err(Failure::Laboratory(format!(
            "{} of {} cells are not proven: {id}: {reason}",
            cells.len() - proven,
            cells.len()
        )));
    }
    cells_told(&record);
    tunnels_told(&record, machines, &cells, jobs, &out.0)?;
    Ok(Outcome::AsExpected)
}

fn cells_told(record: &Record) {
    let cells = record.cells.len() as f64;
    let minutes = record.wall_ms as f64 / 60_000.0;
    println!("cells: {cells} in {:.1} s, {:.0} a minute", record.wall_ms as f64 / 1e3, cells / minutes);
    println!("where a worker's time goes, in milliseconds a cell:");
    for (number, (name, _)) in Spent::default().parts().into_iter().enumerate() {
        let all: u64 = record.cells.iter().map(|cell| cell.spent.parts()[number].1).sum();
        println!("  {name:<9} {:>7.2}", all as f64 / 1e3 / cells);
    }
}

fn tunnels_told(record: &Record, machines: &Machines, cells: &[Cell], jobs: usize, out: &Path) -> Result<(), Failure> {
    let busy: u64 =
        record.cells.iter().map(|cell| cell.wall_ms * 1000 - cell.spent.boot_us.min(cell.wall_ms * 1000)).sum();
    let cell = Duration::from_micros(busy / record.cells.len() as u64);
    println!("a cell, without the boot: {cell:.1?}");
    for (kept, name, what) in [
        (
            Kept::Daemons,
            "its machines, daemons and tunnel with no API, capture or audit",
            "so the harness's own share is",
        ),
        (Kept::Everything, "its tunnel alone, between machines that stay", "so all but the tunnel is"),
    ] {
        let bare = runner::tunnels(machines, cells, kept, jobs, &out.join(format!("{kept:?}")))?;
        if bare.rounds == 0 {
            println!("no cell has a tunnel with packets in it: nothing to compare with");
            return Ok(());
        }
        let bare = bare.busy / bare.rounds as u32;
        let share = (1.0 - bare.as_secs_f64() / cell.as_secs_f64()) * 100.0;
        let limit = if kept == Kept::Daemons { ", of at most 20" } else { "" };
        println!("{name}: {bare:.1?}, {what} {share:.0} %{limit}");
    }
    Ok(())
}

/// Removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
