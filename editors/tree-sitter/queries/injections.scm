; What plugins for notes in comments mark there.

((comment) @injection.content
  (#set! injection.language "comment"))
