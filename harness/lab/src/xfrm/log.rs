//! Watches the SAs of one machine from now on.

use std::{
    io, mem,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use netlink_packet_core::{NLM_F_MULTIPART, NLMSG_DONE, NLMSG_ERROR};
use rustix::net::{RecvFlags, netlink::XFRM, sockopt};
use tokio::{
    io::unix::AsyncFd,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    Seen, dump,
    ledger::Ledger,
    message::{self, Event},
};
use crate::{Error, Result, machine::Machine, netlink, sys};

/// Room for some ten thousand notifications, should the reader have to wait for the processor.
const BUFFER: usize = 16 << 20;

/// Every SA that a machine held since [`SaLog::start`], with its last known counters. Dropping it ends the
/// watch.
pub struct SaLog {
    machine: String,
    ledger: Arc<Mutex<Ledger>>,
    wishes: mpsc::UnboundedSender<oneshot::Sender<()>>,
    reader: JoinHandle<()>,
}

impl SaLog {
    /// Watches from now on; SAs that are there already belong to it.
    pub async fn start(machine: &Machine) -> Result<Self> {
        Self::with_buffer(machine, BUFFER).await
    }

    pub(super) async fn with_buffer(machine: &Machine, buffer: usize) -> Result<Self> {
        let action = "watch its SAs";
        let open = move || {
            let socket = netlink::open(XFRM, message::GROUPS)?;
            // Root of a user namespace only gets what net.core.rmem_max allows. Whatever is lost is known to be.
            if sockopt::set_socket_recv_buffer_size_force(&socket, buffer).is_err() {
                sockopt::set_socket_recv_buffer_size(&socket, buffer)?;
            }
            Ok(socket)
        };
        let socket = machine.attempt(action, open).await?;
        let socket = sys::watch(socket).map_err(Error::machine(machine.name(), action))?;
        let ledger = Arc::new(Mutex::new(Ledger::new(machine.name())));
        let (wishes, wished) = mpsc::unbounded_channel();
        let reader = tokio::spawn(
            Reader { socket, ledger: ledger.clone(), waiting: Vec::new(), dump: None, lossy: false }.run(wished),
        );
        let log = Self { machine: machine.name().to_owned(), ledger, wishes, reader };
        log.refresh().await?;
        Ok(log)
    }

    /// The machine that is watched.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Waits until everything that happened before this call is written down, and the counters of living SAs
    /// are as of now.
    pub async fn refresh(&self) -> Result<()> {
        let (done, is_done) = oneshot::channel();
        if self.wishes.send(done).is_ok() && is_done.await.is_ok() {
            return Ok(());
        }
        let reason = self.seen().gaps.pop().unwrap_or_else(|| "its reader has ended".into());
        Err(Error::netlink(&self.machine, "watch its SAs", reason))
    }

    /// What was seen so far; never waits. Call [`SaLog::refresh`] first for counters of living SAs.
    pub fn seen(&self) -> Seen {
        lock(&self.ledger).seen().clone()
    }
}

impl Drop for SaLog {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The task that reads. Listings are asked for on the socket that brings the notifications, so a listing
/// that has come to its end comes after all notifications of what happened before it began.
struct Reader {
    socket: AsyncFd<OwnedFd>,
    ledger: Arc<Mutex<Ledger>>,
    /// Those who wait for the next listing.
    waiting: Vec<oneshot::Sender<()>>,
    /// Those who wait for the listing that is under way; the kernel does one at a time for a socket.
    dump: Option<Vec<oneshot::Sender<()>>>,
    /// Notifications were lost since the last listing began.
    lossy: bool,
}

impl Reader {
    async fn run(mut self, mut wished: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        let ended = loop {
            if self.dump.is_none()
                && (self.lossy || !self.waiting.is_empty())
                && let Err(e) = self.ask()
            {
                break e;
            }
            tokio::select! {
                wish = wished.recv() => match wish {
                    Some(done) => self.waiting.push(done),
                    None => return,
                },
                ready = self.socket.readable() => match ready {
                    Ok(mut ready) => {
                        ready.clear_ready();
                        drop(ready);
                        if let Err(e) = self.drain() {
                            break e;
                        }
                    }
                    Err(e) => break e,
                },
            }
        };
        lock(&self.ledger).gap(format!("the watch ended early: {ended}"));
    }

    /// Asks for a listing. Everything is read first: a socket that overflowed takes no notifications until it
    /// is empty, and the kernel lists nothing into one that is full.
    fn ask(&mut self) -> io::Result<()> {
        self.drain()?;
        lock(&self.ledger).listing_begins(mem::take(&mut self.lossy));
        self.dump = Some(mem::take(&mut self.waiting));
        netlink::send(self.socket.get_ref(), &dump(message::GET_SA))
    }

    fn drain(&mut self) -> io::Result<()> {
        loop {
            match netlink::receive(self.socket.get_ref(), RecvFlags::DONTWAIT) {
                Ok(datagram) => self.take(&datagram)?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
                Err(e) if overflowed(&e) => {
                    self.lossy = true;
                    lock(&self.ledger).gap("the kernel dropped notifications: the reader was too slow".into());
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn take(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut ledger = lock(&self.ledger);
        for told in netlink::messages(datagram)? {
            match told.kind {
                NLMSG_DONE | NLMSG_ERROR => {
                    match told.refusal() {
                        // The buffer filled up since it was emptied: the listing is asked for again.
                        Some(e) if overflowed(&e) => {
                            self.lossy = true;
                            self.waiting.extend(self.dump.take().unwrap_or_default());
                            continue;
                        }
                        Some(e) => return Err(e),
                        None => ledger.listing_ends(now_ns()),
                    }
                    for done in self.dump.take().unwrap_or_default() {
                        // Who asked may have given up.
                        let _ = done.send(());
                    }
                }
                kind => match message::event(kind, told.payload) {
                    Ok(Some(Event::Held(entry))) if told.flags & NLM_F_MULTIPART != 0 => ledger.listed(entry),
                    Ok(Some(event)) => ledger.note(event, now_ns()),
                    Ok(None) => (),
                    Err(e) => ledger.gap(format!("a message of kind {kind}: {e}")),
                },
            }
        }
        Ok(())
    }
}

fn overflowed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
