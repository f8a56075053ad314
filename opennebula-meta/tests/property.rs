//! Laws of the two parsers, on made-up input. `PROPTEST_CASES=1000000 cargo test --release --test property` runs long.

use std::io::BufReader;

use opennebula_meta::{
    Images, SiteMap, Vm,
    document::{Document, Element, Limits, Pool},
    reregister,
    template::{Key, Template, Value, Vector},
};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use quick_xml::{Reader, events::Event};

/// Values made of what is special somewhere.
fn value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9 ]{0,6}",
        1 => prop::sample::select(vec![
            "\"", "\\", "\\\"", "\\\\", "]", "]]", "]]>", ">", "<", "&", "&amp;", "=", "#", ",", "[", "\n", "\t", " ", "'", "$",
            "$X", "\r", "\u{0}", "\u{7f}", "é", "€", "\u{1F600}", "<![CDATA[", "--", "@^_^@", "\nNAME=\"x\"\n", " ]\nB=[ C=\"", "\u{feff}",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn key() -> impl Strategy<Value = Key> {
    "[A-Za-z_][A-Za-z0-9_]{0,8}".prop_map(|name| Key::new(&name).unwrap())
}

fn template() -> impl Strategy<Value = Template> {
    let vector = prop::collection::vec((key(), value()), 0..4).prop_map(Vector::from_iter);
    let attribute =
        prop_oneof![value().prop_map(|value| Value::Single(value.into())), vector.prop_map(Value::Vector)];
    prop::collection::vec((key(), attribute), 0..6).prop_map(Template::from_iter)
}

/// Text in the alphabet of the language, so that it is often nearly a template.
fn nearly_a_template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Z]{1,3}",
        Just("=".to_owned()),
        Just("\"".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("#".to_owned()),
        Just("\\".to_owned()),
        Just("]]>".to_owned()),
        Just("é".to_owned()),
        Just("!".to_owned()),
        Just("A=\"b\"\n".to_owned()),
        Just("V=[ A=\"b\" ]\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn nearly_xml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<VM>".to_owned()),
        Just("</VM>".to_owned()),
        Just("<ID>".to_owned()),
        Just("</ID>".to_owned()),
        Just("<VM_POOL>".to_owned()),
        Just("</VM_POOL>".to_owned()),
        Just("<DISK/>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("&amp;".to_owned()),
        Just("&#10;".to_owned()),
        Just("&x;".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("<?".to_owned()),
        Just("?>".to_owned()),
        Just("<!DOCTYPE".to_owned()),
        Just("<".to_owned()),
        Just(">".to_owned()),
        "[ a-z0-9\n]{0,5}",
        Just("é".to_owned()),
        Just("\"".to_owned()),
        Just("{\"VM\":".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("\"ID\":\"1\",".to_owned()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A document that both readers can be asked about: elements with values or with elements.
fn xml_tree() -> impl Strategy<Value = String> {
    let leaf = (key(), "[ -~\n]{0,12}")
        .prop_map(|(key, text)| format!("<{key}><![CDATA[{}]]></{key}>", text.replace("]]>", "")));
    let tree = leaf.prop_recursive(4, 32, 5, |inner| {
        (key(), prop::collection::vec(inner, 1..5))
            .prop_map(|(key, inner)| format!("<{key}>{}</{key}>", inner.concat()))
    });
    tree.prop_map(|inner| format!("<ROOT>{inner}</ROOT>"))
}

/// Elements as OpenNebula writes them, and a little otherwise, with names and values of every length around what is looked at
/// at once.
fn as_opennebula_writes() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "DISK", "ID", "NIC", "TYPE", "IMAGE_UNAME", "SECURITY_GROUPS", "DISK_SNAPSHOT_TOTAL_SIZE", "TM_MAD_SYSTEM",
            "AUTOMATIC_NIC_REQUIREMENTS", "DISK_TYPE", "ETH0_EXTERNAL",
        ]).prop_map(str::to_owned),
        2 => "[A-Za-z_][A-Za-z0-9_.-]{0,40}",
        1 => "[A-Z_é]{1,17}",
    ];
    let text = prop_oneof![
        4 => "[ -~]{0,40}",
        1 => "[\\]<>&;a\n\r ]{0,12}",
    ];
    let leaf = (name.clone(), text, 0..7).prop_map(|(name, text, how)| match how {
        0 => format!("<{name}>{}</{name}>", text.replace(['<', '&'], "")),
        1 => format!("<{name}/>"),
        2 => format!("<{name} a=\">\">{}</{name}>", text.replace(['<', '&'], "")),
        3 => format!("<{name}></{name}>\n"),
        _ => format!("<{name}><![CDATA[{}]]></{name}>", text.replace("]]>", "]]")),
    });
    let tree = leaf.prop_recursive(3, 40, 6, move |inner| {
        (name.clone(), prop::collection::vec(inner, 1..6))
            .prop_map(|(name, inner)| format!("<{name}>{}</{name}>", inner.concat()))
    });
    prop::collection::vec(tree, 1..4).prop_map(|elements| format!("<VM>{}</VM>", elements.concat()))
}

/// Names in the order of their tags, and the values of leaves, by a reader that others wrote.
fn by_quick_xml(text: &str) -> Option<Vec<String>> {
    let mut reader = Reader::from_str(text);
    let (mut told, mut value, mut leaf) = (Vec::new(), String::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                told.push(tag.name().into_inner().to_owned());
                value.clear();
                leaf = true;
            }
            Event::Empty(tag) => {
                told.extend([tag.name().into_inner().to_owned(), "=".to_owned(), "/".to_owned()]);
                leaf = false;
            }
            Event::End(_) => {
                if leaf {
                    told.push(format!("={}", value.trim()));
                }
                told.push("/".to_owned());
                leaf = false;
            }
            Event::Text(piece) => value.push_str(&piece.xml10_content()),
            Event::CData(piece) => value.push_str(&piece.xml10_content()),
            Event::GeneralRef(name) => match (&*name, name.resolve_char_ref().ok()?) {
                (_, Some(character)) => value.push(character),
                ("lt", _) => value.push('<'),
                ("gt", _) => value.push('>'),
                ("amp", _) => value.push('&'),
                ("quot", _) => value.push('"'),
                ("apos", _) => value.push('\''),
                _ => return None,
            },
            Event::Eof => return Some(told),
            _ => {}
        }
    }
}

