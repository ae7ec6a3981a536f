; A continued line is indented.

[
  (from)
  (label)
  (resource)
  (set)
  (capability)
  (proc_block)
  (model)
  (run)
  (out)
] @indent.begin
