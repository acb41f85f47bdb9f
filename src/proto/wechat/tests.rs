//! WeChat's answers and what they mean. Never here: a network.

use proptest::prelude::*;

use super::*;

const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";

fn read(status: u16, body: &str) -> Result<Exchanged, Refusal> {
    read_exchange(status, &mut body.as_bytes().to_vec(), &mut Scratch::new())
}

#[test]
fn the_request_is_what_wechat_documents() {
    let path = |code: &str| exchange_path(&AppId::new("wx4f4bc4dec97d474b"), &Secret::new("s3cret"), code);
    assert_eq!(
        path("0a1B_c-d"),
        "/sns/jscode2session?appid=wx4f4bc4dec97d474b&secret=s3cret&js_code=0a1B_c-d&grant_type=authorization_code"
    );
    assert!(path("x&appid=evil #?/\r\n好").contains("js_code=x%26appid%3Devil%20%23%3F%2F%0D%0A%E5%A5%BD&grant_type="));
}

#[test]
fn a_good_answer_becomes_an_identity() {
    let check = |body: String, unionid: Option<&str>| {
        let exchanged = read(200, &body).unwrap();
        assert_eq!(exchanged.openid.as_str(), OPENID);
        assert_eq!(exchanged.session_key.reveal(), KEY);
        assert_eq!(exchanged.unionid.as_ref().map(OpenId::as_str), unionid);
        assert!(!format!("{exchanged:?}").contains(KEY));
    };
    check(format!(r#"{{"session_key":"{KEY}","openid":"{OPENID}"}}"#), None);
    check(
        format!(r#"{{"errcode":0,"errmsg":"ok","openid":"{OPENID}","session_key":"{KEY}","unionid":"u_1"}}"#),
        Some("u_1"),
    );
}

#[test]
fn an_answer_that_is_not_documented_is_the_backends_fault() {
    let openid_64 = "o".repeat(64);
    assert!(read(200, &format!(r#"{{"session_key":"{KEY}","openid":"{openid_64}"}}"#)).is_ok());
    for body in [
        String::new(),
        "<html>".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"openid":"{OPENID}"}}"#),
        format!(r#"{{"session_key":"{KEY}"}}"#),
        format!(r#"{{"session_key":"{KEY}","openid":""}}"#),
        format!(r#"{{"session_key":"{KEY}","openid":"{openid_64}o"}}"#),
        format!(r#"{{"session_key":"{KEY}","openid":"o' OR 1"}}"#),
        format!(r#"{{"session_key":"{KEY}","openid":7}}"#),
        format!(r#"{{"session_key":"{KEY}","openid":"{OPENID}","unionid":7}}"#),
        format!(r#"{{"session_key":"AAAAAAAAAAAAAAAAAAAA","openid":"{OPENID}"}}"#),
        format!(r#"{{"session_key":"AAAAAAAAAAAAAAAAAAAAAAA=","openid":"{OPENID}"}}"#),
        format!(r#"{{"session_key":"{KEY}{KEY}","openid":"{OPENID}"}}"#),
        format!(r#"{{"errcode":"0","session_key":"{KEY}","openid":"{OPENID}"}}"#),
    ] {
        assert_eq!(read(200, &body), Err(Refusal::plain(refused(200), 200)), "{body}");
    }
    let good = format!(r#"{{"session_key":"{KEY}","openid":"{OPENID}"}}"#);
    assert_eq!(read(302, &good).unwrap_err().fault, refused(302));
    assert_eq!(read(502, &good).unwrap_err().fault, Fault::Busy(Backend::Wechat));
}

#[test]
fn every_code_has_its_fault_and_its_advice() {
    let quota = |secs| Fault::WechatQuota { wait: Duration::from_secs(secs) };
    let mut cases = vec![
        (-1, Fault::Busy(Backend::Wechat)),
        (40226, Fault::UserBlocked),
        (45011, quota(60)),
        (45009, quota(3600)),
        (12345, refused(12345)),
    ];
    cases.extend([40029, 40163, 61010, 41008].map(|code| (code, Fault::LoginCodeInvalid)));
    let operator = [40013, 40125, 41002, 41004, 40164, 61004, 40243, 89503, 89506, 89507, 48001];
    cases.extend(operator.map(|code| (code, refused(code))));
    for (code, fault) in cases {
        let body = format!(r#"{{"errcode":{code},"errmsg":"oops, rid: 6579a1b2-1c2d3e4f-5a6b7c8d"}}"#);
        let refusal = Refusal { fault, code, rid: Some("6579a1b2-1c2d3e4f-5a6b7c8d".into()) };
        assert_eq!(read(200, &body), Err(refusal));
        assert_eq!(advice(code).starts_with("unknown code"), code == 12345, "{code}");
    }
}

#[test]
fn a_rid_is_kept_only_when_well_formed() {
    let rid = |message: &str| {
        let body = serde_json::json!({ "errcode": 40029, "errmsg": message }).to_string();
        read(200, &body).unwrap_err().rid
    };
    assert_eq!(rid("invalid code rid: a-1").as_deref(), Some("a-1"));
    assert_eq!(rid("invalid code, rid:a-1 ").as_deref(), Some("a-1"));
    assert_eq!(rid("invalid code"), None);
    assert_eq!(rid("rid: "), None);
    assert_eq!(rid("rid: a\nlevel=info"), None);
    assert_eq!(rid(&format!("rid: {}", "a".repeat(41))), None);
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(status in 100u16..700, mut body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_exchange(status, &mut body, &mut Scratch::new()).is_err());
    }
}
