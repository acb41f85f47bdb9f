//! Sessions against a model, at their bounds, and a hundred thousand at once.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::core::bounds::SESSION_KEY_BYTES_MAX;

const IDLE: Duration = Duration::from_secs(1000);

fn sessions(count_max: usize) -> Sessions {
    Sessions::new(count_max, IDLE, RandomState::with_seeds(1, 2, 3, 4))
}

fn user(number: u64) -> OpenId {
    OpenId::new(&format!("openid-{number}"))
}

fn seconds(seconds: u64) -> Tick {
    Tick::default().after(Duration::from_secs(seconds))
}

fn login(sessions: &mut Sessions, openid: &OpenId, session: u128, now: Tick) -> Opened {
    let key = SessionKey::new(&format!("key-{session}")).unwrap();
    sessions.open(Login { openid, appid: &AppId::new("wx"), session: SessionId(session), key }, now)
}

#[test]
fn a_session_is_found_by_its_user_only() {
    let mut table = sessions(10);
    assert_eq!(login(&mut table, &user(1), 7, seconds(1)), Opened::Fits);
    let view = table.find(&user(1), SessionId(7), seconds(2)).unwrap();
    assert_eq!((view.appid.as_str(), view.keys.current.reveal(), view.created), ("wx", "key-7", seconds(1)));
    assert_eq!(table.find(&user(2), SessionId(7), seconds(2)), None);
    assert_eq!(table.find(&user(1), SessionId(8), seconds(2)), None);
    assert!(!table.close(&user(2), SessionId(7)));
    assert!(table.close(&user(1), SessionId(7)));
    assert!(!table.close(&user(1), SessionId(7)));
    assert!(table.is_empty());
}

#[test]
fn a_new_login_brings_the_key_of_all_the_users_sessions() {
    let mut table = sessions(10);
    login(&mut table, &user(1), 1, seconds(0));
    assert_eq!(table.find(&user(1), SessionId(1), seconds(0)).unwrap().keys.previous, None);
    login(&mut table, &user(1), 2, seconds(1));
    login(&mut table, &user(2), 3, seconds(1));
    let keys = table.find(&user(1), SessionId(1), seconds(2)).unwrap().keys;
    assert_eq!(keys.current.reveal(), "key-2");
    assert_eq!(keys.previous.as_ref().map(SessionKey::reveal), Some("key-1"));
    let same = SessionKey::new("key-2").unwrap();
    let again = Login { openid: &user(1), appid: &AppId::new("wx"), session: SessionId(4), key: same };
    table.open(again, seconds(3));
    let keys = table.find(&user(1), SessionId(4), seconds(3)).unwrap().keys;
    assert_eq!(
        keys.previous.as_ref().map(SessionKey::reveal),
        Some("key-1"),
        "the same key does not push out the previous"
    );
}

#[test]
fn the_ninth_login_displaces_the_users_idlest_session() {
    let mut table = sessions(100);
    for session in 0..8 {
        assert_eq!(login(&mut table, &user(1), session, seconds(session as u64)), Opened::Fits);
    }
    assert!(table.find(&user(1), SessionId(0), seconds(8)).is_some());
    assert_eq!(login(&mut table, &user(1), 8, seconds(9)), Opened::DisplacedOwn(SessionId(1)));
    assert_eq!(table.len(), USER_SESSIONS_MAX);
    assert_eq!(table.find(&user(1), SessionId(1), seconds(9)), None);
    let mut closed = table.close_all(&user(1));
    closed.sort_unstable();
    assert_eq!(closed, [0, 2, 3, 4, 5, 6, 7, 8].map(SessionId));
    assert!(table.is_empty() && table.close_all(&user(1)).is_empty());
}

#[test]
fn a_full_table_evicts_whoever_was_idle_longest() {
    let mut table = sessions(3);
    for number in 1..=3 {
        assert_eq!(login(&mut table, &user(number), number.into(), seconds(number)), Opened::Fits);
    }
    assert!(table.find(&user(1), SessionId(1), seconds(4)).is_some());
    assert_eq!(login(&mut table, &user(4), 4, seconds(5)), Opened::EvictedIdle(SessionId(2)));
    assert_eq!(table.len(), 3);
    assert_eq!(table.rotate(&user(2), SessionId(2), 0, seconds(5)), Rotation::Unknown);
    assert_eq!(table.rotate(&user(1), SessionId(1), 0, seconds(5)), Rotation::Fresh(1));
}

#[test]
fn idleness_ends_a_session_to_the_nanosecond() {
    let check = |wait: Duration, alive: bool| {
        let mut table = sessions(3);
        login(&mut table, &user(1), 1, seconds(0));
        assert_eq!(table.find(&user(1), SessionId(1), Tick::default().after(wait)).is_some(), alive, "{wait:?}");
        assert_eq!(table.len(), usize::from(alive));
    };
    check(IDLE - Duration::from_nanos(1), true);
    check(IDLE, false);
    check(IDLE + Duration::from_nanos(1), false);
}

#[test]
fn logins_sweep_out_what_has_ended() {
    let mut table = sessions(100);
    for number in 0..10 {
        login(&mut table, &user(number), number.into(), seconds(number));
    }
    login(&mut table, &user(50), 50, seconds(1005));
    login(&mut table, &user(51), 51, seconds(1005));
    login(&mut table, &user(52), 52, seconds(1005));
    assert_eq!(table.len(), 10 - 6 + 3);
    table.expire(seconds(1005), 100);
    assert_eq!(table.len(), 4 + 3, "six had ended, four had not");
}

