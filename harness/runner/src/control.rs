//! The outer half of a cell that needs no worker: it is driven in this process, through an API alone.

use std::{path::Path, process, time::Instant};

use scenario::Cell;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    Error, Result, drive,
    endpoint::{Admitted, Foreign, NotHere},
    judge,
    limits::Limits,
    observation::Observation,
    record::{CellRecord, Verdict},
    schedule::{self, Progress},
};

/// Takes cells, one after another.
pub(crate) struct Hand<'a> {
    out: &'a Path,
    place: Where<'a>,
}

enum Where<'a> {
    Modelled,
    Foreign(Visit<'a>),
}

impl<'a> Hand<'a> {
    pub fn modelled(out: &'a Path) -> Self {
        Self { out, place: Where::Modelled }
    }

    pub fn foreign(out: &'a Path, foreign: &'a Foreign) -> Result<Self> {
        Ok(Self { out, place: Where::Foreign(Visit::begin(foreign)?) })
    }
}

impl schedule::Hand for Hand<'_> {
    fn cell(&mut self, cell: &Cell, progress: &dyn Progress) -> CellRecord {
        let clock = Instant::now();
        let mut record = self.blank(cell);
        if let Err((verdict, reason)) = self.run(cell, &mut record, progress) {
            record.verdict = verdict;
            record.reason = reason;
        }
        record.wall_ms = clock.elapsed().as_millis() as u64;
        record
    }
}

impl Hand<'_> {
    fn blank(&self, cell: &Cell) -> CellRecord {
        match &self.place {
            Where::Modelled => schedule::blank(cell, |daemon| format!("modelled {daemon}")),
            Where::Foreign(visit) => {
                let [router, customer] = visit.foreign.ends();
                CellRecord { router, customer, ..schedule::blank(cell, |daemon| daemon.to_string()) }
            }
        }
    }

    fn run(&mut self, cell: &Cell, record: &mut CellRecord, progress: &dyn Progress) -> Result<(), (Verdict, String)> {
        let broken = |e: Error| (Verdict::Broken, e.to_string());
        let tell = |what: String| progress.doing(&cell.id, &what);
        let (observation, limits) = match &mut self.place {
            Where::Modelled => (modelled(cell, &tell).map_err(broken)?, Limits::Modelled),
            Where::Foreign(visit) => (visit.cell(cell, &tell, progress)?, visit.foreign.limits()),
        };
        let folder = self.out.join("cells").join(&cell.id);
        let write = || -> Result<()> {
            schedule::fresh(&folder)?;
            observation.write(&folder)
        };
        write().map_err(broken)?;
        let judgement = judge::judge_control(cell, &observation, limits.name());
        schedule::fill(record, observation, judgement, cell, &folder).map_err(broken)
    }
}

/// Time passes only while nothing else happens, and then at once.
fn modelled(cell: &Cell, tell: drive::Tell<'_>) -> Result<Observation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    Ok(runtime.map_err(Error::file("the cell's runtime"))?.block_on(drive::modelled(cell, tell)))
}

/// A run against a foreign cloud. Its first interruption ends the cell that is being run, and deletes what it made;
/// the second ends the process.
struct Visit<'a> {
    foreign: &'a Foreign,
    runtime: Runtime,
    signals: [Signal; 2],
    raised: watch::Sender<bool>,
    /// Different for each run.
    mark: String,
    cells: usize,
}

impl<'a> Visit<'a> {
    fn begin(foreign: &'a Foreign) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::file("the run's runtime"))?;
        let signals = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).map_err(Error::file("the run's signals"));
            [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?]
        };
        let mark = format!("{:x}{:03x}", jiff::Timestamp::now().as_second(), process::id() & 0xfff);
        Ok(Self { foreign, runtime, signals, raised: watch::Sender::new(false), mark, cells: 0 })
    }

    fn cell(
        &mut self,
        cell: &Cell,
        tell: drive::Tell<'_>,
        progress: &dyn Progress,
    ) -> Result<Observation, (Verdict, String)> {
        let admitted: Admitted<'_> = self.foreign.admit(cell).map_err(|not_here| match not_here {
            NotHere::Skipped(reason) => (Verdict::Skipped, reason),
            NotHere::Broken(reason) => (Verdict::Broken, reason),
        })?;
        if *self.raised.borrow() {
            return Err((Verdict::Skipped, "the run was interrupted before it".to_owned()));
        }
        self.cells += 1;
        let interrupt = drive::Interrupt::by(self.raised.subscribe());
        let session = admitted.session(&format!("{}-{}", self.mark, self.cells), interrupt);
        let driven = drive::foreign(cell, self.foreign.limits(), admitted.addresses, session, tell);
        let (raised, [interrupted, terminated]) = (&self.raised, &mut self.signals);
        let listening = async {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
                if raised.send_replace(true) {
                    process::exit(130);
                }
                progress.interrupted();
            }
        };
        Ok(self.runtime.block_on(async {
            tokio::select! {
                observation = driven => observation,
                () = listening => unreachable!("it listens as long as the cell runs"),
            }
        }))
    }
}
