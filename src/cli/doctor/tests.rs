//! Each check on both sides of its border, and the report as a person reads it.

use super::*;
use crate::net::probe::{RingRefusal, RingSupport, Step};

fn plan() -> Plan {
    Plan {
        doors: vec![
            ("server.listen", "0.0.0.0:8443".parse().expect("an address")),
            ("ops.listen", "127.0.0.1:9100".parse().expect("an address")),
        ],
        shards: Some(2),
        connections_max: 10_000,
    }
}

fn healthy() -> Facts {
    Facts {
        kernel: "6.1.0-13-amd64".into(),
        ring: Ok(RingSupport { sq_entries: 8, cq_entries: 16 }),
        io_uring_disabled: Some(0),
        memlock: Limit { soft: MEMLOCK_BYTES_LEAST, hard: MEMLOCK_BYTES_LEAST },
        nofile: Limit { soft: 21_024, hard: 21_024 },
        cpus_allowed: 2,
        cpus_online: 4,
        cpu_quota_millis: None,
        somaxconn: Some(SOMAXCONN_LEAST),
        ports: vec![("server.listen", plan().doors[0].1, PortState::Free)],
    }
}

/// What one check says, after `change` was made to a healthy host; the others must not notice.
fn check(name: &str, change: impl Fn(&mut Facts, &mut Plan), verdict: Verdict, words: &str) {
    let (mut facts, mut plan) = (healthy(), plan());
    change(&mut facts, &mut plan);
    for finding in examine(&facts, &plan) {
        let expect = if finding.check == name { verdict } else { Verdict::Ok };
        assert_eq!(finding.verdict, expect, "{finding:?}");
        assert_eq!(finding.cure.is_some(), finding.verdict != Verdict::Ok, "{finding:?}");
        if finding.check == name {
            let text = format!("{} {}", finding.what, finding.cure.unwrap_or_default());
            assert!(text.contains(words), "{words:?} in {text:?}");
        }
    }
}

#[test]
fn a_healthy_host_has_nothing_to_mend() {
    let findings = examine(&healthy(), &plan());
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
    assert_eq!(exit_code(&findings), 0);
}

#[test]
fn kernels_before_6_1_are_bad() {
    let kernel = |release: &str, verdict, words: &str| {
        check("kernel", |facts, _| facts.kernel = release.into(), verdict, words);
    };
    kernel("6.0.19", Verdict::Bad, "boot Linux 6.1");
    kernel("6.1.0", Verdict::Ok, "6.1.0");
    kernel("6.1", Verdict::Ok, "6.1");
    kernel("5.15.0-91-generic", Verdict::Bad, "5.15.0");
    kernel("7.0.1", Verdict::Ok, "7.0.1");
    kernel("", Verdict::Warn, "uname -r");
}

#[test]
fn a_refused_ring_says_who_refuses() {
    let refusal = RingRefusal { step: Step::Setup, errno: libc::EPERM };
    check("io_uring", |facts, _| facts.ring = Err(refusal), Verdict::Bad, "seccomp");
    let by_sysctl = |facts: &mut Facts, _: &mut Plan| {
        facts.ring = Err(refusal);
        facts.io_uring_disabled = Some(2);
    };
    check("io_uring", by_sysctl, Verdict::Bad, "kernel.io_uring_disabled = 2");
    check("io_uring", |facts, _| facts.io_uring_disabled = Some(1), Verdict::Ok, "ring of our own");
}

#[test]
fn too_little_lockable_memory_is_bad() {
    let memlock = |soft, verdict, words: &str| {
        check("memory lock limit", |facts, _| facts.memlock.soft = soft, verdict, words);
    };
    memlock(MEMLOCK_BYTES_LEAST - 1, Verdict::Bad, "LimitMEMLOCK=infinity");
    memlock(MEMLOCK_BYTES_LEAST, Verdict::Ok, "524288 bytes");
    memlock(Limit::UNLIMITED, Verdict::Ok, "unlimited");
}

