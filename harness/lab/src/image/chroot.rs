//! Commands in a file tree of their own: a mount and process namespace, and for ordinary users a user namespace.
//!
//! util-linux's `unshare` does it in the child, because a process with threads must not unshare itself. It is
//! process 1's parent there and kills it when it dies, so a whole build ends with us.

use std::{collections::BTreeMap, path::Path, process::Command};

use super::{ImageError, Result};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Arguments: the tree, the command, then pairs of a folder of this machine and where it appears in the tree.
/// Where a fresh proc is not allowed (inside containers) the one that is there has to do.
const ENTER: &str = r#"
tree=$1 run=$2
shift 2
mount --rbind /dev "$tree/dev"
mount -t proc proc "$tree/proc" 2>/dev/null || mount --rbind /proc "$tree/proc"
mount -t tmpfs tmpfs "$tree/tmp"
while [ $# -gt 0 ]; do
    mount --bind "$1" "$tree$2"
    shift 2
done
exec chroot "$tree" /bin/sh -euc "$run"
"#;

/// A shell command as root of `tree`.
pub(super) fn command(
    tree: &Path,
    binds: &[(&Path, &str)],
    environment: &BTreeMap<String, String>,
    run: &str,
) -> Command {
    let mut command = unshare();
    command.args(["--", "/bin/sh", "-euc", ENTER, "enter"]).arg(tree).arg(run);
    for (outside, inside) in binds {
        command.arg(outside).arg(inside);
    }
    command.env_clear().env("PATH", PATH).env("HOME", "/").env("LC_ALL", "C").envs(environment);
    command
}

/// Whether [`command`] can work here.
pub(super) fn probe() -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    let output = unshare()
        .args(["--", "mount", "-t", "tmpfs", "tmpfs", "/tmp"])
        .env("PATH", PATH)
        .output()
        .map_err(|source| ImageError::Start { program: "unshare".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let remedy = if root {
        "run outside the container, or give it the capability SYS_ADMIN".to_owned()
    } else {
        format!(
            "allow user namespaces ({} as root), or run `tunnelproof setup` once as root with the same TUNNELPROOF_CACHE",
            switch()
        )
    };
    Err(ImageError::Namespaces { detail, remedy })
}

/// The one of the kernel's switches that is off here.
pub(crate) fn switch() -> &'static str {
    let is = |path: &str, value: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "sysctl kernel.unprivileged_userns_clone=1"
    } else {
        "sysctl user.max_user_namespaces=10000"
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}
