//! The outer half of a worker: starts it, talks to it, and ends it when it is silent for too long.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    WORKPLACE, World, guest, host,
    inside::{Inside, Listening, Place},
};
use crate::{Error, Result};

/// How many lines of a worker's standard error an error shows.
const SHOWN: usize = 15;

/// A guest boots in a third of a second; a busy machine may take far longer.
const BOOT: Duration = Duration::from_secs(60);

/// Ending takes milliseconds.
const END: Duration = Duration::from_secs(5);

/// A running worker, which is killed when this value is dropped or its process ends.
///
/// The kernel kills a worker of the host world when the *thread* that started it ends, so that thread has to stay.
pub struct Worker {
    child: Child,
    input: Line,
    lines: mpsc::Receiver<String>,
    errors: Arc<Mutex<VecDeque<String>>>,
}

/// The way to a worker. Clones share it, and may be used while somebody waits for the worker's messages.
#[derive(Clone)]
pub struct Line(Arc<Mutex<Option<ChildStdin>>>);

impl Line {
    pub fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(input) => input.write_all(&line).and_then(|()| input.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// A worker that will hear no more ends by itself, and in order.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// How time passes for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// As the world has it: in a guest, a wait costs nothing.
    Virtual,
    /// By the clock on the wall, in every world.
    Wall,
}

/// What came of waiting for a worker.
#[derive(Debug)]
pub enum Said<T> {
    Message(T),
    /// It ended.
    Ended,
    /// Nothing came in time.
    Silent,
}

impl Worker {
    pub fn start(world: &World, clock: Clock, program: &Path, place: &Place) -> Result<Self> {
        if place.writable.starts_with(WORKPLACE) {
            let folder = place.writable.display();
            return Err(Error::World(format!(
                "{folder} would be hidden: a worker has its own {WORKPLACE}; name another folder"
            )));
        }
        // A kernel's command line ends its words at blanks, and there is no way around it.
        let blank = |path: &&Path| path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_whitespace);
        if let (World::Guest(_), Some(path)) = (world, [program, &place.writable].iter().find(|path| blank(path))) {
            return Err(Error::World(format!("the path {path:?} has a blank in it: a guest needs one without")));
        }
        Self::launch(match world {
            World::Guest(image) => guest::command(&image.kernel(), clock, program, place),
            World::Host => host::command(program, Inside::Host, place),
        })
    }

    pub(super) fn launch(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().display().to_string();
        let mut child = command.spawn().map_err(Error::file(name))?;
        let (sender, lines) = mpsc::channel();
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let input = Line(Arc::new(Mutex::new(child.stdin.take())));
        if let (Some(output), Some(error)) = (child.stdout.take(), child.stderr.take()) {
            thread::spawn(move || each_line(output, |line| sender.send(line).is_ok()));
            let errors = Arc::clone(&errors);
            thread::spawn(move || {
                each_line(error, |line| {
                    remember(&errors, line);
                    true
                });
            });
        }
        let mut worker = Self { child, input, lines, errors };
        match worker.receive::<Listening>(BOOT) {
            Said::Message(_) => Ok(worker),
            Said::Ended => Err(worker.ended("it ended before it listened")),
            Said::Silent => Err(worker.ended("it did not listen in time")),
        }
    }

    pub fn send(&mut self, message: &impl Serialize) -> Result<()> {
        self.input.send(message).map_err(|e| self.ended(&format!("it does not listen: {e}")))
    }

    pub fn line(&self) -> Line {
        self.input.clone()
    }

    /// The next message. Lines that are none, such as a kernel's last words, are kept for [`Worker::ended`].
    pub fn receive<T: DeserializeOwned>(&mut self, patience: Duration) -> Said<T> {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match serde_json::from_str(line.trim_end()) {
                    Ok(message) => return Said::Message(message),
                    Err(_) => remember(&self.errors, line),
                },
                Err(mpsc::RecvTimeoutError::Disconnected) => return Said::Ended,
                Err(mpsc::RecvTimeoutError::Timeout) => return Said::Silent,
            }
        }
    }

    /// An error that says how the worker ended and what it said last.
    pub fn ended(&mut self, reason: &str) -> Error {
        let status = match self.child.try_wait() {
            Ok(Some(status)) => format!("{status}"),
            _ => "still running".to_owned(),
        };
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let said: String = errors.iter().map(|line| format!("\n    {}", line.trim_end())).collect();
        let said = if said.is_empty() { "\n    (nothing)".to_owned() } else { said };
        Error::Worker { reason: reason.to_owned(), status, said }
    }

    /// Ends it and everything in it.
    pub fn kill(&mut self) {
        self.input.close();
        let deadline = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn remember(errors: &Mutex<VecDeque<String>>, line: String) {
    // What a guest's kernel says of the folder that it was denied.
    if line.contains("umid") {
        return;
    }
    let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
    if errors.len() == SHOWN {
        errors.pop_front();
    }
    errors.push_back(line);
}

fn each_line(stream: impl Read, mut each: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
        if !each(String::from_utf8_lossy(&bytes).into_owned()) {
            return;
        }
        bytes.clear();
    }
}
