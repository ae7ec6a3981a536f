//! Charts of what benchmarks measured, as SVG.

use std::fmt::Write as _;

/// One chart: points, and for each series a line.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// Whether the horizontal axis shows powers of ten at equal distances.
    pub log_x: bool,
    /// What is shown.
    pub series: Vec<Series>,
}

/// Points of one kind, and a line.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Shown as dots.
    pub points: Vec<(f64, f64)>,
    /// Shown as a line, from left to right.
    pub line: Vec<(f64, f64)>,
}

const SIZE: (f64, f64) = (720.0, 300.0);
/// Left, top, right, bottom.
const MARGIN: [f64; 4] = [70.0, 34.0, 150.0, 46.0];
/// Told apart with any kind of sight (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Charts below each other.
pub fn svg(charts: &[Chart]) -> String {
    let height = SIZE.1 * charts.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        SIZE.0
    );
    for (index, chart) in charts.iter().enumerate() {
        chart.draw(SIZE.1 * index as f64, &mut svg);
    }
    svg + "</svg>\n"
}

impl Chart {
    fn draw(&self, top: f64, svg: &mut String) {
        let all = || {
            self.series
                .iter()
                .flat_map(|s| s.points.iter().chain(&s.line))
        };
        let along = |x: f64| if self.log_x { x.log10() } else { x };
        let [x0, x1] = range(all().map(|p| along(p.0)), false);
        let [y0, y1] = range(all().map(|p| p.1), true);
        let (width, height) = (
            SIZE.0 - MARGIN[0] - MARGIN[2],
            SIZE.1 - MARGIN[1] - MARGIN[3],
        );
        let px = |x: f64| MARGIN[0] + (along(x) - x0) / (x1 - x0) * width;
        let py = |y: f64| top + MARGIN[1] + (y1 - y) / (y1 - y0) * height;
        let mut put = |text: std::fmt::Arguments<'_>| {
            svg.write_fmt(text).expect("a string takes everything");
        };
        put(format_args!(
            "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n",
            MARGIN[0],
            top + 20.0,
            escaped(&self.title)
        ));
        for y in ticks(y0, y1) {
            put(format_args!(
                "<path d=\"M{:.1} {:.1}h{width:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                MARGIN[0],
                py(y),
                MARGIN[0] - 6.0,
                py(y) + 4.0,
                number(y)
            ));
        }
        let bottom = top + SIZE.1 - MARGIN[3];
        let marks: Vec<f64> = if self.log_x {
            (x0.floor() as i32..=x1.ceil() as i32)
                .map(|p| 10f64.powi(p))
                .filter(|x| (x0 - 1e-9..=x1 + 1e-9).contains(&along(*x)))
                .collect()
        } else {
            ticks(x0, x1)
        };
        for x in marks {
            put(format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                px(x),
                bottom + 16.0,
                number(x)
            ));
        }
        put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n<text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            MARGIN[0] + width / 2.0,
            bottom + 34.0,
            escaped(&self.x),
            top + MARGIN[1] + height / 2.0,
            escaped(&self.y)
        ));
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            for (x, y) in &series.points {
                put(format_args!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\" fill-opacity=\"0.5\"/>\n",
                    px(*x),
                    py(*y)
                ));
            }
            let line: Vec<String> = series
                .line
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", px(*x), py(*y)))
                .collect();
            put(format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n",
                line.join(" ")
            ));
            let at = top + MARGIN[1] + 16.0 * index as f64;
            put(format_args!(
                "<rect x=\"{0:.1}\" y=\"{at:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{1:.1}\" y=\"{2:.1}\">{3}</text>\n",
                SIZE.0 - MARGIN[2] + 10.0,
                SIZE.0 - MARGIN[2] + 25.0,
                at + 9.0,
                escaped(&series.name)
            ));
        }
    }
}

/// The least and greatest number, never the same; from zero on where that is asked for.
fn range(numbers: impl Iterator<Item = f64>, zero: bool) -> [f64; 2] {
    let finite = numbers.filter(|n| n.is_finite());
    let [low, high] = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], n| {
        [low.min(n), high.max(n)]
    });
    let low = if zero { low.min(0.0) } else { low };
    if low < high {
        [low, high]
    } else if low.is_finite() {
        [low, low + 1.0]
    } else {
        [0.0, 1.0]
    }
}

/// Five or so round numbers in a range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|f| f * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn number(x: f64) -> String {
    match x.abs() {
        1e6.. => format!("{} M", x / 1e6),
        1e3.. => format!("{} k", x / 1e3),
        _ => format!("{}", (x * 1e6).round() / 1e6),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(-3.0, 7.0), [-2.0, 0.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn every_point_lies_in_the_picture() {
        let chart = Chart {
            title: "a < b".to_owned(),
            x: "calls".to_owned(),
            y: "ns".to_owned(),
            log_x: true,
            series: vec![Series {
                name: "one".to_owned(),
                points: vec![(1e3, 5.0), (1e6, -2.0)],
                line: vec![],
            }],
        };
        let svg = svg(&[chart]);
        assert!(svg.contains("a &lt; b"), "{svg}");
        let circles: Vec<&str> = svg.lines().filter(|l| l.starts_with("<circle")).collect();
        // The left end at the top, the right end at the bottom.
        assert!(circles[0].contains("cx=\"70.0\" cy=\"34.0\""), "{svg}");
        assert!(circles[1].contains("cx=\"570.0\" cy=\"254.0\""), "{svg}");
    }
}
