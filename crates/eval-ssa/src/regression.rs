//! A straight line through points: how SSA goes with perplexity, or with human-likeness.

use crate::agreement::{Statistic, Undefined};
use metrics::stats::{mean, t_quantile};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Fewer points than this are said to be few.
pub const FEW: usize = 5;

/// An ordinary least-squares line y = intercept + slope x.
///
/// ```
/// let line = eval_ssa::regression::fit(&[(12.0, 0.70), (14.0, 0.60), (16.0, 0.55), (20.0, 0.30)]);
/// assert!((line.slope.value.unwrap() + 0.0492857143).abs() < 1e-10);
/// assert!((line.r_squared.value.unwrap() - 0.9786228160).abs() < 1e-10);
/// assert_eq!(line.warnings, ["4 points are few: the line may go with chance"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// How many points.
    pub points: usize,
    /// Change of y for one more of x.
    pub slope: Statistic,
    /// y at x = 0.
    pub intercept: Statistic,
    /// 1 - residual / total sum of squares around the mean; undefined if all y are the same.
    pub r_squared: Statistic,
    /// Standard error of the slope; undefined below three points.
    pub slope_error: Statistic,
    /// Student's t interval of the slope at 95 %; `None` where it is not finite.
    pub slope_interval: Option<[f64; 2]>,
    /// Two-sided p value of a slope of 0.
    pub p_value: Statistic,
    /// What a reader has to know beside the numbers.
    pub warnings: Vec<String>,
}

impl Line {
    fn undefined(points: usize, reason: Undefined, warning: String) -> Self {
        let none = Statistic::undefined(reason);
        Self {
            points,
            slope: none,
            intercept: none,
            r_squared: none,
            slope_error: none,
            slope_interval: None,
            p_value: none,
            warnings: vec![warning],
        }
    }
}

fn constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// The power of two next to the largest of some values: divided by it, none of them overflows when
/// it is squared, and none loses a digit.
fn scale(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { largest.log2().floor().min(1023.0).exp2() } else { 1.0 }
}

/// The line through points (x, y), with an intercept. Of values that are not finite there is none.
pub fn fit(points: &[(f64, f64)]) -> Line {
    let n = points.len();
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    if !x.iter().chain(&y).all(|value| value.is_finite()) {
        let warning = "a point is not finite: there is no line".to_owned();
        return Line::undefined(n, Undefined::TooLarge, warning);
    }
    if n < 2 {
        let warning = format!("{n} points: a line needs at least 2");
        return Line::undefined(n, Undefined::TooFew, warning);
    }
    if constant(&x) {
        let warning = format!("all {n} points have the same x: there is no line");
        return Line::undefined(n, Undefined::NoVariation, warning);
    }
    let (unit_x, unit_y) = (scale(&x), scale(&y));
    let x: Vec<f64> = x.iter().map(|x| x / unit_x).collect();
    let y: Vec<f64> = y.iter().map(|y| y / unit_y).collect();
    let (mx, my) = mean(&x).zip(mean(&y)).expect("two points or more");
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        x.iter().zip(&y).map(|(x, y)| f(x - mx, y - my)).sum()
    };
    let (sxx, sxy, syy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    let flat = constant(&y);
    let slope = if flat { 0.0 } else { sxy / sxx };
    let residual = sum(&|x, y| (y - slope * x).powi(2));
    let none = Statistic::undefined;
    let r_squared = match flat {
        true => none(Undefined::NoVariation),
        false => Statistic::of(1.0 - residual / syy),
    };
    let freedom = n as f64 - 2.0;
    let error = (n > 2).then(|| (residual / freedom / sxx).sqrt());
    let p_value = match (error, flat) {
        (None, _) => none(Undefined::TooFew),
        (_, true) => none(Undefined::NoVariation),
        (Some(0.0), _) => Statistic::of(0.0),
        (Some(error), _) => {
            let t = StudentsT::new(0.0, 1.0, freedom).expect("positive degrees of freedom");
            Statistic::of(2.0 * t.sf((slope / error).abs()))
        }
    };
    let mut warnings = Vec::new();
    match n {
        2 => {
            warnings.push("2 points: a line always goes through them, so R² is 1 by itself".into())
        }
        n if n < FEW => warnings.push(format!("{n} points are few: the line may go with chance")),
        _ => {}
    }
    if flat {
        warnings.push("all points have the same y: R² is undefined".into());
    }
    // Back from the scaled values.
    let intercept = (my - slope * mx) * unit_y;
    let steep = |value: f64| value * unit_y / unit_x;
    let (slope, error) = (steep(slope), error.map(steep));
    Line {
        points: n,
        slope: Statistic::of(slope),
        intercept: Statistic::of(intercept),
        r_squared,
        slope_error: error.map_or(none(Undefined::TooFew), Statistic::of),
        slope_interval: error
            .zip(t_quantile(freedom, 0.975))
            .map(|(error, t)| [slope - t * error, slope + t * error])
            .filter(|ends| ends.iter().all(|end| end.is_finite())),
        p_value,
        warnings,
    }
}
