// What of a Runefile depends on its surroundings: comments, continuations, and the inside of strings.

#include "tree_sitter/parser.h"

// The order of `externals` in grammar.js.
enum Token { COMMENT, CONTINUATION, DOUBLE_QUOTED, SINGLE_QUOTED };

void *tree_sitter_runefile_external_scanner_create(void) { return NULL; }
void tree_sitter_runefile_external_scanner_destroy(void *state) { (void)state; }
unsigned tree_sitter_runefile_external_scanner_serialize(void *state, char *buffer) {
  (void)state;
  (void)buffer;
  return 0;
}
void tree_sitter_runefile_external_scanner_deserialize(void *state, const char *buffer, unsigned length) {
  (void)state;
  (void)buffer;
  (void)length;
}

static bool is_blank(int32_t c) { return c == ' ' || c == '\t'; }

static bool at_line_end(TSLexer *lexer) {
  return lexer->lookahead == '\n' || lexer->lookahead == '\r' || lexer->eof(lexer);
}

static void advance(TSLexer *lexer) { lexer->advance(lexer, false); }

// Passes over a line feed, a carriage return, or both.
static void advance_newline(TSLexer *lexer) {
  bool carriage_return = lexer->lookahead == '\r';
  if (!lexer->eof(lexer)) advance(lexer);
  if (carriage_return && lexer->lookahead == '\n') advance(lexer);
}

// What stands between two quotes, up to an escape. A string ends with its line.
static bool scan_quoted(TSLexer *lexer, int32_t quote, enum Token token) {
  bool any = false;
  while (lexer->lookahead != quote && lexer->lookahead != '\\' && !at_line_end(lexer)) {
    advance(lexer);
    any = true;
  }
  lexer->result_symbol = token;
  return any;
}

bool tree_sitter_runefile_external_scanner_scan(void *state, TSLexer *lexer, const bool *valid) {
  (void)state;
  // Both at once are valid only where the parser recovers from an error.
  if (valid[DOUBLE_QUOTED] != valid[SINGLE_QUOTED]) {
    return valid[DOUBLE_QUOTED] ? scan_quoted(lexer, '"', DOUBLE_QUOTED)
                                : scan_quoted(lexer, '\'', SINGLE_QUOTED);
  }
  uint32_t blanks = 0;
  for (; is_blank(lexer->lookahead); blanks++) lexer->advance(lexer, true);
  if (lexer->lookahead == '#') {
    uint32_t column = lexer->get_column(lexer) - blanks;
    // Behind a word `#` is a character like any other; a byte order mark is none.
    if (column > 1 && blanks == 0) return false;
    while (!at_line_end(lexer)) advance(lexer);
    // A line that is only a comment is passed over whole, so it may stand inside a continued instruction.
    if (column == 0) advance_newline(lexer);
    lexer->result_symbol = COMMENT;
    return true;
  }
  if (lexer->lookahead == '\\') {
    advance(lexer);
    while (is_blank(lexer->lookahead)) advance(lexer);
    if (!at_line_end(lexer)) return false;
    advance_newline(lexer);
    lexer->result_symbol = CONTINUATION;
    return true;
  }
  return false;
}
