//! A machine: a network namespace, optionally a file tree of its own, and the processes in it.
//!
//! Namespaces belong to threads, so each machine has one thread that entered them and never leaves;
//! whatever must happen inside is sent to it. A socket stays in the namespace it was opened in, so it
//! may be used from anywhere afterwards.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use netns_rs::{Env, NetNs};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, UnmountFlags},
    net::Protocol,
};
use tokio::sync::oneshot;

use crate::{
    Error, Result,
    netlink::{self, Socket},
    sys,
    world::WORKPLACE,
};

/// Where a worker keeps the namespaces of its machines: on a file system that dies with it.
#[derive(Clone, Copy, Debug)]
struct Namespaces;

impl Env for Namespaces {
    fn persist_dir(&self) -> PathBuf {
        Path::new(WORKPLACE).join("netns")
    }
}

/// The files that a machine sees.
#[derive(Clone, Debug)]
pub struct FileTree {
    /// An image's tree; the machine sees it read-only, with a fresh `/run` and `/tmp`.
    pub root: PathBuf,
    /// What the machine sees as `/var/log`.
    pub logs: PathBuf,
}

type Task = Box<dyn FnOnce() + Send>;

pub struct Machine {
    name: String,
    namespace: Option<NetNs<Namespaces>>,
    tasks: Option<mpsc::Sender<Task>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Of protocols of netlink that somebody has asked for, by their numbers.
    sockets: Mutex<BTreeMap<u32, Arc<Socket>>>,
}

impl Machine {
    /// Makes the machine. Call it inside a tokio runtime, in a worker that owns its `/run`.
    pub async fn new(name: &str, files: Option<FileTree>) -> Result<Self> {
        Self::at(name, name, files).await
    }

    /// Like [`Machine::new`], in a namespace of another name: machines that are called the same are told apart by it.
    pub(crate) async fn at(name: &str, place: &str, files: Option<FileTree>) -> Result<Self> {
        let namespace = NetNs::new_with_env(place, Namespaces).map_err(|e| Error::Machine {
            machine: name.into(),
            action: "make its namespace".into(),
            source: io::Error::other(e),
        })?;
        let (tasks, queue) = mpsc::channel::<Task>();
        let (ready, is_ready) = oneshot::channel();
        let thread = {
            let (machine, path) = (name.to_owned(), namespace.path().to_owned());
            thread::Builder::new()
                .name(machine.clone())
                .spawn(move || {
                    let entered = enter(&machine, &path, files.as_ref());
                    let usable = entered.is_ok();
                    if ready.send(entered).is_ok() && usable {
                        for task in queue {
                            task();
                        }
                    }
                })
                .map_err(Error::machine(name, "start its thread"))?
        };
        is_ready.await.map_err(|_| Error::MachineGone { machine: name.into() })??;
        let machine = Self {
            name: name.to_owned(),
            namespace: Some(namespace),
            tasks: Some(tasks),
            thread: Some(thread),
            sockets: Mutex::default(),
        };
        machine.without_ipv6().await?;
        machine.bring_up("lo").await?;
        Ok(machine)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine's network namespace, for as long as the machine lives.
    pub(crate) fn namespace(&self) -> io::Result<fs::File> {
        match &self.namespace {
            Some(namespace) => namespace.file().try_clone(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The same machine under another name.
    pub(crate) fn called(self, name: &str) -> Self {
        let mut machine = self;
        name.clone_into(&mut machine.name);
        machine
    }

    /// Does something with the machine's socket of a protocol of netlink; `action` names it in the error.
    pub(crate) async fn tell<T>(
        &self,
        protocol: impl Into<Option<Protocol>>,
        action: &str,
        work: impl FnOnce(&OwnedFd) -> io::Result<T>,
    ) -> Result<T> {
        let protocol = protocol.into();
        let number = protocol.map_or(0, |protocol| protocol.as_raw().get());
        let known = self.sockets().get(&number).cloned();
        let socket = match known {
            Some(socket) => socket,
            None => {
                let opened = self.attempt(action, move || netlink::open(protocol, 0)).await?;
                Arc::clone(self.sockets().entry(number).or_insert_with(|| Arc::new(Socket::new(opened))))
            }
        };
        socket.with(work).map_err(Error::machine(&self.name, action))
    }

    fn sockets(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a closure inside the machine. It may block for a short time; it must not panic.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let gone = || Error::MachineGone { machine: self.name.clone() };
        let (done, result) = oneshot::channel();
        let task: Task = Box::new(move || {
            // The caller may have given up waiting; the work is done all the same.
            let _ = done.send(work());
        });
        self.tasks.as_ref().ok_or_else(gone)?.send(task).map_err(|_| gone())?;
        result.await.map_err(|_| gone())
    }

    /// Has a closure run inside the machine after all that was sent there before, without waiting for it: for `Drop`.
    pub(crate) fn leave_to_it(&self, work: impl FnOnce() + Send + 'static) {
        if let Some(tasks) = &self.tasks {
            // A machine that is gone has nothing left to undo.
            let _ = tasks.send(Box::new(work));
        }
    }

    /// Like [`Machine::run`] for something that can fail; `action` names it in the error.
    pub async fn attempt<T: Send + 'static>(
        &self,
        action: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(work).await?.map_err(Error::machine(&self.name, action))
    }

    pub async fn sysctl(&self, key: &str, value: &'static str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.attempt(&format!("set {key}={value}"), move || fs::write(path, value)).await
    }

    /// A machine without IPv6 sends no packets of its own accord; a kernel without it has no such switch.
    async fn without_ipv6(&self) -> Result<()> {
        let write = || {
            ["all", "default"].into_iter().try_for_each(|scope| {
                match fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1") {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                    done => done,
                }
            })
        };
        self.attempt("switch IPv6 off", write).await
    }

    pub async fn write_file(&self, path: &str, content: Vec<u8>, mode: u32) -> Result<()> {
        let target = PathBuf::from(path);
        self.attempt(&format!("write {path}"), move || {
            use std::{io::Write, os::unix::fs::OpenOptionsExt};
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&target)?;
            file.write_all(&content)
        })
        .await
    }

    /// Removes what an earlier daemon left; what is not there is no error.
    pub async fn remove(&self, path: impl Into<PathBuf>) -> Result<()> {
        let path = path.into();
        self.attempt(&format!("remove {}", path.display()), move || {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
        })
        .await
    }

    pub async fn make_folder(&self, path: &'static str) -> Result<()> {
        self.attempt(&format!("make {path}"), move || fs::create_dir_all(path)).await
    }

    /// Starts a program that runs until the returned value is dropped; what it prints goes to a file of this
    /// name in the machine's `/var/log`.
    pub async fn spawn(&self, mut command: Command, output: &str) -> Result<Process> {
        let program = command.get_program().to_string_lossy().into_owned();
        let path = Path::new("/var/log").join(output);
        self.attempt(&format!("start {program}"), move || {
            let output = fs::OpenOptions::new().create(true).append(true).open(path)?;
            command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
            command.spawn().map(|child| Process { child })
        })
        .await
    }

    /// Runs a program to its end, and returns what it printed on both outputs.
    pub async fn finish(&self, mut command: Command) -> Result<Finished> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = self
            .attempt(&format!("start {program}"), move || {
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
            })
            .await?;
        // Waiting here would keep the machine from doing anything else.
        let output = tokio::task::spawn_blocking(move || child.wait_with_output())
            .await
            .map_err(|_| Error::MachineGone { machine: self.name.clone() })?
            .map_err(Error::machine(&self.name, format!("wait for {program}")))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Finished { status: output.status, text })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to undo.
            let _ = thread.join();
        }
        self.sockets().clear();
        if let Some(namespace) = self.namespace.take() {
            // The worker's end removes what could not be removed here.
            let _ = namespace.remove();
        }
    }
}

