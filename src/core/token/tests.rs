//! Tokens as an attacker, a clock and a full table see them.

use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::access::{self, Caller};
use super::keys::KeyRing;
use super::memory::TokenMemory;
use super::revoked::Revocations;
use super::{Subject, refresh};
use crate::core::bounds::{OPENID_BYTES_MAX, REVOKED_SESSIONS_MAX, TOKEN_BYTES_MAX};
use crate::core::config::checked::{Secret, TokenKey, TokenPolicy};
use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;

const OLD: &str = "an older secret of thirty-two bytes!";
const NEW: &str = "a newer secret of thirty-two bytes!!";
const NOW: UnixSeconds = UnixSeconds(1_763_000_000);
const LIFE: u64 = 7200;
const LEEWAY: u64 = 5;

fn policy(keys: &[(&str, &str)]) -> TokenPolicy {
    TokenPolicy {
        keys: keys.iter().map(|(kid, secret)| TokenKey { kid: (*kid).into(), secret: Secret::new(secret) }).collect(),
        access_life: Duration::from_secs(LIFE),
        refresh_life: Duration::from_secs(30 * 86_400),
        leeway: Duration::from_secs(LEEWAY),
        remembered_max: 100,
        sessions_max: 100,
        session_idle: Duration::from_secs(86_400),
    }
}

fn ring() -> KeyRing {
    KeyRing::new(&policy(&[("new", NEW), ("old", OLD)]))
}

fn openid() -> OpenId {
    OpenId::new("oGZUI0egBJY1zhBYw2KhdUfwVJJE")
}

fn minted(ring: &KeyRing) -> String {
    let (openid, appid) = (openid(), AppId::new("wx4f4bc4dec97d474b"));
    access::mint(ring, Subject { openid: &openid, appid: &appid, session: SessionId(7) }, NOW).unwrap()
}

fn claims() -> Value {
    json!({"sub": "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "app": "wx4f4bc4dec97d474b", "sid": SessionId(7).to_hex(),
           "iat": NOW.0, "exp": NOW.0 + LIFE, "typ": "access"})
}

