//! One exchange per code, whatever the order of retries, answers and evictions.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::bounds::LOGIN_CODES_MAX;

const END: Tick = Tick(LOGIN_CODE_KEEP.as_nanos() as u64);

fn key(code: &str) -> CodeKey {
    CodeHasher::new(&[7; 32]).key(&AppId::new("wx"), code)
}

fn outcome(session: u128) -> LoginOutcome {
    LoginOutcome { openid: OpenId::new("o"), session: SessionId(session) }
}

#[test]
fn keys_depend_on_secret_app_and_code() {
    let (one, other) = (CodeHasher::new(&[1; 32]), CodeHasher::new(&[2; 32]));
    let (wx, wxa) = (AppId::new("wx"), AppId::new("wxa"));
    assert_eq!(one.key(&wx, "abc"), one.key(&wx, "abc"));
    assert_ne!(one.key(&wx, "abc"), other.key(&wx, "abc"));
    assert_ne!(one.key(&wx, "abc"), one.key(&wx, "abd"));
    assert_ne!(one.key(&wx, "abc"), one.key(&wxa, "bc"));
}

#[test]
fn a_retry_joins_and_then_knows() {
    let mut codes = LoginCodes::new(LOGIN_CODES_MAX);
    assert_eq!(codes.begin(key("a"), 1, Tick(0)), Begun::Exchange(1));
    assert_eq!(codes.begin(key("a"), 2, Tick(1)), Begun::Joined);
    assert_eq!(codes.begin(key("b"), 3, Tick(1)), Begun::Exchange(3));
    assert_eq!(codes.finish(key("a"), Some(outcome(9)), Tick(0)), [2]);
    assert_eq!(codes.finish(key("a"), None, Tick(0)), [0; 0]);
    assert_eq!(codes.begin(key("a"), 4, Tick(END.0 - 1)), Begun::Known(4, outcome(9)));
    assert_eq!(codes.begin(key("a"), 5, END), Begun::Exchange(5));
}

#[test]
fn a_failure_is_told_and_not_kept() {
    let mut codes = LoginCodes::new(4);
    assert_eq!(codes.begin(key("a"), 1, Tick(0)), Begun::Exchange(1));
    assert_eq!(codes.begin(key("a"), 2, Tick(0)), Begun::Joined);
    assert_eq!(codes.finish(key("a"), None, Tick(0)), [2]);
    assert!(codes.is_empty());
    assert_eq!(codes.begin(key("a"), 3, Tick(0)), Begun::Exchange(3));
}

#[test]
fn an_unknown_code_has_no_waiters() {
    let mut codes: LoginCodes<()> = LoginCodes::new(4);
    assert_eq!(codes.finish(key("a"), Some(outcome(1)), Tick(0)), []);
    assert!(codes.is_empty());
}

#[test]
fn waiters_are_bounded() {
    let mut codes = LoginCodes::new(4);
    assert_eq!(codes.begin(key("a"), 0, Tick(0)), Begun::Exchange(0));
    for waiter in 1..=LOGIN_WAITERS_MAX {
        assert_eq!(codes.begin(key("a"), waiter, Tick(0)), Begun::Joined);
    }
    assert_eq!(codes.begin(key("a"), 99, Tick(0)), Begun::Full(99));
    assert_eq!(codes.finish(key("a"), None, Tick(0)).len(), LOGIN_WAITERS_MAX);
}

#[test]
fn a_full_table_forgets_outcomes_and_never_exchanges() {
    let mut codes = LoginCodes::new(3);
    for (at, code) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(codes.begin(key(code), 0, Tick(at as u64)), Begun::Exchange(0));
    }
    assert_eq!(codes.begin(key("d"), 4, Tick(3)), Begun::Full(4));
    codes.finish(key("b"), Some(outcome(2)), Tick(4));
    codes.finish(key("a"), Some(outcome(1)), Tick(5));
    assert_eq!(codes.begin(key("d"), 4, Tick(6)), Begun::Exchange(4));
    assert_eq!(codes.len(), 3);
    assert_eq!(codes.begin(key("a"), 0, Tick(6)), Begun::Known(0, outcome(1)));
    assert_eq!(codes.begin(key("b"), 0, Tick(6)), Begun::Exchange(0), "the oldest outcome had to go, then the other");
    assert_eq!(codes.begin(key("e"), 5, Tick(6)), Begun::Full(5));
}

