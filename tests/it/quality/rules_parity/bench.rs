//! The same rows in two PostgreSQL databases, in ClickHouse and in Rust.

use chrono::NaiveDate;
use lockstep::rules::{CLICKHOUSE_SETTINGS, POSTGRES_SETTINGS, Refusal, Rule, Scope, ScopeColumn, Server, Value};
use postgres::SimpleQueryMessage;

use super::edges::{Edges, Row, columns, rows, value};
use crate::support::{clickhouse_url, connect_postgres};

/// Expressions of one statement.
const AT_ONCE: usize = 40;

/// The servers with the rows.
pub struct Bench {
    pub name: String,
    pub scope: Scope,
    pub edges: Vec<Edges>,
    pub rows: Vec<Row>,
}

const ORDERS: [(&str, &str); 2] =
    [("bytes", "LOCALE 'C'"), ("english", "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'")];

impl Bench {
    pub fn new(test: &str) -> Bench {
        let edges = columns();
        let columns =
            edges.iter().map(|edges| ScopeColumn { name: edges.name.to_owned(), ty: edges.ty.clone() }).collect();
        let scope = Scope::of(columns, NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
        let bench = Bench { name: format!("rules_{test}_{}", std::process::id()), scope, rows: rows(&edges), edges };
        bench.create();
        bench
    }

    pub fn database(&self, order: &str) -> String {
        format!("{}_{order}", self.name)
    }

    fn create(&self) {
        let payload = self.payload();
        let columns = |types: fn(&Edges) -> String| -> String {
            self.edges
                .iter()
                .map(|edges| format!(", \"{}\" {}", edges.name.replace('"', "\"\""), types(edges)))
                .collect()
        };
        let mut admin = connect_postgres("postgres");
        for (order, locale) in ORDERS {
            admin
                .batch_execute(&format!(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' {locale}",
                    self.database(order)
                ))
                .unwrap();
            let mut client = connect_postgres(&self.database(order));
            let columns = columns(|edges| edges.postgres.to_owned());
            client
                .batch_execute(&format!(
                    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TABLE t (id integer{columns})"
                ))
                .unwrap();
            let mut copy = client.copy_in("COPY t FROM STDIN").unwrap();
            std::io::Write::write_all(&mut copy, payload.as_bytes()).unwrap();
            copy.finish().unwrap();
        }
        self.clickhouse(&format!("CREATE DATABASE {}", self.name)).unwrap();
        let columns: String = self
            .edges
            .iter()
            .map(|edges| format!(", `{}` Nullable({})", edges.name.replace('\\', "\\\\"), edges.clickhouse))
            .collect();
        self.clickhouse(&format!("CREATE TABLE {}.t (id Int32{columns}) ENGINE = MergeTree ORDER BY id", self.name))
            .unwrap();
        self.clickhouse(&format!("INSERT INTO {}.t FORMAT TSV\n{payload}", self.name)).unwrap();
    }

    /// What both servers read: tabs between values, backslashes before what is special.
    fn payload(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
        let cell = |cell: &Option<&str>| format!("\t{}", cell.map_or_else(|| "\\N".to_owned(), escaped));
        self.rows
            .iter()
            .enumerate()
            .map(|(id, row)| format!("{id}{}\n", row.iter().map(cell).collect::<String>()))
            .collect()
    }

    pub fn rule(&self, text: &str) -> Result<Rule, Refusal> {
        Rule::parse(text, &self.scope)
    }

    /// Every judge says the same about every row.
    #[track_caller]
    pub fn agree(&self, texts: &[String]) {
        let rules: Vec<Rule> =
            texts.iter().map(|text| self.rule(text).unwrap_or_else(|refusal| panic!("{text}\n{refusal}"))).collect();
        let mut differences = Vec::new();
        for (texts, rules) in texts.chunks(AT_ONCE).zip(rules.chunks(AT_ONCE)) {
            let rust: Answers =
                rules.iter().map(|rule| self.rows.iter().map(|row| self.in_rust(rule, row)).collect()).collect();
            for (judge, answers) in [
                ("PostgreSQL, bytes", self.in_postgres("bytes", rules)),
                ("PostgreSQL, English", self.in_postgres("english", rules)),
                ("ClickHouse", self.in_clickhouse(rules)),
            ] {
                for ((text, rule), (rust, answers)) in texts.iter().zip(rules).zip(rust.iter().zip(answers)) {
                    differences.extend(self.difference(judge, text, rule, rust, &answers));
                }
            }
        }
        let shown: Vec<&String> = differences.iter().take(15).collect();
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            shown.into_iter().map(|d| format!("{d}\n")).collect::<String>()
        );
    }

