//! Our library against one real site.
//!
//! All tests share one lab, in which only site A runs, without rbd-mirror: nothing here harms the site, and each test has images
//! of its own. What Ceph's tools say is asked beside what our library says.

mod advisory;
mod command;
mod connect;
mod copy;
mod demote;
mod diff;
mod enable;
mod examples;
mod flatten;
mod fleet;
mod forge;
mod holders;
mod image;
mod io;
mod journal;
mod metadata;
mod mirror_snapshot;
mod names;
mod newer;
mod nonblocking;
mod object;
mod pair;
mod peer;
mod pool;
mod promote;
mod resync;
mod rollback;
mod schedule;
mod site;
mod snapshot;
mod spans;
mod status;
mod survey;
mod take_over;
mod threads;
mod traps;
mod trash;
mod upkeep;
mod wait;
