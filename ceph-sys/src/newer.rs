//! Functions that a newer librbd has and the floor release (1.16) lacks, found in the loaded library at run time.
//!
//! A program built against the floor thus uses them where they exist. Each look-up answers `None` otherwise.

use core::ffi::{c_char, c_int, c_void};

use crate::rados_ioctx_t;

/// `int rbd_mirror_remote_namespace_get(rados_ioctx_t io_ctx, char *remote_namespace, size_t *max_len);` (librbd 1.20)
pub type RemoteNamespaceGet = unsafe extern "C" fn(rados_ioctx_t, *mut c_char, *mut usize) -> c_int;

/// `int rbd_mirror_remote_namespace_set(rados_ioctx_t io_ctx, const char *remote_namespace);` (librbd 1.20)
pub type RemoteNamespaceSet = unsafe extern "C" fn(rados_ioctx_t, *const c_char) -> c_int;

unsafe extern "C" {
    fn ceph_sys_symbol(name: *const c_char) -> *mut c_void;
}

/// `rbd_mirror_remote_namespace_get`, where the loaded librbd has it.
pub fn rbd_mirror_remote_namespace_get() -> Option<RemoteNamespaceGet> {
    // SAFETY: the name is a NUL-terminated string; the shim only calls dlsym with it.
    let symbol = unsafe { ceph_sys_symbol(c"rbd_mirror_remote_namespace_get".as_ptr()) };
    // SAFETY: a null pointer is `None`; otherwise librbd defines this name with this prototype in every release that has it.
    unsafe { core::mem::transmute::<*mut c_void, Option<RemoteNamespaceGet>>(symbol) }
}

/// `rbd_mirror_remote_namespace_set`, where the loaded librbd has it.
pub fn rbd_mirror_remote_namespace_set() -> Option<RemoteNamespaceSet> {
    // SAFETY: the name is a NUL-terminated string; the shim only calls dlsym with it.
    let symbol = unsafe { ceph_sys_symbol(c"rbd_mirror_remote_namespace_set".as_ptr()) };
    // SAFETY: a null pointer is `None`; otherwise librbd defines this name with this prototype in every release that has it.
    unsafe { core::mem::transmute::<*mut c_void, Option<RemoteNamespaceSet>>(symbol) }
}
