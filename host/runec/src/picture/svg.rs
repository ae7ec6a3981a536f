//! A picture as an SVG file.

use std::fmt::Write as _;

use super::{
    Node, Picture, Role,
    layout::{self, Place},
};

/// Between neighbours of a layer, and between layers.
const GAP: [f64; 2] = [36.0, 58.0];
/// Around the picture.
const MARGIN: f64 = 16.0;
/// Around the text of a stage, and the room of its icon.
const PADDING: f64 = 14.0;
const ICON: f64 = 20.0;
/// Mean width of a character of the name, of the small lines, and of a type.
const CHARACTER: [f64; 3] = [9.4, 6.6, 6.7];
/// Height of a stage without arguments, and of the line they add.
const HEIGHT: [f64; 2] = [48.0, 15.0];

pub(super) fn draw(picture: &Picture) -> String {
    let widths: Vec<f64> = picture.nodes.iter().map(width).collect();
    let edges: Vec<(usize, usize)> = picture.edges.iter().map(|e| (e.from, e.to)).collect();
    let layout = layout::place(&widths, &edges, GAP[0]);
    let mut heights = vec![HEIGHT[0]; layout.layers];
    for (node, place) in picture.nodes.iter().zip(&layout.nodes) {
        heights[place.layer] = heights[place.layer].max(height(node));
    }
    let mut tops = Vec::with_capacity(heights.len());
    let mut next = MARGIN;
    for height in &heights {
        tops.push(next);
        next += height + GAP[1];
    }
    let sheet = Sheet {
        picture,
        widths,
        heights,
        tops,
        nodes: layout.nodes,
        joints: layout.joints,
    };
    let labels = sheet.labels();
    // Labels may reach beyond the stages.
    let [mut left, mut right] = layout.extent;
    for label in &labels {
        left = left.min(label.left);
        right = right.max(label.left + label.width);
    }
    if !left.is_finite() {
        [left, right] = [0.0, 0.0];
    }
    let (width, height) = (right - left + 2.0 * MARGIN, next - GAP[1] + MARGIN);
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{:.0} 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">",
        left - MARGIN
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(&picture.title));
    out += &style();
    out += "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
            markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5L8 4L0 7.5z\"/></marker></defs>\n";
    for edge in 0..picture.edges.len() {
        let _ = writeln!(
            out,
            "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"{}\"/>",
            sheet.path(edge)
        );
    }
    for node in 0..picture.nodes.len() {
        sheet.node(node, &mut out);
    }
    for label in &labels {
        let _ = writeln!(
            out,
            "<text class=\"type\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            label.left,
            label.y,
            escaped(label.text)
        );
    }
    out + "</svg>\n"
}

fn width(node: &Node) -> f64 {
    let length = |text: &str, of: usize| text.chars().count() as f64 * CHARACTER[of];
    let text = length(&node.name, 0)
        .max(length(&node.what, 1))
        .max(length(&node.arguments, 1));
    (text + ICON + 3.0 * PADDING).max(120.0).ceil()
}

fn height(node: &Node) -> f64 {
    let more = if node.arguments.is_empty() { 0.0 } else { 1.0 };
    HEIGHT[0] + more * HEIGHT[1]
}

/// Classes instead of attributes, so that a dark page gets dark colours.
pub(super) fn style() -> String {
    let mut light = String::from(
        "text{font-family:ui-sans-serif,system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1b1f24}\n\
         .name{font-size:14px;font-weight:600}\n\
         .what{font-size:11.5px;fill:#57606a}\n\
         .type{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#57606a;\
         paint-order:stroke;stroke:#fff;stroke-width:3px}\n\
         .edge{fill:none;stroke:#8c959f;stroke-width:1.4}\n.tip{fill:#8c959f}\n\
         .icon{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}\n",
    );
    let mut dark = String::from(
        "text{fill:#e6edf3}.what{fill:#9aa4af}.type{fill:#9aa4af;stroke:#0d1117}\
         .edge{stroke:#6e7681}.tip{fill:#6e7681}\n",
    );
    for role in Role::ALL {
        let [fill, line, dark_fill, dark_line] = role.colours();
        let name = role.name();
        // Writing to a string does not fail.
        let _ = writeln!(
            light,
            ".{name} rect{{fill:{fill};stroke:{line};stroke-width:1.5}}.{name} .icon{{stroke:{line}}}"
        );
        let _ = writeln!(
            dark,
            ".{name} rect{{fill:{dark_fill};stroke:{dark_line}}}.{name} .icon{{stroke:{dark_line}}}"
        );
    }
    format!("<style>\n{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n</style>\n")
}

