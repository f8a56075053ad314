//! The language, value by value. What OpenNebula makes of each text was observed on 6.10.3 and 7.4.0 unless it says
//! that it was read in the lexer.

use super::*;
use crate::known::Known;

fn single(text: &str) -> Result<String, Refusal> {
    let template = Template::parse(text).map_err(|error| error.refusal)?;
    Ok(template.single("K").unwrap_or_else(|| panic!("{text:?} has no K: {template:?}")).to_owned())
}

fn names(text: &str) -> Vec<String> {
    Template::parse(text).unwrap().attributes().iter().map(|attribute| attribute.key.to_string()).collect()
}

#[test]
fn a_value_is_what_stands_between_the_quotes() {
    for (text, value) in [
        ("K=\"v\"", "v"),
        ("K = \t \"v\" ", "v"),
        ("K=v", "v"),
        ("K=\"\"", ""),
        ("K=\n", ""),
        ("K= \t\n", ""),
        ("K=\" v \"", " v "),
        ("K=\"two\nlines\"", "two\nlines"),
        ("K=\"a [ ] , = # < > & ' $\"", "a [ ] , = # < > & ' $"),
        ("K=\"a\\b\\\\c\"", "a\\b\\\\c"),
        ("K=\"say \\\"x\\\"\"", "say \"x\""),
        ("K=\"\\\\\\\"\"", "\\\\\""),
        ("K=\"Prüfung 災害 €\"", "Prüfung 災害 €"),
        ("K=simple/with:stuff;and{braces}", "simple/with:stuff;and{braces}"),
        ("K=it\"s", "it\"s"),
        ("K=C:\\dir\\\n", "C:\\dir\\"),
        ("K=v # a comment\n", "v"),
        ("K=v L=w", "v"),
        ("K=\"a\r\nb\"", "a\nb"),
    ] {
        assert_eq!(single(text).unwrap(), value, "{text:?}");
    }
}

/// Read in the lexer: the longest match counts, whatever it looks like.
#[test]
fn the_longest_match_counts() {
    // No other quote follows, so the escaped one ends the value; where one follows, the value runs on.
    assert_eq!(single("K=\"C:\\dir\\\"").unwrap(), "C:\\dir\\");
    assert!(matches!(single("K=\"C:\\dir\\\"\nL=\"w\""), Err(Refusal::Truncated)));
    // A bare word is longer than the quoted string at its start.
    assert_eq!(single("K=\"v\";").unwrap(), "\"v\";");
    assert!(matches!(single("K=\"v\"L=\"w\""), Err(Refusal::UnexpectedEqual)));
    // What a value cannot start with is skipped.
    assert_eq!(single("K==v").unwrap(), "v");
}

#[test]
fn what_opennebula_refuses_is_refused() {
    for text in [
        "K=",
        "K=v\n# comment at the end",
        "K=\n\"on the next line\"",
        "K-A=v",
        "K A=v",
        "K=a b",
        "K=a=b",
        "K=a,b",
        "K='a b'",
        "=v",
        "K",
        "K=[ A=1, ]",
        "K=[ A=, B=1 ]",
        "K=[ A=1",
        "K=[ A=[ B=1 ] ]",
        "K=[ A=1 B=2 ]",
        "K=[ A=\n]",
        "K=[ 1A=1 ]",
        "K=\"]]>\"",
        "K=\"line\n ]]> \"",
        "K=]]>",
        "K=\"a\u{0}b\"",
        "K=\"a\u{7}b\"",
        "K=\"\u{1F600}\"",
        "<K",
        "<T><K>v</K>",
        "<T><K><A><B>x</B></A></K></T>",
        "<T><K><![CDATA[a]]]]><![CDATA[>b]]></K></T>",
    ] {
        assert!(Template::parse(text).is_err(), "{text:?} was taken as {:?}", Template::parse(text));
    }
}

