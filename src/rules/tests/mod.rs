//! The subset without servers.

mod hostile;
mod judged;
mod printed;
mod refused;

use chrono::NaiveDate;

use super::*;

fn scope() -> Scope {
    let column = |name: &str, ty: Type| ScopeColumn { name: name.to_owned(), ty };
    let columns = vec![
        column("i", Type::Int(64)),
        column("j", Type::Int(16)),
        column("n", Type::Decimal(10, 2)),
        column("m", Type::Decimal(38, 10)),
        column("r", Type::Real(Some((18, 4)))),
        column("d", Type::Double(None)),
        column("t", Type::Text),
        column("c", Type::Char(5)),
        column("b", Type::Bool),
        column("dt", Type::Date),
        column("ts", Type::Timestamp),
        column("tz", Type::TimestampTz),
        column("uu", Type::Uuid),
        column("e", Type::Enum(["sad", "happy"].map(str::to_owned).to_vec().into())),
        column("payload", Type::Other("jsonb".to_owned())),
        column("Mixed", Type::Int(32)),
        column("user", Type::Text),
    ];
    let mut scope = Scope::of(columns, NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
    scope.references = vec![Reference {
        name: "order".to_owned(),
        key: vec![("i".to_owned(), "order_id".to_owned())],
        columns: vec![column("order_id", Type::Int(16)), column("shipped_date", Type::Date)],
    }];
    scope.limits = vec![Limit { name: "discount".to_owned(), ty: Type::Decimal(4, 2), value: "0.25".to_owned() }];
    scope
}

fn rule(text: &str) -> Rule {
    Rule::parse(text, &scope()).unwrap_or_else(|refusal| panic!("{text}\n{refusal}"))
}

fn refusal(text: &str) -> String {
    match Rule::parse(text, &scope()) {
        Ok(rule) => panic!("{text} is read as {}", rule.text(Server::Postgres)),
        Err(refusal) => refusal.to_string(),
    }
}

/// The answer of an expression without columns.
fn truth(text: &str) -> Option<bool> {
    rule(text).evaluate(&[])
}
