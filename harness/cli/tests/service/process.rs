//! The real process, over a database of the test's own.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cloud::{Client, Credentials, Profile};

use crate::folder::Folder;

/// A process that was started, and is killed with its value. It may not have got anywhere yet.
pub struct Process {
    child: Child,
    /// Where standard error goes.
    log: PathBuf,
}

/// Where a service is, and the root administrator's keys.
pub struct Announced {
    pub address: String,
    credentials: Credentials,
}

impl Process {
    pub fn start(profile: Profile, folder: &Folder, db: Option<&Path>) -> Self {
        let log = folder.0.join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelproof"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--world", "modelled", "--router-check-interval", "1"]);
        command.args(["--profile", profile.name()]);
        if let Some(db) = db {
            command.arg("--db").arg(db);
        }
        let child = command.stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    /// What it prints once it listens. Panics with what it said if it ends instead.
    pub fn announced(&mut self) -> Announced {
        let mut lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let mut value = |name: &str| {
            let line = lines.find(|line| line.starts_with(&format!("{name} = ")));
            let line = line.unwrap_or_else(|| panic!("no {name}: {}", fs::read_to_string(&self.log).unwrap()));
            line.split('"').nth(1).unwrap().to_owned()
        };
        let endpoint = value("url");
        let credentials = Credentials { api_key: value("api-key"), secret_key: value("secret-key") };
        let address = endpoint.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        Announced { address, credentials }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and nothing of it is left but its files.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut rest = Vec::new();
        let _ = self.child.stdout.as_mut().unwrap().read_to_end(&mut rest);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Announced {
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}/client/api", self.address), self.credentials.clone())
            .polling(Duration::from_millis(1), Duration::from_secs(60))
    }
}