/// Claims signed under a head of the attacker's choice with a key of ours.
fn signed(head: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(head), part(claims));
    let key = EncodingKey::from_secret(NEW.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn head() -> Value {
    json!({"alg": "HS256", "kid": "new"})
}

fn with(mut base: Value, key: &str, value: Value) -> Value {
    base[key] = value;
    base
}

fn without(mut base: Value, key: &str) -> Value {
    base.as_object_mut().unwrap().remove(key);
    base
}

#[test]
fn a_minted_token_names_its_caller() {
    let caller = access::verify(&ring(), minted(&ring()).as_bytes(), NOW).unwrap();
    assert_eq!(
        caller,
        Caller {
            openid: openid(),
            appid: AppId::new("wx4f4bc4dec97d474b"),
            session: SessionId(7),
            issued: NOW,
            expires: UnixSeconds(NOW.0 + LIFE + LEEWAY),
        }
    );
    assert!(access::verify(&ring(), signed(&head(), &claims()).as_bytes(), NOW).is_ok());
}

#[test]
fn the_first_key_signs_and_every_key_verifies() {
    let old = minted(&KeyRing::new(&policy(&[("old", OLD)])));
    assert!(access::verify(&ring(), old.as_bytes(), NOW).is_ok());
    let new = minted(&ring());
    let only_old = KeyRing::new(&policy(&[("old", OLD)]));
    assert_eq!(access::verify(&only_old, new.as_bytes(), NOW), Err(Fault::TokenInvalid));
    let other_issuer = minted(&KeyRing::new(&policy(&[("new", "some other secret of 32 bytes or so")])));
    assert_eq!(access::verify(&ring(), other_issuer.as_bytes(), NOW), Err(Fault::TokenInvalid));
    let kid_swapped = minted(&KeyRing::new(&policy(&[("old", NEW)])));
    assert_eq!(access::verify(&ring(), kid_swapped.as_bytes(), NOW), Err(Fault::TokenInvalid));
}

#[test]
fn forged_heads_and_claims_are_invalid() {
    let none = json!({"alg": "none", "kid": "new"});
    let unsigned = signed(&none, &claims());
    let unsigned = unsigned.rsplit_once('.').unwrap().0;
    let cases = [
        ("none, signed", signed(&none, &claims())),
        ("none, empty signature", format!("{unsigned}.")),
        ("none, no signature", unsigned.to_owned()),
        ("alg None", signed(&with(head(), "alg", json!("None")), &claims())),
        ("alg HS384", signed(&with(head(), "alg", json!("HS384")), &claims())),
        ("alg RS256", signed(&with(head(), "alg", json!("RS256")), &claims())),
        ("alg hs256", signed(&with(head(), "alg", json!("hs256")), &claims())),
        ("no alg", signed(&without(head(), "alg"), &claims())),
        ("alg number", signed(&with(head(), "alg", json!(256)), &claims())),
        ("wrong kid", signed(&with(head(), "kid", json!("newer")), &claims())),
        ("other kid", signed(&with(head(), "kid", json!("old")), &claims())),
        ("empty kid", signed(&with(head(), "kid", json!("")), &claims())),
        ("no kid", signed(&without(head(), "kid"), &claims())),
        ("kid null", signed(&with(head(), "kid", Value::Null), &claims())),
        ("kid path", signed(&with(head(), "kid", json!("../../dev/null")), &claims())),
        ("kid sql", signed(&with(head(), "kid", json!("new' OR '1'='1")), &claims())),
        ("kid list", signed(&with(head(), "kid", json!(["new"])), &claims())),
        ("crit", signed(&with(head(), "crit", json!(["b64"])), &claims())),
        ("head no object", signed(&json!("HS256"), &claims())),
        ("no exp", signed(&head(), &without(claims(), "exp"))),
        ("exp text", signed(&head(), &with(claims(), "exp", json!("9999999999")))),
        ("exp float", signed(&head(), &with(claims(), "exp", json!(9_999_999_999.5)))),
        ("exp negative", signed(&head(), &with(claims(), "exp", json!(-1)))),
        ("no iat", signed(&head(), &without(claims(), "iat"))),
        ("nbf ahead", signed(&head(), &with(claims(), "nbf", json!(NOW.0 + LEEWAY + 1)))),
        ("nbf text", signed(&head(), &with(claims(), "nbf", json!("0")))),
        ("no sub", signed(&head(), &without(claims(), "sub"))),
        ("empty sub", signed(&head(), &with(claims(), "sub", json!("")))),
        ("long sub", signed(&head(), &with(claims(), "sub", json!("o".repeat(OPENID_BYTES_MAX + 1))))),
        ("no sid", signed(&head(), &without(claims(), "sid"))),
        ("sid upper case", signed(&head(), &with(claims(), "sid", json!("0000000000000000000000000000000A")))),
        ("sid short", signed(&head(), &with(claims(), "sid", json!("7")))),
        ("no typ", signed(&head(), &without(claims(), "typ"))),
        ("gen in access", signed(&head(), &with(claims(), "gen", json!(1)))),
        ("no gen in refresh", signed(&head(), &with(claims(), "typ", json!("refresh")))),
        ("typ other", signed(&head(), &with(claims(), "typ", json!("admin")))),
        ("claims no object", signed(&head(), &json!([1, 2]))),
    ];
    for (name, token) in cases {
        assert_eq!(access::verify(&ring(), token.as_bytes(), NOW), Err(Fault::TokenInvalid), "{name}: {token}");
        assert_eq!(refresh::verify(&ring(), token.as_bytes(), NOW), Err(Fault::RefreshInvalid), "{name}: {token}");
    }
}

#[test]
fn an_algorithm_of_the_same_family_does_not_pass() {
    let mut header = Header::new(Algorithm::HS384);
    header.kid = Some("new".into());
    let token = encode(&header, &claims(), &EncodingKey::from_secret(NEW.as_bytes())).unwrap();
    assert_eq!(access::verify(&ring(), token.as_bytes(), NOW), Err(Fault::TokenInvalid));
}

#[test]
fn broken_texts_are_invalid() {
    let token = minted(&ring());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(with(claims(), "sub", json!("somebody-else")).to_string());
    let check = |text: &[u8]| {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(access::verify(&ring(), text, NOW), Err(Fault::TokenInvalid), "{shown}");
    };
    check(b"");
    check(b".");
    check(b"..");
    check(b"...");
    check(format!("{head}.{other}.{signature}").as_bytes());
    check(format!("{head}.{payload}").as_bytes());
    check(format!("{token}.").as_bytes());
    check(format!(".{token}").as_bytes());
    check(format!("{token}.{signature}").as_bytes());
    check(format!("{head}..{payload}.{signature}").as_bytes());
    check(format!("{token}=").as_bytes());
    check(format!("{head}=.{payload}.{signature}").as_bytes());
    check(format!(" {token}").as_bytes());
    check(format!("{token} ").as_bytes());
    check(format!("{token}\n").as_bytes());
    check(token.replace('.', " .").as_bytes());
    check(&[token.as_bytes(), &[0xff]].concat());
    check(&[&[0xff, 0xfe], token.as_bytes()].concat());
    check(&vec![b'a'; TOKEN_BYTES_MAX + 1]);
    check(&vec![b'.'; 1 << 20]);
    for len in 0..token.len() {
        check(&token.as_bytes()[..len]);
    }
}

#[test]
fn the_length_is_bounded_to_the_byte() {
    let base = signed(&head(), &with(claims(), "pad", json!(""))).len();
    // Base64 grows by four bytes for three, so some lengths cannot be made; 1,024 is tried from both sides.
    let mut seen = (0, usize::MAX);
    for pad in (TOKEN_BYTES_MAX - base) * 3 / 4 - 8..(TOKEN_BYTES_MAX - base) * 3 / 4 + 8 {
        let token = signed(&head(), &with(claims(), "pad", json!("x".repeat(pad))));
        let accepted = access::verify(&ring(), token.as_bytes(), NOW).is_ok();
        assert_eq!(accepted, token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
        if accepted { seen.0 = seen.0.max(token.len()) } else { seen.1 = seen.1.min(token.len()) }
    }
    assert!(seen.0 + 2 >= TOKEN_BYTES_MAX && seen.1 <= TOKEN_BYTES_MAX + 2, "{seen:?}");
}

#[test]
fn the_largest_token_we_mint_can_be_presented() {
    let ring = KeyRing::new(&policy(&[(&"k".repeat(64), NEW)]));
    let (openid, appid) = (OpenId::new(&"o".repeat(OPENID_BYTES_MAX)), AppId::new(&"a".repeat(64)));
    let subject = Subject { openid: &openid, appid: &appid, session: SessionId(u128::MAX) };
    let token = refresh::mint(&ring, subject, u64::MAX, UnixSeconds(u64::MAX)).unwrap();
    assert!(token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
}

#[test]
fn expiry_counts_from_the_second_after_the_leeway() {
    let token = minted(&ring());
    let check = |now: u64, ok: bool| {
        let expected = if ok { None } else { Some(Fault::TokenExpired) };
        assert_eq!(access::verify(&ring(), token.as_bytes(), UnixSeconds(now)).err(), expected, "{now}");
    };
    check(NOW.0 + LIFE + LEEWAY - 1, true);
    check(NOW.0 + LIFE + LEEWAY, false);
    check(NOW.0 + LIFE + LEEWAY + 1, false);
    check(u64::MAX, false);
    let forever = signed(&head(), &with(claims(), "exp", json!(u64::MAX)));
    assert!(access::verify(&ring(), forever.as_bytes(), NOW).is_ok());
}

#[test]
fn the_future_is_believed_as_far_as_the_leeway() {
    for claim in ["iat", "nbf"] {
        let check = |ahead: u64, ok: bool| {
            let token = signed(&head(), &with(claims(), claim, json!(NOW.0 + ahead)));
            assert_eq!(access::verify(&ring(), token.as_bytes(), NOW).is_ok(), ok, "{claim} {ahead}");
        };
        check(LEEWAY - 1, true);
        check(LEEWAY, true);
        check(LEEWAY + 1, false);
        check(u64::MAX - NOW.0, false);
    }
}

#[test]
fn access_and_refresh_tokens_are_not_exchangeable() {
    let (openid, appid) = (openid(), AppId::new("wx"));
    let subject = Subject { openid: &openid, appid: &appid, session: SessionId(7) };
    let token = refresh::mint(&ring(), subject, 3, NOW).unwrap();
    let grant = refresh::verify(&ring(), token.as_bytes(), NOW).unwrap();
    assert_eq!((grant.session, grant.generation, &grant.openid), (SessionId(7), 3, &openid));
    assert_eq!(access::verify(&ring(), token.as_bytes(), NOW), Err(Fault::TokenInvalid));
    assert_eq!(refresh::verify(&ring(), minted(&ring()).as_bytes(), NOW), Err(Fault::RefreshInvalid));
    let late = UnixSeconds(NOW.0 + 31 * 86_400);
    assert_eq!(refresh::verify(&ring(), token.as_bytes(), late), Err(Fault::RefreshInvalid));
    assert_eq!(access::verify(&ring(), token.as_bytes(), late), Err(Fault::TokenInvalid), "not merely expired");
}

proptest! {
    #[test]
    fn one_changed_byte_is_a_refused_token(at in 0usize..1000, byte: u8) {
        let ring = ring();
        let mut token = minted(&ring).into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        prop_assert_eq!(access::verify(&ring, &token, NOW), Err(Fault::TokenInvalid));
    }

    #[test]
    fn any_openid_survives_its_token(text in "\\PC{1,16}", session: u128) {
        let (ring, openid, appid) = (ring(), OpenId::new(&text), AppId::new("wx\"\\"));
        let subject = Subject { openid: &openid, appid: &appid, session: SessionId(session) };
        let token = access::mint(&ring, subject, NOW).unwrap();
        let caller = access::verify(&ring, token.as_bytes(), NOW).unwrap();
        prop_assert_eq!((caller.openid, caller.appid, caller.session), (openid, appid, SessionId(session)));
    }

    #[test]
    fn any_bytes_are_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(access::verify(&ring(), &bytes, NOW), Err(Fault::TokenInvalid));
    }
}

fn caller(session: u128, expires: u64) -> Arc<Caller> {
    let session = SessionId(session);
    Arc::new(Caller { openid: openid(), appid: AppId::new("wx"), session, issued: NOW, expires: UnixSeconds(expires) })
}

fn memory(count_max: usize) -> TokenMemory {
    TokenMemory::new(count_max, RandomState::with_seeds(1, 2, 3, 4))
}

#[test]
fn a_remembered_token_is_known_by_every_byte() {
    let mut memory = memory(4);
    let token = minted(&ring());
    memory.remember(token.as_bytes(), caller(1, NOW.0 + 10));
    assert_eq!(memory.lookup(token.as_bytes(), NOW).unwrap().session, SessionId(1));
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] ^= 1;
        assert_eq!(memory.lookup(&changed, NOW), None, "byte {at}");
    }
    assert_eq!(memory.lookup(&token.as_bytes()[1..], NOW), None);
    assert_eq!(memory.lookup(b"", NOW), None);
}

