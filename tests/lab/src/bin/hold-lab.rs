//! Holds a lab for as long as this process lives: `hold-lab DIR [cut]`. However it ends, the lab goes with it, and with
//! `cut` so does what keeps its sites from each other.

use std::env;
use std::error::Error;
use std::io::{self, Read};

use lab::{Lab, Options, Owner};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).ok_or("usage: hold-lab DIR [cut]")?;
    let cut = env::args_os().nth(2).is_some_and(|word| word == "cut");
    let lab = Lab::up(Options { dir: dir.into(), owner: Owner::Process, ..Options::default() })?;
    if cut {
        lab.cut()?;
    }
    println!("up: {}; ends with its standard input", lab.dir().display());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
