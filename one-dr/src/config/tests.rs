//! The file that the operator writes.

use super::{Config, EXAMPLE};

#[test]
fn the_example_is_read_and_says_what_holds_without_it() {
    let config = Config::parse(EXAMPLE).unwrap();
    let short =
        "[home]\nname = 'a'\nceph = {}\nopennebula = {}\n[recovery]\nname = 'b'\nceph = {}\nopennebula = {}";
    let short = Config::parse(short).unwrap();
    assert_eq!(config.settings(), short.settings());
    assert_eq!((config.runs, config.delete_delay_seconds), (short.runs, short.delete_delay_seconds));
    assert_eq!(config.home.ceph.change_seconds, short.home.ceph.change_seconds);
}

#[test]
fn a_key_that_is_not_known_is_an_error_that_names_its_line() {
    for (from, to) in [("rpo_seconds", "rpo_second"), ("[home.ceph]\nconf", "[home.ceph]\nconff")] {
        let text = EXAMPLE.replacen(from, to, 1);
        let line = text.lines().position(|line| line.starts_with(to.lines().last().unwrap())).unwrap() + 1;
        let error = Config::parse(&text).unwrap_err();
        assert!(error.contains(&format!("line {line}")) && error.contains("unknown field"), "{error}");
    }
}

#[test]
fn two_sites_of_one_name_are_refused() {
    let error = Config::parse(&EXAMPLE.replace("name = \"b\"", "name = \"a\"")).unwrap_err();
    assert!(error.contains("both sites"), "{error}");
}
