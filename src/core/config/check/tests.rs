//! Files with one mistake each, and the exact line that names it. Never here: a check that only counts mistakes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use toml::Table;

use super::{DEFAULTS, KNOBS, cors, identity, load, queries, routes, tls, transactions};
use crate::core::bounds;
use crate::core::config::checked::{
    AccessLog, Auth, Config, DatabaseUrl, Idempotency, Invalidation, KeyPart, KeyTemplate, Rows, Shards, Source,
};
use crate::core::config::expand::Outside;
use crate::core::method::Method;

const DEMO: &str = include_str!("../../../demo/demo.toml");
const REFERENCE: &str = include_str!("../../../../docs/configuration.md");
/// What every file needs; snippets of the tests are put behind it.
const BASE: &str = r#"
[[app]]
appid = "wx1"
secret = "s"
[[token.key]]
kid = "k"
secret = "0123456789abcdef0123456789abcdef"
[[route]]
path = "/ping"
method = "GET"
auth = "none"
action = { respond = {} }
[query.product]
sql = "SELECT :id"
rows = "one"
params = { id = "path:u64" }
cache = { key = "product:{id}", ttl = "60m" }
"#;

fn load_here(text: &str) -> Result<Config, Vec<String>> {
    let variable = |name: &str| match name {
        "WX_SECRET" => Some("wx-secret".to_owned()),
        "TOKEN_KEY" | "DEMO_TOKEN_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "DEMO_LISTEN" | "DEMO_OPS" => Some("127.0.0.1:0".to_owned()),
        "DEMO_WECHAT" => Some("http://127.0.0.1:4000".to_owned()),
        "DEMO_DB" => Some("sqlite:///tmp/shop.db".to_owned()),
        "SLY" => Some("x\"\n[ops]\nlisten = \"0.0.0.0:1\"\n#${WX_SECRET}".to_owned()),
        _ => None,
    };
    let file = |path: &Path| match path.to_str() {
        Some("/run/secrets/wx") => Ok("from-file\r\n".to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    let outside = Outside { variable: &variable, file: &file };
    load(text, &outside).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn based(snippet: &str) -> Result<Config, Vec<String>> {
    load_here(&format!("{BASE}\n{snippet}"))
}

/// The snippet behind `BASE` gives exactly these lines.
fn check(snippet: &str, expect: &[&str]) {
    match based(snippet) {
        Ok(_) => assert!(expect.is_empty(), "{snippet}\nis accepted"),
        Err(lines) => assert_eq!(lines, expect, "{snippet}"),
    }
}

fn accepted(text: &str) -> Config {
    load_here(text).unwrap_or_else(|lines| panic!("{}", lines.join("\n")))
}

#[test]
fn the_shipped_file_loads_and_is_the_default_of_every_knob() {
    let shipped = accepted(DEFAULTS);
    assert_eq!(shipped.routes.len(), 6);
    let bare = accepted(BASE);
    for (left, right) in [
        (format!("{:?}", shipped.server), format!("{:?}", bare.server)),
        (format!("{:?}", shipped.redirect), format!("{:?}", bare.redirect)),
        (format!("{:?}", shipped.ops), format!("{:?}", bare.ops)),
        (format!("{:?}", shipped.log), format!("{:?}", bare.log)),
        (format!("{:?}", shipped.wechat), format!("{:?}", bare.wechat)),
        (format!("{:?}", shipped.limiter), format!("{:?}", bare.limiter)),
        (format!("{:?}", shipped.cache), format!("{:?}", bare.cache)),
        (format!("{:?}", shipped.database), format!("{:?}", bare.database)),
    ] {
        assert_eq!(left, right);
    }
    assert_eq!(shipped.server.head_bytes_max, bounds::HEAD_BYTES_MAX);
    assert_eq!(shipped.server.target_bytes_max, bounds::TARGET_BYTES_MAX);
    assert_eq!(shipped.server.headers_max, bounds::HEADERS_MAX);
    assert_eq!(shipped.server.body_bytes_max, bounds::BODY_BYTES_MAX);
    assert!(bare.tls.certificates.is_empty(), "the example's certificate is no default");
    assert_eq!(bare.apps.len(), 1, "the example's app is no default");
    assert_eq!(bare.token.keys.len(), 1, "the example's key is no default");
    assert!(bare.transactions.is_empty(), "the example's transactions are no default");
}

#[test]
fn the_shipped_file_the_checker_and_the_reference_have_the_same_knobs() {
    let shipped: Table = DEFAULTS.parse().expect("it is TOML");
    for (section, keys) in KNOBS {
        let table = shipped.get(section).and_then(|section| section.as_table()).expect("every section is there");
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), expected, "[{section}]");
        let (_, rest) = REFERENCE.split_once(&format!("## `[{section}]`\n")).expect("the reference has the section");
        let chapter = rest.split("\n## ").next().unwrap_or_default();
        for key in keys.iter().filter(|key| !matches!(**key, "key" | "certificate")) {
            let row = format!("| `{key}` | `{}` |", table[*key]);
            assert!(chapter.contains(&row), "docs/configuration.md, [{section}], lacks: {row}");
        }
    }
}

#[test]
fn every_key_of_the_operators_own_sections_is_shown_and_explained() {
    for keys in [
        identity::APP,
        identity::TOKEN_KEY,
        queries::QUERY,
        queries::ROWS,
        queries::PAGED,
        queries::CACHE,
        transactions::TRANSACTION,
        transactions::STEP,
        cors::CORS,
        routes::ROUTE,
        tls::CERTIFICATE,
    ] {
        for key in keys {
            let shown = DEFAULTS.contains(&format!("{key} = ")) || DEFAULTS.contains(&format!("{key}:"));
            assert!(shown, "tidegate.toml shows no {key}");
            let explained = REFERENCE.contains(&format!("`{key}`")) || REFERENCE.contains(&format!("{{ {key} = "));
            assert!(explained, "docs/configuration.md explains no {key}");
        }
    }
}

#[test]
fn the_demo_loads() {
    let demo = accepted(DEMO);
    let listed: Vec<String> =
        demo.routes.iter().map(|route| format!("{} {}", route.methods[0].as_str(), route.path)).collect();
    assert_eq!(
        listed,
        [
            "GET /ping",
            "POST /auth/login",
            "POST /auth/refresh",
            "POST /auth/logout",
            "GET /api/v1/me",
            "GET /api/v1/products/{id}",
            "GET /api/v1/products",
            "POST /api/v1/orders",
            "GET /api/v1/orders",
        ]
    );
    let ping = demo.routes[0].action.value.get("body").and_then(|body| body.as_str());
    assert_eq!(ping.map(str::len), Some(27));
    let limit = demo.routes[5].openid_limits[0];
    assert_eq!((limit.count.get(), limit.per, limit.burst.get()), (60, Duration::from_secs(60), 60));
    assert_eq!(demo.database.primary, DatabaseUrl::Sqlite("/tmp/shop.db".into()));
    let place_order = &demo.transactions["place_order"];
    assert_eq!(place_order.idempotency, Idempotency::Optional);
    assert_eq!(place_order.invalidates[1], Invalidation::Space("products:".to_owned()));
    let [product_id, me] = [&place_order.invalidates[0], &place_order.invalidates[2]];
    let index = |name| place_order.params.iter().position(|param| param.name == name).expect("it is declared");
    let key = |literal: &str, name| {
        let parts = vec![KeyPart::Literal(literal.to_owned()), KeyPart::Param(index(name))];
        Invalidation::Key(KeyTemplate(parts))
    };
    assert_eq!((product_id, me), (&key("product:", "product_id"), &key("me:", "openid")));
}

#[test]
fn a_paged_query_gets_its_parameters() {
    let demo = accepted(DEMO);
    let orders = &demo.queries["orders"];
    assert_eq!(orders.rows, Rows::Paged { size: 20, size_max: 100, page_max: 1000 });
    let sources: Vec<_> = orders.params.iter().map(|param| (param.name.as_str(), &param.source)).collect();
    let [page, size] = ["page", "page_size"].map(|name| Source::Query(name.to_owned()));
    assert_eq!(sources, [("openid", &Source::TokenOpenId), ("page", &page), ("page_size", &size)]);
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let text = r#"
        [server]
        listen = "everywhere"
        shards = 0
        conections_max = 5
        [database]
        timeout = "0s"
        [[app]]
        secret = "${NOT_THERE}"
        [[route]]
        path = "/x"
        method = "get"
        action = { query = "prodct" }
        [query.product]
        sql = "SELECT 1"
        rows = "one"
    "#;
    let lines = load_here(text).expect_err("it is full of mistakes");
    assert_eq!(
        lines,
        [
            "app[0].secret: variable NOT_THERE is not set; set it, or write a default: ${NOT_THERE:-…}",
            "server.conections_max: unknown key; did you mean connections_max?",
            "server.listen = \"everywhere\": must be \"off\" or ADDRESS:PORT; such as \"0.0.0.0:8443\" or \"[::]:8443\"",
            "server.shards = 0: must be \"auto\", a number 1..=128, or a list of different CPUs; \
         each shard is a thread on a CPU of its own; [0, 2, 4] names the CPUs",
            "app[0].appid: must be given",
            "token.key: must be given at least once; write [[token.key]] with kid and secret; openssl rand -base64 48 makes one",
            "database.timeout = \"0s\": must be a duration 10ms..=1m, such as \"10s\"; \
         a list of statements that runs longer blocks all others",
            "route[0 /x].auth: must be given",
            "route[0 /x].method = \"get\": must be one or a list of GET, POST, PUT, PATCH, DELETE, OPTIONS; GET answers HEAD as well",
            "route[0 /x].action.query = \"prodct\": must name a declared one; did you mean product?",
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_by_line_and_without_its_text() {
    let lines = load_here("[server]\n[[app]]\nsecret = \"top-secret\n").expect_err("the quote is open");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("line 3: "), "{lines:?}");
    assert!(!lines[0].contains("top-secret"), "{lines:?}");
}

#[test]
fn knobs_are_bounded() {
    // Lowest and highest accepted values; on either side lies a refused one. The extra text keeps related knobs apart.
    let whole = |key: &str, low: i64, high: i64, extra: &str| {
        for (number, fits) in
            [(low - 1, false), (low, true), (low + 1, true), (high - 1, true), (high, true), (high + 1, false)]
        {
            knob(key, &number.to_string(), extra, fits);
        }
    };
    let text = |key: &str, refused: &[&str], taken: &[&str], extra: &str| {
        refused.iter().for_each(|value| knob(key, &format!("\"{value}\""), extra, false));
        taken.iter().for_each(|value| knob(key, &format!("\"{value}\""), extra, true));
    };
    whole("server.shards", 1, 128, "");
    whole("server.connections_max", 1, 1_000_000, "in_flight_max = 1");
    whole("server.connections_per_ip_max", 1, 1_000_000, "");
    text("server.connections_per_ip_max", &["on"], &["off"], "");
    whole("server.peer_rate_min", 0, 1024 * 1024, "");
    whole("overload.concurrency_min", 1, 65_536, "");
    for key in ["overload.read_wait", "overload.write_wait", "overload.wechat_wait"] {
        text(key, &["0ms", "30001ms", "on"], &["1ms", "2ms", "30s", "off"], "");
    }
    text("overload.lag_target", &["0ms", "1001ms"], &["1ms", "1s", "off"], "");
    text("overload.retry_after_max", &["999ms", "301s"], &["1s", "5m"], "");
    whole("server.in_flight_max", 1, 65_536, "connections_max = 1000000");
    whole("server.head_bytes_max", 1024, 16_383, "target_bytes_max = 128");
    whole("server.target_bytes_max", 128, 16_382, "head_bytes_max = 16383");
    whole("server.headers_max", 16, 64, "");
    whole("server.body_bytes_max", 0, 64 * 1024 * 1024, "");
    whole("wechat.connections_max", 1, 1024, "");
    whole("token.remembered_max", 1, 10_000_000, "");
    whole("token.sessions_max", 1, 100_000_000, "");
    whole("limiter.openids_max", 1024, 1 << 28, "");
    whole("limiter.ips_max", 1024, 1 << 28, "");
    whole("cache.bytes_max", 1 << 20, 64 << 30, "");
    for key in ["server.head_timeout", "server.body_timeout", "server.write_timeout"] {
        text(key, &["99ms", "60001ms"], &["100ms", "101ms", "59999ms", "60s"], "");
    }
    text("server.idle_timeout", &["999ms", "3600001ms"], &["1s", "1001ms", "3599999ms", "1h"], "");
    text("server.request_timeout", &["60001ms"], &["3s", "3001ms", "60s"], "drain_timeout = \"2m\"");
    let waits = "[server]\nrequest_timeout = \"10ms\"\n[wechat]\ntimeout = \"100ms\"\n[database]\ntimeout = \"10ms\"";
    check(
        waits,
        &[
            "wechat.timeout = \"100ms\": must be at most server.request_timeout; else requests end before this wait does",
        ],
    );
    check(
        &waits.replacen("10ms", "9ms", 1),
        &[
            "server.request_timeout = \"9ms\": must be a duration 10ms..=1m, such as \"10s\"; wx.request gives up after 60s",
        ],
    );
    text("server.drain_timeout", &["999ms", "4999ms", "600001ms"], &["5s", "5001ms", "10m"], "drain_linger = \"0s\"");
    text("server.drain_timeout", &["5999ms"], &["6s"], "drain_linger = \"1s\"");
    text("server.drain_linger", &["600001ms"], &["0s", "1ms", "594s"], "drain_timeout = \"10m\"");
    text("wechat.timeout", &["99ms", "5001ms"], &["100ms", "101ms", "5s"], "");
    text("database.timeout", &["9ms", "5001ms"], &["10ms", "11ms", "5s"], "");
    text("token.access_life", &["59s", "86401s"], &["1m", "61s", "1d"], "");
    text("token.refresh_life", &["3599s", "366d"], &["1h", "3601s", "365d"], "access_life = \"1m\"");
    text("token.leeway", &["301s", "-1s"], &["0s", "1s", "5m"], "");
    text("token.session_idle", &["59s", "366d"], &["1m", "61s", "365d"], "access_life = \"1m\"");
}

/// `server.listen = value` with `extra` in the same section is taken or refused.
fn knob(path: &str, value: &str, extra: &str, fits: bool) {
    let (section, key) = path.split_once('.').expect("a section and a key");
    let got = based(&format!("[{section}]\n{key} = {value}\n{extra}"));
    let lines = got.err().unwrap_or_default();
    assert_eq!(lines.is_empty(), fits, "{path} = {value}: {lines:?}");
    assert!(lines.iter().all(|line| line.starts_with(path)), "{path} = {value}: {lines:?}");
}

#[test]
fn knobs_that_are_texts() {
    let check = |path: &str, taken: &[&str], refused: &[&str]| {
        taken.iter().for_each(|value| knob(path, value, "", true));
        refused.iter().for_each(|value| knob(path, value, "", false));
    };
    check(
        "server.listen",
        &[r#""0.0.0.0:80""#, r#""[::1]:0""#],
        &["80", r#""localhost:80""#, r#"":80""#, r#""1.2.3.4""#],
    );
    check(
        "server.shards",
        &[r#""auto""#, "[0]", "[3, 1, 1023]"],
        &[r#""all""#, "[]", "[0, 0]", "[-1]", "[1024]", "[true]"],
    );
    check("ops.listen", &[r#""127.0.0.1:1""#, r#""[::1]:1""#], &[r#""0.0.0.0:1""#, r#""10.0.0.1:1""#]);
    check(
        "log.access",
        &[r#""off""#, r#""stdout""#, r#""file:/var/log/a""#],
        &[r#""""#, r#""file:a""#, r#""stderr""#, "false"],
    );
    check("log.level", &[r#""error""#, r#""warn""#, r#""info""#, r#""debug""#], &[r#""trace""#, r#""INFO""#]);
    check(
        "wechat.base_url",
        &[r#""https://a.b""#, r#""https://a.b:8443""#, r#""http://127.0.0.1:8""#, r#""http://[::1]:8""#],
        &[
            r#""https://""#,
            r#""https://a/""#,
            r#""https://u@a""#,
            r#""http://a.b""#,
            r#""http://10.0.0.1:8""#,
            r#""a.b""#,
        ],
    );
    check("limiter.ip", &[r#""off""#, r#""1/s""#], &[r#""none""#, r#""ip 1/s""#, "1", r#""0/s""#]);
    check("limiter.openid", &[r#""off""#, r#""60/min burst 20""#], &[r#""openid 1/s""#]);
    check(
        "database.primary",
        &[r#""sqlite://a""#, r#""sqlite:///a/b""#, r#""sqlite::memory:""#],
        &[r#""a.db""#, r#""sqlite://""#, r#""sqlite://a?mode=ro""#, r#""mysql://a/b""#],
    );
    let config = based("[server]\nshards = [2, 0]\n[log]\naccess = \"file:/a\"").expect("both are good");
    assert_eq!(config.server.shards, Shards::Cpus(vec![2, 0]));
    assert_eq!(config.log.access, AccessLog::File("/a".into()));
}

#[test]
fn origins_of_pages() {
    let with = |lines: &str| format!("[cors.h5]\n{lines}");
    let origins = |list: &str| with(&format!("origins = [{list}]"));
    for list in [
        r#""https://h5.example.com""#,
        r#""http://localhost:8080", "https://a_b.example:8443""#,
        r#""http://[::1]:3000", "http://127.0.0.1""#,
        r#""*""#,
    ] {
        check(&origins(list), &[]);
    }
    for origin in [
        "",
        "null",
        "h5.example.com",
        "//h5.example.com",
        "https://",
        "https://h5.example.com/",
        "https://H5.example.com",
        "HTTPS://h5.example.com",
        "https://h5.example.com:443",
        "http://h5.example.com:80",
        "https://a:0443",
        "https://a:",
        "https://a:65536",
        "https://*.example.com",
        "https://a b",
        "ftp://a",
        "https://[::0001]",
        "https://[::1",
    ] {
        let lines = based(&origins(&format!("\"{origin}\""))).expect_err(origin);
        let expect =
            format!("cors.h5.origins[0] = \"{origin}\": must be SCHEME://HOST or SCHEME://HOST:PORT, or \"*\"");
        assert!(lines.len() == 1 && lines[0].starts_with(&expect), "{lines:?}");
    }
    check(
        &origins(""),
        &["cors.h5.origins = [0 items]: must name an origin; write origins = [\"https://h5.example.com\"]"],
    );
    check(
        &origins(r#""*", "https://a""#),
        &["cors.h5.origins = [2 items]: must be \"*\" alone or origins; \"*\" includes the others"],
    );
    check(
        &with("origins = [\"*\"]\ncredentials = true"),
        &["cors.h5.credentials = true: must be false where origins is \"*\"; \
            name the origins: with credentials, any page could act for its visitor"],
    );
    check(
        &with("origins = [\"https://a\"]\nheaders = [\"X-Own\"]\nmax_age = \"2d\""),
        &[
            "cors.h5.headers[0] = \"X-Own\": must be a header name in lower case",
            "cors.h5.max_age = \"2d\": must be a duration 0s..=1d, such as \"10s\"; no browser keeps an answer longer",
        ],
    );
    let many = |count: usize| vec![r#""https://a""#; count].join(",");
    check(&origins(&many(bounds::CORS_ORIGINS_MAX)), &[]);
    assert!(based(&origins(&many(bounds::CORS_ORIGINS_MAX + 1))).is_err());
    let route =
        "[[route]]\npath = \"/b\"\nmethod = \"GET\"\nauth = \"none\"\naction = { respond = {} }\ncors = \"h\"\n";
    check(
        &format!("{}\n{route}", origins(r#""https://a""#)),
        &["route[1 /b].cors = \"h\": must name a declared [cors.NAME]; known: h5"],
    );
    let config = based(&origins(r#""https://a", "https://b""#)).expect("it is good");
    assert!(config.routes.iter().all(|route| route.cors.is_none()));
}

#[test]
fn networks_of_balancers() {
    let with = |mode: &str, trusted: &str| format!("[proxy_protocol]\nmode = \"{mode}\"\ntrusted = {trusted}");
    check(&with("off", "[]"), &[]);
    for mode in ["off", "optional", "required"] {
        check(&with(mode, r#"["10.0.0.0/8", "fd00::/8", "192.0.2.1"]"#), &[]);
    }
    let empty = |mode: &str| {
        let line = "proxy_protocol.trusted = [0 items]: must name a network unless proxy_protocol.mode is \"off\"; \
            else nobody's header is believed";
        check(&with(mode, "[]"), &[line]);
    };
    empty("optional");
    empty("required");
    check(&with("on", "[]"), &[r#"proxy_protocol.mode = "on": must be "off", "optional" or "required""#]);
    check(
        &with("required", r#"["10.0.0.1/8", "lan", 10]"#),
        &[
            "proxy_protocol.trusted[0] = \"10.0.0.1/8\": must have zeros behind its first 8 bits: 10.0.0.0/8; \
                the network of your balancers",
            "proxy_protocol.trusted[1] = \"lan\": must be ADDRESS/BITS, such as 10.0.0.0/8 or fd00::/8; \
                the network of your balancers",
            "proxy_protocol.trusted[2] = 10: must be text in quotes",
        ],
    );
    let networks = |count: usize| format!("[{}]", vec![r#""10.0.0.0/8""#; count].join(","));
    check(&with("required", &networks(bounds::PROXY_NETWORKS_MAX)), &[]);
    assert!(based(&with("required", &networks(bounds::PROXY_NETWORKS_MAX + 1))).is_err());
}

#[test]
fn knobs_that_depend_on_each_other() {
    check("[server]\nhead_bytes_max = 4096\ntarget_bytes_max = 4095", &[]);
    check(
        "[server]\nhead_bytes_max = 4096\ntarget_bytes_max = 4096",
        &["server.target_bytes_max = 4096: must be less than server.head_bytes_max; the target is a part of the head"],
    );
    check(
        "[server]\nhead_bytes_max = 0",
        &["server.head_bytes_max = 0: must be a size 1KiB..=16383B, such as \"8KiB\"; \
         a head must fit one receive buffer of 16KiB, and phones send 1.2KiB"],
    );
    check("[server]\nconnections_max = 9\nin_flight_max = 9", &[]);
    check(
        "[server]\nconnections_max = 9\nin_flight_max = 10",
        &["server.in_flight_max = 10: must be at most server.connections_max; \
         most clients wait for one answer at a time; raise that, or lower this"],
    );
    check(
        "[server]\nrequest_timeout = \"1s\"",
        &[
            "wechat.timeout = \"3s\": must be at most server.request_timeout; else requests end before this wait does",
            "database.timeout = \"2s\": must be at most server.request_timeout; else requests end before this wait does",
        ],
    );
    check(
        "[token]\naccess_life = \"2h\"\nrefresh_life = \"2h\"\nsession_idle = \"7199s\"",
        &[
            "token.refresh_life = \"2h\": must be more than token.access_life; a session must outlive its tokens, and a token its leeway",
            "token.session_idle = \"7199s\": must be at least token.access_life; a session must outlive its tokens, and a token its leeway",
        ],
    );
    check(
        "[token]\naccess_life = \"1m\"\nleeway = \"60s\"",
        &[
            "token.leeway = \"60s\": must be less than token.access_life; a session must outlive its tokens, and a token its leeway",
        ],
    );
    let apart = &["ops.listen: must have a port apart from server.listen"];
    check("[server]\nlisten = \"127.0.0.1:9464\"", apart);
    check("[server]\nlisten = \"0.0.0.0:9464\"", apart);
    check("[server]\nlisten = \"10.0.0.1:9464\"", &[]);
}

#[test]
fn codings_are_known_and_decoded_bodies_short() {
    let coding = "must be \"br\", \"zstd\" or \"gzip\"";
    check("[compression]\ncodings = []", &[]);
    check("[compression]\ncodings = [\"gzip\"]\nbytes_min = \"48KiB\"", &[]);
    check("[compression]\ncodings = [\"deflate\"]", &[&format!("compression.codings[0] = \"deflate\": {coding}")]);
    let packed = |rest: &str| {
        let head = "[[route]]\npath = \"/b\"\nmethod = \"POST\"\nauth = \"none\"\naction = { respond = {} }";
        format!("{head}\n{rest}")
    };
    check(&packed("request_encoding = [\"gzip\", \"br\", \"zstd\"]\nbody_bytes_max = \"4MiB\""), &[]);
    check(&packed("request_encoding = [\"x\"]"), &[&format!("route[1 /b].request_encoding[0] = \"x\": {coding}")]);
    check(
        &packed("request_encoding = [\"gzip\"]\nbody_bytes_max = \"4097KiB\""),
        &[
            "route[1 /b].request_encoding = [1 items]: must not be given where body_bytes_max is above 4 MiB; a body is decoded in one go, while others wait",
        ],
    );
    check(&packed("request_encoding = []\nbody_bytes_max = \"5MiB\""), &[]);
}

#[test]
fn sections_of_the_wrong_shape() {
    let check = |text: &str, expect: &str| {
        let lines = load_here(text).expect_err(text);
        assert!(lines.iter().any(|line| line == expect), "{text}: {lines:#?}");
    };
    check("server = 1", "server = 1: must be a table; write [server]");
    check("query = 1", "query = 1: must be a table");
    check("[query]\na = 1", "query.a = 1: must be a table");
    check("app = 1", "app = 1: must be a list of at most 64");
    check("app = [1]", "app[0] = 1: must be a table");
    check("sever = 1", "sever: unknown key; did you mean server?");
    check(
        "zzzzzzzz = 1",
        "zzzzzzzz: unknown key; known: server, http2, proxy_protocol, tls, redirect, overload, ops, log, wechat, app, token, limiter, cache, compression, database, query, transaction, cors, route",
    );
    check("", "app: must be given at least once; write [[app]] with appid and secret of the mini-program");
    check("", "route: must be given at least once; write [[route]] with path, method, auth and action");
    check(
        "\"a\\nb\" = 1",
        "a\\nb: unknown key; known: server, http2, proxy_protocol, tls, redirect, overload, ops, log, wechat, app, token, limiter, cache, compression, database, query, transaction, cors, route",
    );
}

#[test]
fn secrets_come_from_variables_and_files_and_are_never_shown() {
    let app = |secret: &str| format!("[[app]]\nappid = \"wx2\"\nsecret = {secret}");
    let revealed = |secret: &str| based(&app(secret)).map(|config| config.apps[1].secret.reveal().to_owned());
    assert_eq!(revealed("\"${WX_SECRET}\""), Ok("wx-secret".to_owned()));
    assert_eq!(revealed("\"file:/run/secrets/wx\""), Ok("from-file".to_owned()));
    assert_eq!(
        revealed("\"file:/nowhere\""),
        Err(vec![
            "app[1].secret = ***: cannot read /nowhere: no such file; give a file that this user may read".to_owned(),
        ])
    );
    assert_eq!(revealed("12345"), Err(vec!["app[1].secret = ***: must be text in quotes".to_owned()]));
    let key = |bytes: usize| based(&format!("[[token.key]]\nkid = \"l\"\nsecret = \"{}\"", "a".repeat(bytes)));
    assert!(key(32).is_ok() && key(33).is_ok() && key(1023).is_ok() && key(1024).is_ok());
    for bytes in [0, 31, 1025] {
        assert_eq!(
            key(bytes).err(),
            Some(vec![format!(
                "token.key[1].secret = ***: must be 32..=1024 bytes, is {bytes}; \
             give it as \"${{VARIABLE}}\" or \"file:/run/secrets/NAME\""
            )])
        );
    }
    let config = accepted(BASE);
    assert!(!format!("{config:?}").contains("0123456789abcdef"), "debug output hides secrets");
    check(
        "[database]\nprimary = \"mysql://shop:pass:wo@rd@10.0.0.5/shop\"",
        &["database.primary = \"mysql://***@10.0.0.5/shop\": must be sqlite://PATH or sqlite::memory:; \
         sqlite://shop.db is relative to the working directory, sqlite:///var/lib/shop.db is absolute"],
    );
}

#[test]
fn a_variable_cannot_change_the_shape_of_the_file() {
    let config = based("[query.sly]\nsql = \"SELECT 1 /*${SLY}*/\"\nrows = \"one\"").expect("it is one long comment");
    assert_eq!(config.ops.listen.to_string(), "127.0.0.1:9464");
    assert!(config.queries["sly"].sql.contains("#${WX_SECRET}*/"), "not expanded again");
    check(
        "[log]\naccess = \"${SLY}\"",
        &[
            "log.access = \"x\\\"\\n[ops]\\nlisten = \\\"0.0.0.0:1\\\"\\n#${WX_SECRET}\": must be \"off\", \"stdout\" or \"file:/PATH\"",
        ],
    );
}

#[test]
fn names_that_are_given_twice() {
    check("[[app]]\nappid = \"wx1\"\nsecret = \"t\"", &["app[1].appid = \"wx1\": must not be given twice"]);
    check(
        "[[app]]\nappid = \"wx 1\"\nsecret = \"t\"",
        &["app[1].appid = \"wx 1\": must be the AppID of a mini-program; such as wx4f4bc4dec97d474b"],
    );
    check(
        &format!("[[token.key]]\nkid = \"k\"\nsecret = \"{}\"", "a".repeat(32)),
        &["token.key[1].kid = \"k\": must not be given twice"],
    );
}

#[test]
fn queries() {
    let query = |rest: &str| format!("[query.q]\n{rest}");
    let refused = |rest: &str, expect: &[&str]| check(&query(rest), expect);
    refused("sql = \"SELECT 1\"\nrows = \"one\"", &[]);
    refused("", &["query.q.rows: must be given", "query.q.sql: must be given"]);
    refused(
        "sql = \"DELETE FROM t\"\nrows = \"one\"",
        &["query.q.sql = \"DELETE FROM t\": must begin with SELECT or WITH or VALUES"],
    );
    refused(
        "sql = \"SELECT :ID\"\nrows = \"one\"\nparams = { id = \"path:u64\" }",
        &["query.q.sql = \"SELECT :ID\": must use declared parameters only, not :ID; did you mean id?"],
    );
    refused(
        "sql = \"SELECT ':id'\"\nrows = \"one\"\nparams = { id = \"path:u64\" }",
        &["query.q.params.id: must be used; write :id in sql or drop it"],
    );
    refused(
        "sql = \"SELECT :id\"\nrows = \"one\"\nparams = { id = \"path:u16\" }",
        &["query.q.params.id = \"path:u16\": must be SOURCE:TYPE, such as \"path:u64\", \"query:u32(1..=1000)=1\", \
         \"body.productId:u64\" or \"token\"; \
         sources are path, query, body, token and token:appid; types are u32, u64, i32, i64, f64, bool and string(1..=64)"],
    );
    let rows = "query.q.rows = \"two\": must be \"one\", { many = ROWS } or { paged = { size = 20, size_max = 100, page_max = 1000 } }; \
                how many rows make the answer";
    refused("sql = \"SELECT 1\"\nrows = \"two\"", &[rows]);
    for (many, fits) in [(0, false), (1, true), (2, true), (9_999, true), (10_000, true), (10_001, false)] {
        assert_eq!(based(&query(&format!("sql = \"SELECT 1\"\nrows = {{ many = {many} }}"))).is_ok(), fits, "{many}");
    }
    check(
        "[query.\"a b\"]\nsql = \"SELECT 1\"\nrows = \"one\"",
        &["query.a b: must be 1..=64 letters, digits, _, - or ."],
    );
}

#[test]
fn paged_queries() {
    let paged = |sql: &str, paged: &str, rest: &str| {
        format!("[query.q]\nsql = \"{sql}\"\nrows = {{ paged = {{ {paged} }} }}\n{rest}")
    };
    let sql = "SELECT 1 LIMIT :limit OFFSET :offset";
    let sizes = "size = 20, size_max = 100, page_max = 1000";
    check(&paged(sql, sizes, ""), &[]);
    check(
        &paged("SELECT 1 LIMIT :limit", sizes, ""),
        &[
            "query.q.sql = \"SELECT 1 LIMIT :limit\": must use :offset; end a paged query with LIMIT :limit OFFSET :offset",
        ],
    );
    check(
        &paged(sql, "size = 20, size_max = 19, page_max = 1000", ""),
        &["query.q.rows.paged.size = 20: must be at most query.q.rows.paged.size_max"],
    );
    check(
        &paged(sql, "size = 0, size_max = 1001, page_max = 1000001", ""),
        &[
            "query.q.rows.paged.size = 0: must be 1..=1000; an answer is built in memory whole",
            "query.q.rows.paged.size_max = 1001: must be 1..=1000; an answer is built in memory whole",
            "query.q.rows.paged.page_max = 1000001: must be 1..=1000000; the database reads and drops all rows before a page",
        ],
    );
    check(&paged(sql, "size = 1, size_max = 1000, page_max = 1000000", ""), &[]);
    check(
        &paged("SELECT :n LIMIT :limit OFFSET :offset", sizes, "params = { n = \"query.page:u32\" }"),
        &["query.q.params.n: must not be declared; a paged query makes limit, offset, page and page_size itself"],
    );
    check(
        &paged(sql, sizes, "cache = { key = \"q:{page}\", ttl = \"2s\" }"),
        &[
            "query.q.cache.key = \"q:{page}\": must contain {page_size}; else one request is given another request's rows",
        ],
    );
    check(
        &paged(sql, sizes, "cache = { key = \"q:{page}:{page_size}\", ttl = \"2s\", negative = \"1s\" }"),
        &["query.q.cache.negative = \"1s\": must be left out here; only rows = \"one\" can find no row"],
    );
}

#[test]
fn cache_rules() {
    let cached = |cache: &str| {
        format!(
            "[query.q]\nsql = \"SELECT :a, :me\"\nrows = \"one\"\nparams = {{ a = \"query:u32\", me = \"token\" }}\ncache = {{ {cache} }}"
        )
    };
    let refused = |cache: &str, expect: &[&str]| check(&cached(cache), expect);
    refused("key = \"q:{a}:{me}\", ttl = \"1s\", jitter = \"1s\", negative = \"1h\"", &[]);
    refused(
        "key = \"q:{a}\", ttl = \"1s\"",
        &["query.q.cache.key = \"q:{a}\": must contain {me}; else one user is given another user's rows"],
    );
    refused(
        "key = \"q:{me}\", ttl = \"1s\"",
        &["query.q.cache.key = \"q:{me}\": must contain {a}; else one request is given another request's rows"],
    );
    refused(
        "key = \"q:{a}:{you}\", ttl = \"1s\"",
        &["query.q.cache.key = \"q:{a}:{you}\": must name declared parameters, not {you}; known: a, me"],
    );
    refused(
        "key = \"q:{a}{me}\", ttl = \"1s\"",
        &["query.q.cache.key = \"q:{a}{me}\": must part its parameters; write {a}:{b}"],
    );
    for key in ["", "{a}:{me}", "q{a}:{me}", "q:{a}:{me", "q:{a}:{me}}", "q:{a}:*{me}", "q: {a}:{me}"] {
        refused(
            &format!("key = \"{key}\", ttl = \"1s\""),
            &[&format!(
                "query.q.cache.key = \"{key}\": must be a key such as \"product:{{id}}\"; text that ends with :, then parameters in braces, no *"
            )],
        );
    }
    for key in ["product:{a}:{me}", "product:x:{a}:{me}"] {
        let space = key.split('{').next().unwrap_or_default();
        refused(
            &format!("key = \"{key}\", ttl = \"1s\""),
            &[&format!(
                "query.q.cache.key = \"{space}\": must begin with a text of its own, apart from query.product.cache.key; \
             else one query is given another query's rows"
            )],
        );
    }
    refused("key = \"products:{a}:{me}\", ttl = \"1s\"", &[]);
    let key = "key = \"q:{a}:{me}\"";
    for (rule, fits) in [
        ("ttl = \"99ms\"", false),
        ("ttl = \"100ms\"", true),
        ("ttl = \"101ms\"", true),
        ("ttl = \"30d\"", true),
        ("ttl = \"2592000001ms\"", false),
        ("ttl = \"1s\", jitter = \"1001ms\"", false),
        ("ttl = \"1s\", negative = \"1h\"", true),
        ("ttl = \"2d\", jitter = \"1d\"", true),
        ("ttl = \"2d\", jitter = \"86400001ms\"", false),
        ("ttl = \"1s\", negative = \"3600001ms\"", false),
        ("jitter = \"0s\"", false),
    ] {
        assert_eq!(based(&cached(&format!("{key}, {rule}"))).is_ok(), fits, "{rule}");
    }
}

#[test]
fn transactions() {
    let transaction = |rest: &str| format!("[transaction.t]\n{rest}");
    let refused = |rest: &str, expect: &[&str]| check(&transaction(rest), expect);
    refused("steps = [{ sql = \"DELETE FROM t\" }]", &[]);
    refused("", &["transaction.t.steps: must be given at least once; write steps = [{ sql = \"…\" }]"]);
    refused(
        "steps = [{ sql = \"PRAGMA x\" }, { sql = \"UPDATE t SET a = :b\" }]",
        &[
            "transaction.t.steps[0].sql = \"PRAGMA x\": must begin with INSERT or UPDATE or DELETE or REPLACE or SELECT or WITH",
            "transaction.t.steps[1].sql = \"UPDATE t SET a = :b\": must use declared parameters only, not :b; none is declared",
        ],
    );
    refused(
        "params = { a = \"token\" }\nsteps = [{ sql = \"DELETE FROM t\" }]",
        &["transaction.t.params.a: must be used; write :a in a step or drop it"],
    );
    let beside = "affected = 1, else = \"out_of_stock\": so many rows, or a 409 of that name";
    refused(
        "steps = [{ sql = \"DELETE FROM t\", affected = 1 }]",
        &[&format!("transaction.t.steps[0].affected = 1: must stand beside else; {beside}")],
    );
    refused(
        "steps = [{ sql = \"DELETE FROM t\", else = \"gone\" }]",
        &[&format!("transaction.t.steps[0].else = \"gone\": must stand beside affected; {beside}")],
    );
    refused(
        "steps = [{ sql = \"SELECT 1\", answers = true }, { sql = \"SELECT 1\", answers = true }]",
        &["transaction.t.steps[1].answers = true: must be true in one step only; a transaction has one answer"],
    );
    refused(
        "steps = [{ sql = \"SELECT 1\" }]\nidempotency = \"on\"",
        &[
            "transaction.t.idempotency = \"on\": must be \"off\", \"optional\" or \"required\"; whether a client sends idempotency-key",
        ],
    );
    for (steps, fits) in [(1, true), (31, true), (32, true), (33, false)] {
        let steps = vec!["{ sql = \"SELECT 1\" }"; steps].join(", ");
        assert_eq!(based(&transaction(&format!("steps = [{steps}]"))).is_ok(), fits);
    }
}

#[test]
fn invalidations_name_what_is_cached() {
    let invalidating = |key: &str| {
        format!(
            "[transaction.t]\nparams = {{ p = \"body:u64\" }}\nsteps = [{{ sql = \"SELECT :p\" }}]\ninvalidates = [\"{key}\"]"
        )
    };
    let refused = |key: &str, expect: &[&str]| check(&invalidating(key), expect);
    refused("product:{p}", &[]);
    refused("product:*", &[]);
    let unknown = "must be what a query caches under; did you mean product:?";
    refused("prodct:{p}", &[&format!("transaction.t.invalidates[0] = \"prodct:{{p}}\": {unknown}")]);
    refused("prodct:*", &[&format!("transaction.t.invalidates[0] = \"prodct:*\": {unknown}")]);
    refused("product:{p}:x", &[&format!("transaction.t.invalidates[0] = \"product:{{p}}:x\": {unknown}")]);
    refused(
        "product:{p}:*",
        &["transaction.t.invalidates[0] = \"product:{p}:*\": must be literal text before its star; \
         a star clears a whole key space, such as \"products:*\""],
    );
    refused(
        "product:{q}",
        &["transaction.t.invalidates[0] = \"product:{q}\": must name declared parameters, not {q}; known: p"],
    );
}

#[test]
fn routes() {
    let route = |path: &str, method: &str, auth: &str, rest: &str| {
        format!(
            "[query.mine]\nsql = \"SELECT :me, :n\"\nrows = \"one\"\nparams = {{ me = \"token\", n = \"body:u32\" }}\n\
             [transaction.keyed]\nsteps = [{{ sql = \"SELECT 1\" }}]\nidempotency = \"required\"\n\
             [transaction.foreign]\nparams = {{ n = \"body:u32\" }}\nsteps = [{{ sql = \"SELECT :n\" }}]\n\
             [[route]]\npath = \"{path}\"\nmethod = {method}\nauth = \"{auth}\"\n{rest}"
        )
    };
    let product = "action = { query = \"product\" }";
    check(&route("/a/{id}", "[\"GET\", \"POST\"]", "none", product), &[]);
    check(
        &route("/a/{pid}", "\"GET\"", "none", product),
        &["route[1 /a/{pid}].path = \"/a/{pid}\": must contain {id}; parameter id comes from it"],
    );
    let two = "action = { query = \"two\" }\n\
        [query.two]\nsql = \"SELECT :a, :b\"\nrows = \"one\"\nparams = { a = \"path:u32\", b = \"path:u32\" }";
    check(
        &route("/a/{pid}", "\"GET\"", "none", two),
        &[
            "route[1 /a/{pid}].path = \"/a/{pid}\": must contain {a}; parameter a comes from it",
            "route[1 /a/{pid}].path = \"/a/{pid}\": must contain {b}; parameter b comes from it",
        ],
    );
    check(
        &route("/{shop}/{id}", "\"GET\"", "none", product),
        &["route[1 /{shop}/{id}].path = \"/{shop}/{id}\": must not contain {shop}, which the action does not use; \
         else every value of it gives the same answer"],
    );
    check(
        &route("/a", "\"GET\"", "none", "action = { query = \"mine\" }"),
        &[
            "route[1 /a].auth = \"none\": must be \"token\"; parameter me comes from the token",
            "route[1 /a].method = \"GET\": must be POST, PUT or PATCH; parameter n comes from the body",
        ],
    );
    check(
        &route("/a", "\"GET\"", "none", "action = { transaction = \"keyed\" }"),
        &[
            "route[1 /a].method = \"GET\": must be POST, PUT, PATCH or DELETE; caches and prefetchers repeat a GET",
            "route[1 /a].auth = \"none\": must be \"token\"; idempotency keys of keyed are kept per user",
        ],
    );
    check(
        &route("/a", "\"POST\"", "none", "action = { login = { on_login = \"foreign\" } }"),
        &[
            "route[1 /a].action.login.on_login = \"foreign\": must name a transaction whose parameters all come from the token; \
         n has another source",
        ],
    );
    check(
        &route("/a", "\"POST\"", "none", "action = { login = { on_login = \"kyed\" } }"),
        &["route[1 /a].action.login.on_login = \"kyed\": must name a declared one; did you mean keyed?"],
    );
    check(
        &route("/a", "\"POST\"", "none", "action = { login = {}, logout = {} }"),
        &[
            "route[1 /a].action = { login, logout }: must be a table with one key, the kind of action; such as { query = \"product\" }",
        ],
    );
    check(
        &route("/ping", "[\"POST\", \"GET\"]", "none", "action = { respond = {} }"),
        &[
            "route[1 /ping].path = \"/ping\": must not repeat GET of route[0]; drop one of them, or give them different methods",
        ],
    );
    check(
        &route("/b", "[]", "none", "action = { respond = {} }"),
        &[
            "route[1 /b].method = [0 items]: must be one or a list of GET, POST, PUT, PATCH, DELETE, OPTIONS; GET answers HEAD as well",
        ],
    );
    check(
        &route("/b", "\"GET\"", "none", "action = { respond = {} }\nbody_bytes_max = \"65MiB\""),
        &[
            "route[1 /b].body_bytes_max = \"65MiB\": must be a size 0..=64MiB, such as \"8KiB\"; a body is held in memory whole",
        ],
    );
}

#[test]
fn limits_of_routes() {
    let limited = |auth: &str, limit: &str| {
        format!("[[route]]\npath = \"/a\"\nmethod = \"GET\"\nauth = \"{auth}\"\naction = {{ respond = {{}} }}\n{limit}")
    };
    let counts = |auth: &str, limit: &str| {
        let config = based(&limited(auth, limit)).unwrap_or_else(|lines| panic!("{lines:?}"));
        let count = |rates: &[crate::core::config::checked::Rate]| {
            rates.iter().map(|rate| rate.count.get()).collect::<Vec<_>>()
        };
        (count(&config.routes[1].openid_limits), count(&config.routes[1].ip_limits))
    };
    assert_eq!(counts("token", ""), (vec![60], vec![]), "the default of the limiter");
    assert_eq!(counts("none", ""), (vec![], vec![]));
    assert_eq!(counts("token", "limit = []"), (vec![], vec![]));
    assert_eq!(counts("token", "limit = [\"ip 1/s\", \"openid 2/s\", \"openid 3/min\"]"), (vec![2, 3], vec![1]));
    assert_eq!(counts("token", "limit = []\n[limiter]\nopenid = \"off\""), (vec![], vec![]));
    check(
        &limited("none", "limit = [\"openid 1/s\"]"),
        &["route[1 /a].limit[0] = \"openid 1/s\": must not limit by openid here; only auth = \"token\" knows one"],
    );
    check(
        &limited("none", "limit = [\"device 1/s\", \"ip\", \"ip 1/day\"]"),
        &[
            "route[1 /a].limit[0] = \"device 1/s\": must be \"openid RATE\" or \"ip RATE\"; such as \"openid 60/min burst 20\"",
            "route[1 /a].limit[1] = \"ip\": must be \"openid RATE\" or \"ip RATE\"; such as \"openid 60/min burst 20\"",
            "route[1 /a].limit[2] = \"ip 1/day\": must be a rate of at most 1000000 such as \"60/min burst 20\" or \"100/s\"; \
         units are s, min and h",
        ],
    );
    let many = |count: usize| format!("limit = [{}]", vec!["\"ip 1/s\""; count].join(", "));
    assert!(based(&limited("none", &many(3))).is_ok() && based(&limited("none", &many(4))).is_ok());
    check(
        &limited("none", &many(5)),
        &["route[1 /a].limit[4] = \"ip 1/s\": must be one of at most 4 by ip; each is a probe per request"],
    );
}

#[test]
fn lists_are_bounded() {
    let check = |max: usize, one: &dyn Fn(usize) -> String, whole: &dyn Fn(&str) -> String| {
        for (count, fits) in [(max - 1, true), (max, true), (max + 1, false)] {
            let list: Vec<String> = (0..count).map(one).collect();
            let got = based(&whole(&list.join("")));
            assert_eq!(got.is_ok(), fits, "{count}: {:?}", got.err());
        }
    };
    let as_is = |list: &str| list.to_owned();
    // One of each stands in `BASE`.
    check(bounds::APPS_MAX - 1, &|n| format!("[[app]]\nappid = \"a{n}\"\nsecret = \"s\"\n"), &as_is);
    let key = |n| format!("[[token.key]]\nkid = \"l{n}\"\nsecret = \"{}\"\n", "a".repeat(32));
    check(bounds::TOKEN_KEYS_MAX - 1, &key, &as_is);
    let route =
        |n| format!("[[route]]\npath = \"/r{n}\"\nmethod = \"GET\"\nauth = \"none\"\naction = {{ logout = {{}} }}\n");
    check(bounds::ROUTES_MAX - 1, &route, &as_is);
    let select = |list: &str| {
        format!("[query.q]\nrows = \"one\"\nsql = \"SELECT 1{}\"\n[query.q.params]\n{list}", {
            list.lines().map(|line| format!(", :{}", line.split(' ').next().unwrap_or_default())).collect::<String>()
        })
    };
    check(bounds::PARAMS_MAX, &|n| format!("p{n} = \"query:u32\"\n"), &select);
    let clearing = |list: &str| format!("[transaction.t]\nsteps = [{{ sql = \"SELECT 1\" }}]\ninvalidates = [{list}]");
    check(bounds::INVALIDATIONS_MAX, &|_| "\"product:*\", ".to_owned(), &clearing);
}

#[test]
fn a_route_is_what_was_written() {
    let config = accepted(DEFAULTS);
    let route = &config.routes[5];
    assert_eq!(
        (route.path.as_str(), route.methods.as_slice(), route.auth),
        ("/api/v1/orders", &[Method::Post][..], Auth::Token)
    );
    assert_eq!((route.body_bytes_max, route.action.kind.as_str()), (4096, "transaction"));
    let files: BTreeMap<&str, usize> =
        config.routes.iter().map(|route| (route.path.as_str(), route.body_bytes_max)).collect();
    assert_eq!(files["/ping"], config.server.body_bytes_max);
}

/// Mistakes are one line each, whatever the file holds.
fn never_panics(text: &str) {
    for line in load_here(text).err().unwrap_or_default() {
        assert!(!line.contains(['\n', '\r', '\x1b']), "{line:?}");
    }
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "(\\[{0,2}[a-z.]{0,9}\\]{0,2}|[a-z_]{1,9} = [0-9\"\\[{}',:$.a-z\\]]{0,12}|.{0,20}|\n){0,12}") {
        never_panics(&text);
    }

    #[test]
    fn a_changed_default_file_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\\PC\n]{0,6}"), 1..4),
    ) {
        let mut text: Vec<char> = DEFAULTS.chars().collect();
        for (at, removed, inserted) in changes {
            let from = at.index(text.len());
            let to = (from + removed).min(text.len());
            text.splice(from..to, inserted.chars());
        }
        never_panics(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_changed_value_never_panics(at in any::<prop::sample::Index>(), value in "\"[^\"\\\\\n]{0,30}\"|-?[0-9]{1,18}|\\[\\]|\\{\\}|true|[0-9]\\.[0-9]|\\[\"[a-z:{}*]{0,9}\"\\]") {
        let lines: Vec<&str> = DEFAULTS.lines().filter(|line| !line.starts_with('#')).collect();
        let at = at.index(lines.len());
        let change = |(index, line): (usize, &&str)| match line.split_once(" = ") {
            Some((key, _)) if index == at => format!("{key} = {value}"),
            _ => (*line).to_owned(),
        };
        let text: Vec<String> = lines.iter().enumerate().map(change).collect();
        never_panics(&text.join("\n"));
    }
}

/// The knobs of the doors, and what they ask of each other.
#[test]
fn doors_are_checked() {
    let check = |text: &str, expect: &[&str]| {
        let lines = based(text).err().unwrap_or_default();
        assert_eq!(lines, expect, "{text}");
    };
    let certificate = "[[tls.certificate]]\nchain = \"/c.pem\"\nkey = \"/k.pem\"";
    check(&format!("[tls]\nlisten = \"0.0.0.0:8443\"\n{certificate}"), &[]);
    check(
        "[tls]\nlisten = \"0.0.0.0:8443\"",
        &["tls.certificate: must be given at least once; write [[tls.certificate]] with chain and key"],
    );
    check(
        "[server]\nlisten = \"off\"",
        &["server.listen: must not be \"off\" together with tls.listen; else nobody can come in"],
    );
    check(&format!("[server]\nlisten = \"off\"\n[tls]\nlisten = \"0.0.0.0:8443\"\n{certificate}"), &[]);
    check(
        &format!("[tls]\nlisten = \"0.0.0.0:8080\"\n{certificate}\n[redirect]\nlisten = \"127.0.0.1:8080\""),
        &[
            "tls.listen: must have a port apart from server.listen",
            "redirect.listen: must have a port apart from server.listen",
        ],
    );
    check(
        "[tls]\nclient_certificates = \"required\"",
        &["tls.client_ca = \"off\": must be an absolute path; it says who may sign certificates of clients"],
    );
    check(
        "[tls]\nclient_ca = \"/ca.pem\"",
        &["tls.client_ca = \"/ca.pem\": must be \"off\" while tls.client_certificates is; nobody is asked for one"],
    );
    check(
        "[tls]\nclient_crl = \"/crl.pem\"",
        &[
            "tls.client_crl = \"/crl.pem\": must be \"off\" while tls.client_ca is; it revokes what that authority has signed",
        ],
    );
    check(
        "[tls]\nclient_crl = \"crl.pem\"",
        &["tls.client_crl = \"crl.pem\": must be an absolute path; such as \"/etc/tidegate/tls/fullchain.pem\""],
    );
    check(
        "[tls]\nalpn = []",
        &["tls.alpn = [0 items]: must be a list of \"h2\" and \"http/1.1\"; such as [\"http/1.1\"]"],
    );
    check("[tls]\nalpn = [\"h3\"]", &["tls.alpn[0] = \"h3\": must be \"h2\" or \"http/1.1\""]);
    check("[tls]\nalpn = [\"h2\"]", &[]);
    check(
        "[http2]\nenabled = false\n[tls]\nalpn = [\"h2\"]",
        &["tls.alpn: must hold \"http/1.1\" while http2.enabled is false; else nothing is offered"],
    );
    let route = "[[route]]\npath = \"/x\"\nmethod = \"GET\"\nauth = \"none\"\nclient_certificate = \"required\"\naction = { respond = {} }";
    check(
        route,
        &["route[1 /x].client_certificate: must be \"off\" while tls.listen is; nobody can show one in the clear"],
    );
    check(
        &format!("{route}\n[tls]\nlisten = \"0.0.0.0:8443\"\n{certificate}"),
        &["route[1 /x].client_certificate: must be \"off\" while tls.client_certificates is; \
             clients are asked for one by tls.client_certificates = \"optional\" or \"required\""],
    );
    let hosts = |host: &str, expect: &[&str]| check(&format!("[redirect]\nhost = \"{host}\""), expect);
    hosts("shop.example", &[]);
    let refused = |host: &str| {
        format!(
            "redirect.host = \"{host}\": must be \"same\" or a host name; \"same\" is the host that the client asked for"
        )
    };
    for host in ["", "https://shop.example", "shop.example:443", "shop..example", "-shop", "a/b", "a b"] {
        hosts(host, &[&refused(host)]);
    }
}
