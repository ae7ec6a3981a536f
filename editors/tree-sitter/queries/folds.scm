; Instructions over several lines.

[
  (from)
  (label)
  (resource)
  (set)
  (replace)
  (capability)
  (proc_block)
  (model)
  (run)
  (out)
] @fold
