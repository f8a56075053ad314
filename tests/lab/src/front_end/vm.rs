//! `one.vm.*` and `one.template.instantiate`: how a template becomes a VM. What a VM then does is in `machine`.

mod cipher;
mod context;
mod disks;
mod nics;

use super::machine;
use super::methods::{Context, Outcome};
use super::refusal::Refusal;
use super::template::{Template, Value};
use super::tree::{Content, Node};
use super::world::{Caller, Release, Right, World, head, now};
use super::xmlrpc::Answer;

pub(crate) use cipher::decrypted;

/// What oned takes out of a template as its own; the rest is the user's.
const OWN: [&str; 37] = [
    "AUTOMATIC_DS_REQUIREMENTS",
    "AUTOMATIC_NIC_REQUIREMENTS",
    "AUTOMATIC_REQUIREMENTS",
    "CLONING_TEMPLATE_ID",
    "CONTEXT",
    "CPU",
    "CPU_COST",
    "CPU_MODEL",
    "DISK",
    "DISK_COST",
    "EMULATOR",
    "FEATURES",
    "GRAPHICS",
    "HYPERV_OPTIONS",
    "INPUT",
    "MEMORY",
    "MEMORY_COST",
    "MEMORY_MAX",
    "MEMORY_RESIZE_MODE",
    "MEMORY_SLOTS",
    "NIC",
    "NIC_ALIAS",
    "NIC_DEFAULT",
    "NUMA_NODE",
    "OS",
    "PCI",
    "RAW",
    "SCHED_ACTION",
    "SECURITY_GROUP_RULE",
    "SPICE_OPTIONS",
    "SUBMIT_ON_HOLD",
    "TEMPLATE_ID",
    "TM_MAD_SYSTEM",
    "TOPOLOGY",
    "VCPU",
    "VCPU_MAX",
    "VIDEO",
];

/// `one.vm.allocate(template, [hold])`
pub(crate) fn allocate(context: &mut Context<'_>) -> Outcome {
    let text = context.call.text(1)?.to_owned();
    let hold = context.call.flag(2, false)?;
    let template = Template::parse(&text, context.world.release.trims()).map_err(Refusal::Internal)?;
    if !context.caller.is_admin()
        && let Some(name) = context.world.restricted("VM_RESTRICTED_ATTR", &template)
    {
        return Err(Refusal::Authorization(format!("VM Template includes a restricted attribute {name}")));
    }
    let id = make(context, template, hold).map_err(Refusal::Internal)?;
    Ok(Answer::Id(id))
}

/// `one.template.instantiate(id, name, [hold, extra template, persistent])`
pub(crate) fn instantiate(context: &mut Context<'_>) -> Outcome {
    let (id, name) = (context.call.int(1)?, context.call.text(2)?.to_owned());
    let (hold, extra) = (context.call.flag(3, false)?, context.call.text_or_empty(4)?.to_owned());
    World::authorize(&context.world.templates, id, &context.caller, Right::Use)?;
    let stored = context.world.templates.get(id)?;
    let stored_name = stored.at(&["NAME"]).to_owned();
    let mut template = stored.child("TEMPLATE").map(Template::of_node).unwrap_or_default();
    let extra = Template::parse(&extra, context.world.release.trims()).map_err(Refusal::Internal)?;
    if !context.caller.is_admin()
        && let Some(name) = context.world.restricted("VM_RESTRICTED_ATTR", &extra)
    {
        return Err(Refusal::Authorization(format!("User Template includes a restricted attribute {name}")));
    }
    template.merge(extra);
    template.take("NAME");
    template.set("TEMPLATE_NAME", stored_name);
    template.set("TEMPLATE_ID", id.to_string());
    if !name.is_empty() {
        template.set("NAME", name);
    }
    let refused = |why| Refusal::Allocate { what: "virtual machine template", why };
    Ok(Answer::Id(make(context, template, hold).map_err(refused)?))
}

