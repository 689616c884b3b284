//! What rows have to keep: references, rules and the limits that these name.

use super::{assert_problem, problems};
use crate::pipeline::tests::{SHOP, read};

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
