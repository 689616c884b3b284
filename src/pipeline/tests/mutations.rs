//! A pipeline's file from anyone: whatever stands in it, there is an answer and no panic.

use proptest::prelude::*;

use crate::pipeline::tests::{SHOP, read};

const PIECES: [&str; 24] = [
    "",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    "\n",
    "\\",
    "\"\"\"",
    "'''",
    "[[",
    "0",
    "null",
    "not null",
    "[tables.x]\n",
    "ü\u{301}",
    "\0",
    "\u{feff}",
    "1979-05-27",
    "key = [\"id\"]\n",
    "= { exclude = \"\" }\n",
];

/// A text with some ranges of it replaced: by pieces of TOML, or by other parts of itself.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0usize..40, any::<prop::sample::Index>(), 0usize..60, any::<bool>());
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text = SHOP.to_owned();
        for (place, cut, piece, copied, copies) in changes {
            let boundary = |text: &str, at: usize| {
                (at.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0)
            };
            let start = boundary(&text, place.index(text.len() + 1));
            let end = boundary(&text, start + cut);
            let from = boundary(&text, piece.index(text.len() + 1));
            let to = boundary(&text, from + copied);
            let new = if copies { text[from..to].to_owned() } else { PIECES[piece.index(PIECES.len())].to_owned() };
            text.replace_range(start..end, &new);
        }
        text
    })
}

fn judge(text: &str) -> Result<(), TestCaseError> {
    match read(text) {
        Ok(pipeline) => {
            for table in &pipeline.tables {
                let columns = table
                    .columns
                    .iter()
                    .map(|_| crate::pipeline::WarehouseColumn { column_type: "String".to_owned(), comment: None });
                let ddl = crate::pipeline::create_table(
                    &pipeline,
                    pipeline.warehouse.database.as_str(),
                    table,
                    &columns.collect::<Vec<_>>(),
                );
                prop_assert!(ddl.ends_with(";\n"));
                for rule in &table.rules {
                    pipeline.texts.place(&pipeline.texts.within(&rule.expect, rule.expect.len()));
                }
            }
            crate::pipeline::connector_settings(&pipeline);
            crate::pipeline::source(&pipeline).unwrap();
        }
        Err(problems) => {
            prop_assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                let (line, column) = problem.place.unwrap();
                prop_assert!(line <= text.matches('\n').count() + 1 && column >= 1, "{}", problem);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_mutated_file_has_an_answer(text in mutated()) {
        judge(&text)?;
    }

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,80}") {
        judge(&text)?;
    }
}

#[test]
fn depth_and_size_are_no_trouble() {
    for text in [
        "[".repeat(50_000),
        format!("a = {}", "[".repeat(50_000)),
        format!("a = {}", "{ a = ".repeat(50_000)),
        format!("{}b = 1", "a.".repeat(50_000)),
        format!("{SHOP}example = {{ id = {}1{} }}", "[".repeat(70), "]".repeat(70)),
        (0..2_000).map(|i| format!("[tables.t{i}]\nreferences.r = {{ table = \"t{}\" }}\n", (i + 1) % 2_000)).collect(),
    ] {
        assert!(!read(&text).unwrap_err().0.is_empty());
    }
}
