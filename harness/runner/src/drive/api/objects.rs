//! What a cell has made in the cloud, so that all of it is deleted again, whatever happens.

use cloud::{Begun, ClientError};
use serde_json::Value;

use super::{Api, items, text};
use crate::drive::Failure;

/// Kinds of objects, in the order in which the API lets them be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Connection,
    CustomerGateway,
    VpnGateway,
    Tier,
    Vpc,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Connection, Self::CustomerGateway, Self::VpnGateway, Self::Tier, Self::Vpc];

    fn words(self) -> &'static str {
        match self {
            Self::Connection => "VPN connection",
            Self::CustomerGateway => "customer gateway",
            Self::VpnGateway => "VPN gateway",
            Self::Tier => "tier",
            Self::Vpc => "VPC",
        }
    }

    /// What answers call it.
    fn object(self) -> &'static str {
        match self {
            Self::Connection => "vpnconnection",
            Self::CustomerGateway => "vpncustomergateway",
            Self::VpnGateway => "vpngateway",
            Self::Tier => "network",
            Self::Vpc => "vpc",
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::Connection => "listVpnConnections",
            Self::CustomerGateway => "listVpnCustomerGateways",
            Self::VpnGateway => "listVpnGateways",
            Self::Tier => "listNetworks",
            Self::Vpc => "listVPCs",
        }
    }

    fn delete(self) -> &'static str {
        match self {
            Self::Connection => "deleteVpnConnection",
            Self::CustomerGateway => "deleteVpnCustomerGateway",
            Self::VpnGateway => "deleteVpnGateway",
            Self::Tier => "deleteNetwork",
            Self::Vpc => "deleteVPC",
        }
    }
}

/// What was made, by kind and id.
#[derive(Default)]
pub(super) struct Objects {
    /// And is not deleted yet.
    made: Vec<(Kind, String)>,
    deleted: Vec<(Kind, String)>,
    /// Commands whose jobs nobody has seen the end of.
    begun: Vec<Begun>,
    /// A command failed that may have made something.
    unsure: bool,
}

impl Objects {
    pub fn add(&mut self, kind: Kind, id: &str) {
        if !self.has(kind, id) {
            self.made.push((kind, id.to_owned()));
        }
    }

    fn has(&self, kind: Kind, id: &str) -> bool {
        self.made.iter().any(|(known, made)| *known == kind && made == id)
    }

    fn set_deleted(&mut self, kind: Kind, id: &str) {
        self.made.retain(|(known, made)| !(*known == kind && made == id));
        self.deleted.push((kind, id.to_owned()));
    }
}

