//! Reads what is about text: patterns, which are literals and resolved at once, blanks, and joining.

use sqlparser::ast;

use crate::rules::like::Like;
use crate::rules::pattern::Pattern;
use crate::rules::read::{ExprReader, Read, bare, not};
use crate::rules::tree::{Expr, Node, TrimSide};
use crate::rules::types::Kind;

impl ExprReader<'_> {
    pub(super) fn like(
        &mut self,
        text: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        ignores_case: bool,
        negated: bool,
    ) -> Read<Expr> {
        let text = self.text(text)?;
        // A CHECK with ESCAPE comes back as a function.
        let (pattern, escape) = match bare(pattern) {
            ast::Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("like_escape") => {
                match *self.arguments(function)? {
                    [pattern, escape] => (pattern, Some(escape)),
                    _ => return Err(self.refusal("like_escape has two arguments")),
                }
            }
            pattern => (pattern, escape),
        };
        let pattern = self.text_literal(pattern, "the pattern of LIKE")?;
        let escape = match escape {
            None => Some('\\'),
            Some(escape) => {
                let escape = self.text_literal(escape, "the ESCAPE of LIKE")?;
                let mut chars = escape.chars();
                match (chars.next(), chars.next()) {
                    (first, None) => first,
                    _ => return Err(self.refusal("the ESCAPE of LIKE is one character, or none")),
                }
            }
        };
        let pattern = self.checked(Like::parse(&pattern, escape, ignores_case))?;
        let like = Expr::boolean(Node::Like(Box::new(text), pattern));
        Ok(if negated { not(like) } else { like })
    }

    pub(super) fn matches(&mut self, text: &ast::Expr, pattern: &ast::Expr, ignores_case: bool) -> Read<Expr> {
        let text = self.text(text)?;
        let pattern = self.text_literal(pattern, "the pattern of ~")?;
        let pattern = self.checked(Pattern::parse(&pattern, ignores_case))?;
        Ok(Expr::boolean(Node::Match(Box::new(text), pattern)))
    }

    pub(super) fn concat(&mut self, a: &ast::Expr, b: &ast::Expr) -> Read<Expr> {
        let pair = [self.text(a)?, self.text(b)?];
        Ok(Expr::new(Node::Concat(Box::new(pair)), Kind::Text))
    }

    pub(super) fn trim(
        &mut self,
        side: Option<ast::TrimWhereField>,
        what: Option<&ast::Expr>,
        text: &ast::Expr,
    ) -> Read<Expr> {
        let side = match side {
            None | Some(ast::TrimWhereField::Both) => TrimSide::Both,
            Some(ast::TrimWhereField::Leading) => TrimSide::Leading,
            Some(ast::TrimWhereField::Trailing) => TrimSide::Trailing,
        };
        self.trimmed(side, text, what)
    }

    pub(super) fn trimmed(&mut self, side: TrimSide, text: &ast::Expr, what: Option<&ast::Expr>) -> Read<Expr> {
        if let Some(what) = what
            && self.text_literal(what, "what is trimmed")? != " "
        {
            return Err(self.refusal("beyond the subset: only blanks are trimmed: say the rest with ~"));
        }
        let text = self.text(text)?;
        Ok(Expr::new(Node::Trim(side, Box::new(text)), Kind::Text))
    }

    /// An operand that must be text.
    pub(super) fn text(&mut self, expr: &ast::Expr) -> Read<Expr> {
        let text = self.typed(expr)?;
        match text.kind {
            Kind::Text | Kind::Char => Ok(text),
            Kind::Uuid | Kind::Enum(_) => {
                Err(self.refusal(format!("{} where text is needed: say column::text", text.kind)))
            }
            kind => Err(self.refusal(format!("{kind} where text is needed: each server writes it in its own way"))),
        }
    }

    /// A text in quotes, perhaps with a cast to text behind it, as CHECK constraints have it.
    pub(super) fn text_literal(&mut self, expr: &ast::Expr, what: &str) -> Read<String> {
        match bare(expr) {
            ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::SingleQuotedString(text), .. }) => {
                Ok(text.clone())
            }
            ast::Expr::Cast { expr, data_type, .. }
                if matches!(
                    data_type.to_string().to_ascii_lowercase().as_str(),
                    "text" | "character varying" | "varchar" | "bpchar"
                ) =>
            {
                self.text_literal(expr, what)
            }
            _ => Err(self.refusal(format!(
                "beyond the subset: {what} is a text in quotes, so that it can be checked when the rule is read"
            ))),
        }
    }
}
