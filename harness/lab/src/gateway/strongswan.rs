//! strongSwan: charon itself, driven over VICI.

use std::{collections::BTreeMap, os::unix::net::UnixStream, process::Command, sync::Arc};

use futures_util::future::BoxFuture;
use policy::{Daemon, IkeVersion, Proposal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::{DPD_DELAY, DPD_TIMEOUT, Gateway, REKEY_MARGIN, START, Status, Tunnel, kernel_status, secrets};
use crate::{
    Error, Result,
    machine::{Machine, Process},
    wait::Wait,
    xfrm,
};

const CHARON: &str = "/usr/lib/ipsec/charon";
const CONFIGURATION: &str = "/run/strongswan.conf";
const SOCKET: &str = "/run/charon.vici";
const LOG: &str = "charon.log";
/// As CloudStack has it, from its first VPN on: then the daemon gives up.
const KEYING_TRIES: &str = "2";

/// Routes are the laboratory's business; every line reaches the log even if the daemon is killed.
const STRONGSWAN_CONF: &str = "\
charon {
    load = random nonce aes sha1 sha2 md5 hmac gmp openssl kdf kernel-netlink socket-default vici counters
    install_routes = no
    install_virtual_ip = no
    filelog {
        log {
            path = /var/log/charon.log
            time_format = %Y-%m-%dT%H:%M:%S
            flush_line = yes
            default = 1
        }
    }
    syslog {
        daemon { default = -1 }
        auth { default = -1 }
    }
}
";

/// Level 4 has what key exchanges come to: `ike` that of phase 1, `chd` that of Quick Modes. A section of this name
/// adds to the one above.
const SECRETS_CONF: &str = "\
charon {
    filelog {
        secrets {
            path = /run/shared-secrets
            flush_line = yes
            default = -1
            ike = 4
            chd = 4
        }
    }
}
";

pub(super) struct Strongswan {
    daemon: Daemon,
    machine: Arc<Machine>,
    /// VICI answers one request after the other.
    vici: Mutex<rsvici::Client>,
    /// Until it was stopped.
    charon: Mutex<Option<Process>>,
}

/// `load-conn`: strongSwan's README of the vici plugin, and swanctl.conf(5) for the keys.
#[derive(Serialize)]
struct Connection {
    version: &'static str,
    local_addrs: [String; 1],
    remote_addrs: [String; 1],
    proposals: Vec<String>,
    encap: bool,
    rekey_time: String,
    over_time: String,
    rand_time: String,
    keyingtries: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpd_delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpd_timeout: Option<String>,
    local: Authentication,
    remote: Authentication,
    children: BTreeMap<String, Child>,
}

#[derive(Serialize)]
struct Authentication {
    auth: &'static str,
    id: String,
}

#[derive(Serialize)]
struct Child {
    mode: &'static str,
    local_ts: [String; 1],
    remote_ts: [String; 1],
    esp_proposals: Vec<String>,
    life_time: String,
    rekey_time: String,
    rand_time: String,
    start_action: &'static str,
    close_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpd_action: Option<&'static str>,
}

#[derive(Serialize)]
struct Shared<'a> {
    id: &'a str,
    r#type: &'static str,
    data: &'a str,
    owners: [String; 2],
}

#[derive(Serialize)]
struct Initiate<'a> {
    ike: &'a str,
    child: &'a str,
    /// Milliseconds; a negative number has the answer come at once.
    timeout: &'static str,
}

#[derive(Serialize)]
struct Terminate<'a> {
    ike: &'a str,
    timeout: &'static str,
}

#[derive(Serialize)]
struct Unload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    success: Option<bool>,
    errmsg: Option<String>,
}

/// Of `stats`.
#[derive(Deserialize)]
struct Stats {
    ikesas: IkeSas,
}

#[derive(Deserialize)]
struct IkeSas {
    total: String,
}

/// Of `get-conns`.
#[derive(Deserialize)]
struct Connections {
    #[serde(default)]
    conns: Vec<String>,
}

impl Strongswan {
    pub async fn start(daemon: Daemon, machine: Arc<Machine>) -> Result<Self> {
        // A charon that was killed leaves its socket and its process id.
        for left in [SOCKET, "/run/charon.pid"] {
            machine.remove(left).await?;
        }
        // And its SAs, which `ipsec starter` takes away before it starts another.
        xfrm::clear(&machine).await?;
        let secrets = if secrets::are_asked_for(&machine).await? { SECRETS_CONF } else { "" };
        machine.write_file(CONFIGURATION, [STRONGSWAN_CONF, secrets].concat().into(), 0o644).await?;
        let mut command = Command::new(CHARON);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin").env("STRONGSWAN_CONF", CONFIGURATION);
        let mut charon = machine.spawn(command, "charon.out").await?;
        let wait = Wait::new(format!("charon on {} to listen", machine.name()), START);
        let stream = loop {
            match machine.run(|| UnixStream::connect(SOCKET)).await? {
                Ok(stream) => break stream,
                Err(e) => wait.again(e).await?,
            }
            if let Some(status) = charon.ended() {
                return Err(failed(daemon, &machine, format!("it ended at once: {status}")));
            }
        };
        let connected = stream.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(stream));
        let stream = connected.map_err(Error::machine(machine.name(), "talk to charon"))?;
        Ok(Self { daemon, machine, vici: Mutex::new(rsvici::Client::new(stream)), charon: Mutex::new(Some(charon)) })
    }

    async fn request(&self, command: &str, message: impl Serialize) -> Result<()> {
        match self.ask(command, message).await? {
            Answer { success: Some(false), errmsg } => {
                let why = errmsg.unwrap_or_else(|| "no reason given".to_owned());
                Err(failed(self.daemon, &self.machine, format!("{command}: {why}")))
            }
            _ => Ok(()),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, command: &str, message: impl Serialize) -> Result<T> {
        let answer = self.vici.lock().await.request(command, message).await;
        answer.map_err(|e| failed(self.daemon, &self.machine, format!("{command}: {e}")))
    }
}

