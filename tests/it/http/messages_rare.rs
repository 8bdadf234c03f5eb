//! Rare messages among many are listed without scanning the others.

use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::harness::{Backend, Sender, account_id, eventually};

/// Inserts many delivered messages, and rare ones that are last in a list.
async fn many(sender: &Sender, backend: Backend, messages: u32) {
    let (numbers, id, text) = match backend {
        Backend::Sqlite => (
            format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers \
                 WHERE n < {messages}) "
            ),
            "printf('%012x%020x', 1700000000000 + n, n)",
            "'o' || n",
        ),
        Backend::Postgres => (
            format!("WITH numbers AS (SELECT n FROM generate_series(1, {messages}) n) "),
            "lpad(to_hex(1700000000000 + n), 12, '0') || lpad(to_hex(n), 20, '0')",
            "'o' || n",
        ),
        Backend::Mysql => (
            String::new(),
            "concat(lpad(lower(hex(1700000000000 + n)), 12, '0'), lpad(lower(hex(n)), 20, '0'))",
            "concat('o', n)",
        ),
    };
    let from = match backend {
        Backend::Mysql => {
            let digit = "SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 \
                         UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9";
            let (mut sum, mut digits) = ("1".to_owned(), Vec::new());
            for exponent in 0..5_u32 {
                sum = format!("{sum} + {} * p{exponent}.d", 10_u32.pow(exponent));
                digits.push(format!("({digit}) p{exponent}"));
            }
            let digits = digits.join(", ");
            format!("(SELECT {sum} AS n FROM {digits} HAVING n <= {messages}) numbers")
        }
        _ => "numbers".to_owned(),
    };
    let account = account_id(&sender.app.app.store, &sender.world.main()).await;
    let (state, reason) = (
        "CASE n WHEN 1 THEN 'failed' WHEN 2 THEN 'unknown' ELSE 'delivered' END",
        "CASE n WHEN 1 THEN 'unfollowed' WHEN 2 THEN 'answer_lost' END",
    );
    let (columns, values) = (
        "(id, account_id, channel, state, openid, template_id, content, reason, attempt, accepted_at)",
        format!(
            "{id}, {account}, 'template', {state}, {text}, CASE n WHEN 3 THEN 'rare' ELSE 'usual' END, \
             '{{\"data\":{{}}}}', {reason}, 1, 1700000000000 + n"
        ),
    );
    let select = format!("SELECT {values} FROM {from}");
    let insert = match backend {
        Backend::Mysql => format!("INSERT INTO message {columns} {select}"),
        _ => format!("{numbers} INSERT INTO message {columns} {select}"),
    };
    sender.app.execute(&insert).await;
    if backend == Backend::Postgres {
        sender.app.execute("ANALYZE message").await;
    }
}

/// Returns the shortest of five times that a list takes.
async fn shortest_time(sender: &Sender, query: &str, expected: usize) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(sender.ids(query).await.len(), expected, "{query}");
        shortest = shortest.min(began.elapsed());
    }
    shortest
}

/// Returns how often PostgreSQL has used an index. The statistics are delayed by about a second.
async fn uses(sender: &Sender, index: &str) -> i64 {
    let sql = format!(
        "SELECT idx_scan FROM pg_stat_user_indexes \
         WHERE schemaname = current_schema() AND indexrelname = '{index}'"
    );
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = sender.app.app.store.reader().query_one_raw(statement).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// No index covers `sent`, so SQLite scans all messages for it: the time to compare with. MySQL has an index
/// for every state.
#[rstest]
#[tokio::test]
async fn rare_messages_are_found_without_a_full_scan(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    many(&sender, backend, 60_000).await;
    let all = shortest_time(&sender, "state=sent", 0).await;
    for (query, expected) in [
        ("state=failed", 1),
        ("state=unknown", 1),
        ("state=queued", 0),
        ("template_id=rare", 1),
        ("template_id=none", 0),
        ("state=failed&template_id=usual", 1),
        ("openid=o7", 1),
    ] {
        let found = shortest_time(&sender, query, expected).await;
        assert!(found < Duration::from_secs(1), "{query} takes {found:?}");
        if backend == Backend::Sqlite {
            assert!(2 * found < all, "{query} takes {found:?}, a full scan {all:?}");
        }
    }
    if backend == Backend::Postgres {
        for index in ["message_trouble", "message_account_template", "message_account_openid"] {
            eventually(index, async || uses(&sender, index).await > 0).await;
        }
    }
}
