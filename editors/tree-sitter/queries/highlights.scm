; Words

[
  "FROM"
  "FOR"
  "LABEL"
  "RESOURCE"
  "SET"
  "REPLACE"
  "CAPABILITY"
  "PROC_BLOCK"
  "MODEL"
  "RUN"
  "OUT"
  (as)
] @keyword

(image) @module
(key) @property
(path) @string.special.path
((path) @constant
  (#match? @constant "^\\$"))
(name) @variable
(port) @number

; Kinds, in either word order

((capability first: (name) @constant.builtin)
  (#any-of? @constant.builtin
    "RAND" "rand" "random" "SOUND" "AUDIO" "sound" "audio" "ACCEL" "accel" "ACCELEROMETER" "accelerometer"
    "IMAGE" "image" "CAMERA" "RAW" "raw" "FLOAT_IMAGE" "float-image" "float_image"
    "TEMPERATURE" "temperature" "GPIO" "gpio"))
((capability first: (name) @variable second: (name) @constant.builtin)
  (#match? @variable "[a-z]")
  (#any-of? @constant.builtin "RAND" "SOUND" "AUDIO" "ACCEL" "ACCELEROMETER" "IMAGE" "CAMERA" "RAW"
    "FLOAT_IMAGE" "TEMPERATURE" "GPIO"))
((out first: (name) @constant.builtin)
  (#any-of? @constant.builtin "SERIAL" "serial"))

; Types

(element) @type
((element) @type.builtin
  (#any-of? @type.builtin
    "_" "U8" "I8" "U16" "I16" "U32" "I32" "U64" "I64" "F32" "F64" "UTF8" "u8" "i8" "u16" "i16" "u32" "i32"
    "u64" "i64" "f32" "f64" "utf8"))
(dimension) @number

; Arguments and values

(flag) @variable.parameter
(integer) @number
(float) @number.float
(text) @string
(string) @string
(escape) @string.escape
(reference) @constant

; Signs

["<" ">" "[" "]"] @punctuation.bracket
["," "."] @punctuation.delimiter
["=" "->"] @operator
(continuation) @punctuation.special

; Comments

(comment) @comment
((comment) @comment.directive
  (#match? @comment.directive "^#[ \t]*runec:"))
