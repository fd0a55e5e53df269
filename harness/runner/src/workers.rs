//! The outer half of a cell that has a worker: hands the cell over, audits the capture, and judges.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lab::{
    image::Name,
    world::{Clock, Said, Worker, inside::Place},
};
use policy::{Daemon, End, Group, Proposal};
use scenario::Cell;

use crate::{
    Result,
    message::{Job, News, Order},
    observation,
    record::{self, CellRecord, Verdict},
    rejudge,
    schedule::{self, Machines, Progress, blank},
};

/// A worker that says nothing for so long, by the clock on the wall, is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The images that these cells need besides the world's own.
pub fn images(cells: &[Cell]) -> Vec<Name> {
    let daemons: BTreeSet<Daemon> = cells.iter().flat_map(daemons).collect();
    daemons.into_iter().map(Name::from).collect()
}

/// The file trees of these daemons.
pub(crate) fn trees(machines: &Machines, daemons: impl IntoIterator<Item = Daemon>) -> Vec<(Daemon, PathBuf)> {
    let daemons: BTreeSet<_> = daemons.into_iter().collect();
    daemons.into_iter().filter_map(|daemon| Some((daemon, machines.image(daemon)?.root()))).collect()
}

fn daemons(cell: &Cell) -> Vec<Daemon> {
    let routers = cell.cloud.vpcs.values().map(|vpc| vpc.router);
    routers.chain(cell.customers.values().map(|customer| customer.daemon)).collect()
}

/// Keeps its worker from cell to cell.
pub(crate) struct Hand<'a> {
    machines: &'a Machines,
    out: &'a Path,
    worker: Option<Worker>,
    /// Where the worker's daemons log, which outlast their cells.
    logs: PathBuf,
}

impl<'a> Hand<'a> {
    /// No two hands of a run have the same number.
    pub fn new(machines: &'a Machines, out: &'a Path, number: usize) -> Self {
        let logs = out.join(format!(".daemons-{number}"));
        // Of a run that was killed; else there are none.
        let _ = fs::remove_dir_all(&logs);
        Self { machines, out, worker: None, logs }
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl schedule::Hand for Hand<'_> {
    fn cell(&mut self, cell: &Cell, progress: &dyn Progress) -> CellRecord {
        let clock = Instant::now();
        let mut record = blank(cell, |daemon| self.version(daemon));
        if cell.needs_virtual_time() && !self.machines.has_virtual_time() {
            record.verdict = Verdict::Skipped;
            record.reason = match self.machines.clock {
                Clock::Virtual => format!("the {} world has no virtual time", self.machines.world),
                Clock::Wall => "the run is in real time".to_owned(),
            };
            record.reason.push_str(", and the scenario holds too long");
            return record;
        }
        if let Some(lacking) = self.unsupported(cell) {
            record.verdict = Verdict::Unsupported;
            record.reason = lacking;
            return record;
        }
        let folder = self.out.join("cells").join(&cell.id);
        let observed = self.observe(cell, &folder, &mut record, progress);
        let judging = Instant::now();
        if let Err(e) = observed.and_then(|()| rejudge::judge(cell, &folder, &mut record)) {
            record.verdict = Verdict::Broken;
            record.reason = e.to_string();
        }
        if record.verdict == Verdict::Broken {
            // Whatever broke it must not break the next cell.
            self.end();
        }
        record.spent.judgement_us = micros(judging.elapsed());
        record.wall_ms = clock.elapsed().as_millis() as u64;
        record
    }
}

impl Hand<'_> {
    /// What one of its daemons lacks for the policy, as its image found out when it was made.
    fn unsupported(&self, cell: &Cell) -> Option<String> {
        cell.connections().into_iter().flatten().find_map(|End { daemon, policy, .. }| {
            let image = self.machines.image(daemon?)?;
            let groups = policy.ike.iter().map(Proposal::ike_group);
            let groups: BTreeSet<_> = groups.chain(policy.esp.iter().filter_map(|esp| esp.group)).collect();
            let lacks = |group: &&Group| image.made.facts.get(group.name()).is_some_and(|answer| answer == "no");
            let group = groups.iter().find(lacks)?;
            Some(format!("{} is built without {group}", image.made.version))
        })
    }

    /// Has the worker run the cell.
    fn observe(&mut self, cell: &Cell, folder: &Path, record: &mut CellRecord, progress: &dyn Progress) -> Result<()> {
        schedule::fresh(folder)?;
        let observed = self.ask(cell, folder, &mut record.spent, progress);
        if observed.is_err() {
            // What the daemons said last is what explains it.
            self.keep_logs(folder);
        }
        observed
    }

    fn ask(&mut self, cell: &Cell, folder: &Path, spent: &mut record::Spent, progress: &dyn Progress) -> Result<()> {
        let trees = trees(self.machines, daemons(cell));
        let (logs, defect) = (self.logs.clone(), self.machines.sabotage);
        let job = Job { cell: cell.clone(), folder: folder.to_owned(), logs, trees, defect };
        progress.doing(&cell.id, &format!("start a worker in the {} world", self.machines.world));
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => {
                let (place, booting) = (Place { writable: self.out.to_owned() }, Instant::now());
                let Machines { world, clock, program, .. } = self.machines;
                let worker = Worker::start(world, *clock, program, &place)?;
                spent.boot_us = micros(booting.elapsed());
                worker
            }
        };
        let began = Instant::now();
        worker.send(&Order::Cell(Box::new(job)))?;
        let mut doing = "take the cell".to_owned();
        loop {
            match worker.receive::<News>(PATIENCE) {
                Said::Message(News::Doing(what)) => {
                    progress.doing(&cell.id, &what);
                    doing = what;
                }
                Said::Message(News::Done(ticks)) => {
                    spent.note(&ticks, began.elapsed());
                    break;
                }
                Said::Message(News::Begun | News::Over(_)) => {}
                Said::Ended => return Err(worker.ended(&format!("it ended while it was to {doing}")).into()),
                Said::Silent => {
                    let silence = format!("nothing was heard for {} s while it was to {doing}", PATIENCE.as_secs());
                    return Err(worker.ended(&silence).into());
                }
            }
        }
        self.worker = Some(worker);
        Ok(())
    }

    /// Ends the worker, and with it all of its daemons.
    fn end(&mut self) {
        self.worker = None;
        // There are none before the first cell.
        let _ = fs::remove_dir_all(&self.logs);
    }

    /// Copies what daemons have logged since the last cell that came to its end.
    fn keep_logs(&self, folder: &Path) {
        for machine in fs::read_dir(&self.logs).into_iter().flatten().flatten() {
            let place = machine.file_name();
            let name = Path::new(&place).file_stem().unwrap_or(&place);
            let to = folder.join(observation::LOGS).join(name);
            for file in fs::read_dir(machine.path()).into_iter().flatten().flatten() {
                if file.metadata().is_ok_and(|metadata| metadata.len() > 0) {
                    // It is about a cell that is broken already.
                    let _ = fs::create_dir_all(&to).and_then(|()| fs::copy(file.path(), to.join(file.file_name())));
                }
            }
        }
    }

    fn version(&self, daemon: Daemon) -> String {
        self.machines.image(daemon).map_or_else(|| daemon.to_string(), |image| image.made.version.clone())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
