//! A picture of where a model's tensors lie and when: steps to the right, addresses upwards.

use std::fmt::Write as _;

use rune_codegen::model::{Footprint, Resident};

use super::{
    Role,
    svg::{escaped, style},
};

/// Around the picture, and left of the plot for addresses.
const MARGIN: f64 = 18.0;
const AXIS: f64 = 62.0;
/// Above the plot: title, figures, legend.
const HEAD: f64 = 84.0;
/// The plot, and the strip below it that shows how much is in use.
const HEIGHT: f64 = 400.0;
const STRIP: f64 = 54.0;
/// Between plot, names of steps, and strip.
const GAP: f64 = 12.0;
/// Widest and narrowest plot, and width of a step where there are few.
const WIDTH: [f64; 2] = [560.0, 1500.0];
const STEP: f64 = 64.0;
/// Least width of a step that gets its name, and of one that gets a line.
const NAMED: f64 = 15.0;
const LINED: f64 = 6.0;
/// Mean width of a character of a label, and height of its line.
const CHARACTER: f64 = 7.2;
const LINE: f64 = 13.0;
/// Mean width of a character of the small lines.
const SMALL: f64 = 5.6;

/// What a tensor is, which decides its colour, and what the legend says.
const KINDS: [(Role, &str); 4] = [
    (Role::Capability, "input"),
    (Role::Model, "tensor"),
    (Role::Block, "scratch"),
    (Role::Output, "output"),
];

/// Draws the memory of a model.
pub fn draw(title: &str, footprint: &Footprint) -> String {
    Plot::new(footprint).draw(title)
}

struct Plot<'f> {
    footprint: &'f Footprint,
    /// Bytes that the plot is high, and width of a step.
    top: u64,
    step: f64,
    /// Below the plot, for the names of steps.
    names: f64,
}

impl<'f> Plot<'f> {
    fn new(footprint: &'f Footprint) -> Self {
        let steps = footprint.steps.len().max(1) as f64;
        let width = (steps * STEP).clamp(WIDTH[0], WIDTH[1]);
        let step = width / steps;
        let longest = footprint.steps.iter().map(|s| s.chars().count());
        let longest = longest.max().unwrap_or(0).min(24) as f64;
        Self {
            footprint,
            top: footprint.arena.max(footprint.bound).max(1),
            step,
            // Names stand aslant.
            names: if step < NAMED {
                LINE + 6.0
            } else {
                longest * SMALL * 0.72 + LINE
            },
        }
    }

    fn x(&self, step: u32) -> f64 {
        MARGIN + AXIS + f64::from(step) * self.step
    }

    fn y(&self, address: u64) -> f64 {
        HEAD + HEIGHT * (1.0 - address as f64 / self.top as f64)
    }

