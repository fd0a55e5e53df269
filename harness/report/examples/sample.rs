//! Writes the report of a made-up run, to look at: `cargo run -p tunnelproof-report --example sample -- DIR`.

#[path = "../tests/sample/mod.rs"]
#[allow(dead_code, clippy::unwrap_used)]
mod sample;

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).map_or_else(|| PathBuf::from("target/proof/sample"), PathBuf::from);
    tunnelproof_report::write(&sample::record(), &dir)?;
    println!("{}", dir.join(tunnelproof_report::HTML).display());
    Ok(())
}
