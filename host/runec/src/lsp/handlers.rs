//! Each request of the protocol, from its parameters to its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lsp_server::{ErrorCode, Request};
use lsp_types::{
    self as lsp, CompletionItem, CompletionItemKind, CompletionTextEdit, DocumentHighlight,
    DocumentHighlightKind, Documentation, Hover, HoverContents, Location, MarkupContent,
    MarkupKind, PrepareRenameResponse, Range, SemanticTokens, TextEdit, Uri, WorkspaceEdit,
    request::{self as method, Request as _},
};
use rune_ir::diag::Span;
use serde_json::{Value, json};

use super::{
    actions,
    analysis::{Analysis, OWN},
    complete::{self, Item, Kind},
    diagnostics,
    documents::Documents,
    hints, hover, names,
    names::Target,
    place::Use,
    position::{Encoding, Lines},
    symbols, tokens, uri,
};

/// Why there is no answer.
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Failure {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What an editor may ask, for the answer to `initialize`.
pub(crate) fn capabilities(encoding: Encoding) -> Value {
    json!({
        "positionEncoding": encoding.kind(),
        "textDocumentSync": { "openClose": true, "change": 2, "save": false },
        "hoverProvider": true,
        "completionProvider": {
            "triggerCharacters": [" ", "-", "=", "/", ".", "$", "<", "[", ","],
            "resolveProvider": true,
        },
        "definitionProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "documentSymbolProvider": true,
        "codeActionProvider": {
            "codeActionKinds": ["quickfix", "refactor.rewrite", "source.fixAll"],
        },
        "documentFormattingProvider": true,
        "renameProvider": { "prepareProvider": true },
        "foldingRangeProvider": true,
        "selectionRangeProvider": true,
        "semanticTokensProvider": {
            "legend": { "tokenTypes": tokens::TYPES, "tokenModifiers": tokens::MODIFIERS },
            "full": true,
            "range": true,
        },
        "inlayHintProvider": true,
    })
}

/// Answers a request. A handler that panics is a fault of ours, and the next request is answered all the same.
pub(crate) fn answer(documents: &mut Documents, request: Request) -> Result<Value, Failure> {
    let answer = catch_unwind(AssertUnwindSafe(|| dispatch(documents, request)));
    answer.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::new(
            ErrorCode::InternalError,
            text.unwrap_or("a panic"),
        ))
    })
}

