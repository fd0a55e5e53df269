//! No view shows a secret, not even one that a record holds by mistake.
//!
//! The record replaces secrets where it is made. The views mask them once more: a report is what gets
//! mailed around.

use serde_json::Value;

pub const MASK: &str = "***";

/// Names of parameters and of members of answers, in lower case.
const SECRETS: [&str; 9] =
    ["ipsecpsk", "presharedkey", "psk", "password", "apikey", "secretkey", "signature", "sessionkey", "privatekey"];

pub fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// An answer in JSON on several lines, without its secrets. One that was shortened is no longer JSON
/// and stays as it is from its first character to the first secret.
pub fn masked_answer(answer: &str) -> String {
    match serde_json::from_str::<Value>(answer) {
        Ok(mut value) => {
            mask(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        Err(_) => {
            let lower = answer.to_ascii_lowercase();
            let first = SECRETS.iter().filter_map(|name| lower.find(&format!("\"{name}\""))).min();
            first.map_or_else(|| answer.to_owned(), |at| format!("{}{MASK}", &answer[..at]))
        }
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) {
                    *member = Value::String(MASK.to_owned());
                } else {
                    mask(member);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_at_any_depth_and_in_half_an_answer() {
        let whole = masked_answer(r#"{"a":[{"ipsecpsk":"hunter2","gateway":"203.0.113.2"}]}"#);
        assert!(whole.contains(r#""ipsecpsk": "***""#) && whole.contains("203.0.113.2"), "{whole}");
        assert_eq!(masked_answer(r#"{"a":{"id":"1","ipsecPsk":"hunt"#), r#"{"a":{"id":"1",***"#);
        assert_eq!(masked_answer("no JSON"), "no JSON");
    }
}
