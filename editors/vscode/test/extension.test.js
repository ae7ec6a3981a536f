// The extension against a stand-in of VS Code: it starts the right program and says what is wrong.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const Module = require("node:module");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const State = { Stopped: 1, Running: 2, Starting: 3 };

/** What the extension did, and what it is told. */
let world;

class LanguageClient {
  #listeners = [];
  constructor(id, name, server, options) {
    Object.assign(this, { id, name, server, options, running: false, disposed: 0 });
    world.clients.push(this);
  }
  onDidChangeState(listener) {
    this.#listeners.push(listener);
  }
  async start() {
    assert.equal(world.clients.filter((c) => c.running).length, 0, "one server at a time");
    await new Promise(setImmediate);
    if (world.startError) throw world.startError;
    this.running = true;
    for (const listener of this.#listeners) listener({ newState: State.Running });
  }
  async dispose() {
    await new Promise(setImmediate);
    this.running = false;
    this.disposed++;
  }
}

const on = (event) => (listener) => {
  world.events[event] = listener;
  return { dispose() {} };
};

const vscode = {
  LanguageStatusSeverity: { Information: 0, Warning: 1, Error: 2 },
  window: {
    createOutputChannel: () => ({
      appendLine: (line) => world.output.push(line),
      show: () => world.shown++,
      dispose() {},
    }),
    showErrorMessage: async (message) => {
      world.errors.push(message);
      return world.answer;
    },
  },
  languages: { createLanguageStatusItem: () => (world.status = { dispose() {} }) },
  commands: {
    registerCommand: (name, run) => {
      world.commands[name] = run;
      return { dispose() {} };
    },
    executeCommand: (...command) => world.executed.push(command),
  },
  workspace: {
    get isTrusted() {
      return world.trusted;
    },
    getConfiguration: () => ({ get: (key) => world.settings[key] }),
    onDidChangeConfiguration: on("configuration"),
    onDidGrantWorkspaceTrust: on("trust"),
  },
};

const load = Module._load;
Module._load = (request, ...rest) => {
  if (request === "vscode") return vscode;
  if (request === "vscode-languageclient/node") return { LanguageClient, State };
  return load(request, ...rest);
};
const extension = require("../extension.js");

/** A program that answers `--version`. */
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runefile-"));
const program = path.join(folder, "runec");
fs.writeFileSync(program, "#!/bin/sh\necho runec 1.2.3\n", { mode: 0o755 });
const broken = path.join(folder, "broken");
fs.writeFileSync(broken, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
test.after(() => fs.rmSync(folder, { recursive: true }));

test.beforeEach(() => {
  world = {
    trusted: true,
    settings: { "rune.runec.path": program },
    clients: [],
    commands: {},
    errors: [],
    events: {},
    executed: [],
    output: [],
    shown: 0,
  };
});

const activate = async () => {
  const context = { subscriptions: [] };
  await extension.activate(context);
  return context;
};

test("starts `runec lsp` for Runefiles of both kinds", async () => {
  await activate();
  assert.equal(world.clients.length, 1);
  const [client] = world.clients;
  assert.deepEqual(client.server, { command: program, args: ["lsp"] });
  const selector = client.options.documentSelector;
  assert.ok(selector.some((s) => s.language === "runefile" && s.scheme === "file"));
  assert.ok(selector.some((s) => s.pattern?.includes("Runefile.{yml,yaml}")));
  assert.equal(world.status.text, "runec 1.2.3");
  assert.equal(world.status.busy, false);
  assert.deepEqual(world.errors, []);
  await extension.deactivate();
  assert.equal(client.running, false);
});

test("says how to install a program that is not there", async () => {
  world.settings["rune.runec.path"] = path.join(folder, "absent");
  world.answer = "Open Settings";
  await activate();
  await new Promise(setImmediate);
  assert.equal(world.clients.length, 0);
  assert.equal(world.errors.length, 1);
  assert.match(world.errors[0], /absent` was not found\. Install it with `cargo install/);
  assert.equal(world.status.severity, vscode.LanguageStatusSeverity.Error);
  assert.deepEqual(world.executed, [["workbench.action.openSettings", "rune.runec.path"]]);
});

test("says when the program is another one", async () => {
  world.settings["rune.runec.path"] = broken;
  world.answer = "Show Output";
  await activate();
  await new Promise(setImmediate);
  assert.match(world.errors[0], /broken --version` failed/);
  assert.equal(world.shown, 1);
});

test("says when the server does not start, and starts it anew when asked", async () => {
  world.startError = new Error("no such subcommand");
  await activate();
  assert.match(world.errors[0], /lsp` did not start: no such subcommand/);
  world.startError = undefined;
  await world.commands["rune.restart"]();
  assert.equal(world.clients.at(-1).running, true);
  assert.equal(world.status.text, "runec 1.2.3");
});

test("restarts one after the other, and with another program when the setting changes", async () => {
  await activate();
  await Promise.all([world.commands["rune.restart"](), world.commands["rune.restart"]()]);
  assert.equal(world.clients.length, 3);
  assert.deepEqual(world.clients.map((c) => c.running), [false, false, true]);
  const other = path.join(folder, "other");
  fs.copyFileSync(program, other);
  world.settings["rune.runec.path"] = other;
  world.events.configuration({ affectsConfiguration: (key) => key === "editor.fontSize" });
  world.events.configuration({ affectsConfiguration: (key) => key === "rune.runec.path" });
  await extension.deactivate();
  assert.equal(world.clients.length, 4);
  assert.equal(world.clients[3].server.command, other);
  assert.equal(world.clients[3].running, false);
});

test("starts nothing in a folder that is not trusted, until it is", async () => {
  world.trusted = false;
  const { subscriptions } = await activate();
  world.events.configuration({ affectsConfiguration: () => true });
  assert.ok(subscriptions.length >= 6);
  assert.equal(world.clients.length, 0);
  world.trusted = true;
  world.events.trust();
  await extension.deactivate();
  assert.equal(world.clients.length, 1);
});

test("what package.json names is there", () => {
  const manifest = require("../package.json");
  const { commands, grammars, languages, configuration } = manifest.contributes;
  const files = [manifest.main, ...grammars.map((g) => g.path)];
  files.push(...languages.flatMap((l) => l.configuration ?? []));
  for (const file of files) assert.ok(fs.existsSync(path.join(__dirname, "..", file)), file);
  const source = fs.readFileSync(path.join(__dirname, "../extension.js"), "utf8");
  for (const { command } of commands) assert.ok(source.includes(`"${command}"`), command);
  assert.equal(configuration.properties["rune.runec.path"].default, "runec");
});
