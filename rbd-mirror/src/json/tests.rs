//! What is read of a JSON text, held against serde_json and std.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::json;

use super::{DEPTH, Field, Tree, Value, command, fields, first, parse};

#[test]
fn what_is_asked_for_is_found_and_the_rest_is_passed_over() {
    let json =
        r#"{"b":[1,{"a":2}],"a":-3,"c":{"tag_tid":1,"x":[],"entry_tid":2},"d":"\u0041\"","e":null,"f":{}}"#;
    let [a, b, c, d, e, f, g] = fields(json, ["a", "b", "c", "d", "e", "f", "g"]).unwrap();
    assert_eq!((a.integer(), a.number(), a.seconds()), (Some(-3), None, None));
    assert_eq!(c.position().map(|position| (position.tag_tid, position.entry_tid)), Some((1, 2)));
    assert!(matches!((&b, &e, &f, &g), (Field::Other, Field::Other, Field::Position(None), Field::Absent)));
    assert_eq!(d.text().as_deref(), Some("A\""));
}

#[test]
fn a_number_is_what_it_is_written_as() {
    let json = r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":18446744073709551616,"d":0.5,"e":1e3,"f":-0.0}"#;
    let [a, b, c, d, e, f] = fields(json, ["a", "b", "c", "d", "e", "f"]).unwrap();
    assert!(matches!((&a, &b), (Field::Unsigned(u64::MAX), Field::Negative(i64::MIN))), "{a:?} {b:?}");
    assert_eq!(
        [c, d, e, f].map(|field| field.number()),
        [1.844_674_407_370_955_2e19, 0.5, 1e3, 0.0].map(Some)
    );
}

#[test]
fn what_is_no_object_or_more_than_one_is_refused() {
    for json in
        ["", "[]", "1", "{", r#"{"a":}"#, "{} {}", r#"{"a":1"#, r#"{"a":1,}"#, r#"{"a" 1}"#, r#"{"a":01}"#]
    {
        assert!(fields(json, ["a"]).is_none(), "{json}");
    }
}

#[test]
fn what_nests_too_deeply_is_refused_and_ends_nothing() {
    // So many arrays in an object, with a number in the innermost.
    let nested = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let read = |json: &str| {
        let asked = [fields(json, ["a"]).is_some(), fields(json, ["b"]).is_some()];
        let whole = [parse(json.as_bytes()).is_some(), first(json.as_bytes()).is_some()];
        assert_eq!(asked, whole, "{}", json.len());
        whole[0]
    };
    assert!(read(&nested(DEPTH - 2)));
    assert!(!read(&nested(DEPTH - 1)));
    assert!(!read(&nested(1_000_000)));
}

#[test]
fn the_first_value_is_read_whatever_follows_it() {
    assert_eq!(first(b"[1] listed 1 entries").unwrap().items().map(<[_]>::len), Some(1));
    assert!(parse(b"[1] listed 1 entries").is_none());
    assert!(first(b"listed 1 entries").is_none());
}

#[test]
fn escapes_are_read_as_what_they_stand_for_and_half_a_character_is_refused() {
    let text = |escaped: &str| fields(&format!(r#"{{"a":"{escaped}"}}"#), ["a"]).and_then(|[a]| a.text());
    assert_eq!(text(r#"\n\t\b\f\r\/\\\"\u0001"#).as_deref(), Some("\n\t\u{8}\u{c}\r/\\\"\u{1}"));
    assert_eq!(text(r"\ud83d\ude00").as_deref(), Some("\u{1f600}"));
    for half in [r"\ud800", r"\udc00", r"\ud800\u0041", r"\u12", r"\x", "\\"] {
        assert_eq!(text(half), None, "{half}");
    }
}

#[test]
fn of_two_members_of_a_name_the_last_one_counts() {
    let json = r#"{"a":1,"a":2}"#;
    assert_eq!(fields(json, ["a"]).and_then(|[a]| a.integer()), Some(2));
    assert_eq!(parse(json.as_bytes()).unwrap().get("a").and_then(Value::unsigned), Some(2));
}

/// The same as serde_json reads.
fn same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match theirs {
        serde_json::Value::Null => matches!(ours, Value::Null),
        serde_json::Value::Bool(boolean) => ours.boolean() == Some(*boolean),
        serde_json::Value::Number(number) => ours.unsigned() == number.as_u64(),
        serde_json::Value::String(text) => ours.text() == Some(text),
        serde_json::Value::Array(items) => ours
            .items()
            .is_some_and(|ours| ours.len() == items.len() && ours.iter().zip(items).all(|(a, b)| same(a, b))),
        serde_json::Value::Object(members) => {
            ours.members().len() == members.len()
                && members.iter().all(|(name, theirs)| ours.get(name).is_some_and(|ours| same(ours, theirs)))
        }
    }
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|boolean| json!(boolean)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        "(?s).{0,20}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| json!(items)),
            prop::collection::btree_map("(?s).{0,8}", inner, 0..6).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #[test]
    fn a_document_is_read_as_serde_json_reads_it(document in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        assert!(same(&parse(text.as_bytes()).unwrap(), &document), "{text}");
        let object = json!({"before": document, "a": 7});
        assert_eq!(fields(&object.to_string(), ["a"]).and_then(|[a]| a.integer()), Some(7));
    }

    #[test]
    fn a_number_is_what_std_reads_and_refused_where_serde_json_refuses_it(
        number in "-?[0-9]{1,22}(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        behind in "[,}\\] x]",
    ) {
        let rest = if behind == "," { "\"b\":1}" } else { "" };
        let text = format!("{{\"a\":{number}{behind}{rest}");
        let read = fields(&text, ["a"]).map(|[a]| a);
        assert_eq!(read.is_some(), serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
        if let Some(read) = read {
            let (unsigned, integer) = (number.parse::<u64>().ok(), number.parse::<i64>().ok());
            assert_eq!((read.unsigned(), read.integer()), (unsigned, integer), "{text}");
            let negative = unsigned.is_none() && integer.is_some();
            let float = number.parse::<f64>().ok().filter(|float| *float >= 0.0 && !negative);
            assert_eq!(read.number(), float, "{text}");
        }
    }

    #[test]
    fn what_serde_json_refuses_is_refused_and_nothing_else(
        text in "\\{?\"?[\\[\\]{}:,\"0-9a-ce.truefalsn \\\\-]{0,40}\\}?",
    ) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // A number beyond all floats is one to us, of which nothing is made.
        if !theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
            let ours = parse(text.as_bytes());
            assert_eq!(ours.is_some(), theirs.is_ok(), "{text}");
            assert_eq!(fields(&text, ["a", "b"]).is_some(), theirs.is_ok_and(|value| value.is_object()), "{text}");
        }
        let first_of_theirs = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>().next();
        if let (Some(ours), Some(Ok(theirs))) = (first(text.as_bytes()), first_of_theirs) {
            assert!(same(&ours, &theirs), "{text}");
        }
    }

    #[test]
    fn a_command_says_its_texts_and_no_more(prefix in "(?s).{0,20}", text in "(?s).{0,20}") {
        let written = command(&[("prefix", &prefix), ("addr", &text)]);
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read, json!({"prefix": prefix, "addr": text}));
        let [addr, prefix_read] = fields(&written, ["addr", "prefix"]).unwrap();
        assert_eq!((prefix_read.text(), addr.text()), (Some(prefix), Some(text)));
    }

    #[test]
    fn no_input_makes_it_panic(any in any::<String>(), bytes in any::<Vec<u8>>()) {
        let _ = fields(&any, ["a"]);
        let _ = (parse(&bytes), first(&bytes));
    }
}
