//! One cell's steps: through the cloud's API, and with whatever is on the far side of it.

mod api;
mod control;
mod interrupt;
mod laboratory;
mod notebook;
mod sabotage;
mod simulator;
mod streams;
mod traffic;

use std::{net::Ipv4Addr, time::Duration};

use cloud::ClientError;
use scenario::{
    Alert, Cell, Condition, ConnectionState, Expectation, Gateway, Party, Step,
    fault::{Side, Victim},
};

use tokio::time::Instant;

use crate::record::{StepRecord, StepStatus};
use api::Api;

pub(crate) use api::{Choices, Session};
pub(crate) use control::{foreign, modelled};
pub(crate) use interrupt::Interrupt;
pub(crate) use laboratory::{drive, logs};
pub(crate) use notebook::Notebook;
pub use sabotage::Defect;

/// Told what is being done, for progress and for the watchdog.
pub(crate) type Tell<'a> = &'a (dyn Fn(String) + 'a);

/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A hold is cut into parts of this length, so that states are seen and the watchdog is told.
const PART: Duration = Duration::from_secs(30);

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

    /// Begins packets both ways in the background.
    async fn stream(&mut self, cell: &Cell, between: &[Party; 2], every: Duration) -> Result<String, Failure>;

    /// Ends the streams between a VPC and a customer; without them, all.
    async fn end_streams(&mut self, connection: Option<(&str, &str)>);

    /// Does to links, machines and messages what a step says.
    async fn fault(&mut self, step: &Step) -> Result<String, Failure>;

    /// Ends what [`FarSide::fault`] began and lasts a while.
    async fn end_fault(&mut self, step: &Step) -> Result<(), Failure>;

    /// Gives the customer's gateway other settings.
    async fn reconfigure(&mut self, cell: &Cell, customer: &str, to: &Gateway) -> Result<String, Failure>;

    /// Whether a machine's kernel holds SAs now.
    async fn holds_sas(&self, on: &str) -> Result<bool, Failure>;

    /// Whether packets of every stream arrive, or none does.
    fn streams_are(&self, flowing: bool) -> Result<bool, Failure>;
}

pub(crate) struct Drive<'a, F> {
    cell: &'a Cell,
    far: F,
    api: Api<'a>,
    notebook: &'a Notebook,
    tell: Tell<'a>,
    /// Why nobody can say any more what has to become of connections, if that is so.
    unsure: Option<&'static str>,
}

impl<'a, F: FarSide> Drive<'a, F> {
    fn new(cell: &'a Cell, far: F, api: Api<'a>, notebook: &'a Notebook, tell: Tell<'a>) -> Self {
        Self { cell, far, api, notebook, tell, unsure: None }
    }

