//! A stand-in for oned as a process: `front-end SETUP.json`. It says where it listens, and lives until it is killed.

use std::env;
use std::error::Error;
use std::fs;

use lab::front_end::{FrontEnd, Setup};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: front-end SETUP.json")?;
    let setup: Setup = serde_json::from_str(&fs::read_to_string(path)?)?;
    let oned = FrontEnd::start(setup)?;
    println!("{}", oned.url());
    oned.serve();
    Ok(())
}
