//! Every cell of `scenarios/` is a test, named by its id; and tshark has to see in each capture what the audit
//! saw. What cannot run here is counted as ignored, with the reason.
//!
//! Of a scenario with many cells a pairwise choice is tested, unless `TUNNELPROOF_CELLS` says which, in the words of
//! `tunnelproof run --cells`.

mod referee;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lab::{
    image::{Store, default_root},
    world::{Choice, Clock},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use runner::{
    Ground, Machines, Run, Session, Times,
    record::{CellRecord, Verdict},
};
use scenario::{Cell, Selection, Step, fault::LinkChange};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let wanted = match std::env::var("TUNNELPROOF_CELLS").as_deref().map(str::parse) {
        Ok(Ok(selection)) => Some(selection),
        Ok(Err(help)) => panic!("TUNNELPROOF_CELLS: {help}"),
        Err(_) => None,
    };
    let bench = Arc::new(Bench::default());
    let mut trials = Vec::new();
    for cell in cells(&scenarios, wanted) {
        let proof = Arc::new(Proof { bench: Arc::clone(&bench), cell, record: OnceLock::new() });
        if !proof.cell.scenario.starts_with(MISMATCHES) {
            let again = Arc::clone(&proof);
            trials.push(Trial::ignorable_test(format!("{}{TSHARK}", again.cell.id), move || again.tshark_agrees()));
        }
        trials.push(Trial::ignorable_test(proof.cell.id.clone(), move || proof.is_proven()));
    }
    let (started, clock) = (jiff::Timestamp::now(), Instant::now());
    let conclusion = libtest_mimic::run(&arguments, trials);
    bench.report(started, clock.elapsed());
    conclusion.exit_code()
}

/// tshark takes longer for a cell than the cell itself, and what ends the conversations of these it reads in the others
/// too.
const MISMATCHES: &str = "policy/mismatch/";

/// What the name of a cell's second test ends with.
const TSHARK: &str = ": tshark agrees";

/// A scenario with more cells is not tested whole.
const FEW: usize = 24;
/// What the choice depends on, as in `tunnelproof run`.
const SEED: u64 = 1;

fn cells(folder: &Path, wanted: Option<Selection>) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            cells.extend(self::cells(&path, wanted));
        } else {
            match scenario::load(&path) {
                Ok(scenario) => {
                    let usual = if scenario.size() > FEW { Selection::Pairwise } else { Selection::Full };
                    cells.extend(scenario.select(wanted.unwrap_or(usual), SEED).into_iter().map(runner::held));
                }
                Err(diagnostics) => panic!("{diagnostics}"),
            }
        }
    }
    cells
}

/// Workers are this program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tunnelproof");

/// What all cells are run with; made when the first of them is.
#[derive(Default)]
struct Bench {
    ready: OnceLock<Result<&'static Run, String>>,
    sessions: AtomicUsize,
    records: Mutex<Vec<CellRecord>>,
}

thread_local! {
    /// A worker for each thread, which keeps its daemons from cell to cell.
    static SESSION: RefCell<Option<Session<'static>>> = const { RefCell::new(None) };
}

impl Bench {
    /// What is run, or why nothing is.
    fn run(&self) -> Result<&'static Run, String> {
        self.ready.get_or_init(|| prepare().map_err(|e| e.to_string())).clone()
    }

    fn cell(&self, cell: &Cell) -> Result<CellRecord, String> {
        let run = self.run()?;
        let record = SESSION.with_borrow_mut(|session| {
            let session = match session {
                Some(session) => session,
                None => {
                    let number = self.sessions.fetch_add(1, Ordering::Relaxed);
                    session.insert(Session::begin(run, number).map_err(|e| e.to_string())?)
                }
            };
            Ok::<_, String>(session.cell(cell, &Silent))
        })?;
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(record)
    }

    /// One report of all cells that were run.
    fn report(&self, started: jiff::Timestamp, wall: Duration) {
        let mut cells = std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(Ok(run)) = self.ready.get().filter(|_| !cells.is_empty()) else { return };
        cells.sort_by(|one, other| one.id.cmp(&other.id));
        match report::write(&run.record(started, wall, cells), &run.out) {
            Ok(()) => println!("{}", run.out.join(report::HTML).display()),
            Err(e) => eprintln!("{e}"),
        }
    }
}

