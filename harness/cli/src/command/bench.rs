//! `tunnelproof bench`: how fast cells are run, where their time goes, and what of it is the harness's own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lab::world::Clock;
use runner::{
    Ground, Machines, Run, Times,
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

/// The same cells twice: each in a laboratory with a cloud, a capture and an audit; and their tunnels alone, between two
/// daemons that are driven over their sockets by a loop.
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
    let bare = runner::tunnels(machines, cells, jobs, &out.join("bare"))?;
    if bare.rounds == 0 {
        println!("no cell has a tunnel with packets in it: nothing to compare with");
        return Ok(());
    }
    let busy: u64 =
        record.cells.iter().map(|cell| cell.wall_ms * 1000 - cell.spent.boot_us.min(cell.wall_ms * 1000)).sum();
    let cell = Duration::from_micros(busy / record.cells.len() as u64);
    let tunnel = bare.busy / bare.rounds as u32;
    let share = 1.0 - tunnel.as_secs_f64() / cell.as_secs_f64();
    println!("a cell {cell:.1?}, without the boot; its tunnel alone {tunnel:.1?}, of {}", bare.rounds);
    println!("the harness's own share: {:.0} %, of at most 20", share * 100.0);
    Ok(())
}

/// Removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