    /// The cloud's objects first, then the scenario's steps up to the first that fails.
    async fn all(&mut self) -> Result<(), Failure> {
        if !self.step("create the VPCs and their tiers through the API".into(), None).await? {
            return Ok(());
        }
        for step in &self.cell.steps {
            if !self.step(step.to_string(), Some(step)).await? {
                break;
            }
        }
        self.far.end_streams(None).await;
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
            self.unsure = self.unsure.or_else(|| doubt(step));
            return Err(Failure::Skipped(reason));
        }
        match step {
            Step::Connect { vpc, customer } => self.api.connect(&self.far, vpc, customer).await,
            Step::Disconnect { vpc, customer } => {
                self.far.end_streams(Some((vpc, customer))).await;
                self.api.disconnect(vpc, customer).await
            }
            Step::Expect(Expectation::Connection { state, within }) => self.expect(*state, *within).await,
            Step::Expect(Expectation::Traffic(scenario::Traffic::NoneInClear)) => {
                self.far.exchange_nothing(self.cell).await
            }
            Step::Expect(Expectation::Alert(alert)) => self.alerted(*alert).await,
            Step::Exchange { between, packets } => self.far.exchange(self.cell, between, *packets).await,
            Step::Expect(Expectation::Within { condition, within }) => self.within(condition, *within).await,
            Step::Expect(Expectation::Until { until, within, .. }) => self.within(until, *within).await,
            // What must be so all the time is judged by the history.
            Step::Expect(Expectation::Always { lasting, .. } | Expectation::Never { lasting, .. }) => {
                self.hold(*lasting).await
            }
            Step::Expect(Expectation::Lost { .. } | Expectation::Rekeys { .. }) => Ok("judged by the packets".into()),
            Step::Stream { between, every } => self.far.stream(self.cell, between, *every).await,
            Step::RebootRouter(vpc) => self.api.router(vpc, "rebootRouter").await,
            Step::StopRouter(vpc) => self.api.router(vpc, "stopRouter").await,
            Step::StartRouter(vpc) => self.api.router(vpc, "startRouter").await,
            Step::RestartVpc { vpc, cleanup } => self.api.restart_vpc(vpc, *cleanup).await,
            Step::Reset { vpc, customer } => self.api.reset(vpc, customer).await,
            Step::Change { customer, side: Side::Cloud, to } => self.api.update(customer, to).await,
            Step::Change { customer, side: Side::Customer, to } => self.far.reconfigure(self.cell, customer, to).await,
            Step::Kill(Victim::Service) => self.noted(step, Api::kill_service).await,
            Step::Restart(Victim::Service) => self.noted(step, Api::restart_service).await,
            Step::KillDuring(command) => Ok(self.api.kill_during(command)),
            Step::Partition { lasting, .. } => {
                self.fault(step).await?;
                let held = self.hold(*lasting).await;
                self.far.end_fault(step).await?;
                self.notebook.fault(format!("the end of the {step}"));
                held
            }
            Step::Kill(Victim::Daemon(_))
            | Step::Restart(Victim::Daemon(_))
            | Step::PowerOff(_)
            | Step::PowerOn(_)
            | Step::Link { .. }
            | Step::Clock { .. }
            | Step::Message(_) => self.fault(step).await,
            Step::Hold(duration) => self.hold(*duration).await,
        }
    }

    async fn fault(&mut self, step: &Step) -> Result<String, Failure> {
        self.notebook.fault(step.to_string());
        self.far.fault(step).await
    }

    async fn noted(
        &mut self,
        step: &Step,
        work: impl AsyncFnOnce(&mut Api<'a>) -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        self.notebook.fault(step.to_string());
        work(&mut self.api).await
    }

    /// Waits until it is so.
    async fn within(&mut self, condition: &Condition, within: Duration) -> Result<String, Failure> {
        self.be_sure()?;
        let begin = Instant::now();
        loop {
            let so = match condition {
                Condition::Connection { state, of } => self.api.are(*state, of.as_deref()).await?,
                Condition::Sas { on, held } => self.far.holds_sas(on).await? == *held,
                Condition::Flowing(flowing) => self.far.streams_are(*flowing)?,
                Condition::Alert(alert) => match self.api.alerted(*alert).await {
                    Err(Failure::Refuted(_)) => false,
                    answer => answer.map(|_| true)?,
                },
            };
            let waited = begin.elapsed();
            if so {
                return Ok(format!("{condition} after {} s", waited.as_secs()));
            }
            if waited >= within {
                return Err(Failure::Refuted(format!("not {condition} after {} s", waited.as_secs())));
            }
            (self.tell)(format!("wait for {condition}: {} s", waited.as_secs()));
            self.api.rest(LOOK.min(within - waited)).await?;
            self.api.look().await?;
        }
    }

    async fn expect(&mut self, state: ConnectionState, within: Duration) -> Result<String, Failure> {
        self.be_sure()?;
        self.api.expect(state, within).await
    }

    async fn alerted(&mut self, alert: Alert) -> Result<String, Failure> {
        self.be_sure()?;
        self.api.alerted(alert).await
    }

    fn be_sure(&self) -> Result<(), Failure> {
        self.unsure.map_or(Ok(()), |why| Err(Failure::Skipped(why.into())))
    }

    async fn hold(&mut self, duration: Duration) -> Result<String, Failure> {
        let end = Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(format!("{} s passed", duration.as_secs()));
            }
            if self.api.rest_until_changed(left.min(PART)).await? {
                self.api.look().await?;
            }
            (self.tell)(format!("hold: {} s left", left.saturating_sub(PART).as_secs()));
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

/// Why nothing can be expected of connections after a step that was not taken.
fn doubt(step: &Step) -> Option<&'static str> {
    match step {
        Step::Expect(
            Expectation::Connection { .. } | Expectation::Within { condition: Condition::Connection { .. }, .. },
        ) => Some("it is about a tunnel that nobody could see established"),
        Step::Expect(_) | Step::Exchange { .. } | Step::Stream { .. } => None,
        _ => Some("it is about what follows from a step that was not taken"),
    }
}
