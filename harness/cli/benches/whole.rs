//! Whole-process figures: wall time and memory of the commands that people wait for, beside their limits.
//!
//! `cargo bench` prints them. What is measured is the program as it is built for release, with images that
//! are ready; virtual time plays no part, the clock is the one on the wall.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often each command is measured; the median counts.
const ROUNDS: usize = 5;
/// How often memory is looked at while a command runs.
const LOOK: Duration = Duration::from_millis(20);

const PROGRAM: &str = env!("CARGO_BIN_EXE_tunnelproof");

struct Figure {
    name: &'static str,
    arguments: &'static [&'static str],
    limit_ms: f64,
    /// Of one guest, in MiB.
    memory_limit: Option<f64>,
}

const FIGURES: [Figure; 4] = [
    Figure { name: "check", arguments: &["check", "scenarios/quickstart.yaml"], limit_ms: 20.0, memory_limit: None },
    Figure {
        name: "check, all policies",
        arguments: &["check", "scenarios/policy/matrix.yaml"],
        limit_ms: 100.0,
        memory_limit: None,
    },
    Figure {
        name: "plan, pairwise",
        arguments: &["plan", "--cells", "pairwise", "scenarios/policy/matrix.yaml"],
        limit_ms: 100.0,
        memory_limit: None,
    },
    Figure {
        name: "run, two cells",
        arguments: &["run", "scenarios/quickstart.yaml", "--out", OUT],
        limit_ms: 8_000.0,
        memory_limit: Some(1_024.0),
    },
];

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench");

fn main() -> io::Result<()> {
    // `cargo test --benches` only wants to know whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    println!(
        "{:<20} {:>10} {:>10} {:>8}   {:>12} {:>10}",
        "command", "median", "limit", "ratio", "guest, MiB", "limit"
    );
    for figure in FIGURES {
        let mut rounds = (0..ROUNDS).map(|_| measure(&figure)).collect::<io::Result<Vec<_>>>()?;
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (median, memory) = (rounds[ROUNDS / 2].0, rounds.iter().map(|round| round.1).fold(0.0, f64::max));
        print!("{:<20} {median:>7.1} ms {:>7.0} ms {:>8.3}", figure.name, figure.limit_ms, median / figure.limit_ms);
        match figure.memory_limit {
            Some(limit) => println!("   {memory:>12.0} {limit:>10.0}"),
            None => println!(),
        }
    }
    Ok(())
}

/// Milliseconds until the program ended, and the most memory that one guest had.
fn measure(figure: &Figure) -> io::Result<(f64, f64)> {
    let begin = Instant::now();
    let mut child =
        Command::new(PROGRAM).args(figure.arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let memory = if figure.memory_limit.is_some() { watch(&mut child)? } else { 0.0 };
    let output = child.wait_with_output()?;
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok((took, memory))
}

/// The most memory, in MiB, that one guest had before the program ended: its kernel and the processes in it, what
/// they share counted once (`Pss` in proc_pid_smaps(5)).
fn watch(program: &mut Child) -> io::Result<f64> {
    let mut most: f64 = 0.0;
    while program.try_wait()?.is_none() {
        let parents = parents();
        let children = |of: u32| parents.iter().filter(move |(_, parent)| *parent == of).map(|(pid, _)| *pid);
        // Below the program stands a keeper for each guest.
        for keeper in children(program.id()) {
            let mut family: Vec<u32> = vec![keeper];
            let mut next = 0;
            while let Some(&member) = family.get(next) {
                family.extend(children(member));
                next += 1;
            }
            most = most.max(family.into_iter().filter_map(share).sum());
        }
        thread::sleep(LOOK);
    }
    Ok(most)
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let entry = |folder: &Path| {
        // proc_pid_stat(5): after the name in brackets come the state and the parent.
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((folder.file_name()?.to_str()?.parse().ok()?, parent))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|found| entry(&found.path())).collect()
}

fn share(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
