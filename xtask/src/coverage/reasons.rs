//! What cannot be read from the sources: why a function of C is left out, and which traps there are.

use super::{Covered, Row};
use crate::tidy::Violation;

/// A function that is left out, the one that stands for it, and why.
type Reason = (&'static str, &'static str, &'static str);

const DEPRECATED_PEER: &str = "deprecated: knows neither direction nor mirror uuid";
const DEPRECATED_STATUS: &str = "deprecated: knows the local site alone";
const UNBOUNDED: &str = "the same operation without an end of its own: it would hold its caller for as long as a frozen site likes";

/// Twins of functions that are covered.
pub(super) const LEFT_OUT: [Reason; 20] = [
    ("rbd_mirror_peer_add", "rbd_mirror_peer_site_add", DEPRECATED_PEER),
    ("rbd_mirror_peer_remove", "rbd_mirror_peer_site_remove", DEPRECATED_PEER),
    ("rbd_mirror_peer_list", "rbd_mirror_peer_site_list", DEPRECATED_PEER),
    ("rbd_mirror_peer_list_cleanup", "rbd_mirror_peer_site_list_cleanup", DEPRECATED_PEER),
    ("rbd_mirror_peer_set_client", "rbd_mirror_peer_site_set_client_name", DEPRECATED_PEER),
    ("rbd_mirror_peer_set_cluster", "rbd_mirror_peer_site_set_name", DEPRECATED_PEER),
    ("rbd_mirror_peer_get_attributes", "rbd_mirror_peer_site_get_attributes", DEPRECATED_PEER),
    ("rbd_mirror_peer_set_attributes", "rbd_mirror_peer_site_set_attributes", DEPRECATED_PEER),
    ("rbd_mirror_image_status_list", "rbd_mirror_image_global_status_list", DEPRECATED_STATUS),
    (
        "rbd_mirror_image_status_list_cleanup",
        "rbd_mirror_image_global_status_list_cleanup",
        DEPRECATED_STATUS,
    ),
    ("rbd_mirror_image_get_status", "rbd_aio_mirror_image_get_global_status", DEPRECATED_STATUS),
    ("rbd_aio_mirror_image_get_status", "rbd_aio_mirror_image_get_global_status", DEPRECATED_STATUS),
    ("rbd_mirror_image_enable", "rbd_mirror_image_enable2", "deprecated: cannot say in which mode"),
    ("rbd_mirror_image_promote", "rbd_aio_mirror_image_promote", UNBOUNDED),
    ("rbd_mirror_image_demote", "rbd_aio_mirror_image_demote", UNBOUNDED),
    ("rbd_mirror_image_get_info", "rbd_aio_mirror_image_get_info", UNBOUNDED),
    ("rbd_mirror_image_get_mode", "rbd_aio_mirror_image_get_mode", UNBOUNDED),
    ("rbd_mirror_image_get_global_status", "rbd_aio_mirror_image_get_global_status", UNBOUNDED),
    ("rbd_mirror_image_create_snapshot", "rbd_aio_mirror_image_create_snapshot", UNBOUNDED),
    ("rbd_mirror_image_create_snapshot2", "rbd_aio_mirror_image_create_snapshot", UNBOUNDED),
];

/// What librbd does to those who trust it. A test that would catch it is marked `// Trap: ` and these words.
pub(super) const TRAPS: [&str; 13] = [
    "the status list's primary is always false",
    "the status list loses the text of unknown",
    "a short page is not the end",
    "the summary counts images that are being disabled",
    "the mirror uuid comes with its trailing NUL",
    "the mode of an image that is not mirrored is journal",
    "not found for an image that is there and not mirrored",
    "one EINVAL for ten causes",
    "the image list drops images silently",
    "a panic or a break in a progress callback",
    "a number of a status that is absent is not zero",
    "seconds until synced may be garbage",
    "entries behind may be negative",
];

/// Why a function is left out.
pub(super) fn of(function: &str) -> Option<String> {
    let (_, twin, why) = LEFT_OUT.iter().find(|(left_out, ..)| *left_out == function)?;
    Some(format!("`{twin}` stands for it; {why}"))
}

/// Reasons for functions that C does not have, that are covered after all, or whose stand-in is not.
pub(super) fn stale(mirroring: &[Row], declared: &[String]) -> Vec<Violation> {
    let covered = |function: &str| {
        let row = mirroring.iter().find(|row| row.function == function);
        row.is_some_and(|row| matches!(row.covered, Covered::Public { .. } | Covered::Frees { .. }))
    };
    let problem = |(function, twin, _): &Reason| {
        if !declared.iter().any(|name| name == function) {
            Some(format!("there is a reason for {function}, which C does not have"))
        } else if covered(function) {
            Some(format!("there is a reason for leaving {function} out, and it is covered"))
        } else if !covered(twin) {
            Some(format!("the reason for leaving {function} out is {twin}, which is not covered"))
        } else {
            None
        }
    };
    LEFT_OUT
        .iter()
        .filter_map(problem)
        .map(|what| Violation::of("xtask/src/coverage/reasons.rs", what))
        .collect()
}
