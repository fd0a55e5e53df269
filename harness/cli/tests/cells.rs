//! Every cell of `scenarios/` is a test, named by its id; and tshark has to see in each capture what the audit
//! saw. What cannot run here is counted as ignored, with the reason.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use lab::{
    image::{Store, default_root},
    world::{Choice, World},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use runner::record::{CellRecord, Verdict};
use scenario::Cell;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let bench = Arc::new(Bench::default());
    let mut trials = Vec::new();
    for cell in cells(&scenarios) {
        let proof = Arc::new(Proof { bench: Arc::clone(&bench), cell, record: OnceLock::new() });
        let again = Arc::clone(&proof);
        trials.push(Trial::ignorable_test(proof.cell.id.clone(), move || proof.is_proven()));
        trials.push(Trial::ignorable_test(format!("{}: tshark agrees", again.cell.id), move || again.tshark_agrees()));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn cells(folder: &Path) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            cells.extend(self::cells(&path));
        } else {
            match scenario::load(&path) {
                Ok(scenario) => cells.extend(scenario.cells()),
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
    ready: Mutex<Option<Result<(World, Store), String>>>,
}

impl Bench {
    /// The world, or why there is none.
    fn world(&self) -> Result<(World, Store), String> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.get_or_insert_with(|| prepare().map_err(|e| e.to_string())).clone()
    }
}

fn prepare() -> Result<(World, Store), Box<dyn std::error::Error>> {
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
    store.ensure(&names, &tell)?;
    Ok((kind.world(&store)?, store))
}

/// One cell, run when it is first asked for.
struct Proof {
    bench: Arc<Bench>,
    cell: Cell,
    record: OnceLock<Result<(CellRecord, PathBuf), String>>,
}

impl Proof {
    fn is_proven(&self) -> Result<Completion, Failed> {
        let (record, out) = match self.record() {
            Ok(found) => found,
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        match record.verdict {
            Verdict::Proven => Ok(Completion::Completed),
            Verdict::Skipped | Verdict::Unsupported => Ok(Completion::ignored_with(&record.reason)),
            verdict => Err(format!("{verdict}: {}; see {}", record.reason, out.display()).into()),
        }
    }

    /// tshark decrypts with the keys that were written down, checks each integrity value, and finds as many
    /// packets of each SA as the audit did.
    fn tshark_agrees(&self) -> Result<Completion, Failed> {
        let (record, out) = match self.record() {
            Ok(found) => found,
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        if record.verdict != Verdict::Proven {
            return Ok(Completion::ignored_with(format!("the cell is {}", record.verdict)));
        }
        if Command::new("tshark").arg("--version").output().is_err() {
            return Ok(Completion::ignored_with("tshark is not installed (apt-get install tshark)"));
        }
        let folder = out.join("cells").join(&record.id);
        let account = record.account.as_ref().ok_or("a proven cell has an account")?;
        let internet = account.points.iter().filter(|point| point.classes.contains_key("esp")).count() as u64;

        let mut seen: BTreeMap<u32, u64> = BTreeMap::new();
        for line in tshark(&folder, "esp", &["esp.spi", "esp.icv_good", "udp.dstport"])? {
            let [spi, good, port] = line.as_slice() else { return Err(format!("tshark printed {line:?}").into()) };
            if good != "1" && good != "True" {
                return Err(format!("tshark found a wrong integrity value under SPI {spi}").into());
            }
            if port != "4242" {
                return Err(format!("tshark found no probe under SPI {spi}, but port `{port}`").into());
            }
            let spi = u32::from_str_radix(spi.trim_start_matches("0x"), 16)?;
            *seen.entry(spi).or_default() += 1;
        }
        let ours: BTreeMap<u32, u64> = account.sas.iter().map(|sa| (sa.spi, sa.verified * internet)).collect();
        if seen != ours {
            return Err(format!("tshark decrypted {seen:?}, the audit {ours:?}").into());
        }
        let isakmp = tshark(&folder, "isakmp", &["frame.number"])?.len() as u64;
        let both = ["isakmp", "ikev2"];
        let ours = account.points.iter().flat_map(|point| both.map(|class| point.classes.get(class).unwrap_or(&0)));
        let ours: u64 = ours.sum();
        if isakmp != ours {
            return Err(format!("tshark sees {isakmp} ISAKMP messages, the audit {ours}").into());
        }
        Ok(Completion::Completed)
    }

    fn record(&self) -> Result<&(CellRecord, PathBuf), &String> {
        self.record.get_or_init(|| self.run()).as_ref()
    }

    fn run(&self) -> Result<(CellRecord, PathBuf), String> {
        let (world, store) = self.bench.world()?;
        let images = runner::images(std::slice::from_ref(&self.cell));
        let images = images.into_iter().filter_map(|name| store.lookup(name)).collect();
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proof").join(self.cell.id.replace('/', "_"));
        let program = PROGRAM.into();
        let ground = runner::Ground::Machines(runner::Machines { world, images, program });
        let run = runner::Run { ground, jobs: 1, out: out.clone() };
        let record = runner::run(&run, std::slice::from_ref(&self.cell), &Silent).map_err(|e| e.to_string())?;
        report::write(&record, &out).map_err(|e| e.to_string())?;
        let cell = record.cells.into_iter().next().ok_or("the record has no cell")?;
        Ok((cell, out))
    }
}

struct Silent;

impl runner::Progress for Silent {
    fn doing(&self, _: &str, _: &str) {}
    fn done(&self, _: &CellRecord) {}
}

/// The fields of the frames that a filter lets through, decrypted with the keys in the folder.
fn tshark(folder: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>, Failed> {
    let mut command = Command::new("tshark");
    command
        .env("WIRESHARK_CONFIG_DIR", folder.join("keys"))
        .args(["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"])
        .args(["-Y", filter, "-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(folder.join("capture.pcapng"));
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
