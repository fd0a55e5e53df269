//! Customer gateways: what an owner says of the far end. Nothing of it is tried out.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use super::{
    Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type,
    account::{OwnerFields, Owners},
    connection as links,
};
use crate::{
    profile::{Release, fill},
    rule::{
        host::Host,
        network,
        policy::{Answer as Judgement, Phase},
    },
    server::{Failure, tunnels},
    state::State,
    store::{
        Entity, account, connection,
        customer_gateway::{self, CustomerGateway, New},
        select::Page,
        vpn_gateway,
    },
};

/// The most a lifetime may be, in seconds; there is no least.
const MAX_LIFETIME: i64 = 86_400;

const CREATE: &[Parameter] = &[
    Parameter::optional("name", Type::Text),
    Parameter::required("gateway", Type::Text).field("gatewayIp"),
    Parameter::required("cidrlist", Type::Text).field("guestCidrList").now_field("peerCidrList"),
    Parameter::required("ipsecpsk", Type::Secret).field("ipsecPsk"),
    Parameter::required("ikepolicy", Type::Text).field("ikePolicy"),
    Parameter::required("esppolicy", Type::Text).field("espPolicy"),
    Parameter::optional("ikelifetime", Type::Long),
    Parameter::optional("esplifetime", Type::Long),
    Parameter::optional("dpd", Type::Bool),
    Parameter::optional("account", Type::Text).field("accountName"),
    Parameter::optional("domainid", Type::Id(Entity::Domain)),
    Parameter::optional("projectid", Type::Project).since(Release::V4_22),
    Parameter::optional("forceencap", Type::Bool).since(Release::V4_22),
    Parameter::optional("splitconnections", Type::Bool).since(Release::V4_22),
    Parameter::optional("ikeversion", Type::Text).since(Release::V4_22).not_empty(),
];

/// The same, needed in the same way: an update replaces everything.
const UPDATE: &[Parameter] = &{
    let mut all = [const { Parameter::required("id", Type::Id(Entity::CustomerGateway)) }; CREATE.len()];
    let (mut to, mut from) = (1, 0);
    while from < CREATE.len() {
        if !matches!(CREATE[from].kind, Type::Project) {
            all[to] = CREATE[from];
            to += 1;
        }
        from += 1;
    }
    all
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnCustomerGateway",
        about: "Describes the far end of VPN connections",
        parameters: CREATE,
        action: Action::Create {
            kind: |rules| rules.create_customer_gateway,
            entity: Entity::CustomerGateway,
            row: create,
            work: |call, id| Box::pin(async move { shown(&call, id) }),
        },
        event: Some(Event { kind: "VPN.S2S.CUSTOMER.GATEWAY.CREATE", description: "creating s2s customer gateway" }),
        ..VPN
    },
    Command {
        name: "updateVpnCustomerGateway",
        about: "Describes a customer gateway anew, in place of all that was said before",
        parameters: UPDATE,
        action: Action::Job(|call| Box::pin(update(call))),
        event: Some(Event { kind: "VPN.S2S.CUSTOMER.GATEWAY.UPDATE", description: "update s2s vpn customer gateway" }),
        ..VPN
    },
    Command {
        name: "deleteVpnCustomerGateway",
        about: "Deletes a customer gateway",
        parameters: &[Parameter::required("id", Type::Id(Entity::CustomerGateway))],
        action: Action::Job(|call| Box::pin(async move { delete(&call) })),
        event: Some(Event {
            kind: "VPN.S2S.CUSTOMER.GATEWAY.DELETE",
            description: "deleting s2s vpn customer gateway",
        }),
        ..VPN
    },
    Command {
        name: "listVpnCustomerGateways",
        about: "Lists customer gateways",
        parameters: &[Parameter::optional("id", Type::Id(Entity::CustomerGateway))],
        action: Action::List { object: "vpncustomergateway", rows: list },
        ..VPN
    },
];

const VPN: Command = Command { area: "user.vpn", ..Command::BASE };

fn create(call: &Call) -> Result<i64> {
    let new = described(call, None)?;
    call.cloud.store.transaction(|db| {
        let owner = call.owner(db)?;
        check_unique(call, db, &new, owner, None)?;
        check_subnets(call, &new.cidr_list)?;
        Ok(customer_gateway::insert(db, &new, owner)?)
    })
}

