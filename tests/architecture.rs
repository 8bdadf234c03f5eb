//! The allowed dependencies between modules ("arrows"), and a test that fails on any other.
//!
//! A new arrow needs a line in `ARROWS`, reviewed with its reason. The test reads only code that ships: it
//! skips comments and the tests inside `src` (`#[cfg(test)]`, `tests.rs`, `tests/`).

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;

/// Module → the modules that it may use. `a::B` allows only that path. Unused permissions fail a test.
const ARROWS: &[(&str, &[&str])] = &[
    // The model and the clock are below everything.
    ("model", &[]),
    ("clock", &[]),
    // Places at which a test kills the process.
    ("failpoint", &[]),
    ("seal", &["model"]),
    ("bucket", &[]),
    ("error_chain", &[]),
    ("config", &["model"]),
    ("telemetry", &["config"]),
    // The external systems: WeChat and the database. Neither module knows the other.
    ("wechat", &["model", "clock"]),
    ("store", &["model"]),
    ("lease", &["store"]),
    // Features. One may use another only as listed here; none knows its callers.
    ("keys", &["bucket", "store", "lease", "model"]),
    ("erasure", &["store", "lease", "model"]),
    ("token", &["wechat", "store", "lease", "seal", "model"]),
    ("sync", &["wechat", "store", "lease", "model", "clock", "error_chain", "failpoint"]),
    ("resolve", &["store", "model"]),
    ("login", &["bucket", "resolve", "wechat", "store", "seal", "model"]),
    ("push", &["resolve", "wechat", "store", "model", "clock", "failpoint"]),
    ("inbox", &["wechat", "store", "model"]),
    // Assembles the features from the configuration.
    (
        "app",
        &[
            "token", "sync", "login", "resolve", "push", "inbox", "erasure", "keys", "wechat",
            "store", "lease", "seal", "config", "model", "clock",
        ],
    ),
    // Checks the parts of the application separately, also if it cannot be assembled.
    ("doctor", &["app", "token", "wechat", "store", "config", "model", "clock", "error_chain"]),
    // The callers of the application. HTTP never calls WeChat, but verifies and decrypts callbacks.
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
            // For error answers that pass on WeChat's errors.
            "wechat::FailureKind",
            "wechat::Upstream",
        ],
    ),
    // Reads interrupted runs and their leases from the database.
    ("scheduler", &["app", "sync", "store", "config", "model", "clock"]),
    // The sandbox follows WeChat's documentation. Sharing wire types with the client would hide the client's
    // misspellings.
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
            "error_chain",
        ],
    ),
    ("main", &["cli"]),
    // Declares the modules and uses none.
    ("lib", &[]),
    // Separate crates, which cannot use this one.
    ("entity", &[]),
    ("migration", &[]),
];

/// External crate (or name) → the only modules that may use it.
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
    // The command line prints log lines above its progress bar.
    ("tracing_subscriber", &["telemetry", "config", "cli"]),
    ("anyhow", &["cli"]),
    // HTTP status codes belong to HTTP, wherever the type is imported from.
    ("StatusCode", &["http", "sandbox"]),
];

/// The folders with our code. In `src`, each top-level folder or file is a module; the others are one module
/// each.
const SOURCES: &[&str] = &["src", "entity/src", "migration/src"];

#[test]
fn every_dependency_is_allowed() {
    let refused: Vec<String> = scan::read(SOURCES).iter().filter_map(rules::refuse).collect();
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
}

#[test]
fn every_allowed_dependency_is_used() {
    let unused = rules::unused(&scan::read(SOURCES));
    assert!(unused.is_empty(), "remove these from the lists:\n{}\n", unused.join("\n"));
}

#[test]
fn modules_have_no_circular_dependencies() {
    let mut arrows = Vec::new();
    for (from, targets) in ARROWS {
        arrows.extend(targets.iter().map(|to| (*from, to.split("::").next().unwrap_or(to))));
    }
    assert_eq!(rules::circle(&arrows), None, "circle in the list");

    let uses = scan::read(SOURCES);
    let seen: Vec<_> = uses.iter().filter_map(|found| found.arrow()).collect();
    assert_eq!(rules::circle(&seen), None, "circle in the code");
}

#[test]
fn the_scanner_finds_known_dependencies() {
    let uses = scan::read(SOURCES);
    assert!(uses.iter().any(|found| found.arrow() == Some(("telemetry", "config"))));
    assert!(
        uses.iter().any(|found| found.from == "config" && found.path == ["figment", "Figment"])
    );
}
