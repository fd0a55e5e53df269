//! Does the set find what it is for? Each defect that a run can be given is refuted, by the check that is named here, in
//! cells that are proven without it.
//!
//! Where no check can see a defect yet, that is written down here as well, and whoever adds the check is told.
#![allow(clippy::unwrap_used)]

#[allow(clippy::unwrap_used)]
mod folder;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::Path,
    process::{Command, ExitCode},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use folder::Folder;
use lab::{
    image::{Store, default_root},
    world::{Choice, Clock},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use runner::{
    Defect::{self, *},
    Ground, Machines, Run, Session, Times,
    record::{CellRecord, Verdict},
};
use scenario::Cell;

/// A defect, a cell, and the first check that does not hold there; none if every check holds in spite of it.
const CASES: &[(Defect, &str, Option<&str>)] = &[
    (NoRestartAfterReboot, "lifecycle/reboot/libreswan-to-strongswan", Some("steps")),
    (NoRestartAfterReboot, "lifecycle/stop-start/strongswan-to-libreswan", Some("steps")),
    (RestartAlsoOfError, "lifecycle/reboot-error/libreswan-to-strongswan", Some("steps")),
    (ResetDoesNothing, "lifecycle/reset/libreswan-to-strongswan", Some("over-time")),
    (ResetDoesNothing, "time/dpd-off/libreswan-to-strongswan", Some("steps")),
    (StopDoesNothing, "lifecycle/stop-start/libreswan-to-strongswan", Some("steps")),
    (StopDoesNothing, "lifecycle/reboot-under-traffic/libreswan-to-strongswan", Some("over-time")),
    (WrongKeyAfterUpdate, "lifecycle/changed-key/libreswan-to-strongswan", Some("steps")),
    (StuckInPending, "lifecycle/connect/strongswan-to-libreswan", Some("steps")),
    (ConnectedWithoutSa, "lifecycle/connect/libreswan-to-strongswan", Some("steps")),
    (OldSaKeptAfterDelete, "lifecycle/deleted/libreswan-to-strongswan", Some("steps")),
    (OldSaKeptAfterDelete, "lifecycle/two-vpcs/libreswan-to-strongswan", Some("usage")),
    (MonitorAsleep, "time/monitor/libreswan-to-strongswan", Some("steps")),
    (MonitorAsleep, "lifecycle/reboot-4.22/strongswan-to-libreswan", Some("steps")),
    (AlertMissing, "time/monitor/strongswan-to-libreswan", Some("steps")),
    (StatusAlwaysUp, "time/monitor/libreswan-to-strongswan", Some("steps")),
    (StatusAlwaysDown, "time/monitor/strongswan-to-libreswan", Some("steps")),
    (UsageNotCounted, "lifecycle/connect/libreswan-to-strongswan", Some("usage")),
    (UsageCounterReset, "time/short-lifetimes/libreswan-to-strongswan", Some("usage")),
    // Every exchange sends as much one way as the other.
    (UsageDirectionsSwapped, "lifecycle/connect/strongswan-to-libreswan", None),
    (ClearTextWithoutTunnel, "lifecycle/connect/libreswan-to-strongswan", Some("clear-text")),
    (ClearTextDuringReboot, "lifecycle/stop-start/libreswan-to-strongswan", Some("clear-text")),
    // A reboot takes no time here, so nothing is sent meanwhile.
    (ClearTextDuringReboot, "lifecycle/reboot/strongswan-to-libreswan", None),
    (NatExemptionMissing, "lifecycle/connect/strongswan-to-libreswan", Some("steps")),
    (WrongSubnetInstalled, "lifecycle/connect/libreswan-to-strongswan", Some("steps")),
    (SubnetForgotten, "lifecycle/three-tiers/libreswan-to-strongswan", Some("steps")),
    (EncryptionDowngraded, "lifecycle/reset/strongswan-to-libreswan", Some("steps")),
    (PfsDropped, "policy/mismatch/pfs-granted/router-only.libreswan-answers", Some("phase-2")),
    (PfsDropped, "lifecycle/reset/libreswan-to-strongswan", Some("steps")),
    // libreswan takes whatever group the customer offers, so its own is not to be seen.
    (PfsDropped, "policy/mismatch/pfs-granted/group.libreswan-router-answers", None),
    (IkeLifetimeHalved, "lifecycle/connect/libreswan-to-strongswan", Some("phase-1")),
    (LifetimeDoubled, "lifecycle/connect/strongswan-to-libreswan", Some("phase-2")),
    (DpdIgnored, "time/dpd/libreswan-to-strongswan", Some("steps")),
    (DpdForced, "time/dpd-off/libreswan-to-strongswan", Some("steps")),
    (IkeVersionIgnored, "policy/ikev2/ike-version=ike,libreswan-to-strongswan", Some("phase-1")),
    (PassiveIgnored, "policy/mismatch/version-2-passive/key,libreswan-to-strongswan", Some("initiator")),
    (EncapsulationNotForced, "faults/force-encapsulation/libreswan-to-strongswan", Some("encapsulation")),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let bench = Arc::new(Bench::default());
    let mut trials = vec![
        Trial::test("every defect has a cell", every_defect_has_a_cell),
        Trial::test("a name that is not known is answered with all that are", names_are_told),
        Trial::test("there is nothing to sabotage where there are no packets", no_packets_no_defect),
    ];
    for defect in Defect::ALL {
        let bench = Arc::clone(&bench);
        trials.push(Trial::ignorable_test(format!("found: {defect}"), move || bench.finds(defect)));
    }
    for id in CASES.iter().map(|(_, id, _)| *id).collect::<BTreeSet<_>>() {
        let bench = Arc::clone(&bench);
        trials.push(Trial::ignorable_test(format!("sound: {id}"), move || bench.proves(id)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn every_defect_has_a_cell() -> Result<(), Failed> {
    match Defect::ALL.into_iter().find(|defect| CASES.iter().all(|(known, ..)| known != defect)) {
        Some(defect) => Err(format!("{defect} is looked for nowhere").into()),
        None => Ok(()),
    }
}

fn names_are_told() -> Result<(), Failed> {
    let output = Command::new(PROGRAM).args(["run", "--sabotage", "reboot"]).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    match Defect::ALL.into_iter().find(|defect| !told.contains(defect.name())) {
        None if output.status.code() == Some(2) => Ok(()),
        _ => Err(told.into_owned().into()),
    }
}

fn no_packets_no_defect() -> Result<(), Failed> {
    let folder = Folder::new("sabotage-modelled");
    let arguments = ["run", "--world", "modelled", "--sabotage", "pfs-dropped", "--out"];
    let output =
        Command::new(PROGRAM).args(arguments).arg(&folder.0).arg(scenarios().join("quickstart.yaml")).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) && told.contains("no packets") { Ok(()) } else { Err(told.into_owned().into()) }
}

/// Workers are this program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tunnelproof");

fn scenarios() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// What cells are run with; made when the first of them is.
#[derive(Default)]
struct Bench {
    ready: OnceLock<Result<Machines, String>>,
    sound: OnceLock<&'static Run>,
    sessions: AtomicUsize,
}

thread_local! {
    /// A worker for each thread, for cells without a defect.
    static SOUND: RefCell<Option<Session<'static>>> = const { RefCell::new(None) };
}

impl Bench {
    fn finds(&self, defect: Defect) -> Result<Completion, Failed> {
        let machines = match self.machines() {
            Ok(machines) => Machines { sabotage: Some(defect), ..machines },
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        let folder = Folder::new(defect.name());
        let run = run(machines, &folder.0)?;
        let mut session = Session::begin(&run, 0)?;
        for (_, id, code) in CASES.iter().filter(|(known, ..)| *known == defect) {
            let record = session.cell(&cell(id)?, &Silent);
            if !is_as_told(&record, *code) {
                return Err(format!("{id} is {}: {}", record.verdict, record.reason).into());
            }
        }
        Ok(Completion::Completed)
    }

    fn proves(&self, id: &str) -> Result<Completion, Failed> {
        let machines = match self.machines() {
            Ok(machines) => machines,
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        let sound = match self.sound.get() {
            Some(sound) => sound,
            None => {
                // Sessions belong to threads that nobody here joins, so it lives as long as they do.
                let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sound");
                std::fs::create_dir_all(&out)?;
                let run = run(machines, &out)?;
                self.sound.get_or_init(|| Box::leak(Box::new(run)))
            }
        };
        let cell = cell(id)?;
        let record = SOUND.with_borrow_mut(|session| {
            let session = match session {
                Some(session) => session,
                None => session.insert(Session::begin(sound, self.sessions.fetch_add(1, Ordering::Relaxed))?),
            };
            Ok::<_, Failed>(session.cell(&cell, &Silent))
        })?;
        match record.verdict {
            Verdict::Proven => Ok(Completion::Completed),
            verdict => Err(format!("{verdict}: {}", record.reason).into()),
        }
    }

    /// What all are run with, or why nothing is.
    fn machines(&self) -> Result<Machines, String> {
        self.ready.get_or_init(|| prepare().map_err(|e| e.to_string())).clone()
    }
}

/// Whether the first check that does not hold is the one with this code.
fn is_as_told(record: &CellRecord, code: Option<&str>) -> bool {
    match code {
        None => record.verdict == Verdict::Proven,
        Some(code) => record.verdict == Verdict::Refuted && record.reason.starts_with(&format!("{code}: ")),
    }
}

fn prepare() -> Result<Machines, Box<dyn std::error::Error>> {
    let store = Store::open(default_root()?);
    let kind = lab::world::choose(Choice::Auto, &store, Path::new(PROGRAM))?;
    let mut names: Vec<_> = kind.image().into_iter().collect();
    names.extend(policy::Daemon::ALL.map(lab::image::Name::from));
    let images = store.ensure(&names, &|_: &str, _: &str, _: Option<(u64, u64)>| ())?;
    let (world, clock, program) = (kind.world(&store)?, Clock::Virtual, PROGRAM.into());
    let machines = Machines { world, images, clock, program, sabotage: None };
    if machines.has_virtual_time() { Ok(machines) } else { Err("these cells need virtual time".into()) }
}

fn run(machines: Machines, out: &Path) -> Result<Run, Failed> {
    Ok(Run { ground: Ground::Machines(machines), jobs: 1, out: out.canonicalize()?, times: Times::default() })
}

/// The cell with this id, which begins with its file's name.
fn cell(id: &str) -> Result<Cell, Failed> {
    let (file, _) = id.rsplit_once('/').ok_or("an id has a slash")?;
    let scenario = scenario::load(&scenarios().join(format!("{file}.yaml"))).map_err(|e| e.to_string())?;
    scenario.cells().into_iter().find(|cell| cell.id == id).ok_or_else(|| format!("there is no cell {id}").into())
}

struct Silent;

impl runner::Progress for Silent {
    fn doing(&self, _: &str, _: &str) {}
    fn done(&self, _: &CellRecord) {}
}
