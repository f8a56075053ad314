//! Which method does what: authentication first, then what all kinds of objects have in common.

use super::machine::Job;
use super::refusal::Refusal;
use super::template::Template;
use super::tree::Node;
use super::world::{Caller, Pool, Right, World, now};
use super::xmlrpc::{Answer, Call, Fault};
use super::{image, network, vm};

/// What a method has to work with.
pub(crate) struct Context<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) call: &'a Call,
    pub(crate) caller: Caller,
    /// What goes on after the answer.
    pub(crate) jobs: Vec<Job>,
}

pub(crate) type Outcome = Result<Answer, Refusal>;

/// Executes a call. Also: what goes on after it.
pub(crate) fn dispatch(world: &mut World, call: &Call) -> (Result<Answer, Fault>, Vec<Job>) {
    world.requests += 1;
    if !is_known(&call.method) {
        return (Err(Fault::no_method(&call.method)), Vec::new());
    }
    let caller = match call.text(0) {
        Ok(session) => world.authenticate(session),
        Err(fault) => return (Err(fault), Vec::new()),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => return (refusal.answer(&call.method, -1), Vec::new()),
    };
    let uid = caller.uid;
    let mut context = Context { world, call, caller, jobs: Vec::new() };
    let answer = method(&mut context).or_else(|refusal| refusal.answer(&call.method, uid));
    (answer, context.jobs)
}

const KINDS: [&str; 8] = ["image", "template", "vm", "vn", "datastore", "host", "user", "group"];

fn is_known(method: &str) -> bool {
    let Some((kind, verb)) = method.strip_prefix("one.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    if let Some(kind) = kind.strip_suffix("pool") {
        return KINDS.contains(&kind) && (verb == "info" || (kind == "vm" && verb == "infoextended"));
    }
    match kind {
        "system" => matches!(verb, "version" | "config"),
        _ if !KINDS.contains(&kind) => false,
        _ if verb == "info" => true,
        "image" | "template" | "vm" => {
            matches!(verb, "allocate" | "chown" | "chmod" | "rename" | "update" | "lock" | "unlock")
                || match kind {
                    "image" => matches!(verb, "delete" | "persistent" | "enable" | "chtype"),
                    "template" => matches!(verb, "delete" | "instantiate"),
                    _ => matches!(verb, "action" | "deploy" | "recover"),
                }
        }
        "vn" => matches!(verb, "hold" | "release"),
        _ => false,
    }
}

fn method(context: &mut Context<'_>) -> Outcome {
    let method = context.call.method.as_str();
    let (kind, verb) = method.strip_prefix("one.").and_then(|rest| rest.split_once('.')).unwrap_or_default();
    match (kind, verb) {
        ("system", "version") => Ok(Answer::Text(context.world.release.number().to_owned())),
        ("system", "config") if context.caller.is_admin() => Ok(Answer::Text(context.world.config.to_xml())),
        ("system", _) => Err(Refusal::Authorization(
            "The oned configuration can only be retrieved by users in the oneadmin group".to_owned(),
        )),
        ("image", "allocate") => image::allocate(context),
        ("image", "delete") => image::delete(context),
        ("image", "persistent") => image::persistent(context),
        ("image", "enable") => image::enable(context),
        ("image", "chtype") => image::chtype(context),
        ("template", "allocate") => allocate_template(context),
        ("template", "delete") => delete_template(context),
        ("template", "instantiate") => vm::instantiate(context),
        ("vm", "allocate") => vm::allocate(context),
        ("vm", "action") => vm::action(context),
        ("vm", "deploy") => vm::deploy(context),
        ("vm", "recover") => vm::recover(context),
        ("vn", "hold") => network::hold(context),
        ("vn", "release") => network::release(context),
        (_, "info") if !kind.ends_with("pool") => info(context, kind),
        (_, "info" | "infoextended") => list(context, kind.trim_end_matches("pool"), verb == "infoextended"),
        (_, "chown") => chown(context, kind),
        (_, "chmod") => chmod(context, kind),
        (_, "rename") => rename(context, kind),
        (_, "update") => update(context, kind),
        (_, "lock") => lock(context, kind),
        (_, "unlock") => unlock(context, kind),
        _ => Err(Fault::no_method(method).into()),
    }
}

