//! The inner half of a worker: what it does before anything else, and how it talks to the outer half.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::{
    mount::{MountFlags, mount},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{WORKPLACE, keeper, trial};
use crate::{Error, Result, sys};

/// The first argument of a worker.
pub const COMMAND: &str = "worker";

/// The line a guest's console 1 is.
const CONSOLE: &str = "/dev/tty1";

/// What of the machine's files a worker may write: one folder.
#[derive(Clone, Debug)]
pub struct Place {
    pub writable: PathBuf,
}

/// The second argument: where the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Guest,
    Host,
    /// As [`Inside::Host`], but it only answers whether a laboratory can be built there, and ends.
    Probe,
}

impl Inside {
    const ALL: [Self; 3] = [Self::Guest, Self::Host, Self::Probe];

    fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Host => "host",
            Self::Probe => "probe",
        }
    }
}

impl Place {
    /// The arguments that [`enter`] reads.
    pub(super) fn arguments(&self, inside: Inside) -> [OsString; 3] {
        [COMMAND.into(), inside.word().into(), self.writable.clone().into_os_string()]
    }
}

/// Prepares the process that was started as a worker, from the arguments behind [`COMMAND`].
pub fn enter(mut arguments: impl Iterator<Item = OsString>) -> Result<Channel> {
    let word = arguments.next().unwrap_or_default();
    if word == keeper::WORD {
        match keeper::run(arguments)? {}
    }
    sys::keep_memory();
    let Some(inside) = Inside::ALL.into_iter().find(|inside| word == inside.word()) else {
        return Err(Error::World(format!("`{}` is no world of a worker", word.display())));
    };
    let place = Place { writable: PathBuf::from(arguments.next().unwrap_or_default()) };
    let writable = &place.writable;
    match inside {
        Inside::Guest => {
            mount_at("proc", "proc", Path::new("/proc"), "")?;
            mount_at("sysfs", "sysfs", Path::new("/sys"), "")?;
            fs::create_dir_all(WORKPLACE).map_err(Error::file(WORKPLACE))?;
            mount_at("tmpfs", "tmpfs", Path::new(WORKPLACE), "mode=0755")?;
            mount_at("hostfs", "hostfs", writable, &writable.display().to_string())?;
            Channel::console()
        }
        Inside::Host | Inside::Probe => {
            mount_at("proc", "proc", Path::new("/proc"), "")?;
            mount_at("tmpfs", "tmpfs", Path::new(WORKPLACE), "mode=0755")?;
            let channel = Channel::standard()?;
            if inside == Inside::Probe {
                channel.send(&trial::run())?;
                leave();
            }
            Ok(channel)
        }
    }
}

/// Ends the worker: a guest's kernel is switched off.
pub fn leave() -> ! {
    // Outside a guest this is not allowed or ends the process namespace: either way the process ends below.
    if std::process::id() == 1 {
        let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    }
    std::process::exit(0)
}

fn mount_at(source: &str, kind: &str, target: &Path, options: &str) -> Result<()> {
    let options = std::ffi::CString::new(options).map_err(|e| Error::file(target)(e.into()))?;
    let done = mount(source, target, kind, MountFlags::empty(), Some(options.as_c_str()));
    done.map_err(|e| Error::file(target)(io::Error::other(format!("cannot mount {kind} here: {e}"))))
}

/// Messages in JSON to and from the outer half, a line each. Clones share the line.
#[derive(Clone)]
pub struct Channel {
    input: Arc<Mutex<Box<dyn BufRead + Send>>>,
    output: Arc<Mutex<Box<dyn Write + Send>>>,
}

/// A worker's first message. A guest whose time is virtual never notices what was written to its console
/// before it opened that, so nothing may be sent to a worker until it has said this.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listening {
    listening: bool,
}

impl Channel {
    /// When the outer half is gone, so is this process, whatever it does: the signal that the kernel sends then
    /// does not reach a process whose parent died before it had asked for it.
    fn standard() -> Result<Self> {
        let (input, mut copy) = io::pipe().map_err(Error::file("a pipe"))?;
        thread::spawn(move || {
            // However reading ends, there is nobody to talk to.
            let _ = io::copy(&mut io::stdin().lock(), &mut copy);
            std::process::exit(0);
        });
        Self::open(BufReader::new(input), io::stdout())
    }

    fn console() -> Result<Self> {
        let open = || -> io::Result<(File, File)> {
            let file = OpenOptions::new().read(true).write(true).open(CONSOLE)?;
            // A terminal would echo what it reads, and cut lines after 4095 bytes (termios(3)).
            let mut mode = tcgetattr(&file)?;
            mode.make_raw();
            tcsetattr(&file, OptionalActions::Now, &mode)?;
            Ok((file.try_clone()?, file))
        };
        let (input, output) = open().map_err(Error::file(CONSOLE))?;
        Self::open(BufReader::new(input), output)
    }

    fn open(input: impl BufRead + Send + 'static, output: impl Write + Send + 'static) -> Result<Self> {
        let channel =
            Self { input: Arc::new(Mutex::new(Box::new(input))), output: Arc::new(Mutex::new(Box::new(output))) };
        channel.send(&Listening { listening: true })?;
        Ok(channel)
    }

    /// A line to the outer half. It should be short: a guest's console takes 64 KiB at a time.
    pub fn send(&self, message: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(message).map_err(|e| Error::World(e.to_string()))?;
        line.push(b'\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&line).and_then(|()| output.flush()).map_err(Error::file("the line to the outer half"))
    }

    /// The next message; none when there will be no more.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let mut line = String::new();
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let length = input.read_line(&mut line).map_err(Error::file("the line from the outer half"))?;
        if length == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).map_err(|e| Error::World(format!("a message cannot be read: {e}")))
    }
}