fn dispatch(documents: &mut Documents, request: Request) -> Result<Value, Failure> {
    let Request { method, params, .. } = request;
    match method.as_str() {
        method::HoverRequest::METHOD => on::<method::HoverRequest>(documents, params, |d, p| {
            let at = p.text_document_position_params;
            with(d, &at, |analysis, offset| {
                let (span, text) = hover::hover(analysis, offset)?;
                Some(Hover {
                    contents: HoverContents::Markup(markdown(text)),
                    range: Some(diagnostics::range(analysis, span)),
                })
            })
        }),
        method::Completion::METHOD => on::<method::Completion>(documents, params, |d, p| {
            let uri = p.text_document_position.text_document.uri.clone();
            let items = with(d, &p.text_document_position, |analysis, offset| {
                let (items, taken) = complete::complete(analysis, offset);
                let span = Span::new(OWN, offset - taken, offset);
                let range = analysis.lines.range(analysis.text(), span);
                Some(
                    items
                        .into_iter()
                        .enumerate()
                        .map(|(i, item)| completion(&uri, i, item, range))
                        .collect(),
                )
            })?;
            Ok(items.map(lsp::CompletionResponse::Array))
        }),
        method::ResolveCompletionItem::METHOD => {
            on::<method::ResolveCompletionItem>(documents, params, |d, item| Ok(resolve(d, item)))
        }
        method::GotoDefinition::METHOD => {
            on::<method::GotoDefinition>(documents, params, |d, p| {
                let at = p.text_document_position_params;
                with(d, &at, |analysis, offset| {
                    let targets = names::definition(analysis, offset);
                    let places = targets.into_iter().filter_map(|target| match target {
                        Target::Span(span) => diagnostics::location(analysis, span),
                        Target::File(path) => Some(Location::new(
                            uri::of(&crate::memo::normal(&path))?,
                            Range::default(),
                        )),
                    });
                    Some(lsp::GotoDefinitionResponse::Array(places.collect()))
                })
            })
        }
        method::References::METHOD => on::<method::References>(documents, params, |d, p| {
            let declared = p.context.include_declaration;
            with(d, &p.text_document_position, |analysis, offset| {
                let (symbol, _) = names::symbol(analysis, offset)?;
                let all = names::occurrences(analysis, symbol).into_iter();
                let wanted = all.filter(|o| declared || o.use_ == Use::Reference);
                Some(
                    wanted
                        .filter_map(|o| diagnostics::location(analysis, o.span))
                        .collect(),
                )
            })
        }),
        method::DocumentHighlightRequest::METHOD => {
            on::<method::DocumentHighlightRequest>(documents, params, |d, p| {
                with(d, &p.text_document_position_params, highlights)
            })
        }
        method::PrepareRenameRequest::METHOD => {
            on::<method::PrepareRenameRequest>(documents, params, |d, p| {
                with(d, &p, |analysis, offset| {
                    let (symbol, span) = names::symbol(analysis, offset)?;
                    Some(PrepareRenameResponse::RangeWithPlaceholder {
                        range: diagnostics::range(analysis, span),
                        placeholder: symbol.name().to_owned(),
                    })
                })
            })
        }
        method::Rename::METHOD => on::<method::Rename>(documents, params, |d, p| rename(d, &p)),
        method::DocumentSymbolRequest::METHOD => {
            on::<method::DocumentSymbolRequest>(documents, params, |d, p| {
                let symbols = whole(d, &p.text_document.uri, symbols::symbols)?;
                Ok(symbols.map(lsp::DocumentSymbolResponse::Nested))
            })
        }
        method::CodeActionRequest::METHOD => {
            on::<method::CodeActionRequest>(documents, params, |d, p| {
                let only = p.context.only;
                let found = whole(d, &p.text_document.uri, |analysis| {
                    let range = analysis.lines.offsets(analysis.text(), p.range);
                    actions::actions(analysis, &range, only.as_deref())
                })?;
                Ok(found.map(|all| all.into_iter().map(Into::into).collect()))
            })
        }
        method::Formatting::METHOD => on::<method::Formatting>(documents, params, |d, p| {
            whole(d, &p.text_document.uri, actions::canonical)
        }),
        method::FoldingRangeRequest::METHOD => {
            on::<method::FoldingRangeRequest>(documents, params, |d, p| {
                whole(d, &p.text_document.uri, symbols::folding)
            })
        }
        method::SelectionRangeRequest::METHOD => {
            on::<method::SelectionRangeRequest>(documents, params, |d, p| {
                whole(d, &p.text_document.uri, |analysis| {
                    let offset = |at: &lsp::Position| analysis.lines.offset(analysis.text(), *at);
                    let places = p.positions.iter().map(offset);
                    places.map(|at| symbols::selection(analysis, at)).collect()
                })
            })
        }
        method::SemanticTokensFullRequest::METHOD => {
            on::<method::SemanticTokensFullRequest>(documents, params, |d, p| {
                let tokens = whole(d, &p.text_document.uri, |analysis| {
                    semantic(analysis, 0..analysis.text().len())
                })?;
                Ok(tokens.map(lsp::SemanticTokensResult::Tokens))
            })
        }
        method::SemanticTokensRangeRequest::METHOD => {
            on::<method::SemanticTokensRangeRequest>(documents, params, |d, p| {
                let tokens = whole(d, &p.text_document.uri, |analysis| {
                    semantic(analysis, analysis.lines.offsets(analysis.text(), p.range))
                })?;
                Ok(tokens.map(lsp::SemanticTokensRangeResult::Tokens))
            })
        }
        method::InlayHintRequest::METHOD => {
            on::<method::InlayHintRequest>(documents, params, |d, p| {
                whole(d, &p.text_document.uri, |analysis| {
                    hints::hints(analysis, &analysis.lines.offsets(analysis.text(), p.range))
                })
            })
        }
        other => Err(Failure::new(
            ErrorCode::MethodNotFound,
            format!("there is no method {other}"),
        )),
    }
}

/// Reads parameters, and writes the answer.
fn on<R: method::Request>(
    documents: &mut Documents,
    params: Value,
    handle: impl FnOnce(&mut Documents, R::Params) -> Result<R::Result, Failure>,
) -> Result<Value, Failure> {
    let params = serde_json::from_value(params)
        .map_err(|error| Failure::new(ErrorCode::InvalidParams, error.to_string()))?;
    let answer = handle(documents, params)?;
    serde_json::to_value(answer)
        .map_err(|error| Failure::new(ErrorCode::InternalError, error.to_string()))
}

/// An answer about a whole document.
fn whole<T>(
    documents: &mut Documents,
    uri: &Uri,
    answer: impl FnOnce(&Analysis) -> T,
) -> Result<Option<T>, Failure> {
    Ok(Some(answer(&*open(documents, uri)?)))
}

fn open(documents: &mut Documents, uri: &Uri) -> Result<std::sync::Arc<Analysis>, Failure> {
    let not_open = || {
        let message = format!("{} is not open", uri.as_str());
        Failure::new(ErrorCode::InvalidParams, message)
    };
    documents.analysis(uri.as_str()).ok_or_else(not_open)
}

