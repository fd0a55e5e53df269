//! Makes the views of a run again, to look at: `cargo run -p tunnelproof-report --example views -- DIR`.

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let dir =
        env::args_os().nth(1).map(PathBuf::from).ok_or("give the folder of a run, which holds its record.json")?;
    tunnelproof_report::write_views(&tunnelproof_report::read(&dir)?, &dir)?;
    println!("{}", dir.join(tunnelproof_report::HTML).display());
    Ok(())
}
