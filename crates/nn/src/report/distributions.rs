//! How weights, gradients and activations are spread over a run: a picture for each tensor, and its numbers.

use super::{
    html::{Cell, count, folded, grouped, number, png_address, table, text},
    paint::{BLUE, paint},
};
use crate::train::{Distributions, Kind, Series, Snapshot};
use std::fmt::Write;

/// So many pictures of a kind are seen at once, so many more when asked for; the others have their numbers only.
const SEEN: usize = 12;
const PICTURES: usize = 100;

/// The pixels of a picture from its least to its greatest number.
const HEIGHT: usize = 40;

pub(super) fn html(distributions: &Distributions) -> String {
    let kinds = [
        (Kind::Weight, "Weights", "weight"),
        (Kind::Gradient, "Gradients", "gradient"),
        (Kind::Activation, "Activations", "activation"),
    ];
    let mut out = String::new();
    for (kind, title, noun) in kinds {
        let series: Vec<&Series> =
            distributions.series().iter().filter(|series| series.kind == kind).collect();
        if series.is_empty() {
            continue;
        }
        let (seen, more) = series.split_at(series.len().min(SEEN));
        let more = &more[..more.len().min(PICTURES - SEEN)];
        let pictures = |series: &[&Series]| {
            let all: String = series.iter().map(|series| picture(series)).collect();
            format!("<div class=\"grid small\">{all}</div>\n")
        };
        let _ = writeln!(out, "<h3>{title}</h3>\n{}", pictures(seen));
        if !more.is_empty() {
            let rest = match series.len() - seen.len() - more.len() {
                0 => String::new(),
                rest => format!("; the other {} have their numbers only", grouped(rest)),
            };
            out += &folded(&format!("{} more pictures{rest}", grouped(more.len())), &pictures(more));
        }
        out += &folded(&format!("Numbers of {}", count(series.len(), noun)), &numbers(title, &series));
    }
    if out.is_empty() {
        return "<p class=\"empty\">nothing was looked at</p>\n".into();
    }
    let legend = "From left to right the steps of the run, upwards the numbers; the stronger the colour, the more elements are there.";
    format!("<p class=\"dim\">{legend}</p>\n{out}")
}

/// From left to right the steps, from below to above the numbers; the more of them, the thicker.
fn picture(series: &Series) -> String {
    let snapshots = series.snapshots();
    let name = text(&series.name);
    let finite = || snapshots.iter().map(|snapshot| &snapshot.statistics).filter(|s| s.min.is_finite());
    let low = f64::from(finite().map(|s| s.min).fold(f32::INFINITY, f32::min));
    let high = f64::from(finite().map(|s| s.max).fold(f32::NEG_INFINITY, f32::max));
    let [Some(first), Some(last)] = [snapshots.first(), snapshots.last()] else { return String::new() };
    let shown = if low <= high {
        let columns: Vec<Vec<f64>> = snapshots.iter().map(|snapshot| column(snapshot, low, high)).collect();
        // The greatest number is at the top.
        let pixel = |x: usize, y: usize| (BLUE, columns[x][HEIGHT - 1 - y].sqrt());
        format!(
            "<div class=\"heat\"><span>{}</span><span>{}</span><img class=\"pixels plot\" alt=\"histograms of {name} from {} to {}\" src=\"{}\"></div>",
            number(high),
            number(low),
            number(low),
            number(high),
            png_address(&paint([columns.len(), HEIGHT], pixel))
        )
    } else {
        "<p class=\"empty\">no finite number</p>".into()
    };
    let lost: usize = snapshots.iter().map(|snapshot| snapshot.statistics.not_finite).sum();
    let lost = if lost > 0 { "<p class=\"bad\">✗ not always finite</p>" } else { "" };
    let steps = if first.step == last.step {
        format!("<span>{}</span>", first.step)
    } else {
        format!("<span>{}</span><span>{}</span>", first.step, last.step)
    };
    format!(
        "<figure class=\"chart\"><figcaption><b>{name}</b></figcaption>{shown}<div class=\"steps\">{steps}</div>{lost}</figure>\n"
    )
}

