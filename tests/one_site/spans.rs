//! What our library tells a subscriber of `tracing`: of each call the operation and what it was done on, and never a secret.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rbd_mirror::{
    BootstrapToken, Cluster, Connect, Direction, MirrorImageMode, PeerAttributes, PoolMode, Promote,
};
use serde_json::json;
use tests::connect;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::site;

/// Keeps everything that it is told, one line a span or event.
#[derive(Clone, Default)]
struct Listener {
    lines: Arc<Mutex<Vec<String>>>,
    last: Arc<AtomicU64>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Listener {
    fn keep(&self, line: Line) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    /// What `call` said, and what came of it.
    fn hear<T>(call: impl FnOnce() -> T) -> (T, Vec<String>) {
        let listener = Self::default();
        let value = tracing::subscriber::with_default(listener.clone(), call);
        let lines = std::mem::take(&mut *listener.lines.lock().unwrap_or_else(PoisonError::into_inner));
        (value, lines)
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.keep(line);
        Id::from_u64(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line("later".to_owned());
        values.record(&mut line);
        self.keep(line);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line("event".to_owned());
        event.record(&mut line);
        self.keep(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn each_call_names_its_operation_and_what_it_is_done_on() -> Result<()> {
    site::site()?.ceph_text(["osd", "pool", "create", "traced", "8"])?;
    let pool = site::pool("traced")?;
    pool.init()?;
    pool.set_mirror_mode(PoolMode::Image)?;
    let image = site::disk(&pool, "watched-closely")?;
    let id = image.enable(MirrorImageMode::Journal)?;
    let cluster = pool.cluster().clone();

    let says = |op: &str, on: &str, call: &dyn Fn()| {
        let ((), lines) = Listener::hear(call);
        let (op, on) = (format!("op={op:?}"), format!("={on}"));
        assert!(
            lines.iter().any(|line| line.contains(&op) && line.contains(&on)),
            "no {op} {on} in {lines:#?}"
        );
    };
    let this = "traced/watched-closely at site-a";
    says("demote", this, &|| drop(image.demote()));
    says("promote", this, &|| drop(image.promote(Promote::Clean)));
    says("mirror info", this, &|| drop(image.role()));
    says("status", this, &|| drop(image.status()));
    says("instance id", this, &|| drop(image.daemon_instance()));
    says("write", this, &|| drop(image.write_at(0, b"x")));
    says("flush", this, &|| drop(image.flush()));
    says("resize", this, &|| drop(image.grow(32 << 20)));
    says("image metadata", this, &|| drop(image.set_metadata("k", "v")));
    says("update features", this, &|| drop(image.disable_features(rbd_mirror::Features::FAST_DIFF)));
    says("create snapshot", this, &|| drop(image.create_snapshot("s")));
    says("list lock owners", this, &|| drop(image.lock_owners()));
    says("acquire lock", this, &|| drop(image.acquire_lock()));
    says("release lock", this, &|| drop(image.release_lock()));
    says("sparsify", this, &|| drop(image.sparsify(4096, |_| std::ops::ControlFlow::Continue(()))));
    says("resync", this, &|| drop(image.resync(&id)));
    says("open image", this, &|| drop(pool.open_read_only("watched-closely")));
    says("close image", this, &|| {
        drop(pool.open_read_only("watched-closely").and_then(|image| image.close()));
    });
    let here = "traced at site-a";
    says("open pool", here, &|| drop(cluster.pool("traced")));
    says("find image", here, &|| drop(pool.find(&id)));
    says("set mirror mode", here, &|| drop(pool.set_mirror_mode(PoolMode::Image)));
    says("create image", here, &|| drop(pool.create("watched-closely", 1, &site::plain())));
    says("rename image", here, &|| drop(pool.rename("nobody", "somebody")));
    says("remove image", here, &|| drop(pool.remove("watched-closely")));
    says("status list", here, &|| drop(pool.statuses().next()));
    says("add peer", here, &|| drop(pool.add_peer(Direction::Tx, "site-x", "client.x")));
    says("create bootstrap token", here, &|| drop(pool.create_bootstrap_token()));
    says("mon command", "\"site-a\"", &|| drop(cluster.mon_command(r#"{"prefix": "fsid"}"#)));
    says("mgr command", "\"site-a\"", &|| drop(cluster.mgr_command(r#"{"prefix": "pg stat"}"#)));
    says("list pools", "\"site-a\"", &|| drop(cluster.pool_names()));
    Ok(())
}

#[test]
fn no_key_and_no_token_is_ever_told() -> Result<()> {
    let site = site::site()?;
    site.ceph_text(["osd", "pool", "create", "secretive", "8"])?;
    let caps = ["mon", "profile rbd", "osd", "profile rbd"];
    let key = site.ceph_text(["auth", "get-or-create-key", "client.spied-on"].into_iter().chain(caps))?;
    let key = key.trim().to_owned();
    let conf = site.conf();
    let (outcome, lines) = Listener::hear(|| -> Result<String> {
        let connect = Connect::conf(&conf).client("spied-on").option("key", &key);
        Cluster::connect(connect)?.pool_names()?;
        let cluster = Cluster::connect(connect::to(&site))?;
        let secret = json!({"prefix": "config-key set", "key": "spied", "val": key});
        cluster.mon_command(&secret.to_string())?;
        let pool = cluster.pool("secretive")?;
        pool.init()?;
        pool.set_mirror_mode(PoolMode::Image)?;
        let token = pool.create_bootstrap_token()?;
        assert!(pool.import_bootstrap_token(&token, Direction::RxTx).is_err());
        let half = BootstrapToken::from_text(&token.expose()[..40]);
        assert!(pool.import_bootstrap_token(&half, Direction::RxTx).is_err());
        let peer = pool.add_peer(Direction::RxTx, "site-x", "client.x")?;
        let attributes = PeerAttributes { mon_host: None, key: Some(key.clone().into()) };
        pool.set_peer_attributes(&peer, &attributes)?;
        assert_eq!(pool.peer_attributes(&peer)?.key, attributes.key);
        Ok(token.expose().to_owned())
    });
    let token = outcome?;
    let peer_key = site.ceph_text(["auth", "get-key", "client.rbd-mirror-peer"])?;
    assert!(lines.len() > 10, "nothing was heard: {lines:?}");
    let all = lines.join("\n");
    for secret in [key.as_str(), token.as_str(), peer_key.trim(), &token[..40]] {
        assert!(secret.len() > 20 && !all.contains(secret), "a secret was told in:\n{all}");
    }
    let named =
        lines.iter().find(|line| line.contains("config-key set")).context("the command is not named")?;
    assert!(named.contains("mon command"), "{named}");
    Ok(())
}
