//! Colours, on terminals whose user did not decline them (`NO_COLOR`).

use std::{
    io::{self, IsTerminal},
    sync::OnceLock,
};

use runner::record::Verdict;

pub fn red(text: &str) -> String {
    paint("31", text)
}

pub fn green(text: &str) -> String {
    paint("32", text)
}

pub fn yellow(text: &str) -> String {
    paint("33", text)
}

pub fn verdict(verdict: Verdict, text: &str) -> String {
    match verdict {
        Verdict::Proven => green(text),
        Verdict::Refuted | Verdict::Broken => red(text),
        Verdict::Unsupported | Verdict::Skipped => yellow(text),
    }
}

fn paint(code: &str, text: &str) -> String {
    static WANTED: OnceLock<bool> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !declined && io::stderr().is_terminal() && io::stdout().is_terminal()
    });
    if *wanted { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
