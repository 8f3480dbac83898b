//! The examples' common parts: cargo runs no tests of modules that only examples use.

#[path = "../examples/common/mod.rs"]
mod common;

use common::{
    chart::{Chart, figure},
    field::contours,
    grid::digit_grid,
    learning::smooth_curve,
    legend,
};
use gradus::{nn::data::digits, tensor::Tensor};
use plotters::chart::SeriesLabelPosition;
use std::{error::Error, fs, path::Path};

/// The file that a drawing function writes.
fn svg(draw: impl Fn(&Path) -> Result<(), Box<dyn Error>>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("picture.svg");
    draw(&path).unwrap();
    fs::read_to_string(&path).unwrap()
}

fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let (_, rest) =
        element.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{name} in {element}"));
    rest.split_once('"').unwrap().0
}

/// x, y, width, height and darkness (0 to 16) of the filled rectangles after the white ground.
fn rectangles(svg: &str) -> Vec<[i32; 5]> {
    let filled = svg.lines().filter(|line| line.starts_with("<rect") && line.contains("fill=\"#")).skip(1);
    let rectangle = |line: &str| {
        let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| attribute(line, name).parse().unwrap());
        let red = i32::from_str_radix(&attribute(line, "fill")[1..3], 16).unwrap();
        [x, y, w, h, ((255 - red) as f32 / 255.0 * 16.0).round() as i32]
    };
    filled.map(rectangle).collect()
}

#[test]
fn equal_pixels_side_by_side_are_one_rectangle_and_paper_is_none() {
    let image = Tensor::from([[0.0, 0.5, 0.5], [1.0, 1.0, 0.0]]);
    let picture =
        svg(|path| digit_grid(path, "Title", std::slice::from_ref(&image), &["caption".to_owned()]));
    let [[x, y, w, h, grey], second] = rectangles(&picture)[..] else { panic!("{picture}") };
    assert_eq!((w, grey), (2 * h, 8));
    assert_eq!(second, [x - h, y + h, 2 * h, h, 16]);
}

#[test]
fn a_grid_shows_every_pixel_of_every_digit() {
    let digits = digits::load();
    let images: Vec<Tensor> = (0..20).map(|i| digits.get(i).0).collect();
    let captions: Vec<String> = (0..20).map(|i| format!("label {}", digits.get(i).1)).collect();
    let picture = svg(|path| digit_grid(path, "Digits", &images, &captions));
    let drawn: i32 = rectangles(&picture).iter().map(|[_, _, w, h, ink]| w / h * ink).sum();
    let ink: f32 = images.iter().flat_map(|image| image.to_vec()).map(|pixel| 16.0 * pixel).sum();
    assert_eq!(drawn, ink as i32);
    assert_eq!(picture.lines().filter(|line| line.starts_with("label ")).count(), 20);
    assert!(picture.len() < 60_000, "{} bytes", picture.len());
}

#[test]
fn texts_are_escaped_and_odd_values_drawn() {
    let image = Tensor::from([[f32::NAN, -1.0, 7.0]]);
    let picture = svg(|path| digit_grid(path, "a < b", std::slice::from_ref(&image), &["&".to_owned()]));
    assert!(picture.contains("\na &lt; b\n") && picture.contains("\n&amp;\n"), "{picture}");
    let inks: Vec<i32> = rectangles(&picture).iter().map(|rectangle| rectangle[4]).collect();
    assert_eq!(inks, [16]);
    svg(|path| digit_grid(path, "nothing", &[], &[]));
}