#[test]
fn a_remembered_token_ends_with_its_expiry() {
    let mut memory = memory(4);
    memory.remember(b"token", caller(1, NOW.0 + 1));
    assert!(memory.lookup(b"token", NOW).is_some());
    assert_eq!(memory.lookup(b"token", UnixSeconds(NOW.0 + 1)), None);
    assert!(memory.is_empty(), "an ended token leaves when it is seen");
}

#[test]
fn a_full_memory_forgets_the_unused_first() {
    let mut memory = memory(3);
    for (session, token) in [(1, b"one"), (2, b"two"), (3, b"six")] {
        memory.remember(token, caller(session, u64::MAX));
    }
    assert_eq!(memory.len(), 3);
    assert!(memory.lookup(b"one", NOW).is_some() && memory.lookup(b"two", NOW).is_some());
    memory.remember(b"new", caller(4, u64::MAX));
    assert_eq!(memory.len(), 3);
    assert_eq!(memory.lookup(b"six", NOW), None);
    assert!(memory.lookup(b"one", NOW).is_some() && memory.lookup(b"new", NOW).is_some());
}

#[test]
fn a_session_is_known_by_its_newest_token_until_it_is_closed() {
    let mut memory = memory(4);
    memory.remember(b"one", caller(1, u64::MAX));
    memory.remember(b"two", caller(2, u64::MAX));
    memory.remember(b"three", caller(1, u64::MAX));
    assert_eq!((memory.lookup(b"one", NOW), memory.len()), (None, 2));
    assert!(memory.lookup(b"three", NOW).is_some());
    memory.forget_session(SessionId(1));
    memory.forget_session(SessionId(9));
    assert_eq!(memory.lookup(b"three", NOW), None);
    assert!(memory.lookup(b"two", NOW).is_some());
}

