//! The stand-in for oned against what real ones said: each recorded request, in the state of that moment, gets the recorded
//! answer, byte for byte but for the date.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use lab::front_end::{FrontEnd, Release, Setup};

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document of a real front-end.
fn document(path: &str) -> String {
    let own = data("documents").join(path);
    if own.exists() {
        return read(&own);
    }
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../opennebula-meta/testdata/documents").join(path))
}

/// Posts a body; the whole answer.
fn post(oned: &FrontEnd, body: &str) -> String {
    exchange(oned, &format!("POST /RPC2 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn exchange(oned: &FrontEnd, request: &str) -> String {
    let url = oned.url();
    let address = url.trim_start_matches("http://").trim_end_matches("/RPC2");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    answer
}

/// A call with text arguments in XML; the value in the answer, or its refusal.
fn call(oned: &FrontEnd, method: &str, arguments: &[&str]) -> Result<String, String> {
    let mut values = vec![format!("<string>{}</string>", oned.session())];
    values.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let params: String =
        values.iter().map(|value| format!("<param><value>{value}</value></param>")).collect();
    let answer = post(
        oned,
        &format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        ),
    );
    let after =
        |text: &str, mark: &str| text.split_once(mark).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let rest = after(&answer, "</boolean></value>\r\n<value>");
    let value = after(&rest, ">").split('<').next().unwrap_or_default().to_owned();
    let value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    if answer.contains("<boolean>1</boolean>") { Ok(value) } else { Err(value) }
}

fn text(value: &str) -> String {
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<string>{escaped}</string>")
}

fn int(value: i32) -> String {
    format!("<int>{value}</int>")
}

fn without_date(answer: &str) -> String {
    answer.split("\r\n").filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\r\n")
}

#[track_caller]
fn is_as_recorded(oned: &FrontEnd, exchange: &str) {
    let request = read(&data(&format!("xmlrpc/{exchange}.request.xml")));
    let response = read(&data(&format!("xmlrpc/{exchange}.response.http")));
    assert_eq!(without_date(&post(oned, &request)), without_date(&response), "{exchange}");
}

fn with_documents(release: Release, paths: &[&str]) -> FrontEnd {
    let documents = paths.iter().map(|path| document(path)).collect();
    FrontEnd::start(Setup { release, documents, ..Setup::default() }).expect("the documents are oned's")
}

fn site_a() -> FrontEnd {
    with_documents(
        Release::V6,
        &[
            "6.10.3/system-config.xml",
            "6.10.3/userpool.xml",
            "6.10.3/grouppool.xml",
            "6.10.3/datastorepool.xml",
            "6.10.3/host-0.xml",
            "6.10.3/vnet-0-bridge.xml",
            "6.10.3/vnet-1-vlan-v6.xml",
            "6.10.3/imagepool.xml",
            "6.10.3/templatepool.xml",
            "6.10.3/vmpool-extended.xml",
        ],
    )
}

/// The second site: its own datastores and network were like site A's, its users too.
fn site_b(images_and_vms: &[&str]) -> FrontEnd {
    let common = [
        "6.10.3/system-config.xml",
        "6.10.3/userpool.xml",
        "6.10.3/grouppool.xml",
        "6.10.3/datastorepool.xml",
    ];
    let oned = with_documents(Release::V6, &[&common[..], images_and_vms].concat());
    let host = document("6.10.3/host-0.xml").replace("node0-site-a", "node0-site-b");
    oned.put(&host).expect("a host");
    // Nothing was leased yet.
    let network = document("6.10.3/vnet-0-bridge.xml");
    let (before, rest) = network.split_once("<USED_LEASES>7</USED_LEASES><LEASES>").expect("leases");
    let (_, after) = rest.split_once("</LEASES>").expect("their end");
    let network = format!("{before}<USED_LEASES>0</USED_LEASES><LEASES/>{after}")
        .replace("<USED_LEASES>7</USED_LEASES>", "<USED_LEASES>0</USED_LEASES>")
        .replace(
            "<UPDATED_VMS><ID>0</ID><ID>1</ID><ID>2</ID><ID>5</ID></UPDATED_VMS>",
            "<UPDATED_VMS></UPDATED_VMS>",
        );
    oned.put(&network).expect("a network");
    oned
}

#[test]
fn every_exchange_recorded_at_site_a_is_answered_as_recorded() {
    let oned = site_a();
    let folder = data("xmlrpc/6.10.3");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("recordings")
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".request.xml").map(ToOwned::to_owned)
        })
        .collect();
    names.sort();
    assert_eq!(names.len(), 24, "{names:?}");
    for name in names {
        if name == "vm-info" {
            // Taken a poll later than the pool.
            oned.put(&document("6.10.3/vm-0-running-nonpersistent.xml")).expect("a VM");
            is_as_recorded(&oned, "6.10.3/vm-info");
            oned.put(&document("6.10.3/vmpool-extended.xml")).expect("VMs");
        } else {
            is_as_recorded(&oned, &format!("6.10.3/{name}"));
        }
    }
}