#[test]
fn curves_go_where_their_points_are() {
    let points: Vec<(f64, f64)> = [(1.0, 4.0), (2.0, 2.0), (5.0, 1.0)].to_vec();
    let charts = [
        Chart::new("epoch", "loss").line("train", points),
        Chart::new("epoch", "accuracy").line("test", vec![(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.75)]),
    ];
    let picture = svg(|path| figure(path, "History", 2, &charts));
    for text in ["History", "epoch", "loss", "accuracy", "train", "test"] {
        assert!(picture.contains(&format!("\n{text}\n")), "{text}");
    }
    // The first line in this colour is the curve, the next one its sample in the legend.
    let is_curve = |line: &&str| line.starts_with("<polyline") && line.contains("stroke=\"#0072B2\"");
    let curve = attribute(picture.lines().find(is_curve).unwrap(), "points");
    let numbers: Vec<f64> =
        curve.split([' ', ',']).filter(|n| !n.is_empty()).map(|number| number.parse().unwrap()).collect();
    let [x0, y0, x1, y1, x2, y2] = numbers[..] else { panic!("{curve}") };
    // Positions are whole pixels.
    assert!(((x2 - x0) / 4.0 - (x1 - x0)).abs() <= 1.0 && x2 > x0 + 100.0, "{curve}");
    assert!(((y2 - y0) / 3.0 * 2.0 - (y1 - y0)).abs() <= 1.0 && y2 > y0 + 100.0, "{curve}");
    // The two single points beside the gap.
    assert_eq!(picture.lines().filter(|line| line.starts_with("<circle")).count(), 2);
}

/// Few points and long lines between them: along all edges but the right one.
#[test]
fn a_legend_stands_where_nothing_is_drawn() {
    let points = vec![(1.0, 0.9), (0.0, 1.0), (0.0, 0.0), (1.0, 0.1)];
    let chart = || Chart::new("x", "y").y(0.0, 1.0).x(0.0, 1.0);
    let picture = svg(|path| figure(path, "", 1, &[chart().line("a line", points.clone())]));
    let frame = |fill: &str| {
        let line = picture.lines().rfind(|line| line.starts_with("<rect") && line.contains(fill)).unwrap();
        ["x", "y", "width", "height"].map(|name| attribute(line, name).parse::<f64>().unwrap())
    };
    let ([x, y, width, height], axes) = (frame("#DCDCDC"), frame("#323232"));
    let share = |y: f64| (y - axes[1]) / axes[3];
    assert!(x + 0.5 * width > axes[0] + 0.5 * axes[2], "{x}, {width} in {axes:?}");
    assert!(share(y) > 0.1 && share(y + height) < 0.9, "{y}, {height} in {axes:?}");
    // A line whose ends are elsewhere runs through the upper right.
    let through = legend::emptiest_place(&legend::along(&[(0.6, 1.3), (1.3, 0.6)]), 0.3, 0.3);
    assert!(matches!(through, SeriesLabelPosition::LowerRight));
}

#[test]
fn histories_without_a_range_are_drawn() {
    for points in [vec![], vec![(1.0, 0.5)], vec![(0.0, 1.0), (1.0, 1.0)], vec![(0.0, f64::NAN)]] {
        let charts = [Chart::new("epoch", "loss").line("train", points)];
        assert!(svg(|path| figure(path, "", 1, &charts)).ends_with("</svg>\n"));
    }
    svg(|path| figure(path, "no charts", 1, &[]));
}

#[test]
fn contours_of_a_bowl_are_circles() {
    let lines = contours(|x, y| x * x + y * y, (-2.0, 2.0), (-2.0, 2.0), 80, &[1.0, 2.25]);
    let radius = |&(x, y): &(f64, f64)| x.hypot(y);
    // Off by at most (cell)² / 8 of the curvature.
    assert!(lines.iter().flatten().all(|p| (radius(p) - 1.0).abs() < 1e-3 || (radius(p) - 1.5).abs() < 1e-3));
    let length: f64 = lines.iter().map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1)).sum();
    assert!((length / (2.0 * std::f64::consts::PI * 2.5) - 1.0).abs() < 2e-3, "{length}");
}

#[test]
fn a_smooth_curve_has_the_books_weights() {
    // One at the middle of zeros shows the window, mirrored; numpy.kaiser(11, 2) divided by its sum.
    let mut impulse = [0.0; 21];
    impulse[10] = 1.0;
    let window = smooth_curve(&impulse);
    let expected = [0.0524, 0.0731, 0.0918, 0.1067, 0.1162, 0.1196];
    for (k, weight) in expected.into_iter().enumerate() {
        assert!(
            (window[5 + k] - weight).abs() < 6e-5 && (window[15 - k] - weight).abs() < 6e-5,
            "{window:?}"
        );
    }
    assert!(smooth_curve(&[3.0; 7]).iter().all(|y| (y - 3.0).abs() < 1e-12));
    assert!(smooth_curve(&[]).is_empty() && smooth_curve(&[2.0]).len() == 1);
}
