//! One cell inside a worker: build, drive through the API, exchange, observe, undo.

mod api;
mod traffic;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cloud::{ClientError, Config, Credentials, Service, StoreLocation};
use lab::topology::{CustomerPlan, Deployment, Lab, Plan};
use scenario::{Cell, Expectation, Step};
use wire::audit::{Expected, Facts};

use crate::{
    message::Job,
    observation::{LOGS, Observation},
    record::{SaSummary, StepRecord},
};
use api::Api;
use traffic::Traffic;

/// Told what is being done, for progress and for the watchdog.
pub(crate) type Tell<'a> = &'a (dyn Fn(String) + 'a);

/// A hold is cut into parts of this length, so that states are seen and the watchdog is told.
const PART: Duration = Duration::from_secs(60);

/// Why a step did not do what it should.
pub(crate) enum Failure {
    /// The system under test did otherwise.
    Refuted(String),
    /// The laboratory failed.
    Broken(String),
}

impl From<lab::Error> for Failure {
    fn from(error: lab::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Transport { .. } => Self::Broken(error.to_string()),
            _ => Self::Refuted(error.to_string()),
        }
    }
}

/// The cell's clock and what has been written down.
#[derive(Clone)]
pub(crate) struct Notebook {
    began: Instant,
    began_ns: u64,
    pages: Arc<Mutex<Observation>>,
}

impl Notebook {
    fn open() -> Self {
        // The clock of a machine is behind 1970 only if it was never set.
        let began_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        Self { began: Instant::now(), began_ns, pages: Arc::default() }
    }

    /// Milliseconds since the cell began.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn at(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.began_ns) / 1_000_000
    }

    pub fn write(&self, entry: impl FnOnce(&mut Observation)) {
        entry(&mut self.pages.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn close(self) -> Observation {
        let virtual_ms = self.now();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        Observation { virtual_ms, ..std::mem::take(&mut pages) }
    }
}

/// Runs the cell. Whatever happens, what was seen is returned, and nothing of the cell is left.
pub(crate) async fn drive(job: &Job, tell: Tell<'_>) -> (Observation, Facts) {
    let notebook = Notebook::open();
    let mut facts = Facts::default();
    if let Err(Failure::Refuted(reason) | Failure::Broken(reason)) = cell(job, tell, &notebook, &mut facts).await {
        notebook.write(|pages| pages.broken = Some(reason));
    }
    (notebook.close(), facts)
}

async fn cell(job: &Job, tell: Tell<'_>, notebook: &Notebook, facts: &mut Facts) -> Result<(), Failure> {
    tell("build the laboratory".into());
    let lab = Lab::build(plan(job)).await?;
    let addresses = lab.public_addresses();
    let service = serve(&lab, job.cell.cloud.profile, addresses).await?;
    let api = Api::new(&job.cell, service.endpoint(), credentials(), notebook.clone());
    let mut drive = Drive { cell: &job.cell, lab: &lab, api, traffic: Traffic::default(), notebook, tell };
    let driven = drive.all().await;

    tell("end the capture".into());
    lab.finish_capture().await?;
    *facts = drive.facts();
    note_sas(&lab, notebook, facts).await?;
    let undone = match drive.api.usage(&lab).await {
        Ok(()) => drive.undo().await,
        Err(e) => drive.undo().await.and(Err(e)),
    };
    service.stop().await;
    match lab.failure() {
        Some(reason) => Err(Failure::Broken(reason)),
        None => driven.and(undone),
    }
}

fn plan(job: &Job) -> Plan {
    let Cell { cloud, customers, .. } = &job.cell;
    Plan {
        folder: job.folder.clone(),
        routers: cloud.vpcs.iter().map(|(name, vpc)| (name.clone(), vpc.router)).collect(),
        customers: customers
            .iter()
            .map(|(name, customer)| CustomerPlan {
                name: name.clone(),
                daemon: customer.daemon,
                subnets: customer.subnets.clone(),
            })
            .collect(),
        trees: job.trees.clone(),
        standing: None,
    }
}

async fn serve(
    lab: &Arc<Lab>,
    profile: scenario::Profile,
    public_addresses: Vec<std::net::Ipv4Addr>,
) -> Result<Service, Failure> {
    lab::link::raise_loopback().await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(|e| Failure::Broken(format!("the cloud cannot listen on loopback: {e}")))?;
    let config = Config {
        profile: match profile {
            scenario::Profile::Spec2012 => cloud::Profile::Spec2012,
            scenario::Profile::V4_22 => cloud::Profile::V4_22,
        },
        public_addresses,
        credentials: Some(credentials()),
        store: StoreLocation::Memory,
        router_check_interval: Config::ROUTER_CHECK_INTERVAL,
        log: None,
    };
    let fabric = Arc::new(Deployment(Arc::clone(lab)));
    Service::start(config, fabric, listener).await.map_err(|e| Failure::Broken(e.to_string()))
}

/// Good for one service, which lives in this worker only.
fn credentials() -> Credentials {
    Credentials { api_key: "runner".into(), secret_key: "of this cell only".into() }
}

/// Every SA's life for the record, every SA's keys for the audit.
async fn note_sas(lab: &Lab, notebook: &Notebook, facts: &mut Facts) -> Result<(), Failure> {
    for seen in lab.sas().await? {
        for life in seen.lives {
            let sa = &life.sa;
            // Both kernels hold the same SA.
            let keys = sa.keys();
            if !facts.sas.contains(&keys) {
                facts.sas.push(keys);
            }
            let summary = SaSummary {
                machine: life.machine,
                spi: sa.spi,
                source: sa.source,
                destination: sa.destination,
                suite: sa.suite(),
                added_ms: notebook.at(life.added_ns),
                deleted_ms: life.deleted_ns.map(|time| notebook.at(time)),
                packets: sa.packets,
                bytes: sa.bytes,
            };
            notebook.write(|pages| pages.sas.push(summary));
        }
        notebook.write(|pages| {
            pages.strange_sas.extend(seen.others);
            pages.gaps.extend(seen.gaps);
        });
    }
    Ok(())
}

struct Drive<'a> {
    cell: &'a Cell,
    lab: &'a Lab,
    api: Api<'a>,
    traffic: Traffic,
    notebook: &'a Notebook,
    tell: Tell<'a>,
}

