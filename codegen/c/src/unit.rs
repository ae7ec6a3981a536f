//! The header and the translation unit around the translated functions.
#![expect(clippy::format_collect, reason = "lists of parameters are short")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    Host, Mode, Options, Output,
    calls::Calls,
    function::{Function, tuple},
    module::{Layout, Module, Signature, Ty},
    parts::{self, identifiers},
    value::literal,
};

/// Why a rune trapped, as its host is told: names in the header and in the runtime, the first is 1.
const TRAPS: [(&str, &str); 9] = [
    ("UNREACHABLE", "an instruction that is never to run"),
    ("MEMORY", "an access outside of memory"),
    ("DIVIDE_BY_ZERO", "an integer divided by zero"),
    (
        "INTEGER_OVERFLOW",
        "a result that no integer of its type is",
    ),
    (
        "INVALID_CONVERSION",
        "not a number, where an integer was wanted",
    ),
    ("TABLE", "a call of an entry that the table does not have"),
    ("NULL", "a call of an entry of the table that is empty"),
    (
        "SIGNATURE",
        "a call of an entry of the table of another type",
    ),
    ("EXHAUSTED", "too many calls within each other"),
];

/// Puts everything together.
pub(crate) fn assemble(
    module: &Module<'_>,
    layout: &Layout,
    calls: &Calls,
    functions: &[Option<Function>],
    options: &Options,
) -> Output {
    let unit = Unit {
        module,
        layout,
        calls,
        functions,
        name: &options.name,
        limit: options.call_limit,
        exports: exports(module),
    };
    let (source, vectors) = unit.source();
    let prefix = &options.name;
    Output {
        source,
        header: unit.header(vectors),
        exports: unit
            .exports
            .iter()
            .map(|(name, c, _)| ((*name).to_owned(), format!("{prefix}_{c}")))
            .collect(),
        first: None,
    }
}

struct Unit<'a> {
    module: &'a Module<'a>,
    layout: &'a Layout,
    calls: &'a Calls,
    functions: &'a [Option<Function>],
    name: &'a str,
    limit: u32,
    /// Name in the module, name in C after the prefix, function.
    exports: Vec<(&'a str, String, u32)>,
}

/// A name of C for each exported function, `_call` as `call`.
fn exports<'a>(module: &Module<'a>) -> Vec<(&'a str, String, u32)> {
    let mut taken: BTreeSet<String> = ["context", "init", "v128", "trap"].map(String::from).into();
    let mut name = |text: &str| {
        let mut base = identifier(text.strip_prefix('_').unwrap_or(text));
        // Names that begin with a capital letter are of the header.
        if !base.starts_with(|c: char| c.is_ascii_lowercase()) {
            base.insert_str(0, "export_");
        }
        let mut name = base.clone();
        let mut count = 1;
        while name.starts_with("values_") || !taken.insert(name.clone()) {
            count += 1;
            name = format!("export_{base}_{count}");
        }
        name
    };
    let exports = module.exports.iter();
    exports
        .map(|&(text, function)| (text, name(text), function))
        .collect()
}

/// Letters, digits and underscores as they are, at most 40 of them, and underscores for the rest.
fn identifier(text: &str) -> String {
    let char = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    text.chars().take(40).map(char).collect()
}