    fn draw(&self, title: &str) -> String {
        let footprint = self.footprint;
        let steps = footprint.steps.len() as u32;
        let right = self.x(steps.max(1));
        let strip = HEAD + HEIGHT + self.names + GAP;
        let (width, height) = (right + MARGIN, strip + STRIP + LINE + MARGIN);
        let mut out = String::new();
        // Writing to a string does not fail, here and below.
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">"
        );
        let _ = writeln!(out, "<title>Memory of {}</title>", escaped(title));
        out += &style();
        out += STYLE;
        let text = |out: &mut String, class: &str, x: f64, y: f64, content: &str| {
            let _ = writeln!(
                out,
                "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                escaped(content)
            );
        };
        text(&mut out, "name", MARGIN, MARGIN + 14.0, title);
        text(&mut out, "what", MARGIN, MARGIN + 32.0, &figures(footprint));
        self.legend(&mut out);
        self.grid(&mut out, right);
        let mut order: Vec<&Resident> = footprint.tensors.iter().filter(|t| t.bytes > 0).collect();
        order.sort_by_key(|t| (t.first, std::cmp::Reverse(t.bytes), t.offset));
        for tensor in order {
            self.tensor(&mut out, tensor);
        }
        if footprint.bound < footprint.arena {
            let y = self.y(footprint.bound);
            let _ = writeln!(
                out,
                "<path class=\"bound\" d=\"M{:.1} {y:.1}H{right:.1}\"/>",
                self.x(0)
            );
            let _ = writeln!(
                out,
                "<text class=\"mark end\" x=\"{right:.1}\" y=\"{:.1}\">bound</text>",
                y - 4.0
            );
        }
        self.steps(&mut out);
        self.strip(&mut out, strip, right);
        out + "</svg>\n"
    }

    fn legend(&self, out: &mut String) {
        let mut x = MARGIN;
        for (role, word) in KINDS {
            if !self.footprint.tensors.iter().any(|t| kind(t) == role) {
                continue;
            }
            let y = MARGIN + 42.0;
            let _ = writeln!(
                out,
                "<g class=\"{}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"11\" height=\"11\" rx=\"3\"/>\
                 <text class=\"what\" x=\"{:.1}\" y=\"{:.1}\">{word}</text></g>",
                role.name(),
                x + 16.0,
                y + 9.5
            );
            x += 16.0 + word.len() as f64 * SMALL * 1.15 + 16.0;
        }
    }

    /// Addresses with their lines, and lines between steps where there is room.
    fn grid(&self, out: &mut String, right: f64) {
        let (left, bottom) = (self.x(0), self.y(0));
        let _ = writeln!(
            out,
            "<rect class=\"paper\" x=\"{left:.1}\" y=\"{HEAD}\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
            right - left
        );
        let every = tick(self.top);
        for address in (0..=self.top).step_by(usize::try_from(every).unwrap_or(usize::MAX)) {
            let y = self.y(address);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>\
                 <text class=\"mark end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 8.0,
                y + 3.5,
                mark(address)
            );
        }
        if self.step >= LINED {
            for step in 1..self.footprint.steps.len() as u32 {
                let _ = writeln!(
                    out,
                    "<path class=\"grid\" d=\"M{:.1} {HEAD}V{bottom:.1}\"/>",
                    self.x(step)
                );
            }
        }
    }

    fn tensor(&self, out: &mut String, tensor: &Resident) {
        let (x, y) = (
            self.x(tensor.first),
            self.y(tensor.offset + u64::from(tensor.bytes)),
        );
        let width = self.x(tensor.last) + self.step - x;
        // A few bytes among many are seen too.
        let height = (self.y(tensor.offset) - y).max(2.5);
        let y = self.y(tensor.offset) - height;
        // A little apart from its neighbours, where that leaves something.
        let inset = |size: f64| if size > 5.0 { 1.0 } else { 0.0 };
        let (dx, dy) = (inset(width), inset(height));
        let _ = writeln!(
            out,
            "<g class=\"{} tensor\"><title>{}: {} bytes at {}, steps {} to {}</title>\
             <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{:.1}\"/>",
            kind(tensor).name(),
            escaped(&tensor.name),
            tensor.bytes,
            tensor.offset,
            tensor.first,
            tensor.last,
            x + dx,
            y + dy,
            width - 2.0 * dx,
            height - 2.0 * dy,
            5.0f64.min(height / 4.0).min(width / 4.0)
        );
        let lines = [
            ("label", last_of(&tensor.name, width, CHARACTER), CHARACTER),
            ("small", size(u64::from(tensor.bytes)), SMALL),
        ];
        let mut baseline = y + LINE + 2.0;
        for (class, line, character) in lines {
            let fits = line.chars().count() as f64 * character <= width - 10.0;
            if fits && baseline + 2.0 <= y + height && !line.is_empty() {
                let _ = write!(
                    out,
                    "<text class=\"{class}\" x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>",
                    x + 7.0,
                    escaped(&line)
                );
                baseline += LINE;
            }
        }
        *out += "</g>\n";
    }

    /// Their names aslant below the plot, or some of their numbers where there are many.
    fn steps(&self, out: &mut String) {
        let y = HEAD + HEIGHT + LINE;
        let every = (46.0 / self.step).ceil().max(1.0) as usize;
        for (index, name) in self.footprint.steps.iter().enumerate() {
            let x = self.x(index as u32) + self.step / 2.0;
            if self.step >= NAMED {
                let _ = writeln!(
                    out,
                    "<text class=\"mark end\" transform=\"translate({:.1} {y:.1}) rotate(-42)\">{}</text>",
                    x + 4.0,
                    escaped(&cut(name))
                );
            } else if index % every == 0 {
                let _ = writeln!(
                    out,
                    "<text class=\"mark middle\" x=\"{x:.1}\" y=\"{y:.1}\">{index}</text>"
                );
            }
        }
    }

    /// How much is in use in each step, what lies in each other counted once.
    fn strip(&self, out: &mut String, top: f64, right: f64) {
        let used = in_use(self.footprint);
        let most = used.iter().copied().max().unwrap_or(0).max(1);
        let left = self.x(0);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{left:.1} {:.1}H{right:.1}\"/>\
             <text class=\"mark end\" x=\"{:.1}\" y=\"{:.1}\">in use</text>",
            top + STRIP,
            left - 8.0,
            top + STRIP
        );
        for (index, bytes) in used.iter().enumerate() {
            let height = STRIP * *bytes as f64 / most as f64;
            let class = if *bytes == most { "most" } else { "used" };
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
                 <title>step {index}: {bytes} bytes</title></rect>",
                self.x(index as u32) + 1.0f64.min(self.step / 8.0),
                top + STRIP - height,
                self.step - 2.0f64.min(self.step / 4.0)
            );
        }
        if let Some(peak) = used.iter().position(|b| *b == most) {
            let x = self.x(peak as u32) + self.step / 2.0;
            // Not beyond the borders of the picture.
            let class = match () {
                () if x < left + 60.0 => "",
                () if x > right - 60.0 => " end",
                () => " middle",
            };
            let _ = writeln!(
                out,
                "<text class=\"mark{class}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                top + STRIP + LINE,
                size(most)
            );
        }
    }
}