    fn difference(
        &self,
        judge: &str,
        text: &str,
        rule: &Rule,
        rust: &[Option<bool>],
        answers: &Result<Vec<Option<bool>>, String>,
    ) -> Option<String> {
        let server = if judge == "ClickHouse" { Server::ClickHouse } else { Server::Postgres };
        match answers {
            Err(error) => Some(format!("{text}\n  {judge} fails: {error}\n  {}", rule.text(server))),
            Ok(answers) => {
                let row = rust.iter().zip(answers).position(|(rust, answer)| rust != answer)?;
                let inputs: Vec<String> = rule
                    .inputs()
                    .iter()
                    .map(|input| format!("{} = {:?}", input.column, self.cell(row, &input.column)))
                    .collect();
                Some(format!(
                    "{text}\n  {}\n  Rust {:?}, {judge} {:?}\n  {}",
                    inputs.join(", "),
                    rust[row],
                    answers.get(row),
                    rule.text(server)
                ))
            }
        }
    }

    fn cell(&self, row: usize, column: &str) -> Option<&'static str> {
        let position = self.edges.iter().position(|edges| edges.name == column).unwrap();
        self.rows[row][position]
    }

    fn in_rust(&self, rule: &Rule, row: &Row) -> Option<bool> {
        let inputs: Vec<Value<'_>> = rule
            .inputs()
            .iter()
            .map(|input| {
                let position = self.edges.iter().position(|edges| edges.name == input.column).unwrap();
                row[position].map_or(Value::Null, |text| value(text, &input.ty))
            })
            .collect();
        rule.evaluate(&inputs)
    }

    fn in_postgres(&self, order: &str, rules: &[Rule]) -> Vec<Result<Vec<Option<bool>>, String>> {
        let mut client = connect_postgres(&self.database(order));
        for (name, value) in POSTGRES_SETTINGS {
            client.batch_execute(&format!("SET {name} = '{value}'")).unwrap();
        }
        let mut ask = |rules: &[Rule]| -> Result<Answers, String> {
            let columns: Vec<String> = rules
                .iter()
                .map(|rule| format!("{} IS TRUE, {} IS NULL", rule.text(Server::Postgres), rule.text(Server::Postgres)))
                .collect();
            let messages = client
                .simple_query(&format!("SELECT {} FROM t AS \"_row\" ORDER BY id", columns.join(", ")))
                .map_err(|error| format!("{error:?}"))?;
            let rows: Vec<Vec<String>> = messages
                .iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|i| row.get(i).unwrap().to_owned()).collect())
                    }
                    _ => None,
                })
                .collect();
            Ok(answers(rules.len(), &rows))
        };
        one_by_one(rules, &mut ask)
    }

    fn in_clickhouse(&self, rules: &[Rule]) -> Vec<Result<Vec<Option<bool>>, String>> {
        let mut ask = |rules: &[Rule]| -> Result<Answers, String> {
            let text = |rule: &Rule| rule.text(Server::ClickHouse);
            let columns: Vec<String> =
                rules.iter().map(|rule| format!("{} IS TRUE, {} IS NULL", text(rule), text(rule))).collect();
            let out = self.clickhouse(&format!(
                "SELECT {} FROM {}.t AS _row ORDER BY id FORMAT TSV",
                columns.join(", "),
                self.name
            ))?;
            let rows: Vec<Vec<String>> =
                out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
            Ok(answers(rules.len(), &rows))
        };
        one_by_one(rules, &mut ask)
    }

    pub fn clickhouse(&self, sql: &str) -> Result<String, String> {
        let settings: Vec<String> = CLICKHOUSE_SETTINGS.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent
            .post(format!("{}?{}", clickhouse_url(), settings.join("&")))
            .send(sql)
            .expect("ClickHouse: is the stack up? make up");
        let body = response.body_mut().with_config().limit(1 << 30).read_to_string().expect("ClickHouse's answer");
        if response.status().is_success() { Ok(body) } else { Err(body) }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let mut admin = connect_postgres("postgres");
        for (order, _) in ORDERS {
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database(order)));
        }
        let _ = self.clickhouse(&format!("DROP DATABASE IF EXISTS {}", self.name));
    }
}

/// For each rule, the answer about each row.
type Answers = Vec<Vec<Option<bool>>>;

fn answers(rules: usize, rows: &[Vec<String>]) -> Answers {
    let is = |text: &str| matches!(text, "t" | "1" | "true");
    let answer = |row: &Vec<String>, i: usize| if is(&row[2 * i + 1]) { None } else { Some(is(&row[2 * i])) };
    (0..rules).map(|i| rows.iter().map(|row| answer(row, i)).collect()).collect()
}

/// All at once; if that fails, one after the other, so that the failing one is known.
fn one_by_one(
    rules: &[Rule],
    ask: &mut dyn FnMut(&[Rule]) -> Result<Answers, String>,
) -> Vec<Result<Vec<Option<bool>>, String>> {
    match ask(rules) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if rules.len() == 1 => vec![Err(error)],
        Err(_) => {
            rules.iter().map(|rule| ask(std::slice::from_ref(rule)).map(|mut answers| answers.remove(0))).collect()
        }
    }
}
