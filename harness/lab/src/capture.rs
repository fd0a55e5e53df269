//! Captures: every frame of chosen interfaces, with the kernel's time stamps, into one pcapng file.

use std::{
    fs::File,
    io::{self, BufWriter},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::io::Errno;
use tokio::{io::unix::AsyncFd, sync::Notify, task::JoinHandle};
use wire::{audit::Side, marker, pcapng};

use crate::{
    Error, Result,
    machine::Machine,
    meter::{self, Work},
    sys,
};

/// Longer than any frame of an Ethernet with 1500-byte packets.
const SNAP: usize = 65_536;

type Writer = pcapng::Writer<BufWriter<File>>;

/// A running capture of several points. Without [`Capture::finish`] the last frames may be missing.
pub struct Capture {
    path: PathBuf,
    writer: Arc<Mutex<Writer>>,
    points: Vec<Point>,
    frames: Arc<AtomicU64>,
}

struct Point {
    name: String,
    interface: String,
    sender: OwnedFd,
    /// Told when no marker can come: the reader takes what there is, and ends.
    cut: Arc<Notify>,
    reader: JoinHandle<io::Result<()>>,
}

/// Ends a capture point; each is unlike any payload of a guest.
const MARKER: u64 = 0x7470_656e_6421_0a00;

impl Capture {
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::file(path))?;
        let writer = pcapng::Writer::new(BufWriter::with_capacity(1 << 18, file)).map_err(Error::file(path))?;
        Ok(Self { path: path.into(), writer: Arc::new(Mutex::new(writer)), points: Vec::new(), frames: Arc::default() })
    }

    /// Captures an interface from now on.
    pub async fn add(&mut self, name: &str, side: Side, machine: &Machine, interface: &str) -> Result<()> {
        let _clock = meter::start(Work::Capture);
        let index = machine.interface_index(interface).await?;
        let open = move || Ok((sys::packet_socket(index)?, sys::packet_socket(index)?));
        let (receiver, sender) = machine.attempt(&format!("capture on {interface}"), open).await?;
        let receiver = sys::watch(receiver).map_err(Error::machine(machine.name(), "watch the capture socket"))?;
        let number = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.add_point(name, side).map_err(Error::file(&self.path))?
        };
        let marker = MARKER + self.points.len() as u64;
        let cut = Arc::new(Notify::new());
        let reader =
            Reader { socket: receiver, writer: self.writer.clone(), point: number, frames: self.frames.clone() };
        let reader = tokio::spawn(reader.run(marker, Arc::clone(&cut)));
        self.points.push(Point { name: name.to_owned(), interface: interface.to_owned(), sender, cut, reader });
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Ends the capture after a marker has been seen at every point, so that nothing before it is lost. Nothing moves at
    /// an interface without a carrier, and no marker either.
    pub async fn finish(mut self) -> Result<PathBuf> {
        let _clock = meter::start(Work::Capture);
        for (number, point) in self.points.iter().enumerate() {
            // An interface that is gone has none either.
            if !sys::has_carrier(&point.sender, &point.interface).unwrap_or_default() {
                point.cut.notify_one();
                continue;
            }
            let frame = marker::frame(MARKER + number as u64);
            match rustix::net::send(&point.sender, &frame, rustix::net::SendFlags::empty()) {
                Ok(_) => {}
                // Another interface has its name by now, on a machine that is used again.
                Err(Errno::NXIO | Errno::NODEV) => point.cut.notify_one(),
                Err(e) => return Err(Error::machine(&point.name, "send the capture's end marker")(e.into())),
            }
        }
        for point in &mut self.points {
            let limit = Duration::from_secs(5);
            let ended = tokio::time::timeout(limit, &mut point.reader).await;
            ended
                .map_err(|_| Error::Deadline {
                    what: format!("the end marker at capture point {}", point.name),
                    waited_ms: limit.as_millis(),
                    last: format!("{} frames at all points", self.frames.load(Ordering::Relaxed)),
                })?
                .map_err(|_| Error::MachineGone { machine: point.name.clone() })?
                .map_err(Error::file(&self.path))?;
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.flush().map_err(Error::file(&self.path))?;
        Ok(self.path.clone())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        for point in &self.points {
            point.reader.abort();
        }
    }
}

struct Reader {
    socket: AsyncFd<OwnedFd>,
    writer: Arc<Mutex<Writer>>,
    point: u32,
    frames: Arc<AtomicU64>,
}

impl Reader {
    async fn run(self, end: u64, cut: Arc<Notify>) -> io::Result<()> {
        let mut buffer = vec![0; SNAP];
        loop {
            let is_cut = tokio::select! {
                ready = self.socket.readable() => {
                    ready?.clear_ready();
                    false
                }
                () = cut.notified() => true,
            };
            if self.drain(&mut buffer, end)? || is_cut {
                return match sys::lost_frames(self.socket.get_ref())? {
                    0 => Ok(()),
                    lost => Err(io::Error::other(format!("{lost} frames came faster than they could be written"))),
                };
            }
        }
    }

    /// Takes what is there; whether the end's marker was the last.
    fn drain(&self, buffer: &mut [u8], end: u64) -> io::Result<bool> {
        loop {
            let frame = match sys::receive_frame(self.socket.get_ref(), buffer) {
                Ok(frame) => frame,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                // The interface went down, which is told once. It may come up again.
                Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => continue,
                Err(e) => return Err(e),
            };
            let data = &buffer[..frame.length];
            let original = u32::try_from(frame.original).unwrap_or(u32::MAX);
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_frame(self.point, frame.time_ns, original, data)?;
            self.frames.fetch_add(1, Ordering::Relaxed);
            if marker::parse(data) == Some(end) {
                return Ok(true);
            }
        }
    }
}
