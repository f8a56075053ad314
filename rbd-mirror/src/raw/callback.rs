//! The trampoline for librbd's progress callbacks: it carries numbers to the caller's thread, and the verdict back.
//!
//! librbd calls it from its own threads, with a lock held. The user's closure runs on the thread that called us, which
//! waits in [`crate::progress`]; so it may borrow, need not be `Send`, and a panic in it unwinds where it belongs. Only
//! `extern "C"` code without a panic runs on librbd's threads.

use std::ffi::{c_int, c_void};

use crate::errno::Errno;
use crate::progress::Rendezvous;

/// `typedef int (*librbd_progress_fn_t)(uint64_t offset, uint64_t total, void *ptr);`
pub(crate) extern "C" fn progress(done: u64, total: u64, context: *mut c_void) -> c_int {
    // SAFETY: the context is the `&Rendezvous` given together with this function; the operation's own job keeps it alive
    // until the C call, and so every callback of it, has returned.
    let rendezvous = unsafe { &*context.cast_const().cast::<Rendezvous>() };
    if rendezvous.offer(done, total) { 0 } else { -Errno::ECANCELED.number() }
}

/// The context pointer for [`progress`].
#[inline]
pub(crate) fn context(rendezvous: &Rendezvous) -> *mut c_void {
    std::ptr::from_ref(rendezvous).cast_mut().cast()
}
