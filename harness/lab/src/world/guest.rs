//! The command that boots a guest: User Mode Linux with this machine's files, and this program as `init`.

use std::{os::unix::process::CommandExt, path::Path, process::Command};

use super::{
    inside::{COMMAND, Inside, Place},
    keeper,
    worker::Clock,
};

/// The guest's memory in MiB; it is taken from the host only as far as it is used.
const MEMORY: u32 = 512;

/// A guest that runs `program` with the worker's arguments and sees everything read-only but `place`.
pub(super) fn command(kernel: &Path, clock: Clock, program: &Path, place: &Place) -> Command {
    let mut command = Command::new(program);
    command
        .args([COMMAND, keeper::WORD])
        .arg(kernel)
        .arg(format!("mem={MEMORY}M"))
        .args(["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"])
        .arg("seccomp=on")
        .args((clock == Clock::Virtual).then_some("time-travel=inf-cpu"))
        // The worker's lines go over console 1, the kernel's own over standard error.
        .args(["quiet", "panic=-1", "con=null", "con0=null,fd:2", "con1=fd:0,fd:1", "ssl=null"])
        // A folder in which no file can be made: the kernel goes without a management console, and leaves no file behind.
        .arg("uml_dir=/proc/")
        .arg(format!("init={}", program.display()))
        .arg("--")
        .args(place.arguments(Inside::Guest));
    // What a terminal sends to the outer half's group must not end the keeper first.
    command.process_group(0);
    command
}
