//! The outer half of a run: cells over workers, and the record that comes of it.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lab::{
    image::{Image, Name},
    world::{Clock, World},
};
use policy::Daemon;
use scenario::Cell;

use crate::{
    Error, Result, Times, control,
    drive::{self, Defect},
    endpoint::Foreign,
    judge::{self, Judgement},
    observation::{self, Observation},
    queue,
    record::{self, CellRecord, ImageRecord, Laboratory, Record, Verdict},
    workers,
};

/// What a run is made with.
pub struct Run {
    pub ground: Ground,
    /// How many cells run at once.
    pub jobs: usize,
    /// Where everything goes; made if it is not there.
    pub out: PathBuf,
    /// How long cells took before: the longest are begun first.
    pub times: Times,
}

/// What cells are run on.
#[expect(clippy::large_enum_variant, reason = "a run has one")]
pub enum Ground {
    /// Machines with daemons, and packets between them.
    Machines(Machines),
    /// The simulator, over routers that answer as is predicted. No packets.
    Modelled,
    /// A cloud that others run, one cell at a time. No packets.
    Foreign(Foreign),
}

#[derive(Clone)]
pub struct Machines {
    pub world: World,
    /// Images of every daemon that takes part.
    pub images: Vec<Image>,
    pub clock: Clock,
    /// The program that workers are: it hands the arguments behind `worker` to [`crate::worker`].
    pub program: PathBuf,
    /// What is wrong on purpose, to see whether it is found. The record says so.
    pub sabotage: Option<Defect>,
}

impl Machines {
    pub fn has_virtual_time(&self) -> bool {
        self.clock == Clock::Virtual && self.world.has_virtual_time()
    }

    /// The kernel's release, and whether it goes by the clock on the wall although it could do without.
    pub(crate) fn kernel(&self) -> String {
        let real = self.clock == Clock::Wall && self.world.has_virtual_time();
        format!("{}{}", self.world.kernel(), if real { ", in real time" } else { "" })
    }

    pub(crate) fn image(&self, daemon: Daemon) -> Option<&Image> {
        self.images.iter().find(|image| image.name == Name::from(daemon))
    }
}

impl Run {
    /// The record of these cells.
    pub fn record(&self, started: jiff::Timestamp, wall: Duration, cells: Vec<CellRecord>) -> Record {
        Record {
            format: record::FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            wall_ms: wall.as_millis() as u64,
            world: self.ground.name().to_owned(),
            sabotage: self.ground.sabotage().map(|defect| defect.name().to_owned()),
            laboratory: self.ground.record(),
            choice: None,
            diagnoses: Vec::new(),
            gate: None,
            cells,
        }
    }

    /// In a foreign cloud one thing is done after another: customers' addresses are few there, and an address may be
    /// one customer gateway at a time.
    fn hands(&self, cells: usize) -> usize {
        match &self.ground {
            Ground::Foreign(_) => 1,
            Ground::Machines(_) | Ground::Modelled => self.jobs.clamp(1, cells.max(1)),
        }
    }
}

/// One of several that take cells from the queue.
pub(crate) trait Hand: Send {
    fn cell(&mut self, cell: &Cell, progress: &dyn Progress) -> CellRecord;
}

impl Ground {
    fn hand<'a>(&'a self, out: &'a Path, number: usize) -> Result<Box<dyn Hand + 'a>> {
        Ok(match self {
            Self::Machines(machines) => Box::new(workers::Hand::new(machines, out, number)),
            Self::Modelled => Box::new(control::Hand::modelled(out)),
            Self::Foreign(foreign) => Box::new(control::Hand::foreign(out, foreign)?),
        })
    }

    /// The word for it on the command line and in records.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Machines(machines) => machines.world.name(),
            Self::Modelled => "modelled",
            Self::Foreign(_) => "foreign",
        }
    }

    /// What is wrong on purpose.
    pub fn sabotage(&self) -> Option<Defect> {
        match self {
            Self::Machines(machines) => machines.sabotage,
            Self::Modelled | Self::Foreign(_) => None,
        }
    }

    fn record(&self) -> Laboratory {
        match self {
            Self::Machines(machines) => Laboratory {
                kernel: machines.kernel(),
                images: machines.images.iter().map(image).collect(),
                cloud: None,
            },
            Self::Modelled => Laboratory::default(),
            Self::Foreign(foreign) => Laboratory { cloud: Some(foreign.record()), ..Laboratory::default() },
        }
    }
}

/// Told how a run goes; several threads call it at once.
pub trait Progress: Sync {
    fn doing(&self, cell: &str, what: &str);
    fn done(&self, cell: &CellRecord);
    /// The run was told to end: what it made in a foreign cloud is deleted first.
    fn interrupted(&self) {}
}

