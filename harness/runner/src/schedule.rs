//! The outer half of a run: cells over workers, and the record that comes of it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lab::{
    image::{Image, Name},
    world::{Clock, Said, Worker, World, inside::Place},
};
use policy::{Daemon, Group, Proposal};
use scenario::Cell;
use wire::{audit, pcapng};

use crate::{
    Error, Result, drive,
    judge::{self, Evidence},
    message::{Job, News, Order},
    observation::{self, Observation},
    record::{self, CellRecord, ImageRecord, Laboratory, Record, Verdict},
};

/// A worker that says nothing for so long, by the clock on the wall, is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run is made with.
pub struct Run {
    pub world: World,
    /// Images of every daemon that takes part.
    pub images: Vec<Image>,
    /// How many workers run at once.
    pub jobs: usize,
    /// Where everything goes; made if it is not there.
    pub out: PathBuf,
    /// The program that workers are: it hands the arguments behind `worker` to [`crate::worker`].
    pub program: PathBuf,
}

/// Told how a run goes; several threads call it at once.
pub trait Progress: Sync {
    fn doing(&self, cell: &str, what: &str);
    fn done(&self, cell: &CellRecord);
}

/// Runs the cells and returns the record, in the order of the cells.
pub fn run(run: &Run, cells: &[Cell], progress: &dyn Progress) -> Result<Record> {
    let started = jiff::Timestamp::now();
    let clock = Instant::now();
    fs::create_dir_all(&run.out).map_err(Error::file(&run.out))?;
    let out = run.out.canonicalize().map_err(Error::file(&run.out))?;
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..cells.len()).collect());
    let records: Mutex<BTreeMap<usize, CellRecord>> = Mutex::default();
    let workers = run.jobs.clamp(1, cells.len().max(1));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // A worker dies with this thread, so the thread keeps it as long as there are cells.
                let mut hand = Hand { run, out: &out, worker: None };
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
    Ok(Record {
        format: record::FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        wall_ms: clock.elapsed().as_millis() as u64,
        world: run.world.name().to_owned(),
        laboratory: Laboratory { kernel: run.world.kernel(), images: run.images.iter().map(image).collect() },
        cells,
    })
}

/// The images that these cells need besides the world's own.
pub fn images(cells: &[Cell]) -> Vec<Name> {
    let daemons: BTreeSet<Daemon> = cells.iter().flat_map(daemons).collect();
    daemons.into_iter().map(Name::from).collect()
}

fn daemons(cell: &Cell) -> Vec<Daemon> {
    let routers = cell.cloud.vpcs.values().map(|vpc| vpc.router);
    routers.chain(cell.customers.values().map(|customer| customer.daemon)).collect()
}

fn image(image: &Image) -> ImageRecord {
    ImageRecord { name: image.name.to_string(), digest: image.digest.clone(), version: image.made.version.clone() }
}

/// One of several that take cells from the queue; it keeps its worker from cell to cell.
struct Hand<'a> {
    run: &'a Run,
    out: &'a Path,
    worker: Option<Worker>,
}