/// Makes a VM, or nothing: what was taken for it is given back. Its number is used up in any case.
fn make(context: &mut Context<'_>, mut template: Template, hold: bool) -> Result<i32, String> {
    let (world, caller) = (&mut *context.world, context.caller.clone());
    let id = world.vms.next;
    world.vms.next += 1;
    let prefix = template.take("TEMPLATE_NAME").unwrap_or_else(|| "one".to_owned());
    let name = template.take("NAME").unwrap_or_default().trim_end().to_owned();
    let name = if name.is_empty() { format!("{prefix}-{id}") } else { name };
    World::check_name(&name)?;
    template.take("VMID");
    if template.take("DEPLOY_ID").is_some_and(|deploy| deploy.starts_with("one-")) {
        return Err("Trying to import an OpenNebula VM: 'one-*'.".to_owned());
    }
    let positive =
        |key: &str| template.single(key).and_then(|text| text.trim().parse::<f64>().ok()) > Some(0.0);
    if !positive("MEMORY") {
        return Err("MEMORY attribute must be a positive integer value.".to_owned());
    }
    if template.single("CPU").is_none() {
        return Err("CPU attribute must be a positive float or integer value.".to_owned());
    }
    let hold = hold || template.single("SUBMIT_ON_HOLD").is_some_and(|word| word.eq_ignore_ascii_case("YES"));
    let mut taken = Taken { vm: id, images: Vec::new(), networks: Vec::new() };
    let made = fill(world, &caller, &name, &mut template, &mut taken);
    if let Err(why) = made {
        taken.give_back(world);
        return Err(why);
    }
    let node = document(&caller, id, &name, template, hold);
    world.vms.insert(node);
    if !hold {
        context.jobs.push(machine::Job::Schedule { vm: id });
    }
    Ok(id)
}

/// What a VM holds that is not its own.
pub(crate) struct Taken {
    pub(crate) vm: i32,
    pub(crate) images: Vec<i32>,
    pub(crate) networks: Vec<i32>,
}

impl Taken {
    fn give_back(&self, world: &mut World) {
        for image in &self.images {
            if let Some(image) = world.images.objects.get_mut(image) {
                super::image::release(image, self.vm, false);
            }
        }
        for network in &self.networks {
            if let Some(network) = world.networks.objects.get_mut(network) {
                super::network::free(network, self.vm);
            }
        }
    }
}

fn fill(
    world: &mut World,
    caller: &Caller,
    name: &str,
    template: &mut Template,
    taken: &mut Taken,
) -> Result<(), String> {
    let vm = taken.vm;
    let has_context =
        template.attributes.iter().any(|(key, value)| key == "CONTEXT" && matches!(value, Value::Vector(_)));
    let mut context = template.take_vectors("CONTEXT").into_iter().next().unwrap_or_default();
    let disks = disks::acquire(world, caller, template, has_context.then_some(&mut context), taken)?;
    let nics = nics::acquire(world, caller, template, taken)?;
    if has_context {
        let context = context::expand(world, caller, (vm, name), context, &nics, template)?;
        template.attributes.push(("CONTEXT".to_owned(), Value::Vector(context)));
    }
    let on_cluster = !disks.is_empty() || !nics.is_empty();
    let cluster = if on_cluster { "(CLUSTER_ID = 0) & " } else { "" };
    let public = if world.release == Release::V6 { "!(PUBLIC_CLOUD = YES) & " } else { "" };
    template.set("AUTOMATIC_REQUIREMENTS", format!("{cluster}{public}!(PIN_POLICY = PINNED)"));
    if !disks.is_empty() {
        let transfer = template.single("TM_MAD_SYSTEM").map(|mad| format!(" & (TM_MAD = \"{mad}\")"));
        let requirements = format!("(\"CLUSTERS/ID\" @> 0){}", transfer.unwrap_or_default());
        template.set("AUTOMATIC_DS_REQUIREMENTS", requirements);
    }
    if !nics.is_empty() {
        template.set("AUTOMATIC_NIC_REQUIREMENTS", "(\"CLUSTERS/ID\" @> 0)");
        for kind in ["OUTBOUND", "INBOUND"] {
            let pair = |key: &str, text: &str| (key.to_owned(), text.to_owned());
            let rule = vec![
                pair("PROTOCOL", "ALL"),
                pair("RULE_TYPE", kind),
                pair("SECURITY_GROUP_ID", "0"),
                pair("SECURITY_GROUP_NAME", "default"),
            ];
            template.attributes.push(("SECURITY_GROUP_RULE".to_owned(), Value::Vector(rule)));
        }
    }
    template.attributes.extend(disks.into_iter().map(|disk| ("DISK".to_owned(), Value::Vector(disk))));
    template.attributes.extend(nics);
    identify(world.release, template, vm);
    Ok(())
}

