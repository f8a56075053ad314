//! `one.image.*`

use super::methods::{Context, Outcome};
use super::refusal::Refusal;
use super::template::Template;
use super::tree::Node;
use super::world::{Release, Right, World, head, now};
use super::xmlrpc::Answer;

const WHAT: &str = "image";

const TYPES: [&str; 7] = ["OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP"];
const STATES: [&str; 11] = [
    "INIT",
    "READY",
    "USED",
    "DISABLED",
    "LOCKED",
    "ERROR",
    "CLONE",
    "DELETE",
    "USED_PERS",
    "LOCKED_USED",
    "LOCKED_USED_PERS",
];

/// `IMAGE/STATE`.
pub(crate) const READY: i64 = 1;
pub(crate) const USED: i64 = 2;
pub(crate) const DISABLED: i64 = 3;
pub(crate) const ERROR: i64 = 5;
pub(crate) const DELETE: i64 = 7;
pub(crate) const USED_PERS: i64 = 8;

/// Changes the state. **That erases the lock**, as in oned.
pub(crate) fn set_state(image: &mut Node, state: i64) {
    image.remove("LOCK");
    image.set("STATE", state);
    image.set("PREV_STATE", state);
}

fn state_word(image: &Node) -> &'static str {
    let state = image.number(&["STATE"]).and_then(|state| usize::try_from(state).ok());
    state.and_then(|state| STATES.get(state)).copied().unwrap_or("")
}

/// `one.image.allocate(template, datastore, [skip the capacity check])`
pub(crate) fn allocate(context: &mut Context<'_>) -> Outcome {
    let text = context.call.text(1)?.to_owned();
    let datastore = context.call.int(2)?;
    let unchecked = context.call.flag(3, false)? && context.caller.is_admin();
    let mut template = Template::parse(&text, context.world.release.trims()).map_err(Refusal::Internal)?;
    let world = &mut *context.world;
    let store = world
        .datastores
        .get(datastore)
        .map_err(|_| Refusal::NoExists { what: "datastore", id: datastore })?;
    let refused = |why: &str| Refusal::Allocate { what: WHAT, why: why.to_owned() };
    let store_type = store.number(&["TYPE"]).unwrap_or(0);
    if !matches!(store_type, 0 | 2) {
        return Err(refused("New images can only be allocated in a files or image datastore."));
    }
    let size = template.single("SIZE").unwrap_or_default().trim().parse::<i64>().map_err(|_| {
        let why = "Cannot parse image SIZE: Wrong number or missing SIZE attribute.";
        Refusal::Internal(why.to_owned())
    })?;
    if !unchecked && size > store.number(&["FREE_MB"]).unwrap_or(0) {
        return Err(Refusal::Action("Not enough space in datastore".to_owned()));
    }
    let (store_name, disk_type) = (store.at(&["NAME"]).to_owned(), store.at(&["DISK_TYPE"]).to_owned());
    if !context.caller.is_admin()
        && let Some(name) = world.restricted("IMAGE_RESTRICTED_ATTR", &template)
    {
        return Err(Refusal::Authorization(format!("Template includes a restricted attribute {name}")));
    }
    World::authorize(&world.datastores, datastore, &context.caller, Right::Use)?;
    let name = template.take("NAME").unwrap_or_default().trim_end().to_owned();
    World::check_name(&name).map_err(|why| refused(&why))?;
    let type_word = template.take("TYPE").filter(|word| !word.is_empty()).unwrap_or_else(|| "OS".to_owned());
    let image_type = TYPES.iter().position(|word| word.eq_ignore_ascii_case(&type_word));
    let Some(image_type) = image_type.filter(|found| *found < 6) else {
        return Err(refused("Unknown type "));
    };
    match (store_type, image_type) {
        (2, 0..=2) => {
            return Err(refused(
                "Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in a FILE_DS datastore",
            ));
        }
        (0, 3..) => {
            return Err(refused(
                "IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore",
            ));
        }
        _ => {}
    }
    if let Some(taken) = world.images.named(&name, context.caller.uid) {
        return Err(refused(&format!("NAME is already taken by IMAGE {taken}.")));
    }
    let persistent = template.take("PERSISTENT").is_some_and(|word| word.eq_ignore_ascii_case("YES"));
    let [_, _, fs, source, path, format] = ["SIZE", "DRIVER", "FS", "SOURCE", "PATH", "FORMAT"]
        .map(|key| template.take(key).unwrap_or_default());
    template.take("TM_MAD");
    if !source.is_empty() && !path.is_empty() {
        return Err(refused("PATH and SOURCE cannot be both set."));
    }
    if !source.is_empty() && format.is_empty() {
        return Err(refused("SOURCE needs FORMAT to be set."));
    }
    if source.is_empty() && path.is_empty() && !matches!(image_type, 0 | 2) {
        return Err(refused("No PATH nor SOURCE in template."));
    }
    if template.single("DEV_PREFIX").is_none_or(str::is_empty) && image_type < 3 {
        let cdrom = if world.release == Release::V6 { "hd" } else { "sd" };
        template.set("DEV_PREFIX", if image_type == 1 { cdrom } else { "sd" });
    }
    let id = world.images.next;
    let registered = !source.is_empty();
    let pool = world.datastores.get(datastore)?.at(&["TEMPLATE", "POOL_NAME"]);
    let source = if registered { source } else { format!("{pool}/one-{id}") };
    let format = if format.is_empty() { "raw".to_owned() } else { format };
    let mut children = head(id, &context.caller, &name);
    children.extend([
        Node::plain("TYPE", image_type),
        Node::plain("DISK_TYPE", disk_type),
        Node::plain("PERSISTENT", u8::from(persistent)),
        Node::plain("REGTIME", now()),
    ]);
    if world.release == Release::V7 {
        children.push(Node::plain("MODTIME", now()));
    }
    children.extend([
        Node::data("SOURCE", source),
        Node::data("PATH", path),
        Node::data("FORMAT", format),
        Node::data("FS", fs),
        Node::plain("SIZE", size),
        Node::plain("STATE", READY),
        Node::plain("PREV_STATE", READY),
        Node::plain("RUNNING_VMS", 0),
        Node::plain("CLONING_OPS", 0),
        Node::plain("CLONING_ID", -1),
        Node::plain("TARGET_SNAPSHOT", -1),
        Node::plain("DATASTORE_ID", datastore),
        Node::plain("DATASTORE", store_name),
        Node::of("VMS", Vec::new()),
        Node::of("CLONES", Vec::new()),
        Node::of("APP_CLONES", Vec::new()),
        Node::of("TEMPLATE", template.nodes()),
        Node::of("SNAPSHOTS", Vec::new()),
        Node::of("BACKUP_INCREMENTS", Vec::new()),
        Node::of("BACKUP_DISK_IDS", Vec::new()),
    ]);
    world.images.insert(Node::of("IMAGE", children));
    if let Some(images) = world.datastores.get_mut(datastore)?.child_mut("IMAGES") {
        images.children_mut().push(Node::plain("ID", id));
    }
    Ok(Answer::Id(id))
}

