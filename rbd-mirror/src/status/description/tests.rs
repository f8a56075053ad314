//! Texts of real daemons of several releases, and texts that no daemon would write.

use proptest::prelude::{any, proptest};

use super::{Description, JournalReplay, Meaning};
use crate::journal::Position;

fn meaning(text: &str) -> Meaning {
    Description::new(text).meaning()
}

#[test]
fn the_numbers_of_a_journal_replay_are_read() {
    let text = r#"replaying, {"bytes_per_second":12.50,"entries_behind_primary":3,"entries_per_second":1.25,"non_primary_position":{"entry_tid":2,"object_number":2,"tag_tid":6},"primary_position":{"entry_tid":3,"object_number":3,"tag_tid":6},"seconds_until_synced":2}"#;
    let description = Description::new(text);
    let replay = description.journal().unwrap();
    assert_eq!(replay.primary_position, Some(Position { tag_tid: 6, entry_tid: 3 }));
    assert_eq!(replay.non_primary_position, Some(Position { tag_tid: 6, entry_tid: 2 }));
    assert_eq!(replay.entries_behind_primary, Some(3));
    assert_eq!(replay.bytes_per_second, Some(12.5));
    assert_eq!(replay.seconds_until_synced, Some(2));
    assert_eq!(description.to_string(), text);
}

#[test]
fn what_a_replay_does_not_say_is_unknown_and_not_zero() {
    let Meaning::Journal(replay) =
        meaning(r#"replaying, {"primary_position":{},"entries_behind_primary":0}"#)
    else {
        panic!("a replay")
    };
    assert_eq!(replay, JournalReplay { entries_behind_primary: Some(0), ..JournalReplay::default() });
    assert_eq!(meaning("replaying, {}"), Meaning::Journal(JournalReplay::default()));
}

#[test]
fn an_estimate_of_aeons_is_no_estimate() {
    let Meaning::Journal(replay) =
        meaning(r#"replaying, {"entries_behind_primary":200,"seconds_until_synced":14411518807585587200}"#)
    else {
        panic!("a replay")
    };
    assert_eq!(replay.entries_behind_primary, Some(200));
    assert_eq!(replay.seconds_until_synced, None);
}

#[test]
fn the_numbers_of_snapshot_mode_are_told_from_those_of_a_journal() {
    let text = r#"replaying, {"bytes_per_second":0.0,"bytes_per_snapshot":9437184.0,"last_snapshot_bytes":0,"last_snapshot_sync_seconds":1,"local_snapshot_timestamp":1749040302,"remote_snapshot_timestamp":1749040302,"replay_state":"idle"}"#;
    let description = Description::new(text);
    let replay = description.snapshot().unwrap();
    assert_eq!(replay.replay_state.as_deref(), Some("idle"));
    assert_eq!(replay.local_snapshot_timestamp, Some(1_749_040_302));
    assert_eq!(replay.syncing_percent, None);
}

#[test]
fn the_text_of_releases_before_15_is_read_with_its_negative_count() {
    let text = "replaying, master_position=[object_number=3, tag_tid=2, entry_tid=3], mirror_position=[], entries_behind_master=-3";
    let Meaning::Journal(replay) = meaning(text) else { panic!("a replay") };
    assert_eq!(replay.primary_position, Some(Position { tag_tid: 2, entry_tid: 3 }));
    assert_eq!(replay.non_primary_position, None);
    assert_eq!(replay.entries_behind_primary, Some(-3));
}

#[test]
fn each_cause_is_told_from_the_others() {
    let table = [
        ("split-brain detected", Meaning::SplitBrain),
        ("split-brain", Meaning::SplitBrain),
        ("local image is primary", Meaning::LocalIsPrimary),
        ("force promoted", Meaning::ForcePromoted),
        ("remote image is not primary", Meaning::RemoteNotPrimary),
        ("remote image is non-primary", Meaning::RemoteNotPrimary),
        ("remote image is non-primary or local image is primary", Meaning::RemoteNotPrimary),
        ("remote image demoted", Meaning::RemoteNotPrimary),
        ("remote image no longer exists", Meaning::RemoteGone),
        ("resync requested", Meaning::ResyncRequested),
        ("bootstrapping, IMAGE_SYNC/COPY_IMAGE 12%", Meaning::Bootstrapping),
        ("syncing", Meaning::Bootstrapping),
        ("starting replay", Meaning::StartingReplay),
        ("disconnected: automatic resync", Meaning::Disconnected),
        ("stopped", Meaning::Stopped),
        ("", Meaning::Stopped),
        ("status not found", Meaning::NotFound),
        ("failed to commit journal event", Meaning::Other),
        ("no split-brain detected", Meaning::Other),
    ];
    for (text, expected) in table {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[test]
fn hostile_text_is_kept_as_text() {
    let deep = format!("replaying, {}", "{\"a\":".repeat(10_000));
    let table = [
        "replaying, {",
        "replaying, }{",
        "replaying, {\"entries_behind_primary\":}",
        "replaying, null",
        "replaying, [1,2]",
        "replaying, {\"entries_behind_primary\":0} trailing",
        "replaying, master_position=[, entries_behind_master=",
        "replaying,",
        "Replaying, {}",
        "\u{0}\u{1f4a5}",
        &deep,
    ];
    for text in table {
        let description = Description::new(text);
        assert_eq!(description.meaning(), Meaning::Other, "{text:.60}");
        assert_eq!(description.text, text);
    }
}

#[test]
fn a_number_of_the_wrong_type_costs_that_number_alone() {
    let Meaning::Journal(replay) = meaning(
        r#"replaying, {"entries_behind_primary":"many","bytes_per_second":null,"primary_position":7,"entries_per_second":-1.0,"seconds_until_synced":4}"#,
    ) else {
        panic!("a replay")
    };
    assert_eq!(replay, JournalReplay { seconds_until_synced: Some(4), ..JournalReplay::default() });
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_or_lose_it(text in any::<String>()) {
        let description = Description::new(&text);
        let _ = description.meaning();
        assert_eq!(description.text, text);
    }

    #[test]
    fn no_detail_of_a_replay_makes_the_parser_panic(detail in "[\\[\\]{}:,\"=a-z_0-9.-]{0,80}") {
        let _ = meaning(&format!("replaying, {detail}"));
    }

    #[test]
    fn positions_and_counts_survive_the_daemons_own_format(tag in any::<u64>(), entry in any::<u64>(), behind in any::<i64>()) {
        let text = format!(
            r#"replaying, {{"primary_position":{{"object_number":1,"tag_tid":{tag},"entry_tid":{entry}}},"entries_behind_primary":{behind}}}"#
        );
        let description = Description::new(&text);
        let replay = description.journal().unwrap();
        assert_eq!(replay.primary_position, Some(Position { tag_tid: tag, entry_tid: entry }));
        assert_eq!(replay.entries_behind_primary, Some(behind));
    }
}
