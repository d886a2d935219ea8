//! Curves as a picture, with both axes in powers.

use std::fmt::Write as _;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 240.0;
/// Room for the numbers of the axes.
const MARGIN: f64 = 46.0;

/// What is drawn in one frame.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) title: &'static str,
    pub(super) axis: &'static str,
    pub(super) points: Vec<(usize, f64)>,
}

/// Two frames beside each other.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) curves: [Curve; 2],
}

impl Plot {
    pub(super) fn svg(&self) -> String {
        let (width, height) = (2.0 * (WIDTH + MARGIN) + MARGIN, HEIGHT + 2.0 * MARGIN);
        let style = "text{font:12px sans-serif;fill:#57606a}.line{fill:none;stroke:#0969da;stroke-width:2}\
                     .dot{fill:#0969da}.rule{stroke:#d0d7de}.name{font-weight:600}";
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\
             <style>{style}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        for (place, curve) in self.curves.iter().enumerate() {
            let left = MARGIN + if place == 0 { 0.0 } else { WIDTH + MARGIN };
            curve.draw(&mut svg, left);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Curve {
    // Writing to a text does not fail.
    fn draw(&self, svg: &mut String, left: f64) {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let points: Vec<(f64, f64)> = self.points.iter().map(|(at, value)| ((*at).max(1) as f64, *value)).collect();
        let widest = points.iter().map(|point| point.0).fold(10.0, f64::max).log10();
        let highest = points.iter().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
        let lowest = points.iter().map(|point| point.1).fold(f64::MAX, f64::min).log10().floor();
        let across = |at: f64| left + at.log10() / widest * (WIDTH - MARGIN);
        let up = |value: f64| MARGIN + (highest - value.log10()) / (highest - lowest).max(1.0) * HEIGHT;
        let (bottom, right) = (MARGIN + HEIGHT, left + WIDTH - MARGIN);
        _ = writeln!(svg, "<text class=\"name\" x=\"{left:.0}\" y=\"24\">{}</text>", self.title);
        _ = writeln!(svg, "<text x=\"{left:.0}\" y=\"{:.0}\">{}</text>", bottom + 36.0, self.axis);
        let mut power = lowest;
        while power <= highest {
            let (value, at) = (10_f64.powf(power), up(10_f64.powf(power)));
            _ = writeln!(svg, "<path class=\"rule\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>");
            _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{value}</text>", left - 4.0, at + 4.0);
            power += 1.0;
        }
        let mut line = String::new();
        for (place, (at, value)) in points.iter().enumerate() {
            let (x, y) = (across(*at), up(*value));
            _ = write!(line, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
            _ = writeln!(svg, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
            _ = writeln!(svg, "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{at}</text>", bottom + 18.0);
        }
        _ = writeln!(svg, "<path class=\"line\" d=\"{line}\"/>");
    }
}
