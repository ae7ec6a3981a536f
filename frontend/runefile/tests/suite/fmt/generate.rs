//! Runefiles without faults, of every form the grammar has, as untidy as can be.

use crate::mutations::Random;

/// A Runefile that can be read.
pub(crate) fn runefile(random: &mut Random) -> String {
    let mut writer = Writer {
        random,
        out: String::new(),
    };
    if writer.one_in(8) {
        writer.out.push('\u{FEFF}');
    }
    for _ in 0..=writer.random.below(9) {
        writer.line();
    }
    if writer.one_in(4) {
        writer.maybe_gap();
        writer.instruction();
        writer.pick(&["", " ", "\\", " \\\n", " # no line end", "\t\\ "]);
    }
    writer.out
}

const NAMES: [&str; 8] = [
    "a",
    "_b",
    "camera",
    "mfcc-2",
    "a_rather_long_name_for_a_stage",
    "label",
    "modulo",
    "ACCEL",
];
const PATHS: [&str; 12] = [
    "runicos/label",
    "./model.tflite",
    "\"./my model.tflite\"",
    "'my model'",
    "hotg-ai/rune#proc_blocks/label@1",
    "$network",
    "a:b",
    "ünïcode",
    "back\\slash",
    "\"q\\\"uote\\u{2713}\"",
    "fft",
    "3d",
];
const IMAGES: [&str; 5] = [
    "runicos/base",
    "runicos/base@latest",
    "a@1.2#part",
    "x#p",
    "./below/Runefile",
];
const TENSORS: [&str; 9] = [
    "F32",
    "u8[1]",
    "F32[128, 3]",
    "_",
    "_[4]",
    "utf8[ <=  3 ,_ ]",
    "I16 [1,2,3,4]",
    "F64[<=007]",
    "u64[_]",
];
const VALUES: [&str; 20] = [
    "3",
    "-0",
    "007",
    "1.5",
    "1.",
    "-.5e-3",
    "1E6",
    "text",
    "3d.png",
    "@Pixel::RGB",
    "a=b",
    "a#b",
    "--",
    "-x",
    "'single'",
    "'it\\'s'",
    "\"a # b\"",
    "\"one \\ \n   two\\\n\"",
    "$labels",
    "back\\",
];
const ITEMS: [&str; 10] = [
    "a",
    "3",
    "-1.50",
    "'b c'",
    "\"d, ]e\"",
    "@f",
    "Füße",
    "a-rather-long-item-of-a-list",
    "--x",
    "\"\"",
];
const PAIRS: [&str; 8] = [
    "a=b",
    "name=gesture",
    "a.b/c-d_e=#1",
    "x='y z'",
    "x=\"\"",
    "version=1.2.0",
    "q='\"'",
    "p=[a,b]",
];

struct Writer<'r> {
    random: &'r mut Random,
    out: String,
}

