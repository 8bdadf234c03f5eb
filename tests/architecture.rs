//! The arrows: which module may use which, as data, and a test that fails on any other.
//!
//! A new arrow is a line in `ARROWS`, reviewed with its reason. What is read is what ships: comments,
//! and tests inside `src` (`#[cfg(test)]`, `tests.rs`, `tests/`), are left out.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;

/// Module → what it may use. `a::B` allows that path below `a` alone. A test fails on what nobody uses.
const ARROWS: &[(&str, &[&str])] = &[
    // The nouns and the clock are below everything.
    ("model", &[]),
    ("clock", &[]),
    // Where a test kills the process.
    ("failpoint", &[]),
    ("seal", &["model"]),
    ("bucket", &[]),
    ("config", &["model"]),
    ("telemetry", &["config"]),
    // What touches the outside: WeChat here, the database there, and neither knows the other.
    ("wechat", &["model", "clock"]),
    ("store", &["model"]),
    ("lease", &["store"]),
    // Features: one may use another only where that is said here; none knows who calls it.
    ("keys", &["bucket", "store", "lease", "model"]),
    ("erasure", &["store", "lease", "model"]),
    ("token", &["wechat", "store", "lease", "seal", "model"]),
    ("sync", &["wechat", "store", "lease", "model", "clock", "failpoint"]),
    ("resolve", &["store", "model"]),
    ("login", &["bucket", "resolve", "wechat", "store", "seal", "model"]),
    ("push", &["resolve", "wechat", "store", "model", "clock", "failpoint"]),
    ("inbox", &["wechat", "store", "model"]),
    // The features put together from the configuration.
    (
        "app",
        &[
            "token", "sync", "login", "resolve", "push", "inbox", "erasure", "keys", "wechat",
            "store", "lease", "seal", "config", "model", "clock",
        ],
    ),
    // Looks at what the application stands on, piece by piece, also where it cannot be put together.
    ("doctor", &["app", "token", "wechat", "store", "config", "model", "clock"]),
    // Who calls the application. HTTP never speaks to WeChat; it checks callbacks' signature and cipher.
    (
        "http",
        &[
            "app",
            "token",
            "sync",
            "login",
            "resolve",
            "push",
            "inbox",
            "erasure",
            "keys",
            "store",
            "telemetry",
            "model",
            "clock",
            "wechat::callback",
            // In which words a caller is told what WeChat said.
            "wechat::FailureKind",
            "wechat::Upstream",
        ],
    ),
    // Which runs were interrupted, and whether anybody holds their lease, stands in the database.
    ("scheduler", &["app", "sync", "store", "config", "model", "clock"]),
    // The sandbox answers from WeChat's documents: a wire type shared with the client would agree
    // with the client's own misspelling.
    ("sandbox", &["clock"]),
    (
        "cli",
        &[
            "http",
            "scheduler",
            "sandbox",
            "doctor",
            "app",
            "token",
            "sync",
            "resolve",
            "push",
            "keys",
            "wechat",
            "store",
            "config",
            "telemetry",
            "model",
            "clock",
        ],
    ),
    ("main", &["cli"]),
    // The map: declares the modules and uses none.
    ("lib", &[]),
    // Crates of their own, which cannot see this one.
    ("entity", &[]),
    ("migration", &[]),
];

/// Outside crate (or name) → the modules it is at home in. Everybody else goes through them.
const HOMES: &[(&str, &[&str])] = &[
    ("entity", &["store"]),
    ("migration", &["store"]),
    ("sea_orm", &["store", "entity"]),
    ("sea_orm_migration", &["migration"]),
    ("reqwest", &["wechat"]),
    ("axum", &["http", "sandbox"]),
    ("hyper", &["http", "sandbox"]),
    ("hyper_util", &["http", "sandbox"]),
    ("rlimit", &["http"]),
    ("utoipa", &["http"]),
    ("utoipa_axum", &["http"]),
    ("utoipa_swagger_ui", &["http"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("rustix", &["doctor", "failpoint"]),
    ("tokio_cron_scheduler", &["scheduler"]),
    ("figment", &["config"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    // The command line keeps log lines and its progress bar apart.
    ("tracing_subscriber", &["telemetry", "config", "cli"]),
    ("anyhow", &["cli"]),
    // An HTTP status is HTTP's business, wherever it is imported from.
    ("StatusCode", &["http", "sandbox"]),
];

/// Where our code is; of `src` each first folder or file is a module, the other two are one each.
const SOURCES: &[&str] = &["src", "entity/src", "migration/src"];

#[test]
fn every_arrow_is_an_allowed_one() {
    let refused: Vec<String> = scan::read(SOURCES).iter().filter_map(rules::refuse).collect();
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
}

#[test]
fn every_permission_is_used() {
    let unused = rules::unused(&scan::read(SOURCES));
    assert!(unused.is_empty(), "take these out of the lists:\n{}\n", unused.join("\n"));
}

#[test]
fn no_modules_use_one_another_in_a_circle() {
    let mut arrows = Vec::new();
    for (from, targets) in ARROWS {
        arrows.extend(targets.iter().map(|to| (*from, to.split("::").next().unwrap_or(to))));
    }
    assert_eq!(rules::circle(&arrows), None, "the list itself");

    let uses = scan::read(SOURCES);
    let seen: Vec<_> = uses.iter().filter_map(|found| found.arrow()).collect();
    assert_eq!(rules::circle(&seen), None, "the code");
}

#[test]
fn the_reader_sees_the_code_at_all() {
    let uses = scan::read(SOURCES);
    assert!(uses.iter().any(|found| found.arrow() == Some(("telemetry", "config"))));
    assert!(
        uses.iter().any(|found| found.from == "config" && found.path == ["figment", "Figment"])
    );
}
