//! Connections on their routers: every change of state goes through here and through the table of
//! [`state`](crate::state). Callers hold the VPC's turn.

use std::sync::Arc;

use super::{Cloud, Failure, routers::NOT_RUNNING};
use crate::{
    Router, RouterError, Tunnel,
    rule::network,
    state::{self, State, Trigger},
    store::{connection, customer_gateway, journal, vpc, vpn_gateway},
};

/// Configures the router and waits for the tunnel. A connection whose router is not there stays
/// Pending; one whose router fails is in Error.
pub(crate) async fn start(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    let started = transition(cloud, id, Trigger::Start)?;
    if started.is_none() {
        return Err(Failure::invalid(
            "Site to site VPN connection with specified connectionId not in correct state(pending or disconnected) to \
             process!",
        ));
    }
    let Plan { router, tunnel } = plan(cloud, id)?;
    let Some(router) = router else { return Err(not_running()) };
    let outcome = match tunnel {
        Ok(tunnel) => {
            let (connection, passive) = (tunnel.connection, tunnel.passive);
            match router.apply(tunnel).await {
                Ok(()) => Ok(passive),
                Err(reason) => {
                    // A tunnel that failed must not come up later behind the user's back.
                    let _ = router.remove(connection).await;
                    Err(reason)
                }
            }
        }
        Err(reason) => Err(reason),
    };
    match outcome {
        Ok(passive) => {
            transition(cloud, id, Trigger::Started { passive })?;
            Ok(())
        }
        Err(reason) => {
            transition(cloud, id, Trigger::StartFailed)?;
            Err(failed(cloud, id, "VPN.S2S.CONNECTION.CREATE", "starting", &reason))
        }
    }
}

/// Takes the tunnel down and leaves the connection Disconnected.
pub(crate) async fn stop(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    if transition(cloud, id, Trigger::Stop)?.is_none() {
        return Err(Failure::invalid(
            "Site to site VPN connection with specified id is not in correct state(connected) to process disconnect!",
        ));
    }
    let Some(connection) = cloud.store.transaction(|db| Ok::<_, Failure>(connection::find(db, id)?))? else {
        return Ok(());
    };
    match router(cloud, &connection)? {
        None => Err(not_running()),
        Some(router) => remove(cloud, &connection, router).await,
    }
}

/// Takes what is left of a lost tunnel off the router, if there is still a router.
pub(crate) async fn forget(cloud: &Cloud, connection: &connection::Connection) -> Result<(), Failure> {
    match router(cloud, connection)? {
        None => Ok(()),
        Some(router) => remove(cloud, connection, router).await,
    }
}

async fn remove(cloud: &Cloud, connection: &connection::Connection, router: Arc<dyn Router>) -> Result<(), Failure> {
    let Err(reason) = router.remove(connection.uuid).await else { return Ok(()) };
    transition(cloud, connection.id, Trigger::StopFailed)?;
    Err(failed(cloud, connection.id, "VPN.S2S.CONNECTION.DELETE", "stopping", &reason))
}

/// What the monitor saw; a change is an alert.
pub(crate) fn seen(cloud: &Cloud, id: i64, up: bool) -> Result<(), Failure> {
    cloud.store.transaction(|db| {
        let Some(connection) = connection::find(db, id)? else { return Ok(()) };
        let (old, Ok(new)) = (connection.state, state::next(connection.state, Trigger::Seen { up })) else {
            return Ok(());
        };
        if old == new {
            return Ok(());
        }
        connection::set_state(db, id, new)?;
        if let Some(customer) = customer_gateway::find(db, connection.customer_gateway)? {
            let subject = format!(
                "Site-to-site Vpn Connection to {} {} from {old} to {new}",
                customer.data.name, cloud.rules.switched
            );
            journal::alert(db, &subject)?;
        }
        Ok(())
    })
}

/// The connection's new state; none if it is gone or refuses.
pub(crate) fn transition(cloud: &Cloud, id: i64, trigger: Trigger) -> Result<Option<State>, Failure> {
    cloud.store.transaction(|db| {
        let Some(connection) = connection::find(db, id)? else { return Ok(None) };
        let Ok(new) = state::next(connection.state, trigger) else { return Ok(None) };
        connection::set_state(db, id, new)?;
        Ok(Some(new))
    })
}

fn router(cloud: &Cloud, connection: &connection::Connection) -> Result<Option<Arc<dyn Router>>, Failure> {
    let vpc = cloud.store.transaction(|db| Ok::<_, Failure>(connection::vpc(db, connection.id)?))?;
    Ok(vpc.and_then(|vpc| cloud.router(vpc)))
}

struct Plan {
    /// Unless it could not be deployed.
    router: Option<Arc<dyn Router>>,
    /// What to tell it; or why its daemon cannot be told.
    tunnel: Result<Tunnel, RouterError>,
}

fn plan(cloud: &Cloud, id: i64) -> Result<Plan, Failure> {
    let gone = || Failure::internal(format!("VPN connection {id} lost its gateways"));
    let (connection, customer, vpc, local) = cloud.store.transaction(|db| {
        let connection = connection::find(db, id)?.ok_or_else(gone)?;
        let customer = customer_gateway::find(db, connection.customer_gateway)?.ok_or_else(gone)?;
        let gateway = vpn_gateway::find(db, connection.vpn_gateway)?.ok_or_else(gone)?;
        let vpc = vpc::find(db, gateway.vpc)?.ok_or_else(gone)?;
        let local = vpc::address(db, gateway.address)?;
        Ok::<_, Failure>((connection, customer, vpc, local))
    })?;
    let data = customer.data;
    let tunnel = agreed(&data).map(|policy| Tunnel {
        connection: connection.uuid,
        local,
        local_cidr: vpc.cidr.trunc(),
        peer: data.gateway,
        peer_cidrs: network::list(&data.cidr_list).unwrap_or_default().iter().map(|n| n.trunc()).collect(),
        policy,
        key: data.psk,
        passive: connection.passive,
        wait: true,
        ike: crate::IkeVersion::V1,
        force_encapsulation: false,
        split: false,
    });
    Ok(Plan { router: cloud.router(vpc.id), tunnel: tunnel.map_err(RouterError::Failed) })
}

/// CloudStack accepts policies and lifetimes that no daemon can be configured with, such as `,` or
/// -1; they fail here, as they fail on its router.
fn agreed(data: &customer_gateway::New) -> Result<policy::Policy, String> {
    let lifetime = |seconds: i64| {
        let wrong = |_| format!("{seconds} seconds are no lifetime");
        u32::try_from(seconds).map(policy::Lifetime).map_err(wrong)
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
fn failed(cloud: &Cloud, id: i64, kind: &str, doing: &str, reason: &RouterError) -> Failure {
    let description = format!("Error while {doing} s2s vpn connection. Id: {id}: {reason}");
    let noted = cloud.store.transaction(|db| journal::event(db, kind, "Started", "ERROR", &description, 0));
    match noted {
        Ok(_) => Failure::unavailable("Site2SiteVpnConnection", id, "Failed to apply site-to-site VPN"),
        Err(error) => error.into(),
    }
}
