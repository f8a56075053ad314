//! Two real Ceph sites on one machine.