/// Runs the cells and returns the record, in the order of the cells.
pub fn run(run: &Run, cells: &[Cell], progress: &dyn Progress) -> Result<Record> {
    let started = jiff::Timestamp::now();
    let clock = Instant::now();
    fs::create_dir_all(&run.out).map_err(Error::file(&run.out))?;
    let out = run.out.canonicalize().map_err(Error::file(&run.out))?;
    let queue: Mutex<VecDeque<usize>> = Mutex::new(queue::order(cells, &run.times).into());
    let records: Mutex<BTreeMap<usize, CellRecord>> = Mutex::default();
    let hands: Vec<_> =
        (0..run.hands(cells.len())).map(|number| run.ground.hand(&out, number)).collect::<Result<_>>()?;
    thread::scope(|scope| {
        for hand in hands {
            // A worker dies with the thread that started it, so one thread keeps it as long as there are cells.
            scope.spawn(|| {
                let mut hand = hand;
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(number) = next else { break };
                    let record = hand.cell(&cells[number], progress);
                    progress.done(&record);
                    records.lock().unwrap_or_else(PoisonError::into_inner).insert(number, record);
                }
            });
        }
    });
    let cells = records.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect();
    Ok(run.record(started, clock.elapsed(), cells))
}

/// One worker's cells, one after another, for those who have their own order of things: a test harness. It stays on the
/// thread that began it, since a worker dies with that.
pub struct Session<'a> {
    hand: Box<dyn Hand + 'a>,
}

impl<'a> Session<'a> {
    /// The run's folder is there; no two sessions of a run have the same number.
    pub fn begin(run: &'a Run, number: usize) -> Result<Self> {
        Ok(Self { hand: run.ground.hand(&run.out, number)? })
    }

    pub fn cell(&mut self, cell: &Cell, progress: &dyn Progress) -> CellRecord {
        self.hand.cell(cell, progress)
    }
}

fn image(image: &Image) -> ImageRecord {
    ImageRecord { name: image.name.to_string(), digest: image.digest.clone(), version: image.made.version.clone() }
}

/// Makes the folder of a cell, without what an earlier run left in it.
pub(crate) fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::file(folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::file(folder))
}

/// A cell's record before anything has happened; `version` says what a daemon is.
pub(crate) fn blank(cell: &Cell, version: impl Fn(Daemon) -> String) -> CellRecord {
    let router: Vec<_> = cell.cloud.vpcs.values().map(|vpc| version(vpc.router)).collect();
    let customer = cell.customers.values().map(|customer| match customer.stands_in_for {
        Some(device) => format!("{} standing in for {}", version(customer.daemon), device.device()),
        None => version(customer.daemon),
    });
    CellRecord {
        id: cell.id.clone(),
        scenario: cell.title.clone(),
        about: cell.about.clone(),
        axes: cell.axes.clone(),
        verdict: Verdict::Broken,
        reason: String::new(),
        prediction: judge::predict(cell).to_string(),
        grade: Some(cell.grade()),
        negotiated: None,
        router: router.join(", "),
        customer: customer.collect::<Vec<_>>().join(", "),
        checks: Vec::new(),
        steps: Vec::new(),
        api: Vec::new(),
        states: Vec::new(),
        faults: Vec::new(),
        sas: Vec::new(),
        account: None,
        evidence: record::Evidence::default(),
        wall_ms: 0,
        began_ns: 0,
        virtual_ms: 0,
        machines: Vec::new(),
        spent: record::Spent::default(),
        key: None,
        reused: None,
        expected: None,
    }
}

/// Takes over what was observed and judged, and the files in the cell's folder.
pub(crate) fn fill(
    record: &mut CellRecord,
    observation: Observation,
    judgement: Judgement,
    cell: &Cell,
    folder: &Path,
) -> Result<()> {
    record.verdict = judgement.verdict;
    record.reason = judgement.reason;
    record.negotiated = judgement.negotiated;
    record.checks = judgement.checks;
    record.began_ns = observation.began_ns;
    record.virtual_ms = observation.virtual_ms;
    observation::lines(&folder.join(observation::EVENTS), &observation::events(&observation))?;
    record.steps = observation.steps;
    record.api = observation.api;
    record.states = observation.states;
    record.faults = observation.faults;
    record.sas = observation.sas;
    record.machines = observation.machines;
    record.evidence = files(cell, folder);
    Ok(())
}

fn files(cell: &Cell, folder: &Path) -> record::Evidence {
    let within = |name: &str| format!("cells/{}/{name}", cell.id);
    let there = |name: &str| folder.join(name).exists().then(|| within(name));
    record::Evidence {
        capture: there(observation::CAPTURE),
        keys: there(observation::KEYS),
        events: there(observation::EVENTS),
        api: there(observation::API),
        logs: drive::logs(folder).iter().map(|name| within(name)).collect(),
    }
}