/// A picture with a place for everything.
struct Sheet<'p> {
    picture: &'p Picture,
    widths: Vec<f64>,
    /// Height and upper border of each layer.
    heights: Vec<f64>,
    tops: Vec<f64>,
    nodes: Vec<Place>,
    joints: Vec<Vec<Place>>,
}

struct Label<'p> {
    text: &'p str,
    left: f64,
    y: f64,
    width: f64,
}

impl<'p> Sheet<'p> {
    /// Writes a stage: its box, icon and lines of text.
    fn node(&self, index: usize, out: &mut String) {
        let (node, place) = (&self.picture.nodes[index], &self.nodes[index]);
        let (width, height) = (self.widths[index], height(node));
        let x = place.x - width / 2.0;
        let y = self.top(index);
        let text = x + ICON + 2.0 * PADDING;
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "<g class=\"{}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"9\"/>\
             <path class=\"icon\" transform=\"translate({:.1} {:.1})\" d=\"{}\"/>",
            node.role.name(),
            x + PADDING,
            y + (height - ICON) / 2.0,
            icon(node)
        );
        let mut line = |class: &str, y: f64, content: &str| {
            if !content.is_empty() {
                let _ = writeln!(
                    out,
                    "<text class=\"{class}\" x=\"{text:.1}\" y=\"{y:.1}\">{}</text>",
                    escaped(content)
                );
            }
        };
        line("name", y + 20.5, &node.name);
        line("what", y + 37.0, &node.what);
        line("what", y + 37.0 + HEIGHT[1], &node.arguments);
        *out += "</g>\n";
    }

    /// The upper border of a stage, which stands in the middle of its layer.
    fn top(&self, index: usize) -> f64 {
        let layer = self.nodes[index].layer;
        self.tops[layer] + (self.heights[layer] - height(&self.picture.nodes[index])) / 2.0
    }

    /// The points an edge goes through: the maker's lower border, above and below each layer it passes,
    /// and the reader's upper border.
    fn points(&self, edge: usize) -> Vec<[f64; 2]> {
        let (from, to) = (self.picture.edges[edge].from, self.picture.edges[edge].to);
        let bottom = self.top(from) + height(&self.picture.nodes[from]);
        let mut points = vec![[self.end(edge, from, false), bottom]];
        for joint in &self.joints[edge] {
            let top = self.tops[joint.layer];
            points.push([joint.x, top]);
            points.push([joint.x, top + self.heights[joint.layer]]);
        }
        points.push([self.end(edge, to, true), self.top(to) - 1.5]);
        points
    }

    /// Where an edge meets a stage: its edges share the middle of the border, in the order they come from.
    fn end(&self, edge: usize, node: usize, is_input: bool) -> f64 {
        let edges = &self.picture.edges;
        let here = |e: usize| (if is_input { edges[e].to } else { edges[e].from }) == node;
        let mut all: Vec<(f64, usize)> = (0..edges.len())
            .filter(|e| here(*e))
            .map(|e| (self.towards(e, is_input), e))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rank = all.iter().position(|(_, e)| *e == edge).unwrap_or(0);
        let room = self.widths[node] * 0.6;
        let share = (rank as f64 + 0.5) / all.len() as f64 - 0.5;
        self.nodes[node].x + room * share
    }

    /// Where an edge comes from, or goes to, in the layer next to a stage.
    fn towards(&self, edge: usize, is_input: bool) -> f64 {
        let joints = &self.joints[edge];
        let (joint, far) = if is_input {
            (joints.last(), self.picture.edges[edge].from)
        } else {
            (joints.first(), self.picture.edges[edge].to)
        };
        joint.map_or(self.nodes[far].x, |j| j.x)
    }

    fn path(&self, edge: usize) -> String {
        let points = self.points(edge);
        let mut path = format!("M{:.1} {:.1}", points[0][0], points[0][1]);
        for pair in points.windows(2) {
            let [[x0, y0], [x1, y1]] = [pair[0], pair[1]];
            let middle = f64::midpoint(y0, y1);
            // Writing to a string does not fail.
            let _ = if (x0 - x1).abs() < 0.05 {
                write!(path, "V{y1:.1}")
            } else {
                write!(
                    path,
                    "C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}"
                )
            };
        }
        path
    }

    /// The types, each beside its edge where that leaves the maker; moved down where two would overlap.
    fn labels(&self) -> Vec<Label<'p>> {
        let mut labels: Vec<Label<'p>> = Vec::new();
        let mut order: Vec<(usize, f64)> = (0..self.picture.edges.len())
            .map(|e| (e, self.points(e)[0][0]))
            .collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        for (edge, _) in order {
            let text = self.picture.edges[edge].label.as_str();
            let width = text.chars().count() as f64 * CHARACTER[2];
            let [[x0, y0], [x1, y1]] = [self.points(edge)[0], self.points(edge)[1]];
            // The height along the edge, from its maker, at which the label is free; else the first.
            let free = [0.36, 0.6, 0.8, 0.2].into_iter().find_map(|t| {
                let label = Label {
                    text,
                    left: bend(x0, x1, t) + 6.0,
                    y: y0 + (y1 - y0) * t + 4.0,
                    width,
                };
                let apart = |other: &Label<'_>| {
                    (other.y - label.y).abs() > 11.0
                        || other.left + other.width + 4.0 < label.left
                        || label.left + label.width + 4.0 < other.left
                };
                labels.iter().all(apart).then_some(label)
            });
            labels.push(free.unwrap_or(Label {
                text,
                left: bend(x0, x1, 0.36) + 6.0,
                y: y0 + (y1 - y0) * 0.36 + 4.0,
                width,
            }));
        }
        labels
    }
}

