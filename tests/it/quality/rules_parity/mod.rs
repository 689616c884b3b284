//! One text, three judges: the same answer about the same row in Rust, in PostgreSQL (in the order of bytes, and in that of American
//! English), and in ClickHouse; of every function over the values at its edges, and of expressions that chance makes.

mod bench;
mod chance;
mod edges;
mod functions;
mod offenders;

use bench::Bench;

#[test]
fn every_function_has_one_answer_at_its_edges() {
    let bench = Bench::new("edges");
    bench.agree(&functions::all());
}

#[test]
fn expressions_that_chance_makes_have_one_answer() {
    let bench = Bench::new("chance");
    let texts: Vec<String> = chance::expressions(1_500);
    let read: Vec<String> = texts.into_iter().filter(|text| bench.rule(text).is_ok()).collect();
    assert!(read.len() > 750, "only {} of 1,500 are in the subset", read.len());
    bench.agree(&read);
}

/// A row whose parent is only late is no offender; a row that breaks the rule is, in both servers.
#[test]
fn offenders_are_the_rows_that_break_a_rule() {
    Bench::new("offenders").offenders();
}
