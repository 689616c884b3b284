//! Northwind's rules as texts: the subset suffices for every one of them, and each text says what its closure says about rows that chance
//! makes, parents that are missing among them.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use lockstep::rules::{Column, Limit, Reference, Rule, Scope, Type, Value};
use lockstep::tables::rules::{Known, Limits, Parent};
use lockstep::tables::{Decimal, Employees, OrderDetails, Orders, Products, RowOf, Table};
use serde_json::{Map, Value as Json, json};

use crate::support::root;

/// The same rules as `src/tables` has, in the order of tables and names.
const TEXTS: &[(&str, &str, &str)] = &[
    ("employees", "manager-not-self", "reports_to <> employee_id"),
    ("employees", "hired-after-birth", "hire_date > birth_date"),
    ("products", "unit-price-not-negative", "unit_price >= 0"),
    ("products", "inventory-not-negative", "units_in_stock >= 0 AND units_on_order >= 0 AND reorder_level >= 0"),
    ("orders", "required-after-order", "required_date >= order_date"),
    ("orders", "shipped-after-order", "shipped_date >= order_date"),
    ("orders", "freight-not-negative", "freight >= 0"),
    ("order_details", "quantity-positive", "quantity > 0"),
    ("order_details", "unit-price-not-negative", "unit_price >= 0"),
    ("order_details", "discount-limit", "discount BETWEEN 0 AND :discount"),
    (
        "order_details",
        "open-line-discontinued",
        "\"order\".shipped_date IS NOT NULL OR COALESCE(product.discontinued, 0) = 0",
    ),
    (
        "order_details",
        "open-line-inventory",
        "\"order\".shipped_date IS NOT NULL OR quantity <= product.units_in_stock + COALESCE(product.units_on_order, 0)",
    ),
    ("order_details", "list-price", "unit_price = product.unit_price"),
];

const REAL: Type = Type::Real(Some((18, 4)));

fn text(table: &str, name: &str) -> &'static str {
    TEXTS
        .iter()
        .find(|(of, known, _)| (*of, *known) == (table, name))
        .map(|(.., text)| *text)
        .unwrap_or_else(|| panic!("no text for {name} of {table}"))
}

fn scope(columns: &[(&str, Type)]) -> Scope {
    let column = |(name, ty): &(&str, Type)| Column { name: (*name).to_owned(), ty: ty.clone() };
    let mut scope = Scope::of(columns.iter().map(column).collect(), NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
    scope.limits = vec![Limit { name: "discount".to_owned(), ty: Type::Decimal(4, 2), value: "0.25".to_owned() }];
    let reference = |name: &str, key: &str, columns: &[(&str, Type)]| Reference {
        name: name.to_owned(),
        key: vec![(key.to_owned(), key.to_owned())],
        columns: columns.iter().map(column).collect(),
    };
    scope.references = vec![
        reference("order", "order_id", &[("shipped_date", Type::Date)]),
        reference(
            "product",
            "product_id",
            &[
                ("discontinued", Type::Int(32)),
                ("units_in_stock", Type::Int(16)),
                ("units_on_order", Type::Int(16)),
                ("unit_price", REAL),
            ],
        ),
    ];
    scope
}

/// Always the same chance.
struct Chance(u64);

impl Chance {
    fn pick(&mut self, from: &[Json]) -> Json {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(self.0 >> 33) as usize % from.len()].clone()
    }

    fn of(&mut self, ty: &Type) -> Json {
        match ty {
            Type::Int(_) => self.pick(&[json!(0), json!(1), json!(-1), json!(2), json!(5), json!(32767), Json::Null]),
            Type::Date => self.pick(&[
                json!("1900-01-01"),
                json!("1996-07-04"),
                json!("1996-07-05"),
                json!("2299-12-31"),
                Json::Null,
            ]),
            _ => self.pick(&[
                json!("0"),
                json!("-0.0001"),
                json!("0.25"),
                json!("0.2501"),
                json!("18"),
                json!("17.5"),
                Json::Null,
            ]),
        }
    }
}

fn value(json: &Json, ty: &Type) -> Value<'static> {
    match (json, ty) {
        (Json::Null, _) => Value::Null,
        (json, Type::Int(_)) => Value::number(json.as_i64().unwrap()),
        (json, Type::Date) => {
            Value::Moment(i64::from(json.as_str().unwrap().parse::<NaiveDate>().unwrap().to_epoch_days()))
        }
        (json, _) => Value::number(Decimal::parse(json.as_str().unwrap()).unwrap().0),
    }
}

