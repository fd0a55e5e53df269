//! Requests as they arrive: a query string, a form, or both.

use std::fmt;

use percent_encoding::percent_decode_str;

/// The decoded parameters, named as they were sent. Of one that is repeated, the first counts.
pub(crate) struct Request(Vec<(String, String)>);

impl Request {
    pub(crate) fn parse(query: &str, form: &str) -> Self {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in [query, form].into_iter().flat_map(|part| part.split('&')).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            if !parameters.iter().any(|(known, _)| *known == name) {
                parameters.push((name, decode(value)));
            }
        }
        Self(parameters)
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
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_form_are_one() {
        let request = Request::parse("command=listZones&a=1+2%2B3", "b=%C3%BC&a=later&flag&=&");
        assert_eq!(request.get("COMMAND"), Some("listZones"));
        assert_eq!(request.get("a"), Some("1 2+3"));
        assert_eq!(request.get("b"), Some("ü"));
        assert_eq!(request.get("flag"), Some(""));
        assert_eq!(request.get("missing"), None);
    }

    #[test]
    fn what_is_not_an_escape_is_itself() {
        assert_eq!(Request::parse("a=100%&b=%zz&c=%ff", "").get("a"), Some("100%"));
    }

    #[test]
    fn values_are_not_printed() {
        let printed = format!("{:?}", Request::parse("ipsecpsk=secret", ""));
        assert_eq!(printed, r#"["ipsecpsk"]"#);
    }
}