/// `OS/UUID`, and from 7.2 on `OS/MACHINE`.
fn identify(release: Release, template: &mut Template, vm: i32) {
    let mut os = template.take_vectors("OS").into_iter().next().unwrap_or_default();
    let has = |os: &[(String, String)], key: &str| os.iter().any(|(each, _)| each == key);
    if !has(&os, "UUID") {
        let seed = super::world::digest(&format!("{vm}-{}", now()));
        let part = |range: std::ops::Range<usize>| seed.get(range).unwrap_or_default().to_owned();
        let uuid =
            format!("{}-{}-4{}-8{}-{}", part(0..8), part(8..12), part(12..15), part(15..18), part(18..30));
        os.push(("UUID".to_owned(), uuid));
    }
    if release == Release::V7 && !has(&os, "MACHINE") {
        os.push(("MACHINE".to_owned(), "q35".to_owned()));
    }
    template.attributes.push(("OS".to_owned(), Value::Vector(os)));
    template.set("VMID", vm.to_string());
}

fn document(caller: &Caller, id: i32, name: &str, template: Template, hold: bool) -> Node {
    let (own, user): (Vec<_>, Vec<_>) =
        template.attributes.into_iter().partition(|(key, _)| OWN.contains(&key.as_str()) || key == "VMID");
    let (actions, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|(key, _)| key == "SCHED_ACTION");
    let mut own_nodes = Template { attributes: own }.nodes();
    for (at, (_, action)) in actions.iter().enumerate() {
        if let Value::Vector(pairs) = action {
            let mut children: Vec<_> = pairs.iter().map(|(key, text)| Node::plain(key, text)).collect();
            children.insert(0, Node::plain("ID", at));
            children.insert(1, Node::plain("PARENT_ID", id));
            own_nodes.push(Node::of("SCHED_ACTION", children));
        }
    }
    let state = if hold { 2 } else { 1 };
    let mut children = head(id, caller, name);
    children.extend([
        Node::plain("LAST_POLL", 0),
        Node::plain("STATE", state),
        Node::plain("LCM_STATE", 0),
        Node::plain("PREV_STATE", state),
        Node::plain("PREV_LCM_STATE", 0),
        Node::plain("RESCHED", 0),
        Node::plain("STIME", now()),
        Node::plain("ETIME", 0),
        Node::of("DEPLOY_ID", Vec::new()),
        Node::of("MONITORING", Vec::new()),
        Node::of("SCHED_ACTIONS", (0..actions.len()).map(|at| Node::plain("ID", at)).collect()),
        Node::of("TEMPLATE", own_nodes),
        Node::of("USER_TEMPLATE", Template { attributes: user }.nodes()),
        Node::nothing("HISTORY_RECORDS"),
        Node::of("BACKUPS", vec![Node::nothing("BACKUP_CONFIG"), Node::of("BACKUP_IDS", Vec::new())]),
    ]);
    let mut node = Node::of("VM", children);
    if let Some(password) =
        node.child_mut("TEMPLATE").and_then(|node| node.child_mut("CONTEXT")?.child_mut("PASSWORD"))
    {
        password.content = Content::Data(cipher::encrypt(password.text()));
    }
    node
}

/// `one.vm.action(action, id)`
pub(crate) fn action(context: &mut Context<'_>) -> Outcome {
    let (word, id) = (context.call.text(1)?.to_owned(), context.call.int(2)?);
    let Some(action) = machine::Action::of(&word) else {
        return Err(Refusal::Action(format!("Action \"{word}\" is not supported")));
    };
    World::authorize(&context.world.vms, id, &context.caller, action.right())?;
    let jobs = machine::act(context.world, id, action)
        .map_err(|why| Refusal::Action(format!("Error performing action \"{word}\": {why}")))?;
    context.jobs.extend(jobs);
    Ok(Answer::Id(id))
}

/// `one.vm.deploy(id, host, [enforce, datastore, extra])`
pub(crate) fn deploy(context: &mut Context<'_>) -> Outcome {
    let (id, host) = (context.call.int(1)?, context.call.int(2)?);
    context.call.flag(3, false)?;
    let datastore = context.call.int_or(4, -1)?;
    World::authorize(&context.world.vms, id, &context.caller, Right::Admin)?;
    context.world.hosts.get(host)?;
    let jobs = machine::deploy(context.world, id, host, datastore).map_err(Refusal::Action)?;
    context.jobs.extend(jobs);
    Ok(Answer::Id(id))
}

