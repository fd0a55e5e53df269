//! A run that is killed takes everything with it, whatever it was about to do.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lab::{
    image::{Store, default_root},
    world::{Clock, Worker, World, inside},
};
use libtest_mimic::Completion;

use crate::{Made, Outcome, folder, program};

/// First argument of the program as a run that never ends of itself.
pub const RUN: &str = "endless-run";

const KILLS: u32 = 6;

/// Longer than a worker's start and two cells.
const LONGEST: Duration = Duration::from_millis(3000);

/// Killing is quick; a busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn in_the_guest_world() -> Outcome {
    leaves_nothing("guest")
}

/// Needs no ESP: what runs is killed, whether it would have been proven or not.
pub fn in_the_host_world() -> Outcome {
    match Worker::start(&World::Host, Clock::Wall, &program(), &inside::Place { writable: folder("kill-try") }) {
        Ok(_) => leaves_nothing("host"),
        Err(e) => Ok(Completion::ignored_with(e)),
    }
}

fn leaves_nothing(world: &str) -> Outcome {
    if let Err(ignored) = Made::find(Store::open(default_root()?)) {
        return Ok(ignored);
    }
    let kills = std::env::var("TUNNELPROOF_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mark = folder(&format!("kill-{world}-{}", std::process::id()));
    let mut most = 0;
    for number in 0..kills {
        let before = strays();
        let others = processes(0, &mark);
        let mut command = Command::new(program());
        command.args([RUN, world]).arg(&mark).env("MARK", &mark).process_group(0);
        lab::die_with_parent(&mut command);
        let mut run = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        // Multiples of the golden ratio spread evenly, however many there are.
        let moment = LONGEST.mul_f64((f64::from(number) * 0.618_034).fract());
        thread::sleep(moment);
        let group = run.id();
        let were = processes(group, &mark);
        most = most.max(were.len());
        assert!(run.try_wait()?.is_none(), "it ended of itself");
        run.kill()?;
        run.wait()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut left = processes(group, &mark);
            left.retain(|process| !others.contains(process));
            let mounts = fs::read_to_string("/proc/self/mountinfo")?;
            let mounts: Vec<_> = mounts.lines().filter(|line| line.contains(&*mark.to_string_lossy())).collect();
            let files: Vec<_> = strays().difference(&before).cloned().collect();
            if left.is_empty() && mounts.is_empty() && files.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "kill {number} at {moment:?} of {were:#?} left {left:#?}, mounts {mounts:#?}, files {files:#?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
    println!("{world}: {kills} kills of up to {most} processes left nothing");
    assert!(most > 3, "only {most} processes were seen: nothing was tried");
    fs::remove_dir_all(&mark)?;
    Ok(Completion::Completed)
}

/// Runs until it is killed.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ! {
    let made = Made::find(Store::open(default_root().unwrap())).ok().unwrap();
    let world = arguments.next().unwrap_or_default();
    let out = PathBuf::from(arguments.next().unwrap_or_default());
    let world = if world == "guest" { World::Guest(made.kernel.clone()) } else { World::Host };
    loop {
        made.prove(world.clone(), &out, 2);
    }
}

struct Process {
    number: u32,
    /// Name, number, arguments.
    shown: String,
    group: u32,
    session: u32,
    is_marked: bool,
}

/// Processes that are alive and of this process group, or have the mark in their arguments or environment, or are a
/// guest's: its kernel has a session of its own, in which its processes have neither.
fn processes(group: u32, mark: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let alive: Vec<Process> = entries.filter_map(|entry| process(&entry.path(), mark)).collect();
    let of = |number: u32| alive.iter().find(|process| process.number == number);
    let related = |process: &&Process| {
        let leader = of(process.session);
        let is_orphan = leader.is_none() && process.shown.starts_with("uml-userspace");
        process.is_marked || process.group == group || is_orphan || leader.is_some_and(|leader| leader.is_marked)
    };
    alive.iter().filter(related).map(|process| process.shown.clone()).collect()
}

/// None for one that has ended, and for this one.
fn process(folder: &Path, mark: &Path) -> Option<Process> {
    let number: u32 = folder.file_name()?.to_str()?.parse().ok()?;
    let read = |name| fs::read(folder.join(name)).unwrap_or_default();
    // proc_pid_stat(5): after the name in brackets come the state, the parent, the group and the session.
    let stat = String::from_utf8_lossy(&read("stat")).into_owned();
    let (name, fields) = stat.rsplit_once(") ")?;
    let (_, name) = name.split_once('(')?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") || number == std::process::id() {
        return None;
    }
    let (group, session) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    let mark = mark.as_os_str().as_encoded_bytes();
    let is_marked = ["cmdline", "environ"].iter().any(|file| read(file).windows(mark.len()).any(|part| part == mark));
    let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
    Some(Process { number, shown: format!("{name} {number} {arguments}"), group, session, is_marked })
}

/// Files such as a guest's kernel makes.
fn strays() -> BTreeSet<PathBuf> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let folders = ["/".into(), "/tmp".into(), "/dev/shm".into(), PathBuf::from(home)];
    let entries = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let strange = |name: &str| name.starts_with("vm_file") || name.starts_with(".uml") || name.starts_with("uml");
    entries.filter(|entry| strange(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}