/// How dense the numbers of a snapshot are in each of the parts from `low` to `high`, as a share of the densest.
fn column(snapshot: &Snapshot, low: f64, high: f64) -> Vec<f64> {
    let mut sums = vec![0.0; HEIGHT];
    let (least, greatest) = (f64::from(snapshot.statistics.min), f64::from(snapshot.statistics.max));
    // Where a number lies among the parts; all are one number where there is no range.
    let place =
        |x: f64| if high > low { (x - low) / (high - low) * HEIGHT as f64 } else { HEIGHT as f64 / 2.0 };
    let bin = (greatest - least) / snapshot.counts.len().max(1) as f64;
    for (i, &count) in snapshot.counts.iter().enumerate() {
        let (start, end) = (place(least + i as f64 * bin), place(least + (i + 1) as f64 * bin));
        // A part has of the bin what lies in it, as if its elements were evenly spread.
        let parts = (start as usize).min(HEIGHT - 1)..=(end as usize).min(HEIGHT - 1);
        let wide = end - start;
        for part in parts {
            let common = end.min(part as f64 + 1.0) - start.max(part as f64);
            let share = if wide > 1e-9 { (common / wide).clamp(0.0, 1.0) } else { 1.0 };
            sums[part] += count as f64 * share;
        }
    }
    let most = sums.iter().copied().fold(0.0, f64::max);
    sums.iter().map(|sum| if most > 0.0 { sum / most } else { 0.0 }).collect()
}

/// The numbers of each at the last step, and how large it was at the first.
fn numbers(title: &str, series: &[&Series]) -> String {
    let row = |series: &&Series| {
        let [Some(first), Some(last)] = [series.snapshots().first(), series.snapshots().last()] else {
            return Vec::new();
        };
        let (first, last) = (first.statistics, last.statistics);
        let mut row = vec![Cell::Code(series.name.clone()), Cell::Number(grouped(last.count))];
        row.extend([first.rms, last.rms, last.mean, last.std].map(|x| Cell::Number(number(x))));
        row.extend([last.min, last.max].map(|x| Cell::Number(number(f64::from(x)))));
        row.push(Cell::Share(last.zeros));
        row.push(Cell::Number(grouped(last.not_finite)));
        row
    };
    let header = [
        "name",
        "elements",
        "rms at first",
        "rms",
        "mean",
        "std",
        "least",
        "greatest",
        "zeros",
        "not finite",
    ];
    table(title, &header, &series.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{Rng, Tensor};

    #[test]
    fn elements_are_where_they_belong() {
        // Half of them in the lowest quarter, half at the top.
        let snapshot = Snapshot::of(1, &Tensor::from([0.0, 0.05, 1.0, 1.0]));
        let column = column(&snapshot, 0.0, 4.0);
        let filled: Vec<usize> = (0..HEIGHT).filter(|&i| column[i] > 0.01).collect();
        assert_eq!((filled[0], filled[filled.len() - 1]), (0, 9), "{column:?}");
        assert_eq!(column.iter().copied().fold(0.0, f64::max), 1.0);
    }

    /// All shares of all bins together are the elements.
    #[test]
    fn nothing_is_lost_between_bins_and_pixels() {
        let snapshot = Snapshot::of(1, &Tensor::randn([1000], &mut Rng::seed(0)));
        let density = column(&snapshot, -10.0, 10.0);
        let most = snapshot.counts.iter().sum::<usize>() as f64 / density.iter().sum::<f64>();
        // 1000 normal numbers: the densest twentieth (half a deviation) has about 195.
        assert!((150.0..250.0).contains(&most), "{most}");
    }

    #[test]
    fn five_hundred_tensors_fit_on_a_page() {
        let mut distributions = Distributions::default();
        for step in 0..30 {
            for i in 0..500 {
                let tensor = Tensor::randn([50], &mut Rng::seed(step * 500 + i));
                distributions.add(Kind::Weight, &format!("blocks.{i}.weight"), step, &tensor);
            }
        }
        let page = html(&distributions);
        assert_eq!(page.matches("<img").count(), PICTURES);
        assert_eq!(page.matches("<code>blocks.").count(), 500);
        assert!(page.contains("88 more pictures; the other 400 have their numbers only"));
        assert!(page.len() < 500_000, "{}", page.len());
    }

    #[test]
    fn constant_and_lost_tensors_have_their_answer() {
        let mut distributions = Distributions::default();
        distributions.add(Kind::Weight, "<flat>", 1, &Tensor::from([2.0, 2.0]));
        distributions.add(Kind::Gradient, "lost", 1, &Tensor::from([f32::NAN]));
        let page = html(&distributions);
        assert!(page.contains("<b>&lt;flat&gt;</b>") && page.contains("no finite number"), "{page}");
        assert_eq!(page.matches("✗ not always finite").count(), 1);
        assert!(html(&Distributions::default()).contains("nothing was looked at"));
    }
}