#[test]
fn what_opennebula_takes_is_taken() {
    for (text, keys) in [
        ("", vec![]),
        ("\n \t\n", vec![]),
        ("# only a comment\n", vec![]),
        ("!!! ; \u{feff} K=v", vec!["K"]),
        ("k=v\nK=w", vec!["K", "K"]),
        ("_x=1", vec!["_X"]),
        ("1a=v xmlFoo=w", vec!["ONE_1A", "ONE_XMLFOO"]),
        ("V=[ ]", vec![]),
        ("V=[\n  A = 1 ,\n  B=\"2\"\n]\nW=x", vec!["V", "W"]),
        ("#", vec![]),
        ("<TEMPLATE/>", vec![]),
        ("<x><k>v</k><Empty/><v><a>1</a></v></x>", vec!["K", "V"]),
    ] {
        assert_eq!(names(text), keys, "{text:?}");
    }
}

#[test]
fn of_a_name_that_is_twice_in_a_vector_the_first_counts() {
    let template = Template::parse("V=[ a=1, A=2, B=3 ]").unwrap();
    let vector = template.vectors("V").next().unwrap();
    assert_eq!(
        vector.iter().map(|(key, value)| (key.as_str(), value)).collect::<Vec<_>>(),
        [("A", "1"), ("B", "3")]
    );
}

#[test]
fn the_xml_form_keeps_the_case_of_inner_names_and_drops_what_has_no_text() {
    let template = Template::parse("<T><V><a>1</a><B/><C><![CDATA[]]></C></V></T>").unwrap();
    let vector = template.vectors("v").next().unwrap();
    assert_eq!(
        vector.iter().map(|(key, value)| (key.as_str(), value)).collect::<Vec<_>>(),
        [("a", "1"), ("C", "")]
    );
    assert_eq!(template.to_text().unwrap_err().unfit, Unfit::Key);
    assert_eq!(Template::parse(&template.to_xml().unwrap()).unwrap(), template);
}

fn with(value: &str) -> Template {
    let mut template = Template::new();
    template.push_vector(
        Key::new("CONTEXT").unwrap(),
        Vector::from_iter([(Key::new("A").unwrap(), value.to_owned())]),
    );
    template.push_single(Key::new("Z").unwrap(), "last \"quote\"");
    template
}

#[test]
fn what_a_form_cannot_carry_is_refused_by_name() {
    for (value, text, xml) in [
        ("C:\\my dir\\", Some(Unfit::TrailingBackslash), None),
        ("C:\\dir\\", None, None),
        ("\\", None, None),
        ("\"\\", None, None),
        ("a,b\\", Some(Unfit::TrailingBackslash), None),
        ("x]]>y", Some(Unfit::CdataEnd), Some(Unfit::CdataEnd)),
        ("x]]", None, None),
        (
            "\u{1F600}",
            Some(Unfit::Character(write::Codepoint('\u{1F600}'))),
            Some(Unfit::Character(write::Codepoint('\u{1F600}'))),
        ),
        (
            "\u{1b}[0m",
            Some(Unfit::Character(write::Codepoint('\u{1b}'))),
            Some(Unfit::Character(write::Codepoint('\u{1b}'))),
        ),
        ("a\rb", Some(Unfit::CarriageReturn), Some(Unfit::CarriageReturn)),
        (
            "\u{ffff}",
            Some(Unfit::Character(write::Codepoint('\u{ffff}'))),
            Some(Unfit::Character(write::Codepoint('\u{ffff}'))),
        ),
    ] {
        let template = with(value);
        for (form, expected) in [(template.to_text(), text), (template.to_xml(), xml)] {
            match (form, expected) {
                (Ok(form), None) => assert_eq!(Template::parse(&form).unwrap(), template, "{form}"),
                (Err(refused), Some(unfit)) => {
                    assert_eq!((refused.path.as_str(), refused.unfit), ("CONTEXT/A", unfit));
                }
                (form, expected) => panic!("{value:?}: {form:?}, expected {expected:?}"),
            }
        }
    }
}

/// The point of it all: no value, whatever is in it, may bring in an attribute.
#[test]
fn no_value_can_leave_its_quotes() {
    for value in [
        "\"\nDISK=[ IMAGE_ID=0 ]\nX=\"",
        "\", MAC=\"02:00:00:00:00:01",
        " ]\nNAME=\"other",
        "\\\"\nNAME=\"other",
        "\\",
        "x\\",
        "#\nNAME=\"other\"\n",
        "</A></CONTEXT><DISK><IMAGE_ID>0</IMAGE_ID></DISK><CONTEXT><A>",
        "<![CDATA[",
        "]]",
        "&lt;",
    ] {
        let template = with(value);
        for form in [template.to_text(), template.to_xml()] {
            let Ok(form) = form else { continue };
            assert_eq!(Template::parse(&form).unwrap(), template, "{form}");
        }
    }
}

