//! Rules one by one; whole VMs are in `tests/cases.rs`.

use super::*;
use crate::{
    id::{DatastoreId, EpochSeconds},
    site_map::{Address, Inventory, Unlisted},
    template::{Value, Vector},
    vm::Secrets,
};

/// A VM with these children of `TEMPLATE` and of `USER_TEMPLATE`.
fn vm_with(template: &str, user: &str) -> Vm {
    Vm::parse(&format!(
        "<VM><ID>7</ID><UNAME>ann</UNAME><GNAME>users</GNAME><NAME>web</NAME><LAST_POLL>1000</LAST_POLL><TEMPLATE>\
         <MEMORY>64</MEMORY>{template}</TEMPLATE><USER_TEMPLATE>{user}</USER_TEMPLATE></VM>"
    ))
    .unwrap()
    .with_secrets(Secrets::Decrypted)
}

fn disk(id: u32, extra: &str) -> String {
    format!(
        "<DISK><CLONE>YES</CLONE><DATASTORE>default</DATASTORE><DISK_ID>{id}</DISK_ID><IMAGE>base</IMAGE>\
         <SIZE>10</SIZE><SOURCE>one/one-3</SOURCE><TYPE>RBD</TYPE>{extra}</DISK>"
    )
}

fn nic(id: u32, extra: &str) -> String {
    format!(
        "<NIC><NIC_ID>{id}</NIC_ID><NAME>NIC{id}</NAME><NETWORK>net</NETWORK><NETWORK_UNAME>oneadmin</NETWORK_UNAME>{extra}</NIC>"
    )
}

fn there(one: &Vm, map: &SiteMap) -> NewVm {
    vm(one, &Images::default(), map).unwrap()
}

fn plain(template: &str, user: &str) -> NewVm {
    there(&vm_with(template, user), &SiteMap::default())
}

fn vector(new: &NewVm, key: &str) -> Vector {
    new.template.vectors(key).next().cloned().unwrap_or_else(|| panic!("no {key} in {:?}", new.template))
}

fn reasons(new: &NewVm, path: &str) -> Vec<Reason> {
    new.changes.iter().filter(|change| change.path() == path).map(|change| change.reason).collect()
}

#[test]
fn everything_without_a_counterpart_is_told_at_once() {
    let template = disk(0, "")
        + &disk(1, "").replace("default", "fast")
        + &nic(0, "")
        + &nic(1, "").replace("<NETWORK>net", "<NETWORK>backend")
        + &nic(2, "<SECURITY_GROUPS>0,105</SECURITY_GROUPS>")
        + "<SECURITY_GROUP_RULE><SECURITY_GROUP_ID>105</SECURITY_GROUP_ID>\
           <SECURITY_GROUP_NAME>dmz</SECURITY_GROUP_NAME></SECURITY_GROUP_RULE>";
    let map = SiteMap { unlisted: Unlisted::Refuse, ..SiteMap::default() };
    let error = vm(&vm_with(&template, ""), &Images::default(), &map).unwrap_err();
    let told: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    for wanted in [
        "datastore \"default\"",
        "datastore \"fast\"",
        "network \"net\" of \"oneadmin\"",
        "network \"backend\" of \"oneadmin\"",
        "security group \"dmz\"",
        "user \"ann\"",
        "group \"users\"",
    ] {
        let count = told.iter().filter(|one| one.ends_with(wanted)).count();
        assert_eq!(count, 1, "{wanted} in {told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(error.to_string().contains("\"fast\"") && error.to_string().contains("\"ann\""));
}

