//! The type of a port: `T[n, ceil(m / 2)]`.
//!
//! ```text
//! type   = element [ "[" [ dim { "," dim } ] "]" ]
//! dim    = "..." [ [ "<=" ] word ] | "?" | [ "<=" ] sum
//! sum    = product { ( "+" | "-" ) product }
//! product = factor { ( "*" | "/" | "//" ) factor }
//! factor = number | word | "(" sum ")" | "ceil" "(" sum "/" sum ")"
//! ```

use std::collections::BTreeSet;

use rune_ir::{
    args::{ArgSpec, ArgType},
    block::{DimExpr, PortDim, PortElement},
    ty::ElementType,
};

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;
/// Most dimensions of a port; a type record has a bit for each.
const MAX_RANK: usize = 32;

/// Reads a type, whose words are type variables, dimension variables and integer arguments.
pub(super) fn parse(
    text: &str,
    types: &[(String, Vec<ElementType>)],
    args: &[ArgSpec],
) -> Result<(PortElement, Vec<PortDim>), String> {
    let mut parser = Parser {
        rest: text,
        args,
        depth: 0,
    };
    let word = parser.word().ok_or("an element type is missing")?;
    let element =
        match types.iter().position(|(name, _)| name == word) {
            Some(variable) => PortElement::Variable(variable),
            None => PortElement::Fixed(super::element(word).ok_or_else(|| {
                format!("`{word}` is neither an element type nor one of `[types]`")
            })?),
        };
    let mut dims = Vec::new();
    if parser.eat("[") && !parser.eat("]") {
        loop {
            dims.push(parser.dim()?);
            if parser.eat("]") {
                break;
            }
            parser.expect(",")?;
        }
    }
    if !parser.rest.trim_start().is_empty() {
        return Err(format!("`{}` is too much", parser.rest.trim()));
    }
    if dims.len() > MAX_RANK {
        return Err(format!("there are more than {MAX_RANK} dimensions"));
    }
    if dims.len() > 1 && dims.contains(&PortDim::Told) {
        return Err("`?` is a whole shape and stands alone".to_owned());
    }
    if dims.iter().filter(|d| d.is_run()).count() > 1 {
        return Err("only one `...` can be told from the shape".to_owned());
    }
    Ok((element, dims))
}

/// Adds the names of an expression.
pub(super) fn names<'a>(expr: &'a DimExpr, into: &mut BTreeSet<&'a str>) {
    match expr {
        DimExpr::Number(_) => {}
        DimExpr::Name(name) => {
            into.insert(name);
        }
        DimExpr::Add(a, b)
        | DimExpr::Sub(a, b)
        | DimExpr::Mul(a, b)
        | DimExpr::Div(a, b)
        | DimExpr::FloorDiv(a, b)
        | DimExpr::CeilDiv(a, b) => {
            names(a, into);
            names(b, into);
        }
    }
}

/// Whether this is one name.
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(in_word)
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Parser<'a> {
    rest: &'a str,
    args: &'a [ArgSpec],
    depth: usize,
}

type Binary = fn(Box<DimExpr>, Box<DimExpr>) -> DimExpr;

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) {
            return Ok(());
        }
        Err(match self.rest.trim_start().chars().next() {
            Some(c) => format!("expected `{token}` before `{c}`"),
            None => format!("`{token}` is missing at the end"),
        })
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        if !is_word(word) {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    fn dim(&mut self) -> Result<PortDim, String> {
        if self.eat("...") {
            if self.eat("<=") {
                let name = self.word().ok_or("`...<=` needs a name")?;
                return Ok(PortDim::RestAtMost(name.to_owned()));
            }
            let name = |word: &str| PortDim::Rest(word.to_owned());
            return Ok(self.word().map_or(PortDim::Any, name));
        }
        if self.eat("?") {
            return Ok(PortDim::Told);
        }
        if self.eat("<=") {
            return Ok(PortDim::AtMost(self.sum()?));
        }
        Ok(PortDim::One(self.sum()?))
    }

    fn sum(&mut self) -> Result<DimExpr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the parentheses are nested too deep".to_owned());
        }
        let sum = self.chain(&[("+", DimExpr::Add), ("-", DimExpr::Sub)], Self::product)?;
        self.depth -= 1;
        Ok(sum)
    }

    fn product(&mut self) -> Result<DimExpr, String> {
        let operators: [(&str, Binary); 3] = [
            ("*", DimExpr::Mul),
            ("//", DimExpr::FloorDiv),
            ("/", DimExpr::Div),
        ];
        self.chain(&operators, Self::factor)
    }

    /// Operands of one precedence, from the left.
    fn chain(
        &mut self,
        operators: &[(&str, Binary)],
        operand: fn(&mut Self) -> Result<DimExpr, String>,
    ) -> Result<DimExpr, String> {
        let mut left = operand(self)?;
        // The tree leans left, and whoever walks it recurses.
        for _ in 0..MAX_DEPTH {
            let Some((_, make)) = operators.iter().find(|(token, _)| self.eat(token)) else {
                return Ok(left);
            };
            left = make(Box::new(left), Box::new(operand(self)?));
        }
        Err("the expression is too long".to_owned())
    }

    fn factor(&mut self) -> Result<DimExpr, String> {
        if self.eat("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let rest = self.rest.trim_start();
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        if digits > 0 {
            let (number, rest) = rest.split_at(digits);
            self.rest = rest;
            return number
                .parse()
                .map(DimExpr::Number)
                .map_err(|_| format!("{number} is too large"));
        }
        let Some(word) = self.word() else {
            return Err("a number or a name is missing".to_owned());
        };
        if word == "ceil" && self.eat("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            let DimExpr::Div(a, b) = inner else {
                return Err("`ceil` takes one quotient, such as `ceil(a / b)`".to_owned());
            };
            return Ok(DimExpr::CeilDiv(a, b));
        }
        Ok(DimExpr::Name(self.canonical(word)?))
    }

    /// The name of an argument as it is declared, where an expression cannot spell its dashes.
    fn canonical(&self, word: &str) -> Result<String, String> {
        match self.args.iter().find(|a| a.name.replace('-', "_") == word) {
            None => Ok(word.to_owned()),
            Some(arg) if matches!(arg.ty, ArgType::Integer { .. }) => Ok(arg.name.clone()),
            Some(arg) => Err(format!("`--{}` is not an integer argument", arg.name)),
        }
    }
}
