//! OpenNebula metadata to re-registration templates.
#![forbid(unsafe_code)]