impl Api<'_> {
    /// Sends a command, unless the cell is to end.
    pub(super) async fn call(&self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
        self.go_on()?;
        Ok(self.client.call(command, parameters).await?)
    }

    /// Sends an asynchronous command and waits for its result, unless the cell is to end.
    pub(super) async fn run(&mut self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
        self.go_on()?;
        let begun = self.client.begin(command, parameters).await?;
        self.perhaps_kill(command).await?;
        Ok(self.result(&begun).await??)
    }

    /// Makes something by an asynchronous command, whose job must succeed.
    pub(super) async fn make(
        &mut self,
        kind: Kind,
        command: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        Ok(self.try_to_make(kind, command, parameters).await??)
    }

    /// Makes something by an asynchronous command; inside is why its job failed, if it did. The id is known from the
    /// moment that the cloud tells it.
    pub(super) async fn try_to_make(
        &mut self,
        kind: Kind,
        command: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Result<Value, ClientError>, Failure> {
        self.go_on()?;
        let made = self.begin_and_finish(kind, command, parameters).await;
        self.objects.unsure |= !matches!(made, Ok(Ok(_)));
        made
    }

    async fn begin_and_finish(
        &mut self,
        kind: Kind,
        command: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Result<Value, ClientError>, Failure> {
        let begun = self.client.begin(command, parameters).await?;
        if let Some(id) = &begun.id {
            self.objects.add(kind, id);
        }
        self.perhaps_kill(command).await?;
        let mut result = match self.result(&begun).await? {
            Ok(result) => result,
            failed @ Err(ClientError::Job { .. }) => return Ok(failed),
            Err(e) => return Err(e.into()),
        };
        let object = result[kind.object()].take();
        self.objects.add(kind, &text(&object, "id")?);
        Ok(Ok(object))
    }

    /// Makes something by a command that answers once it is there.
    pub(super) async fn make_at_once(
        &mut self,
        kind: Kind,
        command: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let made = self.call(command, parameters).await.and_then(|mut answer| {
            let object = answer[kind.object()].take();
            Ok((text(&object, "id")?, object))
        });
        self.objects.unsure |= made.is_err();
        let (id, object) = made?;
        self.objects.add(kind, &id);
        Ok(object)
    }

    /// What became of a command, unless the cell is to end.
    async fn result(&mut self, begun: &Begun) -> Result<Result<Value, ClientError>, Failure> {
        let interrupt = self.session.interrupt.clone();
        tokio::select! {
            result = self.client.finish(begun) => Ok(result),
            () = interrupt.raised() => {
                self.objects.begun.push(begun.clone());
                Err(interrupted())
            }
        }
    }

    fn go_on(&self) -> Result<(), Failure> {
        if self.session.interrupt.is_raised() { Err(interrupted()) } else { Ok(()) }
    }

    /// Lets time pass, unless the cell is to end.
    pub async fn rest(&self, duration: std::time::Duration) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.session.interrupt.raised() => Err(interrupted()),
        }
    }

    /// Lets time pass until a state may have changed, or until the time is over; tells whether to look. A cloud of
    /// others says nothing by itself.
    pub async fn rest_until_changed(&self, duration: std::time::Duration) -> Result<bool, Failure> {
        let Some(simulator) = &self.session.simulator else {
            return self.rest(duration).await.map(|()| true);
        };
        tokio::select! {
            () = simulator.changed() => Ok(true),
            rested = self.rest(duration) => rested.map(|()| false),
        }
    }

    pub(super) async fn delete(&mut self, kind: Kind, id: &str) -> Result<(), Failure> {
        let begun = self.client.begin(kind.delete(), &[("id", id)]).await?;
        self.perhaps_kill(kind.delete()).await?;
        self.client.finish(&begun).await?;
        self.objects.set_deleted(kind, id);
        Ok(())
    }

    /// Deletes what is there, in the order the API demands, and looks whether it is gone. What cannot be deleted
    /// keeps nothing else from being deleted.
    pub async fn undo(&mut self) -> Result<String, Failure> {
        match self.delete_all().await {
            Err(Failure::Broken(reason)) if !self.objects.made.is_empty() => {
                Err(Failure::Broken(format!("{reason}; not deleted: {}", words(&self.objects.made))))
            }
            done => done,
        }
    }

    async fn delete_all(&mut self) -> Result<String, Failure> {
        for begun in std::mem::take(&mut self.objects.begun) {
            self.objects.unsure = true;
            // Whatever came of it is found below.
            let _ = self.client.finish(&begun).await;
        }
        if self.objects.unsure {
            self.find().await?;
        }
        let mut made = self.objects.made.clone();
        made.sort_by_key(|(kind, _)| *kind);
        let mut problem = None;
        for (kind, id) in &made {
            match self.delete(*kind, id).await {
                Ok(()) => {}
                Err(failure @ Failure::Broken(_)) => return Err(failure),
                Err(failure) => {
                    problem.get_or_insert_with(|| failure.reason().to_owned());
                }
            }
        }
        let left = self.still_listed().await?;
        match (problem, left.as_slice()) {
            (None, []) => Ok(format!("{} objects deleted", made.len())),
            (Some(problem), []) => Err(Failure::Refuted(problem)),
            (problem, left) => {
                let problem = problem.unwrap_or_else(|| "what was deleted is still listed".to_owned());
                Err(Failure::Refuted(format!("{problem}; not deleted: {}", words(left))))
            }
        }
    }

    /// What was made and is there yet, whether it was deleted or not.
    async fn still_listed(&self) -> Result<Vec<(Kind, String)>, Failure> {
        let mut left = Vec::new();
        for kind in Kind::ALL {
            let listed = self.listed(kind).await?;
            let there = |(of, id): &&(Kind, String)| *of == kind && listed.iter().any(|item| item["id"] == id.as_str());
            left.extend(self.objects.made.iter().chain(&self.objects.deleted).filter(there).cloned());
        }
        Ok(left)
    }

    /// Looks for what was made without our knowing its id: by the names that only this cell gives, and by what
    /// belongs to those.
    async fn find(&mut self) -> Result<(), Failure> {
        for kind in Kind::ALL.into_iter().rev() {
            for item in self.listed(kind).await? {
                let of = |owner: Kind, field: &str| self.objects.has(owner, item[field].as_str().unwrap_or_default());
                let named = |name: &str| item["name"] == self.session.name(name).as_str();
                let mine = match kind {
                    Kind::Vpc => self.cell.cloud.vpcs.keys().any(|name| named(name)),
                    Kind::CustomerGateway => self.cell.customers.keys().any(|name| named(name)),
                    Kind::Tier | Kind::VpnGateway => of(Kind::Vpc, "vpcid"),
                    Kind::Connection => {
                        of(Kind::VpnGateway, "s2svpngatewayid") || of(Kind::CustomerGateway, "s2scustomergatewayid")
                    }
                };
                if let (true, Some(id)) = (mine, item["id"].as_str()) {
                    self.objects.add(kind, id);
                }
            }
        }
        Ok(())
    }

    async fn listed(&self, kind: Kind) -> Result<Vec<Value>, Failure> {
        let answer = self.client.call(kind.list(), &self.session.owned(&[])).await?;
        Ok(items(&answer, kind.object()).to_vec())
    }
}

fn words(objects: &[(Kind, String)]) -> String {
    objects.iter().map(|(kind, id)| format!("{} {id}", kind.words())).collect::<Vec<_>>().join(", ")
}

fn interrupted() -> Failure {
    Failure::Broken("the run was interrupted".into())
}
