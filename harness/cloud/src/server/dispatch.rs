//! From a request to its answer: who asks, what, and how the command is carried out.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Body, Cloud, Failure, Format, Request, identity};
use crate::{
    Level, LogLine,
    command::{Action, Answer, Arguments, Binding, Call, Caller, Command, Kind, List, Rows, Work, page},
    profile::fill,
    store::{Entity, job, journal, select::Page},
};

/// The answer's root element, and what is in it.
pub(crate) async fn answer(cloud: &Arc<Cloud>, request: &Request, format: Format) -> (String, Result<Body, Failure>) {
    // An unknown command fails verification, whoever sent it.
    let Some(command) = request.get("command").and_then(|name| Command::find(cloud.rules.release, name)) else {
        return ("errorresponse".to_owned(), Err(Failure::unauthorized()));
    };
    let root = format!("{}response", command.wire_name());
    let Some(caller) = identity::caller(cloud, request) else {
        return (root, Err(Failure::unauthorized()));
    };
    (root, answer_to(cloud, command, caller, request, format).await)
}

/// What somebody who is known is answered.
pub(crate) async fn answer_to(
    cloud: &Arc<Cloud>,
    command: &'static Command,
    caller: Caller,
    request: &Request,
    format: Format,
) -> Result<Body, Failure> {
    if !command.access.allows(caller.role) {
        let text = fill(cloud.rules.texts.command_not_available, &[&command.name]);
        return Err(Failure::unavailable_command(text));
    }
    let bound =
        cloud.store.read(|db| Arguments::bind(&Binding { db, rules: cloud.rules, command, caller: &caller }, request));
    let is_root = caller.is_root();
    let answer = match bound {
        Ok(arguments) => {
            let arguments = Arc::new(arguments);
            carry_out(Call { cloud: cloud.clone(), command, arguments, caller }, format).await
        }
        Err(failure) => Err(failure),
    };
    answer.map_err(|failure| if is_root { failure } else { failure.for_others() })
}

async fn carry_out(call: Call, format: Format) -> Result<Body, Failure> {
    let answer = match call.command.action {
        Action::Read(read) => read(&call).map(spoken),
        Action::List { object, rows: list } => return listed(&call, page(&call)?, object, format, list),
        Action::FreshList { object, refresh, rows: list } => {
            let page = page(&call)?;
            refresh(call.cloud.clone()).await;
            return listed(&call, page, object, format, list);
        }
        Action::Now(work) => now(call, work).await,
        Action::Job(work) => submit(&call, None, work),
        Action::Create { kind, entity, row, work } => match kind(call.cloud.rules) {
            Kind::Job => submit(&call, None, move |call| {
                Box::pin(async move {
                    let id = row(&call)?;
                    work(call, id).await
                })
            }),
            Kind::CreateThenJob => {
                let id = row(&call)?;
                submit(&call, Some((entity, id)), move |call| work(call, id))
            }
        },
    };
    answer.map(Body::Tree)
}

fn listed(call: &Call, page: Page, object: &'static str, format: Format, list: List) -> Result<Body, Failure> {
    let mut rows = Rows::new(object, format);
    let count = list(call, page, &mut rows)?;
    Ok(rows.answer(call.cloud.rules, count))
}

fn spoken(answer: Answer) -> Value {
    answer.into_json().unwrap_or_else(|| json!({}))
}

/// The work goes on even if the caller does not wait for it.
async fn now(call: Call, work: fn(Call) -> Work) -> Result<Value, Failure> {
    let turn = (call.command.vpc)(&call, None)?.map(|vpc| call.cloud.turns.queue(vpc));
    let (done, answer) = oneshot::channel();
    let cloud = call.cloud.clone();
    cloud.spawn(async move {
        let _turn = match turn {
            Some(turn) => Some(turn.come().await),
            None => None,
        };
        let outcome = attempt(work(call.clone())).await;
        let (level, text) = match &outcome {
            Ok(_) => (Level::Info, "Successfully completed"),
            Err(_) => (Level::Error, "Error while"),
        };
        note(&call, "Completed", level, |what| format!("{text} {what}"), 0);
        let _ = done.send(outcome);
    });
    answer.await.map_err(|_| Failure::stopping())?.map(spoken)
}