impl Unit<'_> {
    /// The type in C of what a function gives; its header knows it with the prefix.
    fn result(&self, signature: &Signature, inside: bool) -> String {
        let (name, one) = (self.name, signature.results.first());
        match (signature.results.len(), one) {
            (1, Some(Ty::V128)) if !inside => format!("{name}_v128"),
            (1, Some(ty)) => ty.c().to_owned(),
            (0, _) => "void".to_owned(),
            _ if inside => tuple(&signature.results),
            _ => tuple(&signature.results).replacen('r', name, 1),
        }
    }

    fn ty(&self, ty: Ty) -> String {
        match ty {
            Ty::V128 => format!("{}_v128", self.name),
            Ty::I32 | Ty::I64 | Ty::F32 | Ty::F64 => ty.c().to_owned(),
        }
    }

    /// The types of parameters for the header, after the first one.
    fn parameters(&self, signature: &Signature) -> String {
        let types = signature.params.iter();
        types.map(|ty| format!(", {}", self.ty(*ty))).collect()
    }

    /// Types of several results that a list of functions has.
    fn tuples<'s>(&self, signatures: impl Iterator<Item = &'s Signature>) -> String {
        let all: BTreeMap<String, &Signature> = signatures
            .filter(|s| s.results.len() > 1)
            .map(|s| (tuple(&s.results).replacen('r', self.name, 1), s))
            .collect();
        let mut out = String::new();
        for (name, signature) in all {
            let fields = signature.results.iter().enumerate();
            let fields: String = fields
                .map(|(i, ty)| format!(" {} v{i};", self.ty(*ty)))
                .collect();
            let _ = writeln!(out, "typedef struct {{{fields} }} {name};");
        }
        out
    }

    fn header(&self, vectors: bool) -> String {
        let (name, layout) = (self.name, self.layout);
        let upper = name.to_ascii_uppercase();
        let mut out = format!(
            "/* A rune translated to C by runec; {name}.c has the code. */\n\
             #ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n\
             #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n"
        );
        let room = self.room();
        let _ = writeln!(
            out,
            "/* Bytes of memory that the context needs{}. */\n#define {upper}_MEMORY_BYTES {room}u",
            if layout.grows { " at first" } else { "" },
        );
        if let Some(bytes) = self.module.constants {
            let _ = writeln!(
                out,
                "/* Bytes of constants in {name}.c, which no memory is needed for. */\n\
                 #define {upper}_CONSTANT_BYTES {bytes}u"
            );
        }
        let _ = match self.calls.depth {
            Some(depth) => writeln!(
                out,
                "/* The most calls of its functions within each other; none calls itself. */\n\
                 #define {upper}_CALL_DEPTH {depth}u\n"
            ),
            None => writeln!(
                out,
                "/* Functions that call themselves may do so as often, and trap then. */\n\
                 #define {upper}_CALL_LIMIT {}u\n",
                self.limit
            ),
        };
        if vectors {
            let _ = write!(
                out,
                "#if defined(__GNUC__) && !defined(RUNE_PLAIN)\n\
                 typedef uint8_t {name}_v128 __attribute__((vector_size(16)));\n#else\n\
                 typedef struct {{ uint8_t bytes[16]; }} {name}_v128;\n#endif\n\n"
            );
        }
        let _ = writeln!(out, "/* Why a rune trapped. */\nenum {{");
        for (index, (trap, meaning)) in TRAPS.iter().enumerate() {
            let _ = writeln!(
                out,
                "    {upper}_TRAP_{trap} = {}, /* {meaning} */",
                index + 1
            );
        }
        out.push_str("};\n\n");
        let public = self.exports.iter().map(|e| self.module.signature(e.2));
        let imported = (0..self.module.imports.len()).map(|i| self.module.signature(i as u32));
        let inner = self.module.types.iter();
        out.push_str(&self.tuples(public.chain(imported).chain(inner)));
        self.context(&mut out);
        let _ = writeln!(
            out,
            "/* Puts memory, variables and tables to what they start as. */\n\
             void {name}_init({name}_context *c);\n"
        );
        for (export, c, function) in &self.exports {
            let signature = self.module.signature(*function);
            let _ = writeln!(
                out,
                "/* `{}` */\n{} {name}_{c}({name}_context *c{});",
                comment(export),
                self.result(signature, false),
                self.parameters(signature)
            );
        }
        out.push_str("\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
        out
    }

    /// Bytes of memory at the start. Masked accesses begin within memory and may end after it.
    fn room(&self) -> u32 {
        match self.layout.mode {
            Mode::Mask => self.layout.bytes + 16,
            Mode::Bounds | Mode::None => self.layout.bytes,
        }
    }

    /// The context: what the host sets, and what the rune changes.
    fn context(&self, out: &mut String) {
        let (name, layout) = (self.name, self.layout);
        let _ = write!(
            out,
            "/* A rune that runs. The host sets the first part before `{name}_init`; imports must not call the rune. */\n\
             typedef struct {name}_context {{\n"
        );
        if layout.host == Host::Context {
            self.hosted(out);
        }
        let _ = writeln!(out, "    /* The rune's own. */\n    uint32_t depth;");
        if layout.grows {
            let _ = writeln!(out, "    uint32_t memory_bytes;");
        }
        for (index, global) in self.module.globals.iter().enumerate() {
            if global.mutable {
                let _ = writeln!(out, "    {} g{index};", self.ty(global.ty));
            }
        }
        if self.has_passive() {
            let _ = writeln!(out, "    uint8_t dropped[{}];", self.module.segments.len());
        }
        let _ = writeln!(out, "}} {name}_context;\n");
        if layout.host == Host::Unit {
            let _ = writeln!(
                out,
                "/* Where memory begins, in bytes from the context. */\n\
                 #define {}_MEMORY_AT ((sizeof({name}_context) + 15u) / 16u * 16u)\n",
                name.to_ascii_uppercase()
            );
        }
    }

    /// What of the context the host sets.
    fn hosted(&self, out: &mut String) {
        let (name, layout) = (self.name, self.layout);
        let _ = writeln!(
            out,
            "    /* {} bytes, {}. */\n    uint8_t *memory;",
            if layout.grows {
                "`memory_capacity`".to_owned()
            } else {
                format!("{}_MEMORY_BYTES", name.to_ascii_uppercase())
            },
            match layout.align {
                1 => "of any alignment".to_owned(),
                align => format!("aligned to {align}"),
            }
        );
        if layout.grows {
            let _ = writeln!(
                out,
                "    /* The most bytes that memory may take, at least what it starts with. */\n\
                 \x20   uint32_t memory_capacity;"
            );
        }
        let _ = writeln!(
            out,
            "    /* Told to the functions below. */\n    void *host;\n\
             \x20   /* Must not return; of what trapped only `{name}_init` makes a rune again. */\n\
             \x20   void (*trap)(void *host, int why);"
        );
        for (index, wanted) in self.module.imports.iter().enumerate() {
            let signature = self.module.signature(index as u32);
            let _ = writeln!(
                out,
                "    /* `{}` of `{}` */\n    {} (*{})(void *host{});",
                comment(wanted.name),
                comment(wanted.module),
                self.result(signature, false),
                import(self.module, index),
                self.parameters(signature)
            );
        }
    }

    fn has_passive(&self) -> bool {
        self.module.segments.iter().any(|s| s.at.is_none())
    }

    /// The names of the functions that an export may come to. Code that nothing reaches is left out, and with it may be
    /// the only calls of others.
    fn used(&self) -> BTreeSet<String> {
        let imported = self.module.imports.len();
        let mut used = BTreeSet::new();
        let mut work: Vec<String> = self.exports.iter().map(|e| format!("f{}", e.2)).collect();
        while let Some(name) = work.pop() {
            if !used.insert(name.clone()) {
                continue;
            }
            let number = |prefix: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
            if let Some(ty) = number("r_indirect") {
                let signature = &self.module.types[ty];
                let entries = self.module.table.iter().flatten();
                let entries = entries.filter(|f| self.module.signature(**f) == signature);
                work.extend(entries.map(|f| format!("f{f}")));
            } else if let Some(index) = number("f").and_then(|f| f.checked_sub(imported))
                && let Some(Some(function)) = self.functions.get(index)
            {
                let called = function.names.iter();
                let called = called.filter(|n| n.starts_with('f') || n.starts_with("r_indirect"));
                work.extend(called.cloned());
            }
        }
        used
    }

    /// The translation unit, and whether the header must know vectors.
    fn source(&self) -> (String, bool) {
        let mut body = String::new();
        let imported = self.module.imports.len();
        let used = self.used();
        let functions = self.functions.iter().enumerate();
        let functions: Vec<(usize, &Function)> = functions
            .filter(|(index, _)| used.contains(&format!("f{}", imported + index)))
            .filter_map(|(index, function)| Some((index, function.as_ref()?)))
            .collect();
        for (index, _) in &functions {
            let head = self.head(imported + index, false);
            let _ = writeln!(body, "{head};");
        }
        body.push('\n');
        for ty in &self.calls.indirect {
            if used.contains(&format!("r_indirect{ty}")) {
                self.indirect(&mut body, *ty);
            }
        }
        for (index, function) in &functions {
            self.function(&mut body, *index, function);
        }
        self.init(&mut body);
        self.exported(&mut body);

        let mut names = BTreeSet::new();
        identifiers(&body, &mut names);
        for (_, function) in &functions {
            names.extend(function.names.iter().cloned());
        }
        let mut data = String::new();
        for (index, segment) in self.module.segments.iter().enumerate() {
            if names.contains(&format!("d{index}")) {
                bytes(&mut data, index, segment.bytes);
            }
        }
        let globals = self.module.globals.iter().filter(|g| g.mutable);
        let public = (0..imported as u32).chain(self.exports.iter().map(|e| e.2));
        let mut signatures = public
            .map(|f| self.module.signature(f))
            .chain(&self.module.types);
        let is_vector = |ty: Ty| ty == Ty::V128;
        let mut access = String::new();
        if names.contains("R_AT") {
            access.push_str(self.access());
        }
        if names.contains("R_CONSTANT") {
            access.push_str(match self.layout.mode {
                Mode::Bounds | Mode::Mask => CONSTANTS,
                Mode::None => CONSTANTS_UNCHECKED,
            });
        }
        identifiers(&access, &mut names);
        // Locals may be vectors without any instruction for them.
        let local = names.contains("r_v128");
        let constants = ["r_constants", "r_memory_copy_constants"];
        let constants = if constants.iter().any(|name| names.contains(*name)) {
            self.constants()
        } else {
            String::new()
        };
        let parts = parts::needed(names);
        let vectors = local
            || parts.contains("r_v128")
            || globals.map(|g| g.ty).any(is_vector)
            || signatures.any(|s| s.params.iter().chain(&s.results).copied().any(is_vector));
        let mut out = self.preamble(vectors);
        out.push_str(&constants);
        out.push_str(&parts);
        out.push_str(&access);
        out.push_str(&data);
        out.push_str(&body);
        (out, vectors)
    }

    /// The second memory as an array: runs of bytes at their addresses, and zeros between.
    fn constants(&self) -> String {
        let size = self.module.constants.unwrap_or(0);
        let checked = match self.layout.mode {
            Mode::Bounds | Mode::Mask => format!("{size}u"),
            Mode::None => "(UINT64_C(1) << 33)".to_owned(),
        };
        let mut out = format!(
            "#define R_CONSTANT_BYTES {size}u\n#define R_CONSTANT_SIZE {checked}\n\
             R_ALIGNED(16) static const uint8_t r_constants[{}] = {{",
            size.max(1)
        );
        let mut empty = true;
        for (at, bytes) in self.module.constant_runs() {
            let _ = write!(out, "\n    [{at}] =");
            list_of_bytes(&mut out, bytes);
            empty = false;
        }
        out.push_str(if empty { "0};\n\n" } else { "\n};\n\n" });
        out
    }

    fn preamble(&self, vectors: bool) -> String {
        let (name, layout) = (self.name, self.layout);
        let mut out = format!(
            "/* A rune translated to C by runec. Compile with -ffp-contract=off, and never with -ffast-math. */\n\
             #include \"{name}.h\"\n\n#include <float.h>\n#include <limits.h>\n#include <stddef.h>\n#include <string.h>\n\n"
        );
        out.push_str(PREAMBLE);
        let _ = writeln!(out, "typedef {name}_context r_context;");
        if vectors {
            let _ = writeln!(out, "typedef {name}_v128 r_v128;");
        }
        let tuples: BTreeSet<String> = self
            .module
            .types
            .iter()
            .filter(|s| s.results.len() > 1)
            .map(|s| tuple(&s.results))
            .collect();
        for tuple in tuples {
            let _ = writeln!(out, "typedef {} {tuple};", tuple.replacen('r', name, 1));
        }
        let upper = name.to_ascii_uppercase();
        out.push_str("enum {\n");
        for (trap, _) in TRAPS {
            let _ = writeln!(out, "    R_{trap} = {upper}_TRAP_{trap},");
        }
        out.push_str("};\n");
        let (memory, leave) = match layout.host {
            Host::Context => ("(c)->memory", "(c)->trap((c)->host, why)"),
            Host::Unit => ("r_host_memory(c)", "r_host_trap(c, why)"),
        };
        let memory = match layout.align {
            1 => memory.to_owned(),
            align => format!("R_ASSUME_ALIGNED({memory}, {align})"),
        };
        let _ = writeln!(
            out,
            "#define R_MEMORY(c) {memory}\n#define R_LEAVE(c, why) {leave}"
        );
        let _ = writeln!(out, "#define R_BYTES {}u", layout.bytes);
        let _ = writeln!(out, "#define R_MOST_PAGES {}u", layout.most);
        let _ = writeln!(
            out,
            "#define R_SIZE(c) {}\n",
            match (layout.mode, layout.grows) {
                (Mode::None, _) => "(UINT64_C(1) << 33)",
                (_, true) => "(c)->memory_bytes",
                (_, false) => "R_BYTES",
            }
        );
        out
    }

    fn access(&self) -> &'static str {
        match (self.layout.mode, self.layout.grows) {
            (Mode::Bounds, false) => BOUNDS,
            (Mode::Bounds, true) => BOUNDS_GROWING,
            (Mode::Mask, _) => MASK,
            (Mode::None, _) => UNCHECKED,
        }
    }

    /// The head of a function. Of one that may call itself, what is called counts, and `inner` is what it calls.
    fn head(&self, function: usize, inner: bool) -> String {
        let signature = self.module.signature(function as u32);
        let mut out = format!("static {} ", self.result(signature, true));
        let _ = write!(
            out,
            "f{function}{}(r_context *c",
            if inner { "_inner" } else { "" }
        );
        for (index, ty) in signature.params.iter().enumerate() {
            let _ = write!(out, ", {} l{index}", ty.c());
        }
        out.push(')');
        out
    }

    fn function(&self, out: &mut String, index: usize, function: &Function) {
        let number = index + self.module.imports.len();
        let cyclic = self.calls.cyclic[index];
        let head = self.head(number, cyclic);
        let _ = writeln!(out, "{head} {{\n{}}}\n", function.body);
        if cyclic {
            let signature = self.module.signature(number as u32);
            let call = format!("f{number}_inner(c{})", list(signature.params.len()));
            let (keep, give) = if signature.results.is_empty() {
                (String::new(), "")
            } else {
                let ty = self.result(signature, true);
                (format!("const {ty} result = "), "    return result;\n")
            };
            let _ = writeln!(
                out,
                "{} {{\n    if (R_UNLIKELY(c->depth >= {}u)) r_trap(c, R_EXHAUSTED);\n    c->depth++;\n    \
                 {keep}{call};\n    c->depth--;\n{give}}}\n",
                self.head(number, false),
                self.limit
            );
        }
    }

    /// A call of an entry of the table: by its index, if it has the type.
    fn indirect(&self, out: &mut String, ty: u32) {
        let signature = &self.module.types[ty as usize];
        let result = self.result(signature, true);
        let _ = write!(
            out,
            "static {result} r_indirect{ty}(r_context *c, uint32_t index"
        );
        for (index, ty) in signature.params.iter().enumerate() {
            let _ = write!(out, ", {} l{index}", ty.c());
        }
        out.push_str(") {\n");
        for index in 0..signature.params.len() {
            let _ = writeln!(out, "    (void)l{index};");
        }
        let (mut same, mut other) = (BTreeMap::<u32, Vec<usize>>::new(), Vec::new());
        for (index, function) in self.module.table.iter().enumerate() {
            match function {
                Some(function) if self.module.signature(*function) == signature => {
                    same.entry(*function).or_default().push(index);
                }
                Some(_) => other.push(index),
                None => {}
            }
        }
        out.push_str("    switch (index) {\n");
        let cases = |out: &mut String, indices: &[usize]| {
            for index in indices {
                let _ = writeln!(out, "    case {index}u:");
            }
        };
        for (function, indices) in same {
            cases(out, &indices);
            let call = self.callee(function);
            let arguments = list(signature.params.len());
            let _ = if signature.results.is_empty() {
                writeln!(out, "        {call}{arguments});\n        return;")
            } else {
                writeln!(out, "        return {call}{arguments});")
            };
        }
        if !other.is_empty() {
            cases(out, &other);
            out.push_str("        r_trap(c, R_SIGNATURE);\n");
        }
        let _ = writeln!(
            out,
            "    default:\n        r_trap(c, index < {}u ? R_NULL : R_TABLE);\n    }}\n}}\n",
            self.module.table.len()
        );
    }

    /// The beginning of a call of any function.
    fn callee(&self, function: u32) -> String {
        if (function as usize) < self.module.imports.len() {
            ask(self.layout, "", &import(self.module, function as usize))
        } else {
            format!("f{function}(c")
        }
    }

    fn init(&self, out: &mut String) {
        let _ = writeln!(out, "void {}_init(r_context *c) {{", self.name);
        let _ = writeln!(out, "    c->depth = 0;");
        if self.layout.grows {
            let _ = writeln!(out, "    c->memory_bytes = R_BYTES;");
        }
        if self.layout.bytes > 0 {
            let room = self.room();
            let _ = writeln!(out, "    memset(R_MEMORY(c), 0, {room}u);");
        }
        for (index, segment) in self.module.segments.iter().enumerate() {
            if segment.constant {
                continue;
            }
            if let (Some(at), false) = (segment.at, segment.bytes.is_empty()) {
                let _ = writeln!(
                    out,
                    "    memcpy(R_MEMORY(c) + {at}u, d{index}, {}u);",
                    segment.bytes.len()
                );
            }
        }
        for (index, global) in self.module.globals.iter().enumerate() {
            if global.mutable {
                let _ = writeln!(out, "    c->g{index} = {};", literal(global.initial).1);
            }
        }
        if self.has_passive() {
            let _ = writeln!(out, "    memset(c->dropped, 0, sizeof c->dropped);");
        }
        out.push_str("}\n");
    }

    fn exported(&self, out: &mut String) {
        for (_, c, function) in &self.exports {
            let signature = self.module.signature(*function);
            let types = signature.params.iter().enumerate();
            let parameters: String = types.map(|(i, ty)| format!(", {} l{i}", ty.c())).collect();
            let give = if signature.results.is_empty() {
                ""
            } else {
                "return "
            };
            let _ = writeln!(
                out,
                "\n{} {}_{c}(r_context *c{parameters}) {{\n    {give}{}{});\n}}",
                self.result(signature, true),
                self.name,
                self.callee(*function),
                list(signature.params.len())
            );
        }
    }
}

