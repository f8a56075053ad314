//! The journal's encodings, against bytes built as Ceph builds them, and against no sense at all.

use proptest::prelude::{any, proptest};

use super::{Journal, JournalPeer, PeerState, Position, Tag, TagOwner, decode_clients, decode_tags};
use crate::cls::Encoder;
use crate::name::MirrorUuid;

/// A structure of version 1.
fn envelope(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 1];
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn blob(body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = u32::try_from(items.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(items.concat());
    bytes
}

fn client(id: &str, data: &[u8], positions: &[(u64, u64, u64)], state: u8) -> Vec<u8> {
    let position = |&(object, tag, entry): &(u64, u64, u64)| {
        envelope(&Encoder::new().u64(object).u64(tag).u64(entry).finish())
    };
    let mut body = Encoder::new().string(id).finish();
    body.extend(blob(data));
    body.extend(envelope(&list(&positions.iter().map(position).collect::<Vec<_>>())));
    body.push(state);
    envelope(&body)
}

fn peer_data(state: u32) -> Vec<u8> {
    let mut body = 1_u32.to_le_bytes().to_vec();
    body.extend(Encoder::new().string("10d3").finish());
    body.extend(state.to_le_bytes());
    body.extend([0; 12]);
    envelope(&body)
}

fn tag(tid: u64, owner: &str, predecessor: &str) -> Vec<u8> {
    let data = Encoder::new().string(owner).string(predecessor).u8(1).u64(3).u64(7).finish();
    let mut body = Encoder::new().u64(tid).u64(0).finish();
    body.extend(blob(&data));
    envelope(&body)
}

#[test]
fn the_position_of_a_client_is_the_highest_of_its_stripes() {
    let own = client("", &envelope(&0_u32.to_le_bytes()), &[(3, 6, 3), (0, 6, 4), (1, 5, 900)], 0);
    let peer = client("uuid-b", &peer_data(1), &[(3, 6, 3)], 0);
    let (local, peers) = decode_clients(&list(&[own, peer])).unwrap();
    assert_eq!(local, Some(Position { tag_tid: 6, entry_tid: 4 }));
    assert_eq!(
        peers,
        [JournalPeer {
            uuid: MirrorUuid::new("uuid-b"),
            position: Some(Position { tag_tid: 6, entry_tid: 3 }),
            object: Some(3),
            connected: true,
            state: PeerState::Replaying,
        }]
    );
}

#[test]
fn a_peer_that_was_cut_off_and_one_that_still_syncs_are_told_apart() {
    let clients = list(&[client("b", &peer_data(0), &[], 0), client("c", &peer_data(1), &[], 1)]);
    let (_, peers) = decode_clients(&clients).unwrap();
    assert_eq!((peers[0].state, peers[0].connected), (PeerState::Syncing, true));
    assert_eq!((peers[1].state, peers[1].connected), (PeerState::Replaying, false));
}

#[test]
fn an_epoch_names_its_owner_and_the_one_before() {
    let tags = decode_tags(&list(&[tag(18, "<orphan>", ""), tag(17, "", "uuid-b")])).unwrap();
    assert_eq!((&tags[0].owner, &tags[0].predecessor), (&TagOwner::Orphan, &TagOwner::Local));
    assert_eq!(tags[1].predecessor, TagOwner::Peer(MirrorUuid::new("uuid-b")));
    assert_eq!(tags[0].predecessor_position, Some(Position { tag_tid: 3, entry_tid: 7 }));
}

fn demoted(tid: u64, local: Option<Position>) -> Journal {
    let newest_tag =
        Tag { tid, owner: TagOwner::Orphan, predecessor: TagOwner::Local, predecessor_position: None };
    Journal { local, peers: Vec::new(), newest_tag: Some(newest_tag) }
}

#[test]
fn a_demotion_without_an_entry_in_its_epoch_is_broken() {
    let sound = demoted(18, Some(Position { tag_tid: 18, entry_tid: 1 }));
    assert!(sound.is_demoted() && !sound.has_broken_demotion());
    let broken = demoted(18, Some(Position { tag_tid: 16, entry_tid: 1 }));
    assert!(broken.has_broken_demotion() && !broken.is_demoted());
    assert!(demoted(18, None).has_broken_demotion());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode_clients(&bytes);
        let _ = decode_tags(&bytes);
    }

    #[test]
    fn a_cut_of_a_sound_answer_is_refused_and_never_misread(cut in 1_usize..60) {
        let whole = list(&[client("uuid-b", &peer_data(1), &[(3, 6, 3)], 0)]);
        let cut = &whole[..whole.len() - cut.min(whole.len() - 4)];
        assert_eq!(decode_clients(cut), None);
    }
}