#[test]
fn an_inventory_of_the_other_site_is_asked_for_every_name() {
    let one = vm_with(&(disk(0, "") + &nic(0, "")), "");
    let mut at_b = Inventory::default();
    at_b.users.insert("ann".to_owned());
    at_b.groups.insert("users".to_owned());
    at_b.networks.insert(("oneadmin".to_owned(), "net".to_owned()));
    let map = |at_b: &Inventory| SiteMap { at_b: Some(at_b.clone()), ..SiteMap::default() };
    let error = vm(&one, &Images::default(), &map(&at_b)).unwrap_err();
    assert!(
        matches!(&error.problems[..], [Problem::Unmapped(Unmapped::Datastore(name))] if name == "default")
    );
    at_b.datastores.insert("default".to_owned(), DatastoreId(104));
    assert_eq!(there(&one, &map(&at_b)).images.len(), 1);
}

#[test]
fn what_a_template_cannot_have_is_listed() {
    let odd = "<A:B>x</A:B><DEEP><X>1</X></DEEP><TWICE>1</TWICE><TWICE>2</TWICE>";
    let new = plain(
        &format!(
            "{}{}<CONTEXT>{odd}</CONTEXT><OS>{odd}</OS><FEATURES>{odd}</FEATURES><PCI>{odd}</PCI><V:W><X>1</X></V:W>",
            disk(0, odd),
            nic(0, odd)
        ),
        "<SCHED_ACTION><ACTION>stop</ACTION><A:B>x</A:B></SCHED_ACTION>",
    );
    for holder in ["DISK", "NIC", "CONTEXT", "OS", "FEATURES", "PCI"] {
        let path = |name: &str| format!("VM/TEMPLATE/{holder}/{name}");
        assert_eq!(reasons(&new, &path("A:B")), [Reason::Unknown], "{holder}");
        assert_eq!(reasons(&new, &path("DEEP")), [Reason::Unknown], "{holder}");
        assert_eq!(reasons(&new, &path("TWICE[1]")), [Reason::Repeated], "{holder}");
        assert_eq!(vector(&new, holder).get("TWICE"), Some("1"));
    }
    assert_eq!(reasons(&new, "VM/TEMPLATE/V:W"), [Reason::Unknown]);
    assert_eq!(reasons(&new, "VM/USER_TEMPLATE/SCHED_ACTION/A:B"), [Reason::Unknown]);
}

#[test]
fn devices_to_boot_from_are_numbered_as_site_b_will() {
    let template = disk(0, "")
        + &disk(3, "")
        + &disk(7, "")
        + &nic(0, "")
        + &nic(4, "")
        + "<OS><BOOT>disk7, nic4,disk5</BOOT></OS>";
    let new = plain(&template, "");
    assert_eq!(vector(&new, "OS").get("BOOT"), Some("disk2,nic1"));
    assert_eq!(reasons(&new, "VM/TEMPLATE/OS/BOOT"), [Reason::Renumbered]);
}

#[test]
fn the_parent_of_an_alias_follows_its_card() {
    let alias = |parent: &str| {
        format!(
            "<NIC_ALIAS><NIC_ID>9</NIC_ID><NETWORK>net</NETWORK><PARENT>{parent}</PARENT><NAME>NIC4_ALIAS9</NAME></NIC_ALIAS>"
        )
    };
    let named = nic(5, "").replace("NIC5", "mgmt");
    let template = nic(0, "") + &nic(4, "") + &named + &alias("NIC4") + &alias("mgmt");
    let new = plain(&template, "");
    let parents: Vec<_> = new.template.vectors("NIC_ALIAS").map(|alias| alias.get("PARENT")).collect();
    assert_eq!(parents, [Some("NIC1"), Some("mgmt")]);
    let names: Vec<_> = new.template.vectors("NIC").map(|nic| nic.get("NAME")).collect();
    assert_eq!(names, [None, None, Some("mgmt")]);
}