/// The beginning of a call of an import, with its field or its name; `end` is `first_` or `last_` at an end of a call.
pub(crate) fn ask(layout: &Layout, end: &str, import: &str) -> String {
    match layout.host {
        Host::Context => format!("c->{import}(c->host"),
        Host::Unit => format!("r_host_{end}{import}(c"),
    }
}

/// The field of the context for an import: its name where no other import and no other field has it.
pub(crate) fn import(module: &Module<'_>, index: usize) -> String {
    // Names of many imports are not worth comparing.
    if module.imports.len() > 64 {
        return format!("i{index}");
    }
    let of = |i: usize| identifier(module.imports[i].name);
    let name = of(index);
    let own = ["memory", "host", "trap", "depth", "dropped"].contains(&name.as_str())
        || name.starts_with("memory_")
        || name.ends_with(|c: char| c.is_ascii_digit());
    let alone = (0..module.imports.len()).all(|i| i == index || of(i) != name);
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && !own && alone && !keyword(&name) {
        name
    } else {
        format!("i{index}")
    }
}

/// Arguments that are parameters.
fn list(count: usize) -> String {
    (0..count).map(|index| format!(", l{index}")).collect()
}

/// A text that ends no comment and has no other sense to a preprocessor.
fn comment(text: &str) -> String {
    let char = |c: char| match c {
        ' ' | '-' | '.' | ':' | '0'..='9' | 'a'..='z' | 'A'..='Z' | '_' => c,
        _ => '?',
    };
    // Two question marks and a third sign would be a trigraph.
    text.chars()
        .take(80)
        .map(char)
        .collect::<String>()
        .replace("??", "?")
}

