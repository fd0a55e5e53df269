//! What is done to connections that are there: routers stopped and started, VPCs restarted, connections reset, customer
//! gateways changed.

use scenario::{Gateway, fault::Victim};
use serde_json::Value;

use super::{Api, Failure, first_id, is_not_for_us};

impl Api<'_> {
    /// A command on the VPC's router, as an administrator gives it.
    pub async fn router(&mut self, vpc: &str, command: &str) -> Result<String, Failure> {
        let vpc = self.vpc(vpc)?.id.clone();
        let listed = match self.client.call("listRouters", &self.session.owned(&[("vpcid", &vpc)])).await {
            Err(e) if is_not_for_us(&e) => {
                let reason = format!("routers are for administrators, and these keys are not one's: {e}");
                return Err(Failure::Skipped(reason));
            }
            listed => listed?,
        };
        let router = first_id(&listed, "router")?;
        self.run_at_last(command, &[("id", &router)]).await?;
        self.look().await?;
        Ok(self.states())
    }

    pub async fn restart_vpc(&mut self, vpc: &str, cleanup: bool) -> Result<String, Failure> {
        let id = self.vpc(vpc)?.id.clone();
        self.run_at_last("restartVPC", &[("id", &id), ("cleanup", if cleanup { "true" } else { "false" })]).await?;
        self.look().await?;
        Ok(self.states())
    }

    pub async fn reset(&mut self, vpc: &str, customer: &str) -> Result<String, Failure> {
        let id = self.open(vpc, customer)?.id.clone();
        let done = self.run_at_last("resetVpnConnection", &[("id", &id)]).await;
        self.look().await?;
        done.map(|_| self.states())
    }

    /// Changes what the cloud knows of a customer's gateway. What is not changed is told as it was: an update names all.
    pub async fn update(&mut self, customer: &str, to: &Gateway) -> Result<String, Failure> {
        let Some(id) = self.customer_gateways.get(customer).cloned() else {
            return Err(Failure::Broken(format!("the cloud does not know the customer `{customer}` yet")));
        };
        let Some(mut told) = self.told.get(customer).cloned() else {
            return Err(Failure::Broken(format!("the cloud was told nothing of the customer `{customer}`")));
        };
        for (name, value) in changes(to) {
            match told.iter_mut().find(|(known, _)| *known == name) {
                Some((_, former)) => *former = value,
                None => told.push((name, value)),
            }
        }
        let mut parameters: Vec<(&str, &str)> = vec![("id", &id)];
        parameters.extend(told.iter().map(|(name, value)| (*name, value.as_str())));
        let updated = self.run_at_last("updateVpnCustomerGateway", &parameters).await?;
        let updated = &updated["vpncustomergateway"];
        let asked: Vec<_> = parameters.iter().filter(|(name, _)| *name != "ipsecpsk").copied().collect();
        self.compare("updateVpnCustomerGateway", updated, &asked);
        self.told.insert(customer.to_owned(), told);
        self.look().await?;
        Ok(self.states())
    }

    /// Has the service killed while the next job of this command runs.
    pub fn kill_during(&mut self, command: &str) -> String {
        self.deadly = Some(command.to_owned());
        format!("the next {command} is its last")
    }

    pub async fn kill_service(&mut self) -> Result<String, Failure> {
        self.simulator()?.kill().await;
        Ok(format!("{} is gone", Victim::Service))
    }

    pub async fn restart_service(&mut self) -> Result<String, Failure> {
        self.simulator()?.restart().await?;
        self.look().await?;
        Ok(self.states())
    }

    fn simulator(&self) -> Result<std::sync::Arc<crate::drive::simulator::Simulator>, Failure> {
        let foreign = || Failure::Skipped("a foreign cloud's management service is not ours to kill".into());
        self.session.simulator.clone().ok_or_else(foreign)
    }

    /// Runs a command; if the service is killed meanwhile, what was cut off is asked for again, as an operator would.
    async fn run_at_last(&mut self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
        let deadly = self.deadly.as_deref() == Some(command);
        match self.run(command, parameters).await {
            Err(Failure::Refuted(_)) if deadly => self.run(command, parameters).await,
            done => done,
        }
    }

    /// Kills the service and starts it again, if this command was to be its last.
    pub(super) async fn perhaps_kill(&mut self, command: &str) -> Result<(), Failure> {
        if self.deadly.as_deref() != Some(command) {
            return Ok(());
        }
        self.deadly = None;
        let simulator = self.simulator()?;
        // The job has to have begun; its first turn comes when this task waits.
        tokio::task::yield_now().await;
        simulator.kill().await;
        self.notebook.fault("the management service is killed".to_owned());
        simulator.restart().await
    }

    /// The states of all connections, in words.
    pub(super) fn states(&self) -> String {
        let open = self.connections.iter().filter(|connection| connection.open);
        let words: Vec<_> = open.map(|connection| format!("{} {}", connection.words(), connection.state)).collect();
        if words.is_empty() { "done".to_owned() } else { words.join(", ") }
    }
}

/// The parameters of a customer gateway that change.
fn changes(to: &Gateway) -> Vec<(&'static str, String)> {
    let nets = |nets: &Vec<ipnet::Ipv4Net>| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let all = [
        ("gateway", to.peer.map(|peer| peer.to_string())),
        ("cidrlist", to.subnets.as_ref().map(nets)),
        ("ikepolicy", to.ike.as_ref().map(ToString::to_string)),
        ("esppolicy", to.esp.as_ref().map(ToString::to_string)),
        ("ikelifetime", to.ike_lifetime.map(|lifetime| lifetime.0.to_string())),
        ("esplifetime", to.esp_lifetime.map(|lifetime| lifetime.0.to_string())),
        ("dpd", to.dpd.map(|dpd| dpd.to_string())),
        ("ikeversion", to.ike_version.map(|version| version.name().to_owned())),
        ("ipsecpsk", to.psk.as_ref().map(|psk| psk.expose().to_owned())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
