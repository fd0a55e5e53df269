//! Connections on their routers: every change of state goes through here and through the table of
//! [`state`](crate::state). Callers hold the VPC's turn.

use std::sync::Arc;

use rusqlite::Connection as Db;

use super::{
    Cloud, Failure,
    routers::{NOT_RUNNING, Presence, presence},
    usage,
};
use crate::{
    IkeVersion, Level, LogLine, Router, RouterError, Tunnel,
    lapse::Lapse,
    profile::fill,
    rule::{host::Host, network},
    state::{State, Trigger},
    store::{
        Entity,
        account::{self, Actor},
        connection, customer_gateway, journal, vpc, vpn_gateway,
    },
};

/// Of the events that tell of a change of state. CloudStack has none; the specification wants logs
/// that help when a VPN does not work.
const STATE: &str = "VPN.S2S.CONNECTION.STATE";

/// Configures the router and, if the release does, waits for the tunnel. A connection whose router
/// does not run stays Pending; one whose router fails is in Error.
pub(crate) async fn start(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    let started = transition(cloud, id, Trigger::Start, "it is begun")?;
    if started.is_none() {
        return Err(Failure::invalid(
            "Site to site VPN connection with specified connectionId not in correct state(pending or disconnected) to \
             process!",
        ));
    }
    let connection = found(cloud, id)?;
    match configure(cloud, &connection).await? {
        Ok(()) => {
            transition(cloud, id, Trigger::Started { passive: connection.passive }, "its router has the tunnel")?;
            Ok(())
        }
        Err(reason) => {
            transition(cloud, id, Trigger::StartFailed, &reason.to_string())?;
            Err(failed(cloud, &connection, "VPN.S2S.CONNECTION.CREATE", "starting", &reason))
        }
    }
}

/// Tells a router that has booted of a connection, whose state stays as it is.
pub(crate) async fn push(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    let connection = found(cloud, id)?;
    match configure(cloud, &connection).await? {
        Ok(()) => Ok(()),
        Err(reason) => Err(failed(cloud, &connection, "VPN.S2S.CONNECTION.CREATE", "starting", &reason)),
    }
}

/// The router's answer; or, outside, why it could not be asked.
async fn configure(cloud: &Cloud, connection: &connection::Connection) -> Result<Result<(), RouterError>, Failure> {
    let plan = plan(cloud, connection)?;
    let router = match presence(cloud, plan.vpc)? {
        Presence::Running(router) => router,
        // Nothing to configure is success; the router is told when there is one.
        Presence::Absent if !cloud.rules.machine.waits() => return Ok(Ok(())),
        Presence::Absent | Presence::Down => return Err(not_running()),
    };
    // It takes the place of an earlier one, whose bytes would be lost.
    usage::read_last(cloud, connection, router.as_ref()).await?;
    let applied = match tunnel(cloud, plan).await {
        Ok(tunnel) => router.apply(tunnel).await,
        Err(reason) => Err(reason),
    };
    if applied.is_err() {
        // A tunnel that failed, or an earlier one, must not come up later behind the user's back.
        let _ = router.remove(connection.tunnel).await;
    }
    Ok(applied)
}

/// What a router is told.
async fn tunnel(cloud: &Cloud, plan: Plan) -> Result<Tunnel, RouterError> {
    let tunnel = plan.tunnel.map_err(RouterError::Failed)?;
    match plan.peer {
        Host::Address(peer) => Ok(Tunnel { peer, ..tunnel }),
        Host::Name(name) => Ok(Tunnel { peer: cloud.fabric.resolve(&name).await?, ..tunnel }),
    }
}

/// Takes the tunnel down and leaves the connection Disconnected.
pub(crate) async fn stop(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    if transition(cloud, id, Trigger::Stop, "it is taken down")?.is_none() {
        return Err(Failure::invalid(cloud.rules.texts.stop_refused));
    }
    let connection = found(cloud, id)?;
    match router_of(cloud, &connection)? {
        Presence::Absent => Ok(()),
        Presence::Down => Err(not_running()),
        Presence::Running(router) => remove(cloud, &connection, router).await,
    }
}

