//! The open documents: their texts as the editor has them, and what is known of each.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use lsp_types::{TextDocumentContentChangeEvent, Uri};

use super::{
    analysis::Analysis,
    position::{Encoding, Lines},
    uri,
};
use crate::memo::{Memo, Run};

/// A text that an editor has open.
struct Document {
    path: PathBuf,
    version: i32,
    text: String,
    lines: Arc<Lines>,
    /// What is known of this version; `None`: nothing yet.
    analysis: Option<Arc<Analysis>>,
    /// What was found has been told.
    published: bool,
}

/// Every open document, by its URI as the editor writes it.
pub(crate) struct Documents {
    open: BTreeMap<String, Document>,
    memo: Memo,
    encoding: Encoding,
}

impl Documents {
    pub(crate) fn new(memo: Memo, encoding: Encoding) -> Self {
        Self {
            open: BTreeMap::new(),
            memo,
            encoding,
        }
    }

    pub(crate) fn open(&mut self, uri: &Uri, version: i32, text: String) {
        let path = uri::path(uri);
        let document = Document {
            version,
            lines: Arc::new(Lines::new(&text, self.encoding)),
            text,
            analysis: None,
            published: false,
            path,
        };
        self.memo
            .set_buffer(&document.path, Some(document.text.as_bytes().into()));
        self.forget_children(&document.path);
        self.open.insert(uri.as_str().to_owned(), document);
    }

    /// Makes changes one after the other; says whether there is such a document.
    pub(crate) fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> bool {
        let Some(document) = self.open.get_mut(uri.as_str()) else {
            return false;
        };
        for change in changes {
            match change.range {
                Some(range) => {
                    let range = document.lines.offsets(&document.text, range);
                    document.text.replace_range(range, &change.text);
                }
                None => document.text = change.text,
            }
            document.lines = Arc::new(Lines::new(&document.text, self.encoding));
        }
        document.version = version;
        document.analysis = None;
        document.published = false;
        let path = document.path.clone();
        self.memo
            .set_buffer(&path, Some(document.text.as_bytes().into()));
        self.forget_children(&path);
        true
    }

    pub(crate) fn close(&mut self, uri: &Uri) {
        if let Some(document) = self.open.remove(uri.as_str()) {
            self.memo.set_buffer(&document.path, None);
            self.forget_children(&document.path);
        }
    }

    /// Nothing is known any more of the documents that read the file at `path`, or may.
    fn forget_children(&mut self, path: &Path) {
        for document in self.open.values_mut() {
            let has_layers = document.analysis.as_ref().is_some_and(|analysis| {
                analysis.checked.layers.len() > 1
                    || analysis
                        .checked
                        .diagnostics
                        .iter()
                        .any(|d| d.code.number().starts_with("R08"))
            });
            if has_layers && document.path != path {
                document.analysis = None;
                document.published = false;
            }
        }
    }

    /// Nothing is known any more of any document: some file has changed.
    pub(crate) fn forget_all(&mut self) {
        for document in self.open.values_mut() {
            document.analysis = None;
            document.published = false;
        }
    }

    /// Nothing is known any more of the documents that wait for runs.
    pub(crate) fn forget_waiting(&mut self) {
        for document in self.open.values_mut() {
            if document
                .analysis
                .as_ref()
                .is_some_and(|a| !a.waits.is_empty())
            {
                document.analysis = None;
                document.published = false;
            }
        }
    }

    /// What is known of a document, worked out where it is not; `None`: it is not open.
    pub(crate) fn analysis(&mut self, uri: &str) -> Option<Arc<Analysis>> {
        let document = self.open.get_mut(uri)?;
        let Document {
            path,
            version,
            text,
            lines,
            analysis,
            ..
        } = document;
        let analysis = analysis.get_or_insert_with(|| {
            Arc::new(Analysis::new(
                path,
                *version,
                text,
                lines.clone(),
                &self.memo,
            ))
        });
        Some(analysis.clone())
    }

    /// What is known of every document but one.
    pub(crate) fn others(&mut self, uri: &str) -> Vec<Arc<Analysis>> {
        let others: Vec<String> = self.open.keys().filter(|u| *u != uri).cloned().collect();
        others.iter().filter_map(|uri| self.analysis(uri)).collect()
    }

    /// The next document whose findings have not been told, with what is known of it. A document that cannot
    /// be analysed is passed over until it changes.
    pub(crate) fn next_untold(&mut self) -> Option<(String, Result<Arc<Analysis>, String>)> {
        let (uri, document) = self.open.iter_mut().find(|(_, d)| !d.published)?;
        document.published = true;
        let uri = uri.clone();
        let analysis = catch_unwind(AssertUnwindSafe(|| self.analysis(&uri)));
        match analysis {
            Ok(analysis) => Some((uri, Ok(analysis?))),
            Err(_) => Some((uri, Err("the document cannot be analysed".to_owned()))),
        }
    }

    /// The runs that documents wait for.
    pub(crate) fn waits(&self) -> Vec<Run> {
        let analyses = self.open.values().filter_map(|d| d.analysis.as_ref());
        let mut runs: Vec<Run> = Vec::new();
        for run in analyses.flat_map(|a| &a.waits) {
            if !runs.contains(run) {
                runs.push(run.clone());
            }
        }
        runs
    }
}
