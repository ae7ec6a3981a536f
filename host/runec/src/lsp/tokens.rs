//! Semantic tokens: which words are what, for colours.

use lsp_types::{SemanticToken, SemanticTokenModifier, SemanticTokenType};
use rune_ir::diag::Span;
use rune_runefile::tree::Value;

use super::{
    analysis::Analysis,
    place::{Symbol, Use, What},
    position::Lines,
};

/// The kinds of tokens, in the order of their numbers.
pub(crate) const TYPES: [SemanticTokenType; 10] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::NAMESPACE,
    SemanticTokenType::TYPE,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::STRING,
    SemanticTokenType::NUMBER,
    SemanticTokenType::COMMENT,
];

/// What else may be said of a token; bit 0 of its modifiers.
pub(crate) const MODIFIERS: [SemanticTokenModifier; 1] = [SemanticTokenModifier::DEFINITION];

/// The tokens that lie in a range of bytes, as differences from one to the next.
pub(crate) fn tokens(analysis: &Analysis, range: std::ops::Range<usize>) -> Vec<SemanticToken> {
    let mut spans: Vec<(Span, u32, u32)> = Vec::new();
    for part in analysis.parts() {
        let (ty, modifiers) = match &part.what {
            What::Keyword(_) => (SemanticTokenType::KEYWORD, 0),
            What::Image(_)
            | What::Name {
                symbol: Symbol::Alias(_),
                ..
            } => (SemanticTokenType::NAMESPACE, 0),
            What::LabelKey(_) => (SemanticTokenType::PROPERTY, 0),
            What::LabelValue(_) | What::File(_) => (SemanticTokenType::STRING, 0),
            What::Kind { .. } | What::Type => (SemanticTokenType::TYPE, 0),
            What::Block(_) => (SemanticTokenType::FUNCTION, 0),
            What::Name { use_, .. } => (
                SemanticTokenType::VARIABLE,
                u32::from(*use_ == Use::Definition),
            ),
            What::Argument(_) => (SemanticTokenType::PARAMETER, 0),
            What::Port { .. } => (SemanticTokenType::NUMBER, 0),
            What::Value(arg) => match arg.value.value {
                Value::Integer(_) | Value::Float(_) => (SemanticTokenType::NUMBER, 0),
                Value::Text(_) | Value::List(_) | Value::Reference(_) => {
                    (SemanticTokenType::STRING, 0)
                }
            },
        };
        spans.push((part.span, number(&ty), modifiers));
    }
    let comments = analysis.tree().comments.iter();
    let comment = number(&SemanticTokenType::COMMENT);
    spans.extend(comments.map(|span| (*span, comment, 0)));
    spans.sort_unstable_by_key(|(span, ..)| *span);
    spans.retain(|(span, ..)| (span.start as usize) < range.end && range.start < span.end as usize);
    encode(analysis.text(), &analysis.lines, &spans)
}

fn number(ty: &SemanticTokenType) -> u32 {
    let position = TYPES.iter().position(|known| known == ty);
    position.map_or(0, |at| at as u32)
}

/// Tokens by rising start; one that spans lines becomes one for each.
fn encode(text: &str, lines: &Lines, spans: &[(Span, u32, u32)]) -> Vec<SemanticToken> {
    let encoding = lines.encoding();
    let mut tokens = Vec::with_capacity(spans.len());
    // Line of the last token, the byte it begins at, and the byte where that line begins.
    let (mut line, mut at) = (0, 0);
    let mut end = 0;
    for (span, token_type, modifiers) in spans {
        let mut rest = span.start as usize..span.end as usize;
        if rest.start < end {
            continue;
        }
        end = rest.end;
        while !rest.is_empty() {
            let piece = &text[rest.clone()];
            let length = piece.find(['\r', '\n']).unwrap_or(piece.len());
            let start = rest.start;
            let after = piece[length..].find(|c| c != '\r' && c != '\n');
            rest.start = after.map_or(rest.end, |after| start + length + after);
            if length == 0 {
                continue;
            }
            let (this, begin) = lines.line(start);
            let delta_line = (this - line) as u32;
            let from = if delta_line == 0 { at } else { begin };
            tokens.push(SemanticToken {
                delta_line,
                delta_start: encoding.width(&text[from..start]),
                length: encoding.width(&text[start..start + length]),
                token_type: *token_type,
                token_modifiers_bitset: *modifiers,
            });
            (line, at) = (this, start);
        }
    }
    tokens
}