#[test]
fn outcomes_leave_when_they_have_ended() {
    let mut codes = LoginCodes::new(1000);
    for number in 0..100 {
        codes.begin(key(&number.to_string()), 0, Tick(number));
        codes.finish(key(&number.to_string()), Some(outcome(1)), Tick(number));
    }
    codes.expire(Tick(END.0 + 49), 1000);
    assert_eq!(codes.len(), 50);
}

#[derive(Clone, Copy, PartialEq)]
enum Model {
    InFlight { waiters: usize },
    Done { until: u64 },
}

proptest! {
    /// Small enough to fill up and to expire: an exchange begins only when none runs and no outcome is known.
    #[test]
    fn never_a_second_exchange(steps in prop::collection::vec((0u8..4, 0u8..7, 0u64..120), 0..300)) {
        let mut codes = LoginCodes::new(5);
        let mut model: HashMap<u8, Model> = HashMap::new();
        let mut now = 0;
        for (step, code, wait) in steps {
            now += Duration::from_secs(wait).as_nanos() as u64;
            let (name, tick) = (key(&code.to_string()), Tick(now));
            let known = model.get(&code).copied().filter(|state| !matches!(state, Model::Done { until } if *until <= now));
            match (step, known) {
                (0 | 1, _) => match (codes.begin(name, (), tick), known) {
                    (Begun::Exchange(()), Some(Model::InFlight { .. })) => prop_assert!(false, "two exchanges run"),
                    // An outcome may have made room for another code, but only when the table was full.
                    (Begun::Exchange(()), _) => drop(model.insert(code, Model::InFlight { waiters: 0 })),
                    (Begun::Joined, Some(Model::InFlight { waiters })) => {
                        model.insert(code, Model::InFlight { waiters: waiters + 1 });
                    }
                    (Begun::Known((), _), Some(Model::Done { .. })) => {}
                    (Begun::Full(()), Some(Model::InFlight { waiters })) => prop_assert_eq!(waiters, LOGIN_WAITERS_MAX),
                    (Begun::Full(()), None | Some(Model::Done { .. })) => {
                        let in_flight = model.values().filter(|state| matches!(state, Model::InFlight { .. })).count();
                        prop_assert_eq!(in_flight, 5, "full only of exchanges");
                    }
                    (other, _) => prop_assert!(false, "{:?}", other),
                },
                (_, Some(Model::InFlight { waiters })) => {
                    let done = (step == 2).then(|| outcome(1));
                    prop_assert_eq!(codes.finish(name, done, tick).len(), waiters);
                    match step {
                        2 => drop(model.insert(code, Model::Done { until: now + END.0 })),
                        _ => drop(model.remove(&code)),
                    }
                }
                (_, None | Some(Model::Done { .. })) => prop_assert!(codes.finish(name, None, tick).is_empty()),
            }
            prop_assert!(codes.len() <= 5);
        }
    }

    /// With room for all, nothing known is ever forgotten.
    #[test]
    fn with_room_every_outcome_is_kept(steps in prop::collection::vec((0u8..10, 0u64..40), 0..300)) {
        let mut codes = LoginCodes::new(10);
        let mut until: HashMap<u8, u64> = HashMap::new();
        let mut now = 0;
        for (code, wait) in steps {
            now += Duration::from_secs(wait).as_nanos() as u64;
            let (name, tick) = (key(&code.to_string()), Tick(now));
            let kept = until.get(&code).is_some_and(|&end| now < end);
            match codes.begin(name, (), tick) {
                Begun::Exchange(_) => {
                    prop_assert!(!kept);
                    codes.finish(name, Some(outcome(code.into())), tick);
                    until.insert(code, now + END.0);
                }
                Begun::Known(_, known) => prop_assert!(kept && known == outcome(code.into())),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