/// Takes what is left of a lost tunnel off the router, if there is still a router.
pub(crate) async fn forget(cloud: &Cloud, connection: &connection::Connection) -> Result<(), Failure> {
    match router_of(cloud, connection)? {
        Presence::Absent | Presence::Down => Ok(()),
        Presence::Running(router) => remove(cloud, connection, router).await,
    }
}

async fn remove(cloud: &Cloud, connection: &connection::Connection, router: Arc<dyn Router>) -> Result<(), Failure> {
    usage::read_last(cloud, connection, router.as_ref()).await?;
    let Err(reason) = router.remove(connection.tunnel).await else { return Ok(()) };
    transition(cloud, connection.id, Trigger::StopFailed, &reason.to_string())?;
    Err(failed(cloud, connection, "VPN.S2S.CONNECTION.DELETE", "stopping", &reason))
}

/// What the monitor saw; a change is an alert.
pub(crate) fn seen(cloud: &Cloud, id: i64, up: bool) -> Result<(), Failure> {
    let changed = cloud.store.transaction(|db| {
        let why = if up { "the monitor sees it up" } else { "the monitor sees it down" };
        let change = change(cloud, db, id, Trigger::Seen { up }, why)?;
        if let Some(change) = change.as_ref().filter(|change| change.old != change.new)
            && let Some(connection) = connection::find(db, id)?
            && let Some(customer) = customer_gateway::find(db, connection.customer_gateway)?
        {
            let switched = cloud.rules.texts.switched;
            if !cloud.lapses(Lapse::SendsNoAlerts) {
                journal::alert(db, &fill(switched, &[&customer.data.name, &change.old, &change.new]))?;
            }
        }
        Ok::<_, Failure>(change)
    })?;
    tell(cloud, changed.as_ref());
    Ok(())
}

/// The connection's new state; none if it is gone or refuses.
pub(crate) fn transition(cloud: &Cloud, id: i64, trigger: Trigger, why: &str) -> Result<Option<State>, Failure> {
    let changed = cloud.store.transaction(|db| change(cloud, db, id, trigger, why))?;
    tell(cloud, changed.as_ref());
    Ok(changed.map(|changed| changed.new))
}

/// A change of state in the store, to be told of once the store has it.
pub(crate) struct Change {
    old: State,
    new: State,
    line: Option<LogLine>,
}

pub(crate) fn tell<'a>(cloud: &Cloud, changes: impl IntoIterator<Item = &'a Change>) {
    for line in changes.into_iter().filter_map(|change| change.line.as_ref()) {
        cloud.log(line.clone());
    }
}

/// None if the connection is gone or refuses.
pub(crate) fn change(cloud: &Cloud, db: &Db, id: i64, trigger: Trigger, why: &str) -> Result<Option<Change>, Failure> {
    let Some(connection) = connection::find(db, id)? else { return Ok(None) };
    let old = connection.state;
    let Ok(new) = cloud.rules.machine.next(old, trigger) else { return Ok(None) };
    if old == new {
        return Ok(Some(Change { old, new, line: None }));
    }
    connection::set_state(db, id, new)?;
    let level = match new {
        State::Error => Level::Error,
        State::Disconnected => Level::Warn,
        _ => Level::Info,
    };
    let text = format!("VPN connection {} went from {old} to {new}: {why}", connection.uuid);
    let step = journal::Step { kind: STATE, state: "Completed", level, text: &text };
    let actor = Actor { user: account::SYSTEM, owner: connection.owner };
    journal::event(db, actor, &step, 0)?;
    let account = account::get(db, connection.owner)?.name;
    let subject = connection.uuid.to_string();
    Ok(Some(Change { old, new, line: Some(LogLine { level, kind: STATE, step: "Changed", account, subject, text }) }))
}

/// Removes a connection that nothing is left of.
pub(crate) fn drop_row(cloud: &Cloud, db: &Db, id: i64) -> Result<Option<Change>, Failure> {
    let change = change(cloud, db, id, Trigger::Remove, "it is deleted")?;
    Entity::Connection.remove(db, id)?;
    Ok(change)
}

fn found(cloud: &Cloud, id: i64) -> Result<connection::Connection, Failure> {
    let gone = || Failure::internal(format!("VPN connection {id} is gone"));
    cloud.store.read(|db| connection::find(db, id)?.ok_or_else(gone))
}