#[test]
fn descriptors_must_suffice_for_all_connections() {
    let nofile = |soft, verdict, words: &str| {
        check("file descriptors", |facts, _| facts.nofile.soft = soft, verdict, words);
    };
    nofile(21_025, Verdict::Ok, "21024 are needed");
    nofile(21_024, Verdict::Ok, "21024 are needed");
    nofile(21_023, Verdict::Warn, "LimitNOFILE=21024");
    nofile(DESCRIPTORS_LEAST, Verdict::Warn, "20000 connections");
    nofile(DESCRIPTORS_LEAST - 1, Verdict::Bad, "ulimit -n 21024");
    nofile(Limit::UNLIMITED, Verdict::Ok, "unlimited");
}

#[test]
fn every_shard_needs_a_cpu() {
    check("CPUs", |_, plan| plan.shards = Some(1), Verdict::Ok, "2 of 4");
    check("CPUs", |_, plan| plan.shards = None, Verdict::Ok, "for 2 shards");
    let three = |facts: &mut Facts, plan: &mut Plan| {
        plan.shards = Some(3);
        facts.nofile.soft = Limit::UNLIMITED;
    };
    check("CPUs", three, Verdict::Bad, "server.shards = 2");
    let none = |facts: &mut Facts, plan: &mut Plan| {
        plan.shards = None;
        facts.cpus_allowed = 0;
    };
    check("CPUs", none, Verdict::Bad, "Cpus_allowed_list");
}

#[test]
fn a_quota_below_the_shards_is_a_warning() {
    let quota = |millis, verdict, words: &str| {
        check("CPU quota", |facts, _| facts.cpu_quota_millis = millis, verdict, words);
    };
    quota(Some(2001), Verdict::Ok, "2.001 CPUs");
    quota(Some(2000), Verdict::Ok, "2.000 CPUs");
    quota(Some(1999), Verdict::Warn, "server.shards = 1");
    quota(Some(500), Verdict::Warn, "0.500 CPUs");
}

#[test]
fn a_short_backlog_is_a_warning() {
    let backlog = |most, verdict, words: &str| {
        check("accept backlog", |facts, _| facts.somaxconn = most, verdict, words);
    };
    backlog(Some(SOMAXCONN_LEAST - 1), Verdict::Warn, "sysctl -w net.core.somaxconn=4096");
    backlog(Some(SOMAXCONN_LEAST), Verdict::Ok, "4096");
    backlog(None, Verdict::Warn, "cannot be read");
}

#[test]
fn ports_must_be_free() {
    let port = |kind, words: &str| {
        let refused = PortState::Refused(kind);
        check("server.listen", |facts, _| facts.ports[0].2 = refused, Verdict::Bad, words);
    };
    port(ErrorKind::AddrInUse, "ss -ltnp 'sport = :8443'");
    port(ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE");
    port(ErrorKind::AddrNotAvailable, "no address of this host");
    port(ErrorKind::Other, "cannot be bound");
}

#[test]
fn the_report_is_aligned_and_counts() {
    let findings = [ok("kernel", "Linux 6.1"), bad("server.listen", "in use", "stop it"), warn("CPUs", "few", "more")];
    let expect = "\
ok    kernel         Linux 6.1
BAD   server.listen  in use
                     cure: stop it
warn  CPUs           few
                     cure: more
1 ok, 1 warn, 1 bad
";
    assert_eq!(render(&findings), expect);
    assert_eq!(exit_code(&findings), 1);
    assert_eq!(exit_code(&findings[2..]), 0, "a warning is no failure");
}

#[test]
fn this_host_can_be_read() {
    let mut report = Vec::new();
    let code = run(&plan(), &mut report).expect("memory can be written");
    let report = String::from_utf8(report).expect("text");
    assert_eq!(code == 1, report.contains("\nBAD "), "{report}");
    for check in ["kernel", "io_uring", "CPUs", "server.listen", "ops.listen"] {
        assert!(report.contains(check), "{report}");
    }
}
