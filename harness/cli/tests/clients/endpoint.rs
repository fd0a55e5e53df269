//! One `tunnelproof serve`, from the file that it prints to its end by SIGTERM.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use cloud::Profile;
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

/// A service that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Endpoint {
    pub url: String,
    pub api_key: String,
    pub secret_key: String,
    process: Process,
    /// What it goes on to print; ends when it ends.
    lines: Receiver<String>,
    log: JoinHandle<String>,
}

/// Ended when it is dropped, so that a test that fails leaves nothing behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Endpoint {
    /// On a free port of loopback, with a monitor that looks at routers every second.
    pub fn serve(profile: Profile) -> Result<Self, Failed> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tunnelproof"))
            .args(["serve", "--listen", "127.0.0.1:0", "--world", "modelled", "--router-check-interval", "1"])
            .args(["--profile", &profile.to_string()])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("standard output is not piped")?;
        let stderr = process.stderr.take().ok_or("standard error is not piped")?;
        let process = Process(process);
        let log = thread::spawn(move || read(stderr));
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the test has failed.
                let _ = tell.send(line);
            }
        });
        let mut printed = String::new();
        loop {
            let value = |name: &str| {
                let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
                line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
            };
            if let (Some(url), Some(api_key), Some(secret_key)) = (value("url"), value("api-key"), value("secret-key"))
            {
                return Ok(Self { url, api_key, secret_key, process, lines, log });
            }
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => printed.extend([&line, "\n"]),
                Err(RecvTimeoutError::Timeout) => return Err(format!("after {PATIENCE:?} only `{printed}`").into()),
                Err(RecvTimeoutError::Disconnected) => {
                    let said = log.join().unwrap_or_default();
                    return Err(format!("the service ended at once: {printed}{said}").into());
                }
            }
        }
    }

    /// In order, with exit status 0; what it said meanwhile, which no secret may be in.
    pub fn end(self) -> Result<String, Failed> {
        let Self { secret_key, mut process, lines, log, .. } = self;
        kill_process(Pid::from_child(&process.0), Signal::TERM)?;
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("it still runs {PATIENCE:?} after SIGTERM").into());
                }
            }
        }
        let status = process.0.wait()?;
        let said = log.join().unwrap_or_default();
        if !status.success() {
            return Err(format!("SIGTERM ended it with {status}: {said}").into());
        }
        if said.contains(&secret_key) {
            return Err(format!("the secret key is in the log: {said}").into());
        }
        Ok(said)
    }
}

fn read(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    // What could be read is better than nothing.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