/// Between two ends of a curve that leaves and arrives upright.
fn bend(from: f64, to: f64, t: f64) -> f64 {
    from + (to - from) * t * t * (3.0 - 2.0 * t)
}

/// A drawing of 20 by 20, as a path.
fn icon(node: &Node) -> &'static str {
    match (node.role, node.what.as_str()) {
        // A microphone.
        (Role::Capability, "SOUND") => {
            "M10 2.5a3 3 0 0 1 3 3v4.5a3 3 0 0 1-6 0V5.5a3 3 0 0 1 3-3M4 9.5a6 6 0 0 0 12 0M10 15.5V18M7 18h6"
        }
        // Three axes.
        (Role::Capability, "ACCEL") => {
            "M9 12V2.5M6.5 5L9 2.5L11.5 5M9 12H18M15.5 9.5L18 12L15.5 14.5M9 12L3 17.5M3 14V17.5H6.5"
        }
        // A camera.
        (Role::Capability, "IMAGE" | "FLOAT_IMAGE") => {
            "M2 6.5h4L7.5 4h5L14 6.5h4V16H2zM10 8a3 3 0 1 1 0 6a3 3 0 1 1 0-6"
        }
        // A die.
        (Role::Capability, "RAND") => {
            "M3 3H17V17H3zM6.8 6.8h.01M13.2 6.8h.01M10 10h.01M6.8 13.2h.01M13.2 13.2h.01"
        }
        // A page.
        (Role::Capability, _) => "M5 2.5h7l3.5 3.5V17.5H5zM12 2.5V6h3.5M7.5 10h5.5M7.5 13.5h5.5",
        // Two layers of a network.
        (Role::Model, _) => {
            "M4 5.5a1.5 1.5 0 1 1 0 .01M4 14.5a1.5 1.5 0 1 1 0 .01M14.5 3.5a1.5 1.5 0 1 1 0 .01M14.5 10a1.5 1.5 0 1 1 0 .01\
             M14.5 16.5a1.5 1.5 0 1 1 0 .01M7 5.5L14.5 3.5M7 5.5L14.5 10M7 14.5L14.5 10M7 14.5L14.5 16.5M7 5.5L14.5 16.5M7 14.5L14.5 3.5"
        }
        // A wave through a box.
        (Role::Block, _) => "M2.5 4.5H17.5V15.5H2.5zM5 10q2.5-6 5 0t5 0",
        // A terminal.
        (Role::Output, _) => "M2.5 4H17.5V16H2.5zM5.5 8L8 10.2L5.5 12.4M10 12.8h4.5",
    }
}

/// What XML would take for its own, and what it does not allow.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn every_stage_and_tensor_is_drawn() {
        let text = draw(&sample());
        assert_eq!(text.matches("<rect ").count(), 5);
        assert_eq!(text.matches("class=\"edge\"").count(), 5);
        assert_eq!(text.matches("class=\"type\"").count(), 5);
        for part in [
            "<title>a &lt;sample&gt; &amp; &quot;more&quot;</title>",
            ">key&quot;word&lt;1&gt;.tflite</text>",
            ">I8[&lt;=6]</text>",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn an_empty_picture_is_one() {
        let empty = Picture {
            title: String::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
        };
        assert!(draw(&empty).ends_with("</svg>\n"));
    }
}
