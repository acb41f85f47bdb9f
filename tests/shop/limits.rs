//! Limits: a user's bucket is one, wherever he connects; an address's bucket is one for the whole node.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

use socket2::{Domain, Socket, Type};
use tidegate::core::fault::Backend;

use crate::shop::{Setup, Shop, login_body};
use crate::support::{Answer, Client, get};

const PRODUCT: &str = "/api/v1/products/1";

fn number(answer: &Answer, header: &str) -> u64 {
    answer.header(header).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {header}: {answer:?}"))
}

/// Requests admitted before the first refusal, and that refusal.
fn until_refused(client: &mut Client, token: &str) -> (u64, Answer) {
    for admitted in 0..1000 {
        let answer = client.get(PRODUCT, token);
        if answer.status != 200 {
            return (admitted, answer);
        }
    }
    panic!("no limit")
}

#[test]
fn sixty_a_minute_by_default() {
    for shards in [1, 2] {
        let shop = Setup::of(shards).open();
        let began = Instant::now();
        let (admitted, refused) = until_refused(&mut shop.client(), &shop.token("o-eager"));
        // One a second comes back while we ask.
        let at_most = 61 + began.elapsed().as_secs();
        assert!((60..=at_most).contains(&admitted), "{admitted}");
        assert_eq!(refused.refusal(), (429, 42900));
        assert_eq!((number(&refused, "ratelimit-limit"), number(&refused, "ratelimit-remaining")), (60, 0));
        assert_eq!((number(&refused, "retry-after"), number(&refused, "ratelimit-reset")), (1, 1));
        assert_eq!(shop.sum(|shard| shard.limiter.refused_openid.get()), 1);
        assert_eq!(shop.sum(|shard| shard.limiter.admitted.get()), admitted);
    }
}

#[test]
fn users_do_not_share_and_routes_do_not_share() {
    let shop = Setup::of(2).set("limiter.openid=60/h burst 60").open();
    let mut clients = shop.clients();
    for user in 0..6 {
        let token = shop.token(&format!("o-user{user}"));
        let client = &mut clients[user % 2];
        let (admitted, refused) = until_refused(client, &token);
        assert_eq!(admitted, 60, "request 61 is refused");
        assert!((1..=60).contains(&number(&refused, "retry-after")));
        assert_eq!(client.get("/api/v1/products", &token).status, 200, "the list has a bucket of its own");
        assert_eq!(client.get(PRODUCT, &token).status, 429, "on the same connection");
        assert_eq!(shop.client().get(PRODUCT, &token).status, 429, "and on any other");
    }
}

#[test]
fn a_users_connections_share_one_bucket_exactly() {
    for shards in [1, 2, 4] {
        let shop = Setup::of(shards).set("limiter.openid=60/h burst 60").open();
        for user in 0..3 {
            let token = shop.token(&format!("o-user{user}"));
            let mut clients = shop.clients();
            clients.extend(shop.clients());
            let admitted: usize = thread::scope(|scope| {
                let count = |mut client: Client| (0..70).filter(|_| client.get(PRODUCT, &token).status == 200).count();
                let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || count(client))).collect();
                threads.into_iter().map(|thread| thread.join().expect("it counts")).sum()
            });
            assert_eq!(admitted, 60, "{shards} shards");
        }
        assert_eq!(shop.asked(Backend::Owner) > 0, shards > 1, "foreign shards asked the owner");
    }
}

#[test]
fn a_route_may_have_a_limit_of_its_own() {
    let action = r#"action = { query = "product" }"#;
    let own = "limit = [\"openid 5/h burst 5\"]\naction = { query = \"product\" }";
    let shop = Setup::of(2).replace(action, own).open();
    for (user, client) in shop.clients().iter_mut().enumerate() {
        let token = shop.token(&format!("o-user{user}"));
        let (admitted, refused) = until_refused(client, &token);
        assert_eq!((admitted, number(&refused, "ratelimit-limit")), (5, 5));
        assert_eq!(client.get("/api/v1/products", &token).status, 200);
    }
}

/// Also before the route is known, and the same on every shard.
#[test]
fn an_address_has_one_bucket_on_the_node() {
    let mut setup = Setup::of(4);
    setup.set = vec!["limiter.ip=40/h burst 40".to_owned()];
    let shop = setup.open();
    let mut clients: Vec<Client> = (0..10).map(|_| shop.client()).collect();
    let statuses: Vec<u16> = (0..50).map(|turn| clients[turn % 10].ask(&get("/ping")).status).collect();
    assert_eq!(statuses, [[200; 40].as_slice(), [429; 10].as_slice()].concat());
    assert!(shop.ledgers().iter().filter(|shard| shard.connections.opened.get() > 0).count() > 1);
    let refused = clients[0].ask(&get("/no/such/path"));
    assert_eq!((refused.refusal(), number(&refused, "ratelimit-limit")), ((429, 42900), 40));
    assert_eq!(shop.sum(|shard| shard.limiter.refused_ip.get()), 11);
    assert_eq!(from(&shop, Ipv4Addr::new(127, 0, 0, 2)).ask(&get("/ping")).status, 200, "another address");
}

#[test]
fn logins_are_limited_by_address_before_wechat_is_asked() {
    let shop = Setup { login_limit: "3/h burst 3", ..Setup::of(2) }.open();
    let log_in = |mut client: Client, code: &str| client.post("/auth/login", &login_body(code)).status;
    let statuses: Vec<u16> = (0..5).map(|number| log_in(shop.client(), &format!("demo-a.{number}"))).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(shop.wechat()["exchanges"], 3);
    assert_eq!(log_in(from(&shop, Ipv4Addr::new(127, 0, 0, 3)), "demo-b"), 200);
    assert_eq!(shop.client().ask(&get("/ping")).status, 200, "other routes are open");
}

fn from(shop: &Shop, addr: Ipv4Addr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((addr, 0)).into()).expect("a loopback address");
    socket.connect(&shop.addr().into()).expect("a listener");
    Client::over(socket.into())
}
