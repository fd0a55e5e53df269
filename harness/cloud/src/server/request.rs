//! Requests as they arrive: a query string, a form, or both.

use std::{collections::HashSet, fmt};

use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use super::{Failure, limit};

/// The decoded parameters, named as they were sent. Of one that is repeated, the first counts.
pub(crate) struct Request(Vec<(String, String)>);

impl Request {
    pub(crate) fn parse(query: &str, form: &str) -> Result<Self, Failure> {
        let pairs = || [query, form].into_iter().flat_map(|part| part.split('&')).filter(|pair| !pair.is_empty());
        if pairs().nth(limit::PARAMETERS).is_some() {
            let text = format!("a request has {} parameters at most", limit::PARAMETERS);
            return Err(Failure::http(StatusCode::BAD_REQUEST, text));
        }
        let (mut parameters, mut known) = (Vec::new(), HashSet::new());
        for pair in pairs() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            if known.insert(name.clone()) {
                parameters.push((name, decode(value)));
            }
        }
        Ok(Self(parameters))
    }

    /// Names are not case-sensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Values may be secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

fn decode(text: &str) -> String {
    if text.contains('+') {
        percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    } else {
        percent_decode_str(text).decode_utf8_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn query_and_form_are_one() {
        let request = Request::parse("command=listZones&a=1+2%2B3", "b=%C3%BC&a=later&flag&=&").unwrap();
        assert_eq!(request.get("COMMAND"), Some("listZones"));
        assert_eq!(request.get("a"), Some("1 2+3"));
        assert_eq!(request.get("b"), Some("ü"));
        assert_eq!(request.get("flag"), Some(""));
        assert_eq!(request.get("missing"), None);
    }

    #[test]
    fn what_is_not_an_escape_is_itself() {
        let request = Request::parse("a=100%&b=%zz&c=%ff", "").unwrap();
        assert_eq!(
            [request.get("a"), request.get("b"), request.get("c")],
            [Some("100%"), Some("%zz"), Some("\u{fffd}")]
        );
    }

    #[test]
    fn values_are_not_printed() {
        let printed = format!("{:?}", Request::parse("ipsecpsk=secret", "").unwrap());
        assert_eq!(printed, r#"["ipsecpsk"]"#);
    }
}