impl Writer<'_> {
    fn one_in(&mut self, n: usize) -> bool {
        self.random.below(n) == 0
    }

    fn pick(&mut self, from: &[&str]) {
        self.out.push_str(from[self.random.below(from.len())]);
    }

    fn newline(&mut self) {
        if self.one_in(3) {
            self.pick(&["\n", "\r\n", "\r"]);
        } else {
            self.out.push('\n');
        }
    }

    fn comment(&mut self) {
        self.pick(&["#", "# a comment", "#! ü\t ", "## \\", "# 'a", "#]>,"]);
    }

    /// Blanks, breaks and comments, at least one of them.
    fn gap(&mut self) {
        for _ in 0..=self.random.below(2) {
            match self.random.below(8) {
                0 => {
                    self.pick(&["\\", " \\ ", "\t\\\t"]);
                    self.newline();
                    while self.one_in(2) {
                        self.pick(&["", "  ", "\t"]);
                        self.comment();
                        self.newline();
                    }
                    self.pick(&["", "  ", "\t"]);
                }
                1 => self.pick(&["  ", "\t", " \t  "]),
                _ => self.out.push(' '),
            }
        }
    }

    fn maybe_gap(&mut self) {
        if self.one_in(2) {
            self.gap();
        }
    }

    fn line(&mut self) {
        match self.random.below(16) {
            0..=3 => self.pick(&["", " ", "\t", " \\\n"]),
            4..=6 => {
                self.pick(&["", "  ", "\t"]);
                self.comment();
            }
            _ => {
                self.maybe_gap();
                self.instruction();
                self.pick(&["", "", "  ", "\t"]);
                match self.random.below(8) {
                    0 | 1 => {
                        self.out.push(' ');
                        self.comment();
                    }
                    2 => self.pick(&[" \\\n", " \\\n# below\n", " \\\r\n\t# below\n# and\n"]),
                    _ => {}
                }
            }
        }
        self.newline();
    }

    fn instruction(&mut self) {
        self.some_instruction();
        if self.out.ends_with('\\') {
            // At the end of a line it would be the sign that the line goes on.
            self.out.push_str(" # end");
        }
    }

    fn some_instruction(&mut self) {
        match self.random.below(12) {
            0 => {
                self.word(&["FROM"]);
                self.after(&IMAGES);
                if self.one_in(2) {
                    self.after(&["AS", "as", "aS"]);
                    self.after(&NAMES);
                }
            }
            1 => {
                self.word(&["FOR"]);
                self.after(&IMAGES);
            }
            2 => {
                self.word(&["LABEL"]);
                for _ in 0..=self.random.below(5) {
                    self.after(&PAIRS);
                }
            }
            3 => {
                self.word(&["RESOURCE"]);
                if self.one_in(2) {
                    self.after(&PATHS);
                    self.after(&NAMES);
                    self.arguments();
                } else {
                    self.after(&NAMES);
                    self.after(&[
                        "--text hello",
                        "--text=\"a\\nb\"",
                        "--type string --text ''",
                    ]);
                }
            }
            4 => {
                self.word(&["SET"]);
                self.after(&NAMES);
                self.gap();
                self.argument();
                self.arguments();
            }
            5 | 6 => self.run(),
            _ => self.stage(),
        }
    }

    fn word(&mut self, from: &[&str]) {
        self.pick(from);
    }

    fn after(&mut self, from: &[&str]) {
        self.gap();
        self.pick(from);
    }

    fn stage(&mut self) {
        if self.one_in(5) {
            self.out.push_str("REPLACE");
            self.gap();
        }
        let role = self.random.below(4);
        self.out
            .push_str(["CAPABILITY", "PROC_BLOCK", "MODEL", "OUT"][role]);
        if self.one_in(2) {
            self.maybe_gap();
            self.types();
            self.maybe_gap();
        } else {
            self.gap();
        }
        match role {
            0 | 3 => self.word(&["RAND", "sound", "ACCEL", "SERIAL", "IMAGE"]),
            _ if self.one_in(3) => self.word(&NAMES),
            _ if self.one_in(9) => self.word(&["./ends\\"]),
            _ => self.word(&PATHS),
        }
        if role != 3 || self.one_in(2) {
            if self.one_in(3) {
                self.after(&PATHS);
            } else {
                self.after(&NAMES);
            }
        }
        self.arguments();
    }

    fn types(&mut self) {
        self.out.push('<');
        for side in 0..=self.random.below(2) {
            self.maybe_gap();
            if side == 1 {
                self.out.push_str("->");
                self.maybe_gap();
            }
            self.pick(&TENSORS);
            for _ in 0..self.random.below(4) {
                self.maybe_gap();
                self.out.push(',');
                self.maybe_gap();
                self.pick(&TENSORS);
            }
        }
        self.maybe_gap();
        self.out.push('>');
    }

    fn arguments(&mut self) {
        for _ in 0..self.random.below(6) {
            self.gap();
            self.argument();
        }
    }

    fn argument(&mut self) {
        self.pick(&["-n", "--n", "--sample-rate", "--input", "--output", "--a_b"]);
        if self.one_in(3) {
            self.out.push('=');
            if self.one_in(4) {
                return self.pick(&["--all", "=x", "#fff", "#a,#b,c", "--x,y"]);
            }
        } else {
            self.gap();
        }
        match self.random.below(4) {
            0 => self.bare_list(),
            1 => self.boxed_list(),
            _ => self.pick(&VALUES),
        }
    }

    fn bare_list(&mut self) {
        self.out.push_str("first");
        for _ in 0..=self.length() {
            self.out.push(',');
            if self.one_in(6) {
                self.pick(&["#a", "#,b"]);
                continue;
            }
            self.maybe_gap();
            self.pick(&ITEMS);
        }
    }

    fn boxed_list(&mut self) {
        self.out.push('[');
        self.maybe_gap();
        for i in 0..self.length() {
            if i > 0 {
                self.out.push(',');
                self.maybe_gap();
            }
            self.pick(&ITEMS);
            self.maybe_gap();
        }
        self.out.push(']');
    }

    /// How long a list is: mostly short, sometimes not.
    fn length(&mut self) -> usize {
        let most = if self.one_in(8) { 60 } else { 5 };
        self.random.below(most)
    }

    fn run(&mut self) {
        self.word(&["RUN"]);
        for _ in 0..self.length() {
            self.gap();
            if self.one_in(4) {
                self.out.push('[');
                self.maybe_gap();
                for i in 0..=self.length() {
                    if i > 0 {
                        self.out.push(',');
                        self.maybe_gap();
                    }
                    self.pick(&NAMES);
                    self.pick(&["", ".0", ".007"]);
                    self.maybe_gap();
                }
                self.out.push(']');
            } else {
                self.pick(&NAMES);
                self.pick(&["", "", ".1"]);
            }
        }
    }
}
