//! An account as text for a terminal: the conversation message by message, then what came of it.

mod accounts;
mod conversation;
mod page;

use wire::audit::Account;

use page::Page;

/// How the text is to look.
#[derive(Clone, Copy)]
pub struct Style {
    /// In columns.
    pub width: usize,
    /// Makes a word stand out; never changes how wide it is.
    pub paint: fn(Tone, &str) -> String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Heading,
    Good,
    Bad,
    /// Neither: it could not be seen.
    Open,
}

impl Style {
    /// A terminal's width where it is not known.
    pub const WIDTH: usize = 80;

    pub fn plain(width: usize) -> Self {
        Self { width, paint: |_, text| text.to_owned() }
    }
}

/// The account in words. What is left unjudged is told before what is judged.
pub fn render(account: &Account, unjudged: &[String], style: Style) -> String {
    let mut page = Page::new(style);
    conversation::write(&mut page, account);
    accounts::negotiations(&mut page, account);
    accounts::sas(&mut page, account);
    accounts::rekeys(&mut page, account);
    accounts::points(&mut page, account);
    if !unjudged.is_empty() {
        page.heading("Not judged");
        for text in unjudged {
            page.paragraph(2, text);
        }
    }
    accounts::findings(&mut page, account);
    page.finish()
}