#[test]
fn an_empty_vector_is_refused_because_nothing_would_be_stored() {
    let mut template = Template::new();
    template.push_vector(Key::new("V").unwrap(), Vector::new());
    assert_eq!(template.to_text().unwrap_err().unfit, Unfit::EmptyVector);
    assert_eq!(template.to_xml().unwrap_err().unfit, Unfit::EmptyVector);
    assert_eq!(template.refused().len(), 1);
}

#[test]
fn names_that_neither_form_has_are_no_names() {
    for name in ["", "1A", "A B", "A=B", "A:B", "A>", "-A", "a\"", "\u{1F600}"] {
        assert!(Key::new(name).is_err(), "{name:?}");
    }
}

#[test]
fn refusals_tell_line_and_column() {
    let error = Template::parse("A=\"1\"\nB=[ C=\"2\",\n  D ]\n").unwrap_err();
    assert_eq!((error.at.line, error.at.column), (4, 1), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!(
        "{:?}",
        Template::parse("CONTEXT=[ PASSWORD=hunter2, USER=root ] DB_PASSWORD=hunter2").unwrap()
    );
    assert!(shown.contains("root") && !shown.contains("hunter2"), "{shown}");
}

/// A vector of a hostile template: the cost must not grow with the square of its length.
#[test]
fn a_vector_of_a_hundred_thousand_names_is_read_at_once_and_keeps_the_first_of_two() {
    let mut text = String::from("V=[ A0=first");
    for number in (0..100_000).chain(0..10) {
        text.push_str(&format!(", a{number}=x"));
    }
    text.push_str(" ]");
    let template = Template::parse(&text).unwrap();
    let vector = template.vectors("V").next().unwrap();
    assert_eq!(vector.iter().count(), 100_000);
    assert_eq!(vector.get("A0"), Some("first"));
    let mut shorter = vector.clone();
    assert_eq!(shorter.remove("A7").as_deref(), Some("x"));
    shorter.push(Key::new("A7").unwrap(), "again");
    assert_eq!((shorter.get("A7"), shorter.iter().count()), (Some("again"), 100_000));
}

#[test]
fn a_long_line_of_signs_that_start_nothing_is_skipped_at_once() {
    for sign in ["#", "!", "# ", "\t#"] {
        let template = Template::parse(&sign.repeat(500_000)).unwrap();
        assert!(template.attributes().is_empty(), "{sign:?}");
    }
    assert!(Template::parse(&"A=\"x\" ".repeat(200_000)).is_ok());
}

#[test]
fn in_whatever_order_and_case_names_come_each_is_kept_once() {
    let listed: Vec<&str> = Known::ALL.iter().skip(1).map(|(_, name)| *name).collect();
    let lower: Vec<String> = listed.iter().map(|name| name.to_ascii_lowercase()).collect();
    let own: Vec<String> = (0..80).map(|n| format!("OWN_{n}")).collect();
    // Many in order, one out of order, one behind all, and that again.
    let mut vector = Vector::new();
    for name in listed[10..80].iter().chain(&listed[5..6]).chain(&listed[90..91]) {
        assert!(vector.push(Key::new(name).unwrap(), "x"), "{name}");
    }
    assert!(!vector.push(Key::new(listed[90]).unwrap(), "x"));
    let mut seed = 7_usize;
    for round in 0..200 {
        let mut vector = Vector::new();
        let mut expected: Vec<String> = Vec::new();
        for _ in 0..round {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = seed >> 33;
            // The first rounds have listed names alone, and later ones few enough for some to come again.
            let name = match (at % 7, round < 60) {
                (0, false) => own[at % own.len()].as_str(),
                (1, false) => lower[at % 90].as_str(),
                _ => listed[at % 90],
            };
            let is_new = !expected.iter().any(|old| old.eq_ignore_ascii_case(name));
            assert_eq!(vector.push(Key::new(name).unwrap(), "x"), is_new, "{name} after {expected:?}");
            if is_new {
                expected.push(name.to_owned());
            }
        }
        assert!(vector.iter().map(|(key, _)| key.as_str()).eq(expected.iter().map(String::as_str)));
    }
}
