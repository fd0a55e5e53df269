//! One cell inside a worker: build, drive, observe, undo.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use ipnet::Ipv4Net;
use lab::{
    gateway::Tunnel,
    topology::{Customer, CustomerPlan, Lab, Plan, Stock},
};
use policy::End;
use scenario::{Cell, Gateway, Party, Step, fault::Victim};
use wire::{
    audit::{Demanded, Expected, Facts, IkeKeys, SaKeys},
    hex,
};

use super::{
    Drive, Failure, FarSide, Notebook, Tell,
    api::{Api, Session},
    sabotage,
    simulator::Simulator,
    traffic::Traffic,
};
use crate::{
    judge::predict,
    message::Job,
    observation::{LOGS, Observation},
    record::SaSummary,
};

/// Runs the cell. Whatever happens, what was seen is returned, and nothing of the cell is left.
pub(crate) async fn drive(job: &Job, stock: &Arc<Stock>, tell: Tell<'_>) -> (Observation, Facts) {
    let notebook = Notebook::open();
    let mut facts = Facts::default();
    if let Err(failure) = cell(job, stock, tell, &notebook, &mut facts).await {
        notebook.write(|pages| pages.broken = Some(failure.reason().to_owned()));
    }
    (notebook.close(), facts)
}

async fn cell(
    job: &Job,
    stock: &Arc<Stock>,
    tell: Tell<'_>,
    notebook: &Notebook,
    facts: &mut Facts,
) -> Result<(), Failure> {
    tell("build the laboratory".into());
    let lab = Lab::build(plan(job), Arc::clone(stock)).await?;
    lab::link::raise_loopback()?;
    let fabric = sabotage::fabric(&lab, job.defect);
    let addresses = lab.public_addresses();
    let service = Simulator::serve(&job.cell, addresses, fabric, Some(&job.folder), job.defect).await?;
    let session = Session::of_the_simulator(&service);
    let api = Api::new(&job.cell, session, notebook.clone());
    let far = Laboratory { lab: Arc::clone(&lab), traffic: Traffic::default(), own: own_settings(&job.cell) };
    let mut drive = Drive::new(&job.cell, far, api, notebook, tell);
    let driven = drive.all().await;

    tell("end the capture".into());
    lab.finish_capture().await?;
    *facts = drive.facts();
    notebook.write(|pages| pages.routers = drive.api.router_addresses().collect());
    note_sas(&lab, notebook, facts).await?;
    facts.ike.shared_secrets = lab.shared_secrets().await?.iter().map(|secret| hex::encode(secret)).collect();
    // Whatever was killed has to be there again for everything to be deleted.
    service.restart().await?;
    drive.api.note_alerts().await?;
    let undone = match drive.api.usage(&drive.far).await {
        Ok(()) => drive.undo().await,
        Err(e) => drive.undo().await.and(Err(e)),
    };
    service.stop().await;
    if let Some(reason) = lab.failure() {
        return Err(Failure::Broken(reason));
    }
    driven.and(undone)?;
    lab.leave().await?;
    notebook.write(|pages| pages.machines = lab.kept());
    Ok(())
}

fn plan(job: &Job) -> Plan {
    let Cell { cloud, customers, .. } = &job.cell;
    Plan {
        folder: job.folder.clone(),
        routers: cloud.vpcs.iter().map(|(name, vpc)| (name.clone(), vpc.router)).collect(),
        customers: customers
            .iter()
            .map(|(name, customer)| CustomerPlan {
                name: name.clone(),
                daemon: customer.daemon,
                subnets: customer.subnets.clone(),
                nat: customer.nat,
            })
            .collect(),
        initiator: job.cell.initiator,
        trees: job.trees.clone(),
        standing: None,
        captured: true,
    }
}

/// Every SA's life for the record, every SA's keys for the audit.
async fn note_sas(lab: &Lab, notebook: &Notebook, facts: &mut Facts) -> Result<(), Failure> {
    for seen in lab.sas().await? {
        for life in seen.lives {
            let sa = &life.sa;
            let keys = SaKeys { added_ns: Some(life.added_ns), deleted_ns: life.deleted_ns, ..sa.keys() };
            note_keys(&mut facts.sas, keys);
            let summary = SaSummary {
                machine: life.machine,
                spi: sa.spi,
                source: sa.source,
                destination: sa.destination,
                suite: sa.suite(),
                added_ms: notebook.at(life.added_ns),
                deleted_ms: life.deleted_ns.map(|time| notebook.at(time)),
                packets: sa.packets,
                bytes: sa.bytes,
            };
            notebook.write(|pages| pages.sas.push(summary));
        }
        notebook.write(|pages| {
            pages.strange_sas.extend(seen.others);
            pages.gaps.extend(seen.gaps);
        });
    }
    Ok(())
}