#[test]
fn the_short_list_of_vms_is_as_short_as_recorded() {
    let short =
        call(&site_a(), "one.vmpool.info", &[&int(-2), &int(-1), &int(-1), &int(-1)]).expect("a pool");
    // Monitoring is not part of what oned keeps: the two were printed a poll apart.
    let (short, recorded) = (settled(&short), settled(document("6.10.3/vmpool.xml").trim()));
    let lines = |text: &str| text.replace("><", ">\n<").lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let first = lines(&short).into_iter().zip(lines(&recorded)).find(|(made, recorded)| made != recorded);
    assert_eq!((first, short.len()), (None, recorded.len()));
}

#[test]
fn the_list_of_networks_shows_no_leases_as_recorded() {
    let networks = call(&site_a(), "one.vnpool.info", &[&int(-2), &int(-1), &int(-1)]).expect("a pool");
    let lines = |text: &str| text.replace("><", ">\n<").lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let recorded = document("6.10.3/vnetpool.xml");
    let first =
        lines(&networks).into_iter().zip(lines(recorded.trim())).find(|(made, recorded)| made != recorded);
    assert_eq!((first, networks.len()), (None, recorded.trim().len()));
}

#[test]
fn what_is_no_call_is_answered_as_recorded() {
    let oned = site_a();
    let recorded = |name: &str| without_date(&read(&data(&format!("xmlrpc/6.10.3/{name}.response.http"))));
    assert_eq!(without_date(&post(&oned, "hello")), recorded("fault-not-xml"));
    assert_eq!(without_date(&post(&oned, "")), recorded("fault-empty-body"));
    let get = exchange(&oned, "GET /RPC2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(without_date(&get), recorded("fault-get-instead-of-post"));
}

#[test]
fn every_exchange_recorded_with_7_4_0_is_answered_as_recorded() {
    let documents = [
        "7.4.0/system-config.xml",
        "6.10.3/userpool.xml",
        "7.4.0/datastore-1-default-ceph.xml",
        "7.4.0/image-0-os-nonpersistent-used.xml",
        "7.4.0/vm-1-running-nonpersistent.xml",
    ];
    let oned = with_documents(Release::V7, &documents);
    for name in [
        "err-auth-bad-password",
        "err-image-name-taken",
        "err-image-not-found",
        "err-image-source-without-size",
        "err-vm-allocate-missing-image",
        "fault-wrong-types",
        "image-info",
        "system-version",
        "vm-info",
    ] {
        is_as_recorded(&oned, &format!("7.4.0/{name}"));
    }
}

#[test]
fn every_exchange_recorded_at_a_second_site_is_answered_as_recorded() {
    let oned = site_b(&[
        "6.10.3-site-b/image-0-seed-template-verbatim.xml",
        "6.10.3-site-b/vm-1-seed-template-plus-disk-and-nic.xml",
    ]);
    call(&oned, "one.vn.hold", &[&int(0), &text("LEASES=[IP=192.168.150.100]")]).expect("free");
    oned.count_vms_from(2);
    let vm = "NAME=late\nCPU=0.1\nMEMORY=64\nGRAPHICS=[TYPE=vnc,LISTEN=0.0.0.0,PORT=5901]\n";
    assert_eq!(call(&oned, "one.vm.allocate", &[&text(vm), "<boolean>1</boolean>"]), Ok("2".to_owned()));
    for name in [
        "err-vm-allocate-context-bare-dollar",
        "err-vm-allocate-ip-and-mac",
        "err-vm-allocate-ip-in-use",
        "err-vm-allocate-persistent-image-in-use",
        "err-vm-deploy-vnc-port-taken",
        "image-allocate-seed-template",
    ] {
        is_as_recorded(&oned, &format!("6.10.3-site-b/{name}"));
    }
    oned.put(&document("6.10.3-ceph-site-b/image-13-locked-use.xml")).expect("an image");
    is_as_recorded(&oned, "6.10.3-ceph-site-b/err-image-delete-locked");
}

/// Times and the number of a poll differ; nothing else may.
fn settled(document: &str) -> String {
    let mut out = document.to_owned();
    for key in ["REGTIME", "STIME", "PSTIME", "PETIME", "RSTIME", "MODTIME", "LAST_POLL"] {
        let (open, close) = (format!("<{key}>"), format!("</{key}>"));
        let mut settled = String::new();
        let mut rest = out.as_str();
        while let Some((before, after)) = rest.split_once(&open) {
            let (_, behind) = after.split_once(&close).expect("an end");
            settled.push_str(before);
            rest = behind;
        }
        settled.push_str(rest);
        out = settled;
    }
    out
}

const GUIDE_IMAGE: &str = "NAME=\"alpine-0-rep\"\nUSER=\"oneadmin\"\nGROUP=\"oneadmin\"\nDATASTORE=\"default\"\nTYPE=\"OS\"\n\
    PERSISTENT=\"yes\"\nSOURCE=\"one/one-0-0-0\"\nFORMAT=\"raw\"\nSIZE=\"256\"\nDEV_PREFIX=\"vd\"\n";

#[test]
fn the_guides_templates_become_what_a_real_oned_made_of_them() {
    let oned = site_b(&[]);
    let boolean = "<boolean>0</boolean>";
    assert_eq!(call(&oned, "one.image.allocate", &[&text(GUIDE_IMAGE), &int(1)]), Ok("0".to_owned()));
    let recorded = document("6.10.3-site-b/vm-1-seed-template-plus-disk-and-nic.xml");
    let key = recorded
        .split_once("<SSH_PUBLIC_KEY><![CDATA[")
        .and_then(|(_, rest)| rest.split_once("]]>"))
        .expect("a key")
        .0;
    let template = format!(
        "NAME=\"alpine-0-rep-fixed\"\nUSER=\"oneadmin\"\nGROUP=\"oneadmin\"\nARCH=\"x86_64\"\nCPU=\"0.1\"\nMEMORY=\"96\"\n\
         CONTEXT=[ NETWORK=\"YES\", SSH_PUBLIC_KEY=\"{key}\", TARGET=\"hda\" ]\n\
         GRAPHICS=[ LISTEN=\"0.0.0.0\", TYPE=\"vnc\" ]\nNIC_DEFAULT=[ MODEL=\"virtio\" ]\n\
         OS=[ UUID=\"417177d9-5765-44d7-9033-4f75572519a2\" ]\nTM_MAD_SYSTEM=\"ceph\"\n\
         DISK=[ IMAGE=\"alpine-0-rep\", IMAGE_UNAME=\"oneadmin\" ]\n\
         NIC=[ NETWORK=\"service\", NETWORK_UNAME=\"oneadmin\", IP=\"192.168.150.100\" ]\n"
    );
    oned.count_vms_from(1);
    assert_eq!(
        call(&oned, "one.vm.allocate", &[&text(&template), "<boolean>1</boolean>"]),
        Ok("1".to_owned())
    );
    call(&oned, "one.vm.deploy", &[&int(1), &int(0), boolean, &int(0), &text("")]).expect("it is on hold");
    let made = oned
        .document("vm", 1)
        .expect("made")
        .replace("<VM_MAD><![CDATA[kvm]]></VM_MAD>", "<VM_MAD>kvm</VM_MAD>");
    let recorded = recorded.replace("<VM_MAD><![CDATA[kvm]]></VM_MAD>", "<VM_MAD>kvm</VM_MAD>");
    let finish = |text: &str| settled(text).replace("><", ">\n<");
    let different: Vec<_> = {
        let (made, recorded) = (finish(&made), finish(recorded.trim()));
        let (made, recorded): (Vec<_>, Vec<_>) = (
            made.lines().map(ToOwned::to_owned).collect(),
            recorded.lines().map(ToOwned::to_owned).collect(),
        );
        assert_eq!(made.len(), recorded.len(), "{made:#?}");
        made.into_iter().zip(recorded).filter(|(made, recorded)| made != recorded).collect()
    };
    assert_eq!(different, [], "made and recorded");
    let image = document("6.10.3-site-b/image-0-seed-template-verbatim.xml");
    assert_eq!(settled(&oned.document("image", 0).expect("made")), settled(image.trim()));
}

#[test]
fn templates_that_a_real_oned_accepted_for_a_complex_vm_are_accepted() {
    let oned = site_b(&[]);
    oned.put(
        &document("6.10.3/vnet-1-vlan-v6.xml").replace("<VM><![CDATA[1]]></VM>", "<VM><![CDATA[77]]></VM>"),
    )
    .expect("a network");
    for (at, image) in
        document("6.10.3-site-b/vm-1-running-complex.accepted-image-templates.xml").lines().enumerate()
    {
        assert_eq!(call(&oned, "one.image.allocate", &[&text(image), &int(1)]), Ok(at.to_string()));
    }
    let vm = document("6.10.3-site-b/vm-1-running-complex.accepted-template.xml")
        .replace("10.42.0.10", "10.42.0.11");
    let id = call(&oned, "one.vm.allocate", &[&text(vm.trim()), "<boolean>1</boolean>"]).expect("accepted");
    let made = oned.document("vm", id.parse().expect("a number")).expect("made");
    for kept in [
        "<![CDATA[a < b && c > d 'single' &amp;]]>",
        "<![CDATA[x ]] > y]]>",
        "<![CDATA[Überprüfung – 災害復旧 – ñandú €]]>",
    ] {
        assert!(made.contains(kept), "{kept} in {made}");
    }
    assert!(!made.contains("s3cr"), "the password is shown encrypted");
    let decrypted =
        call(&oned, "one.vm.info", &[&int(id.parse().expect("a number")), "<boolean>1</boolean>"]);
    assert!(decrypted.expect("its own").contains("s3cr\"et, ]x"));
}

/// Which action leads from which state to which, as oned's `DispatchManager` has it; refused from all others.
#[test]
fn every_action_is_available_in_its_states_alone() {
    let allowed = [
        ("hold", "1/0", "2/0"),
        ("release", "2/0", "3/3"),
        ("poweroff", "3/3", "8/0"),
        ("poweroff-hard", "3/3", "8/0"),
        ("suspend", "3/3", "5/0"),
        ("stop", "3/3", "4/0"),
        ("stop", "5/0", "4/0"),
        ("undeploy", "3/3", "9/0"),
        ("undeploy-hard", "8/0", "9/0"),
        ("resume", "8/0", "3/3"),
        ("resume", "5/0", "3/3"),
        ("resume", "4/0", "3/3"),
        ("resume", "9/0", "3/3"),
        ("resume", "3/16", "3/3"),
        ("poweroff", "3/16", "8/0"),
        ("terminate", "3/3", "6/0"),
        ("terminate-hard", "8/0", "6/0"),
        ("terminate", "2/0", "6/0"),
        ("terminate", "6/0", "6/0"),
        ("reboot", "3/3", "3/3"),
    ];
    let states = ["1/0", "2/0", "3/3", "3/16", "4/0", "5/0", "6/0", "8/0", "9/0"];
    let oned = FrontEnd::start(Setup::default()).expect("a free port");
    let vm = "NAME=vm\nCPU=1\nMEMORY=64\n";
    call(&oned, "one.vm.allocate", &[&text(vm), "<boolean>1</boolean>"]).expect("new");
    let held = oned.document("vm", 0).expect("made");
    for state in states {
        let (state_number, lcm) = state.split_once('/').expect("two numbers");
        for action in ["hold", "release", "suspend", "stop", "resume", "reboot", "poweroff"] {
            let vm = held
                .replace("<STATE>2<", &format!("<STATE>{state_number}<"))
                .replace("<LCM_STATE>0<", &format!("<LCM_STATE>{lcm}<"));
            oned.put(&vm).expect("a VM");
            let answer = call(&oned, "one.vm.action", &[&text(action), &int(0)]);
            let is_allowed = allowed.iter().any(|(each, from, _)| *each == action && *from == state);
            assert_eq!(answer.is_ok(), is_allowed, "{action} from {state}: {answer:?}");
            if let Err(why) = answer {
                assert!(why.contains("This action is not available for state "), "{why}");
            }
        }
    }
    for (action, from, to) in allowed {
        let (state, lcm) = from.split_once('/').expect("two numbers");
        let vm = held
            .replace("<STATE>2<", &format!("<STATE>{state}<"))
            .replace("<LCM_STATE>0<", &format!("<LCM_STATE>{lcm}<"));
        oned.put(&vm).expect("a VM");
        call(&oned, "one.vm.action", &[&text(action), &int(0)])
            .unwrap_or_else(|why| panic!("{action} from {from}: {why}"));
        let vm = oned.document("vm", 0).expect("there");
        let (state, lcm) = to.split_once('/').expect("two numbers");
        let expected = format!("<STATE>{state}</STATE><LCM_STATE>{lcm}</LCM_STATE>");
        assert!(vm.contains(&expected), "{action} from {from}: {vm}");
    }
}

/// oned's lack of checks, which one-dr has to make up for.
#[test]
fn what_oned_does_not_check_is_not_checked() {
    let oned = FrontEnd::start(Setup::default()).expect("a free port");
    for (at, image) in [
        "NAME=one\nSOURCE=\"one/x\"\nFORMAT=raw\nSIZE=1\n",
        "NAME=two\nSOURCE=\"one/x\"\nFORMAT=raw\nSIZE=1\n",
        "NAME=three\nSOURCE=\"no/such\"\nFORMAT=qcow2\nSIZE=-5\n",
        "NAME=four\nSOURCE=\"one/x\"\nFORMAT=raw\nSIZE=0\nPERSISTENT=1\n",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(
            call(&oned, "one.image.allocate", &[&text(image), &int(1)]),
            Ok(at.to_string()),
            "{image}"
        );
    }
    let four = oned.document("image", 3).expect("made");
    assert!(four.contains("<PERSISTENT>0</PERSISTENT>"), "only YES is true");
    for _ in 0..2 {
        let vm = "NAME=same\nCPU=1\nMEMORY=64\nTEMPLATE_ID=77\n";
        call(&oned, "one.vm.allocate", &[&text(vm), "<boolean>1</boolean>"]).expect("names of VMs are free");
    }
    assert!(oned.document("vm", 1).expect("made").contains("<TEMPLATE_ID><![CDATA[77]]></TEMPLATE_ID>"));
}
