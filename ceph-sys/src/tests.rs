//! The bindings against the libraries that are loaded: sizes are held by the generated tests and by the C shim, so what
//! is left to show is that the symbols are there and that the version is one we know.

use core::ptr::null_mut;

#[test]
fn the_loaded_librbd_is_the_floor_release_or_newer() {
    let (mut major, mut minor, mut extra) = (0, 0, 0);
    // SAFETY: three valid pointers to integers; the call only writes them.
    unsafe { crate::rbd_version(&mut major, &mut minor, &mut extra) };
    assert_eq!(major, 1);
    assert!(minor >= 16, "librbd 1.{minor} is older than the floor 1.16");
}

#[test]
fn a_function_that_came_with_librbd_1_20_is_found_exactly_where_it_exists() {
    let (mut major, mut minor, mut extra) = (0, 0, 0);
    // SAFETY: as above.
    unsafe { crate::rbd_version(&mut major, &mut minor, &mut extra) };
    let found = crate::newer::rbd_mirror_remote_namespace_get().is_some();
    assert_eq!(crate::newer::rbd_mirror_remote_namespace_set().is_some(), found);
    assert_eq!(found, minor >= 20, "librbd 1.{minor}");
}

#[test]
fn a_cluster_handle_is_made_and_freed_without_a_cluster() {
    let mut cluster: crate::rados_t = null_mut();
    // SAFETY: a valid place for the handle, and no id: librados takes client.admin.
    let made = unsafe { crate::rados_create(&mut cluster, core::ptr::null()) };
    assert_eq!(made, 0);
    assert!(!cluster.is_null());
    // SAFETY: the handle was made above, never connected, and is not used again.
    unsafe { crate::rados_shutdown(cluster) };
}
