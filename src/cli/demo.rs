//! `demo`: the shop on this machine, with everything that it needs in this process.
//! Never here: a special case in the server; the shop is a configuration like any other.

use std::process::ExitCode;
use std::sync::Arc;

use crate::core::config::checked::Config;
use crate::core::config::{ConfigError, Outside, load_with};
use crate::demo::simulator::{Simulator, start};
use crate::net::entropy::random;

use super::args::DemoArgs;
use super::serve::{Serving, serve};
use super::shop::Shop;
use super::signals::Hangup;
use super::simulate::options;
use super::throwaway::Throwaway;
use super::{fail, source};

const DEMO: &str = include_str!("../demo/demo.toml");

pub fn demo(args: &DemoArgs) -> ExitCode {
    let (wechat, _simulator) = match wechat(args) {
        Ok(wechat) => wechat,
        Err(message) => return fail(1, &message),
    };
    let shop = match Shop::open(args.database.as_deref()) {
        Ok(shop) => shop,
        Err(message) => return fail(1, &message),
    };
    let throwaway = match args.tls.then(Throwaway::make).transpose() {
        Ok(throwaway) => throwaway,
        Err(message) => return fail(1, &message),
    };
    match config(args, &wechat, &shop.url(), throwaway.as_ref()) {
        // A demo ends with the terminal that it runs in.
        Ok(config) => serve(Arc::new(config), Hangup::Ends, |serving| greet(serving, &wechat, throwaway.as_ref())),
        Err(errors) => fail(1, &format!("the demo's configuration is not valid:\n{}", source::lines(&errors))),
    }
}

fn wechat(args: &DemoArgs) -> Result<(String, Option<Simulator>), String> {
    if let Some(url) = &args.wechat_url {
        return Ok((url.clone(), None));
    }
    let simulator = start(options(&args.simulator, args.wechat_port))
        .map_err(|error| format!("127.0.0.1:{}: {error}; choose another --wechat-port", args.wechat_port))?;
    Ok((simulator.base_url(), Some(simulator)))
}

fn config(
    args: &DemoArgs,
    wechat: &str,
    database: &str,
    throwaway: Option<&Throwaway>,
) -> Result<Config, Vec<ConfigError>> {
    // New for every run: nobody can keep a token of a demo.
    let token_key: String = random::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    let variable = |name: &str| match name {
        "DEMO_LISTEN" => Some(format!("127.0.0.1:{}", args.port)),
        "DEMO_OPS" => Some(format!("127.0.0.1:{}", args.ops_port)),
        "DEMO_WECHAT" => Some(wechat.to_owned()),
        "DEMO_DB" => Some(database.to_owned()),
        "DEMO_TOKEN_KEY" => Some(token_key.clone()),
        _ => std::env::var(name).ok(),
    };
    let mut overrides = throwaway.map(|files| behind_tls(args.port, files)).unwrap_or_default();
    overrides.extend_from_slice(&args.overrides.set);
    load_with(DEMO, &overrides, &Outside { variable: &variable, file: &|path| std::fs::read_to_string(path) })
}

/// The gateway's port with TLS instead of the plain door.
fn behind_tls(port: u16, files: &Throwaway) -> Vec<String> {
    let (chain, key) = (files.chain(), files.key());
    vec![
        "server.listen=off".into(),
        format!("tls.listen=127.0.0.1:{port}"),
        format!("tls.certificate=[{{ chain = {chain:?}, key = {key:?} }}]"),
    ]
}

fn greet(serving: &Serving, wechat: &str, throwaway: Option<&Throwaway>) {
    let Some(&(_, addr)) = serving.doors.first() else { return };
    let ops = serving.ops_addr;
    let (curl, gateway) = match throwaway {
        None => ("curl -s".to_owned(), format!("http://{addr}")),
        Some(files) => (format!("curl -s --cacert {}", files.chain().display()), format!("https://{addr}")),
    };
    println!(
        r#"listening on {addr}

A mini-program's backend is up: simulated WeChat on {wechat}, metrics and health on http://{ops}.
Try it in another terminal:

  # log in; a code works once, demo-alice.2 is her next one
  {curl} {gateway}/auth/login -H 'content-type: application/json' -d '{{"code":"demo-alice"}}'
  TOKEN=$({curl} {gateway}/auth/login -H 'content-type: application/json' -d '{{"code":"demo-alice.2"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

  # who am I
  {curl} {gateway}/api/v1/me -H "authorization: Bearer $TOKEN"

  # a product, from the shard's cache the second time
  {curl} {gateway}/api/v1/products/7 -H "authorization: Bearer $TOKEN"

  # the second page of the list, two columns of it
  {curl} '{gateway}/api/v1/products?page=2&page_size=20&fields=id,name' -H "authorization: Bearer $TOKEN"

  # an order; sent again with the same key it happens once
  {curl} {gateway}/api/v1/orders -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \
       -H 'idempotency-key: first-order' -d '{{"product_id":7,"quantity":2}}'
  {curl} {gateway}/api/v1/orders -H "authorization: Bearer $TOKEN"

  # what the operator sees
  curl -s http://{ops}/metrics

Ctrl-C ends it."#
    );
}
