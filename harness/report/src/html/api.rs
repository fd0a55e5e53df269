//! The conversation with the cloud.

use std::collections::HashMap;

use runner::record::ApiCall;
use serde::Serialize;
use serde_json::Value;

use crate::{
    format,
    secret::{MASK, is_secret, masked_answer},
};

/// One request. What a client asks again and again is told once: the job of a command with the
/// command, and a row of equal questions with the last answer.
#[derive(Serialize)]
pub struct Call<'a> {
    at: String,
    /// How often in a row it was asked, and when for the last time.
    times: usize,
    last: String,
    command: &'a str,
    parameters: Vec<(&'a str, String)>,
    status: u16,
    ok: bool,
    answer: String,
    job: Option<Job>,
}

/// The job that a command began, as the last question after it was answered.
#[derive(Serialize)]
struct Job {
    outcome: &'static str,
    ok: bool,
    at: String,
    polls: String,
    answer: String,
}

/// The calls in order, without those that only ask how a job is doing.
pub fn calls(api: &[ApiCall]) -> Vec<Call<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut jobs: HashMap<String, usize> = HashMap::new();
    for call in api {
        if let Some(&row) = job_asked_about(call).and_then(|job| jobs.get(job)) {
            rows[row].polls.push(call);
            continue;
        }
        match rows.last_mut() {
            Some(row) if asks_again(row.last, call) => {
                row.last = call;
                row.times += 1;
            }
            _ => {
                if let Some(job) = job_begun(call) {
                    jobs.insert(job, rows.len());
                }
                rows.push(Row { first: call, last: call, times: 1, polls: Vec::new() });
            }
        }
    }
    rows.into_iter().map(Call::new).collect()
}

struct Row<'a> {
    first: &'a ApiCall,
    last: &'a ApiCall,
    times: usize,
    /// Questions after the job that the call began.
    polls: Vec<&'a ApiCall>,
}

fn asks_again(a: &ApiCall, b: &ApiCall) -> bool {
    let question = a.command.starts_with("query") || a.command.starts_with("list");
    question && a.command == b.command && a.parameters == b.parameters && a.status == b.status
}

/// The job that a call asks about and gets an answer to.
fn job_asked_about(call: &ApiCall) -> Option<&str> {
    let asks = call.command == "queryAsyncJobResult" && succeeded(call);
    let job = call.parameters.iter().find(|(name, _)| name == "jobid");
    job.filter(|_| asks).map(|(_, job)| job.as_str())
}

/// The job that an answer names: `{"createvpcresponse":{"id":"...","jobid":"..."}}`.
fn job_begun(call: &ApiCall) -> Option<String> {
    let answer: Value = serde_json::from_str(&call.answer).ok()?;
    let job = answer.as_object()?.values().find_map(|response| response.get("jobid"))?;
    job.as_str().filter(|_| call.command != "queryAsyncJobResult").map(str::to_owned)
}

fn succeeded(call: &ApiCall) -> bool {
    (200..300).contains(&call.status)
}

impl<'a> Call<'a> {
    fn new(row: Row<'a>) -> Self {
        let Row { first, last, times, polls } = row;
        let parameter = |(name, value): &'a (String, String)| {
            (name.as_str(), if is_secret(name) { MASK.to_owned() } else { shortened(value) })
        };
        Self {
            at: format::clock(first.at_ms),
            times,
            last: format::clock(last.at_ms),
            command: &first.command,
            parameters: first.parameters.iter().map(parameter).collect(),
            status: first.status,
            ok: succeeded(first),
            answer: masked_answer(&last.answer),
            job: Job::new(&polls),
        }
    }
}

/// An identifier is told by its beginning; the API log has it in full.
fn shortened(value: &str) -> String {
    let hyphen = |(i, c): (usize, char)| if [8, 13, 18, 23].contains(&i) { c == '-' } else { c.is_ascii_hexdigit() };
    let identifier = value.len() == 36 && value.char_indices().all(hyphen);
    if identifier { format!("{}\u{2026}", &value[..8]) } else { value.to_owned() }
}

impl Job {
    fn new(polls: &[&ApiCall]) -> Option<Self> {
        let last = polls.last()?;
        let answer: Option<Value> = serde_json::from_str(&last.answer).ok();
        let status = answer.as_ref().and_then(Value::as_object).and_then(|answer| answer.values().next());
        let (outcome, ok) = match status.and_then(|response| response.get("jobstatus")).and_then(Value::as_i64) {
            Some(1) => ("job succeeded", true),
            Some(2) => ("job failed", false),
            Some(0) => ("job still running", true),
            _ => ("job asked about", true),
        };
        Some(Self {
            outcome,
            ok,
            at: format::clock(last.at_ms),
            polls: format::plural(polls.len(), "poll"),
            answer: masked_answer(&last.answer),
        })
    }
}
