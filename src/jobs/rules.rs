//! `rules`: what is checked, why, and a row that would not pass; and what each of the three judges makes of a rule's text.

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use crate::checks::sql_check::SqlCheck;
use crate::cli::say::{say, sayln};
use crate::cli::{TextTable, printed};
use crate::exit::usage;
use crate::jobs::Job;
use crate::jobs::checks::explain;
use crate::tables::{CompiledRule, Pipeline, Table};
use crate::validate::{ListedRule, compiled_rules, rules_of};

/// Rules that every table has, and that flags do not change: such rows cannot be written at all.
const EVERY_TABLE: [(&str, &str); 4] = [
    ("not-in-postgres", "the row itself exists in PostgreSQL: what is not there must not be in the warehouse"),
    ("decode", "the record is a change event whose columns fit the table; no value is wrapped, clamped or made up"),
    ("not-finite", "a number is a number: NaN and Infinity cannot be summed"),
    ("toast-unavailable", "a long value that the change did not send is known from an earlier event"),
];

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "rules",
        "List every rule: what has to hold, why, and columns of a row that would break it",
        flags,
        move |matches| run(pipeline, matches),
    )
}

fn flags(command: Command) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let table = Arg::new("table").long("table").value_name("TABLE").action(ArgAction::Append);
    let explain = Arg::new("explain").long("explain").value_name("NAME").conflicts_with("json");
    command
        .arg(json.help("Only those that flags can change, as JSON"))
        .arg(table.help("Only of this table, by its name in the source; may be repeated [default: all]"))
        .arg(explain.help(
            "Print the rule's text, and who breaks it as PostgreSQL and ClickHouse are asked; NAME or TABLE.NAME",
        ))
}

fn run(pipeline: &'static Pipeline, matches: &ArgMatches) -> Result<()> {
    let named: Vec<String> = matches.get_many("table").unwrap_or_default().cloned().collect();
    let tables = pipeline.chosen(&named)?;
    match matches.get_one::<String>("explain") {
        Some(name) => {
            say!("{}", explained(pipeline, &tables, name)?);
            Ok(())
        }
        None if matches.get_flag("json") => print_json(&tables),
        None => {
            print_text(&tables);
            Ok(())
        }
    }
}