impl Hand<'_> {
    fn cell(&mut self, cell: &Cell, progress: &dyn Progress) -> CellRecord {
        let clock = Instant::now();
        let mut record = self.blank(cell);
        if cell.needs_virtual_time() && !self.run.world.has_virtual_time() {
            record.verdict = Verdict::Skipped;
            record.reason =
                format!("the {} world has no virtual time, and the scenario holds too long", self.run.world);
            return record;
        }
        if let Some(lacking) = self.unsupported(cell) {
            record.verdict = Verdict::Unsupported;
            record.reason = lacking;
            return record;
        }
        let folder = self.out.join("cells").join(&cell.id);
        if let Err(e) = self.observe(cell, &folder, progress).and_then(|()| self.judge(cell, &folder, &mut record)) {
            record.verdict = Verdict::Broken;
            record.reason = e.to_string();
        }
        if record.verdict == Verdict::Broken {
            // Whatever broke it must not break the next cell.
            self.worker = None;
        }
        record.wall_ms = clock.elapsed().as_millis() as u64;
        record
    }

    fn image(&self, daemon: Daemon) -> Option<&Image> {
        self.run.images.iter().find(|image| image.name == Name::from(daemon))
    }

    /// What one of its daemons lacks for the policy, as its image found out when it was made.
    fn unsupported(&self, cell: &Cell) -> Option<String> {
        let policy = &cell.policy;
        let groups = policy.ike.iter().map(Proposal::ike_group).chain(policy.esp.iter().filter_map(|esp| esp.group));
        let groups: BTreeSet<_> = groups.collect();
        daemons(cell).into_iter().find_map(|daemon| {
            let image = self.image(daemon)?;
            let lacks = |group: &&Group| image.made.facts.get(group.name()).is_some_and(|answer| answer == "no");
            let group = groups.iter().find(lacks)?;
            Some(format!("{} is built without {group}", image.made.version))
        })
    }

    /// Has the worker run the cell.
    fn observe(&mut self, cell: &Cell, folder: &Path, progress: &dyn Progress) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::file(folder))?;
        }
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
        let trees = daemons(cell).into_iter().filter_map(|daemon| {
            let image = self.image(daemon)?;
            Some((daemon, image.root()))
        });
        let job = Job { cell: cell.clone(), folder: folder.to_owned(), trees: trees.collect() };
        progress.doing(&cell.id, &format!("start a worker in the {} world", self.run.world));
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => {
                let place = Place { writable: self.out.to_owned() };
                Worker::start(&self.run.world, Clock::Virtual, &self.run.program, &place)?
            }
        };
        worker.send(&Order::Cell(Box::new(job)))?;
        let mut doing = "take the cell".to_owned();
        loop {
            match worker.receive::<News>(PATIENCE) {
                Said::Message(News::Doing(what)) => {
                    progress.doing(&cell.id, &what);
                    doing = what;
                }
                Said::Message(News::Done) => break,
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

    /// Audits the capture and judges, outside of the worker.
    fn judge(&self, cell: &Cell, folder: &Path, record: &mut CellRecord) -> Result<()> {
        let (observation, facts) = Observation::read(folder)?;
        let path = folder.join(observation::CAPTURE);
        let bytes = fs::read(&path).map_err(Error::file(&path))?;
        let account = match pcapng::read(&bytes) {
            Ok(capture) => audit::audit(&capture, &facts),
            // A laboratory that broke may have left half a capture, or none.
            Err(_) if observation.broken.is_some() => audit::Account::default(),
            Err(e) => return Err(Error::file(&path)(std::io::Error::other(e))),
        };
        let prediction = judge::predict(cell);
        let evidence =
            Evidence { cell, prediction: &prediction, observation: &observation, facts: &facts, account: &account };
        let judgement = judge::judge(&evidence);
        record.verdict = judgement.verdict;
        record.reason = judgement.reason;
        record.negotiated = judgement.negotiated;
        record.checks = judgement.checks;
        record.virtual_ms = observation.virtual_ms;
        observation::lines(&folder.join(observation::EVENTS), &observation::events(&observation))?;
        record.steps = observation.steps;
        record.api = observation.api;
        record.states = observation.states;
        record.sas = observation.sas;
        record.account = Some(account);
        record.evidence = self.files(cell, folder);
        Ok(())
    }

    fn files(&self, cell: &Cell, folder: &Path) -> record::Evidence {
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

    fn blank(&self, cell: &Cell) -> CellRecord {
        let version =
            |daemon: Daemon| self.image(daemon).map_or_else(|| daemon.to_string(), |image| image.made.version.clone());
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
            negotiated: None,
            router: router.join(", "),
            customer: customer.collect::<Vec<_>>().join(", "),
            checks: Vec::new(),
            steps: Vec::new(),
            api: Vec::new(),
            states: Vec::new(),
            sas: Vec::new(),
            account: None,
            evidence: record::Evidence::default(),
            wall_ms: 0,
            virtual_ms: 0,
        }
    }
}
