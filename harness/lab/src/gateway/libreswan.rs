//! libreswan: pluto, driven by its own `addconn` and `whack`, whose socket speaks a private C structure that
//! changes with every release.

use std::{
    fmt::Write,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use ipnet::Ipv4Net;
use policy::{Daemon, IkeVersion, Version};
use tokio::sync::Mutex;

use super::{DPD_DELAY, DPD_TIMEOUT, Gateway, START, Status, Tunnel, kernel_status, secrets};
use crate::{
    Error, Result,
    machine::{Machine, Process},
    wait::Wait,
};

const BINARIES: &str = "/usr/libexec/ipsec";
const CONFIGURATION: &str = "/run/ipsec/ipsec.conf";
const SECRETS: &str = "/run/ipsec/ipsec.secrets";
const SOCKET: &str = "/run/pluto/pluto.ctl";
const LOG: &str = "pluto.log";
/// Writes down what key exchanges come to (images/libreswan).
const WITNESS: &str = "/usr/lib/tunnelproof/witness.so";

/// libreswan 5 answers IKEv1 only when told so.
const SETUP: &str = "config setup\n    ikev1-policy=accept\n";

pub(super) struct Libreswan {
    machine: Arc<Machine>,
    /// What the daemon was told, so that its secrets file can be written anew.
    tunnels: Mutex<Vec<Tunnel>>,
    /// It has said that it knows nothing, and was told nothing since.
    empty: AtomicBool,
    /// Until it was stopped.
    pluto: Mutex<Option<Process>>,
}

impl Libreswan {
    pub async fn start(machine: Arc<Machine>) -> Result<Self> {
        machine.write_file(CONFIGURATION, SETUP.into(), 0o644).await?;
        machine.write_file(SECRETS, Vec::new(), 0o600).await?;
        // A pluto that was killed leaves its socket and its lock.
        machine.remove("/run/pluto").await?;
        machine.make_folder("/run/pluto").await?;
        let mut command = program("pluto");
        command
            .args(["--nofork", "--config", CONFIGURATION, "--secretsfile", SECRETS])
            .args(["--nssdir", "/var/lib/ipsec/nss", "--ipsecdir", "/etc/ipsec.d", "--rundir", "/run/pluto"])
            .args(["--logfile", "/var/log/pluto.log"]);
        if secrets::are_asked_for(&machine).await? {
            command.env("LD_PRELOAD", WITNESS).env("SHARED_SECRETS", secrets::FILE);
        }
        let mut pluto = machine.spawn(command, "pluto.out").await?;
        let wait = Wait::new(format!("pluto on {} to listen", machine.name()), START);
        while !machine.run(|| Path::new(SOCKET).exists()).await? {
            if let Some(status) = pluto.ended() {
                return Err(failed(&machine, format!("it ended at once: {status}")));
            }
            wait.again(format!("no {SOCKET}")).await?;
        }
        let libreswan =
            Self { machine, tunnels: Mutex::default(), empty: AtomicBool::new(false), pluto: Mutex::new(Some(pluto)) };
        libreswan.whack(&["--listen"]).await?;
        Ok(libreswan)
    }

    /// Writes the secrets of these tunnels; the daemon reads them when it is told to.
    async fn write_secrets(&self, tunnels: &[Tunnel]) -> Result<()> {
        let text = tunnels.iter().fold(String::new(), |mut text, tunnel| {
            let Tunnel { peer, key, .. } = tunnel;
            // Writing to a string cannot fail.
            let _ = write!(text, "{} {peer} : PSK 0x", tunnel.identity());
            // In hexadecimal no character of a key can end the key or begin another line (ipsec.secrets(5)).
            for byte in key.expose().bytes() {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
            text
        });
        self.machine.write_file(SECRETS, text.into_bytes(), 0o600).await
    }

    async fn whack(&self, arguments: &[&str]) -> Result<String> {
        let mut command = program("whack");
        command.args(arguments);
        self.run(command, &format!("whack {}", arguments.join(" "))).await
    }

    async fn run(&self, command: Command, what: &str) -> Result<String> {
        let finished = self.machine.finish(command).await?;
        if finished.status.success() {
            return Ok(finished.text);
        }
        Err(failed(&self.machine, format!("{what}: {}: {}", finished.status, finished.text.trim())))
    }
}

impl Gateway for Libreswan {
    fn apply<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut tunnels = self.tunnels.lock().await;
            tunnels.retain(|known| known.name != tunnel.name);
            tunnels.push(tunnel.clone());
            self.empty.store(false, Ordering::Relaxed);
            self.write_secrets(&tunnels).await?;
            self.whack(&["--rereadsecrets"]).await?;
            let file = file(tunnel);
            self.machine.write_file(&file, configuration(tunnel).into_bytes(), 0o644).await?;
            for (_, name) in connections(tunnel) {
                let mut command = program("addconn");
                command.args(["--ctlsocket", SOCKET, "--config", &file, &name]);
                self.run(command, "addconn").await?;
            }
            Ok(())
        })
    }

    fn initiate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.whack(&["--initiate", "--asynchronous", "--name", &tunnel.name]).await.map(drop) })
    }

    fn terminate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut tunnels = self.tunnels.lock().await;
            tunnels.retain(|known| known.name != tunnel.name);
            self.write_secrets(&tunnels).await?;
            for (_, name) in connections(tunnel) {
                // One message, and so one process, tells both, and is told what is left.
                let told = self.whack(&["--delete", "--name", &name, "--rereadsecrets", STATES, CONNECTIONS]).await?;
                self.empty.store(!told.trim().is_empty() && known_of(&told).is_none(), Ordering::Relaxed);
            }
            self.machine.remove(file(tunnel)).await
        })
    }

    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(async move {
            if self.empty.load(Ordering::Relaxed) {
                return Ok(None);
            }
            Ok(known_of(&self.whack(&[STATES, CONNECTIONS]).await?).map(str::to_owned))
        })
    }

    fn status<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<Status>> {
        Box::pin(kernel_status(&self.machine, tunnel))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(self.pluto.lock().await.take()) })
    }
}

