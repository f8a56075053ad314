//! Records that were kept well, and records that were not.

use super::*;
use crate::{
    Image, Vm,
    capture::{Mirror, Mirrored},
    vm::Secrets,
};

fn capture(poll: &str) -> Capture {
    let vm = format!(
        "<VM><ID>7</ID><NAME>web</NAME><LAST_POLL>{poll}</LAST_POLL><MONITORING><CPU>{poll}</CPU></MONITORING>\
         <USER_TEMPLATE><MONITORING>kept</MONITORING></USER_TEMPLATE></VM>"
    );
    let image = Image::parse("<IMAGE><ID>3</ID><NAME>base</NAME><TYPE>0</TYPE></IMAGE>").unwrap();
    let mirror = Mirror { global_id: "f0523ef9".to_owned(), bytes: Some(1 << 28) };
    Capture {
        vms: vec![Vm::parse(&vm).unwrap().with_secrets(Secrets::Decrypted)],
        images: vec![image].into(),
        mirrored: Some(Mirrored::from_iter([("one/one-3-7-0".parse().unwrap(), mirror)])),
        ..Capture::default()
    }
}

fn record() -> Record {
    Record::new(capture("1"), Stamp { site: "a".to_owned(), captured_at: Some(EpochSeconds(1)) })
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let record = record();
    let read = Record::parse(&record.to_json()).unwrap();
    assert_eq!(read.to_json(), record.to_json());
    assert_eq!(read.stamp(), record.stamp());
    assert_eq!(read.capture().vms[0].secrets(), Secrets::Decrypted);
    assert_eq!(read.capture().mirrored, record.capture().mirrored);
    let through_serde: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(through_serde.address(), record.address());
}

#[test]
fn the_same_site_has_the_same_address_whenever_it_is_captured() {
    let later = Record::new(capture("2"), Stamp { site: "a".to_owned(), captured_at: Some(EpochSeconds(2)) });
    assert_eq!(later.address(), record().address());
    assert_ne!(later.to_json(), record().to_json());
    let mut other = capture("1");
    other.vms[0] = other.vms[0].clone().with_secrets(Secrets::Encrypted);
    assert_ne!(Record::new(other, Stamp::default()).address(), record().address());
    let user = &record().to_json();
    assert!(user.contains("kept"), "a user's own attribute was taken for monitoring: {user}");
}

#[test]
fn a_record_that_was_changed_is_refused_with_what_is_wrong() {
    let text = record().to_json();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        Record::parse(&text.replace(from, to)).unwrap_err()
    };
    assert!(matches!(refused("<![CDATA[web]]>", "<![CDATA[wet]]>"), Error::Digest { id: 7, .. }));
    assert!(matches!(refused("\"site\":\"a\"", "\"site\":\"b\""), Error::Seal));
    assert!(matches!(refused("f0523ef9", "f0523ef8"), Error::Seal));
    assert!(matches!(refused("\"version\": 1", "\"version\": 2"), Error::Version { found: 2 }));
    assert!(matches!(refused("\"opennebula-meta record\"", "\"other\""), Error::Format));
    assert!(matches!(refused("\"id\":7", "\"id\":8"), Error::Kind { id: 8, .. }));
    assert!(matches!(refused("decrypted", "encrypted"), Error::Address));
    let image = text.lines().find(|line| line.contains("\"kind\":\"IMAGE\"")).unwrap();
    assert!(matches!(refused(&format!("{image}\n"), ""), Error::Address));
    assert!(matches!(refused(image, &format!("{image}{image}")), Error::Twice { id: 3, .. }));
    assert!(matches!(Record::parse("{\"format\": 1}"), Err(Error::Format)));
    assert!(matches!(Record::parse("[]"), Err(Error::Format)));
}

#[test]
fn every_prefix_of_a_record_is_refused() {
    let text = record().to_json();
    for end in (0..text.trim_end().len()).filter(|end| text.is_char_boundary(*end)) {
        assert!(Record::parse(&text[..end]).is_err(), "{end} bytes were taken");
    }
}

#[test]
fn debug_shows_no_content() {
    assert!(!format!("{:?}", record()).contains("web"));
}
