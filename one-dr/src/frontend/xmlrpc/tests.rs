//! Recorded answers of 6.10.3 and 7.4.0, hostile ones, and anything at all.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::encode::Unfit;
use super::{Response, Value, call, response};

/// The body of a recorded answer.
fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/testdata/xmlrpc").join(name);
    let text = fs::read_to_string(path.with_extension("response.http")).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn elements(name: &str) -> Vec<Value> {
    match response(&recorded(name)) {
        Ok(Response::Value(Value::Array(values))) => values,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn recorded_answers_of_both_releases_are_read() {
    for (name, version) in [("6.10.3/system-version", "6.10.3"), ("7.4.0/system-version", "7.4.0")] {
        assert_eq!(elements(name), [Value::Bool(true), Value::text(version), Value::Int(0)]);
    }
    assert_eq!(
        elements("6.10.3-site-b/image-allocate-seed-template"),
        [Value::Bool(true), Value::Int(1), Value::Int(0)]
    );
    let text = "[one.image.info] Error getting image [9999].";
    for name in ["6.10.3/err-image-not-found", "7.4.0/err-image-not-found"] {
        let expected =
            [Value::Bool(false), Value::text(text), Value::Int(1024), Value::Int(9999), Value::Int(-1)];
        assert_eq!(elements(name), expected);
    }
    let Some(Value::Text(document)) = elements("6.10.3/vm-info").into_iter().nth(1) else {
        panic!("no document")
    };
    assert!(document.starts_with("<VM><ID>0</ID>") && document.ends_with("</VM>"));
    assert!(document.contains("<![CDATA[(\"CLUSTERS/ID\" @> 0)]]>"));
}

#[test]
fn recorded_faults_are_read() {
    for (name, code, text) in [
        ("6.10.3/fault-wrong-types", -501, "Parameter that is supposed to be integer is not"),
        ("7.4.0/fault-wrong-types", -501, "Parameter that is supposed to be integer is not"),
        ("6.10.3/fault-unknown-method", -506, "Method 'one.nope.info' not defined"),
    ] {
        assert_eq!(response(&recorded(name)), Ok(Response::Fault { code, text: text.to_owned() }));
    }
    assert!(response(&recorded("6.10.3/fault-empty-body")).is_err(), "an HTML page is no answer");
}

#[test]
fn every_part_of_a_recorded_answer_is_too_short() {
    for name in ["6.10.3/image-info", "6.10.3/err-image-not-found", "6.10.3/fault-wrong-types"] {
        let whole = recorded(name);
        let end = whole.trim_end().len();
        for length in (0..end).filter(|length| whole.is_char_boundary(*length)) {
            assert!(response(&whole[..length]).is_err(), "{name}: {length} of {end} bytes");
        }
    }
}

#[test]
fn hostile_answers_are_refused() {
    let value = |inner: &str| {
        format!("<methodResponse><params><param><value>{inner}</value></param></params></methodResponse>")
    };
    let nested = format!("{}{}", "<array><data><value>".repeat(5000), "</value></data></array>".repeat(5000));
    for (text, why) in [
        (value(&nested), "nesting"),
        (format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{}", value("<string>&a;</string>")), "a document type"),
        (value("<string>&a;</string>"), "an entity"),
        (value("<string><i4>1</i4></string>"), "a tag in a text"),
        (value("<i4>99999999999999999999</i4>"), "a number beyond 64 bit"),
        (value("<boolean>yes</boolean>"), "a boolean"),
        ("<html><body>502 Bad Gateway</body></html>".to_owned(), "a page"),
        ("\u{feff}".to_owned(), "nothing"),
    ] {
        assert!(response(&text).is_err(), "{why}");
    }
}

#[test]
fn values_without_a_type_and_of_unknown_types_are_carried() {
    let value = |inner: &str| {
        let text = format!(
            "<methodResponse><params><param><value>{inner}</value></param></params></methodResponse>"
        );
        match response(&text) {
            Ok(Response::Value(value)) => value,
            other => panic!("{inner}: {other:?}"),
        }
    };
    assert_eq!(value("plain &amp; simple"), Value::text("plain & simple"));
    assert_eq!(value(""), Value::text(""));
    assert_eq!(value("<string/>"), Value::text(""));
    assert_eq!(value("<string></string>"), Value::text(""));
    assert_eq!(value("<double>1.5</double>"), Value::Other("double".to_owned()));
    assert_eq!(value("<nil/>"), Value::Other("nil".to_owned()));
}

#[test]
fn what_cannot_be_carried_is_refused_by_its_number() {
    for bad in ['\0', '\u{1}', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{ffff}', '😀', '\u{10ffff}'] {
        let text = format!("a{bad}b");
        assert_eq!(call("one.vm.rename", &[Value::text(text)]).err(), Some(Unfit::Character(bad)));
    }
    assert_eq!(call("one.vm.info", &[Value::Int(1 << 31)]).err(), Some(Unfit::Number(1 << 31)));
    assert!(call("one.vm.rename", &[Value::text("Überprüfung – 災害復旧 \"'$(reboot)`\t\n")]).is_ok());
}

/// Reads a call as an answer is read: the two are written alike below `params`.
fn read_back(call: &str) -> Option<Vec<Value>> {
    let params = call.split_once("<params>")?.1.strip_suffix("</params></methodCall>\n")?;
    let values = params.replace("<param>", "").replace("</param>", "");
    let text = format!(
        "<methodResponse><params><param><value><array><data>{values}</data></array></value></param></params></methodResponse>"
    );
    match response(&text) {
        Ok(Response::Value(Value::Array(values))) => Some(values),
        _ => None,
    }
}

fn argument() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(|number| Value::Int(number.into())),
        any::<bool>().prop_map(Value::Bool),
        // What is near the edge, beside anything.
        prop_oneof![
            ".*",
            "[<>&'\"\\]\\[!CDATA\n\t ]{0,24}",
            "[\u{0}-\u{a0}]{0,8}",
            "[\u{fff0}-\u{1000f}]{0,4}"
        ]
        .prop_map(Value::Text),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_arrives_as_it_was_or_is_refused(arguments in prop::collection::vec(argument(), 0..4)) {
        let carried = |value: &Value| match value {
            Value::Text(text) => text.chars().all(|character| {
                matches!(character, '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}')
            }),
            _ => true,
        };
        match call("one.vm.allocate", &arguments) {
            Ok(text) => {
                prop_assert!(arguments.iter().all(carried));
                prop_assert_eq!(read_back(&text), Some(arguments));
            }
            Err(_) => prop_assert!(!arguments.iter().all(carried)),
        }
    }

    #[test]
    fn no_answer_makes_the_reader_panic(text in ".*") {
        let _ = response(&text);
    }

    #[test]
    fn no_change_of_a_recorded_answer_makes_the_reader_panic(at in 0..2000_usize, with in "[<>&/a-z]{0,6}", cut in 0..40_usize) {
        let mut text = recorded("6.10.3/err-image-not-found");
        let start = at % text.len();
        let end = (start + cut).min(text.len());
        text.replace_range(start..end, &with);
        let _ = response(&text);
    }
}
