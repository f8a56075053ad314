//! The configuration file of a site: settings that make one OSD healthy, quick and quiet.

use std::fmt::Write;
use std::path::Path;

use crate::directory::Directory;
use crate::keys::mirror_user;
use crate::options::{Proposals, Timers};
use crate::record::{PORTS_PER_SITE, Record};
use crate::site::{Daemon, SiteId};

/// A section's name and its settings.
type Section = (String, Vec<(&'static str, String)>);

/// The configuration file of `site`. It holds no key: each section names its keyring.
pub(crate) fn text(directory: &Directory, record: &Record, site: SiteId) -> String {
    let mut sections = vec![
        ("global".to_owned(), global(directory, record, site)),
        ("client".to_owned(), vec![("keyring", show(directory.client_keyring(site, "$name")))]),
        ("mon".to_owned(), monitor(record)),
        ("mgr".to_owned(), manager(record)),
        ("osd".to_owned(), osd(record)),
        (format!("client.{}", mirror_user(site)), mirror(record)),
    ];
    for daemon in Daemon::ALL {
        sections.push(paths(directory, site, daemon));
    }
    render(&sections)
}

fn show(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

fn own(settings: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn render(sections: &[Section]) -> String {
    let mut text = String::new();
    for (name, settings) in sections {
        let _ = writeln!(text, "[{name}]");
        for (name, value) in settings {
            let _ = writeln!(text, "  {name} = {value}");
        }
    }
    text
}

fn global(directory: &Directory, record: &Record, site: SiteId) -> Vec<(&'static str, String)> {
    let (address, port) = (record.address(site), record.port(site));
    let mut settings = vec![
        ("fsid", record.fsid(site).to_owned()),
        ("mon_host", format!("[v2:{address}:{port}/0]")),
        ("public_addr", address.clone()),
        ("cluster_addr", address),
        ("ms_bind_port_min", (port + 1).to_string()),
        ("ms_bind_port_max", (port + PORTS_PER_SITE - 1).to_string()),
        ("run_dir", show(directory.run())),
        // Reports of crashed daemons belong to this lab, not to the machine's own Ceph.
        ("crash_dir", show(directory.log())),
    ];
    settings.extend(own(&[
        ("mon_initial_members", "a"),
        ("ms_bind_msgr1", "false"),
        ("ms_async_op_threads", "2"),
        ("auth_cluster_required", "cephx"),
        ("auth_service_required", "cephx"),
        ("auth_client_required", "cephx"),
        ("auth_allow_insecure_global_id_reclaim", "false"),
        // One OSD holds one copy, and that is no reason for a warning.
        ("osd_pool_default_size", "1"),
        ("osd_pool_default_min_size", "1"),
        ("osd_pool_default_pg_num", "8"),
        ("osd_pool_default_pgp_num", "8"),
        ("osd_pool_default_pg_autoscale_mode", "off"),
        ("osd_crush_chooseleaf_type", "0"),
        ("mon_allow_pool_size_one", "true"),
        ("mon_allow_pool_delete", "true"),
        ("mon_warn_on_pool_no_redundancy", "false"),
    ]));
    settings
}

fn monitor(record: &Record) -> Vec<(&'static str, String)> {
    let mut settings = own(&[
        ("mon_cluster_log_to_file", "false"),
        ("mon_pg_warn_min_per_osd", "0"),
        ("mon_max_pg_per_osd", "1000"),
        // A full disk is the machine's affair; below 2 % free nothing works anyway.
        ("mon_data_avail_warn", "2"),
        ("mon_data_avail_crit", "1"),
        ("mon_warn_on_insecure_global_id_reclaim", "false"),
        ("mon_warn_on_insecure_global_id_reclaim_allowed", "false"),
        // A frozen or killed OSD comes back: its data is not to be given up meanwhile.
        ("mon_osd_down_out_interval", "86400"),
        ("mon_tick_interval", "1"),
        ("mon_mgr_beacon_grace", "300"),
        ("mon_memory_autotune", "false"),
        ("mgr_initial_modules", ""),
    ]);
    if record.options.proposals == Proposals::Quick {
        settings.extend(own(&[("paxos_propose_interval", "0.05"), ("paxos_min_wait", "0.01")]));
    }
    settings
}

fn manager(record: &Record) -> Vec<(&'static str, String)> {
    let mut settings = own(&[
        ("mgr_stats_period", "2"),
        ("mgr_tick_period", "1"),
        (
            "mgr_disabled_modules",
            "dashboard restful prometheus zabbix influx telegraf cephadm rook diskprediction_local",
        ),
    ]);
    if record.options.timers == Timers::Fast {
        // [60] How long a killed rbd-mirror stays in the service map, and its fault in the health.
        settings.extend(own(&[("mgr_service_beacon_grace", "10")]));
    }
    settings
}

fn osd(record: &Record) -> Vec<(&'static str, String)> {
    let mut settings = own(&[
        ("osd_objectstore", "bluestore"),
        // The least that an OSD accepts; with the cache fixed below it is a bound, not a use.
        ("osd_memory_target", "939524096"),
        ("osd_memory_target_autotune", "false"),
        ("osd_class_load_list", "*"),
        ("osd_class_default_list", "*"),
        ("osd_scrub_begin_hour", "3"),
        ("osd_scrub_end_hour", "4"),
        ("osd_op_num_shards_hdd", "2"),
        ("osd_op_num_shards_ssd", "2"),
        ("osd_mclock_skip_benchmark", "true"),
        ("osd_fast_shutdown", "true"),
        ("bluestore_block_create", "true"),
        ("bluestore_block_wal_create", "false"),
        ("bluestore_block_db_create", "false"),
        ("bluestore_cache_autotune", "false"),
        ("bluestore_cache_size", "134217728"),
    ]);
    settings.push(("bluestore_block_size", record.options.osd_bytes.to_string()));
    if record.options.timers == Timers::Fast {
        // [30] How long a dead client keeps its locks and its "up" in a status.
        settings.extend(own(&[("osd_client_watch_timeout", "10")]));
    }
    settings
}

fn mirror(record: &Record) -> Vec<(&'static str, String)> {
    match record.options.timers {
        Timers::Stock => Vec::new(),
        // In brackets what is packaged. The 30 s of the status text have no setting.
        Timers::Fast => own(&[
            ("rbd_mirror_pool_replayers_refresh_interval", "2"), // [30]
            ("rbd_mirror_image_state_check_interval", "2"),      // [30]
            ("rbd_mirror_sync_point_update_age", "5"),           // [30]
            ("rbd_mirror_journal_poll_age", "1"),                // [5]
            ("rbd_mirror_journal_commit_age", "1"),              // [5]
            ("rbd_mirror_delete_retry_interval", "5"),           // [30]
            ("rbd_mirror_image_policy_update_throttle_interval", "0.2"), // [1]
            ("rbd_mirror_leader_heartbeat_interval", "1"),       // [5]
            ("rbd_mirror_leader_max_acquire_attempts_before_break", "1"), // [3]
        ]),
    }
}

/// Where a daemon's own things lie.
fn paths(directory: &Directory, site: SiteId, daemon: Daemon) -> Section {
    let mut settings = vec![
        ("admin_socket", show(directory.socket(site, daemon))),
        ("log_file", show(directory.daemon_log(site, daemon))),
    ];
    let data = match daemon {
        Daemon::Mon => Some("mon_data"),
        Daemon::Mgr => Some("mgr_data"),
        Daemon::Osd => Some("osd_data"),
        Daemon::RbdMirror => None,
    };
    if let Some(name) = data {
        settings.push((name, show(directory.daemon_data(site, daemon))));
        settings.push(("keyring", show(directory.daemon_keyring(site, daemon))));
    }
    (entity(site, daemon), settings)
}

/// The name under which a daemon finds its settings.
fn entity(site: SiteId, daemon: Daemon) -> String {
    match daemon {
        Daemon::Mon => "mon.a".to_owned(),
        Daemon::Mgr => "mgr.x".to_owned(),
        Daemon::Osd => "osd.0".to_owned(),
        Daemon::RbdMirror => format!("client.{}", mirror_user(site)),
    }
}
