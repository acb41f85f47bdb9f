//! A balancer that passes TLS on says first who connects: the header is in the clear, before the handshake.
//! Never here: the forms of a header, or whom to believe.

use std::io::Write;
use std::net::{IpAddr, TcpStream};

use crate::support::client::{Client, get};
use crate::support::pki::{Algorithm, Authority};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, node};

const TEXT: &[u8] = b"PROXY TCP4 198.51.100.7 10.0.0.1 40312 443\r\n";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[test]
fn the_header_comes_before_the_handshake() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = node(&[&pair], &["proxy_protocol.mode=required", r#"proxy_protocol.trusted=["127.0.0.0/8"]"#]);
    let dialer = Dialer::new(&authority, "shop.example");
    for (header, remote) in [(TEXT, "198.51.100.7"), (LOCAL, "127.0.0.1")] {
        let socket = dialer.try_dial_behind(door(&node), header).expect("the handshake succeeds");
        let mut client = Client::over_tls(socket);
        for _ in 0..2 {
            assert_eq!(client.ask(get("/ping")).status, 200);
            assert_eq!(node.next_remote(), remote.parse::<IpAddr>().expect("an address"));
        }
    }
    // Without it, or with two of them, there is no handshake.
    assert!(dialer.try_dial(door(&node)).is_err());
    assert!(dialer.try_dial_behind(door(&node), &TEXT.repeat(2)).is_err());
    until("it is counted", || node.sum(|ledger| ledger.proxy_headers.absent.get()) == 1);
    // Behind TLS it is what HTTP takes it for.
    let mut client = Client::over_tls(dialer.try_dial_behind(door(&node), TEXT).expect("the handshake succeeds"));
    client.send([TEXT, get("/ping").as_bytes()].concat());
    assert_eq!(client.answer().status, 400);
    // A header alone, and then nothing.
    let mut socket = TcpStream::connect(door(&node)).expect("the door is open");
    socket.write_all(TEXT).expect("it reads");
    drop((socket, client));
    node.until_quiet();
}