proptest! {
    #[test]
    fn a_memory_never_lies_and_never_grows(steps in prop::collection::vec((0u8..4, 0u8..20), 0..300)) {
        let mut memory = memory(5);
        // Session → its newest token. Two tokens share a session.
        let mut newest = std::collections::HashMap::new();
        for (step, number) in steps {
            let token = [b'a' + number; 40];
            let session = u128::from(number / 2);
            match step {
                0 | 1 => {
                    memory.remember(&token, caller(session, NOW.0 + 1 + u64::from(number)));
                    newest.insert(session, token);
                    prop_assert!(memory.lookup(&token, NOW).is_some(), "the newest is never the one forgotten");
                }
                2 => if let Some(found) = memory.lookup(&token, NOW) {
                    prop_assert_eq!(found.session, SessionId(session));
                    prop_assert_eq!(newest.get(&session), Some(&token));
                }
                _ => {
                    memory.forget_session(SessionId(session));
                    newest.remove(&session);
                }
            }
            prop_assert!(memory.len() <= 5 && memory.len() <= newest.len());
        }
    }
}

const UNTIL: UnixSeconds = UnixSeconds(NOW.0 + LIFE + 2 * LEEWAY);

#[test]
fn revocations_hold_until_the_last_token_has_ended() {
    let mut revoked = Revocations::new();
    assert_eq!(ring().last_access_end(NOW), UNTIL);
    assert_eq!(revoked.refuses(&caller(1, UNTIL.0), 0), None);
    revoked.revoke(SessionId(1), 0, UNTIL, NOW);
    assert_eq!(revoked.refuses(&caller(1, UNTIL.0), 0), Some(Fault::SessionRevoked));
    assert_eq!(revoked.refuses(&caller(2, UNTIL.0), 0), None);
    revoked.expire(UnixSeconds(UNTIL.0 - 1));
    assert_eq!(revoked.len(), 1);
    revoked.expire(UNTIL);
    assert!(revoked.is_empty());
}