/// An answer about a place in a document.
fn with<T>(
    documents: &mut Documents,
    at: &lsp::TextDocumentPositionParams,
    answer: impl FnOnce(&Analysis, usize) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let analysis = open(documents, &at.text_document.uri)?;
    let offset = analysis.lines.offset(analysis.text(), at.position);
    Ok(answer(&analysis, offset))
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent {
        kind: MarkupKind::Markdown,
        value,
    }
}

fn completion(uri: &Uri, index: usize, item: Item, range: Range) -> CompletionItem {
    let kind = match item.kind {
        Kind::Keyword => CompletionItemKind::KEYWORD,
        Kind::Image => CompletionItemKind::MODULE,
        Kind::Peripheral => CompletionItemKind::CLASS,
        Kind::Block => CompletionItemKind::FUNCTION,
        Kind::Stage => CompletionItemKind::VARIABLE,
        Kind::Resource => CompletionItemKind::REFERENCE,
        Kind::Argument | Kind::Label => CompletionItemKind::PROPERTY,
        Kind::Value => CompletionItemKind::VALUE,
        Kind::Type => CompletionItemKind::TYPE_PARAMETER,
        Kind::File => CompletionItemKind::FILE,
        Kind::Folder => CompletionItemKind::FOLDER,
    };
    let is_block = item.kind == Kind::Block;
    CompletionItem {
        label: item.text.clone(),
        kind: Some(kind),
        detail: Some(item.detail).filter(|detail| !detail.is_empty()),
        documentation: item
            .doc
            .map(|doc| Documentation::MarkupContent(markdown(doc))),
        sort_text: Some(format!("{index:05}")),
        data: is_block.then(|| json!({ "uri": uri, "block": item.text })),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(range, item.text))),
        ..CompletionItem::default()
    }
}

/// Adds the documentation of a block.
fn resolve(documents: &mut Documents, mut item: CompletionItem) -> CompletionItem {
    let data = item.data.as_ref();
    let text = |key| data.and_then(|data| data.get(key)).and_then(Value::as_str);
    if let (Some(uri), Some(block)) = (text("uri"), text("block"))
        && let Some(analysis) = documents.analysis(uri)
        && let Some(page) = complete::block_page(&analysis, block)
    {
        item.documentation = Some(Documentation::MarkupContent(markdown(page)));
    }
    item
}

fn highlights(analysis: &Analysis, offset: usize) -> Option<Vec<DocumentHighlight>> {
    let (symbol, _) = names::symbol(analysis, offset)?;
    let here = names::occurrences(analysis, symbol).into_iter();
    let here = here.filter(|o| o.span.file == OWN);
    let highlight = here.map(|o| DocumentHighlight {
        range: diagnostics::range(analysis, o.span),
        kind: Some(match o.use_ {
            Use::Definition => DocumentHighlightKind::WRITE,
            Use::Reference => DocumentHighlightKind::READ,
        }),
    });
    Some(highlight.collect())
}

fn rename(
    documents: &mut Documents,
    params: &lsp::RenameParams,
) -> Result<Option<WorkspaceEdit>, Failure> {
    let at = &params.text_document_position;
    let analysis = open(documents, &at.text_document.uri)?;
    let others = documents.others(at.text_document.uri.as_str());
    let borrowed: Vec<&Analysis> = others.iter().map(|other| &**other).collect();
    let offset = analysis.lines.offset(analysis.text(), at.position);
    let changes = names::rename(&analysis, &borrowed, offset, &params.new_name)
        .map_err(|reason| Failure::new(ErrorCode::RequestFailed, reason))?;
    let mut edits = serde_json::Map::new();
    for (path, pieces) in changes {
        let all = std::iter::once(&analysis).chain(&others);
        let text = all
            .flat_map(|a| {
                a.checked
                    .sources
                    .iter()
                    .map(move |(file, _, text)| (names::path(a, file), text))
            })
            .find(|(other, _)| *other == path);
        let (Some((_, text)), Some(uri)) = (text, uri::of(&path)) else {
            continue;
        };
        let lines = Lines::new(text, analysis.lines.encoding());
        let pieces = pieces
            .into_iter()
            .map(|(span, new)| TextEdit::new(lines.range(text, span), new));
        edits.insert(uri.as_str().to_owned(), json!(pieces.collect::<Vec<_>>()));
    }
    let edit = serde_json::from_value(json!({ "changes": edits }));
    edit.map(Some)
        .map_err(|error| Failure::new(ErrorCode::InternalError, error.to_string()))
}

fn semantic(analysis: &Analysis, range: std::ops::Range<usize>) -> SemanticTokens {
    SemanticTokens {
        result_id: None,
        data: tokens::tokens(analysis, range),
    }
}