/// Both kernels hold the same SA: it lives from the first that has it to the last.
fn note_keys(known: &mut Vec<SaKeys>, told: SaKeys) {
    match known.iter_mut().find(|sa| is_same(sa, &told)) {
        Some(sa) => {
            sa.added_ns = sa.added_ns.min(told.added_ns);
            sa.deleted_ns = sa.deleted_ns.zip(told.deleted_ns).map(|(one, other)| one.max(other));
        }
        None => known.push(told),
    }
}

fn is_same(one: &SaKeys, other: &SaKeys) -> bool {
    (one.spi, one.destination) == (other.spi, other.destination)
        && (&one.encryption_key, &one.integrity_key) == (&other.encryption_key, &other.integrity_key)
}

/// Customers with daemons of their own, and packets.
struct Laboratory {
    lab: Arc<Lab>,
    traffic: Traffic,
    /// What each customer's device has of its own by now.
    own: BTreeMap<String, Gateway>,
}

fn own_settings(cell: &Cell) -> BTreeMap<String, Gateway> {
    cell.customers.iter().map(|(name, customer)| (name.clone(), customer.gateway.clone())).collect()
}

impl Laboratory {
    /// The tunnel to a VPC as the customer's owner has it.
    fn tunnel(&self, cell: &Cell, customer: &str, vpc: &str, peer: Ipv4Addr) -> Result<Tunnel, Failure> {
        let site = self.lab.customer(customer)?;
        let no_end = || Failure::Broken(format!("there is no VPC `{vpc}`, or no customer `{customer}`"));
        let own = self.own.get(customer).ok_or_else(no_end)?;
        let [_, end] = cell.ends_with(vpc, customer, own).ok_or_else(no_end)?;
        Ok(Tunnel {
            name: Customer::tunnel_to(vpc),
            local: site.address(),
            identity: None,
            peer: own.peer.unwrap_or(peer),
            local_nets: end.local_nets,
            peer_nets: end.peer_nets,
            policy: end.policy,
            key: end.key,
            ike: end.ike,
            encapsulate: false,
        })
    }
}

impl FarSide for Laboratory {
    fn refusal(&self, _: &Step) -> Option<String> {
        None
    }

    fn answers(&self) -> bool {
        true
    }

    fn address(&self, customer: &str) -> Result<Ipv4Addr, Failure> {
        Ok(self.lab.customer(customer)?.address())
    }

    async fn configure(&self, cell: &Cell, customer: &str, vpc: &str, peer: Ipv4Addr) -> Result<(), Failure> {
        let tunnel = self.tunnel(cell, customer, vpc, peer)?;
        Ok(self.lab.customer(customer)?.configure(tunnel).await?)
    }

    async fn exchange(&mut self, cell: &Cell, between: &[Party; 2], packets: u32) -> Result<String, Failure> {
        self.traffic.between(&self.lab, cell, between, packets).await
    }

    async fn exchange_nothing(&mut self, cell: &Cell) -> Result<String, Failure> {
        self.traffic.everywhere(&self.lab, cell, Expected::NotInClear).await
    }

    async fn stream(&mut self, cell: &Cell, between: &[Party; 2], every: Duration) -> Result<String, Failure> {
        self.traffic.stream(&self.lab, cell, between, every)
    }

    async fn end_streams(&mut self, connection: Option<(&str, &str)>) {
        self.traffic.streams.end(connection);
        self.traffic.streams.settle().await;
    }

    async fn fault(&mut self, step: &Step) -> Result<String, Failure> {
        match step {
            Step::Kill(Victim::Daemon(of)) => self.lab.kill_daemon(of).await?,
            Step::Restart(Victim::Daemon(of)) => self.lab.restart_daemon(of).await?,
            Step::PowerOff(customer) => self.lab.power_off(customer).await?,
            Step::PowerOn(customer) => self.lab.power_on(customer).await?,
            Step::Link { of, change } => self.lab.change_link(of, *change, SEED).await?,
            Step::Partition { between: [a, b], .. } => self.lab.partition(a, b).await?,
            Step::Message(surgery) => self.lab.operate(surgery).await?,
            Step::Clock { .. } => {
                let reason = "all machines of a kernel share its wall clock (time_namespaces(7) has no offset for it)";
                return Err(Failure::Skipped(reason.into()));
            }
            _ => return Err(Failure::Broken(format!("`{step}` is no fault"))),
        }
        Ok("done".into())
    }

    async fn end_fault(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Partition { between: [a, b], .. } => Ok(self.lab.heal(a, b).await?),
            _ => Ok(()),
        }
    }

    async fn reconfigure(&mut self, cell: &Cell, customer: &str, to: &Gateway) -> Result<String, Failure> {
        self.own.entry(customer.to_owned()).or_default().change(to);
        let site = self.lab.customer(customer)?;
        let mut names = Vec::new();
        for (vpc, peer) in site.peers().await {
            self.lab.reconfigure(customer, &vpc, self.tunnel(cell, customer, &vpc, peer)?).await?;
            names.push(vpc);
        }
        Ok(format!("its tunnels to {} are other ones now", names.join(", ")))
    }

    async fn holds_sas(&self, on: &str) -> Result<bool, Failure> {
        Ok(self.lab.holds_sas(on).await?)
    }

    fn streams_are(&self, flowing: bool) -> Result<bool, Failure> {
        self.traffic.streams.are(flowing)
    }
}