impl Gateway for Strongswan {
    fn apply<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let shared = Shared {
                id: &tunnel.name,
                r#type: "IKE",
                data: tunnel.key.expose(),
                owners: [tunnel.identity().to_string(), tunnel.peer.to_string()],
            };
            self.request("load-shared", shared).await?;
            self.request("load-conn", BTreeMap::from([(&tunnel.name, connection(tunnel))])).await
        })
    }

    fn initiate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for (number, _) in tunnel.pairs().enumerate() {
                let child = child_name(tunnel, number);
                self.request("initiate", Initiate { ike: &tunnel.name, child: &child, timeout: "-1" }).await?;
            }
            Ok(())
        })
    }

    fn terminate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // Unloaded first, or dead peer detection would bring it up again.
            self.request("unload-conn", Unload { name: Some(&tunnel.name), id: None }).await?;
            if self.status(tunnel).await?.sas > 0 {
                self.request("terminate", Terminate { ike: &tunnel.name, timeout: "-1" }).await?;
            }
            self.request("unload-shared", Unload { name: None, id: Some(&tunnel.name) }).await
        })
    }

    fn status<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<Status>> {
        Box::pin(kernel_status(&self.machine, tunnel))
    }

    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(async move {
            let Stats { ikesas } = self.ask("stats", ()).await?;
            let Connections { conns } = self.ask("get-conns", ()).await?;
            Ok(match (ikesas.total.as_str(), conns.first()) {
                ("0", None) => None,
                (total, None) => Some(format!("{total} IKE SAs")),
                (total, Some(first)) => Some(format!("{total} IKE SAs and the connection {first}")),
            })
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(self.charon.lock().await.take()) })
    }
}

fn connection(tunnel: &Tunnel) -> Connection {
    let policy = &tunnel.policy;
    let [ike, esp] = [policy.ike_lifetime.0, policy.esp_lifetime.0];
    let seconds = |seconds: u32| format!("{seconds}s");
    // A lifetime shorter than the margin still has to leave time to rekey.
    let margin = |lifetime: u32| REKEY_MARGIN.min(lifetime / 4);
    let child = |(number, (local, peer)): (usize, (ipnet::Ipv4Net, ipnet::Ipv4Net))| {
        let child = Child {
            mode: "tunnel",
            local_ts: [local.to_string()],
            remote_ts: [peer.to_string()],
            esp_proposals: policy.esp.iter().map(|proposal| words(proposal, proposal.group)).collect(),
            life_time: seconds(esp),
            rekey_time: seconds(esp - margin(esp)),
            rand_time: seconds(margin(esp)),
            start_action: "none",
            close_action: "none",
            dpd_action: policy.dpd.then_some("restart"),
        };
        (child_name(tunnel, number), child)
    };
    Connection {
        version: match tunnel.ike {
            IkeVersion::V1 => "1",
            IkeVersion::V2 => "2",
            IkeVersion::Either => "0",
        },
        local_addrs: [tunnel.local.to_string()],
        remote_addrs: [tunnel.peer.to_string()],
        proposals: policy.ike.iter().map(|proposal| words(proposal, Some(proposal.ike_group()))).collect(),
        encap: tunnel.encapsulate,
        rekey_time: seconds(ike - margin(ike)),
        over_time: seconds(margin(ike)),
        rand_time: seconds(margin(ike)),
        keyingtries: KEYING_TRIES,
        dpd_delay: policy.dpd.then(|| seconds(DPD_DELAY)),
        dpd_timeout: policy.dpd.then(|| seconds(DPD_TIMEOUT)),
        local: Authentication { auth: "psk", id: tunnel.identity().to_string() },
        remote: Authentication { auth: "psk", id: tunnel.peer.to_string() },
        children: tunnel.pairs().enumerate().map(child).collect(),
    }
}

/// Its order in the daemon is that of the networks.
fn child_name(tunnel: &Tunnel, number: usize) -> String {
    format!("{}-{number}", tunnel.name)
}

fn words(proposal: Proposal, group: Option<policy::Group>) -> String {
    let group = group.map_or(String::new(), |group| format!("-{group}"));
    format!("{}-{}{group}", proposal.encryption, proposal.hash)
}

fn failed(daemon: Daemon, machine: &Machine, reason: String) -> Error {
    Error::Daemon { daemon: daemon.name(), machine: machine.name().to_owned(), reason, log: LOG.to_owned() }
}