impl World {
    fn pool(&mut self, kind: &str) -> &mut Pool {
        match kind {
            "image" => &mut self.images,
            "template" => &mut self.templates,
            "vm" => &mut self.vms,
            "vn" => &mut self.networks,
            "datastore" => &mut self.datastores,
            "host" => &mut self.hosts,
            "user" => &mut self.users,
            _ => &mut self.groups,
        }
    }
}

fn info(context: &mut Context<'_>, kind: &str) -> Outcome {
    let mut id = context.call.int(1)?;
    if kind == "user" && id == -1 {
        id = context.caller.uid;
    }
    let decrypt = context.call.flag(2, false)? && context.caller.is_admin();
    let caller = context.caller.clone();
    let pool = context.world.pool(kind);
    if !matches!(kind, "user" | "group" | "host") {
        // Reading is not stopped by a lock.
        let unlocked = |node: &Node| {
            let mut node = node.clone();
            node.remove("LOCK");
            node
        };
        let node = unlocked(pool.get(id)?);
        let alone = Pool { objects: [(id, node)].into(), ..*pool };
        World::authorize(&alone, id, &caller, Right::Use)?;
    } else {
        pool.get(id)?;
    }
    let text = if kind == "vm" && decrypt {
        vm::decrypted(context.world, id)?.to_xml()
    } else {
        context.world.pool(kind).get(id)?.to_xml()
    };
    Ok(Answer::Text(text))
}

fn list(context: &mut Context<'_>, kind: &str, extended: bool) -> Outcome {
    let filtered = matches!(kind, "image" | "template" | "vm" | "vn");
    let (filter, start, end) = if filtered {
        (context.call.int(1)?, context.call.int(2)?, context.call.int(3)?)
    } else {
        (-2, -1, -1)
    };
    if filter < -4 {
        return Err(Refusal::Api("Incorrect filter_flag".to_owned()));
    }
    let state = if kind == "vm" { context.call.int(4)? } else { -2 };
    if !(-2..=11).contains(&state) {
        return Err(Refusal::Api("Incorrect filter_flag, state".to_owned()));
    }
    if kind == "vm" && !context.call.text_or_empty(5)?.is_empty() {
        let why = "JSON query search is not supported by the SQL backend";
        return Err(Refusal::Internal(why.to_owned()));
    }
    let caller = context.caller.clone();
    let pool = context.world.pool(kind);
    let is_shown = |id: i32, node: &Node| {
        let mine = node.number(&["UID"]) == Some(caller.uid.into());
        let of_group = node.number(&["GID"]) == Some(caller.gid.into());
        let owned = match filter {
            -2 => true,
            -3 => mine,
            -1 => mine || of_group,
            -4 => of_group,
            uid => node.number(&["UID"]) == Some(uid.into()),
        };
        let in_range = end < -1 || start == -1 || (id >= start && (end == -1 || id <= end));
        let in_state = match state {
            -2 => true,
            -1 => node.number(&["STATE"]) != Some(6),
            state => node.number(&["STATE"]) == Some(state.into()),
        };
        owned && in_range && in_state
    };
    let shown = pool.objects.iter().rev().filter(|(id, node)| is_shown(**id, node)).map(|(_, node)| node);
    // Below -1 the range is a page: an offset and, negative, a length.
    let (skip, take) = if end < -1 {
        (usize::try_from(start).unwrap_or(0), usize::try_from(-i64::from(end)).unwrap_or(0))
    } else {
        (0, usize::MAX)
    };
    let mut text = format!("<{}>", pool.root);
    for node in shown.skip(skip).take(take) {
        match kind {
            "vm" if !extended => vm::short(node).write(&mut text),
            "vn" => network::pooled(node).write(&mut text),
            _ => node.write(&mut text),
        }
    }
    text.push_str(&format!("</{}>", pool.root));
    Ok(Answer::Text(text))
}

