//! One cell's steps: through the cloud's API, and with whatever is on the far side of it.

mod api;
mod control;
mod interrupt;
mod laboratory;
mod notebook;
mod simulator;
mod traffic;

use std::{net::Ipv4Addr, time::Duration};

use cloud::ClientError;
use scenario::{Alert, Cell, ConnectionState, Expectation, Party, Step};

use crate::record::{StepRecord, StepStatus};
use api::Api;

pub(crate) use api::{Choices, Session};
pub(crate) use control::{foreign, modelled};
pub(crate) use interrupt::Interrupt;
pub(crate) use laboratory::{drive, logs};
pub(crate) use notebook::Notebook;

/// Told what is being done, for progress and for the watchdog.
pub(crate) type Tell<'a> = &'a (dyn Fn(String) + 'a);

/// A hold is cut into parts of this length, so that states are seen and the watchdog is told.
const PART: Duration = Duration::from_secs(60);

/// Why a step did not do what it should.
pub(crate) enum Failure {
    /// The system under test did otherwise.
    Refuted(String),
    /// It cannot be done here; what comes after it can.
    Skipped(String),
    /// The laboratory failed.
    Broken(String),
}

impl Failure {
    fn reason(&self) -> &str {
        match self {
            Self::Refuted(reason) | Self::Skipped(reason) | Self::Broken(reason) => reason,
        }
    }
}

impl From<lab::Error> for Failure {
    fn from(error: lab::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Transport { .. } => Self::Broken(error.to_string()),
            _ => Self::Refuted(error.to_string()),
        }
    }
}

/// What is on the far side of the API: customers, and the packets between them and the VPCs.
pub(crate) trait FarSide {
    /// Why the step cannot be taken here, if it cannot.
    fn refusal(&self, step: &Step) -> Option<String>;

    /// Whether an IPsec gateway answers at the customers' addresses.
    fn answers(&self) -> bool;

    /// A customer's public address.
    fn address(&self, customer: &str) -> Result<Ipv4Addr, Failure>;

    /// Has the customer's gateway configured by its owner for a tunnel to a VPC, whose router is `peer`.
    async fn configure(&self, cell: &Cell, customer: &str, vpc: &str, peer: Ipv4Addr) -> Result<(), Failure>;

    /// Numbered packets both ways, all of which must arrive.
    async fn exchange(&mut self, cell: &Cell, between: &[Party; 2], packets: u32) -> Result<String, Failure>;

    /// Packets both ways between everybody, none of which may be seen in clear.
    async fn exchange_nothing(&mut self, cell: &Cell) -> Result<String, Failure>;
}

pub(crate) struct Drive<'a, F> {
    cell: &'a Cell,
    far: F,
    api: Api<'a>,
    notebook: &'a Notebook,
    tell: Tell<'a>,
    /// A connection was to be Connected, and nobody could look.
    unsure: bool,
}

impl<'a, F: FarSide> Drive<'a, F> {
    fn new(cell: &'a Cell, far: F, api: Api<'a>, notebook: &'a Notebook, tell: Tell<'a>) -> Self {
        Self { cell, far, api, notebook, tell, unsure: false }
    }

    /// The cloud's objects first, then the scenario's steps up to the first that fails.
    async fn all(&mut self) -> Result<(), Failure> {
        if !self.step("create the VPCs and their tiers through the API".into(), None).await? {
            return Ok(());
        }
        for step in &self.cell.steps {
            if !self.step(step.to_string(), Some(step)).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a step and writes down how it went; returns whether the next may be taken.
    async fn step(&mut self, text: String, step: Option<&Step>) -> Result<bool, Failure> {
        (self.tell)(text.clone());
        let begin_ms = self.notebook.now();
        let taken = match step {
            None => self.api.prepare().await,
            Some(step) => self.take(step).await,
        };
        self.note(text, begin_ms, taken)
    }

    /// Writes down how a step went; returns whether the next may be taken.
    fn note(&self, text: String, begin_ms: u64, taken: Result<String, Failure>) -> Result<bool, Failure> {
        let end_ms = self.notebook.now();
        let (status, outcome) = match &taken {
            Ok(outcome) => (StepStatus::Done, outcome.clone()),
            Err(Failure::Skipped(reason)) => (StepStatus::Skipped, reason.clone()),
            Err(Failure::Refuted(reason) | Failure::Broken(reason)) => (StepStatus::Failed, reason.clone()),
        };
        self.notebook.write(|pages| pages.steps.push(StepRecord { text, outcome, status, begin_ms, end_ms }));
        match taken {
            Err(Failure::Broken(reason)) => Err(Failure::Broken(reason)),
            _ => Ok(status != StepStatus::Failed),
        }
    }

    async fn take(&mut self, step: &Step) -> Result<String, Failure> {
        if let Some(reason) = self.far.refusal(step) {
            self.unsure |= matches!(step, Step::Expect(Expectation::Connection { .. }));
            return Err(Failure::Skipped(reason));
        }
        match step {
            Step::Connect { vpc, customer } => self.api.connect(&self.far, vpc, customer).await,
            Step::Disconnect { vpc, customer } => self.api.disconnect(vpc, customer).await,
            Step::Expect(Expectation::Connection { state, within }) => self.expect(*state, *within).await,
            Step::Expect(Expectation::Traffic(scenario::Traffic::NoneInClear)) => {
                self.far.exchange_nothing(self.cell).await
            }
            Step::Expect(Expectation::Alert(alert)) => self.alerted(*alert).await,
            Step::Exchange { between, packets } => self.far.exchange(self.cell, between, *packets).await,
            Step::RebootRouter(vpc) => self.api.reboot_router(vpc).await,
            Step::Hold(duration) => self.hold(*duration).await,
        }
    }

    async fn expect(&mut self, state: ConnectionState, within: Duration) -> Result<String, Failure> {
        if self.unsure {
            return Err(Failure::Skipped("it is about a tunnel that nobody could see established".into()));
        }
        self.api.expect(state, within).await
    }

    async fn alerted(&mut self, alert: Alert) -> Result<String, Failure> {
        if self.unsure {
            return Err(Failure::Skipped("it is about a tunnel that nobody could see established".into()));
        }
        self.api.alerted(alert).await
    }

    async fn hold(&mut self, duration: Duration) -> Result<String, Failure> {
        let end = tokio::time::Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Ok(format!("{} s passed", duration.as_secs()));
            }
            self.api.rest(left.min(PART)).await?;
            (self.tell)(format!("hold: {} s left", left.saturating_sub(PART).as_secs()));
            self.api.look().await?;
        }
    }

    /// Takes every object away again, through the API and in the laboratory.
    async fn undo(&mut self) -> Result<(), Failure> {
        let (text, begin_ms) = ("delete everything through the API".to_owned(), self.notebook.now());
        (self.tell)(text.clone());
        let undone = self.api.undo().await;
        self.note(text, begin_ms, undone).map(drop)
    }
}
