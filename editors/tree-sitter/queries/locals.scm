; Names are defined by instructions on any line, and used by RUN and SET.

(source_file) @local.scope
(capability second: (name) @local.definition)
(proc_block second: (name) @local.definition)
(model second: (name) @local.definition)
(out second: (name) @local.definition)
(resource name: (name) @local.definition)
(stage name: (name) @local.reference)
(set stage: (name) @local.reference)
