//! Each thing that can be wrong: where it is, what it is, what to write instead.

mod rules;
mod tables;

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
