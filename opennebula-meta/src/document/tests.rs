//! Both readers, the well-meant and the hostile.

use std::io::{BufReader, Cursor, Read, Result as IoResult};

use super::*;

fn why(text: &str) -> Why {
    Document::parse(text).expect_err(text.get(..60).unwrap_or(text)).why
}

#[test]
fn xml_indented_xml_and_json_of_the_same_object_are_the_same_document() {
    let flat = "<VM><ID>1</ID><T><A><![CDATA[x & y]]></A><D><I>0</I></D><D><I>1</I></D></T></VM>";
    let indented = "<?xml version=\"1.0\"?>\n<!-- c -->\n<VM xmlns=\"http://opennebula.org/XMLSchema\">\n  <ID>1</ID>\n  <T>\n    \
                    <A>x &amp; y</A>\n    <D>\n <I>0</I></D>\n    <D><I>1</I></D>\n  </T>\n</VM>\n";
    let json = r#"{"VM": {"ID": "1", "T": {"A": "x & y", "D": [{"I": "0"}, {"I": 1}]}}}"#;
    let [flat, indented, json] = [flat, indented, json].map(|text| Document::parse(text).unwrap().to_xml());
    assert_eq!(flat, indented);
    assert_eq!(flat, json);
    assert_eq!(Document::parse(&flat).unwrap().to_xml(), flat);
}

#[test]
fn values_keep_every_character() {
    let text = "<V><A><![CDATA[ a\n b ]]></A><B> plain  </B><C>a &amp; &lt; b</C><D><![CDATA[x]]></D><E>  </E>\
                <F>\n <![CDATA[f]]>\n</F><G>&#65;&#x20AC;</G><H><![CDATA[x]]]]><![CDATA[>y]]></H><I><![CDATA[  ]]></I></V>";
    let document = Document::parse(text).unwrap();
    let root = document.root();
    for (name, value) in [
        ("A", " a\n b "),
        ("B", " plain  "),
        ("C", "a & < b"),
        ("D", "x"),
        ("E", ""),
        ("F", "f"),
        ("G", "A€"),
        ("H", "x]]>y"),
        ("I", "  "),
    ] {
        assert_eq!(root.value(name), Some(value), "{name}");
    }
    assert_eq!(Document::parse(&document.to_xml()).unwrap().to_xml(), document.to_xml());
}

#[test]
fn places_are_line_column_and_path() {
    let text = "<VM>\n  <T><D><S>1</S></D>\n    <D><X/><S>no</S></D></T>\n</VM>";
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let document = Document::parse(&text).unwrap();
        let disk = document.root().child("T").unwrap().all("D").nth(1).unwrap();
        let error = disk.number::<u32>("S").unwrap_err();
        assert_eq!((error.at.line, error.at.column, error.at.path.as_str()), (3, 12, "VM/T/D[1]/S"));
        let error = disk.required("SOURCE").unwrap_err();
        assert_eq!((error.at.line, error.at.column, error.at.path.as_str()), (3, 5, "VM/T/D[1]"));
    }
    let json = "{\"VM\": {\n  \"T\": {\"D\": [\n    {\"S\": \"x\"}]}}}";
    let document = Document::parse(json).unwrap();
    let disk = document.root().child("T").unwrap().child("D").unwrap();
    let error = disk.number::<u32>("S").unwrap_err();
    assert_eq!((error.at.line, error.at.column, error.at.path.as_str()), (3, 11, "VM/T/D/S"));
}

