// Runefiles for editors; ../../grammar/runefile.pest is the exact grammar, and ../../grammar/LANGUAGE.md says
// it in words. Whatever that one accepts, this one accepts without an error; the other way round it is a
// little kinder (README.md lists where).

// Characters that look like blanks, or like nothing, and are neither.
const ODD = "\\u0000\\u000B\\u000C\\u0085\\u00A0\\u2000-\\u200F\\u2028\\u2029\\u202F\\u205F\\u2060\\u3000\\uFEFF";

/** One character of a word, but none of `without` and no backslash. */
const other = (without) => `[^ \\t\\r\\n\\\\${ODD}${without}]`;

/** One character of a word with the backslashes before it: whether one at the end of a word belongs to it
 * depends on what follows, see `tail`. */
const unit = (without, after = without) => `(${other(without)}|\\\\+${other(after)})`;

/** A word whose first character is none of `first` and whose others are none of `rest`. */
const wordOf = (first, rest) => `${unit(first, rest)}${unit(rest)}*`;

const regex = (text) => new RegExp(text, "u");

/** A word, the backslashes at its end included; nothing else can be a word that has only them. */
const word = ($, start) => seq(choice(start, "\\"), repeat($._tail));

const QUOTES = "\"'";
const LETTER = "A-Za-z";

/** A value behind a blank: it begins neither with `--` and a letter nor, unless that is all, with `=`. */
const SPACED = [
  wordOf(`,${QUOTES}\\[=#\\-`, ","),
  "=",
  "-",
  `-${wordOf(",\\-", ",")}`,
  "--",
  `--${wordOf(`,${LETTER}`, ",")}`,
].join("|");

const INTEGER = "-?[0-9]+";
const EXPONENT = "[eE][+\\-]?[0-9]+";
const FLOAT = `-?([0-9]+\\.[0-9]*(${EXPONENT})?|\\.[0-9]+(${EXPONENT})?|[0-9]+${EXPONENT})`;
const NAME = `[${LETTER}][${LETTER}0-9_\\-]*|_[${LETTER}0-9_\\-]+`;
const IMAGE = unit("@#");