/// `one.image.delete(id, [force])`: goes on after the answer; see [`super::machine`].
pub(crate) fn delete(context: &mut Context<'_>) -> Outcome {
    let id = context.call.int(1)?;
    let force = context.call.flag(2, false)?;
    let state = context.world.images.get(id)?.number(&["STATE"]).unwrap_or(0);
    if matches!(state, 4 | 9 | 10) && !force {
        let why = "Image locked, use --force flag to remove the image. Force delete may leave some files on \
                   Datastore";
        return Err(Refusal::Internal(why.to_owned()));
    }
    if force && let Some(template) = context.world.images.get_mut(id)?.child_mut("TEMPLATE") {
        // Stays behind when the delete is refused, as in oned.
        template.set_data("FORCE_DELETE", "YES");
    }
    World::authorize(&context.world.images, id, &context.caller, Right::Manage)?;
    let image = context.world.images.get_mut(id)?;
    let users = image.number(&["RUNNING_VMS"]).unwrap_or(0);
    if matches!(state, 2 | 8 | 9 | 10) || (state == READY && users > 0) {
        let why = format!("Cannot delete image. There are {users} VMs using it.");
        return Err(Refusal::Action(why));
    }
    if image.at(&["SOURCE"]).is_empty() {
        context.world.images.objects.remove(&id);
    } else {
        set_state(image, DELETE);
        context.jobs.push(super::machine::Job::RemoveImage { image: id });
    }
    Ok(Answer::Id(id))
}

