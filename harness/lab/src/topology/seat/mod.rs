//! Seats: gateways whose machine and daemon outlast the cell that they were made for.
//!
//! A daemon takes longer to start than a tunnel takes to come up. So a worker keeps a [`Stock`] of gateways, and a
//! laboratory that needs one of the same name, daemon and address takes it from there. Between two cells a gateway is
//! cut off from the internet, and has no rules and no tracked connections. Whether anything else is left of the former
//! cell is looked at before the next begins: a gateway of which something is left is not used again. The same is done
//! with the machines of stations, on which nothing runs.

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::Ipv4Net;
use policy::Daemon;
use tokio::sync::Mutex as AsyncMutex;

use super::{
    WAN, before,
    nat::{self, Nat},
};
use crate::{
    Error, Result,
    fault::{self, Link, Place},
    gateway::{self, Gateway},
    link::{self, End},
    machine::{FileTree, Machine},
    nft, xfrm,
};

/// As many gateways wait for another cell; those that waited longest make room.
const ROOM: usize = 16;

/// What a worker keeps from cell to cell. It is for one laboratory at a time.
pub struct Stock {
    /// Where logs of daemons are written that may outlast a cell; without such a folder nothing is kept.
    logs: Option<PathBuf>,
    internet: AsyncMutex<Option<Arc<Machine>>>,
    parked: Mutex<Vec<Seat>>,
    made: Mutex<u16>,
    hosts: Mutex<Hosts>,
}

/// Machines of stations.
#[derive(Default)]
struct Hosts {
    parked: Vec<Machine>,
    made: usize,
}

/// A gateway and its link to the internet.
pub(super) struct Seat {
    pub name: String,
    pub daemon: Daemon,
    pub address: Ipv4Addr,
    /// The internet's end of the link.
    pub interface: String,
    pub machine: Arc<Machine>,
    pub nat: Option<Nat>,
    daemon_now: Mutex<Life>,
    logs: PathBuf,
}

/// What has become of a gateway's daemon.
enum Life {
    /// The gateway is switched off.
    Off,
    Running(Arc<dyn Gateway>),
    /// The kernel goes on without it.
    Killed,
}

/// What a seat is made from.
pub(super) struct Wanted<'a> {
    pub name: &'a str,
    pub daemon: Daemon,
    pub address: Ipv4Addr,
    /// Whether it is behind a NAT, which then has the address.
    pub nat: bool,
    /// The daemon's file tree.
    pub root: &'a Path,
    /// Where the laboratory wants its log, if it does not come from the stock.
    pub logs: &'a Path,
    /// Whether the daemon is to tell what its key exchanges come to.
    pub secrets: bool,
}

impl Stock {
    /// Keeps gateways, whose daemons write their logs beneath this folder.
    pub fn keeping(logs: PathBuf) -> Arc<Self> {
        Self::new(Some(logs))
    }

    /// Keeps nothing: every gateway is made for its laboratory and ends with it.
    pub fn empty() -> Arc<Self> {
        Self::new(None)
    }

    fn new(logs: Option<PathBuf>) -> Arc<Self> {
        let (internet, parked) = (AsyncMutex::default(), Mutex::default());
        Arc::new(Self { logs, internet, parked, made: Mutex::default(), hosts: Mutex::default() })
    }

    /// The internet for a laboratory; and why it is another one, if it is, and no gateway was kept with it.
    pub(super) async fn begin(&self) -> Result<(Arc<Machine>, Option<String>)> {
        let internet = self.internet().await?;
        let Some(left) = fault::remains(&internet).await? else { return Ok((internet, None)) };
        let parked = std::mem::take(&mut *self.parked());
        for seat in parked {
            seat.leave(&internet).await?;
        }
        self.internet.lock().await.take();
        Ok((
            self.internet().await?,
            Some(format!("the internet had {left} of a former cell, and another took its place")),
        ))
    }

    pub(super) async fn internet(&self) -> Result<Arc<Machine>> {
        let mut internet = self.internet.lock().await;
        if let Some(internet) = &*internet {
            return Ok(Arc::clone(internet));
        }
        let place = format!("internet.{}", self.number());
        let machine = Arc::new(Machine::at("internet", &place, None).await?);
        machine.sysctl("net/ipv4/ip_forward", "1").await?;
        Ok(Arc::clone(internet.insert(machine)))
    }