#[test]
fn a_card_keeps_one_address_at_most() {
    let addresses =
        "<IP>10.0.0.5</IP><IP6>2001:db8::5</IP6><MAC>02:00:0a:00:00:05</MAC><IP6_LINK>fe80::5</IP6_LINK>";
    let kept = |address, fields: &str| {
        let map = SiteMap { address, ..SiteMap::default() };
        let nic = vector(&there(&vm_with(&nic(0, fields), ""), &map), "NIC");
        ["IP", "IP6", "MAC"].into_iter().filter(|key| nic.get(key).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(kept(Address::Ip, addresses), ["IP"]);
    assert_eq!(kept(Address::Mac, addresses), ["MAC"]);
    assert_eq!(kept(Address::Drop, addresses), Vec::<&str>::new());
    assert_eq!(kept(Address::Ip, "<IP6>2001:db8::5</IP6><MAC>02:00:0a:00:00:05</MAC>"), ["IP6"]);
    assert_eq!(kept(Address::Ip, "<MAC>02:00:0a:00:00:05</MAC>"), ["MAC"]);
}

#[test]
fn a_card_without_a_network_keeps_its_bridge() {
    let new = plain(
        "<NIC><NIC_ID>0</NIC_ID><BRIDGE>br7</BRIDGE><MAC>02:00:00:00:00:07</MAC><VLAN_ID>7</VLAN_ID></NIC>",
        "",
    );
    let nic = vector(&new, "NIC");
    assert_eq!(
        (nic.get("BRIDGE"), nic.get("MAC"), nic.get("VLAN_ID"), nic.get("NIC_ID")),
        (Some("br7"), Some("02:00:00:00:00:07"), Some("7"), None)
    );
}

#[test]
fn an_attribute_that_had_no_effect_gets_none() {
    let new = plain(
        "",
        "<MEMORY>4096</MEMORY><DISK><IMAGE_ID>0</IMAGE_ID></DISK><DEPLOY_ID>one-7</DEPLOY_ID><OWNER>me</OWNER>",
    );
    assert_eq!(new.template.single("MEMORY"), Some("64"));
    assert!(new.template.vectors("DISK").next().is_none());
    assert_eq!(new.template.single("OWNER"), Some("me"));
    assert_eq!(reasons(&new, "VM/USER_TEMPLATE/MEMORY"), [Reason::WouldTakeEffect]);
}

#[test]
fn no_number_of_site_a_is_in_a_template() {
    let pci = "<PCI><PCI_ID>0</PCI_ID><VENDOR>10de</VENDOR><SHORT_ADDRESS>3b:00.0</SHORT_ADDRESS><ADDRESS>0000:3b:00:0</ADDRESS>\
               <NUMA_NODE>1</NUMA_NODE><VM_BUS>0x01</VM_BUS><PROFILE>nvidia-1</PROFILE></PCI>";
    let chosen = "<PCI><SHORT_ADDRESS>3b:00.0</SHORT_ADDRESS></PCI>";
    let group =
        "<VMGROUP><VMGROUP_ID>3</VMGROUP_ID><VMGROUP_NAME>apart</VMGROUP_NAME><ROLE>db</ROLE></VMGROUP>";
    let template = disk(0, "<IMAGE_ID>3</IMAGE_ID><CLUSTER_ID>0</CLUSTER_ID>")
        + &nic(0, "<AR_ID>0</AR_ID>")
        + pci
        + chosen
        + group
        + "<TEMPLATE_ID>5</TEMPLATE_ID><VMID>7</VMID><VROUTER_ID>1</VROUTER_ID>";
    let vm = vm_with(&template, "");
    let new = there(&vm, &SiteMap::default());
    for attribute in new.template.attributes() {
        assert!(!attribute.key.as_str().ends_with("_ID") && !attribute.key.is("VMID"), "{attribute:?}");
        if let Value::Vector(vector) = &attribute.value {
            assert!(vector.iter().all(|(key, _)| !key.as_str().ends_with("_ID")), "{attribute:?}");
        }
    }
    let devices: Vec<Vec<&str>> =
        new.template.vectors("PCI").map(|pci| pci.iter().map(|(key, _)| key.as_str()).collect()).collect();
    assert_eq!(devices, [vec!["VENDOR", "PROFILE"], vec!["SHORT_ADDRESS"]]);
    assert!(new.template.vectors("VMGROUP").next().is_none());
    let map =
        SiteMap { vm_groups: [("apart".to_owned(), "apart-b".to_owned())].into(), ..SiteMap::default() };
    let group = vector(&there(&vm, &map), "VMGROUP");
    assert_eq!(
        group.iter().map(|(key, value)| (key.as_str(), value)).collect::<Vec<_>>(),
        [("VMGROUP_NAME", "apart-b"), ("ROLE", "db")]
    );
}

#[test]
fn actions_whose_time_has_passed_do_not_fire() {
    let action = |time: &str, more: &str| {
        format!(
            "<SCHED_ACTION><ID>0</ID><ACTION>terminate</ACTION><TIME>{time}</TIME><DONE>-1</DONE>{more}</SCHED_ACTION>"
        )
    };
    const WEEK: u64 = 604_800;
    let times = |template: &str, now: Option<u64>| {
        let map = SiteMap { now: now.map(EpochSeconds), ..SiteMap::default() };
        let new = there(&vm_with(template, ""), &map);
        new.template
            .vectors("SCHED_ACTION")
            .map(|action| action.get("TIME").unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let both = action("900", "") + &action("2000", "");
    // Without a clock, the document's own latest time (1000) is one that has passed.
    assert_eq!(times(&both, None), ["2000"]);
    assert_eq!(times(&both, Some(2000)), Vec::<String>::new());
    assert_eq!(times(&action("+60", ""), Some(2000)), ["+60"]);
    // Where older front-ends keep them.
    let old = plain("", &both);
    assert_eq!(
        old.template.vectors("SCHED_ACTION").map(|one| one.get("TIME")).collect::<Vec<_>>(),
        [Some("2000")]
    );
    let weekly = action("900", "<REPEAT>0</REPEAT><DAYS>1</DAYS><END_TYPE>0</END_TYPE>");
    assert_eq!(times(&weekly, Some(900 + 2 * WEEK)), [(900 + 3 * WEEK).to_string()]);
    let hourly = action("900", "<REPEAT>3</REPEAT><DAYS>5</DAYS>");
    assert_eq!(times(&hourly, Some(1000)), ["18900"]);
    let ended =
        action("900", "<REPEAT>0</REPEAT><DAYS>1</DAYS><END_TYPE>2</END_TYPE><END_VALUE>1000</END_VALUE>");
    assert_eq!(times(&ended, Some(1000)), Vec::<String>::new());
    assert_eq!(times(&action("900", "<REPEAT>1</REPEAT><DAYS>1</DAYS>"), Some(1000)), Vec::<String>::new());
}

#[test]
fn context_arrives_as_it_was_or_not_at_all() {
    let context = "<CONTEXT><NETWORK>YES</NETWORK><ETH0_IP>10.0.0.5</ETH0_IP><START_SCRIPT>echo $HOME</START_SCRIPT>\
                   <PRICE>5$ each</PRICE><ESCAPED>\\$HOME</ESCAPED><PASSWORD>s3cr3t</PASSWORD><FILES>/srv/x</FILES></CONTEXT>";
    let new = plain(context, "");
    let context = vector(&new, "CONTEXT");
    assert_eq!(context.get("START_SCRIPT_BASE64"), Some("ZWNobyAkSE9NRQ=="));
    assert_eq!((context.get("START_SCRIPT"), context.get("PRICE"), context.get("FILES")), (None, None, None));
    assert_eq!((context.get("ESCAPED"), context.get("PASSWORD")), (Some("\\$HOME"), Some("s3cr3t")));
    assert_eq!(reasons(&new, "VM/TEMPLATE/CONTEXT/PRICE"), [Reason::ContextVariable]);
    // Without NETWORK=YES nobody writes ETH0_IP at B: it was the user's own.
    let own = vector(&plain("<CONTEXT><ETH0_IP>10.0.0.5</ETH0_IP></CONTEXT>", ""), "CONTEXT");
    assert_eq!(own.get("ETH0_IP"), Some("10.0.0.5"));
    let error =
        vm(&vm_with("<CONTEXT><A>x@^_^@B=y</A></CONTEXT>", ""), &Images::default(), &SiteMap::default());
    assert!(matches!(&error.unwrap_err().problems[..], [Problem::ContextSeparator { key }] if key == "A"));
}

#[test]
fn cipher_text_is_never_given_to_be_encrypted_again() {
    let cipher = "<CONTEXT><NETWORK>YES</NETWORK><PASSWORD>xuuq8arGS/4L/woT9NyfVQ==</PASSWORD></CONTEXT>";
    for (secrets, kept) in
        [(Secrets::Decrypted, true), (Secrets::Encrypted, false), (Secrets::Unknown, false)]
    {
        let new = there(&vm_with(cipher, "").with_secrets(secrets), &SiteMap::default());
        assert_eq!(vector(&new, "CONTEXT").get("PASSWORD").is_some(), kept, "{secrets:?}");
        assert!(!format!("{new:?}").contains("xuuq8"), "a secret is shown");
    }
}

#[test]
fn files_and_kernels_are_found_by_name() {
    let image = "<IMAGE><ID>6</ID><UNAME>oneadmin</UNAME><NAME>init.sh</NAME><SOURCE>/var/lib/one//datastores/2/40f1</SOURCE></IMAGE>";
    let images: Images = vec![Image::parse(image).unwrap()].into();
    let template = "<CONTEXT><FILES_DS>/var/lib/one//datastores/2/40f1:'init.sh' </FILES_DS></CONTEXT>\
                    <OS><KERNEL_DS>$FILE[IMAGE_ID=6]</KERNEL_DS><KERNEL_DS_ID>6</KERNEL_DS_ID><INITRD_DS>$FILE[IMAGE_ID=9]</INITRD_DS></OS>";
    let new = vm(&vm_with(template, ""), &images, &SiteMap::default()).unwrap();
    let file = Some("$FILE[IMAGE=\"init.sh\", IMAGE_UNAME=\"oneadmin\"]");
    assert_eq!(vector(&new, "CONTEXT").get("FILES_DS"), file);
    let os = vector(&new, "OS");
    assert_eq!((os.get("KERNEL_DS"), os.get("KERNEL_DS_ID"), os.get("INITRD_DS")), (file, None, None));
}

#[test]
fn a_disk_keeps_what_the_user_set_and_nothing_of_the_site() {
    let extra = "<CACHE>none</CACHE><IO>native</IO><READONLY>YES</READONLY><SERIAL>x1</SERIAL><TOTAL_IOPS_SEC>100</TOTAL_IOPS_SEC>\
                 <VIRTIO_BLK_QUEUES>4</VIRTIO_BLK_QUEUES><CEPH_USER>a</CEPH_USER><POOL_NAME>one</POOL_NAME><TM_MAD_SYSTEM>ssh</TM_MAD_SYSTEM>\
                 <ORDER>1</ORDER><LUKS_SECRET>uuid</LUKS_SECRET><TARGET>vdb</TARGET>";
    let new = plain(&disk(1, extra), "");
    let disk = vector(&new, "DISK");
    let keys: Vec<&str> = disk.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "IMAGE",
            "IMAGE_UNAME",
            "CACHE",
            "IO",
            "READONLY",
            "SERIAL",
            "TOTAL_IOPS_SEC",
            "VIRTIO_BLK_QUEUES",
            "TARGET"
        ]
    );
    assert_eq!((disk.get("IMAGE"), disk.get("IMAGE_UNAME")), (Some("web-disk-1"), Some("ann")));
    assert_eq!(new.images[0].template.single("LUKS_SECRET"), Some("uuid"));
    assert_eq!(new.images[0].template.single("DEV_PREFIX"), Some("vd"));
}

#[test]
fn one_cd_in_two_drives_is_registered_once_and_equal_names_are_told_apart() {
    let cd = |id: u32| disk(id, "").replace("YES", "NO").replace("<TYPE>RBD", "<TYPE>RBD_CDROM");
    let new = plain(&(cd(1) + &cd(2)), "");
    assert_eq!((new.images.len(), new.template.vectors("DISK").count()), (1, 2));
    assert_eq!(new.images[0].template.single("PERSISTENT"), Some("no"));
    let named = disk(2, "<PERSISTENT>YES</PERSISTENT>")
        .replace("<CLONE>YES", "<CLONE>NO")
        .replace("base", "web")
        .replace("one-3", "one-4");
    let new = plain(&(disk(0, "") + &named), "");
    let names: Vec<_> = new.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["web", "web-disk-2"]);
    assert_eq!(new.template.vectors("DISK").nth(1).unwrap().get("IMAGE"), Some("web-disk-2"));
}

#[test]
fn registrations_of_one_name_for_two_images_clash() {
    let other = Vm::parse(&vm_with(&disk(0, ""), "").document().to_xml().replace("[7]", "[8]")).unwrap();
    let one = plain(&disk(0, ""), "");
    let two = there(&other, &SiteMap::default());
    assert_eq!(clashes(one.images.iter().chain(&one.images)).len(), 0);
    assert_eq!(clashes(one.images.iter().chain(&two.images)).len(), 1);
}

#[test]
fn an_image_alone_is_registered_and_can_take_the_size_of_its_replica() {
    let text = "<IMAGE><ID>1</ID><UNAME>ann</UNAME><GNAME>users</GNAME><NAME>db</NAME><TYPE>2</TYPE><DISK_TYPE>3</DISK_TYPE>\
                <PERSISTENT>1</PERSISTENT><SOURCE>one/one-1</SOURCE><FORMAT>raw</FORMAT><FS>ext4</FS><SIZE>128</SIZE>\
                <DATASTORE>default</DATASTORE><TEMPLATE><DEV_PREFIX>vd</DEV_PREFIX><NOTE>x</NOTE><SIZE>1</SIZE></TEMPLATE></IMAGE>";
    let new = image(&Image::parse(text).unwrap(), &SiteMap::default()).unwrap().sized(Mebibytes(192));
    assert_eq!(
        new.template.to_text().unwrap(),
        "NAME=\"db\"\nTYPE=\"DATABLOCK\"\nPERSISTENT=\"yes\"\nSOURCE=\"one/one-1\"\nFORMAT=\"raw\"\nSIZE=\"192\"\n\
         DEV_PREFIX=\"vd\"\nFS=\"ext4\"\nNOTE=\"x\"\n"
    );
    for (from, to) in [
        ("<TYPE>2", "<TYPE>5"),
        ("<DISK_TYPE>3", "<DISK_TYPE>0"),
        ("one/one-1", ""),
        ("<SIZE>128</SIZE>", ""),
    ] {
        let error = image(&Image::parse(&text.replace(from, to)).unwrap(), &SiteMap::default()).unwrap_err();
        assert!(!error.problems.is_empty(), "{from} as {to:?} was taken");
    }
}

#[test]
fn a_map_is_written_by_people() {
    let map: SiteMap = serde_json::from_str(
        r#"{ "networks": { "net": "net-b", "ann/lan": { "to": "lan", "address": "drop" } }, "datastores": { "default": 104, "fast": "ssd" },
             "unlisted": "refuse", "vm": { "drop": ["context/PASSWORD"] } }"#,
    )
    .unwrap();
    assert_eq!(serde_json::from_str::<SiteMap>(&serde_json::to_string(&map).unwrap()).unwrap(), map);
    for wrong in [
        r#"{ "netwroks": {} }"#,
        r#"{ "vm": { "drop": ["A/B/C"] } }"#,
        r#"{ "vm": { "add": { "1A": "x" } } }"#,
        r#"{ "address": "both" }"#,
    ] {
        assert!(serde_json::from_str::<SiteMap>(wrong).is_err(), "{wrong}");
    }
}