impl Drive<'_> {
    /// The cloud's objects first, then the scenario's steps up to the first that fails.
    async fn all(&mut self) -> Result<(), Failure> {
        if !self.step("create the VPCs and their tiers through the API".into(), None).await? {
            return Ok(());
        }
        for step in &self.cell.steps {
            if !self.step(step.to_string(), Some(step)).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a step and writes down how it went; returns whether it went as it should.
    async fn step(&mut self, text: String, step: Option<&Step>) -> Result<bool, Failure> {
        (self.tell)(text.clone());
        let begin_ms = self.notebook.now();
        let taken = match step {
            None => self.api.prepare().await,
            Some(step) => self.take(step).await,
        };
        self.note(text, begin_ms, taken)
    }

    /// Writes down how a step went; returns whether it went as it should.
    fn note(&self, text: String, begin_ms: u64, taken: Result<String, Failure>) -> Result<bool, Failure> {
        let end_ms = self.notebook.now();
        let (ok, outcome) = match &taken {
            Ok(outcome) => (true, outcome.clone()),
            Err(Failure::Refuted(reason) | Failure::Broken(reason)) => (false, reason.clone()),
        };
        self.notebook.write(|pages| pages.steps.push(StepRecord { text, outcome, ok, begin_ms, end_ms }));
        match taken {
            Err(Failure::Broken(reason)) => Err(Failure::Broken(reason)),
            _ => Ok(ok),
        }
    }

    async fn take(&mut self, step: &Step) -> Result<String, Failure> {
        match step {
            Step::Connect { vpc, customer } => self.api.connect(self.lab, vpc, customer).await,
            Step::Disconnect { vpc, customer } => self.api.disconnect(vpc, customer).await,
            Step::Expect(Expectation::Connection { state, within }) => self.api.expect(*state, *within).await,
            Step::Expect(Expectation::Traffic(scenario::Traffic::NoneInClear)) => {
                self.traffic.everywhere(self.lab, self.cell, Expected::NotInClear).await
            }
            Step::Exchange { between, packets } => self.traffic.between(self.lab, self.cell, between, *packets).await,
            Step::RebootRouter(vpc) => self.api.reboot_router(vpc).await,
            Step::Hold(duration) => self.hold(*duration).await,
        }
    }

    async fn hold(&mut self, duration: Duration) -> Result<String, Failure> {
        let end = tokio::time::Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Ok(format!("{} s passed", duration.as_secs()));
            }
            tokio::time::sleep(left.min(PART)).await;
            (self.tell)(format!("hold: {} s left", left.saturating_sub(PART).as_secs()));
            self.api.look().await?;
        }
    }

    /// Takes every object away again, through the API and in the laboratory.
    async fn undo(&mut self) -> Result<(), Failure> {
        let (text, begin_ms) = ("delete everything through the API".to_owned(), self.notebook.now());
        (self.tell)(text.clone());
        let undone = self.api.undo().await;
        self.note(text, begin_ms, undone).map(drop)
    }

    fn facts(&self) -> Facts {
        let gateways: BTreeMap<_, _> = self.api.gateways(self.lab);
        Facts {
            local: self.cell.cloud.vpcs.values().map(|vpc| vpc.cidr).collect(),
            remote: self.cell.customers.values().flat_map(|customer| customer.subnets.clone()).collect(),
            gateways: gateways.into_keys().collect(),
            sas: Vec::new(),
            probes: self.traffic.sent().to_vec(),
        }
    }
}

/// The logs that the daemons left, by their names within the cell's folder.
pub(crate) fn logs(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for machine in std::fs::read_dir(folder.join(LOGS)).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(machine.path()).into_iter().flatten().flatten() {
            let empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
            if !empty {
                found.push(format!("{LOGS}/{}/{}", machine.file_name().display(), file.file_name().display()));
            }
        }
    }
    found.sort();
    found
}
