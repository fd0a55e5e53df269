//! Child processes: their output goes to a log line by line, and they never outlive us.

use std::{
    collections::{HashSet, VecDeque},
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{ImageError, Result};

/// How many lines of output an error shows.
const SHOWN: usize = 20;

/// Every child that runs now, so that a failure in one thread can end the work of the others.
#[derive(Debug, Default)]
pub(super) struct Children {
    stopped: AtomicBool,
    groups: Mutex<HashSet<Pid>>,
}

impl Children {
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let groups = self.groups.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for &group in &*groups {
            // It may have ended by itself just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Starts a child in a process group of its own.
    pub fn start(&self, command: &mut Command) -> Result<Running<'_>> {
        crate::die_with_parent(command);
        let mut groups = self.groups.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.stopped() {
            return Err(ImageError::Stopped);
        }
        let child = command.process_group(0).spawn().map_err(|source| ImageError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        groups.insert(Pid::from_child(&child));
        Ok(Running { child, children: self })
    }
}

/// A child whose whole process group is killed when this value goes before the child has ended.
#[derive(Debug)]
pub(super) struct Running<'a> {
    pub child: Child,
    children: &'a Children,
}

impl Running<'_> {
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let mut groups = self.children.groups.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        groups.remove(&pid);
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The log of one image's making, and the last lines of it.
#[derive(Debug)]
pub(super) struct Log {
    pub path: PathBuf,
    file: File,
    last: VecDeque<String>,
}

impl Log {
    pub fn create(path: &Path) -> Result<Self> {
        let wrong = |source| ImageError::Cache { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), file, last: VecDeque::new() })
    }

    pub fn line(&mut self, line: &str) -> Result<()> {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
        writeln!(self.file, "{line}").map_err(ImageError::file(&self.path))
    }

    /// The last lines, indented; `None` when the interesting ones have a mark of their own.
    pub fn last(&self) -> String {
        self.last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// Runs to the end; every line of output (both streams) goes to the log and to `each`.
/// Returns whether it succeeded.
pub(super) fn run(
    children: &Children,
    log: &mut Log,
    mut command: Command,
    mut each: impl FnMut(&str),
) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| ImageError::Start { program: program.clone(), source };
    let arguments = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    log.line(&format!("+ {program} {arguments}"))?;
    log.last.clear();
    let (reader, writer) = io::pipe().map_err(start)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(start)?).stderr(writer);
    let mut running = children.start(&mut command)?;
    // Our ends of the pipe go with the command, so that reading ends when the child's last process does.
    drop(command);
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(start)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        log.line(text)?;
        each(text);
    }
    let status = running.wait().map_err(start)?;
    if children.stopped() {
        return Err(ImageError::Stopped);
    }
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn output_is_logged_and_the_last_lines_are_remembered() {
        let path = std::env::temp_dir().join(format!("tunnelproof-log-{}", std::process::id()));
        let mut log = Log::create(&path).unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do echo $i >&2; done; exit 3",
        ]);
        let mut lines = 0;
        assert!(!run(&Children::default(), &mut log, command, |_| lines += 1).unwrap());
        assert_eq!(lines, 21);
        assert!(log.last().starts_with("    2\n") && log.last().ends_with("    21"), "{}", log.last());
        assert!(std::fs::read_to_string(&path).unwrap().contains("\n1\n2\n"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        let children = Children::default();
        children.stop();
        assert!(matches!(children.start(&mut Command::new("true")), Err(ImageError::Stopped)));
    }

    #[test]
    fn a_child_is_killed_when_its_value_is_dropped() {
        let children = Children::default();
        let running = children.start(Command::new("sleep").arg("1000")).unwrap();
        let pid = Pid::from_child(&running.child);
        drop(running);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