module.exports = grammar({
  name: "runefile",

  // All that needs a look at what stands before or behind is in src/scanner.c.
  externals: ($) => [$.comment, $.continuation, $._double_quoted, $._single_quoted],
  extras: ($) => [/[ \t]/, $.continuation, $.comment],
  word: ($) => $.name,

  rules: {
    source_file: ($) =>
      seq(repeat(seq(optional($._instruction), $._newline)), optional($._instruction)),
    _newline: (_) => /\r\n|\n|\r/,

    _instruction: ($) =>
      choice(
        $.from,
        $.for,
        $.label,
        $.resource,
        $.set,
        $.replace,
        $.capability,
        $.proc_block,
        $.model,
        $.run,
        $.out,
      ),

    // Instructions

    from: ($) => seq("FROM", field("image", $.image), optional(seq($.as, field("name", $.name)))),
    as: (_) => /[aA][sS]/,
    for: ($) => seq("FOR", field("image", $.image)),
    label: ($) => seq("LABEL", repeat1($.pair)),
    resource: ($) =>
      seq("RESOURCE", field("path", $._word), optional(field("name", $.name)), repeat($.argument)),
    set: ($) => seq("SET", field("stage", $.name), repeat1($.argument)),
    replace: ($) => seq("REPLACE", choice($.capability, $.proc_block, $.model, $.out)),
    capability: ($) => seq("CAPABILITY", $._stage),
    proc_block: ($) => seq("PROC_BLOCK", $._stage),
    model: ($) => seq("MODEL", $._stage),
    // Which of the two is kind or path and which the name is found out later: the order has changed once.
    _stage: ($) =>
      seq(
        optional($.types),
        field("first", $._word),
        field("second", $._word),
        repeat($.argument),
      ),
    out: ($) =>
      seq(
        "OUT",
        optional($.types),
        field("first", $._word),
        optional(field("second", $._word)),
        repeat($.argument),
      ),
    run: ($) => seq("RUN", repeat(choice($.stage, $.group))),

    image: ($) =>
      word(
        $,
        regex(`${unit(`@#${QUOTES}\\-<=`, "@#")}${IMAGE}*(@${IMAGE}+)?(#${IMAGE}+)?`),
      ),

    pair: ($) => seq(field("key", $.key), token.immediate("="), field("value", $._label_value)),
    key: (_) => /[A-Za-z0-9_.\/\-]+/,
    _label_value: ($) => choice($.string, alias($._label_text, $.text)),
    _label_text: ($) => word($, token.immediate(regex(wordOf(QUOTES, "")))),

    group: ($) => seq("[", $.stage, repeat(seq(",", $.stage)), "]"),
    stage: ($) => seq(field("name", $.name), optional(seq(token.immediate("."), $.port))),
    port: (_) => token.immediate(/[0-9]+/),

    // Words

    _word: ($) => choice($.name, $.path, $.string),
    name: (_) => regex(NAME),
    path: ($) =>
      choice(word($, regex(wordOf(`${QUOTES}\\-<\\[#=`, ""))), seq($.name, repeat1($._tail))),
    /** A backslash at the end of a word; at the end of a line it is a continuation instead. */
    _tail: (_) => token.immediate("\\"),

    // Types

    types: ($) => seq("<", $._type_list, optional(seq("->", $._type_list)), ">"),
    _type_list: ($) => seq($.type, repeat(seq(",", $.type))),
    type: ($) => seq(field("element", $.element), optional($.dimensions)),
    element: (_) => /[A-Za-z0-9_]+/,
    dimensions: ($) => seq("[", $.dimension, repeat(seq(",", $.dimension)), "]"),
    dimension: (_) => /_|(<=[ \t]*)?[0-9]+/,

    // Arguments

    argument: ($) =>
      seq(
        field("name", $.flag),
        field("value", choice(seq(token.immediate("="), $._joined_value), $._value)),
      ),
    flag: (_) => /--[A-Za-z][A-Za-z0-9_\-]*|-[A-Za-z]/,

    _value: ($) =>
      choice(
        $.integer,
        $.float,
        $.reference,
        $.string,
        $.text,
        alias($.bare_list, $.list),
        alias($.boxed_list, $.list),
      ),
    integer: (_) => regex(INTEGER),
    float: (_) => regex(FLOAT),
    reference: (_) => regex(`\\$(${NAME})`),
    text: ($) =>
      choice(
        word($, regex(SPACED)),
        seq(choice($.integer, $.float, $.reference), repeat1($._tail)),
      ),
    bare_list: ($) => seq($._first_item, $._items),
    _first_item: ($) =>
      choice(
        $.string,
        $.text,
        alias($.integer, $.text),
        alias($.float, $.text),
        alias($.reference, $.text),
      ),
    _items: ($) =>
      repeat1(seq(token.immediate(","), choice($.string, alias($._item, $.text)))),
    _item: ($) => word($, regex(wordOf(`,${QUOTES}\\[`, ","))),

    // The same behind a `=`, where nothing but a quote and a bracket is special.
    _joined_value: ($) =>
      choice(
        alias($._joined_integer, $.integer),
        alias($._joined_float, $.float),
        alias($._joined_reference, $.reference),
        $.string,
        alias($._joined_text, $.text),
        alias($.joined_list, $.list),
        alias($.boxed_list, $.list),
      ),
    _joined_integer: (_) => token.immediate(regex(INTEGER)),
    _joined_float: (_) => token.immediate(regex(FLOAT)),
    _joined_reference: (_) => token.immediate(regex(`\\$(${NAME})`)),
    _joined_text: ($) =>
      choice(
        word($, token.immediate(regex(wordOf(`,${QUOTES}\\[`, ",")))),
        seq(
          choice($._joined_integer, $._joined_float, $._joined_reference),
          repeat1($._tail),
        ),
      ),
    joined_list: ($) =>
      seq(
        choice(
          $.string,
          alias($._joined_text, $.text),
          alias($._joined_integer, $.text),
          alias($._joined_float, $.text),
          alias($._joined_reference, $.text),
        ),
        $._items,
      ),

    boxed_list: ($) =>
      seq("[", optional(seq($._boxed, repeat(seq(",", $._boxed)))), "]"),
    _boxed: ($) => choice($.string, alias($._boxed_text, $.text)),
    _boxed_text: ($) => word($, regex(wordOf(`,\\]${QUOTES}\\[#`, ",\\]"))),

    string: ($) =>
      choice(
        seq('"', repeat(choice($._double_quoted, $.escape)), token.immediate('"')),
        seq("'", repeat(choice($._single_quoted, $.escape)), token.immediate("'")),
      ),
    escape: (_) =>
      token.immediate(/\\(u\{[0-9A-Fa-f]*\}|[ \t]*(\r\n|\n|\r)|[^\r\n])/),
  },
});
