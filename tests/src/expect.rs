//! What tests expect of an outcome that is no success.

use std::fmt::Debug;

use rbd_mirror::{Errno, Refusal, Result};

/// The reason of a refusal.
///
/// # Panics
/// If the outcome is anything else; what it is, is in the message.
#[track_caller]
pub fn refusal<T: Debug>(outcome: Result<T>) -> Refusal {
    match &outcome {
        Err(error) => match error.refusal() {
            Some(reason) => reason.clone(),
            None => panic!("not refused, but: {error}"),
        },
        Ok(value) => panic!("not refused, but done: {value:?}"),
    }
}

/// The number of an error that has one.
///
/// # Panics
/// If the outcome is a success, or an error without a number.
#[track_caller]
pub fn errno<T: Debug>(outcome: Result<T>) -> Errno {
    match &outcome {
        Err(error) => error.errno().unwrap_or_else(|| panic!("no number: {error}")),
        Ok(value) => panic!("no error, but done: {value:?}"),
    }
}
