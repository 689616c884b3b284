//! Each thing that can be wrong: where it is, what it is, what to write instead.

use crate::pipeline::tests::{SHOP, changed, read};
use crate::pipeline::{Problem, Problems};

/// The problems of the small pipeline with a text changed, one a line; each place is shown as the text that stands there.
fn problems(from: &str, to: &str) -> String {
    shown(&SHOP.replacen(from, to, 1), changed(from, to).unwrap_err())
}

fn shown(text: &str, problems: Problems) -> String {
    let one = |problem: &Problem| {
        let (line, column) = problem.place.unwrap();
        let rest: String = text.lines().nth(line - 1).unwrap_or_default().chars().skip(column - 1).take(12).collect();
        format!("‹{rest}› {}; {}", problem.what, problem.instead)
    };
    problems.0.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_problem(from: &str, to: &str, wanted: &str) {
    assert_eq!(problems(from, to), wanted, "{from:?} → {to:?}");
}

#[test]
fn keys_and_their_types() {
    assert_problem(
        "target = \"lines\"",
        "traget = \"lines\"",
        "‹lines]› [tables.lines] lacks target; write target = \"lines\"\n\
         ‹traget = \"li› [tables.lines] has no key \"traget\"; write target",
    );
    assert_problem("name = \"shop\"\n", "name = 5\n", "‹5› name is a whole number; write it as a text, in quotes");
    assert_problem("key = [\"id\"]", "key = \"id\"", "‹\"id\"› key is a text; write key = [\"…\"]");
    assert_problem(
        "key = [\"id\"]",
        "key = [1]",
        "‹1]› key has a whole number in its list; write it as a text, in quotes",
    );
    assert_problem(
        "source = { schema = \"public\", table = \"baskets\" }",
        "source = \"public.baskets\"",
        "‹\"public.bask› source is a text; make it a table: [tables.baskets.source]",
    );
    assert_problem(
        "[warehouse]\ndatabase = \"shop_dw\"\nops = \"shop_ops\"\n",
        "[warehouses]\n",
        "‹[pipeline]› this file lacks [warehouse]; write a section [warehouse]\n\
         ‹warehouses]› this file has no key \"warehouses\"; write warehouse",
    );
    assert_problem("slot = \"shop_slot\"\n", "", "‹connector]› [connector] lacks slot; write slot = \"shop_slot\"");
    assert_problem("\"adaptive\"", "\"adaptiv\"", "‹\"adaptiv\"› \"adaptiv\" is no time_precision; write adaptive");
    assert_problem(
        "severity = \"warn\"",
        "severity = \"fail\"",
        "‹\"fail\"› \"fail\" is no severity; write one of reject, warn, off",
    );
}

#[test]
fn no_toml_is_reported_with_every_place() {
    let found = problems("[limits]", "a = \nb = 'x\n[limits]");
    assert!(found.starts_with("‹› this is no TOML:"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
    let found = problems("[tables.baskets]", "[tables.lines]");
    assert!(found.starts_with("‹lines]› this is no TOML: duplicate key;"), "{found}");
}

#[test]
fn names() {
    assert_problem(
        "[tables.baskets]",
        "[tables.Baskets]",
        "‹\"baskets\", w› the reference basket_row leads to \"baskets\", which is no table here; write Baskets
\
         ‹Baskets]› \"Baskets\" is no name for a table; write lower-case letters, digits and _, beginning with a letter, at most 60 bytes",
    );
    assert_problem(
        "slot = \"shop_slot\"",
        "slot = \"shop-slot\"",
        "‹\"shop-slot\"› \"shop-slot\" is no name for a replication slot; write lower-case letters, digits and _, at most 63 bytes",
    );
    assert_problem(
        "name = \"few\"",
        "name = \"Few\"",
        "‹\"Few\"› \"Few\" is no name for a rule; write lower-case letters, digits and -, beginning with a letter, at most 60 bytes",
    );
    assert_problem(
        "ops = \"shop_ops\"",
        "ops = \"shop_dw\"",
        "‹\"shop_dw\"› the tables and the ledger are both in shop_dw; write another database, as \"shop_ops\"",
    );
    assert_problem(
        "table = \"lines\" }",
        "table = \"\" }",
        "‹\"\" }› \"\" is no name for anything of PostgreSQL; write the name as PostgreSQL's catalogue has it, without quotes or control characters, at most 63 bytes",
    );
}

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
fn references() {
    assert_problem(
        "table = \"baskets\", why",
        "table = \"basket\", why",
        "‹\"basket\", wh› the reference basket_row leads to \"basket\", which is no table here; write baskets",
    );
    assert_problem(
        "columns = [\"basket\"]",
        "columns = [\"basket\", \"id\"]",
        "‹basket_row =› the reference basket_row has 2 column(s), the key of baskets has 1 (id); name one column for each column of that key, in its order",
    );
    assert_problem(
        "columns = [\"basket\"],",
        "columns = [\"basket\"], to = [\"name\"],",
        "‹\"name\"], tab› the reference basket_row leads to name of baskets, which is not in its key; name the key: id; other columns are not looked up",
    );
    assert_problem(
        "columns = [\"basket\"],",
        "columns = [\"basket\"], to = [\"id\", \"id\"],",
        "‹basket_row =› the reference basket_row has 1 column(s), and 2 in to; name one of these for each column: id",
    );
    assert_problem(
        "columns = [\"basket\"]",
        "columns = [\"baskt\"]",
        "‹\"baskt\"], ta› the reference names \"baskt\", which is no column of this table; write basket",
    );
    assert_problem(
        "example = { basket = 99 }",
        "example = { amount = 99 }",
        "‹example = { › the example leaves the reference's columns as they are, so it cannot break it; write a value of basket",
    );
    assert_problem(
        "why = \"a line of nothing\", ",
        "",
        "‹basket_row =› [tables.lines.references.basket_row] lacks why; write why = \"what goes wrong when that row is missing\"",
    );
    assert!(problems("references.basket_row", "references.basket").contains("‹basket = { c› the reference basket has the name of the column basket: rules could not tell them apart; give the reference another name"));
}

#[test]
fn rules() {
    assert_problem(
        "why = \"more is a slip\"\n",
        "",
        "‹[[tables.lin› [[tables.lines.rules]] lacks why; write why = \"what goes wrong with a row that breaks it\"",
    );
    assert_problem(
        "example = { amount = 11.5, basket = { null = true } }\n",
        "",
        "‹[[tables.lin› [[tables.lines.rules]] lacks example; write example = { column = value }, with a value that breaks it",
    );
    assert_problem(
        "amount = 11.5,",
        "amont = 11.5,",
        "‹amont = 11.5› the example names \"amont\", which is no column of this table; write amount",
    );
    assert_problem(
        "{ null = true }",
        "{ null = false }",
        "‹{ null = fal› the example's basket has no value that a column can have; write a text, a number, true, false or { null = true }",
    );
    assert_problem(
        "unchanged = [\"basket_row\"]",
        "unchanged = [\"basket\"]",
        "‹\"basket\"]› unchanged names \"basket\", which is no reference of this table; write one of basket_row",
    );
    assert_problem(
        "name = \"few\"",
        "name = \"basket-row-exists\"",
        "‹\"basket-row-› basket-row-exists is the rule that a reference of this table makes by itself; give the rule another name",
    );
    assert_problem(
        "name = \"few\"",
        "name = \"decode\"",
        "‹\"decode\"› decode is a rule of the engine itself; give the rule another name",
    );
    let twice = SHOP.replace("[tables.baskets]", "[[tables.lines.rules]]\nname = \"few\"\nexpect = \"id > 0\"\nseverity = \"off\"\nwhy = \"w\"\nexample = { id = 0 }\n[tables.baskets]");
    assert_eq!(
        read(&twice).unwrap_err().to_string(),
        "x.toml:39:8: there are two rules few of this table; give one of them another name"
    );
}

#[test]
fn limits() {
    assert_problem(
        "value = \"5\"",
        "value = \"11\"",
        "‹\"11\", min = › value 11 is above max 10; write one between min and max",
    );
    assert_problem(
        "value = \"5\"",
        "value = \"-0.5\"",
        "‹\"-0.5\", min › value -0.5 is below min 0; write one between min and max",
    );
    assert_problem("max = \"10\"", "max = \"-1\"", "‹\"-1\" }› max -1 is below min 0; write the smaller one as min");
    assert_problem(
        "value = \"5\"",
        "value = \"5e0\"",
        "‹\"5e0\", min =› \"5e0\" is no decimal number; write digits, as in \"0.25\"",
    );
    assert_problem(
        "value = \"5\"",
        "value = 5",
        "‹5, min = \"0\"› value is a whole number; write it as a text, in quotes",
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

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_file() {
    let wrong = SHOP
        .replace("name = \"shop\"\n", "name = \"Shop\"\n")
        .replace("ops = \"shop_ops\"", "ops = 1")
        .replace("value = \"5\"", "value = \"50\"")
        .replace("key = [\"id\"]", "key = [\"no\"]")
        .replace("\"bigint null\"", "\"bigint\"");
    let found = read(&wrong).unwrap_err();
    let lines: Vec<usize> = found.0.iter().filter_map(|problem| Some(problem.place?.0)).collect();
    assert_eq!(lines, [2, 17, 19, 27, 41], "{found}");
}