/// Ask whack for what pluto knows.
const STATES: &str = "--showstates";
const CONNECTIONS: &str = "--briefconnectionstatus";

/// Something that pluto knows of tunnels, if it told of any.
fn known_of(told: &str) -> Option<&str> {
    let mut lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| !line.ends_with("connections: loaded 0, active 0"))
}

/// The connections that stand for a tunnel, that which is initiated first. One of libreswan has one version of IKE, so
/// it takes two to answer either; and while one of them negotiates, the networks are its own, and the other cannot.
fn connections(tunnel: &Tunnel) -> Vec<(Version, String)> {
    let name = &tunnel.name;
    match tunnel.ike {
        IkeVersion::V1 => vec![(Version::V1, name.clone())],
        IkeVersion::V2 => vec![(Version::V2, name.clone())],
        IkeVersion::Either => vec![(Version::V2, name.clone()), (Version::V1, format!("{name}-v1"))],
    }
}

/// ipsec.conf(5) of libreswan 5, with the values that CloudStack 4.0's `ipsectunnel.sh` writes. The laboratory
/// does the routing, so the daemon's own script, a dozen processes for each event, is not run.
fn configuration(tunnel: &Tunnel) -> String {
    let sections = connections(tunnel).into_iter().map(|(version, name)| section(tunnel, version, &name));
    [SETUP.to_owned()].into_iter().chain(sections).collect()
}

fn section(tunnel: &Tunnel, version: Version, name: &str) -> String {
    let Tunnel { local, peer, local_nets, peer_nets, policy, encapsulate, .. } = tunnel;
    let join = |words: Vec<String>| words.join(",");
    let ike = join(policy.ike.iter().map(|p| format!("{}-{};{}", p.encryption, p.hash, p.ike_group())).collect());
    let esp = join(policy.esp.iter().map(|p| p.to_string()).collect());
    let pfs = if policy.esp.iter().any(|proposal| proposal.group.is_some()) { "yes" } else { "no" };
    let subnets = |nets: &[Ipv4Net]| nets.iter().map(Ipv4Net::to_string).collect::<Vec<_>>().join(" ");
    // Version 2 has no time of its own for dead peers, and a router that was rebooted has to say that what its peer still
    // has of it is void (RFC 7296 section 2.4), which libreswan does only if it is told to.
    let (exchange, first_contact) = match version {
        Version::V1 => ("ikev1", ""),
        Version::V2 => ("ikev2", "    initial-contact=yes\n"),
    };
    let mut text = format!(
        "conn {name}\n    keyexchange={exchange}\n    type=tunnel\n    authby=secret\n    left={local}\n    \
         leftsubnets={{{}}}\n    right={peer}\n    rightsubnets={{{}}}\n    ike={ike}\n    ikelifetime={}s\n    \
         esp={esp}\n    salifetime={}s\n    pfs={pfs}\n    leftupdown=%disabled\n    auto=ignore\n{first_contact}",
        subnets(local_nets),
        subnets(peer_nets),
        policy.ike_lifetime.0,
        policy.esp_lifetime.0,
    );
    if let Some(identity) = tunnel.identity {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    leftid={identity}");
    }
    if *encapsulate {
        text.push_str("    encapsulation=yes\n");
    }
    if policy.dpd {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    dpddelay={DPD_DELAY}");
        if version == Version::V1 {
            let _ = writeln!(text, "    dpdtimeout={DPD_TIMEOUT}");
        }
    }
    text
}

fn file(tunnel: &Tunnel) -> String {
    format!("/run/ipsec/{}.conf", tunnel.name)
}

fn program(name: &str) -> Command {
    let mut command = Command::new(Path::new(BINARIES).join(name));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin");
    command
}

fn failed(machine: &Machine, reason: String) -> Error {
    let log = LOG.to_owned();
    Error::Daemon { daemon: Daemon::Libreswan.name(), machine: machine.name().to_owned(), reason, log }
}
