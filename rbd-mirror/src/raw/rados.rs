//! librados handles: a cluster connection, a pool's io context, and the few object calls that mirroring needs.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::Arc;

use ceph_sys as sys;

use super::call::{check, secret_to_c, to_c};
use crate::errno::Errno;

/// `rados_t`, shut down when dropped.
#[derive(Debug)]
pub(crate) struct RawCluster {
    handle: sys::rados_t,
}

// SAFETY: a `rados_t` is a pointer to librados::RadosClient, which locks around its state; librados.h lets every
// thread use the same handle. The only call that must not run beside others is rados_shutdown, and that is in Drop.
unsafe impl Send for RawCluster {}
// SAFETY: as above.
unsafe impl Sync for RawCluster {}

impl RawCluster {
    /// `int rados_create2(rados_t *pcluster, const char *const clustername, const char * const name, uint64_t flags);`
    #[inline]
    pub(crate) fn create(cluster_name: &str, client: &str) -> Result<Self, Errno> {
        let (cluster_name, client) = (to_c(cluster_name)?, to_c(client)?);
        let mut handle = ptr::null_mut();
        // SAFETY: a valid place for the handle and two NUL-terminated strings that librados copies.
        let rc = unsafe { sys::rados_create2(&mut handle, cluster_name.as_ptr(), client.as_ptr(), 0) };
        check(rc)?;
        Ok(Self { handle })
    }

    /// `int rados_conf_read_file(rados_t cluster, const char *path);`; without a path, Ceph's own search order.
    #[inline]
    pub(crate) fn read_conf(&self, path: Option<&str>) -> Result<(), Errno> {
        let path = path.map(to_c).transpose()?;
        let path = path.as_ref().map_or(ptr::null(), |path| path.as_ptr());
        // SAFETY: the handle is live; the path is null or a NUL-terminated string.
        check(unsafe { sys::rados_conf_read_file(self.handle, path) }).map(drop)
    }

    /// `int rados_conf_set(rados_t cluster, const char *option, const char *value);`
    #[inline]
    pub(crate) fn set_option(&self, option: &str, value: &str) -> Result<(), Errno> {
        // The value may be a key.
        let (option, value) = (to_c(option)?, secret_to_c(value)?);
        // SAFETY: the handle is live; both strings are NUL-terminated and copied by librados.
        check(unsafe { sys::rados_conf_set(self.handle, option.as_ptr(), value.as_ptr().cast()) }).map(drop)
    }

    /// `int rados_connect(rados_t cluster);`
    #[inline]
    pub(crate) fn connect(&self) -> Result<(), Errno> {
        // SAFETY: the handle is live and was not connected before: the only caller connects once.
        check(unsafe { sys::rados_connect(self.handle) }).map(drop)
    }

    /// `int rados_cluster_fsid(rados_t cluster, char *buf, size_t len);`
    #[inline]
    pub(crate) fn fsid(&self) -> Result<String, Errno> {
        super::buffer::string(|buffer, length| {
            // SAFETY: the buffer has `length` bytes.
            check(unsafe { sys::rados_cluster_fsid(self.handle, buffer, *length) }).map(drop)
        })
    }

