//! The process between the outer half and a guest: it sees to it that a guest ends whole.
//!
//! A guest's kernel has a process for each of its own processes. One that was born in the moment in which its
//! kernel is killed outlives it: it asks to be killed with its parent too late (`real_init` in the kernel's
//! arch/um/kernel/skas/stub_exe.c). The keeper inherits it then, and ends it.

use std::{
    convert::Infallible,
    ffi::OsString,
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio, exit},
    thread,
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use super::processor;
use crate::{Error, Result, die_with_parent};

/// The second argument of a keeper; the guest's command line follows.
pub(super) const WORD: &str = "keep";

/// Runs the guest until it ends or until standard input does, which is when the outer half is gone.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<Infallible> {
    let mut command = Command::new(arguments.next().unwrap_or_default());
    command.args(arguments);
    // The kernel takes the top of its address space from where its variables are (get_top_address in
    // arch/um/kernel/um_arch.c), PATH excepted, which it moves: with none its first process dies.
    command.env_clear().env("HOME", "/");
    set_child_subreaper(Some(getpid())).map_err(|e| Error::World(format!("the keeper of guests: {e}")))?;
    die_with_parent(&mut command);
    let _processor = processor::settle();
    let name = Path::new(command.get_program()).to_owned();
    let mut guest = command.stdin(Stdio::piped()).spawn().map_err(Error::file(name))?;
    feed(&mut guest);
    let status = guest.wait().map_err(Error::file("the guest's end"))?;
    loop {
        kill_children();
        // An error says that there are no children any more.
        if wait(WaitOptions::empty()).is_err() {
            break;
        }
    }
    exit(code(status))
}

/// Hands over what the outer half sends, and ends the guest when no more can come.
fn feed(guest: &mut Child) {
    let Some(mut input) = guest.stdin.take() else { return };
    thread::spawn(move || {
        // However it ends, there is nobody to talk to.
        let _ = io::copy(&mut io::stdin().lock(), &mut input);
        kill_children();
    });
}

fn kill_children() {
    for child in children() {
        // It may have ended by itself.
        let _ = kill_process(child, Signal::KILL);
    }
}

/// Those processes whose parent this one is, by birth or because their own is dead.
fn children() -> Vec<Pid> {
    let own = getpid();
    let child = |folder: &Path| {
        // proc_pid_stat(5): after the name in brackets come the state and the parent.
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let parent: i32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        let number = folder.file_name()?.to_str()?.parse().ok()?;
        (parent == own.as_raw_nonzero().get()).then(|| Pid::from_raw(number))?
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| child(&entry.path())).collect()
}

/// As a shell tells it.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}
