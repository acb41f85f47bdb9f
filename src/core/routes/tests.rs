//! Paths and methods against small routers. Never here: routes of a real configuration.

use std::sync::Arc;

use super::{ConflictReason, Found, Router, pattern_params};
use crate::core::admission::Priority;
use crate::core::coding::CodingSet;
use crate::core::config::checked::{ActionSpec, Auth, Route};
use crate::core::config::tls::ClientCertificates;
use crate::core::ids::RouteId;
use crate::core::method::Method;

use Method::{Delete, Get, Head, Options, Post, Put};

fn route(path: &str, methods: &[Method]) -> Arc<Route> {
    Arc::new(Route {
        path: path.to_owned(),
        methods: methods.to_vec(),
        auth: Auth::None,
        openid_limits: Vec::new(),
        ip_limits: Vec::new(),
        client_certificate: ClientCertificates::Off,
        body_bytes_max: 0,
        request_codings: CodingSet::NONE,
        cors: None,
        priority: Priority::Normal,
        action: ActionSpec { kind: "respond".to_owned(), value: toml::Value::Boolean(true) },
    })
}

/// `"0 id=7"`: the route's index and one parameter; `"405 GET, HEAD, OPTIONS"`; `"404"`.
fn check(router: &Router, method: Method, path: &str, expect: &str) {
    let got = match router.find(method, path) {
        Found::Route { id, route, params } => {
            assert_eq!(router.routes()[usize::from(id.0)].path, route.path);
            pattern_params(&route.path).fold(id.0.to_string(), |text, name| {
                format!("{text} {name}={}", params.get(name).expect("the pattern has it"))
            })
        }
        Found::WrongMethod { allow } => format!("405 {allow}"),
        Found::Options { allow } => format!("204 {allow}"),
        Found::Unknown => "404".to_owned(),
    };
    assert_eq!(got, expect, "{} {path}", method.as_str());
}

fn shop() -> Router {
    Router::build(&[
        route("/ping", &[Get]),
        route("/products/{id}", &[Get]),
        route("/products/{id}", &[Put, Delete]),
        route("/products/hot", &[Get]),
        route("/products/{id}/orders/{order}", &[Get]),
        route("/files/{*rest}", &[Get]),
        route("/files/readme", &[Get]),
        route("/商品/{id}", &[Get]),
        route("/", &[Post]),
    ])
    .expect("no two of these meet")
}

#[test]
fn static_text_wins_over_a_parameter_and_over_a_wildcard() {
    let router = shop();
    check(&router, Get, "/ping", "0");
    check(&router, Get, "/products/7", "1 id=7");
    check(&router, Get, "/products/hot", "3");
    check(&router, Get, "/products/hotter", "1 id=hotter");
    check(&router, Get, "/products/7/orders/8", "4 id=7 order=8");
    check(&router, Get, "/files/readme", "6");
    check(&router, Get, "/files/a/b.css", "5 rest=a/b.css");
}

#[test]
fn a_path_is_matched_whole_and_exactly() {
    let router = shop();
    for path in ["/pin", "/ping/", "/PING", "/products", "/products/", "/products/7/", "/files/", "", "ping"] {
        check(&router, Get, path, "404");
    }
}

#[test]
fn methods_of_one_path_may_stand_in_several_routes() {
    let router = shop();
    check(&router, Put, "/products/7", "2 id=7");
    check(&router, Delete, "/products/7", "2 id=7");
    check(&router, Post, "/products/7", "405 GET, HEAD, PUT, DELETE, OPTIONS");
    check(&router, Get, "/", "405 POST, OPTIONS");
}

#[test]
fn get_answers_head_and_only_get_does() {
    let router = shop();
    check(&router, Head, "/products/7", "1 id=7");
    check(&router, Head, "/", "405 POST, OPTIONS");
    check(&router, Delete, "/ping", "405 GET, HEAD, OPTIONS");
}

#[test]
fn every_path_has_options_and_so_has_the_server() {
    let router = shop();
    check(&router, Options, "/", "204 POST, OPTIONS");
    check(&router, Options, "/products/7", "204 GET, HEAD, PUT, DELETE, OPTIONS");
    check(&router, Options, "/nowhere", "404");
    check(&router, Options, "*", "204 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    check(&router, Get, "*", "404");
    let own = Router::build(&[route("/own", &[Options]), route("/{*rest}", &[Get])]).expect("they do not meet");
    check(&own, Options, "/own", "0");
    check(&own, Options, "/other", "204 GET, HEAD, OPTIONS");
    check(&own, Options, "*", "204 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

#[test]
fn paths_are_unicode() {
    let router = shop();
    check(&router, Get, "/商品/七", "7 id=七");
    check(&router, Get, "/商", "404");
    check(&router, Get, "/files/图/a", "5 rest=图/a");
}

#[test]
fn a_missing_parameter_is_none() {
    let router = shop();
    let Found::Route { params, .. } = router.find(Get, "/products/7") else { panic!("a route") };
    assert_eq!(params.get("order"), None);
}

#[test]
fn conflicts_name_both_routes() {
    let check = |second: (&str, &[Method]), expect: Result<(), &str>| {
        let got = Router::build(&[route("/a/{id}", &[Get, Put]), route(second.0, second.1)]);
        let got = got.map(|_| ()).map_err(|conflicts| {
            assert_eq!(conflicts.len(), 1, "{conflicts:?}");
            assert_eq!(conflicts[0].route, RouteId(1));
            conflicts[0].why.to_string()
        });
        assert_eq!(got, expect.map_err(str::to_owned), "{second:?}");
    };
    check(("/a/{id}", &[Delete]), Ok(()));
    check(("/a/{id}/b", &[Get]), Ok(()));
    check(("/a/{id}", &[Put, Delete]), Err("must not repeat PUT of route[0]"));
    check(("/a/{name}", &[Delete]), Err("must not match the same paths as /a/{id}"));
    check(("/a/{*rest}", &[Delete]), Err("must not match the same paths as /a/{id}"));
    check(("/b/{x}/{y}/{z}", &[Get]), Ok(()));
    check(("/b/{x}/{y}/{z}/{w}", &[Get]), Err("must have at most 3 parameters"));
    check(("/b/{x}/{x}", &[Get]), Err("must not name a parameter twice"));
    check(("/b/{x}{y}", &[Get]), Err("must have one parameter a segment"));
    check(("/b/{*x}/c", &[Get]), Err("must have {*rest} only at its end"));
    check(("/b/{", &[Get]), Err("must have parameters as {name}, each brace closed"));
    check(("b", &[Get]), Err("must start with /"));
    check(("/b/../c", &[Get]), Err("must not contain dot segments: they are resolved before routing"));
    let decoded = "must be the decoded path alone: no query, no fragment, no %, no spaces";
    for path in ["/b?c", "/b#c", "/b%20c", "/b c", "/b\nc"] {
        check((path, &[Get]), Err(decoded));
    }
}

#[test]
fn every_bad_route_is_reported() {
    let conflicts = Router::build(&[route("/a", &[Get]), route("/a", &[Get]), route("b", &[Get])]).expect_err("two");
    assert_eq!(conflicts.len(), 2);
    assert_eq!(conflicts[0].why, ConflictReason::Duplicate { with: RouteId(0), method: Get });
    assert_eq!(conflicts[1].why, ConflictReason::Pattern("must start with /"));
}