fn print_text(tables: &[&'static Table]) {
    say!("{}", printed(&list(tables).lines()));
    sayln!(
        "\nChange a severity with --rule NAME=reject, warn or off of an ingest job. `rules --explain NAME` prints a rule's SQL."
    );
}

fn list(tables: &[&'static Table]) -> TextTable {
    let mut list = TextTable::default();
    list.line("every table");
    for (name, why) in EVERY_TABLE {
        list.row([&format!("  {name}"), "reject", why]);
    }
    for table in tables {
        let rules = rules_of(table);
        if let Some(first) = rules.first() {
            list.line(format!("\n{}", first.table));
        }
        for ListedRule { name, severity, why, example, expect, .. } in rules {
            list.row([&format!("  {name}"), severity.as_ref(), why]);
            if let Some(expect) = expect {
                list.row(["", "", expect]);
            }
            list.row(["", "", &format!("broken by {example}")]);
        }
    }
    list
}

fn print_json(tables: &[&'static Table]) -> Result<()> {
    let rules = tables.iter().flat_map(|table| rules_of(table));
    let listed = rules.map(|ListedRule { table, name, severity, why, example, expect }| {
        json!({
            "table": table, "rule": name, "severity": severity.as_ref(), "why": why, "expect": expect, "example": example,
        })
    });
    sayln!("{}", serde_json::to_string_pretty(&listed.collect::<Vec<_>>())?);
    Ok(())
}

fn explained(pipeline: &'static Pipeline, tables: &[&'static Table], name: &str) -> Result<String> {
    let of_tables = tables.iter().flat_map(|table| rules_of(table).into_iter().map(move |rule| (*table, rule)));
    let meant: Vec<_> = of_tables.filter(|(_, rule)| rule.is_called(name)).collect();
    if meant.is_empty() {
        return Err(usage(format!("--explain {name}: no rule has this name; `lockstep rules` lists them")));
    }
    let database = pipeline.spec.warehouse.database.as_str();
    let mut explained = String::new();
    for (table, rule) in meant {
        explained += "-- As it is read\n";
        if let Some(reference) = table.references.iter().find(|reference| reference.rule == rule.name) {
            explained += "the row that it references exists\n\n";
            explained += &explain::both(&SqlCheck::orphans(table, reference), database);
        }
        let compiled = compiled_rules(pipeline, table, &pipeline.limits())?.into_iter();
        for compiled in compiled.filter(|compiled| compiled.name() == rule.name) {
            explained += &format!("{}\n\n", as_read(&compiled));
            explained += &explain::both(&SqlCheck::rule(table, compiled), database);
        }
    }
    Ok(explained)
}

/// The rule's text, with the values of its limits.
fn as_read(rule: &CompiledRule) -> String {
    let expect = rule.spec.expect.as_str();
    let with_limits =
        if rule.expected == expect { String::new() } else { format!("\n-- with its limits: {}", rule.expected) };
    let unchanged = if rule.unchanged.is_empty() { "" } else { UNCHANGED };
    format!("{expect}{with_limits}{unchanged}")
}

/// Of a rule that only the moment of the change can tell.
const UNCHANGED: &str =
    "\n-- judged at ingest only, while the other row has not changed since the event: check-rules leaves it out";

#[cfg(test)]
mod tests {
    use super::*;

    fn order_details() -> (&'static Pipeline, [&'static Table; 1]) {
        let pipeline = Pipeline::embedded();
        (pipeline, [pipeline.table("order_details").unwrap()])
    }

    /// In a warehouse of any name.
    fn explained_in_any(name: &str) -> String {
        let (pipeline, tables) = order_details();
        let text = explained(pipeline, &tables, name).unwrap();
        text.replace(pipeline.spec.warehouse.database.as_str(), "{db}")
    }

    #[test]
    fn a_rule_is_explained_as_it_is_read_and_asked() {
        let (pipeline, tables) = order_details();
        insta::assert_snapshot!(explained_in_any("open-line-inventory"), @r#"
        -- As it is read
        "order".shipped_date IS NOT NULL OR quantity <= product.units_in_stock + COALESCE(product.units_on_order, 0)

        -- open-line-inventory of order_details
        -- PostgreSQL
        BEGIN READ ONLY;
        SET LOCAL TimeZone = 'UTC'; SET LOCAL standard_conforming_strings = 'on'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = '1';
        SELECT "_row"."order_id"::text AS "order_id", "_row"."product_id"::text AS "product_id", "_row"."quantity"::text AS "quantity", CASE WHEN "order"."shipped_date" >= '0001-01-01 00:00:00' AND "order"."shipped_date" < '9999-12-31 23:59:59.999999' THEN to_char("order"."shipped_date", 'YYYY-MM-DD') ELSE "order"."shipped_date"::text END AS "order.shipped_date", "product"."units_in_stock"::text AS "product.units_in_stock", "product"."units_on_order"::text AS "product.units_on_order"
        FROM (SELECT "order_id", "product_id", "quantity" FROM public.order_details WHERE true) AS "_row"
        LEFT JOIN (SELECT "order_id", "shipped_date" FROM public.orders WHERE true) AS "order" ON ("order"."order_id" = "_row"."order_id")
        LEFT JOIN (SELECT "product_id", "unit_price", "units_in_stock", "units_on_order", "discontinued" FROM public.products WHERE true) AS "product" ON ("product"."product_id" = "_row"."product_id")
        WHERE (((NOT ("order"."shipped_date" IS NULL)) OR ("_row"."quantity" <= (("product"."units_in_stock"::numeric) + (COALESCE("product"."units_on_order", 0)::numeric)))) IS FALSE)
          AND (("_row"."order_id" IS NULL) OR ("order"."order_id" IS NOT NULL))
          AND (("_row"."product_id" IS NULL) OR ("product"."product_id" IS NOT NULL))
        LIMIT 100001;
        COMMIT;
        -- ClickHouse
        SELECT toNullable(toString("_row"."order_id")) AS "order_id", toNullable(toString("_row"."product_id")) AS "product_id", toNullable(toString("_row"."quantity")) AS "quantity", toNullable(toString("order"."shipped_date")) AS "order.shipped_date", toNullable(toString("product"."units_in_stock")) AS "product.units_in_stock", toNullable(toString("product"."units_on_order")) AS "product.units_on_order"
        FROM (SELECT "order_id", "product_id", "quantity" FROM {db}.fact_order_details FINAL WHERE true) AS "_row"
        LEFT JOIN (SELECT "order_id", "shipped_date" FROM {db}.fact_orders FINAL WHERE true) AS "order" ON ("order"."order_id" = "_row"."order_id")
        LEFT JOIN (SELECT "product_id", "unit_price", "units_in_stock", "units_on_order", "discontinued" FROM {db}.dim_products FINAL WHERE true) AS "product" ON ("product"."product_id" = "_row"."product_id")
        WHERE (((NOT ("order"."shipped_date" IS NULL)) OR ("_row"."quantity" <= (toInt256("product"."units_in_stock") + toInt256(coalesce(toInt256("product"."units_on_order"), toInt256('0')))))) IS FALSE)
          AND (("_row"."order_id" IS NULL) OR ("order"."order_id" IS NOT NULL))
          AND (("_row"."product_id" IS NULL) OR ("product"."product_id" IS NOT NULL))
        LIMIT 100001
        SETTINGS session_timezone = 'UTC', join_use_nulls = '1', cast_keep_nullable = '1', transform_null_in = '0', least_greatest_legacy_null_behavior = '0';
        "#);
        insta::assert_snapshot!(explained_in_any("order-exists"), @r#"
        -- As it is read
        the row that it references exists

        -- references (order) of order_details
        -- PostgreSQL
        BEGIN READ ONLY;
        SET LOCAL TimeZone = 'UTC'; SET LOCAL standard_conforming_strings = 'on'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = '1';
        SELECT "_row"."order_id"::text AS "order_id", "_row"."product_id"::text AS "product_id"
        FROM (SELECT "order_id", "product_id" FROM public.order_details WHERE true) AS "_row"
        WHERE "_row"."order_id" IS NOT NULL AND "_row"."order_id" NOT IN (SELECT "order_id" FROM public.orders WHERE true)
        LIMIT 100001;
        COMMIT;
        -- ClickHouse
        SELECT toNullable(toString("_row"."order_id")) AS "order_id", toNullable(toString("_row"."product_id")) AS "product_id"
        FROM (SELECT "order_id", "product_id" FROM {db}.fact_order_details FINAL WHERE true) AS "_row"
        WHERE "_row"."order_id" IS NOT NULL AND "_row"."order_id" NOT IN (SELECT "order_id" FROM {db}.fact_orders FINAL WHERE true)
        LIMIT 100001
        SETTINGS session_timezone = 'UTC', join_use_nulls = '1', cast_keep_nullable = '1', transform_null_in = '0', least_greatest_legacy_null_behavior = '0';
        "#);
        assert!(explained(pipeline, &tables, "nothing").is_err());
    }

    #[test]
    fn the_list_says_why_and_what_would_break_it() {
        insta::assert_snapshot!(printed(&list(&order_details().1).lines()), @r#"
        every table
          not-in-postgres         reject the row itself exists in PostgreSQL: what is not there must not be in the warehouse
          decode                  reject the record is a change event whose columns fit the table; no value is wrapped, clamped or made up
          not-finite              reject a number is a number: NaN and Infinity cannot be summed
          toast-unavailable       reject a long value that the change did not send is known from an earlier event

        order_details
          order-exists            reject a line without its order belongs to nobody and is in no report
                                         broken by {"order_id":1}
          product-exists          reject a line without its product cannot be named, priced or delivered
                                         broken by {"product_id":999}
          quantity-positive       reject a line is about at least one piece; returns are no order lines
                                         quantity > 0
                                         broken by {"quantity":0}
          unit-price-not-negative reject a negative price turns revenue into a loss in every sum above it
                                         unit_price >= 0
                                         broken by {"unit_price":-1.5}
          discount-limit          reject a discount is a share between 0 and the limit (--limit discount=0.3 changes it): 25 instead of 0.25 makes negative totals
                                         discount BETWEEN 0 AND :discount
                                         broken by {"discount":1.5}
          open-line-discontinued  warn   an order that is not shipped yet waits for a product that is sold no more
                                         "order".shipped_date IS NOT NULL OR product.discontinued = 0
                                         broken by {"product_id":5}
          open-line-inventory     warn   an order that is not shipped yet asks for more than is in stock and on order together
                                         "order".shipped_date IS NOT NULL OR quantity <= product.units_in_stock + COALESCE(product.units_on_order, 0)
                                         broken by {"quantity":500}
          list-price              warn   a price that differs from the list price is a discount that nobody sees as one, or a slip
                                         unit_price = product.unit_price
                                         broken by {"unit_price":17.5}
        "#);
    }
}