/// Of what is lost at random: a cell loses the same packets whenever it runs.
const SEED: u64 = 1;

impl Drive<'_, Laboratory> {
    fn facts(&self) -> Facts {
        let routers = self.api.router_addresses();
        let customers = self.cell.customers.keys().filter_map(|name| self.far.address(name).ok());
        // Where a customer's gateway calls by mistake, there is none; but that it calls there is no finding.
        let told = self.cell.steps.iter().filter_map(|step| match step {
            Step::Change { to, .. } => to.peer,
            _ => None,
        });
        let mistaken = self.cell.customers.keys().filter_map(|name| self.cell.wrong_peer(name)).chain(told);
        let gateways: BTreeSet<Ipv4Addr> = routers.chain(customers).chain(mistaken).collect();
        Facts {
            local: self.nets(|[router, customer]| [&router.local_nets, &customer.peer_nets]),
            remote: self.nets(|[router, customer]| [&router.peer_nets, &customer.local_nets]),
            gateways: gateways.into_iter().collect(),
            sas: Vec::new(),
            probes: self.far.traffic.sent(),
            ike: IkeKeys {
                pre_shared_keys: self.cell.keys().map(|key| hex::encode(key.expose().as_bytes())).collect(),
                ..IkeKeys::default()
            },
            demanded: demanded(self.cell),
        }
    }

    /// The networks of one side, as either end of any connection has them.
    fn nets(&self, of: impl Fn(&[End; 2]) -> [&Vec<Ipv4Net>; 2]) -> Vec<Ipv4Net> {
        let vpcs = self.cell.cloud.vpcs.keys();
        let pairs = vpcs.flat_map(|vpc| self.cell.customers.keys().map(move |customer| (vpc, customer)));
        let ends: Vec<_> = pairs.filter_map(|(vpc, customer)| self.cell.ends(vpc, customer)).collect();
        let nets: BTreeSet<Ipv4Net> = ends.iter().flat_map(of).flatten().copied().collect();
        nets.into_iter().collect()
    }
}

/// What the gateways are to agree on, if they are to agree.
fn demanded(cell: &Cell) -> Option<Demanded> {
    let prediction = predict(cell);
    prediction.agreement().map(|agreed| Demanded { version: agreed.version, ike: agreed.ike, esp: agreed.esp })
}

/// The logs that the daemons left, by their names within the cell's folder.
pub(crate) fn logs(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for machine in std::fs::read_dir(folder.join(LOGS)).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(machine.path()).into_iter().flatten().flatten() {
            let empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
            if !empty {
                found.push(format!("{LOGS}/{}/{}", machine.file_name().display(), file.file_name().display()));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use policy::{Encryption, Hash};

    use super::*;

    fn held(spi: u32, added_ns: u64, deleted_ns: Option<u64>) -> SaKeys {
        SaKeys {
            spi,
            source: [198, 51, 100, 2].into(),
            destination: [203, 0, 113, 2].into(),
            encryption: Encryption::Aes128,
            encryption_key: "00".repeat(16),
            integrity: Hash::Sha1,
            integrity_key: "00".repeat(20),
            added_ns: Some(added_ns),
            deleted_ns,
        }
    }

    fn noted(told: &[SaKeys]) -> Vec<SaKeys> {
        told.iter().fold(Vec::new(), |mut known, told| {
            note_keys(&mut known, told.clone());
            known
        })
    }

    #[test]
    fn an_sa_lives_from_the_first_kernel_that_has_it_to_the_last_whichever_is_asked_first() {
        let (one, other) = (held(1, 20, Some(90)), held(1, 10, Some(80)));
        let whole = held(1, 10, Some(90));
        assert_eq!(noted(&[one.clone(), other.clone()]), std::slice::from_ref(&whole));
        assert_eq!(noted(&[other, one]), [whole]);
    }

    #[test]
    fn an_sa_that_a_kernel_still_has_is_not_deleted() {
        let (gone, there) = (held(1, 10, Some(80)), held(1, 20, None));
        assert_eq!(noted(&[gone.clone(), there.clone()]), [held(1, 10, None)]);
        assert_eq!(noted(&[there, gone]), [held(1, 10, None)]);
    }

    #[test]
    fn an_spi_that_is_used_again_with_other_keys_is_another_sa() {
        let again = SaKeys { encryption_key: "11".repeat(16), ..held(1, 90, None) };
        assert_eq!(noted(&[held(1, 10, Some(80)), again]).len(), 2);
    }
}
