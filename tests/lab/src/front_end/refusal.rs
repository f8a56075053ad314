//! Why oned refuses a call: its codes, and the texts that it makes around a reason.

use super::xmlrpc::{Answer, Fault};

/// A call that comes to no good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// xmlrpc-c answers instead of oned.
    Fault(Fault),
    Authentication,
    Authorization(String),
    NoExists {
        what: &'static str,
        id: i32,
    },
    Action(String),
    Api(String),
    Internal(String),
    Allocate {
        what: &'static str,
        why: String,
    },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Refusal {
    /// The answer to a call of `method` by this user.
    pub(crate) fn answer(self, method: &str, uid: i32) -> Result<Answer, Fault> {
        let (text, code, object) = match self {
            Self::Fault(fault) => return Err(fault),
            Self::Authentication => ("User couldn't be authenticated, aborting call.".to_owned(), 0x100, -1),
            Self::Authorization(why) => (format!("User [{uid}] : {why}."), 0x200, -1),
            Self::NoExists { what, id } => (format!("Error getting {what} [{id}]."), 0x400, id),
            Self::Action(why) => (why, 0x800, -1),
            Self::Api(why) => (why, 0x1000, -1),
            Self::Internal(why) => (why, 0x2000, -1),
            Self::Allocate { what, why } => (format!("Error allocating a new {what}. {why}"), 0x4000, -1),
        };
        Ok(Answer::Failure { text: format!("[{method}] {text}"), code, object })
    }
}
