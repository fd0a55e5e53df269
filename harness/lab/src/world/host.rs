//! The command that starts a worker in namespaces of this kernel, and whether it can.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    inside::{Inside, Place},
    worker::{Said, Worker},
};
use crate::{Error, image::switch};

/// It takes a tenth of a second; a module that must be loaded first, or a busy machine, may take far longer.
const PROBE: Duration = Duration::from_secs(60);

/// util-linux's `unshare` makes the namespaces in the child, because a process with threads cannot join a new
/// user namespace. The worker is process 1 of its own: when it ends, everything in it ends.
pub(super) fn command(program: &Path, inside: Inside, place: &Place) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--").arg(program).args(place.arguments(inside));
    crate::die_with_parent(&mut command);
    command
}

/// Starts a worker and has it build a small laboratory.
pub(super) fn probe(program: &Path) -> Result<(), String> {
    // It writes nothing.
    let place = Place { writable: PathBuf::from("/") };
    let mut worker = Worker::launch(command(program, Inside::Probe, &place)).map_err(unshared)?;
    match worker.receive::<Result<(), String>>(PROBE) {
        Said::Message(answer) => answer,
        Said::Ended => Err(worker.ended("it ended while it was probed").to_string()),
        Said::Silent => Err(format!("a probe of this kernel gave no answer for {} s", PROBE.as_secs())),
    }
}

/// Why there was no worker, with the remedy where it is known.
fn unshared(error: Error) -> String {
    match &error {
        Error::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "`unshare` is not here: apt-get install util-linux".into()
        }
        Error::Worker { said, .. } if said.contains("Operation not permitted") || said.contains("No space left") => {
            let remedy = if rustix::process::geteuid().is_root() {
                "run outside the container, or give it the capabilities SYS_ADMIN and NET_ADMIN".to_owned()
            } else {
                format!("run as root, or allow user namespaces ({} as root)", switch())
            };
            let said: Vec<_> = said.split_whitespace().collect();
            format!("namespaces are not allowed here ({}): {remedy}", said.join(" "))
        }
        _ => error.to_string(),
    }
}
