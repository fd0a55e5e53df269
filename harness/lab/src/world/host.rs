//! The command that starts a worker in namespaces of this kernel.

use std::{path::Path, process::Command};

use super::inside::Place;

/// util-linux's `unshare` makes the namespaces in the child, because a process with threads cannot join a new
/// user namespace. The worker is process 1 of its own: when it ends, everything in it ends.
pub(super) fn command(program: &Path, place: &Place) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--").arg(program).args(place.arguments("host"));
    command
}

pub(super) fn probe() -> Result<(), String> {
    Err("not probed".into())
}
