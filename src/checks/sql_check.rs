//! What both sides are asked by a check: a statement for each of them that gives the offending rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::checks::catalogue;
use crate::checks::conditions;
use crate::checks::results::Failure;
use crate::checks::statement::{Names, ServerSide, ShownColumn};
use crate::rules::{self, ROW, Relations, Rule};
use crate::tables::{CompiledRule, Pipeline, Reference, Table};
use crate::types::join_key;

/// A check, and the table that it is about.
#[derive(Debug)]
pub struct SqlCheck {
    /// Its name.
    pub name: &'static str,
    /// The table.
    pub table: &'static Table,
    asked: Asked,
    shown: Vec<ShownColumn>,
}

/// What is wrong with a row.
#[derive(Debug)]
enum Asked {
    /// Its key has another live row.
    SeveralRows,
    /// It has the words that Debezium sends instead of a value.
    Placeholders,
    /// A text that must be there is empty.
    EmptyTexts,
    /// The row that it references is not there.
    Orphans(&'static Reference),
    /// A rule is false of it.
    Rule(Rule),
    /// A CHECK of the source is.
    Constraint { name: String, rule: Rule },
}

/// What is shown of a row that breaks a check: its key and the columns that the check reads, by name.
pub type OffenderRow = Map<String, Value>;

impl SqlCheck {
    /// Keys with several rows.
    pub fn several_rows(table: &'static Table) -> SqlCheck {
        SqlCheck::new(catalogue::ONE_LIVE_ROW, table, Asked::SeveralRows)
    }

    /// Debezium's placeholder.
    pub fn placeholders(table: &'static Table) -> SqlCheck {
        SqlCheck::new(catalogue::NO_PLACEHOLDERS, table, Asked::Placeholders)
    }

    /// Texts that must not be empty; `None` if the table has no such column.
    pub fn empty_texts(table: &'static Table) -> Option<SqlCheck> {
        conditions::required(table).next()?;
        Some(SqlCheck::new(catalogue::REQUIRED_COLUMNS, table, Asked::EmptyTexts))
    }

    /// Rows that reference nothing.
    pub fn orphans(table: &'static Table, reference: &'static Reference) -> SqlCheck {
        SqlCheck::new(catalogue::REFERENCES, table, Asked::Orphans(reference))
    }

    /// A business rule.
    pub fn rule(table: &'static Table, compiled: CompiledRule) -> SqlCheck {
        SqlCheck::new(compiled.name(), table, Asked::Rule(compiled.rule))
    }

    /// A CHECK of the source.
    pub fn constraint(table: &'static Table, name: String, rule: Rule) -> SqlCheck {
        SqlCheck::new(catalogue::CONSTRAINTS, table, Asked::Constraint { name, rule })
    }

    fn new(name: &'static str, table: &'static Table, asked: Asked) -> SqlCheck {
        let mut sql_check = SqlCheck { name, table, asked, shown: Vec::new() };
        let of_row = sql_check.columns().into_iter();
        let own = of_row.filter_map(|name| Some(ShownColumn::new(None, name, table.column_type(name)?)));
        sql_check.shown = own.chain(sql_check.of_parents()).collect();
        sql_check
    }

    /// Is it worth saying that rows break it in the source? A text that is empty there may be so.
    pub fn says_source(&self) -> bool {
        matches!(self.asked, Asked::Placeholders | Asked::Orphans(_) | Asked::Rule(_))
    }

    /// Is the source asked for all its rows? It enforces its constraints by itself.
    pub fn asks_source(&self) -> bool {
        !matches!(self.asked, Asked::Constraint { .. })
    }

    /// Is it about what nobody but the pipeline writes?
    pub fn is_of_pipeline(&self) -> bool {
        matches!(self.asked, Asked::Placeholders)
    }

    /// The statement for a side, for the rows that fulfil a condition.
    pub fn sql(&self, side: ServerSide<'_>, condition: &str) -> String {
        let server = side.server();
        let mut shown: Vec<String> = self.shown.iter().filter_map(|shown| shown.select(server)).collect();
        let columns = if self.is_of_pipeline() { Vec::new() } else { self.columns() };
        let names = Names { relation: &self.table.relation, target: self.table.target };
        let rows = side.rows(names, &columns, condition);
        let row = server.name(ROW);
        let select =
            |shown: &[String], rest: &str| format!("SELECT {}\nFROM {rows} AS {row}\n{rest}", shown.join(", "));
        side.finish(match &self.asked {
            Asked::SeveralRows => {
                shown.push("count(*) AS live_rows".to_owned());
                let key: Vec<String> = self.key().map(|column| server.column(None, column)).collect();
                select(&shown, &format!("GROUP BY {}\nHAVING count(*) > 1", key.join(", ")))
            }
            Asked::Placeholders => select(&shown, &format!("WHERE {}", conditions::has_placeholder(self.table, side))),
            Asked::EmptyTexts => select(&shown, &format!("WHERE {}", conditions::is_empty(self.table, side))),
            Asked::Orphans(reference) => select(&shown, &format!("WHERE {}", conditions::is_orphan(reference, side))),
            Asked::Rule(rule) | Asked::Constraint { rule, .. } => {
                let parents = |used: &rules::Reference| self.rows_of_parents(side, used);
                rule.offenders(server, &Relations { rows: &rows, parents: &parents }, &shown)
            }
        })
    }