async fn update(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let cloud = &call.cloud;
    let used = cloud.store.transaction(|db| {
        let unknown = || Failure::invalid(format!("Find to find customer gateway with id {id}"));
        let old = customer_gateway::find(db, id)?.ok_or_else(unknown)?;
        let used = connection::of_customer_gateway(db, id)?;
        if cloud.rules.update_only_in_error && used.iter().any(|connection| connection.state != State::Error) {
            return Err(Failure::invalid("Unable to update customer gateway with connections in non-Error state!"));
        }
        let new = described(&call, Some(&old.data))?;
        check_unique(&call, db, &new, old.owner, Some(id))?;
        check_subnets(&call, &new.cidr_list)?;
        // CloudStack lets an update bring about what createVpnConnection refuses.
        let changed = CustomerGateway { data: new, ..old };
        for connection in &used {
            if let Some(gateway) = vpn_gateway::find(db, connection.vpn_gateway)? {
                links::check_networks(&call, db, &changed, &gateway, Some(connection.id))?;
            }
        }
        customer_gateway::update(db, id, &changed.data)?;
        Ok(used)
    })?;
    if !cloud.rules.update_only_in_error {
        for connection in used {
            restart(&call, connection.id).await?;
        }
    }
    shown(&call, id)
}

/// What goes wrong is in the event log and in the connection's state, and not the update's failure.
async fn restart(call: &Call, id: i64) -> Result<()> {
    let cloud = &call.cloud;
    let Some(vpc) = cloud.store.read(|db| connection::vpc(db, id))? else { return Ok(()) };
    let _turn = cloud.turns.queue(vpc).come().await;
    let Some(connection) = cloud.store.read(|db| connection::find(db, id))? else { return Ok(()) };
    let stopped = match connection.state {
        State::Connected | State::Connecting | State::Error => tunnels::stop(cloud, id).await,
        State::Disconnected => Ok(()),
        State::Pending | State::Removed => return Ok(()),
    };
    if stopped.is_ok() {
        let _ = tunnels::start(cloud, id).await;
    }
    Ok(())
}

/// What can be judged without looking at other rows, in CloudStack's order.
fn described(call: &Call, old: Option<&New>) -> Result<New> {
    let (arguments, rules) = (&call.arguments, call.cloud.rules);
    let texts = &rules.texts;
    let either = |create, update| if old.is_none() { create } else { update };
    let gateway = arguments.need_text("gateway")?;
    let gateway =
        Host::parse(gateway, rules.gateway_names).ok_or_else(|| Failure::invalid(fill(texts.gateway, &[&gateway])))?;

    let cidr_list = arguments.need_text("cidrlist")?;
    let is_good = |networks: &Vec<_>| !rules.private_subnets_only || networks.iter().all(|&n| network::is_private(n));
    let Some(networks) = network::list(cidr_list).filter(is_good) else {
        return Err(Failure::invalid(fill(either(texts.cidr_list, texts.cidr_list_update), &[&cidr_list])));
    };
    let cidr_list = match rules.clean_subnets {
        true => networks.iter().map(|network| network.trunc().to_string()).collect::<Vec<_>>().join(","),
        false => cidr_list.to_owned(),
    };
    let policy = |phase, name: &str, refusal, text: &str| match rules.policy.judge(phase, text) {
        Judgement::Accept => Ok(text.to_owned()),
        Judgement::Reject => Err(Failure::invalid(fill(refusal, &[&text]))),
        Judgement::Crash => Err(Failure::internal(format!("array index out of bounds in {name} policy {text}"))),
    };
    let lifetime = |name: &str, seconds: i64| match seconds {
        ..=MAX_LIFETIME => Ok(seconds),
        _ => Err(Failure::invalid(format!("The {name} lifetime {seconds} of vpn connection is invalid!"))),
    };
    let (ike, esp) =
        (either(texts.ike_policy, texts.ike_policy_update), either(texts.esp_policy, texts.esp_policy_update));
    Ok(New {
        name: arguments.text("name").map_or_else(|| format!("VPN-{gateway}"), str::to_owned),
        gateway,
        cidr_list,
        psk: arguments.need_secret("ipsecpsk")?,
        ike_policy: policy(Phase::Ike, "IKE", ike, arguments.need_text("ikepolicy")?)?,
        esp_policy: policy(Phase::Esp, "ESP", esp, arguments.need_text("esppolicy")?)?,
        ike_lifetime: lifetime("IKE", arguments.long("ikelifetime").unwrap_or(86_400))?,
        esp_lifetime: lifetime("ESP", arguments.long("esplifetime").unwrap_or(3_600))?,
        dpd: arguments.flag("dpd").unwrap_or(false),
        force_encap: arguments.flag("forceencap").unwrap_or(false),
        // The only thing that an update does not reset.
        ike_version: match (arguments.text("ikeversion"), old) {
            (Some(version), _) => version.to_owned(),
            (None, Some(old)) => old.ike_version.clone(),
            (None, None) => "ike".to_owned(),
        },
        split: arguments.flag("splitconnections").unwrap_or(false),
    })
}