/// Whether a name means something to C or C++.
pub(crate) fn keyword(name: &str) -> bool {
    let words = "auto break case char const continue default double else enum extern float goto inline int long register \
         restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm \
         bool catch class delete explicit export false friend mutable namespace new operator private protected public \
         template this throw true try typeid typename using virtual and bitand bitor compl not xor linux unix";
    words.split_whitespace().any(|word| word == name)
}

/// A segment as an array, 24 bytes a line.
fn bytes(out: &mut String, index: usize, bytes: &[u8]) {
    let _ = write!(out, "static const uint8_t d{index}[{}] = {{", bytes.len());
    list_of_bytes(out, bytes);
    out.push_str("\n};\n\n");
}

fn list_of_bytes(out: &mut String, bytes: &[u8]) {
    for (place, byte) in bytes.iter().enumerate() {
        let end = if place % 24 == 0 { "\n    " } else { "" };
        let _ = write!(out, "{end}{byte},");
    }
}

const PREAMBLE: &str = "\
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error \"floats must be computed in their own precision\"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error \"memory is little-endian\"
#endif
#if defined(__GNUC__) && !defined(RUNE_PLAIN)
#define R_GNU 1
#define R_VECTORS 1
#else
#define R_GNU 0
#define R_VECTORS 0
#endif
#if defined(__GNUC__)
#define R_INLINE static inline __attribute__((always_inline, unused))
#define R_NEVER __attribute__((noreturn, noinline, cold))
#define R_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define R_ASSUME_ALIGNED(p, bytes) ((uint8_t *)__builtin_assume_aligned(p, bytes))
#define R_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
/* A load or a store, also under -ffreestanding, where memcpy is a function like any other. */
#define R_COPY __builtin_memcpy
#else
#define R_INLINE static inline
#define R_NEVER
#define R_ALIGNED(bytes)
#define R_ASSUME_ALIGNED(p, bytes) (p)
#define R_UNLIKELY(condition) (condition)
#define R_COPY memcpy
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#endif
/* What a rune compares is as its author wrote it, and a function may call itself until that traps. */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#pragma GCC diagnostic ignored \"-Wtype-limits\"
#pragma GCC diagnostic ignored \"-Wtautological-compare\"
#pragma GCC diagnostic ignored \"-Winfinite-recursion\"
#pragma GCC diagnostic ignored \"-Wint-in-bool-context\"
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored \"-Wbool-compare\"
#endif

