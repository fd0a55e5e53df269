//! Usage records: bytes that a VPN connection carried, by day.
//!
//! "CS should generate usage records for the VPN in terms of # of Bytes." No release does; the types
//! are those of a network's bytes, and `usageid` is the connection.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Access, Action, Answer, Call, Command, Parameter, Result, Type, account::add_owner};
use crate::{
    server::{Failure, usage as counters},
    store::{Entity, account, connection, usage},
};

/// NETWORK_BYTES_SENT and NETWORK_BYTES_RECEIVED of CloudStack's UsageTypes.
const SENT: i64 = 4;
const RECEIVED: i64 = 5;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listUsageRecords",
        area: "admin.usage",
        access: Access::Admins,
        about: "Lists the bytes that VPN connections carried, sent and received, by day",
        parameters: &[
            Parameter::required("startdate", Type::Text).field("startDate"),
            Parameter::required("enddate", Type::Text).field("endDate"),
            Parameter::optional("type", Type::Long),
            Parameter::optional("usageid", Type::Text),
            Parameter::optional("accountid", Type::Id(Entity::Account)),
        ],
        action: Action::FreshList {
            object: "usagerecord",
            refresh: |cloud| Box::pin(counters::read_all(cloud)),
            rows: list,
        },
        ..Command::BASE
    },
    Command {
        name: "listUsageTypes",
        area: "admin.usage",
        access: Access::Admins,
        about: "Lists the types of usage records",
        action: Action::Read(|_| {
            Ok(Answer::Object(
                "usagetype",
                json!([
                    { "usagetypeid": SENT, "description": "Network Usage (Bytes Sent)" },
                    { "usagetypeid": RECEIVED, "description": "Network Usage (Bytes Received)" },
                ]),
            ))
        }),
        ..Command::BASE
    },
];

fn list(call: &Call) -> Result<Vec<Value>> {
    let (first, last) = (day(call, "startdate")?, day(call, "enddate")?);
    if first > last {
        return Err(Failure::invalid(format!("Incorrect Date Range. Start date: {first} is after end date:{last}")));
    }
    call.cloud.store.transaction(|db| {
        // An administrator sees what there is in its domains; CloudStack has no `listall` here.
        let all = call.arguments.text("account").is_none() && call.arguments.id("domainid").is_none();
        let mut views = Vec::new();
        for record in usage::records(db, &first, &last)? {
            let Some(owner) = Entity::Connection.owner(db, record.connection)? else { continue };
            let shown = if all { call.caller.may_touch(db, owner)? } else { call.scope(db)?.shows(owner) };
            let of_account = call.arguments.id("accountid").is_none_or(|id| id == owner.account);
            if !shown || !of_account {
                continue;
            }
            for (kind, bytes) in [(SENT, record.sent), (RECEIVED, record.received)] {
                if call.arguments.long("type").is_none_or(|wanted| wanted == kind) {
                    views.push(view(call, db, &record, kind, bytes, owner)?);
                }
            }
        }
        if let Some(wanted) = call.arguments.text("usageid") {
            views.retain(|view| view["usageid"] == wanted);
        }
        Ok(views)
    })
}

/// `2026-11-25`, or a time of that day.
fn day(call: &Call, name: &'static str) -> Result<String> {
    let text = call.arguments.need_text(name)?;
    let day: String = text.chars().take(10).collect();
    match day.parse::<jiff::civil::Date>() {
        Ok(date) => Ok(date.to_string()),
        Err(_) => Err(Failure::invalid(format!("Unable to parse date {text} for parameter {name}"))),
    }
}

fn view(
    call: &Call,
    db: &Connection,
    record: &usage::Record,
    kind: i64,
    bytes: i64,
    owner: account::Owner,
) -> Result<Value> {
    let connection = Entity::Connection.uuid(db, record.connection)?;
    let way = if kind == SENT { "sent" } else { "received" };
    let mut view = json!({
        "accountid": Entity::Account.uuid(db, owner.account)?.to_string(),
        "usageid": connection.to_string(),
        "usagetype": kind,
        "type": "Site2SiteVpnConnection",
        "description": format!("bytes {way} by VPN connection {connection}"),
        "usage": format!("{bytes} bytes {way}"),
        "rawusage": bytes.to_string(),
        "startdate": format!("{}T00:00:00+0000", record.day),
        "enddate": format!("{}T23:59:59+0000", record.day),
        "zoneid": Entity::Zone.uuid(db, 1)?.to_string(),
    });
    if let Some(vpc) = connection::vpc(db, record.connection)? {
        view["vpcid"] = json!(Entity::Vpc.uuid(db, vpc)?.to_string());
    }
    add_owner(call, db, &mut view, owner)?;
    Ok(view)
}
