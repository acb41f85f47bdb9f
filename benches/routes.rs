//! Cost of one route lookup among the 60 routes of a middling API: static, with a parameter, wildcard, and two refusals.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::core::admission::Priority;
use tidegate::core::coding::CodingSet;
use tidegate::core::config::checked::{ActionSpec, Auth, Route};
use tidegate::core::config::tls::ClientCertificates;
use tidegate::core::method::Method;
use tidegate::core::routes::{Found, Router};

fn route(path: String, method: Method) -> Arc<Route> {
    Arc::new(Route {
        path,
        methods: vec![method],
        auth: Auth::Token,
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

fn router() -> Router {
    let things =
        ["products", "orders", "users", "carts", "coupons", "addresses", "reviews", "shops", "brands", "topics"];
    let mut routes = vec![route("/ping".to_owned(), Method::Get), route("/files/{*rest}".to_owned(), Method::Get)];
    for thing in things {
        for method in [Method::Get, Method::Post] {
            routes.push(route(format!("/api/v1/{thing}"), method));
        }
        for method in [Method::Get, Method::Put, Method::Delete] {
            routes.push(route(format!("/api/v1/{thing}/{{id}}"), method));
        }
        routes.push(route(format!("/api/v1/{thing}/{{id}}/images/{{image}}"), Method::Get));
    }
    Router::build(&routes).expect("no two of these meet")
}

fn lookups(bench: &mut Criterion) {
    let router = router();
    let mut group = bench.benchmark_group("routes");
    for (name, method, path) in [
        ("static", Method::Get, "/ping"),
        ("list", Method::Get, "/api/v1/products"),
        ("one parameter", Method::Get, "/api/v1/products/12345"),
        ("two parameters", Method::Get, "/api/v1/products/12345/images/7"),
        ("wildcard", Method::Get, "/files/2026/11/a.webp"),
        ("wrong method", Method::Post, "/api/v1/products/12345"),
        ("unknown", Method::Get, "/api/v2/products/12345"),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| match router.find(black_box(method), black_box(path)) {
                Found::Route { id, params, .. } => (id.0, params.get("id").map(str::len)),
                Found::WrongMethod { allow } | Found::Options { allow } => (0, Some(allow.len())),
                Found::Unknown => (0, None),
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