/// As a look-up gives it: PostgreSQL's text.
fn fact(json: &Json) -> Option<String> {
    match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Judges many rows of a table by closure and by text; returns the rules that were broken at least once.
fn agree<T: Table>(columns: &[(&str, Type)], required: &[&str], fixed: &Json) -> BTreeSet<&'static str> {
    let scope = scope(columns);
    let mut chance = Chance(42);
    let mut broken = BTreeSet::new();
    for _ in 0..4_000 {
        let mut row = Map::new();
        for (name, ty) in columns {
            let mut json = chance.of(ty);
            while json.is_null() && required.contains(name) {
                json = chance.of(ty);
            }
            row.insert((*name).to_owned(), json);
        }
        let mut whole = row.clone();
        whole.extend(fixed.as_object().unwrap().clone());
        let whole = Json::Object(whole).to_string();
        let decoded: RowOf<'_, T> = serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{whole}: {error}"));
        let order = [chance.of(&Type::Date)];
        let product =
            [chance.of(&Type::Int(32)), chance.of(&Type::Int(16)), chance.of(&Type::Int(16)), chance.of(&REAL)];
        let is_there = |json: Json| json != json!(0);
        let (has_order, has_product) = (is_there(chance.of(&Type::Int(32))), is_there(chance.of(&Type::Int(32))));
        let parent = |facts: &[Json], warehouse: Vec<Option<String>>| Parent {
            facts: facts.iter().map(fact).collect(),
            warehouse_facts: warehouse,
        };
        // The list price is judged while the product has not changed: so it has not.
        let unchanged = vec![Some("1".to_owned()), fact(&product[3])];
        let (the_order, the_product) = (parent(&order, Vec::new()), parent(&product, unchanged));
        let parents = [has_order.then_some(&the_order), has_product.then_some(&the_product)];
        let known = Known { parents: &parents, lsn: Some(2), limits: Limits::default() };
        for rule in T::RULES {
            let by_closure = (rule.check)(&decoded, &known).is_err();
            let by_text = Rule::parse(text(T::SOURCE, rule.name), &scope)
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", rule.name));
            let is_decided =
                by_text.references().iter().all(|used| if used.name == "order" { has_order } else { has_product });
            let inputs: Vec<Value<'_>> = by_text
                .inputs()
                .iter()
                .map(|input| match input.reference.as_deref() {
                    None => value(&row[&input.column], &input.ty),
                    Some("order") => value(&order[0], &input.ty),
                    Some(_) => {
                        let position =
                            scope.references[1].columns.iter().position(|column| column.name == input.column).unwrap();
                        value(&product[position], &input.ty)
                    }
                })
                .collect();
            let by_text = is_decided && by_text.evaluate(&inputs) == Some(false);
            assert_eq!(
                by_text, by_closure,
                "{}: {whole}, order {has_order} {order:?}, product {has_product} {product:?}",
                rule.name
            );
            if by_closure {
                broken.insert(rule.name);
            }
        }
    }
    broken
}

fn names<T: Table>() -> BTreeSet<&'static str> {
    T::RULES.iter().map(|rule| rule.name).collect()
}

#[test]
fn every_rule_of_northwind_can_be_said_as_a_text() {
    let (int, date) = (Type::Int(16), Type::Date);
    let employees = [
        ("employee_id", int.clone()),
        ("reports_to", int.clone()),
        ("birth_date", date.clone()),
        ("hire_date", date.clone()),
    ];
    let broken = agree::<Employees>(&employees, &["employee_id"], &json!({"last_name": "x", "first_name": "x"}));
    assert_eq!(broken, names::<Employees>());
    let products = [
        ("unit_price", REAL),
        ("units_in_stock", int.clone()),
        ("units_on_order", int.clone()),
        ("reorder_level", int.clone()),
    ];
    let broken = agree::<Products>(&products, &[], &json!({"product_id": 1, "product_name": "x", "discontinued": 0}));
    assert_eq!(broken, names::<Products>());
    let orders =
        [("order_date", date.clone()), ("required_date", date.clone()), ("shipped_date", date), ("freight", REAL)];
    assert_eq!(agree::<Orders>(&orders, &[], &json!({"order_id": 1})), names::<Orders>());
    let lines = [
        ("order_id", int.clone()),
        ("product_id", int.clone()),
        ("unit_price", REAL),
        ("quantity", int),
        ("discount", REAL),
    ];
    let all = ["order_id", "product_id", "unit_price", "quantity", "discount"];
    assert_eq!(agree::<OrderDetails>(&lines, &all, &json!({})), names::<OrderDetails>());
}

/// The rules that are judged in the warehouse as SQL of their own have a text as well.
#[test]
fn every_check_of_a_rule_has_a_text() {
    let mut checks = BTreeSet::new();
    for table in std::fs::read_dir(root().join("src/checks/rules")).unwrap() {
        let table = table.unwrap();
        for check in std::fs::read_dir(table.path()).unwrap() {
            let name = check.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
            checks.insert((table.file_name().to_str().unwrap().to_owned(), name));
        }
    }
    assert_eq!(checks.len(), 12);
    for (table, name) in checks {
        text(&table, &name);
    }
}