/// Classes beside those of the pictures of pipelines.
const STYLE: &str = "\
<style>
.paper{fill:#f6f8fa}.grid{fill:none;stroke:#d8dee4;stroke-width:.8}
.mark{font-size:10.5px;fill:#57606a}.end{text-anchor:end}.middle{text-anchor:middle}
.label{font-size:11.5px;font-weight:600}.small{font-size:10px;fill:#57606a}
.tensor rect{stroke-width:1.1}
.bound{fill:none;stroke:#cf222e;stroke-width:1.2;stroke-dasharray:6 4}
.used{fill:#c9bdf5}.most{fill:#6b4fd0}
@media (prefers-color-scheme:dark){
.paper{fill:#161b22}.grid{stroke:#30363d}.mark,.small{fill:#9aa4af}
.bound{stroke:#ff7b72}.used{fill:#473a7d}.most{fill:#a893f5}
}
</style>
";

fn kind(tensor: &Resident) -> Role {
    match (tensor.is_input, tensor.is_output) {
        (_, true) => Role::Output,
        (true, false) => Role::Capability,
        (false, false) if tensor.first == tensor.last => Role::Block,
        (false, false) => Role::Model,
    }
}

fn figures(footprint: &Footprint) -> String {
    let arena = format!("arena {}", size(footprint.arena));
    let bound = match (footprint.arena == footprint.bound, footprint.is_least) {
        (true, _) => "the most in use at once".to_owned(),
        (false, true) => format!("the optimum, {} in use at once", size(footprint.bound)),
        (false, false) => format!("{} in use at once", size(footprint.bound)),
    };
    let rest = format!(
        "constants {} · code {} · memory {}",
        size(footprint.constants),
        size(footprint.code),
        size(footprint.memory())
    );
    format!("{arena}: {bound} · {rest}")
}

/// Bytes in use in each step, as the bound counts them.
fn in_use(footprint: &Footprint) -> Vec<u64> {
    let mut alive: Vec<Vec<(u64, u64)>> = vec![Vec::new(); footprint.steps.len()];
    for tensor in footprint.tensors.iter().filter(|t| t.bytes > 0) {
        let from = tensor.offset / 16 * 16;
        let to = (tensor.offset + u64::from(tensor.bytes)).next_multiple_of(16);
        for step in tensor.first..=tensor.last {
            if let Some(alive) = alive.get_mut(step as usize) {
                alive.push((from, to));
            }
        }
    }
    let union = |mut spans: Vec<(u64, u64)>| {
        spans.sort_unstable();
        let add = |(sum, end): (u64, u64), (from, to): (u64, u64)| {
            (sum + to.saturating_sub(end.max(from)), end.max(to))
        };
        spans.into_iter().fold((0, 0), add).0
    };
    alive.into_iter().map(union).collect()
}

/// Bytes in the unit that people read most easily.
fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    match bytes {
        0 => "0".to_owned(),
        1..=1023 => format!("{bytes} B"),
        1024..=1_048_575 if bytes.is_multiple_of(1024) => format!("{kib:.0} KiB"),
        1024..=1_048_575 => format!("{kib:.1} KiB"),
        _ if bytes.is_multiple_of(1 << 20) => format!("{:.0} MiB", kib / 1024.0),
        _ => format!("{:.1} MiB", kib / 1024.0),
    }
}

/// As [`size`], with the digits that tell one mark of an address from the next.
fn mark(address: u64) -> String {
    let (unit, word) = match address {
        0 => return "0".to_owned(),
        1..=1023 => (1, "B"),
        1024..=1_048_575 => (1 << 10, "KiB"),
        _ => (1 << 20, "MiB"),
    };
    let number = format!("{:.2}", address as f64 / f64::from(unit));
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} {word}")
}

/// A power of two of which the height has one to eight.
fn tick(top: u64) -> u64 {
    (top / 8 + 1).next_power_of_two().min(top.max(1))
}

/// The end of a name, which tells most, as far as there is room.
fn last_of(name: &str, width: f64, character: f64) -> String {
    let name = name.split(';').next().unwrap_or(name);
    let room = ((width - 14.0) / character).max(0.0) as usize;
    let count = name.chars().count();
    if count <= room {
        return name.to_owned();
    }
    if room < 4 {
        return String::new();
    }
    let end: String = name.chars().skip(count - (room - 1)).collect();
    format!("…{end}")
}

/// The name of a step, cut where it is very long.
fn cut(name: &str) -> String {
    super::shorten(name, 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Footprint {
        let tensor = |name: &str, offset, bytes, first, last| Resident {
            name: name.to_owned(),
            offset,
            bytes,
            first,
            last,
            is_input: first == 0,
            is_output: last == 3,
        };
        Footprint {
            arena: 4096,
            bound: 3072,
            is_least: true,
            constants: 12_345,
            state: 0,
            code: 999,
            moved: 0,
            steps: ["input", "conv_2d", "softmax", "output"]
                .map(str::to_owned)
                .to_vec(),
            tensors: vec![
                tensor("x<1>", 0, 2048, 0, 1),
                tensor("model/conv2d/a very long name;more", 2048, 1000, 1, 2),
                tensor("scratch", 3072, 1024, 2, 2),
                tensor("y", 0, 16, 2, 3),
            ],
        }
    }

    #[test]
    fn every_tensor_is_drawn_where_it_lies() {
        let text = draw("a & b", &sample());
        assert_eq!(text.matches("tensor\"><title>").count(), 4);
        for part in [
            "<title>Memory of a &amp; b</title>",
            "x&lt;1&gt;: 2048 bytes at 0, steps 0 to 1",
            "arena 4 KiB: the optimum, 3 KiB in use at once",
            ">bound</text>",
            "step 1: 3056 bytes",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn nothing_is_a_picture_too() {
        let text = draw("", &Footprint::default());
        assert!(
            text.ends_with("</svg>\n") && !text.contains("NaN"),
            "{text}"
        );
    }

    #[test]
    fn there_are_a_few_marks_of_addresses() {
        for top in [1, 2, 3, 7, 16, 80, 1000, 23_040, 65_536, 1 << 31] {
            let marks = top / tick(top);
            assert!((1..=8).contains(&marks), "{top}: {marks}");
        }
        for (address, text) in [
            (0, "0"),
            (768, "768 B"),
            (1024, "1 KiB"),
            (1280, "1.25 KiB"),
            (3 << 19, "1.5 MiB"),
        ] {
            assert_eq!(mark(address), text);
        }
    }

    #[test]
    fn names_keep_their_end() {
        assert_eq!(last_of("a/b;c", 100.0, 6.0), "a/b");
        assert_eq!(last_of("model/layer/Relu", 64.0, 6.0), "…er/Relu");
        assert_eq!(last_of("model/layer/Relu", 20.0, 6.0), "");
    }
}