fn submit(
    call: &Call,
    created: Option<(Entity, i64)>,
    work: impl FnOnce(Call) -> Work + Send + 'static,
) -> Result<Value, Failure> {
    let cloud = &call.cloud;
    let turn = (call.command.vpc)(call, created.map(|(_, id)| id))?.map(|vpc| cloud.turns.queue(vpc));
    let class = call.command.class(cloud.rules);
    let submitted = cloud.store.transaction(|db| {
        let uuid = chosen_id(call, db)?;
        let instance = instance(call, created);
        let job = job::insert(db, call.caller.actor, uuid, &class, &call.arguments.to_json(), instance.as_ref())?;
        let mut answer = json!({ "jobid": job.uuid.to_string() });
        if let Some((entity, id)) = created {
            answer["id"] = json!(entity.uuid(db, id)?.to_string());
        }
        Ok::<_, Failure>((job, answer))
    });
    let (job, answer) = match submitted {
        Ok(submitted) => submitted,
        Err(failure) => {
            // Nobody will hear of the row.
            if let Some((entity, id)) = created {
                cloud.store.transaction(|db| entity.remove(db, id))?;
            }
            return Err(failure);
        }
    };
    let scheduled = note(call, "Scheduled", Level::Info, str::to_owned, 0);
    let call = call.clone();
    call.cloud.clone().spawn(async move {
        let _turn = match turn {
            Some(turn) => Some(turn.come().await),
            None => None,
        };
        note(&call, "Started", Level::Info, str::to_owned, scheduled);
        let outcome = attempt(work(call.clone())).await;
        finish(&call, job.id, outcome, scheduled);
    });
    Ok(answer)
}

/// Clients may choose the id of a job, so that they find it even if they miss the answer.
fn chosen_id(call: &Call, db: &rusqlite::Connection) -> Result<Option<Uuid>, Failure> {
    let Some(text) = call.arguments.text("customjobid") else { return Ok(None) };
    let uuid: Uuid =
        text.parse().map_err(|_| Failure::invalid(format!("Parameter customjobid value={text} is not a UUID")))?;
    match Entity::Job.resolve(db, &uuid.to_string(), false)? {
        None => Ok(Some(uuid)),
        Some(_) => Err(Failure::invalid(format!("A job with id {uuid} exists already"))),
    }
}

/// What queryAsyncJobResult says that the job is about.
fn instance(call: &Call, created: Option<(Entity, i64)>) -> Option<job::Instance> {
    let customer_gateway = call.command.name.ends_with("VpnCustomerGateway");
    match call.cloud.rules.customer_gateway_instance {
        Some(kind) if customer_gateway => {
            let id = created.map(|(_, id)| id).or_else(|| call.arguments.id("id"))?;
            Some(job::Instance { kind: kind.to_owned(), id })
        }
        _ => created.map(|(_, id)| job::Instance { kind: "None".to_owned(), id }),
    }
}

/// Whoever waits for the work is told even if it panics.
async fn attempt(work: Work) -> Result<Answer, Failure> {
    let broke_off = |_| Err(Failure::internal("the work broke off: an error in the service"));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(broke_off)
}

fn finish(call: &Call, job: i64, outcome: Result<Answer, Failure>, scheduled: i64) {
    let (status, code, result) = match outcome {
        Ok(answer) => (job::Status::Succeeded, 0, answer.into_json()),
        Err(failure) => (job::Status::Failed, failure.job_code(), Some(failure.to_job_result())),
    };
    match status {
        job::Status::Failed => note(call, "Completed", Level::Error, |what| format!("Error while {what}"), scheduled),
        _ => note(call, "Completed", Level::Info, |what| format!("Successfully completed {what}"), scheduled),
    };
    // If the store cannot be written the job stays unfinished, and fails at the next start.
    let _ = call.cloud.store.transaction(|db| job::finish(db, job, status, code, result.as_ref()));
}

/// The row of an event. One that cannot be written down must not keep a job from being done.
fn note(call: &Call, state: &'static str, level: Level, text: impl Fn(&str) -> String, scheduled: i64) -> i64 {
    let Some(event) = &call.command.event else { return 0 };
    let (cloud, kind) = (&call.cloud, event.kind);
    let text = text(event.description);
    let step = journal::Step { kind, state, level, text: &text };
    let row = cloud.store.transaction(|db| journal::event(db, call.caller.actor, &step, scheduled));
    let account = call.caller.account.to_string();
    cloud.log(LogLine { level, kind, step: state, account, subject: String::new(), text });
    row.unwrap_or_default()
}
