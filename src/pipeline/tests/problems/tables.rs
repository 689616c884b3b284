//! Tables: their columns, their keys, and two of them side by side.

use super::assert_problem;
use crate::pipeline::tests::{changed, read};

#[test]
fn columns() {
    assert_problem(
        "\"bigint null\"",
        "\"bigint\"",
        "‹\"bigint\"› the type \"bigint\" does not say whether NULL is allowed; write \"bigint not null\" or \"bigint null\", as the source has it",
    );
    assert_problem(
        "\"bigint null\"",
        "\" NULL\"",
        "‹\" NULL\"› there is no type before null; write \"text null\", with the column's type",
    );
    assert_problem(
        "columns.basket =",
        "columns._version =",
        "‹_version = \"› _version is a system column, which every table of the warehouse has; leave it out with { exclude = \"…\" }, or rename it in the source\n\
         ‹\"basket\"], t› the reference names \"basket\", which is no column of this table; write one of id, part, _version, amount, secret\n\
         ‹basket = 99 › the example names \"basket\", which is no column of this table; write one of id, part, _version, amount, secret\n\
         ‹basket = { n› the example names \"basket\", which is no column of this table; write one of id, part, _version, amount, secret",
    );
    assert!(changed("columns.secret", "columns._version").is_ok(), "a column that is excluded is in nobody's way");
    assert_problem(
        "was = \"sum\"",
        "was = \"id\"",
        "‹\"id\" }› amount was id, but id is a column now; write the name that it had before",
    );
    assert_problem(
        "exclude = \"personal data\"",
        "exclude = \" \"",
        "‹\" \" }› exclude of [tables.lines.columns.secret] is empty; write exclude = \"personal data\"",
    );
    assert_problem(
        "exclude = \"personal data\"",
        "exclude = \"x\", type = \"text null\"",
        "‹type = \"text› [tables.lines.columns.secret] has no key \"type\"; write one of exclude",
    );
}

#[test]
fn keys_of_tables() {
    assert_problem(
        "key = [\"id\"]",
        "key = [\"it\"]",
        "‹\"it\"]› the key names \"it\", which is no column of this table; write id",
    );
    assert_problem("key = [\"id\"]", "key = [\"id\", \"id\"]", "‹\"id\"]› the key names \"id\" twice; write it once");
    assert_problem(
        "key = [\"id\"]",
        "key = []",
        "‹baskets]› the key of [tables.baskets] is empty; name the columns of the primary key",
    );
    assert_problem(
        "columns.part = \"text NOT  NULL\"",
        "columns.part = \"text null\"",
        "‹\"part\"]› the key names part, which may be NULL; write \"… not null\" as the type of part, if the source has it so, or take another key",
    );
    assert_problem(
        "key = [\"id\", \"part\"]\nclickhouse = { order_by = [\"part\", \"id\"],",
        "key = [\"id\", \"secret\"]\nclickhouse = {",
        "‹\"secret\"]› the key names \"secret\", which is excluded; name another column, or write its type instead of exclude",
    );
    assert_problem(
        "order_by = [\"part\", \"id\"]",
        "order_by = [\"part\"]",
        "‹order_by = [› order_by is not made of the key's columns: rows that are versions of one another would both stay; write these in any order: id, part",
    );
    assert_problem(
        "\"id % 10\"",
        "\"toYYYYMM(amount)\"",
        "‹\"toYYYYMM(am› partition_by names amount, which can change: a row would be in two partitions; use columns of the key only: id, part",
    );
    assert_problem(
        "index_granularity",
        "non_replicated_deduplication_window",
        "‹non_replicat› non_replicated_deduplication_window is what the engine relies on; leave it out",
    );
}

#[test]
fn tables_side_by_side() {
    assert_problem(
        "table = \"baskets\" }\ntarget",
        "table = \"lines\" }\ntarget",
        "‹source = { s› baskets and lines read the same table of the source; name another source, or leave one of them out",
    );
    assert_problem(
        "target = \"baskets\"",
        "target = \"lines\"",
        "‹\"lines\"› baskets and lines write to the same table, lines; name another target",
    );
    assert_problem(
        "target = \"baskets\"",
        "target = \"v_lines\"",
        "‹\"v_lines\"› the table v_lines of baskets has the name of the view of lines; name another target",
    );
    assert_problem(
        "schema = \"public\", table = \"baskets\"",
        "schema = \"shop_cdc\", table = \"signal\"",
        "‹source = { s› baskets reads the connector's own signal table; name another source",
    );
    let found = read("[pipeline]\nname = \"x\"\ntopic_prefix = \"x\"\n").unwrap_err().to_string();
    assert!(found.contains("x.toml:1:1: there is no table; write [tables.orders], with a table's name"), "{found}");
}