fn chown(context: &mut Context<'_>, kind: &str) -> Outcome {
    let (id, uid, gid) = (context.call.int(1)?, context.call.int(2)?, context.call.int(3)?);
    let name_of = |node: &Node| node.at(&["NAME"]).to_owned();
    let user = if uid > -1 { Some(name_of(context.world.users.get(uid)?)) } else { None };
    let group = if gid > -1 { Some(name_of(context.world.groups.get(gid)?)) } else { None };
    let caller = context.caller.clone();
    let pool = context.world.pool(kind);
    World::authorize(pool, id, &caller, Right::Manage)?;
    if !caller.is_admin() && uid > -1 && uid != caller.uid {
        return Err(Refusal::Authorization(format!("Not authorized to perform MANAGE USER [{uid}]")));
    }
    let name = name_of(pool.get(id)?);
    if uid > -1
        && kind != "vm"
        && let Some(other) = pool.named(&name, uid).filter(|other| *other != id)
    {
        let why = format!(
            "{} can not be chowned to user {uid} because it collides with {} {other}",
            pool.kind, pool.kind
        );
        return Err(Refusal::Internal(why));
    }
    let node = pool.get_mut(id)?;
    if let Some(user) = user {
        node.set("UID", uid);
        node.set("UNAME", user);
    }
    if let Some(group) = group {
        node.set("GID", gid);
        node.set("GNAME", group);
    }
    Ok(Answer::Id(id))
}

fn chmod(context: &mut Context<'_>, kind: &str) -> Outcome {
    let id = context.call.int(1)?;
    let mut bits = [0; 9];
    for (at, bit) in bits.iter_mut().enumerate() {
        *bit = context.call.int(at + 2)?;
    }
    let caller = context.caller.clone();
    let pool = context.world.pool(kind);
    World::authorize(pool, id, &caller, Right::Manage)?;
    if bits.iter().any(|bit| !(-1..=1).contains(bit)) {
        return Err(Refusal::Internal("New permission values must be -1, 0 or 1".to_owned()));
    }
    if let Some(permissions) = pool.get_mut(id)?.child_mut("PERMISSIONS") {
        for (child, bit) in permissions.children_mut().iter_mut().zip(bits).filter(|(_, bit)| *bit >= 0) {
            child.content = Node::plain("", bit).content;
        }
    }
    Ok(Answer::Id(id))
}

fn rename(context: &mut Context<'_>, kind: &str) -> Outcome {
    let (id, name) = (context.call.int(1)?, context.call.text(2)?.to_owned());
    let caller = context.caller.clone();
    let pool = context.world.pool(kind);
    if pool.get(id)?.at(&["NAME"]) == name {
        return Ok(Answer::Id(id));
    }
    World::authorize(pool, id, &caller, Right::Manage)?;
    let uid = pool.get(id)?.number(&["UID"]).and_then(|uid| i32::try_from(uid).ok()).unwrap_or(-1);
    if kind != "vm"
        && let Some(other) = pool.named(&name, uid)
    {
        let what = pool.what;
        let why = format!("{what} cannot be renamed to {name} because it collides with {what} {other}");
        return Err(Refusal::Action(why));
    }
    World::check_name(&name).map_err(Refusal::Action)?;
    pool.get_mut(id)?.set("NAME", name);
    Ok(Answer::Id(id))
}

