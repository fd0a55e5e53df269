//! The conversation with the cloud.

use runner::record::ApiCall;
use serde::Serialize;

use crate::format;

/// One request, or a row of equal questions to which only the last answer matters.
#[derive(Serialize)]
pub struct Call<'a> {
    at: String,
    /// How often in a row it was asked, and when for the last time.
    times: usize,
    last: String,
    command: &'a str,
    parameters: &'a [(String, String)],
    status: u16,
    ok: bool,
    answer: String,
}

/// The calls in order. A client polls: `queryAsyncJobResult` of one job would fill pages.
pub fn calls(api: &[ApiCall]) -> Vec<Call<'_>> {
    api.chunk_by(polls_again).filter_map(call).collect()
}

fn polls_again(a: &ApiCall, b: &ApiCall) -> bool {
    let question = a.command.starts_with("query") || a.command.starts_with("list");
    question && a.command == b.command && a.parameters == b.parameters && a.status == b.status
}

fn call(row: &[ApiCall]) -> Option<Call<'_>> {
    let (first, last) = (row.first()?, row.last()?);
    Some(Call {
        at: format::clock(first.at_ms),
        times: row.len(),
        last: format::clock(last.at_ms),
        command: &first.command,
        parameters: &first.parameters,
        status: first.status,
        ok: (200..300).contains(&first.status),
        answer: indented(&last.answer),
    })
}

/// JSON on several lines; an answer that was shortened is no longer JSON and stays as it is.
fn indented(answer: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(answer);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| answer.to_owned())
}
