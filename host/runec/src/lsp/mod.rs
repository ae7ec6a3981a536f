//! The language server: an editor's questions about open Runefiles, answered from what checking them tells.
//!
//! One thread owns the documents and answers in the order asked. It never builds a block, and never runs one:
//! what only a block's `init` or `shape` can tell is worked out by threads of their own, and the documents that
//! wait for it are checked again when it is there. Models, blocks and unchanged files are read once.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "each feature is about a few of the things that stand in a Runefile or come from an editor"
)]

mod actions;
mod analysis;
mod complete;
mod diagnostics;
mod documents;
mod edits;
mod handlers;
mod hints;
mod hover;
mod line;
mod names;
mod place;
mod position;
mod symbols;
mod tokens;
mod transport;
mod uri;
mod words;
mod worker;

use std::{collections::VecDeque, io};

use crossbeam_channel::{Receiver, select, unbounded};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    LogMessageParams, MessageType, PublishDiagnosticsParams, Uri,
    notification::{
        Cancel, DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument,
        DidOpenTextDocument, Exit, LogMessage, Notification as _, PublishDiagnostics,
    },
};
use serde_json::{Value, json};

use crate::memo::Memo;
use documents::Documents;
use position::Encoding;
use worker::Worker;

/// Talks over standard input and output until the editor ends it; gives the exit status.
///
/// # Errors
/// Standard input is not what the protocol says, or standard output cannot be written.
pub fn stdio() -> io::Result<u8> {
    let (connection, threads) = transport::stdio();
    let status = serve(&connection, &Memo::new());
    drop(connection);
    threads.join()?;
    Ok(status)
}

/// Answers an editor until it ends the connection; gives the exit status: 0 where it said so before, 1 where it
/// just went. `memo` gets what is learnt.
pub fn serve(connection: &Connection, memo: &Memo) -> u8 {
    let Ok((id, params)) = connection.initialize_start() else {
        return 1;
    };
    let encoding = encoding(&params);
    let result = json!({
        "capabilities": handlers::capabilities(encoding),
        "serverInfo": { "name": "runec", "version": env!("CARGO_PKG_VERSION") },
    });
    if connection.initialize_finish(id, result).is_err() {
        return 1;
    }
    let (done, ran) = unbounded();
    let mut server = Server {
        connection,
        documents: Documents::new(memo.clone(), encoding),
        worker: Worker::new(memo, &done),
        inbox: VecDeque::new(),
        is_shut_down: false,
    };
    server.watch_files(&params);
    server.run(&ran)
}

/// The encoding of positions that an editor and we both know.
fn encoding(params: &Value) -> Encoding {
    let offered = params.pointer("/capabilities/general/positionEncodings");
    let offered =
        offered.and_then(|offered| serde_json::from_value::<Vec<_>>(offered.clone()).ok());
    Encoding::negotiate(&offered.unwrap_or_default())
}

struct Server<'c> {
    connection: &'c Connection,
    documents: Documents,
    worker: Worker,
    /// What has come and is not answered yet.
    inbox: VecDeque<Message>,
    is_shut_down: bool,
}