fn update(context: &mut Context<'_>, kind: &str) -> Outcome {
    let (id, text, how) =
        (context.call.int(1)?, context.call.text(2)?.to_owned(), context.call.int_or(3, 0)?);
    let caller = context.caller.clone();
    let release = context.world.release;
    let pool = context.world.pool(kind);
    World::authorize(pool, id, &caller, Right::Manage)?;
    if !matches!(how, 0 | 1) {
        return Err(Refusal::Api("Wrong update type".to_owned()));
    }
    let wrong = |why: String| Refusal::Internal(format!("Cannot update template. {why}"));
    let new = Template::parse(&text, release.trims()).map_err(wrong)?;
    let part = if kind == "vm" { "USER_TEMPLATE" } else { "TEMPLATE" };
    let node = pool.get_mut(id)?;
    let mut template = Template::default();
    if how == 1 {
        template = node.child(part).map(Template::of_node).unwrap_or_default();
    }
    template.merge(new);
    if let Some(child) = node.child_mut(part) {
        *child.children_mut() = template.nodes();
    }
    Ok(Answer::Id(id))
}

fn lock(context: &mut Context<'_>, kind: &str) -> Outcome {
    let (id, level, test) = (context.call.int(1)?, context.call.int(2)?, context.call.flag(3, false)?);
    let (caller, request) = (context.caller.clone(), context.world.requests);
    let pool = context.world.pool(kind);
    let node = pool.get_mut(id)?;
    let level = match level {
        1 | 4 => 1,
        2 | 3 => level,
        _ => return Err(Refusal::Action("Wrong lock level specified".to_owned())),
    };
    let owner = node.number(&["LOCK", "OWNER"]);
    if test && owner.is_some() {
        return Err(Refusal::Action(node.at(&["LOCK", "TIME"]).to_owned()));
    }
    if owner.is_some_and(|owner| owner != i64::from(caller.uid)) && !caller.is_admin() {
        return Err(Refusal::Action("Error trying to lock the resource.".to_owned()));
    }
    node.remove("LOCK");
    let lock = Node::of(
        "LOCK",
        vec![
            Node::plain("LOCKED", level),
            Node::plain("OWNER", caller.uid),
            Node::plain("TIME", now()),
            Node::plain("REQ_ID", request),
        ],
    );
    let at = node.children().iter().position(|child| child.name == "NAME").map_or(0, |at| at + 1);
    node.children_mut().insert(at, lock);
    Ok(Answer::Id(id))
}

fn unlock(context: &mut Context<'_>, kind: &str) -> Outcome {
    let id = context.call.int(1)?;
    let caller = context.caller.clone();
    let node = context.world.pool(kind).get_mut(id)?;
    let owner = node.number(&["LOCK", "OWNER"]);
    if owner.is_some_and(|owner| owner != i64::from(caller.uid)) && !caller.is_admin() {
        return Err(Refusal::Action("Cannot unlock: Lock is owned by another user".to_owned()));
    }
    node.remove("LOCK");
    Ok(Answer::Id(id))
}

fn allocate_template(context: &mut Context<'_>) -> Outcome {
    let text = context.call.text(1)?.to_owned();
    let world = &mut *context.world;
    let mut template = Template::parse(&text, world.release.trims()).map_err(Refusal::Internal)?;
    if !context.caller.is_admin()
        && let Some(name) = world.restricted("VM_RESTRICTED_ATTR", &template)
    {
        return Err(Refusal::Authorization(format!("VM Template includes a restricted attribute {name}")));
    }
    let name = template.take("NAME").unwrap_or_default().trim_end().to_owned();
    let id = world.templates.next;
    World::check_name(&name).map_err(Refusal::Internal)?;
    if let Some(taken) = world.templates.named(&name, context.caller.uid) {
        return Err(Refusal::Internal(format!("NAME is already taken by TEMPLATE {taken}.")));
    }
    let mut children = super::world::head(id, &context.caller, &name);
    children.push(Node::plain("REGTIME", now()));
    children.push(Node::of("TEMPLATE", template.nodes()));
    world.templates.insert(Node::of("VMTEMPLATE", children));
    Ok(Answer::Id(id))
}

fn delete_template(context: &mut Context<'_>) -> Outcome {
    let id = context.call.int(1)?;
    World::authorize(&context.world.templates, id, &context.caller, Right::Manage)?;
    context.world.templates.objects.remove(&id);
    Ok(Answer::Id(id))
}