    /// Takes in a row of an answer.
    ///
    /// # Errors
    /// It has no key.
    pub fn put(&self, found: &mut BTreeMap<String, OffenderRow>, json: &str) -> Result<()> {
        let mut row: OffenderRow = serde_json::from_str(json)?;
        for shown in &self.shown {
            if let Some(Value::String(text)) = row.get_mut(&shown.name) {
                *text = shown.canonical(text);
            }
        }
        let key = text_of(&row, self.key()).with_context(|| format!("{}: a row without its key", self.name))?;
        found.insert(key, row);
        Ok(())
    }

    /// The rows of other tables that it looks at, besides this one: table and key.
    pub fn parents_of(&self, row: &OffenderRow) -> Vec<(&'static str, String)> {
        let key = |reference: &Reference| {
            let own = reference.spec.columns.iter().map(|column| column.as_str());
            Some((reference.parent.name, text_of(row, own)?))
        };
        self.references().filter_map(key).collect()
    }

    /// The tables that it looks at besides its own.
    pub fn others(&self, pipeline: &'static Pipeline) -> Vec<&'static Table> {
        let is_read = |table: &&Table| self.references().any(|reference| reference.parent.name == table.name);
        pipeline.tables.iter().filter(|table| table.name != self.table.name).filter(is_read).collect()
    }

    /// Has this column of the table to do with it?
    pub fn reads(&self, column: &str) -> bool {
        let leads_to_parent =
            || self.references().any(|reference| reference.spec.columns.iter().any(|name| name.as_str() == column));
        match &self.asked {
            Asked::SeveralRows => false,
            Asked::Placeholders => true,
            Asked::EmptyTexts => conditions::required(self.table).any(|required| required == column),
            Asked::Orphans(_) => leads_to_parent(),
            Asked::Rule(rule) | Asked::Constraint { rule, .. } => {
                let is_own = |input: &rules::Input| input.reference.is_none() && input.column == column;
                leads_to_parent() || rule.inputs().iter().any(is_own)
            }
        }
    }

    /// What it asks about, where several questions are one check.
    pub fn part(&self) -> Option<&str> {
        match &self.asked {
            Asked::Orphans(reference) => Some(reference.name),
            Asked::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// A failure of the pipeline, of which no more is known than the row.
    pub fn blame_pipeline(&self, key: &str, row: &OffenderRow) -> Failure {
        let what = match &self.asked {
            Asked::Constraint { name, .. } => format!("the source's {name}"),
            Asked::Orphans(reference) => format!("{} ({})", self.name, reference.name),
            _ => self.name.to_owned(),
        };
        let detail = format!("breaks {what} with {}", Value::Object(row.clone()));
        Failure { owner: "pipeline".to_owned(), row_key: key.to_owned(), detail, ..Failure::default() }
    }

    fn key(&self) -> impl Iterator<Item = &'static str> {
        self.table.key.iter().map(|column| column.name)
    }

    /// The table's columns of which it says something: the key, and those that it reads.
    fn columns(&self) -> Vec<&'static str> {
        let is_key = |column: &str| self.key().any(|key| key == column);
        let is_read = |column: &&str| !self.is_of_pipeline() && !is_key(column) && self.reads(column);
        self.key().chain(self.table.source_columns().filter(is_read)).collect()
    }

    /// The references that it follows.
    fn references(&self) -> impl Iterator<Item = &'static Reference> {
        let table: &'static Table = self.table;
        table.references.iter().filter(|reference| match &self.asked {
            Asked::Orphans(asked) => asked.name == reference.name,
            Asked::Rule(rule) => rule.references().iter().any(|used| used.name == reference.name),
            _ => false,
        })
    }

