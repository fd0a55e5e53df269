//! What the service has to report of its own accord: alerts and events.

use serde_json::{Value, json};

use super::{Access, Action, Call, Command, Parameter, Result, Type, account::add_owner};
use crate::{
    profile::Release,
    server::Failure,
    store::{Entity, api_time, journal},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listAlerts",
        area: "admin.resource",
        access: Access::Root,
        about: "Lists alerts, such as those of VPN connections that came or went",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Alert)),
            Parameter::optional("type", Type::Text),
            Parameter::optional("name", Type::Text).since(Release::V4_22),
        ],
        action: Action::List { object: "alert", rows: alerts },
        ..Command::BASE
    },
    Command {
        name: "listEvents",
        area: "user.event",
        about: "Lists steps of commands, and changes of VPN connections' states",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Event)),
            Parameter::optional("type", Type::Text),
            Parameter::optional("level", Type::Text),
            Parameter::optional("state", Type::Text).since(Release::V4_22),
            Parameter::optional("startdate", Type::Text).field("startDate"),
            Parameter::optional("enddate", Type::Text).field("endDate"),
        ],
        action: Action::List { object: "event", rows: events },
        ..Command::BASE
    },
];

/// The name of all alerts here.
const NAME: &str = "ALERT.SERVICE.DOMAINROUTER";

fn alerts(call: &Call) -> Result<Vec<Value>> {
    let alerts = call.cloud.store.transaction(|db| Ok::<_, Failure>(journal::alerts(db)?))?;
    let wanted = alerts.into_iter().filter(|alert| {
        call.is("id", alert.id)
            && call.says("type", &alert.kind.to_string())
            && call.says("name", NAME)
            && call.mentions(&alert.subject)
    });
    let view = |alert: journal::Alert| {
        let mut view = json!({
            "id": alert.uuid.to_string(),
            "type": alert.kind,
            "description": alert.subject,
            "sent": api_time(&alert.sent),
        });
        if call.is_since(Release::V4_22) {
            view["name"] = json!(NAME);
        }
        view
    };
    Ok(wanted.map(view).collect())
}

fn events(call: &Call) -> Result<Vec<Value>> {
    // As the store has times; a bound may be a day or a moment.
    let bound =
        |name| call.arguments.text(name).map(|text| text.replace('T', " ").chars().take(19).collect::<String>());
    let (first, last) = (bound("startdate"), bound("enddate"));
    call.cloud.store.transaction(|db| {
        let scope = call.scope(db)?;
        let wanted = journal::events(db)?.into_iter().filter(|event| {
            scope.shows(event.owner)
                && call.is("id", event.id)
                && call.says("type", &event.kind)
                && call.says("level", &event.level)
                && call.says("state", &event.state)
                && first.as_ref().is_none_or(|first| event.created >= *first)
                && last.as_ref().is_none_or(|last| event.created.starts_with(last.as_str()) || event.created <= *last)
                && call.mentions(&event.description)
        });
        let view = |event: journal::Event| {
            let mut view = json!({
                "id": event.uuid.to_string(),
                "username": event.username,
                "type": event.kind,
                "level": event.level,
                "description": event.description,
                "state": event.state,
                "created": api_time(&event.created),
            });
            if let Some(parent) = event.parent {
                view["parentid"] = json!(parent.to_string());
            }
            add_owner(call, db, &mut view, event.owner)?;
            Ok(view)
        };
        wanted.map(view).collect()
    })
}
