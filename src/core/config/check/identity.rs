//! Sections that hold secrets: [[app]], [token] and [[token.key]].
//! Never here: a secret in a complaint.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::core::bounds;
use crate::core::config::check::knobs;
use crate::core::config::checked::{App, TokenKey, TokenPolicy};
use crate::core::config::error::Complaint;
use crate::core::config::expand::Outside;
use crate::core::config::section::{Relation, Section, name, text};
use crate::core::ids::AppId;

pub(super) const APP: &[&str] = &["appid", "secret"];
pub(super) const TOKEN: &[&str] =
    &["access_life", "refresh_life", "leeway", "remembered_max", "sessions_max", "session_idle", "key"];
pub(super) const TOKEN_KEY: &[&str] = &["kid", "secret"];

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

pub(super) fn apps(root: &Section<'_>, outside: &Outside<'_>) -> Vec<App> {
    let mut seen = BTreeSet::new();
    let mut apps = Vec::new();
    for place in root.tables("app", bounds::APPS_MAX) {
        let app = Section::open(place, APP, root.report);
        let id = app.read("appid", String::new(), |value| {
            let id = text(value)?;
            let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if !fits {
                return Err(Complaint::new("must be the AppID of a mini-program", "such as wx4f4bc4dec97d474b"));
            }
            if !seen.insert(id.to_owned()) {
                return Err(Complaint::new("must not be given twice", ""));
            }
            Ok(id.to_owned())
        });
        apps.push(App { id: AppId::new(&id), secret: app.secret("secret", 1, outside) });
    }
    if root.get("app").is_none() {
        let complaint =
            Complaint::new("must be given at least once", "write [[app]] with appid and secret of the mini-program");
        root.report.add("app", None, complaint);
    }
    apps
}

pub(super) fn token(root: &Section<'_>, outside: &Outside<'_>) -> TokenPolicy {
    let section = knobs::open(root, "token", TOKEN);
    let policy = TokenPolicy {
        keys: keys(&section, outside),
        access_life: section.duration("access_life", seconds(60, DAY), "a stolen token works for so long"),
        refresh_life: section.duration("refresh_life", seconds(HOUR, 365 * DAY), "after it the phone logs in again"),
        leeway: section.duration("leeway", seconds(0, 300), "clocks of nodes differ by less"),
        remembered_max: section.count("remembered_max", 1..=10_000_000, "about 200 bytes each, per shard"),
        sessions_max: section.count("sessions_max", 1..=100_000_000, "about 200 bytes each, per node"),
        session_idle: section.duration("session_idle", seconds(60, 365 * DAY), "after it the phone logs in again"),
    };
    let relate = |key, holds, need| {
        let cure = "a session must outlive its tokens, and a token its leeway";
        section.relate(key, "token.access_life", Relation { holds, need, cure });
    };
    relate("refresh_life", policy.refresh_life > policy.access_life, "must be more than");
    relate("session_idle", policy.session_idle >= policy.access_life, "must be at least");
    relate("leeway", policy.leeway < policy.access_life, "must be less than");
    policy
}

fn keys(section: &Section<'_>, outside: &Outside<'_>) -> Vec<TokenKey> {
    let mut seen = BTreeSet::new();
    let mut keys = Vec::new();
    for place in section.tables("key", bounds::TOKEN_KEYS_MAX) {
        let key = Section::open(place, TOKEN_KEY, section.report);
        let kid = key.read("kid", String::new(), |value| {
            let kid = name(text(value)?)?;
            if seen.insert(kid.to_owned()) {
                Ok(kid.to_owned())
            } else {
                Err(Complaint::new("must not be given twice", ""))
            }
        });
        keys.push(TokenKey { kid, secret: key.secret("secret", bounds::TOKEN_SECRET_BYTES_MIN, outside) });
    }
    if keys.is_empty() && !section.report.knows("token.key") {
        let cure = "write [[token.key]] with kid and secret; openssl rand -base64 48 makes one";
        section.report.add("token.key", None, Complaint::new("must be given at least once", cure));
    }
    keys
}

const fn seconds(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}
