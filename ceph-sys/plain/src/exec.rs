//! Many calls of an object class in one write.

use std::ffi::CString;
use std::ptr;

use anyhow::Result;
use ceph_sys as sys;

use crate::{Pool, checked};

impl Pool<'_> {
    /// Calls methods of the class `rbd` on an object, all or none.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn exec_all(&self, object: &str, calls: &[(&str, Vec<u8>)]) -> Result<()> {
        let (class, object) = (c"rbd", CString::new(object)?);
        // SAFETY: needs nothing.
        let write = unsafe { sys::rados_create_write_op() };
        for (method, input) in calls {
            let method = CString::new(*method)?;
            // SAFETY: strings and input outlive the call, which copies them.
            unsafe {
                sys::rados_write_op_exec(
                    write,
                    class.as_ptr(),
                    method.as_ptr(),
                    input.as_ptr().cast(),
                    input.len(),
                    ptr::null_mut(),
                );
            }
        }
        // SAFETY: write and pool are live, the string outlives the call, no time of its own.
        let code =
            unsafe { sys::rados_write_op_operate(write, self.io, object.as_ptr(), ptr::null_mut(), 0) };
        // SAFETY: made above, released once.
        unsafe { sys::rados_release_write_op(write) };
        checked("rados_write_op_operate", code).map(drop)
    }
}
