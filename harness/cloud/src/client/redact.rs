//! Pre-shared keys, and what users sign with, taken out of what is shown.

use serde_json::Value;

const SECRETS: [&str; 4] = ["ipsecpsk", "apikey", "secretkey", "password"];
const HIDDEN: &str = "***";

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

pub(super) fn parameters(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    let shown = |name: &str, value: &str| if is_secret(name) { HIDDEN } else { value }.to_owned();
    parameters.iter().map(|&(name, value)| (name.to_owned(), shown(name, value))).collect()
}

pub(super) fn answer(mut answer: Value) -> Value {
    hide(&mut answer);
    answer
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_secret(name) {
                    *field = Value::from(HIDDEN);
                } else {
                    hide(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_hidden_wherever_they_are() {
        let shown = answer(json!({ "r": { "vpnconnection": [{ "ipsecpsk": "secret", "id": "1" }], "secretkey": 1 } }));
        assert_eq!(shown, json!({ "r": { "vpnconnection": [{ "ipsecpsk": "***", "id": "1" }], "secretkey": "***" } }));
        assert_eq!(parameters(&[("ipsecPsk", "secret"), ("a", "b")])[0].1, "***");
    }
}
