; Names are defined by instructions, in any order of words and lines, and used by RUN, SET and `$name`.

(source_file) @local.scope
(capability (name) @local.definition)
(proc_block (name) @local.definition)
(model (name) @local.definition)
(out (name) @local.definition)
(resource name: (name) @local.definition)
(stage name: (name) @local.reference)
(set stage: (name) @local.reference)
