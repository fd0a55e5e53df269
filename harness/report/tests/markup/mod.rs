//! A strict reader of the report's markup: every tag closed in order, every attribute quoted.

use std::collections::BTreeSet;

/// What a page is made of, or what is wrong with it.
#[derive(Debug, Default)]
pub struct Markup {
    pub ids: BTreeSet<String>,
    pub hrefs: Vec<String>,
    pub scripts: usize,
}

pub fn read(html: &str) -> Result<Markup, String> {
    let mut markup = Markup::default();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no document type")?;
    while let Some(at) = rest.find('<') {
        text(&rest[..at])?;
        rest = &rest[at + 1..];
        let end = rest.find('>').ok_or("a tag without end")?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop().ok_or(format!("</{name}> was never opened"))?;
            if opened != name {
                return Err(format!("</{name}> closes <{opened}>"));
            }
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
        markup.attributes(attributes).map_err(|error| format!("<{tag}>: {error}"))?;
        if tag.ends_with('/') {
            continue;
        }
        if matches!(name, "style" | "script") {
            markup.scripts += usize::from(name == "script");
            let close = format!("</{name}>");
            let (_, after) = rest.split_once(&close).ok_or(format!("<{name}> without end"))?;
            rest = after;
            continue;
        }
        open.push(name);
    }
    if open.is_empty() { Ok(markup) } else { Err(format!("left open: {open:?}")) }
}

/// Every ampersand begins a reference, and no control character is there.
fn text(text: &str) -> Result<(), String> {
    if let Some(control) = text.chars().find(|c| c.is_ascii_control() && !"\n\t\r".contains(*c)) {
        return Err(format!("control character {control:?}"));
    }
    for (at, _) in text.match_indices('&') {
        let reference = text[at..].split(';').next().unwrap_or_default();
        if !matches!(reference, "&amp" | "&lt" | "&gt" | "&quot" | "&#39") {
            return Err(format!("stray ampersand in `{text}`"));
        }
    }
    Ok(())
}

impl Markup {
    fn attributes(&mut self, attributes: &str) -> Result<(), String> {
        let mut rest = attributes.trim_end_matches('/').trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once("=\"").ok_or("an attribute without quotes")?;
            let (value, after) = after.split_once('"').ok_or("an attribute without end")?;
            if !name.trim().chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c.is_ascii_digit()) {
                return Err(format!("the attribute `{name}`"));
            }
            if name.trim().starts_with("on") {
                return Err("an event handler".into());
            }
            text(value)?;
            match name.trim() {
                "id" if !self.ids.insert(value.to_owned()) => return Err(format!("the id `{value}` again")),
                "href" | "src" => self.hrefs.push(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }
}
