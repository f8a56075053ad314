//! Names and values that want to be something else: they arrive as they are, or are refused before anything is sent.

use lab::front_end::{Release, Setup};
use one_dr::FrontEnd;
use one_dr::frontend::{Error, Object, Update};
use opennebula_meta::Template;
use opennebula_meta::id::VmId;
use opennebula_meta::template::Key;

use super::{start, template};

const HOSTILE: [&str; 14] = [
    "plain",
    "Überprüfung – 災害復旧 – ñandú €",
    "quote \" and ' and `",
    "$(reboot) ${HOME} $1",
    "a\\b\\",
    "]] > ]]",
    "<VM><ID>0</ID></VM>",
    "&amp; &lt; &#x41;",
    "line one\nline two",
    "\ttab\t",
    "[A=\"1\", B=\"2\"]",
    "NAME=\"injected\"\nPERSISTENT=\"NO\"",
    "</string></value></param>",
    "# no comment",
];

/// Cannot be carried, with the number that the refusal names.
const IMPOSSIBLE: [(&str, &str); 6] = [
    ("emoji 😀", "U+1F600"),
    ("nul \0 byte", "U+0000"),
    ("bell \u{7}", "U+0007"),
    ("escape \u{1b}[2J", "U+001B"),
    ("carriage\rreturn", "carriage return"),
    ("end of data ]]>", "]]>"),
];

fn with(key: &str, value: &str) -> Template {
    let mut template = template("CPU=1\nMEMORY=64\n");
    template.push_single(Key::new(key).expect("a key"), value);
    template
}

#[test]
fn hostile_values_arrive_as_they_were() {
    for release in [Release::V6, Release::V7] {
        let (_oned, client) = start(Setup { release, ..Setup::default() });
        for value in HOSTILE {
            let mut machine = with("NOTE", value);
            machine.push_single(Key::new("NAME").expect("a key"), "vm");
            let id = client.allocate_vm(&machine, true).unwrap_or_else(|error| panic!("{value:?}: {error}"));
            let vm = client.vm(id).expect("an answer").expect("there");
            let note = vm.user_template().and_then(|node| node.value("NOTE")).expect("kept");
            let expected = if release == Release::V7 { value.trim() } else { value };
            assert_eq!(note, expected, "{release:?}");
            assert_eq!(vm.name(), "vm", "{value:?} injected nothing");
        }
    }
}

#[test]
fn what_cannot_be_carried_is_refused_before_it_is_sent() {
    let (oned, client) = start(Setup::default());
    let vm = client.allocate_vm(&template("NAME=vm\nCPU=1\nMEMORY=64\n"), true).expect("new");
    let calls = oned.calls().len();
    for (text, named) in IMPOSSIBLE {
        let refusals = [
            client.allocate_vm(&with("NOTE", text), true).map(drop),
            client.allocate_template(&with("NAME", text)).map(drop),
            client.update(Object::Vm(vm), &with("NOTE", text), Update::Merge),
        ];
        for refusal in refusals {
            let error = refusal.expect_err("it cannot be carried");
            let shown = error.to_string();
            assert!(matches!(error, Error::Refused { code: -503, .. }), "{shown}");
            assert!(shown.contains(named) && shown.contains("nothing was sent"), "{shown}");
            assert!(!shown.contains(text), "{shown}");
        }
        // XML-RPC itself carries an end of data; only templates cannot.
        if !text.contains("]]>") {
            let error = client.rename(Object::Vm(vm), text).expect_err("it cannot be carried");
            assert!(error.to_string().contains("nothing was sent"), "{error}");
        }
    }
    assert_eq!(oned.calls().len(), calls);
}

#[test]
fn names_that_opennebula_refuses_are_refused_with_its_words() {
    let (_oned, client) = start(Setup::default());
    client.allocate_vm(&template("NAME=vm\nCPU=1\nMEMORY=64\n"), true).expect("new");
    for (name, words) in [("a/b", "char '/' is not allowed"), ("", "cannot be empty"), ("a'b", "not allowed")]
    {
        let error = client.rename(Object::Vm(VmId(0)), name).expect_err("no name");
        assert!(matches!(error, Error::Refused { code: 2048, .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = client.rename(Object::Vm(VmId(0)), &"ü".repeat(65)).expect_err("130 bytes");
    assert!(error.to_string().contains("128"), "{error}");
    client.rename(Object::Vm(VmId(0)), "災害 (復旧) [1] 100% @ x=y").expect("a name like others");
}