    /// `int rados_pool_list(rados_t cluster, char *buf, size_t len);`: names, each ended by NUL.
    #[inline]
    pub(crate) fn pool_names(&self) -> Result<Vec<String>, Errno> {
        let mut buffer = vec![0_u8; 4096];
        for _ in 0..16 {
            // SAFETY: the buffer has `len` bytes; librados answers the length it would need and writes no more than fits.
            let rc = unsafe { sys::rados_pool_list(self.handle, buffer.as_mut_ptr().cast(), buffer.len()) };
            let needed = usize::try_from(check(rc)?).unwrap_or(0);
            if needed <= buffer.len() {
                let names = buffer.split(|byte| *byte == 0).take_while(|name| !name.is_empty());
                return Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect());
            }
            buffer = vec![0; needed];
        }
        Err(Errno::ERANGE)
    }

    /// `int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);`
    #[inline]
    pub(crate) fn mon_command(&self, command: &str, input: &[u8]) -> (Result<(), Errno>, Reply) {
        self.command(sys::rados_mon_command, command, input)
    }

    /// `int rados_mgr_command(rados_t cluster, ...)`, as [`Self::mon_command`].
    #[inline]
    pub(crate) fn mgr_command(&self, command: &str, input: &[u8]) -> (Result<(), Errno>, Reply) {
        self.command(sys::rados_mgr_command, command, input)
    }

    fn command(&self, call: CommandCall, command: &str, input: &[u8]) -> (Result<(), Errno>, Reply) {
        let command = match to_c(command) {
            Ok(command) => command,
            Err(errno) => return (Err(errno), Reply::default()),
        };
        let mut lines = [command.as_ptr()];
        let (mut out, mut status) = (Allocated::default(), Allocated::default());
        // SAFETY: the handle is live; one command line, NUL-terminated; `input` is valid for its length; the four
        // places receive buffers that `Allocated` frees.
        let rc = unsafe {
            call(
                self.handle,
                lines.as_mut_ptr(),
                lines.len(),
                input.as_ptr().cast(),
                input.len(),
                &mut out.at,
                &mut out.length,
                &mut status.at,
                &mut status.length,
            )
        };
        let reply =
            Reply { output: out.bytes(), status: String::from_utf8_lossy(&status.bytes()).into_owned() };
        // Of commands, a positive answer is an error too: a manager command that timed out comes back as one.
        let done = if rc > 0 { Err(Errno::from_negative(-rc)) } else { check(rc).map(drop) };
        (done, reply)
    }

    /// `int rados_blocklist_add(rados_t cluster, char *client_address, uint32_t expire_seconds);`
    #[inline]
    pub(crate) fn blocklist(&self, address: &str, expire_seconds: u32) -> Result<(), Errno> {
        let address = to_c(address)?;
        // SAFETY: the handle is live; librados reads the address and does not write through the pointer.
        let rc =
            unsafe { sys::rados_blocklist_add(self.handle, address.as_ptr().cast_mut(), expire_seconds) };
        check(rc).map(drop)
    }

    /// `int rados_wait_for_latest_osdmap(rados_t cluster);`
    #[inline]
    pub(crate) fn wait_for_latest_map(&self) -> Result<(), Errno> {
        // SAFETY: the handle is live and connected.
        check(unsafe { sys::rados_wait_for_latest_osdmap(self.handle) }).map(drop)
    }

    #[inline]
    pub(crate) fn handle(&self) -> sys::rados_t {
        self.handle
    }
}

impl Drop for RawCluster {
    fn drop(&mut self) {
        // SAFETY: the handle came from rados_create2 and this is its last use; io contexts hold this value in an Arc.
        unsafe { sys::rados_shutdown(self.handle) };
    }
}

type CommandCall = unsafe extern "C" fn(
    sys::rados_t,
    *mut *const c_char,
    usize,
    *const c_char,
    usize,
    *mut *mut c_char,
    *mut usize,
    *mut *mut c_char,
    *mut usize,
) -> c_int;

/// What a monitor or manager answered: the output, and the line of status that comes with it.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) output: Vec<u8>,
    pub(crate) status: String,
}

/// A buffer that librados allocated.
pub(super) struct Allocated {
    pub(super) at: *mut c_char,
    pub(super) length: usize,
}

impl Default for Allocated {
    fn default() -> Self {
        Self { at: ptr::null_mut(), length: 0 }
    }
}

impl Allocated {
    #[inline]
    pub(super) fn bytes(&self) -> Vec<u8> {
        if self.at.is_null() {
            return Vec::new();
        }
        // SAFETY: librados allocated `length` bytes at `at`, and nobody else writes them.
        unsafe { std::slice::from_raw_parts(self.at.cast::<u8>(), self.length) }.to_vec()
    }
}

impl Drop for Allocated {
    fn drop(&mut self) {
        // SAFETY: null, or allocated by librados for us and freed once.
        unsafe { sys::rados_buffer_free(self.at) };
    }
}

/// `rados_ioctx_t` of a pool and namespace. The namespace is set once, before the handle is shared.
#[derive(Debug)]
pub(crate) struct RawIoCtx {
    handle: sys::rados_ioctx_t,
    /// Outlives the io context: fields are dropped after `Drop::drop` has destroyed it.
    _cluster: Arc<RawCluster>,
}

