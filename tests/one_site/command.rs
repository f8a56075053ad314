//! Commands to monitors and managers: answers, refusals in the daemons' own words, and blocklisting.

use std::time::Duration;

use anyhow::Result;
use rbd_mirror::{Cluster, Connect, Errno, Error};
use serde_json::Value;
use tests::connect;

use crate::site;

#[test]
fn a_monitor_and_a_manager_answer_what_ceph_shows() -> Result<()> {
    let site = site::site()?;
    let cluster = Cluster::connect(connect::to(&site))?;
    let reply = cluster.mon_command(r#"{"prefix": "osd pool ls", "format": "json"}"#)?;
    let pools: Value = serde_json::from_slice(&reply.output)?;
    assert_eq!(pools, site.ceph(["osd", "pool", "ls"])?);
    let reply = cluster.mgr_command(r#"{"prefix": "pg stat", "format": "json"}"#)?;
    serde_json::from_slice::<Value>(&reply.output)?;
    Ok(())
}

#[test]
fn a_refused_command_carries_the_daemons_own_words() -> Result<()> {
    let cluster = Cluster::connect(connect::to(&site::site()?))?;
    let refused = cluster.mon_command(r#"{"prefix": "no such command"}"#);
    let Err(Error::Command { words, errno, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(*errno, Errno::EINVAL);
    assert!(words.contains("command not known"), "{words}");
    let refused = cluster.mon_command(r#"{"prefix": "osd pool get", "pool": "nowhere", "var": "size"}"#);
    let Err(Error::Command { words, errno, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(*errno, Errno::ENOENT);
    assert!(words.contains("nowhere"), "{words}");
    let refused = cluster.mgr_command(r#"{"prefix": "no such command"}"#);
    assert!(matches!(refused, Err(Error::Command { errno: Errno::EINVAL, .. })), "{refused:?}");
    Ok(())
}

#[test]
fn what_is_no_command_at_all_is_an_error() -> Result<()> {
    let cluster = Cluster::connect(connect::to(&site::site()?))?;
    let deep = format!(r#"{{"prefix": "fsid", "x": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    let commands = [
        "",
        "null",
        "[]",
        "\"fsid\"",
        "fsid",
        "{}",
        r#"{"prefix": 7}"#,
        r#"{"prefix": "fsid""#,
        r#"{"prefix": "fsid"} x"#,
        r#"{"prefix": "fsid", "prefix": 7}"#,
        r#"{"prefix": "config-key set", "key": 7, "val": "x"}"#,
        r#"{"prefix": "config set", "name": 7, "who": "client.x", "value": "x"}"#,
        "{\"prefix\": \"fsid\", \"x\": \"\u{14}\"}",
        &deep,
    ];
    for command in commands {
        // Sent, it would end the monitor.
        assert!(matches!(cluster.mon_command(command), Err(Error::InvalidInput { .. })), "{command}");
        assert!(matches!(cluster.mgr_command(command), Err(Error::InvalidInput { .. })), "{command}");
    }
    assert_eq!(site::lab()?.state(lab::SiteId::A, lab::Daemon::Mon), lab::State::Running);
    Ok(())
}

#[test]
fn a_client_without_the_capability_is_refused_by_name() -> Result<()> {
    let site = site::site()?;
    let caps = ["mon", "profile rbd", "osd", "profile rbd"];
    let key = site.ceph_text(["auth", "get-or-create-key", "client.plain"].into_iter().chain(caps))?;
    let connect = Connect::conf(site.conf()).client("plain").option("key", key.trim());
    let cluster = Cluster::connect(connect)?;
    let refused = cluster.mon_command(r#"{"prefix": "auth ls"}"#);
    assert!(matches!(refused, Err(Error::Command { errno: Errno::EACCES, .. })), "{refused:?}");
    // A known silence: without the capability to read it, the site's name is its fsid.
    assert_eq!(cluster.site_name()?, cluster.fsid());
    Ok(())
}

#[test]
fn a_blocklisted_address_is_on_the_sites_own_list() -> Result<()> {
    let site = site::site()?;
    let cluster = Cluster::connect(connect::to(&site))?;
    let address = "127.0.0.9:0/4242";
    cluster.blocklist(address, Duration::from_secs(60))?;
    assert!(site.blocklist()?.iter().any(|listed| listed == address), "{:?}", site.blocklist()?);
    assert!(cluster.blocklist("no address", Duration::from_secs(60)).is_err());
    Ok(())
}