#[test]
fn every_prefix_of_a_document_is_refused_as_truncated() {
    let xml = "<VM><ID>1</ID><T><A><![CDATA[x]]></A><!-- c --></T></VM>";
    for end in 0..xml.len() {
        let wrong = why(&xml[..end]);
        assert!(matches!(wrong, Why::Truncated), "{:?}: {wrong:?}", &xml[..end]);
    }
    let json = r#"{"VM": {"ID": "1", "T": {"A": ["x"]}}}"#;
    for end in 1..json.len() {
        let wrong = why(&json[..end]);
        assert!(matches!(wrong, Why::Truncated), "{:?}: {wrong:?}", &json[..end]);
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_reason() {
    assert!(matches!(why("<VM><A></B></VM>"), Why::Xml(_)));
    assert!(matches!(why("<VM></VM><VM></VM>"), Why::Trailing));
    assert!(matches!(why("<VM></VM> x"), Why::Trailing));
    assert!(matches!(why("x<VM></VM>"), Why::Trailing));
    assert!(matches!(why("<VM>a<B/></VM>"), Why::Mixed));
    assert!(matches!(why("<VM><B/>a</VM>"), Why::Mixed));
    assert!(matches!(why("<VM>&unknown;</VM>"), Why::Entity(_)));
    assert!(matches!(why("<VM>&#0;</VM>"), Why::CharacterReference));
    assert!(matches!(why("<VM>&#xD800;</VM>"), Why::CharacterReference));
    assert!(matches!(why("<VM>&#99999999;</VM>"), Why::CharacterReference));
    assert!(matches!(why("{\"VM\": }"), Why::Json(_)));
    assert!(matches!(why("{\"VM\": [1, 2]}"), Why::Shape));
    assert!(matches!(why("{\"VM\": {\"A\": [[1]]}}"), Why::Shape));
    assert!(matches!(why("{\"A\": {}, \"B\": {}}"), Why::Shape));
    assert!(matches!(why("{}"), Why::Shape));
    for name in ["", "A B", "A><B", "A/", "1A", "-A", "A=", "\\u0000"] {
        assert!(matches!(why(&format!("{{\"VM\": {{\"{name}\": \"x\"}}}}")), Why::Name), "{name:?}");
    }
    assert!(matches!(why("no document at all"), Why::Trailing));
    assert!(matches!(
        Document::parse_bytes(b"<VM>\n<A>\xff</A></VM>").unwrap_err(),
        Error { at: Place { line: 2, column: 4, .. }, why: Why::NotUtf8 }
    ));
    assert!(matches!(
        Pool::new(&b"<VM_POOL><VM>\xff</VM></VM_POOL>"[..]).next().unwrap().unwrap_err().why,
        Why::NotUtf8
    ));
}

#[test]
fn entity_bombs_are_refused_before_anything_expands() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE VM [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><VM>&b;</VM>";
    assert!(matches!(why(bomb), Why::Doctype));
    let external = "<!DOCTYPE VM SYSTEM \"file:///etc/passwd\"><VM/>";
    assert!(matches!(why(external), Why::Doctype));
}

#[test]
fn deep_nesting_is_refused_at_the_limit() {
    let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(Document::parse(&deep(32)).is_ok());
    assert!(matches!(why(&deep(33)), Why::TooDeep(32)));
    assert!(matches!(why(&"<a>".repeat(1_000_000)), Why::TooDeep(32)));
    let json = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    assert!(Document::parse(&json(31)).is_ok());
    assert!(matches!(why(&json(40)), Why::TooDeep(32)));
    assert!(matches!(why(&json(100_000)), Why::Json(_) | Why::TooDeep(_)));
}

#[test]
fn long_and_wide_documents_are_refused_at_the_limit() {
    let limits = Limits { bytes: 1000, depth: 8, elements: 20 };
    let long = format!("<V><A>{}</A></V>", "x".repeat(1000));
    assert!(matches!(Document::parse_within(&long, &limits).unwrap_err().why, Why::TooLong(1000)));
    let wide = format!("<V>{}</V>", "<a/>".repeat(21));
    assert!(matches!(Document::parse_within(&wide, &limits).unwrap_err().why, Why::TooMany(20)));
    let json = format!("{{\"V\":{{\"A\":\"{}\"}}}}", "x".repeat(1000));
    assert!(matches!(Document::parse_within(&json, &limits).unwrap_err().why, Why::TooLong(1000)));
}

/// A stream without an end, in one object: it must stop at the limit, not at the end of memory.
#[test]
fn an_endless_object_in_a_stream_stops_at_the_limit() {
    for endless in ["<A>x</A>", "xxxxxxxx", "<!--xxxx-->"] {
        let limits = Limits { bytes: 1 << 16, ..Limits::default() };
        let input = Cursor::new(b"<VM_POOL><VM><T>").chain(Endless { piece: endless.as_bytes(), read: 0 });
        let mut pool = Pool::within(BufReader::new(input), &limits);
        let error = pool.next().unwrap().unwrap_err();
        assert!(matches!(error.why, Why::TooLong(_) | Why::Mixed), "{endless}: {error}");
        assert!(pool.next().is_none());
    }
}

/// The same bytes again and again, and a panic for a reader that reads on and on.
struct Endless {
    piece: &'static [u8],
    read: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        for byte in &mut *into {
            *byte = self.piece[self.read % self.piece.len()];
            self.read += 1;
        }
        assert!(self.read < 1 << 24, "it read on and on");
        Ok(into.len())
    }
}

#[test]
fn a_pool_gives_its_objects_one_by_one_and_ends() {
    let pool = "<?xml version=\"1.0\"?>\n<VM_POOL>\n <VM><ID>1</ID></VM>\n <!-- c --> <VM/>\n</VM_POOL>\n";
    let ids: Vec<String> = Pool::new(pool.as_bytes()).map(|vm| vm.unwrap().to_xml()).collect();
    assert_eq!(ids, ["<VM><ID><![CDATA[1]]></ID></VM>", "<VM/>"]);
    for empty in
        ["<IMAGE_POOL></IMAGE_POOL>", "<IMAGE_POOL/>", "<IMAGE_POOL>\n</IMAGE_POOL>", "{\"IMAGE_POOL\": {}}"]
    {
        assert_eq!(super::pool(empty).unwrap().len(), 0, "{empty}");
    }
    assert_eq!(super::pool("{\"VM_POOL\": {\"VM\": {\"ID\": \"1\"}}}").unwrap().len(), 1);
    assert_eq!(super::pool("{\"VM_POOL\": {\"VM\": [{\"ID\": \"1\"}, {\"ID\": \"2\"}]}}").unwrap().len(), 2);
    assert_eq!(super::pool("<VM><ID>1</ID></VM>").unwrap().len(), 1);
}

#[test]
fn a_torn_pool_gives_what_came_before_and_then_one_error() {
    let torn = "<VM_POOL><VM><ID>1</ID></VM><VM><ID>2</I";
    let read: Vec<_> = Pool::new(torn.as_bytes()).collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].is_ok());
    assert!(matches!(read[1].as_ref().unwrap_err().why, Why::Truncated));
    let trailing: Vec<_> = Pool::new(&b"<VM_POOL></VM_POOL><VM/>"[..]).collect();
    assert!(matches!(trailing[0].as_ref().unwrap_err().why, Why::Trailing));
    assert!(matches!(Pool::new(&b"<VM/>"[..]).next().unwrap().unwrap_err().why, Why::Root { .. }));
}
