//! Which rows break a rule, where one of them has a parent that is only late.

use lockstep::rules::{Reference, Relations, Rule, ScopeColumn, Server, Type, Value};

use super::bench::Bench;
use super::edges::{Row, value};
use crate::support::connect_postgres;

impl Bench {
    pub fn offenders(&self) {
        let parent = |name: &str| ScopeColumn { name: name.to_owned(), ty: Type::Int(64) };
        let mut scope = self.scope.clone();
        let key = vec![("j".to_owned(), "id".to_owned())];
        scope.references =
            vec![Reference { name: "order".to_owned(), key, columns: vec![parent("id"), parent("stock")] }];
        for statement in [
            "CREATE TABLE parents (id bigint, stock bigint)",
            "INSERT INTO parents VALUES (1, 4), (2, NULL), (3, 9223372036854775807)",
        ] {
            connect_postgres(&self.database("english")).batch_execute(statement).unwrap();
        }
        self.clickhouse(&format!(
            "CREATE TABLE {}.parents (id Int64, stock Nullable(Int64)) ENGINE = MergeTree ORDER BY id",
            self.name
        ))
        .unwrap();
        self.clickhouse(&format!(
            "INSERT INTO {}.parents VALUES (1, 4), (2, NULL), (3, 9223372036854775807)",
            self.name
        ))
        .unwrap();
        let stock = |id: &str| match id {
            "1" => Some(Value::number(4)),
            "2" => Some(Value::Null),
            "3" => Some(Value::number(i64::MAX)),
            _ => None,
        };
        for text in ["i < \"order\".stock + 1", "\"order\".stock IS NOT NULL"] {
            let rule = Rule::parse(text, &scope).unwrap();
            let position = |name: &str| self.edges.iter().position(|edges| edges.name == name).unwrap();
            let breaks = |row: &Row| {
                let parent = match row[position("j")] {
                    None => Value::Null,
                    Some(id) => match stock(id) {
                        Some(stock) => stock,
                        None => return false, // undecided: the parent may only be late
                    },
                };
                let own = row[position("i")].map_or(Value::Null, |text| value(text, &Type::Int(64)));
                let inputs: Vec<Value<'_>> = rule
                    .inputs()
                    .iter()
                    .map(|input| if input.reference.is_some() { parent.clone() } else { own.clone() })
                    .collect();
                rule.evaluate(&inputs) == Some(false)
            };
            let expected: Vec<usize> = (0..self.rows.len()).filter(|id| breaks(&self.rows[*id])).collect();
            assert!(!expected.is_empty());
            let postgres = rule.offenders(
                Server::Postgres,
                &Relations { rows: "t", parents: &|_| "parents".to_owned() },
                &[r#""_row"."id""#.to_owned()],
            );
            let mut client = connect_postgres(&self.database("english"));
            let mut ids: Vec<usize> =
                client.query(&postgres, &[]).unwrap().iter().map(|row| row.get::<_, i32>(0) as usize).collect();
            ids.sort_unstable();
            assert_eq!(ids, expected, "{postgres}");
            let relations =
                Relations { rows: &format!("{}.t", self.name), parents: &|_| format!("{}.parents", self.name) };
            let clickhouse = rule.offenders(Server::ClickHouse, &relations, &[r#""_row"."id""#.to_owned()]);
            let out = self.clickhouse(&format!("{clickhouse}\nORDER BY id")).unwrap();
            let ids: Vec<usize> = out.lines().map(|line| line.parse().unwrap()).collect();
            assert_eq!(ids, expected, "{clickhouse}");
        }
    }
}
