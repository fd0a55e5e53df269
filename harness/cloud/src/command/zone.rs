//! What a client looks up before it creates anything: zones and offerings.

use serde_json::{Value, json};

use super::{Action, Call, Command, Parameter, Result, Rows, Type};
use crate::{
    profile::Release,
    store::{Entity, offering, select::Page},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listZones",
        area: "user.zone",
        about: "Lists zones",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Zone)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("available", Type::Bool),
        ],
        action: Action::List { object: "zone", rows: zones },
        ..Command::BASE
    },
    Command {
        name: "listVPCOfferings",
        area: "user.vpc",
        about: "Lists kinds of VPCs",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::VpcOffering)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("displaytext", Type::Text),
            Parameter::optional("isdefault", Type::Bool),
            Parameter::optional("state", Type::Text),
        ],
        action: Action::List { object: "vpcoffering", rows: vpc_offerings },
        ..Command::BASE
    },
    Command {
        name: "listNetworkOfferings",
        area: "user.offering",
        about: "Lists kinds of tiers",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::NetworkOffering)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("displaytext", Type::Text),
            Parameter::optional("forvpc", Type::Bool),
            Parameter::optional("state", Type::Text),
            Parameter::optional("guestiptype", Type::Text),
            Parameter::optional("traffictype", Type::Text),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
        ],
        action: Action::List { object: "networkoffering", rows: network_offerings },
        ..Command::BASE
    },
];

/// The only one there is.
pub(super) const DEFAULT_VPC_OFFERING: &str = "Default VPC offering";

/// What a VPC's virtual router does here.
pub(super) fn services() -> Value {
    json!([
        { "name": "SourceNat", "provider": [{ "name": "VpcVirtualRouter" }] },
        { "name": "Vpn", "provider": [{ "name": "VpcVirtualRouter" }] },
    ])
}

fn zones(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let zones = call.cloud.store.read(offering::zones)?;
    let wanted = zones.into_iter().filter(|zone| call.is("id", zone.id) && call.says("name", &zone.name));
    let view = |zone: offering::Zone| {
        json!({
            "id": zone.uuid.to_string(),
            "name": zone.name,
            "networktype": zone.network_type,
            "allocationstate": "Enabled",
            "securitygroupsenabled": false,
            "localstorageenabled": false,
        })
    };
    Ok(rows.push_page(page, wanted.map(view)))
}

fn vpc_offerings(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let offerings = call.cloud.store.read(offering::vpc_offerings)?;
    let wanted = offerings.into_iter().filter(|o| {
        call.is("id", o.id)
            && call.says("name", &o.name)
            && call.says("displaytext", &o.display_text)
            && call.says("state", &o.state)
            && call.arguments.flag("isdefault").is_none_or(|wanted| wanted == o.is_default)
    });
    let view = |o: offering::VpcOffering| {
        json!({
            "id": o.uuid.to_string(),
            "name": o.name,
            "displaytext": o.display_text,
            "isdefault": o.is_default,
            "state": o.state,
            "service": services(),
        })
    };
    Ok(rows.push_page(page, wanted.map(view)))
}

fn network_offerings(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let offerings = call.cloud.store.read(offering::network_offerings)?;
    let wanted = offerings.into_iter().filter(|o| {
        call.is("id", o.id)
            && call.says("name", &o.name)
            && call.says("displaytext", &o.display_text)
            && call.says("state", &o.state)
            && call.says("guestiptype", &o.guest_type)
            && call.says("traffictype", &o.traffic_type)
            && call.arguments.flag("forvpc").is_none_or(|wanted| wanted)
    });
    let view = |o: offering::NetworkOffering| {
        json!({
            "id": o.uuid.to_string(),
            "name": o.name,
            "displaytext": o.display_text,
            "guestiptype": o.guest_type,
            "traffictype": o.traffic_type,
            "serviceofferingid": o.service_offering.to_string(),
            "availability": "Optional",
            "state": o.state,
            "isdefault": true,
            "specifyvlan": false,
            "specifyipranges": false,
            "conservemode": false,
            "forvpc": true,
            "service": services(),
        })
    };
    Ok(rows.push_page(page, wanted.map(view)))
}

impl Call {
    /// A filter by id lets a row pass: it is absent, or names the row.
    pub(super) fn is(&self, parameter: &'static str, id: i64) -> bool {
        self.arguments.id(parameter).is_none_or(|wanted| wanted == id)
    }

    /// A filter by text lets a row pass; like CloudStack's database, it does not mind case.
    pub(super) fn says(&self, parameter: &'static str, text: &str) -> bool {
        self.arguments.text(parameter).is_none_or(|wanted| wanted.to_lowercase() == text.to_lowercase())
    }

    /// Later releases look for a keyword in names; earlier ones ignored it.
    pub(super) fn keyword(&self) -> Option<&str> {
        self.arguments.text("keyword").filter(|_| self.is_since(Release::V4_22))
    }

    /// A name passes what [`Call::keyword`] asks for.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.keyword().is_none_or(|word| name.to_lowercase().contains(&word.to_lowercase()))
    }
}