/// A program that is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// How the program ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    /// Standard output, then standard error.
    pub text: String,
}

/// Makes the calling thread the machine's.
fn enter(name: &str, namespace: &Path, files: Option<&FileTree>) -> Result<()> {
    let file = fs::File::open(namespace).map_err(Error::file(namespace))?;
    rustix::thread::move_into_link_name_space(file.as_fd(), Some(rustix::thread::LinkNameSpaceType::Network))
        .map_err(|e| Error::machine(name, "enter its namespace")(e.into()))?;
    if let Some(files) = files {
        see_only(files).map_err(Error::machine(name, format!("enter the file tree {}", files.root.display())))?;
    }
    Ok(())
}

/// Those flags of the mount at this path that a remount has to repeat.
fn flags_of(path: &Path) -> io::Result<MountFlags> {
    use rustix::fs::StatVfsMountFlags as Has;
    let has = rustix::fs::statvfs(path)?.f_flag;
    let pairs = [
        (Has::NOSUID, MountFlags::NOSUID),
        (Has::NODEV, MountFlags::NODEV),
        (Has::NOEXEC, MountFlags::NOEXEC),
        (Has::NOATIME, MountFlags::NOATIME),
        (Has::NODIRATIME, MountFlags::NODIRATIME),
        (Has::RELATIME, MountFlags::RELATIME),
    ];
    let kept = pairs.into_iter().filter(|(flag, _)| has.contains(*flag)).map(|(_, flag)| flag);
    Ok(kept.fold(MountFlags::empty(), |all, flag| all | flag))
}

/// Gives the calling thread the file tree as its root.
fn see_only(files: &FileTree) -> io::Result<()> {
    use rustix::mount as m;
    let root = Path::new(WORKPLACE).join("root");
    let root = root.as_path();
    fs::create_dir_all(root)?;
    sys::own_mounts()?;
    m::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    m::mount_bind(&files.root, root)?;
    // In a user namespace no flag may go that the mount outside has (mount_namespaces(7)).
    m::mount_remount(root, MountFlags::BIND | MountFlags::RDONLY | flags_of(root)?, c"")?;
    for (place, options) in [("run", c"mode=0755"), ("tmp", c"mode=1777")] {
        m::mount("tmpfs", root.join(place), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)?;
    }
    m::mount_bind_recursive("/dev", root.join("dev"))?;
    m::mount_bind_recursive("/proc", root.join("proc"))?;
    m::mount_bind(&files.logs, root.join("var/log"))?;
    // pivot_root(2): with both arguments `.` the old root comes to lie on the new one.
    rustix::process::chdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    m::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}