/// `one.image.persistent(id, flag)`
pub(crate) fn persistent(context: &mut Context<'_>) -> Outcome {
    let (id, flag) = (context.call.int(1)?, context.call.flag(2, false)?);
    World::authorize(&context.world.images, id, &context.caller, Right::Manage)?;
    let image = context.world.images.get_mut(id)?;
    if matches!(image.number(&["STATE"]), Some(2 | 6 | 8 | 9 | 10)) {
        let made = if flag { "persistent" } else { "non-persistent" };
        let why = format!("Could not make image {made}: Image cannot be in state {}.", state_word(image));
        return Err(Refusal::Internal(why));
    }
    image.set("PERSISTENT", u8::from(flag));
    Ok(Answer::Id(id))
}

/// `one.image.enable(id, flag)`
pub(crate) fn enable(context: &mut Context<'_>) -> Outcome {
    let (id, flag) = (context.call.int(1)?, context.call.flag(2, false)?);
    World::authorize(&context.world.images, id, &context.caller, Right::Manage)?;
    let image = context.world.images.get_mut(id)?;
    let state = image.number(&["STATE"]).unwrap_or(0);
    match (flag, state) {
        (true, DISABLED | ERROR) => set_state(image, READY),
        (false, READY | ERROR) => set_state(image, DISABLED),
        (true, READY) | (false, DISABLED) => {}
        _ => {
            let done = if flag { "enable" } else { "disable" };
            let why = format!("Could not {done} image: Image cannot be in state {}.", state_word(image));
            return Err(Refusal::Internal(why));
        }
    }
    Ok(Answer::Id(id))
}

/// `one.image.chtype(id, type)`
pub(crate) fn chtype(context: &mut Context<'_>) -> Outcome {
    let (id, word) = (context.call.int(1)?, context.call.text(2)?.to_owned());
    World::authorize(&context.world.images, id, &context.caller, Right::Manage)?;
    let image = context.world.images.get_mut(id)?;
    let found = TYPES.iter().position(|each| each.eq_ignore_ascii_case(&word));
    let found = found.ok_or_else(|| Refusal::Internal("Unknown type ".to_owned()))?;
    if (found < 3) != (image.number(&["TYPE"]) < Some(3)) {
        let why = "Cannot change image type to an incompatible type for the current datastore.";
        return Err(Refusal::Action(why.to_owned()));
    }
    image.set("TYPE", found);
    Ok(Answer::Id(id))
}

/// Takes an image for a disk of a VM.
///
/// # Errors
/// oned's words, without the disk.
pub(crate) fn acquire(image: &mut Node, vm: i32) -> Result<(), String> {
    let id = image.at(&["ID"]).to_owned();
    let state = image.number(&["STATE"]).unwrap_or(0);
    let persistent = image.at(&["PERSISTENT"]) == "1";
    if image.number(&["TYPE"]) >= Some(3) {
        return Err(format!(
            "Image {id} ({}) of type {} cannot be used as DISK.",
            image.at(&["NAME"]),
            TYPES[usize::try_from(image.number(&["TYPE"]).unwrap_or(0)).unwrap_or(0).min(6)]
        ));
    }
    match state {
        READY => set_state(image, if persistent { USED_PERS } else { USED }),
        USED => {}
        USED_PERS => return Err(format!("Cannot acquire image {id}, it is persistent and already in use")),
        _ => return Err(format!("Cannot acquire image {id}, it is in state: {}", state_word(image))),
    }
    let users = image.number(&["RUNNING_VMS"]).unwrap_or(0) + 1;
    image.set("RUNNING_VMS", users);
    if let Some(vms) = image.child_mut("VMS") {
        vms.children_mut().push(Node::plain("ID", vm));
    }
    Ok(())
}

/// Gives it back. `failed`: a persistent one is left in ERROR.
pub(crate) fn release(image: &mut Node, vm: i32, failed: bool) {
    let users = (image.number(&["RUNNING_VMS"]).unwrap_or(0) - 1).max(0);
    image.set("RUNNING_VMS", users);
    if let Some(vms) = image.child_mut("VMS") {
        let mut first = true;
        vms.children_mut().retain(|id| !(id.text() == vm.to_string() && std::mem::take(&mut first)));
    }
    match image.number(&["STATE"]) {
        Some(USED_PERS) if failed => set_state(image, ERROR),
        Some(USED | USED_PERS) if users == 0 => set_state(image, READY),
        _ => {}
    }
}