fn prepare() -> Result<&'static Run, Box<dyn std::error::Error>> {
    let store = Store::open(default_root()?);
    let kind = lab::world::choose(Choice::Auto, &store, Path::new(PROGRAM))?;
    let steps = Mutex::new(HashMap::new());
    let tell = |image: &str, text: &str, _: Option<(u64, u64)>| {
        let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.insert(image.to_owned(), text.to_owned()).as_deref() != Some(text) {
            eprintln!("{image}: {text}");
        }
    };
    let mut names: Vec<_> = kind.image().into_iter().collect();
    names.extend(policy::Daemon::ALL.map(lab::image::Name::from));
    let images = store.ensure(&names, &tell)?;
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder());
    std::fs::create_dir_all(&out)?;
    let machines =
        Machines { world: kind.world(&store)?, images, clock: Clock::Virtual, program: PROGRAM.into(), sabotage: None };
    let run = Run { ground: Ground::Machines(machines), jobs: 1, out: out.canonicalize()?, times: Times::default() };
    // Sessions belong to threads that nobody here joins, so it lives as long as they do.
    Ok(Box::leak(Box::new(run)))
}

/// One cell, run when it is first asked for.
struct Proof {
    bench: Arc<Bench>,
    cell: Cell,
    record: OnceLock<Result<CellRecord, String>>,
}

impl Proof {
    fn is_proven(&self) -> Result<Completion, Failed> {
        let record = match self.record() {
            Ok(found) => found,
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        match record.verdict {
            Verdict::Proven => Ok(Completion::Completed),
            Verdict::Skipped | Verdict::Unsupported => Ok(Completion::ignored_with(&record.reason)),
            verdict => Err(format!("{verdict}: {}; see {}", record.reason, self.folder()?.display()).into()),
        }
    }

    /// tshark says of every packet what we say.
    fn tshark_agrees(&self) -> Result<Completion, Failed> {
        let record = match self.record() {
            Ok(found) => found,
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        if record.verdict != Verdict::Proven {
            return Ok(Completion::ignored_with(format!("the cell is {}", record.verdict)));
        }
        if !referee::is_here() {
            return Ok(Completion::ignored_with("tshark is not installed (apt-get install tshark)"));
        }
        let account = record.account.as_ref().ok_or("a proven cell has an account")?;
        if account.frames > LONGEST {
            let reason = format!("tshark would take minutes for {} frames: to {LONGEST} are compared", account.frames);
            return Ok(Completion::ignored_with(reason));
        }
        if self.cell.steps.iter().any(damages) {
            return Ok(Completion::ignored_with("packets are damaged on purpose, and tshark opens none of those"));
        }
        referee::agrees(&self.folder()?, account, !self.cell.steps.iter().any(loses))?;
        Ok(Completion::Completed)
    }

    fn record(&self) -> Result<&CellRecord, &String> {
        self.record.get_or_init(|| self.bench.cell(&self.cell)).as_ref()
    }

    fn folder(&self) -> Result<PathBuf, String> {
        Ok(self.bench.run()?.out.join("cells").join(&self.cell.id))
    }
}

/// Frames of a capture that tshark is shown.
const LONGEST: u64 = 20_000;

/// Whether packets may arrive with other bits than they were sent with.
fn damages(step: &Step) -> bool {
    matches!(step, Step::Link { change: LinkChange::Impaired { impairment, .. }, .. } if !impairment.corrupt.is_none())
}

/// Whether messages of IKE may be seen at one end of the internet only, or in another order.
fn loses(step: &Step) -> bool {
    matches!(
        step,
        Step::Link { .. }
            | Step::Partition { .. }
            | Step::Message(_)
            | Step::PowerOff(_)
            | Step::Kill(_)
            | Step::StopRouter(_)
            | Step::RebootRouter(_)
            | Step::RestartVpc { .. }
    )
}

/// cargo-nextest gives each test a process of its own, and then the two of a cell must not write into one folder.
fn folder() -> &'static str {
    let mut arguments = std::env::args().skip(1);
    match std::env::var_os("NEXTEST") {
        Some(_) if arguments.any(|argument| argument.ends_with(TSHARK)) => "proof-tshark",
        _ => "proof",
    }
}

struct Silent;

impl runner::Progress for Silent {
    fn doing(&self, _: &str, _: &str) {}
    fn done(&self, _: &CellRecord) {}
}
