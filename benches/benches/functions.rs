//! What the functions cost that need no Ceph and take microseconds: by Criterion, which tells a change from noise.
//!
//! ```sh
//! cargo bench -p benches
//! ```
//!
//! compares with the run before. What has a peer is in the groups of `cargo xtask bench`, which has these figures too.

use std::fs;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use opennebula_meta::{Images, SiteMap, Vm, reregister};
use rbd_mirror::BootstrapToken;
use rbd_mirror::status::description::Description;

const JOURNAL: &str = r#"replaying, {"bytes_per_second":12.50,"entries_behind_primary":3,"entries_per_second":1.25,"non_primary_position":{"entry_tid":2,"object_number":2,"tag_tid":6},"primary_position":{"entry_tid":3,"object_number":3,"tag_tid":6}}"#;

const SNAPSHOT: &str = r#"replaying, {"bytes_per_second":0.0,"bytes_per_snapshot":9437184.0,"last_snapshot_bytes":0,"last_snapshot_sync_seconds":1,"local_snapshot_timestamp":1749040302,"remote_snapshot_timestamp":1749040302,"replay_state":"idle"}"#;

/// `{"fsid":…,"client_id":…,"key":…,"mon_host":…}` as `rbd mirror pool peer bootstrap create` prints it, with a key of zeroes.
const TOKEN: &str = "eyJmc2lkIjoiOWEwYzI1ZTAtZDZlNy00NWE3LWI4NDYtMDYzYTVhNTI4ZmNkIiwiY2xpZW50X2lkIjoicmJkLW1pcnJvci1wZWVyIiwia2V5IjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9PSIsIm1vbl9ob3N0IjoiW3YyOjEwLjAuMC4xOjMzMDAvMCx2MToxMC4wLjAuMTo2Nzg5LzBdIn0=";

fn statuses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("status");
    let texts =
        [("journal", JOURNAL), ("snapshot", SNAPSHOT), ("a cause", "split-brain detected"), ("other", "?")];
    for (name, text) in texts {
        let description = Description::new(text);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(&description).meaning()));
    }
    group.finish();
    let token = BootstrapToken::from_text(TOKEN);
    assert!(token.fsid().is_some(), "the token is read");
    criterion.bench_function("bootstrap token", |bencher| bencher.iter(|| black_box(&token).fsid()));
}

fn metadata(criterion: &mut Criterion) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../opennebula-meta/testdata/documents/6.10.3/vmpool-extended.xml"
    );
    let pool = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let vms: Vec<Vm> =
        Vm::stream(pool.as_slice()).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}"));
    let (images, map) = (Images::default(), SiteMap::default());
    let mut group = criterion.benchmark_group(format!("{} VMs", vms.len()));
    group.bench_function("read", |bencher| bencher.iter(|| Vm::stream(black_box(pool.as_slice())).count()));
    group.bench_function("to templates", |bencher| {
        bencher.iter(|| vms.iter().filter(|vm| reregister::vm(black_box(vm), &images, &map).is_ok()).count());
    });
    group.finish();
}

criterion_group!(functions, statuses, metadata);
criterion_main!(functions);
