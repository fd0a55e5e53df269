//! What the modules that speak netlink share: sockets, and the framing of messages and attributes.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use netlink_packet_core::{NLA_TYPE_MASK, NLMSG_DONE, NLMSG_ERROR};
use rustix::net::{
    self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, sockopt,
};

/// Longer than any datagram that the kernel sends (`netlink_dump` of the kernel: 32 KiB).
const DATAGRAM: usize = 1 << 16;
const HEADER: usize = 16;

/// The protocol for links, addresses and routes; its number is 0.
pub(crate) const ROUTE: Option<Protocol> = None;

/// Opens a socket in the namespace of the calling thread; `groups` is a mask of multicast groups.
pub(crate) fn open(protocol: impl Into<Option<Protocol>>, groups: u32) -> io::Result<OwnedFd> {
    let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
    let socket = net::socket_with(AddressFamily::NETLINK, kind, flags, protocol.into())?;
    net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    // The kernel answers at once; this only keeps a defect from holding up the machine.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_secs(10)))?;
    Ok(socket)
}

pub(crate) fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    net::send(socket, bytes, SendFlags::empty())?;
    Ok(())
}

/// Takes one datagram.
pub(crate) fn receive(socket: &OwnedFd, flags: RecvFlags) -> io::Result<Vec<u8>> {
    let mut datagram = Vec::with_capacity(DATAGRAM);
    let (_, length) = net::recv(socket, rustix::buffer::spare_capacity(&mut datagram), flags | RecvFlags::TRUNC)?;
    if length > datagram.len() {
        return Err(malformed(format!("a datagram of {length} bytes")));
    }
    Ok(datagram)
}

/// A socket that is opened once, in its machine's namespace, and takes one piece of work after the other. The kernel
/// answers while it is told, so whoever asks need not leave the thread it is on.
#[derive(Debug)]
pub(crate) struct Socket(Mutex<OwnedFd>);

impl Socket {
    pub fn new(socket: OwnedFd) -> Self {
        Self(Mutex::new(socket))
    }

    /// Does something with it that ends with the last answer, unless it fails.
    pub fn with<T>(&self, work: impl FnOnce(&OwnedFd) -> io::Result<T>) -> io::Result<T> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&socket);
        if done.is_err() {
            // What was not read of the answers would be taken for those of the next request.
            while receive(&socket, RecvFlags::DONTWAIT).is_ok() {}
        }
        done
    }
}

/// Sends one request that is acknowledged or a dump, and hands over every answer until the last.
pub(crate) fn request(
    socket: &OwnedFd,
    request: &[u8],
    mut each: impl FnMut(&Message) -> io::Result<()>,
) -> io::Result<()> {
    send(socket, request)?;
    loop {
        for message in messages(&receive(socket, RecvFlags::empty())?)? {
            match message.kind {
                NLMSG_ERROR | NLMSG_DONE => return message.refusal().map_or(Ok(()), Err),
                _ => each(&message)?,
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The error that a message of kind NLMSG_ERROR or NLMSG_DONE tells, or none if all is well.
    pub fn refusal(&self) -> Option<io::Error> {
        let code = self.payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
        (code != 0).then(|| io::Error::from_raw_os_error(code.wrapping_neg()))
    }
}

/// The messages of a datagram.
pub(crate) fn messages(mut datagram: &[u8]) -> io::Result<Vec<Message<'_>>> {
    let mut found = Vec::new();
    while !datagram.is_empty() {
        let length = u32::from_ne_bytes(field(datagram, 0)?) as usize;
        let payload = datagram.get(HEADER..length).ok_or_else(|| malformed(format!("a message of {length} bytes")))?;
        found.push(Message {
            kind: u16::from_ne_bytes(field(datagram, 4)?),
            flags: u16::from_ne_bytes(field(datagram, 6)?),
            sequence: u32::from_ne_bytes(field(datagram, 8)?),
            payload,
        });
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// Kinds and values of attributes.
pub(crate) fn attributes(mut bytes: &[u8]) -> io::Result<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_ne_bytes(field(bytes, 0)?));
        let kind = u16::from_ne_bytes(field(bytes, 2)?) & NLA_TYPE_MASK;
        let value = bytes.get(4..length).ok_or_else(|| malformed(format!("an attribute of {length} bytes")))?;
        found.push((kind, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// The bytes of a field at its place in a structure.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; N]> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().ok_or_else(|| malformed(format!("{} bytes where {} are needed", bytes.len(), at + N)))
}

/// Appends a message: `nlmsghdr`, then what `body` writes.
pub(crate) fn message(out: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]);
    body(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

/// Appends an attribute, padded to four bytes.
pub(crate) fn attribute(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 2]);
    out.extend(kind.to_ne_bytes());
    value(out);
    let length = (out.len() - start) as u16;
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the kernel sent {what}"))
}