#[test]
fn the_previous_refresh_token_works_as_long_as_the_grace() {
    let check = |wait: Duration, expected: Rotation| {
        let mut table = sessions(3);
        login(&mut table, &user(1), 1, seconds(0));
        assert_eq!(table.rotate(&user(1), SessionId(1), 0, seconds(60)), Rotation::Fresh(1));
        let now = seconds(60).after(wait);
        assert_eq!(table.rotate(&user(1), SessionId(1), 0, now), expected, "{wait:?}");
        let alive = expected != Rotation::Reused;
        assert_eq!(table.find(&user(1), SessionId(1), now).is_some(), alive);
    };
    check(Duration::ZERO, Rotation::Repeat(1));
    check(REFRESH_GRACE - Duration::from_nanos(1), Rotation::Repeat(1));
    check(REFRESH_GRACE, Rotation::Repeat(1));
    check(REFRESH_GRACE + Duration::from_nanos(1), Rotation::Reused);
}

#[test]
fn an_older_generation_is_reuse_even_within_the_grace() {
    let mut table = sessions(3);
    login(&mut table, &user(1), 1, seconds(0));
    assert_eq!(table.rotate(&user(1), SessionId(1), 1, seconds(1)), Rotation::Unknown);
    assert_eq!(table.rotate(&user(1), SessionId(1), 0, seconds(1)), Rotation::Fresh(1));
    assert_eq!(table.rotate(&user(1), SessionId(1), 1, seconds(2)), Rotation::Fresh(2));
    assert_eq!(table.rotate(&user(1), SessionId(1), 0, seconds(2)), Rotation::Reused);
    assert_eq!(table.rotate(&user(1), SessionId(1), 2, seconds(2)), Rotation::Unknown);
}

#[test]
fn session_keys_are_bounded_and_never_shown() {
    let check = |len: usize, ok: bool| assert_eq!(SessionKey::new(&"k".repeat(len)).is_some(), ok, "{len}");
    check(0, false);
    check(1, true);
    check(SESSION_KEY_BYTES_MAX, true);
    check(SESSION_KEY_BYTES_MAX + 1, false);
    let keys = SessionKeys { current: SessionKey::new("tiihtNczf5v6AKRyjwEUhQ==").unwrap(), previous: None };
    assert!(!format!("{keys:?}").contains("tiih"));
}

#[test]
fn a_hundred_thousand_sessions_are_held_and_closed() {
    let mut table = sessions(100_000);
    for number in 0..100_000 {
        assert_eq!(login(&mut table, &user(number / 2), number.into(), seconds(number / 1000)), Opened::Fits);
    }
    assert_eq!(login(&mut table, &user(100_000), 100_000, seconds(100)), Opened::EvictedIdle(SessionId(0)));
    assert_eq!(table.len(), 100_000);
    for number in 1..=50_000 {
        let other = if number == 50_000 { 0 } else { number };
        assert_eq!(table.close_all(&user(other)).len(), if other == 0 { 1 } else { 2 });
    }
    assert_eq!((table.len(), table.users.len()), (1, 1));
    assert!(
        size_of::<Session>() <= 80 && size_of::<User>() <= 144,
        "the module's bill: {} {}",
        size_of::<Session>(),
        size_of::<User>()
    );
}

/// What the table should know of one session.
#[derive(Clone, Copy)]
struct Known {
    generation: u64,
    rotated: u64,
    used: u64,
}

proptest! {
    #[test]
    fn rotations_follow_the_model(steps in prop::collection::vec((0u8..6, 0u64..3, 0u64..3, 0u64..12), 0..200)) {
        let mut table = sessions(1000);
        let mut model: HashMap<u64, Known> = HashMap::new();
        let mut now = 0;
        for (step, number, back, wait) in steps {
            now += wait;
            let (openid, session, tick) = (user(number), SessionId(number.into()), seconds(now));
            model.retain(|_, known| now - known.used < IDLE.as_secs());
            match (step, model.get_mut(&number)) {
                (0, None) => {
                    login(&mut table, &openid, number.into(), tick);
                    model.insert(number, Known { generation: 0, rotated: now, used: now });
                }
                (1, known) => {
                    prop_assert_eq!(table.close(&openid, session), known.is_some());
                    model.remove(&number);
                }
                (_, None) => prop_assert_eq!(table.rotate(&openid, session, back, tick), Rotation::Unknown),
                (_, Some(known)) => {
                    let presented = known.generation.saturating_sub(back);
                    let age = known.generation - presented;
                    let expected = match age {
                        0 => Rotation::Fresh(known.generation + 1),
                        1 if now - known.rotated <= REFRESH_GRACE.as_secs() => Rotation::Repeat(known.generation),
                        _ => Rotation::Reused,
                    };
                    prop_assert_eq!(table.rotate(&openid, session, presented, tick), expected);
                    known.used = now;
                    match expected {
                        Rotation::Fresh(generation) => (known.generation, known.rotated) = (generation, now),
                        Rotation::Reused => drop(model.remove(&number)),
                        Rotation::Repeat(_) | Rotation::Unknown => {}
                    }
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }
    }

    #[test]
    fn bounds_hold_whatever_comes(steps in prop::collection::vec((0u64..6, 0u8..3), 0..300)) {
        let mut table = sessions(20);
        for (number, (of, step)) in steps.into_iter().enumerate() {
            match step {
                0 | 1 => drop(login(&mut table, &user(of), number as u128, seconds(number as u64))),
                _ => drop(table.close_all(&user(of))),
            }
            prop_assert!(table.len() <= 20);
            let users: usize = table.users.iter().map(|user| user.sessions.len()).sum();
            prop_assert_eq!(users, table.len());
            prop_assert!(table.users.iter().all(|user| (1..=USER_SESSIONS_MAX).contains(&user.sessions.len())));
        }
    }
}