";

const BOUNDS: &str = "\
#define R_AT(a, offset, n) r_at(c, m, a, offset, n)
R_INLINE uint8_t *r_at(r_context *c, uint8_t *m, uint32_t a, uint32_t offset, uint32_t n) {
    if (R_UNLIKELY((uint64_t)offset + n > R_BYTES || a > R_BYTES - offset - n)) r_trap(c, R_MEMORY);
    return m + offset + a;
}

";

const BOUNDS_GROWING: &str = "\
#define R_AT(a, offset, n) r_at(c, m, a, offset, n)
R_INLINE uint8_t *r_at(r_context *c, uint8_t *m, uint32_t a, uint32_t offset, uint32_t n) {
    if (R_UNLIKELY((uint64_t)a + offset + n > c->memory_bytes)) r_trap(c, R_MEMORY);
    return m + offset + a;
}

";

/// Also where memory is masked: for that the array would have to be a power of two, and memory is where flash is.
const CONSTANTS: &str = "\
#define R_CONSTANT(a, offset, n) r_constant(c, a, offset, n)
R_INLINE const uint8_t *r_constant(r_context *c, uint32_t a, uint32_t offset, uint32_t n) {
    if (R_UNLIKELY((uint64_t)offset + n > R_CONSTANT_BYTES || a > R_CONSTANT_BYTES - offset - n)) r_trap(c, R_MEMORY);
    return r_constants + offset + a;
}

";

const CONSTANTS_UNCHECKED: &str = "\
#define R_CONSTANT(a, offset, n) (r_constants + (size_t)(a) + (offset))

";

const MASK: &str = "\
#define R_AT(a, offset, n) (m + (((a) + (offset)) & (R_BYTES - 1u)))

";

const UNCHECKED: &str = "\
#define R_AT(a, offset, n) (m + (size_t)(a) + (offset))

";