    /// What a rule reads of the rows that references lead to.
    fn of_parents(&self) -> Vec<ShownColumn> {
        let Asked::Rule(rule) = &self.asked else { return Vec::new() };
        let shown = |input: &rules::Input| {
            let reference = self.references().find(|reference| Some(reference.name) == input.reference.as_deref())?;
            let fact = reference.facts.iter().find(|fact| fact.column == input.column)?;
            Some(ShownColumn::new(Some(reference.name), fact.column, &fact.column_type))
        };
        rule.inputs().iter().filter_map(shown).collect()
    }

    fn rows_of_parents(&self, side: ServerSide<'_>, used: &rules::Reference) -> String {
        let Some(reference) = self.references().find(|reference| reference.name == used.name) else {
            return String::new();
        };
        let parent = &reference.parent;
        let mut columns: Vec<&str> = parent.key.iter().map(|column| column.name).collect();
        for fact in &reference.facts {
            if !columns.contains(&fact.column) {
                columns.push(fact.column);
            }
        }
        side.rows(Names { relation: &parent.relation, target: parent.target }, &columns, "true")
    }
}

/// The canonical text of a key whose parts stand in these columns of a row; `None` if one is NULL.
fn text_of<'c>(row: &OffenderRow, columns: impl Iterator<Item = &'c str>) -> Option<String> {
    let parts: Option<Vec<&str>> = columns.map(|column| row.get(column)?.as_str()).collect();
    Some(join_key(parts?.into_iter().map(Cow::Borrowed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> &'static Table {
        Pipeline::embedded().table(name).unwrap()
    }

    fn rule(name: &str) -> SqlCheck {
        let (pipeline, lines) = (Pipeline::embedded(), table("order_details"));
        let rules = CompiledRule::of(pipeline, lines, &pipeline.limits()).unwrap();
        SqlCheck::rule(lines, rules.into_iter().find(|rule| rule.name() == name).unwrap())
    }

    #[test]
    fn one_text_asks_both_sides() {
        insta::assert_snapshot!(rule("discount-limit").sql(ServerSide::Source, "true"), @r#"
        SELECT "_row"."order_id"::text AS "order_id", "_row"."product_id"::text AS "product_id", "_row"."discount"::text AS "discount"
        FROM (SELECT "order_id", "product_id", "discount" FROM public.order_details WHERE true) AS "_row"
        WHERE (((CASE WHEN abs("_row"."discount") < 'Infinity' THEN round("_row"."discount"::text::numeric, 4) END) BETWEEN 0.0000 AND 0.2500) IS FALSE)
        LIMIT 100001
        "#);
        insta::assert_snapshot!(rule("discount-limit").sql(ServerSide::Warehouse("dw"), "order_id = 1"), @r#"
        SELECT toNullable(toString("_row"."order_id")) AS "order_id", toNullable(toString("_row"."product_id")) AS "product_id", toNullable(toString("_row"."discount")) AS "discount"
        FROM (SELECT "order_id", "product_id", "discount" FROM dw.fact_order_details FINAL WHERE order_id = 1) AS "_row"
        WHERE ((toDecimal256("_row"."discount", 4) BETWEEN toDecimal256('0.0000', 4) AND toDecimal256('0.2500', 4)) IS FALSE)
        LIMIT 100001
        SETTINGS session_timezone = 'UTC', join_use_nulls = '1', cast_keep_nullable = '1', transform_null_in = '0', least_greatest_legacy_null_behavior = '0'
        "#);
    }

    #[test]
    fn offenders_are_shown_with_what_the_rule_reads() {
        let sql_check = rule("open-line-inventory");
        let others: Vec<&str> = sql_check.others(Pipeline::embedded()).iter().map(|table| table.name).collect();
        assert_eq!(others.len(), 2, "{others:?}");
        let mut found = BTreeMap::new();
        let json = r#"{"order_id":"1","product_id":"11","quantity":"0500","product.units_in_stock":"3","product.units_on_order":null}"#;
        sql_check.put(&mut found, json).unwrap();
        let (key, row) = found.pop_first().unwrap();
        assert_eq!((key.as_str(), row["quantity"].as_str()), ("1\u{1f}11", Some("500")));
        let mut parents = sql_check.parents_of(&row);
        parents.sort_unstable();
        assert_eq!(parents, [("orders", "1".to_owned()), ("products", "11".to_owned())]);
        assert!(sql_check.reads("quantity") && sql_check.reads("order_id") && !sql_check.reads("discount"));
    }

    #[test]
    fn rows_of_a_key_are_counted() {
        let sql = SqlCheck::several_rows(table("order_details")).sql(ServerSide::Warehouse("dw"), "true");
        assert!(sql.contains(r#"GROUP BY "_row"."order_id", "_row"."product_id""#), "{sql}");
    }
}
