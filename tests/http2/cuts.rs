//! The same bytes give the same answers, however the network cuts them and whatever carries them.
//! Never here: bytes that no honest client sends; see `garbage`.

use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tidegate::shards::door::DoorKind;

use crate::peer::Peer;
use crate::session::{answers, bytes, session};
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::tls::Dialer;

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn answers_do_not_depend_on_the_cuts() {
    let node = TestNode::start(&[]);
    let property = runner(64).run(&(session(), vec(any::<Index>(), 0..24)), |(asked, at)| {
        let all = bytes(&asked);
        let mut whole = Peer::connect(node.addr);
        whole.send(&all);
        let expect = answers(&mut whole, &asked);

        let mut at: Vec<usize> = at.iter().map(|index| index.index(all.len() + 1)).collect();
        at.extend([0, all.len()]);
        at.sort_unstable();
        let mut cut = Peer::connect(node.addr);
        at.windows(2).for_each(|pair| cut.send(&all[pair[0]..pair[1]]));
        prop_assert_eq!(&answers(&mut cut, &asked), &expect);

        let mut trickled = Peer::connect(node.addr);
        all.chunks(1).for_each(|byte| trickled.send(byte));
        prop_assert_eq!(&answers(&mut trickled, &asked), &expect);
        prop_assert!([&whole, &cut, &trickled].iter().all(|peer| peer.goodbyes.is_empty()));
        Ok(())
    });
    property.unwrap_or_else(|error| panic!("{error}"));
    node.until_quiet();
}

/// Plaintext cut into records of one byte to 16 KiB, and the records into segments anywhere.
#[test]
fn answers_do_not_depend_on_the_records() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = TestNode::start(&["tls.listen=127.0.0.1:0", &certificates(&[&pair])]);
    let dialer =
        Dialer::new(&authority, "shop.example").adjusted(|config| config.alpn_protocols = vec![b"h2".to_vec()]);
    let lengths = || prop_oneof![1..20_usize, 1..400_usize, Just(16 << 10)];
    let cuts = (vec(lengths(), 1..12), vec(lengths(), 1..12));
    let property = runner(64).run(&(session(), cuts), |(asked, (records, segments))| {
        let all = bytes(&asked);
        let mut plain = Peer::connect(node.addr);
        plain.send(&all);
        let expect = answers(&mut plain, &asked);

        let mut tls = dialer.dial(node.door(DoorKind::Tls));
        let mut sealed = Vec::new();
        for record in pieces(&all, &records) {
            tls.conn.writer().write_all(record).expect("a record");
            while tls.conn.wants_write() {
                tls.conn.write_tls(&mut sealed).expect("memory");
            }
        }
        for segment in pieces(&sealed, &segments) {
            tls.sock.write_all(segment).expect("the server reads");
        }
        let mut peer = Peer::over_tls(tls);
        prop_assert_eq!(answers(&mut peer, &asked), expect);
        prop_assert_eq!(peer.goodbyes, []);
        Ok(())
    });
    property.unwrap_or_else(|error| panic!("{error}"));
    node.until_quiet();
}

/// Pieces of these lengths, over and over.
fn pieces<'b>(mut rest: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut all = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        all.push(piece);
        rest = behind;
    }
    all
}