/// `one.vm.recover(id, operation)`
pub(crate) fn recover(context: &mut Context<'_>) -> Outcome {
    let (id, operation) = (context.call.int(1)?, context.call.int(2)?);
    World::authorize(&context.world.vms, id, &context.caller, Right::Admin)?;
    let jobs = machine::recover(context.world, id, operation).map_err(Refusal::Action)?;
    context.jobs.extend(jobs);
    Ok(Answer::Id(id))
}

/// What `one.vmpool.info` says of a VM: no source of a disk, no context, nothing that the user wrote but a few words.
pub(crate) fn short(node: &Node) -> Node {
    let mut children = Vec::new();
    for child in node.children() {
        match child.name.as_str() {
            "ID" | "UID" | "GID" | "UNAME" | "GNAME" | "NAME" | "LAST_POLL" | "STATE" | "LCM_STATE"
            | "RESCHED" | "STIME" | "ETIME" | "DEPLOY_ID" | "LOCK" => children.push(child.clone()),
            "TEMPLATE" => children.push(short_template(child)),
            _ => {}
        }
    }
    children.push(Node::nothing("MONITORING"));
    let kept = ["LABELS", "ERROR", "SCHED_RANK", "SCHED_REQUIREMENTS", "SCHED_DS_REQUIREMENTS"];
    let user = node.child("USER_TEMPLATE");
    let words = kept.iter().filter_map(|key| user?.child(key).cloned()).collect();
    let empty = user.is_none_or(|user| user.children().is_empty());
    children.push(if empty { Node::nothing("USER_TEMPLATE") } else { Node::of("USER_TEMPLATE", words) });
    let last = node.child("HISTORY_RECORDS").and_then(|records| records.children().last());
    let history = last.map(|record| {
        let plain = |key: &str| Node::plain(key, record.at(&[key]));
        let data = |key: &str| Node::data(key, record.at(&[key]));
        let fields = vec![
            plain("OID"),
            plain("SEQ"),
            data("HOSTNAME"),
            plain("HID"),
            plain("CID"),
            plain("DS_ID"),
            data("VM_MAD"),
            data("TM_MAD"),
            data("ACTION"),
        ];
        Node::of("HISTORY_RECORDS", vec![Node::of("HISTORY", fields)])
    });
    children.push(history.unwrap_or_else(|| Node::nothing("HISTORY_RECORDS")));
    Node::of("VM", children)
}

fn short_template(template: &Node) -> Node {
    let with = |of: &Node, keys: &[&str]| {
        // Addresses of IPv6 are left out where there are none, everything else is shown empty.
        let shown = keys.iter().filter(|key| !key.starts_with("IP6") || of.child(key).is_some());
        Node::of(&of.name, shown.map(|key| Node::data(key, of.at(&[key]))).collect())
    };
    let disk = [
        "DISK_ID",
        "DATASTORE",
        "DATASTORE_ID",
        "IMAGE",
        "IMAGE_ID",
        "SIZE",
        "TYPE",
        "CLONE",
        "CLONE_TARGET",
        "LN_TARGET",
        "DISK_SNAPSHOT_TOTAL_SIZE",
    ];
    let nic = [
        "IP",
        "IP6_ULA",
        "IP6_LINK",
        "IP6_GLOBAL",
        "MAC",
        "NETWORK",
        "NETWORK_ID",
        "NIC_ID",
        "SECURITY_GROUPS",
    ];
    let mut children: Vec<_> =
        ["CPU", "MEMORY", "VCPU"].iter().map(|key| Node::plain(key, template.at(&[key]))).collect();
    children.extend(template.all("DISK").map(|each| with(each, &disk)));
    // Aliases are cards here, in one row by number.
    let mut cards: Vec<_> = template.all("NIC").chain(template.all("NIC_ALIAS")).collect();
    cards.sort_by_key(|card| card.number(&["NIC_ID"]));
    children.extend(cards.into_iter().map(|card| Node { name: "NIC".to_owned(), ..with(card, &nic) }));
    children.extend(template.all("GRAPHICS").cloned());
    Node::of("TEMPLATE", children)
}
