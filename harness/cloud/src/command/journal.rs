//! What the service has to report of its own accord: alerts and events.

use serde_json::{Value, json};

use super::{Action, Call, Command, Parameter, Result, Type, no_vpc, vpc::add_owner};
use crate::{
    server::Failure,
    store::{Entity, api_time, journal},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listAlerts",
        parameters: &[Parameter::optional("type", Type::Text)],
        action: Action::List { object: "alert", rows: alerts },
        vpc: no_vpc,
        event: None,
    },
    Command {
        name: "listEvents",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Event)),
            Parameter::optional("type", Type::Text),
            Parameter::optional("level", Type::Text),
        ],
        action: Action::List { object: "event", rows: events },
        vpc: no_vpc,
        event: None,
    },
];

fn alerts(call: &Call) -> Result<Vec<Value>> {
    let alerts = call.cloud.store.transaction(|db| Ok::<_, Failure>(journal::alerts(db)?))?;
    let wanted = alerts.into_iter().filter(|alert| call.says("type", &alert.kind.to_string()));
    let view = |alert: journal::Alert| {
        json!({
            "id": alert.uuid.to_string(),
            "type": alert.kind,
            "description": alert.subject,
            "sent": api_time(&alert.sent),
        })
    };
    Ok(wanted.map(view).collect())
}

fn events(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let wanted = journal::events(db)?.into_iter().filter(|event| {
            call.is("id", event.id) && call.says("type", &event.kind) && call.says("level", &event.level)
        });
        let view = |event: journal::Event| {
            let mut view = json!({
                "id": event.uuid.to_string(),
                "username": "admin",
                "type": event.kind,
                "level": event.level,
                "description": event.description,
                "state": event.state,
                "created": api_time(&event.created),
            });
            if let Some(parent) = event.parent {
                view["parentid"] = json!(parent.to_string());
            }
            add_owner(db, &mut view, event.owner)?;
            Ok(view)
        };
        wanted.map(view).collect()
    })
}
