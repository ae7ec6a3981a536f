//! Charts of what benchmarks measured, as SVG.

use std::fmt::Write as _;

/// One chart: points, and for each series a line.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// Whether the horizontal axis shows powers of ten at equal distances.
    pub log_x: bool,
    /// And the vertical axis; then what is not above zero is not shown.
    pub log_y: bool,
    /// Ranges of the vertical axis that are marked.
    pub bands: Vec<Band>,
    /// What is shown.
    pub series: Vec<Series>,
}

/// A range of the vertical axis.
#[derive(Clone, Debug)]
pub struct Band {
    /// What the legend calls it.
    pub name: String,
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
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

/// Of bands.
const BAND: &str = "#ddd";

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
        let up = |y: f64| if self.log_y { y.log10() } else { y };
        let [x0, x1] = range(all().map(|p| along(p.0)), false);
        let bands = self.bands.iter().flat_map(|band| [band.from, band.to]);
        let [y0, y1] = range(all().map(|p| p.1).chain(bands).map(up), !self.log_y);
        let (width, height) = (
            SIZE.0 - MARGIN[0] - MARGIN[2],
            SIZE.1 - MARGIN[1] - MARGIN[3],
        );
        let px = |x: f64| MARGIN[0] + (along(x) - x0) / (x1 - x0) * width;
        let py = |y: f64| top + MARGIN[1] + (y1 - up(y)) / (y1 - y0) * height;
        let is_shown = |point: &&(f64, f64)| up(point.1).is_finite();
        let mut put = |text: std::fmt::Arguments<'_>| {
            svg.write_fmt(text).expect("a string takes everything");
        };
        put(format_args!(
            "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n",
            MARGIN[0],
            top + 20.0,
            escaped(&self.title)
        ));
        for Band { from, to, .. } in &self.bands {
            let (y, high) = (py(*to), py(*from) - py(*to));
            put(format_args!(
                "<rect x=\"{}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{high:.1}\" fill=\"{BAND}\"/>\n",
                MARGIN[0]
            ));
        }
        for y in marks(y0, y1, self.log_y) {
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
        for x in marks(x0, x1, self.log_x) {
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
            for (x, y) in series.points.iter().filter(is_shown) {
                put(format_args!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\" fill-opacity=\"0.5\"/>\n",
                    px(*x),
                    py(*y)
                ));
            }
            let line: Vec<String> = series
                .line
                .iter()
                .filter(is_shown)
                .map(|(x, y)| format!("{:.1},{:.1}", px(*x), py(*y)))
                .collect();
            put(format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n",
                line.join(" ")
            ));
        }
        let series = self.series.iter().zip(COLOURS.iter().cycle());
        let series = series.map(|(series, colour)| (&series.name, *colour));
        let bands = self.bands.iter().map(|band| (&band.name, BAND));
        for (index, (name, colour)) in series.chain(bands).enumerate() {
            let at = top + MARGIN[1] + 16.0 * index as f64;
            put(format_args!(
                "<rect x=\"{0:.1}\" y=\"{at:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{1:.1}\" y=\"{2:.1}\">{3}</text>\n",
                SIZE.0 - MARGIN[2] + 10.0,
                SIZE.0 - MARGIN[2] + 25.0,
                at + 9.0,
                escaped(name)
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

/// Where an axis gets numbers; the ends of one that shows powers of ten are exponents.
fn marks(low: f64, high: f64, is_log: bool) -> Vec<f64> {
    if !is_log {
        return ticks(low, high);
    }
    let powers = low.floor() as i32..=high.ceil() as i32;
    let inside = powers.filter(|p| (low - 1e-9..=high + 1e-9).contains(&f64::from(*p)));
    inside.map(|p| 10f64.powi(p)).collect()
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
            ..Chart::default()
        };
        let svg = svg(&[chart]);
        assert!(svg.contains("a &lt; b"), "{svg}");
        let circles: Vec<&str> = svg.lines().filter(|l| l.starts_with("<circle")).collect();
        // The left end at the top, the right end at the bottom.
        assert!(circles[0].contains("cx=\"70.0\" cy=\"34.0\""), "{svg}");
        assert!(circles[1].contains("cx=\"570.0\" cy=\"254.0\""), "{svg}");
    }

    #[test]
    fn bands_and_powers_of_ten_lie_in_the_picture() {
        let chart = Chart {
            log_y: true,
            bands: vec![Band {
                name: "between".to_owned(),
                from: 10.0,
                to: 100.0,
            }],
            series: vec![Series {
                points: vec![(0.0, 1.0), (1.0, 1000.0), (2.0, -1.0)],
                ..Series::default()
            }],
            ..Chart::default()
        };
        let svg = svg(&[chart]);
        // The middle third of 220, and what has no logarithm is not there.
        assert!(
            svg.contains("y=\"107.3\" width=\"500.0\" height=\"73.3\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert!(svg.contains(">between</text>"), "{svg}");
    }
}