    /// A seat of the stock, if there is one of which nothing is left; or why the one that there is cannot be used.
    pub(super) async fn take(&self, wanted: &Wanted<'_>) -> Result<Option<Result<Seat, String>>> {
        let seat = {
            let mut parked = self.parked();
            let fits = |seat: &Seat| {
                (&*seat.name, seat.daemon, seat.address, seat.nat.is_some())
                    == (wanted.name, wanted.daemon, wanted.address, wanted.nat)
            };
            parked.iter().position(fits).map(|at| parked.remove(at))
        };
        let Some(seat) = seat else { return Ok(None) };
        Ok(Some(match seat.remains().await? {
            None => Ok(seat),
            Some(left) => {
                let reason = format!("{} had {left} of a former cell, and another took its place", seat.name);
                seat.leave(&*self.internet().await?).await?;
                Err(reason)
            }
        }))
    }

    /// A new seat, which has no way to the internet yet, as one of the stock has none.
    pub(super) async fn make(&self, wanted: &Wanted<'_>) -> Result<Seat> {
        let Wanted { name, daemon, address, nat, root, logs, secrets } = *wanted;
        let number = self.number();
        let place = format!("{name}.{number}");
        let logs = self.logs.as_ref().map_or_else(|| logs.to_owned(), |kept| kept.join(&place));
        fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
        let internet = self.internet().await?;
        let files = FileTree { root: root.to_owned(), logs: logs.clone() };
        let machine = Machine::at(name, &place, Some(files)).await?;
        machine.sysctl("net/ipv4/ip_forward", "1").await?;
        let interface = format!("g{number}");
        // Hardware addresses of the internet's links are told from those of stations by their highest bit.
        let [near, far] = [0x8000, 0xc000].map(|kind| kind | number);
        let near = End { machine: &internet, interface: &interface, station: near };
        let nat = if nat { Some(Nat::make(wanted, number, &machine).await?) } else { None };
        let outside = nat.as_ref().map_or(&machine, |nat| &nat.machine);
        link::connect(near, End { machine: outside, interface: WAN, station: far }).await?;
        internet.add_address(&interface, before(address), 30).await?;
        outside.add_address(WAN, address, 30).await?;
        if let Some(nat) = &nat {
            nat.route(before(address)).await?;
        }
        if secrets {
            gateway::ask_for_secrets(&machine).await?;
        }
        let machine = Arc::new(machine);
        let name = name.to_owned();
        let seat = Seat { name, daemon, address, interface, machine, nat, daemon_now: Mutex::new(Life::Off), logs };
        seat.start().await?;
        Ok(seat)
    }

    /// Cuts the gateway off, and keeps it for another cell or ends it. What its daemon logged goes to the folder.
    pub(super) async fn park(&self, seat: Seat, logs: &Path) -> Result<()> {
        let internet = self.internet().await?;
        if self.logs.is_none() || !seat.is_running() {
            return seat.leave(&internet).await;
        }
        seat.cut_off(&internet).await?;
        move_logs(&seat.logs, logs).map_err(Error::file(&seat.logs))?;
        let oldest = {
            let mut parked = self.parked();
            parked.push(seat);
            (parked.len() > ROOM).then(|| parked.remove(0))
        };
        match oldest {
            Some(seat) => seat.leave(&internet).await,
            None => Ok(()),
        }
    }

    /// Of something that is made.
    fn number(&self) -> u16 {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        *made
    }

    /// A machine for a station, with nothing on it.
    pub(super) async fn host(&self, name: &str) -> Result<Machine> {
        loop {
            let Some(parked) = self.hosts().parked.pop() else { break };
            if left_on(&parked, &[]).await?.is_none() {
                return Ok(parked.called(name));
            }
        }
        if self.logs.is_none() {
            return Machine::new(name, None).await;
        }
        let number = {
            let mut hosts = self.hosts();
            hosts.made += 1;
            hosts.made
        };
        Machine::at(name, &format!("host.{number}"), None).await
    }

