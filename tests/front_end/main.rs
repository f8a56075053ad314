//! The client of OpenNebula's XML-RPC against the lab's stand-in for oned, with everything that can go wrong between them.

mod calls;
mod capture;
mod faults;
mod names;
mod real;
mod tls;

use std::time::Duration;

use lab::front_end::{FrontEnd as StandIn, Setup};
use one_dr::frontend::{Endpoint, Oned, Options, Session};
use opennebula_meta::Template;

/// Short, for calls that are held up on purpose; long against what a loaded machine takes for one.
const HELD_UP: Duration = Duration::from_millis(1500);

/// A client of a stand-in.
fn client(oned: &StandIn, options: Options) -> Oned {
    let endpoint = Endpoint::new(&oned.url()).expect("an address");
    Oned::new("b", endpoint, Session::new(oned.session()).expect("credentials"), options)
        .expect("no file to read")
}

fn impatient() -> Options {
    Options { read_within: HELD_UP, list_within: HELD_UP, change_within: HELD_UP, ..Options::default() }
}

fn start(setup: Setup) -> (StandIn, Oned) {
    let oned = StandIn::start(setup).expect("a free port");
    let client = client(&oned, Options::default());
    (oned, client)
}

fn template(text: &str) -> Template {
    text.parse().expect("a template")
}

/// A replica as it is registered.
fn replica(name: &str) -> Template {
    template(&format!(
        "NAME=\"{name}\"\nTYPE=OS\nPERSISTENT=YES\nSOURCE=\"one/{name}\"\nFORMAT=raw\nSIZE=64\nDEV_PREFIX=vd\nONE_DR_IMAGE=\"g-{name}\"\n"
    ))
}

/// A VM on that replica.
fn vm_on(name: &str) -> Template {
    template(&format!(
        "NAME=\"{name}\"\nCPU=1\nMEMORY=64\nDISK=[IMAGE=\"{name}\",IMAGE_UNAME=oneadmin]\nNIC=[NETWORK=service,NETWORK_UNAME=oneadmin]\n\
         CONTEXT=[NETWORK=YES,PASSWORD=\"s3cret word\"]\nONE_DR_VM=\"a/{name}\"\n"
    ))
}