impl Server<'_> {
    fn run(&mut self, ran: &Receiver<()>) -> u8 {
        loop {
            if self.inbox.is_empty() && self.connection.receiver.is_empty() {
                self.publish();
                select! {
                    recv(self.connection.receiver) -> message => match message {
                        Ok(message) => self.take(message),
                        Err(_) => return u8::from(!self.is_shut_down),
                    },
                    recv(ran) -> _ => self.documents.forget_waiting(),
                }
            }
            while let Ok(message) = self.connection.receiver.try_recv() {
                self.take(message);
            }
            match self.inbox.pop_front() {
                Some(Message::Request(request)) => self.request(request),
                Some(Message::Notification(message)) if message.method == Exit::METHOD => {
                    return u8::from(!self.is_shut_down);
                }
                Some(Message::Notification(message)) => self.notification(message),
                Some(Message::Response(_)) | None => {}
            }
        }
    }

    /// Puts a message into the inbox. A cancellation takes its request out.
    fn take(&mut self, message: Message) {
        let cancelled = match &message {
            Message::Notification(message) if message.method == Cancel::METHOD => {
                let id = message.params.get("id").cloned();
                id.and_then(|id| serde_json::from_value::<RequestId>(id).ok())
            }
            _ => None,
        };
        let Some(id) = cancelled else {
            return self.inbox.push_back(message);
        };
        let is_it = |message: &Message| matches!(message, Message::Request(r) if r.id == id);
        if let Some(at) = self.inbox.iter().position(is_it) {
            self.inbox.remove(at);
            let code = ErrorCode::RequestCanceled as i32;
            self.send(Response::new_err(id, code, "cancelled".to_owned()).into());
        }
    }

    fn send(&self, message: Message) {
        // An editor that is gone ends the loop where we read from it.
        let _ = self.connection.sender.send(message);
    }

    fn notify<N: lsp_types::notification::Notification>(&self, params: N::Params) {
        self.send(Notification::new(N::METHOD.to_owned(), params).into());
    }

    fn log(&self, message: String) {
        self.notify::<LogMessage>(LogMessageParams {
            typ: MessageType::ERROR,
            message,
        });
    }

    fn request(&mut self, request: Request) {
        let id = request.id.clone();
        let response = if self.is_shut_down {
            let code = ErrorCode::InvalidRequest as i32;
            Response::new_err(id, code, "the server has been shut down".to_owned())
        } else if request.method == "shutdown" {
            self.is_shut_down = true;
            Response::new_ok(id, Value::Null)
        } else {
            let method = request.method.clone();
            match handlers::answer(&mut self.documents, request) {
                Ok(value) => Response::new_ok(id, value),
                Err(failure) => {
                    if matches!(failure.code, ErrorCode::InternalError) {
                        self.log(format!("{method}: {}", failure.message));
                    }
                    Response::new_err(id, failure.code as i32, failure.message)
                }
            }
        };
        self.send(response.into());
    }

    fn notification(&mut self, message: Notification) {
        let method = message.method.clone();
        if let Err(reason) = self.react(message) {
            self.log(format!("{method}: {reason}"));
        }
    }

    fn react(&mut self, message: Notification) -> Result<(), String> {
        fn read<N: lsp_types::notification::Notification>(
            message: Notification,
        ) -> Result<N::Params, String> {
            serde_json::from_value(message.params).map_err(|error| error.to_string())
        }
        match message.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let document = read::<DidOpenTextDocument>(message)?.text_document;
                let (uri, version) = (&document.uri, document.version);
                self.documents.open(uri, version, document.text);
            }
            DidChangeTextDocument::METHOD => {
                let params = read::<DidChangeTextDocument>(message)?;
                let document = &params.text_document;
                let changes = params.content_changes;
                if !self
                    .documents
                    .change(&document.uri, document.version, changes)
                {
                    return Err(format!("{} is not open", document.uri.as_str()));
                }
            }
            DidCloseTextDocument::METHOD => {
                let uri = read::<DidCloseTextDocument>(message)?.text_document.uri;
                self.documents.close(&uri);
                self.worker.want(self.documents.waits());
                self.notify::<PublishDiagnostics>(PublishDiagnosticsParams::new(
                    uri,
                    Vec::new(),
                    None,
                ));
            }
            DidChangeWatchedFiles::METHOD => self.documents.forget_all(),
            // Others are of no concern; the protocol says that they may be passed over.
            _ => {}
        }
        Ok(())
    }

    /// Tells what was found in the documents that changed, and starts the runs they wait for.
    fn publish(&mut self) {
        while let Some((uri, analysis)) = self.documents.next_untold() {
            match analysis {
                Ok(analysis) => {
                    let Ok(uri) = uri.parse::<Uri>() else {
                        continue;
                    };
                    let found = diagnostics::all(&analysis);
                    let params = PublishDiagnosticsParams::new(uri, found, Some(analysis.version));
                    self.notify::<PublishDiagnostics>(params);
                }
                Err(reason) => self.log(format!("{uri}: {reason}")),
            }
            if !self.connection.receiver.is_empty() {
                break;
            }
        }
        self.worker.want(self.documents.waits());
    }

    /// Asks the editor to tell of files that change on disk, where it can.
    fn watch_files(&self, params: &Value) {
        let can =
            params.pointer("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
        if can != Some(&Value::Bool(true)) {
            return;
        }
        let watchers = json!([{ "globPattern": "**/*" }]);
        let params = json!({ "registrations": [{
            "id": "files",
            "method": DidChangeWatchedFiles::METHOD,
            "registerOptions": { "watchers": watchers },
        }] });
        let id = RequestId::from("watch".to_owned());
        let request = Request::new(id, "client/registerCapability".to_owned(), params);
        self.send(request.into());
    }
}