// SAFETY: an io context is a reference-counted librados::IoCtxImpl; operations on it lock in the objecter. What is not
// thread-safe, changing its namespace or snapshot, happens in `open` alone.
unsafe impl Send for RawIoCtx {}
// SAFETY: as above.
unsafe impl Sync for RawIoCtx {}

impl RawIoCtx {
    /// `int rados_ioctx_create(rados_t cluster, const char *pool_name, rados_ioctx_t *ioctx);` and
    /// `void rados_ioctx_set_namespace(rados_ioctx_t io, const char *nspace);`
    #[inline]
    pub(crate) fn open(cluster: &Arc<RawCluster>, pool: &str, namespace: &str) -> Result<Self, Errno> {
        let (pool, namespace) = (to_c(pool)?, to_c(namespace)?);
        let mut handle = ptr::null_mut();
        // SAFETY: the cluster is live and connected; a valid place for the handle.
        check(unsafe { sys::rados_ioctx_create(cluster.handle(), pool.as_ptr(), &mut handle) })?;
        let opened = Self { handle, _cluster: Arc::clone(cluster) };
        // SAFETY: the handle is live and not shared yet.
        unsafe { sys::rados_ioctx_set_namespace(opened.handle, namespace.as_ptr()) };
        Ok(opened)
    }

    /// `int64_t rados_ioctx_get_id(rados_ioctx_t io);`
    #[inline]
    pub(crate) fn pool_id(&self) -> i64 {
        // SAFETY: the handle is live.
        unsafe { sys::rados_ioctx_get_id(self.handle) }
    }

    /// `int rados_stat(rados_ioctx_t io, const char *o, uint64_t *psize, time_t *pmtime);`: the size of an object.
    #[inline]
    pub(crate) fn object_size(&self, object: &str) -> Result<u64, Errno> {
        let object = to_c(object)?;
        let (mut size, mut modified) = (0, 0);
        // SAFETY: the handle is live; two valid places.
        check(unsafe { sys::rados_stat(self.handle, object.as_ptr(), &mut size, &mut modified) })?;
        Ok(size)
    }

    /// `int rados_remove(rados_ioctx_t io, const char *oid);`
    #[inline]
    pub(crate) fn remove_object(&self, object: &str) -> Result<(), Errno> {
        let object = to_c(object)?;
        // SAFETY: the handle is live; a NUL-terminated name.
        check(unsafe { sys::rados_remove(self.handle, object.as_ptr()) }).map(drop)
    }

    #[inline]
    pub(crate) fn handle(&self) -> sys::rados_ioctx_t {
        self.handle
    }
}

impl Drop for RawIoCtx {
    fn drop(&mut self) {
        // SAFETY: the handle came from rados_ioctx_create and this is its last use; images hold this value in an Arc.
        unsafe { sys::rados_ioctx_destroy(self.handle) };
    }
}

/// `void rbd_version(int *major, int *minor, int *extra);`
#[inline]
pub(crate) fn rbd_version() -> (c_int, c_int, c_int) {
    let (mut major, mut minor, mut extra) = (0, 0, 0);
    // SAFETY: three valid places.
    unsafe { sys::rbd_version(&mut major, &mut minor, &mut extra) };
    (major, minor, extra)
}

/// `int rbd_mirror_site_name_get(rados_t cluster, char *name, size_t *max_len);`
#[inline]
pub(crate) fn site_name(cluster: &RawCluster) -> Result<String, Errno> {
    super::buffer::string(|buffer, length| {
        // SAFETY: the cluster is live; the buffer has `length` bytes.
        check(unsafe { sys::rbd_mirror_site_name_get(cluster.handle(), buffer, length) }).map(drop)
    })
}

/// `int rbd_mirror_site_name_set(rados_t cluster, const char *name);`
#[inline]
pub(crate) fn set_site_name(cluster: &RawCluster, name: &str) -> Result<(), Errno> {
    let name = to_c(name)?;
    // SAFETY: the cluster is live; a NUL-terminated name.
    check(unsafe { sys::rbd_mirror_site_name_set(cluster.handle(), name.as_ptr()) }).map(drop)
}