fn by_us(element: Element<'_>, told: &mut Vec<String>) {
    told.push(element.name().to_owned());
    if element.is_leaf() {
        told.push(format!("={}", element.text().trim()));
    }
    for child in element.children() {
        by_us(child, told);
    }
    told.push("/".to_owned());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_form_takes_it_gives_back(template in template()) {
        if let Ok(text) = template.to_text() {
            prop_assert_eq!(&Template::parse(&text).unwrap(), &template, "{}", text);
        }
        match template.to_xml() {
            Ok(xml) => {
                prop_assert_eq!(&Template::parse(&xml).unwrap(), &template, "{}", xml);
                prop_assert!(template.refused().is_empty());
            }
            Err(refused) => prop_assert!(template.refused().contains(&refused)),
        }
    }

    #[test]
    fn the_xml_form_takes_whatever_the_text_form_takes(template in template()) {
        if template.to_text().is_ok() {
            prop_assert!(template.to_xml().is_ok());
        }
    }

    #[test]
    fn what_was_read_can_be_written_and_read_again(text in nearly_a_template()) {
        if let Ok(template) = Template::parse(&text) {
            let xml = template.to_xml().unwrap();
            prop_assert_eq!(&Template::parse(&xml).unwrap(), &template, "{}", xml);
            if let Ok(again) = template.to_text() {
                prop_assert_eq!(&Template::parse(&again).unwrap(), &template, "{}", again);
            }
        }
    }

    #[test]
    fn no_text_makes_the_template_parser_panic(text in any::<String>()) {
        let _ = Template::parse(&text);
    }

    #[test]
    fn no_bytes_make_the_document_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse_bytes(&bytes);
        let _ = Pool::new(&bytes[..]).count();
    }

    #[test]
    fn nothing_like_a_document_makes_a_reader_panic_or_run_on(text in nearly_xml()) {
        let limits = Limits { bytes: 200, depth: 4, elements: 16 };
        if let Ok(document) = Document::parse_within(&text, &limits) {
            let again = Document::parse(&document.to_xml()).unwrap();
            prop_assert_eq!(again.to_xml(), document.to_xml());
        }
        let read: Vec<_> = Pool::within(text.as_bytes(), &limits).collect();
        prop_assert!(read.iter().rev().skip(1).all(Result::is_ok), "only the last may be an error");
        if let Ok(vm) = Vm::parse(&text) {
            let _ = reregister::vm(&vm, &Images::default(), &SiteMap::default());
        }
    }

    #[test]
    fn a_document_reads_back_from_its_own_xml(xml in xml_tree()) {
        let document = Document::parse(&xml).unwrap();
        let written = document.to_xml();
        prop_assert_eq!(Document::parse(&written).unwrap().to_xml(), written);
    }

    /// Our reader of XML takes nothing that another one refuses, and reads the same.
    #[test]
    fn our_xml_is_everybodys_xml(text in prop_oneof![nearly_xml(), xml_tree()]) {
        if !text.trim_start().starts_with('{')
            && let Ok(document) = Document::parse(&text)
        {
            let mut told = Vec::new();
            by_us(document.root(), &mut told);
            prop_assert_eq!(Some(told), by_quick_xml(&text), "{}", text);
        }
    }

    /// A hostile user of A writes what he likes into his VM; the template for B has the attributes of the VM and no
    /// others, and everything arrives as it was.
    /// What is there to be looked at decides which of two readers takes an element. Byte by byte it is the careful one.
    #[test]
    fn however_the_input_arrives_it_says_the_same(
        xml in as_opennebula_writes(), spoilt in prop::option::of((any::<prop::sample::Index>(), "[<>/\\]a]")), piece in 1_usize..70
    ) {
        let mut xml = xml;
        if let Some((at, with)) = spoilt {
            let at = at.index(xml.len());
            if xml.is_char_boundary(at) {
                xml.insert_str(at, &with);
            }
        }
        let told = |text: &str, piece: usize| {
            let input = BufReader::with_capacity(piece, text.as_bytes());
            let read: Vec<_> = Pool::new(input).map(|read| read.map_err(|error| error.to_string())).collect();
            read.into_iter().map(|read| read.map(|document| {
                let root = document.root();
                let mut told = vec![root.place().to_string()];
                by_us(root, &mut told);
                told
            })).collect::<Vec<_>>()
        };
        let pool = format!("<VM_POOL>{xml}{xml}</VM_POOL>{}", " ".repeat(100));
        let carefully = told(&pool, 1);
        prop_assert_eq!(&told(&pool, pool.len()), &carefully);
        prop_assert_eq!(&told(&pool, piece), &carefully);
    }

    #[test]
    fn a_value_of_a_vm_arrives_as_it_was_or_is_refused(value in value()) {
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if value.contains(['\u{0}', '\r']) || value.trim().is_empty() {
            return Ok(());
        }
        let xml = format!(
            "<VM><ID>1</ID><UNAME>u</UNAME><GNAME>g</GNAME><NAME>n</NAME><TEMPLATE><MEMORY>1</MEMORY></TEMPLATE>\
             <USER_TEMPLATE><NOTE>{escaped}</NOTE><V><INNER>{escaped}</INNER></V></USER_TEMPLATE></VM>"
        );
        let vm = Vm::parse(&xml).unwrap();
        let Ok(there) = reregister::vm(&vm, &Images::default(), &SiteMap::default()) else { return Ok(()) };
        let read = Template::parse(&there.template.to_xml().unwrap()).unwrap();
        let keys: Vec<&str> = read.attributes().iter().map(|attribute| attribute.key.as_str()).collect();
        prop_assert_eq!(keys, ["NAME", "MEMORY", "NOTE", "V"]);
        prop_assert_eq!(read.single("NOTE"), Some(value.as_str()));
        prop_assert_eq!(read.vectors("V").next().unwrap().get("INNER"), Some(value.as_str()));
    }
}