fn router_of(cloud: &Cloud, connection: &connection::Connection) -> Result<Presence, Failure> {
    match cloud.store.read(|db| connection::vpc(db, connection.id))? {
        Some(vpc) => presence(cloud, vpc),
        None => Ok(Presence::Absent),
    }
}

struct Plan {
    vpc: i64,
    peer: Host,
    /// What to tell the router, but for the peer's address; or why its daemon cannot be told.
    tunnel: Result<Tunnel, String>,
}

fn plan(cloud: &Cloud, connection: &connection::Connection) -> Result<Plan, Failure> {
    let gone = || Failure::internal(format!("VPN connection {} lost its gateways", connection.id));
    let (customer, vpc, local) = cloud.store.read(|db| {
        let customer = customer_gateway::find(db, connection.customer_gateway)?.ok_or_else(gone)?;
        let gateway = vpn_gateway::find(db, connection.vpn_gateway)?.ok_or_else(gone)?;
        let vpc = vpc::find(db, gateway.vpc)?.ok_or_else(gone)?;
        let local = vpc::address(db, gateway.address)?;
        Ok::<_, Failure>((customer, vpc, local))
    })?;
    let data = customer.data;
    let tunnel = agreed(&data).map(|policy| Tunnel {
        connection: connection.tunnel,
        local,
        local_cidr: vpc.cidr.trunc(),
        peer: std::net::Ipv4Addr::UNSPECIFIED,
        peer_cidrs: network::list(&data.cidr_list).unwrap_or_default().iter().map(|n| n.trunc()).collect(),
        policy,
        key: data.psk,
        passive: connection.passive,
        wait: cloud.rules.machine.waits(),
        // Anything that is not known means what `ike` means.
        ike: match data.ike_version.as_str() {
            "ikev1" => IkeVersion::V1,
            "ikev2" => IkeVersion::V2,
            _ => cloud.rules.ike,
        },
        force_encapsulation: data.force_encap,
        split: data.split,
    });
    Ok(Plan { vpc: vpc.id, peer: data.gateway, tunnel })
}

/// CloudStack accepts policies, lifetimes and keys that no daemon can be configured with, such as `,`
/// or 0 or a key with a double quote, which would end the key in the daemon's file. They fail here,
/// before a router hears of them.
fn agreed(data: &customer_gateway::New) -> Result<policy::Policy, String> {
    if data.psk.expose().contains(['"', '\n', '\r']) {
        return Err("the pre-shared key holds a double quote or a line end".to_owned());
    }
    let lifetime = |seconds: i64| match u32::try_from(seconds) {
        Ok(seconds @ 1..) => Ok(policy::Lifetime(seconds)),
        _ => Err(format!("{seconds} seconds are no lifetime")),
    };
    let proposals = |text: &str| text.parse::<policy::Proposals>().map_err(|error| error.to_string());
    let mut policy = policy::Policy::new(proposals(&data.ike_policy)?, proposals(&data.esp_policy)?);
    policy.ike_lifetime = lifetime(data.ike_lifetime)?;
    policy.esp_lifetime = lifetime(data.esp_lifetime)?;
    policy.dpd = data.dpd;
    Ok(policy)
}

fn not_running() -> Failure {
    Failure::unavailable("DataCenter", 1, format!("Unable to apply site 2 site VPN configuration, {NOT_RUNNING}"))
}

/// The caller is told what CloudStack tells; the router's own words go to the event log.
fn failed(
    cloud: &Cloud,
    connection: &connection::Connection,
    kind: &'static str,
    doing: &str,
    reason: &RouterError,
) -> Failure {
    let id = connection.id;
    let text = format!("Error while {doing} s2s vpn connection. Id: {id}: {reason}");
    let step = journal::Step { kind, state: "Started", level: Level::Error, text: &text };
    let actor = Actor { user: account::SYSTEM, owner: connection.owner };
    match cloud.store.transaction(|db| journal::event(db, actor, &step, 0)) {
        Ok(_) => {
            let (account, subject) = (String::new(), connection.uuid.to_string());
            cloud.log(LogLine { level: Level::Error, kind, step: "Started", account, subject, text });
            Failure::unavailable("Site2SiteVpnConnection", id, "Failed to apply site-to-site VPN")
        }
        Err(error) => error.into(),
    }
}