/// `itself` is the row that is being changed.
fn check_unique(call: &Call, db: &Connection, new: &New, owner: account::Owner, itself: Option<i64>) -> Result<()> {
    let is_another = |found: Vec<i64>| found.iter().any(|id| Some(*id) != itself);
    let same_address = || Ok::<_, Failure>(is_another(customer_gateway::with_address(db, &new.gateway)?));
    if call.cloud.rules.unique_customer_gateway_ip && same_address()? {
        let gateway = &new.gateway;
        return Err(Failure::invalid(format!("The customer gateway with ip {gateway} already existed in the system!")));
    }
    match is_another(customer_gateway::with_name(db, &new.name, owner)?) {
        true => Err(Failure::invalid(format!("The customer gateway with name {} already existed!", new.name))),
        false => Ok(()),
    }
}

fn check_subnets(call: &Call, cidr_list: &str) -> Result<()> {
    let subnets = network::list(cidr_list).unwrap_or_default();
    let limit = call.cloud.rules.subnets_per_customer_gateway;
    if subnets.len() > limit {
        return Err(Failure::invalid(format!("Too many subnets of customer gateway! The limit is {limit}")));
    }
    match network::overlapping(&subnets) {
        None => Ok(()),
        Some((a, b)) => Err(Failure::invalid(format!(
            "The subnet of customer gateway {a} is overlapped with another subnet {b} of customer gateway!"
        ))),
    }
}

fn shown(call: &Call, id: i64) -> Result<Answer> {
    call.cloud.store.read(|db| {
        let gone = || Failure::internal("Failed to find the customer VPN gateway");
        let gateway = customer_gateway::find(db, id)?.ok_or_else(gone)?;
        let owner = OwnerFields::of(call, db, gateway.owner)?;
        Ok(Answer::Object("vpncustomergateway", json!(View::of(call, &gateway, &owner))))
    })
}

fn delete(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let texts = &call.cloud.rules.texts;
    call.cloud.store.transaction(|db| {
        let unknown = || Failure::invalid(fill(texts.no_customer_gateway, &[&id]));
        let gateway = customer_gateway::find(db, id)?.ok_or_else(unknown)?;
        if !connection::of_customer_gateway(db, id)?.is_empty() {
            return Err(Failure::invalid(fill(texts.customer_gateway_used, &[&named(call, &gateway)])));
        }
        Entity::CustomerGateway.remove(db, id)?;
        Ok(Answer::Success)
    })
}

/// How texts name it.
pub(super) fn named(call: &Call, gateway: &CustomerGateway) -> String {
    let object = call.cloud.rules.texts.object;
    object("Site2SiteCustomerGateway", gateway.id, &gateway.uuid.to_string(), Some(&gateway.data.name))
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    call.cloud.store.read(|db| {
        let wanted = customer_gateway::select()
            .within(&call.scope(db)?, "s2s_customer_gateway")
            .is("id", call.arguments.id("id"))
            .mentions("name", call.keyword());
        let mut owners = Owners::new(call, db);
        wanted.page(db, page, customer_gateway::read, |gateway| {
            rows.push(&View::of(call, &gateway, owners.get(gateway.owner)?));
            Ok(())
        })
    })
}

#[derive(Serialize)]
struct View<'a> {
    id: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hasannotations: Option<bool>,
    #[serde(flatten)]
    description: Description<'a>,
    #[serde(flatten)]
    owner: &'a OwnerFields,
}

impl<'a> View<'a> {
    fn of(call: &Call, gateway: &'a CustomerGateway, owner: &'a OwnerFields) -> Self {
        Self {
            id: gateway.uuid.to_string(),
            name: &gateway.data.name,
            hasannotations: call.is_since(Release::V4_22).then_some(false),
            description: Description::of(call, &gateway.data),
            owner,
        }
    }
}

/// What connections repeat of their customer gateway; the pre-shared key is its owner's to read.
#[derive(Serialize)]
pub(super) struct Description<'a> {
    gateway: String,
    cidrlist: &'a str,
    ipsecpsk: &'a str,
    ikepolicy: &'a str,
    esppolicy: &'a str,
    ikelifetime: i64,
    esplifetime: i64,
    dpd: bool,
    /// Later than the specification, but clients compare it with what they would send.
    forceencap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    splitconnections: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ikeversion: Option<&'a str>,
}

impl<'a> Description<'a> {
    pub(super) fn of(call: &Call, data: &'a New) -> Self {
        let is_late = call.is_since(Release::V4_22);
        Self {
            gateway: data.gateway.to_string(),
            cidrlist: &data.cidr_list,
            ipsecpsk: data.psk.expose(),
            ikepolicy: &data.ike_policy,
            esppolicy: &data.esp_policy,
            ikelifetime: data.ike_lifetime,
            esplifetime: data.esp_lifetime,
            dpd: data.dpd,
            forceencap: data.force_encap,
            splitconnections: is_late.then_some(data.split),
            ikeversion: is_late.then_some(&data.ike_version),
        }
    }
}