#[test]
fn a_second_revocation_can_only_prolong() {
    let mut revoked = Revocations::new();
    revoked.revoke(SessionId(1), 0, UNTIL, NOW);
    revoked.revoke(SessionId(1), 0, UnixSeconds(UNTIL.0 + 9), NOW);
    revoked.revoke(SessionId(1), 0, NOW, NOW);
    revoked.expire(UnixSeconds(UNTIL.0 + 8));
    assert_eq!(revoked.refuses(&caller(1, UNTIL.0), 0), Some(Fault::SessionRevoked));
    revoked.expire(UnixSeconds(UNTIL.0 + 9));
    assert!(revoked.is_empty());
}

#[test]
fn a_full_set_raises_the_floor_of_the_slot() {
    let mut revoked = Revocations::new();
    for session in 0..REVOKED_SESSIONS_MAX as u128 {
        revoked.revoke(SessionId(session), 1, UNTIL, NOW);
    }
    let next = REVOKED_SESSIONS_MAX as u128;
    assert_eq!(revoked.refuses(&caller(next - 1, UNTIL.0), 1), Some(Fault::SessionRevoked));
    assert_eq!(revoked.refuses(&caller(next, UNTIL.0), 1), None);
    let later = UnixSeconds(UNTIL.0 + 60);
    revoked.revoke(SessionId(next), 4095, later, NOW);
    assert_eq!(revoked.len(), REVOKED_SESSIONS_MAX);
    let check = |revoked: &Revocations, expires: u64, slot: u16, refused: bool| {
        assert_eq!(revoked.refuses(&caller(next, expires), slot), refused.then_some(Fault::TokenExpired));
    };
    check(&revoked, later.0, 4095, true);
    check(&revoked, later.0 + 1, 4095, false);
    check(&revoked, later.0, 4094, false);
    for _ in 0..REVOKED_SESSIONS_MAX / 64 {
        revoked.expire(UNTIL);
    }
    assert_eq!(revoked.len(), 0);
    check(&revoked, later.0, 4095, true);
    revoked.expire(later);
    check(&revoked, later.0, 4095, false);
    assert!(revoked.is_empty());
}

proptest! {
    #[test]
    fn a_revoked_session_is_refused_as_long_as_a_token_of_it_can_live(
        steps in prop::collection::vec((0u128..20, 0u64..40, 0u64..5), 0..200),
    ) {
        let (mut revoked, mut model, mut now) = (Revocations::new(), std::collections::HashMap::new(), NOW.0);
        for (session, life, pause) in steps {
            now += pause;
            revoked.revoke(SessionId(session), 0, UnixSeconds(now + life), UnixSeconds(now));
            let until = model.entry(session).or_insert(0);
            *until = (*until).max(now + life);
            for (&session, &until) in &model {
                if now < until {
                    prop_assert!(revoked.refuses(&caller(session, until), 0).is_some());
                }
            }
        }
        revoked.expire(UnixSeconds(now + 40));
        prop_assert!(revoked.is_empty());
    }
}
