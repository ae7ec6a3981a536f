// Runefiles in Visual Studio Code: starts `runec lsp` and says so where it cannot.

"use strict";

const { execFile } = require("node:child_process");
const { promisify } = require("node:util");
const vscode = require("vscode");
const { LanguageClient, State } = require("vscode-languageclient/node");

const SETTING = "rune.runec.path";
const INSTALL = "Install it with `cargo install --path host/runec` in a checkout of Rune, "
  + `or set \`${SETTING}\` to where it is.`;
const OPEN_SETTINGS = "Open Settings";
const SHOW_OUTPUT = "Show Output";

/** The language server, started and stopped one after the other however fast one asks. */
class Server {
  #client;
  #output;
  #status;
  #queue = Promise.resolve();

  constructor(output, status) {
    this.#output = output;
    this.#status = status;
  }

  /** Starts the program of the settings, in place of what runs. */
  restart() {
    return this.#next(async () => {
      await this.#stop();
      await this.#start(vscode.workspace.getConfiguration().get(SETTING) || "runec");
    });
  }

  stop() {
    return this.#next(() => this.#stop());
  }

  #next(step) {
    this.#queue = this.#queue.then(step, step);
    return this.#queue;
  }

  async #stop() {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    try {
      await client.dispose();
    } catch (error) {
      this.#output.appendLine(`The language server did not stop as it should: ${error.message}`);
    }
  }

  async #start(program) {
    this.#show("Starting", program, "Information", true);
    let version;
    try {
      version = await versionOf(program);
    } catch (error) {
      this.#fail(error.code === "ENOENT" ? `\`${program}\` was not found. ${INSTALL}`
        : `\`${program} --version\` failed: ${error.message}`);
      return;
    }
    const client = new LanguageClient(
      "rune",
      "Rune",
      { command: program, args: ["lsp"] },
      {
        documentSelector: [
          { scheme: "file", language: "runefile" },
          { scheme: "untitled", language: "runefile" },
          { scheme: "file", pattern: "**/Runefile.{yml,yaml}" },
        ],
        outputChannel: this.#output,
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) this.#show(version, "running", "Information");
      if (newState === State.Stopped) this.#show(version, "stopped", "Warning");
    });
    this.#client = client;
    try {
      await client.start();
    } catch (error) {
      this.#client = undefined;
      this.#fail(`\`${program} lsp\` did not start: ${error.message}`);
    }
  }

  /** Says what is wrong once, and as long as it is. Does not wait for an answer. */
  #fail(message) {
    this.#output.appendLine(message);
    this.#show("No language server", message, "Error");
    vscode.window.showErrorMessage(message, OPEN_SETTINGS, SHOW_OUTPUT).then((choice) => {
      if (choice === OPEN_SETTINGS) {
        vscode.commands.executeCommand("workbench.action.openSettings", SETTING);
      }
      if (choice === SHOW_OUTPUT) this.#output.show();
    });
  }

  #show(text, detail, severity, busy = false) {
    this.#status.text = text;
    this.#status.detail = detail;
    this.#status.severity = vscode.LanguageStatusSeverity[severity];
    this.#status.busy = busy;
  }
}

/** What `runec --version` prints. */
async function versionOf(program) {
  const { stdout } = await promisify(execFile)(program, ["--version"], { timeout: 10_000 });
  return stdout.trim();
}

let server;

async function activate(context) {
  const output = vscode.window.createOutputChannel("Rune");
  const status = vscode.languages.createLanguageStatusItem("rune.server", [
    { language: "runefile" },
    { pattern: "**/Runefile.{yml,yaml}" },
  ]);
  status.name = "Rune";
  status.command = { command: "rune.restart", title: "Restart" };
  server = new Server(output, status);
  context.subscriptions.push(
    output,
    status,
    vscode.commands.registerCommand("rune.restart", () => server.restart()),
    vscode.commands.registerCommand("rune.showOutput", () => output.show()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(SETTING) && vscode.workspace.isTrusted) server.restart();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => server.restart()),
  );
  // A folder that is not trusted must not choose a program to run.
  if (vscode.workspace.isTrusted) await server.restart();
}

function deactivate() {
  return server?.stop();
}

module.exports = { activate, deactivate };
