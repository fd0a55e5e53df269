//! The only module with `unsafe`: system calls that have no safe wrapper.
//!
//! Contract: every function takes and returns owned, initialised values; buffers live longer than the
//! calls that use them; what runs between fork and exec calls only async-signal-safe functions.
#![allow(unsafe_code)]

use std::{
    io,
    mem::{self, MaybeUninit},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
    ptr,
};

use rustix::thread::UnshareFlags;
use tokio::io::unix::AsyncFd;

/// Makes the kernel kill the child when the thread that spawns it ends, however it ends.
///
/// The signal follows the spawning *thread* (prctl(2), PR_SET_PDEATHSIG), so spawn from one that
/// lives as long as the child should.
pub fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: prctl, getppid and _exit are async-signal-safe and touch no memory of ours.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the call above.
            if libc::getppid() != parent && libc::getppid() != 0 {
                libc::_exit(127);
            }
            Ok(())
        });
    }
}

/// Gives the calling thread a mount namespace of its own.
pub fn own_mounts() -> io::Result<()> {
    // SAFETY: the thread shares no borrowed state with others through its file system context.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS) }.map_err(io::Error::from)
}

/// Has this process keep the memory that it frees, in one heap for all of its threads. In a guest a page that is given
/// back and taken again costs as much as several system calls.
pub fn keep_memory() {
    for (parameter, value) in
        [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, LARGEST), (libc::M_TRIM_THRESHOLD, i32::MAX)]
    {
        // SAFETY: no other thread is inside the allocator's own set-up: mallopt(3) takes its lock. What it refuses stays
        // as it was.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// The largest value of M_MMAP_THRESHOLD on 64-bit machines.
const LARGEST: i32 = 32 << 20;

/// Lets the runtime wait for a descriptor.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by what is returned, and so open for as long as it is registered.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}

/// A packet socket that sees every frame of one interface, both ways, with kernel time stamps.
pub fn packet_socket(interface: u32) -> io::Result<OwnedFd> {
    let every = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: plain socket call; the result is checked before it is owned.
    let fd = unsafe {
        let raw =
            libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, i32::from(every));
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    set_option(&fd, libc::SO_TIMESTAMPNS, 1)?;
    // A burst must fit while the reader waits for the processor. Only the machine's own root may have more than
    // net.core.rmem_max; what does not fit is counted, see `lost_frames`.
    set_option(&fd, libc::SO_RCVBUFFORCE, BUFFER).or_else(|_| set_option(&fd, libc::SO_RCVBUF, BUFFER))?;
    // SAFETY: sockaddr_ll is plain data; the length matches the type.
    unsafe {
        let mut address: libc::sockaddr_ll = mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = every;
        address.sll_ifindex = interface as i32;
        let length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        if libc::bind(fd.as_raw_fd(), ptr::from_ref(&address).cast(), length) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(fd)
}

/// Whether the interface of this name, in the socket's namespace, is up and has a carrier (netdevice(7)).
pub fn has_carrier(socket: &OwnedFd, interface: &str) -> io::Result<bool> {
    // SAFETY: ifreq is plain data with a zero after the name; it outlives the call, which writes the flags only.
    unsafe {
        let mut request: libc::ifreq = mem::zeroed();
        let places = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
        places.zip(interface.bytes()).for_each(|(place, byte)| *place = byte as libc::c_char);
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as libc::Ioctl, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
        let wanted = libc::IFF_UP | libc::IFF_RUNNING;
        Ok(libc::c_int::from(request.ifr_ifru.ifru_flags) & wanted == wanted)
    }
}

/// Opens a device of packets (Linux' `Documentation/networking/tuntap.rst`): what is routed to the interface of this
/// name, in the calling thread's namespace, is read from it, and what is written to it comes from there. The interface
/// ends with the descriptor.
pub fn open_tun(interface: &str) -> io::Result<OwnedFd> {
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    rustix::io::ioctl_fionbio(&device, true)?;
    // SAFETY: as above; the kernel reads the name and the flags.
    unsafe {
        let mut request: libc::ifreq = mem::zeroed();
        let places = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
        places.zip(interface.bytes()).for_each(|(place, byte)| *place = byte as libc::c_char);
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        if libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as libc::Ioctl, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(device.into())
}

/// The processor's own clock: in a guest it goes on as the time on the wall does. Zero where there is none.
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86_64 has this instruction, and it only reads a register.
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// How many frames a packet socket had no room for since this was asked last (packet(7), PACKET_STATISTICS).
pub fn lost_frames(fd: &OwnedFd) -> io::Result<u32> {
    // SAFETY: tpacket_stats is plain data; the length matches the type and outlives the call.
    unsafe {
        let mut statistics: libc::tpacket_stats = mem::zeroed();
        let mut length = mem::size_of::<libc::tpacket_stats>() as libc::socklen_t;
        let value = ptr::from_mut(&mut statistics).cast();
        if libc::getsockopt(fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, value, &raw mut length) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(statistics.tp_drops)
    }
}

/// Bytes that a packet socket may hold.
const BUFFER: i32 = 32 << 20;

fn set_option(fd: &OwnedFd, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option value is an int that outlives the call.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            mem::size_of::<i32>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What [`receive_frame`] found.
pub struct Received {
    /// Bytes written to the buffer.
    pub length: usize,
    /// Length of the frame on the wire.
    pub original: usize,
    /// Nanoseconds since 1970 of the kernel's clock.
    pub time_ns: u64,
}

/// Takes one frame from a packet socket; `WouldBlock` when there is none.
pub fn receive_frame(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = [MaybeUninit::<u64>::uninit(); 16];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all pointers in `header` point to live buffers of the stated lengths; control messages
    // are walked with the macros made for it, and the time stamp is read unaligned.
    unsafe {
        let mut header: libc::msghdr = mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of_val(&control);
        let length = libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_TRUNC);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut time_ns = 0;
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET && (*message).cmsg_type == libc::SCM_TIMESTAMPNS {
                let stamp: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                time_ns = stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64;
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
        let original = length as usize;
        Ok(Received { length: original.min(buffer.len()), original, time_ns })
    }
}
