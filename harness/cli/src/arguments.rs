//! The command line.

use std::{fmt, net::SocketAddr, num::NonZero, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use cloud::{Config, Profile};
use lab::world::Choice;
use runner::Defect;
use scenario::{Selection, Shard};

/// Proves site-to-site IPsec VPNs packet by packet.
#[derive(Debug, Parser)]
#[command(name = "tunnelproof", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and write a report
    Run(RunArguments),
    /// Make the reports of one or more runs, such as the shards of one, from their records
    Report(ReportArguments),
    /// Show what differs between two runs: verdicts, and whether they did the same in the same order
    Compare(CompareArguments),
    /// Account for every frame of a capture, ours or a foreign one, and show its conversation
    Audit(AuditArguments),
    /// Validate scenario files; needs no privileges
    Check(PathArguments),
    /// Show what a run would build, send and expect
    Plan(PlanArguments),
    /// Measure how fast cells are run, where their time goes, and what of it is the harness's own
    Bench(BenchArguments),
    /// Show what this machine can do, what is missing and how to add it
    Doctor(DoctorArguments),
    /// Make now what `run` would make on first use
    Setup(SetupArguments),
    /// Serve CloudStack's site-to-site VPN API; prints where, and the keys, on standard output
    Serve(ServeArguments),
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Scenario files, folders of them, or ids of cells; all of `scenarios/` if none is given
    #[arg(value_name = "PATH or CELL-ID")]
    pub what: Vec<String>,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// Where machines are made: auto, guest or host; or modelled: no packets, only what goes through the API
    #[arg(long, default_value_t)]
    pub world: WorldChoice,
    /// Run against a cloud of others, which this file says how to reach: only what goes through its API; cells run
    /// one after another, and what they make there is deleted again
    #[arg(long, value_name = "ENDPOINT-FILE", conflicts_with_all = ["world", "jobs"])]
    pub cloud: Option<PathBuf>,
    /// How a guest's time passes: virtual, so that waiting costs nothing, or real, by the clock on the wall
    #[arg(long, value_enum, default_value_t = Time::Virtual)]
    pub time: Time,
    /// How many cells run at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Where the record, the reports and the evidence go [default: target/proof/<time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Hold the results against this file of expected ones: what is not as it says is told, and so are entries that
    /// match no cell or are over
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Take cells for which nothing has changed from this earlier run, if they did not fail there
    #[arg(long, value_name = "DIR")]
    pub reuse: Option<PathBuf>,
    /// Give the cloud this one defect, to see whether the cells find it; a name that is not known is answered with all
    /// that are
    #[arg(long, value_name = "DEFECT", conflicts_with_all = ["cloud", "reuse"])]
    pub sabotage: Option<Defect>,
    /// Print the record on standard output
    #[arg(long)]
    pub json: bool,
}

/// Which cells of the files; a cell that is named by its id is always one of them.
#[derive(Clone, Copy, Debug, Args)]
pub struct ChoiceArguments {
    /// Which cells of each file: full; pairwise or three-way, so that every two or three values of different axes meet
    /// in a cell; or sample:N, so many at random
    #[arg(long, value_name = "CHOICE", default_value_t)]
    pub cells: Selection,
    /// What a choice that is not full depends on: the same number chooses the same cells
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Of the chosen cells only this part, such as 1/4: several machines do all of them together
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Do not hold each tunnel that comes up for one lifetime of its SAs, with packets across the rekey. Without virtual
    /// time it is not held in any case
    #[arg(long)]
    pub brief: bool,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Folders of runs, or records
    #[arg(required = true, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// Where the record and the reports go [default: of one run its own folder, of several target/proof/<time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Hold the results against this file of expected ones
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Judge the cells of these scenario files, or folders of them, again: their expectations may be other ones than when
    /// they were run, their other steps may not. Nothing is run
    #[arg(long, value_name = "PATH")]
    pub rejudge: Vec<String>,
    /// Print the record on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Folder of the earlier run, or its record
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Folder of the later run, or its record
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Compare what happened in each cell too, in its order: steps, requests and answers, states, SAs, faults, messages
    /// of IKE, and packets that were lost; random values count by the order in which they appear
    #[arg(long)]
    pub history: bool,
    /// Of histories only the order counts, not the times
    #[arg(long, requires = "history")]
    pub without_times: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Time {
    Virtual,
    Real,
}

#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Scenario files, folders of them, or ids of cells
    #[arg(value_name = "PATH or CELL-ID", default_value = "scenarios/policy/matrix.yaml")]
    pub what: Vec<String>,
    /// Which cells of each file, as for `run`
    #[arg(long, value_name = "CHOICE", default_value = "sample:300")]
    pub cells: Selection,
    /// Where machines are made: auto, guest or host
    #[arg(long, default_value_t)]
    pub world: Choice,
    /// How many cells run at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
}

#[derive(Debug, Args)]
pub struct AuditArguments {
    /// A capture of Ethernet frames
    pub capture: PathBuf,
    /// A folder with what opens it: facts.json of a run, or Wireshark's esp_sa and ikev1_decryption_table
    /// [default: the folder `keys` beside the capture, if it is there]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Print the account as JSON
    #[arg(long)]
    pub json: bool,
    /// Write into this file instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Scenario files, folders of them, or ids of cells; all of `scenarios/` if none is given
    #[arg(value_name = "PATH or CELL-ID")]
    pub what: Vec<String>,
    #[command(flatten)]
    pub choice: ChoiceArguments,
    /// For which world: auto, guest or host; or modelled, which says what would not be run
    #[arg(long, default_value_t)]
    pub world: WorldChoice,
}

/// A world, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldChoice {
    /// One with machines.
    Machines(Choice),
    Modelled,
}

impl WorldChoice {
    const MODELLED: &str = "modelled";
}

impl Default for WorldChoice {
    fn default() -> Self {
        Self::Machines(Choice::default())
    }
}

impl FromStr for WorldChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            Self::MODELLED => Ok(Self::Modelled),
            _ => match text.parse() {
                Ok(choice) => Ok(Self::Machines(choice)),
                Err(_) => Err("the worlds are auto, guest, host and modelled".into()),
            },
        }
    }
}

impl fmt::Display for WorldChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machines(choice) => choice.fmt(f),
            Self::Modelled => f.write_str(Self::MODELLED),
        }
    }
}

#[derive(Debug, Args)]
pub struct PathArguments {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Print the facts as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SetupArguments {
    #[arg(value_enum, default_value_t = What::All)]
    pub what: What,
}

#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where clients send their requests to; port 0 is a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The CloudStack to behave like: spec-2012 or 4.22
    #[arg(long, default_value_t)]
    pub profile: Profile,
    /// The database, made if it is not there; without one, everything is gone in the end
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Where routers are
    #[arg(long, value_enum, default_value_t = ServeWorld::Modelled)]
    pub world: ServeWorld,
    /// Where the daemons' logs go, if there are daemons [default: target/serve/<time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seconds between two looks of the monitor at all routers; 0 turns it off
    #[arg(long, value_name = "SECONDS", default_value_t = Config::ROUTER_CHECK_INTERVAL.as_secs())]
    pub router_check_interval: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServeWorld {
    /// Nowhere: the prediction answers for them; needs no privileges
    Modelled,
    /// The guest if its kernel is there or can be made, else the host
    Auto,
    /// In a User Mode Linux guest, with real daemons
    Guest,
    /// In namespaces of this kernel, with real daemons
    Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// The file trees of the daemons, and the toolchain
    Images,
    /// The guest's kernel
    Kernel,
    All,
}