    /// Keeps a machine for another station, as far as anything is kept.
    pub(super) fn park_host(&self, machine: Machine) {
        let mut hosts = self.hosts();
        if self.logs.is_some() && hosts.parked.len() < ROOM {
            hosts.parked.push(machine);
        }
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// What its daemon is asked by; for one that was killed its kernel answers.
    pub fn gateway(&self) -> Result<Arc<dyn Gateway>> {
        match &*self.life() {
            Life::Off => Err(Error::MachineGone { machine: self.name.clone() }),
            Life::Running(gateway) => Ok(Arc::clone(gateway)),
            Life::Killed => Ok(gateway::without_daemon(Arc::clone(&self.machine))),
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(*self.life(), Life::Running(_))
    }

    pub async fn start(&self) -> Result<()> {
        let gateway = gateway::start(self.daemon, Arc::clone(&self.machine)).await?;
        *self.life() = Life::Running(gateway);
        Ok(())
    }

    /// Ends the daemon, as the end of its machine would.
    pub async fn stop(&self) {
        self.end(Life::Off).await;
    }

    /// Ends the daemon and nothing else.
    pub async fn kill(&self) {
        self.end(Life::Killed).await;
    }

    async fn end(&self, life: Life) {
        let former = std::mem::replace(&mut *self.life(), life);
        if let Life::Running(gateway) = former {
            gateway.stop().await;
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.daemon_now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the gateway its place on the internet again. Addresses outlast an interface that is down, routes do not.
    pub async fn connect(&self) -> Result<()> {
        self.machine.bring_up(WAN).await?;
        self.machine.add_route(Ipv4Net::default(), before(self.own_address())).await
    }

    /// What its own link has.
    pub fn own_address(&self) -> Ipv4Addr {
        if self.nat.is_some() { nat::inside(self.address) } else { self.address }
    }

    pub fn place(&self) -> Place {
        let link = Link { interface: self.interface.clone(), address: self.address };
        let outside = self.nat.as_ref().map_or(&self.machine, |nat| &nat.machine);
        Place {
            link,
            outside: Arc::clone(outside),
            #[cfg(test)]
            machine: Arc::clone(&self.machine),
        }
    }

    async fn cut_off(&self, internet: &Machine) -> Result<()> {
        self.machine.take_down(WAN).await?;
        internet.take_down(&self.interface).await?;
        nft::clear(&self.machine).await?;
        if let Some(nat) = &self.nat {
            nft::clear(&nat.machine).await?;
        }
        gateway::forget_secrets(&self.machine).await
    }

    /// Ends the daemon, and takes the link away.
    async fn leave(self, internet: &Machine) -> Result<()> {
        self.stop().await;
        internet.remove_interface(&self.interface).await
    }

    /// What is left of a former cell, in words.
    async fn remains(&self) -> Result<Option<String>> {
        let mut left = left_on(&self.machine, &[WAN]).await?;
        for machine in [&self.machine].into_iter().chain(self.nat.as_ref().map(|nat| &nat.machine)) {
            if left.is_some() {
                break;
            }
            let counted = [
                (nft::tracked(machine).await?, "tracked connections"),
                (fault::impaired(machine).await?, "impaired links"),
            ];
            left = counted.into_iter().find(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        }
        Ok(match left {
            Some(left) => Some(left),
            None => self.gateway()?.remains().await?.map(|known| format!("`{known}` in its daemon")),
        })
    }
}

/// What is left in a machine's kernel of a former cell, in words; these interfaces are its own.
async fn left_on(machine: &Machine, own: &[&str]) -> Result<Option<String>> {
    let xfrm::Held { sas, others } = xfrm::sas(machine).await?;
    let policies = xfrm::policies(machine).await?;
    let mut interfaces = machine.interfaces().await?;
    interfaces.retain(|name| name != "lo" && !own.contains(&name.as_str()));
    let left = [
        (sas.len() + others.len(), "SAs"),
        (policies.len(), "IPsec policies"),
        (machine.routes().await?, "routes"),
        (interfaces.len(), "interfaces"),
    ];
    let left = left.into_iter().find(|(count, _)| *count > 0);
    Ok(left.map(|(count, what)| format!("{count} {what}")))
}

/// Moves what logs contain; they stay, empty, since a daemon has them open and appends.
fn move_logs(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
        fs::OpenOptions::new().write(true).truncate(true).open(entry.path())?;
    }
    Ok(())
}
