//! A real front-end, if one is given: reads alone, nothing is changed.

use std::env;

use one_dr::FrontEnd;
use one_dr::frontend::{Oned, Options};

#[test]
fn a_real_front_end_that_is_given_is_read_as_the_stand_in_is() {
    if env::var_os("ONE_XMLRPC").is_none() || env::var_os("ONE_AUTH").is_none() {
        println!("not run: ONE_XMLRPC and ONE_AUTH name no front-end");
        return;
    }
    let client = Oned::from_environment("given", Options::default()).expect("credentials and an address");
    client.version().expect("it answers");
    let (vms, images) = (client.vms().expect("VMs"), client.images().expect("images"));
    for vm in vms.iter().take(5) {
        assert_eq!(client.vm(vm.id()).expect("an answer").map(|vm| vm.id()), Some(vm.id()));
    }
    let in_parts =
        Oned::from_environment("given", Options { page: 2, ..Options::default() }).expect("the same");
    assert_eq!(in_parts.images().expect("images").len(), images.len());
    client.templates().expect("templates");
    client.networks().expect("networks");
    assert!(!client.datastores().expect("datastores").is_empty());
    client.hosts().expect("hosts");
    assert!(!client.users().expect("users").is_empty() && !client.groups().expect("groups").is_empty());
}
