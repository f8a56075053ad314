//! Raw bindings to librados and librbd.
