//! A confusion matrix: as a table where it is small, as a picture where it is not, and what is mistaken most.

use super::{
    html::{Cell, count, folded, grouped, number, png_address, scrolled, table, text},
    paint::{BLUE, ORANGE, paint},
};
use crate::metrics::ConfusionMatrix;
use std::fmt::Write;

/// Up to so many classes are a table with numbers; up to so many a picture with a pixel for each pair.
const TABLE: usize = 30;
const PICTURE: usize = 1024;

/// How many pairs and how many classes are listed.
const PAIRS: usize = 20;
const CLASSES: usize = 1000;

pub(super) fn html(matrix: &ConfusionMatrix, names: &[&str]) -> String {
    let n = matrix.classes();
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned());
    let rows: Vec<u64> = (0..n).map(|label| (0..n).map(|guess| matrix.count(label, guess)).sum()).collect();
    let all: u64 = rows.iter().sum();
    if all == 0 {
        return "<p class=\"empty\">no example was counted</p>\n".into();
    }
    let mut out = format!(
        "<p>Accuracy {} of {}; macro F1 {}.</p>\n",
        number(matrix.accuracy()),
        count(all as usize, "example"),
        number(matrix.macro_f1())
    );
    if n <= TABLE {
        cells(matrix, &rows, &name, &mut out);
    } else if n <= PICTURE {
        picture(matrix, &rows, &mut out);
    }
    let mut pairs: Vec<(usize, usize)> = (0..n * n)
        .map(|i| (i / n, i % n))
        .filter(|&(label, guess)| label != guess && matrix.count(label, guess) > 0)
        .collect();
    pairs.sort_by_key(|&(label, guess)| std::cmp::Reverse(matrix.count(label, guess)));
    if !pairs.is_empty() {
        let row = |&(label, guess): &(usize, usize)| {
            let found = matrix.count(label, guess);
            let share = found as f64 / rows[label] as f64;
            vec![
                Cell::Text(name(label)),
                Cell::Text(name(guess)),
                Cell::Number(grouped(found as usize)),
                Cell::Share(share),
            ]
        };
        let shown: Vec<Vec<Cell>> = pairs.iter().take(PAIRS).map(row).collect();
        let title = match pairs.len() {
            0..=PAIRS => "What was mistaken".to_owned(),
            more => format!("What was mistaken most: {PAIRS} of {} pairs", grouped(more)),
        };
        let _ = writeln!(out, "<h3>{title}</h3>");
        out += &table(&title, &["label", "guess", "times", "of the label"], &shown);
    }
    let row = |class: usize| {
        let share = |x: f64| Cell::Number(if x.is_nan() { "–".into() } else { number(x) });
        vec![
            Cell::Text(name(class)),
            Cell::Number(grouped(rows[class] as usize)),
            share(matrix.precision(class)),
            share(matrix.recall(class)),
            share(matrix.f1(class)),
        ]
    };
    let each: Vec<Vec<Cell>> = (0..n.min(CLASSES)).map(row).collect();
    let title = match n {
        ..=CLASSES => "Each class".to_owned(),
        _ => format!("The first {} of {} classes", grouped(CLASSES), grouped(n)),
    };
    out + &folded(&title, &table(&title, &["class", "examples", "precision", "recall", "F1"], &each))
}

/// A table whose cells are shaded by their share of the row.
fn cells(matrix: &ConfusionMatrix, rows: &[u64], name: &dyn Fn(usize) -> String, out: &mut String) {
    let n = matrix.classes();
    let turned = if (0..n).any(|class| name(class).chars().count() > 3) { " turned" } else { "" };
    out.push_str("<p class=\"dim\">Rows: labels; columns: guesses; shaded by the share of the label.</p>\n");
    *out += &scrolled("Confusion matrix");
    let _ = write!(out, "<table class=\"matrix{turned}\"><thead><tr><td></td>");
    for class in 0..n {
        let _ = write!(out, "<th scope=\"col\"><span>{}</span></th>", text(name(class)));
    }
    out.push_str("</tr></thead><tbody>");
    for (label, &all) in rows.iter().enumerate() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", text(name(label)));
        for guess in 0..n {
            let found = matrix.count(label, guess);
            let share = found as f64 / all.max(1) as f64;
            let class = match (found, label == guess) {
                (0, _) => "zero",
                (_, true) => "right",
                (_, false) => "wrong",
            };
            // What is rare is seen too, and on what is frequent the number can be read.
            let shade = if found == 0 { 0.0 } else { 18.0 + 42.0 * share };
            let _ = write!(
                out,
                "<td class=\"{class}\" style=\"--s:{shade:.0}%\">{}</td>",
                grouped(found as usize)
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A pixel for each pair.
fn picture(matrix: &ConfusionMatrix, rows: &[u64], out: &mut String) {
    let n = matrix.classes();
    let pixel = |x: usize, label: usize| {
        let share = matrix.count(label, x) as f64 / rows[label].max(1) as f64;
        (if x == label { BLUE } else { ORANGE }, share.sqrt())
    };
    let _ = writeln!(
        out,
        "<figure class=\"picture\"><img class=\"pixels plot\" alt=\"confusion matrix of {n} classes\" src=\"{}\">\
         <figcaption>rows: labels, the first at the top; columns: guesses; blue what is right, orange what is not</figcaption></figure>",
        png_address(&paint([n, n], pixel))
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Indices;

    fn matrix(classes: usize, pairs: &[(i32, i32)]) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(classes);
        let (guesses, labels): (Vec<i32>, Vec<i32>) = pairs.iter().copied().unzip();
        matrix.add(&guesses.into(), &labels.into());
        matrix
    }

    #[test]
    fn few_classes_are_a_table_of_counts_under_their_names() {
        let page =
            html(&matrix(3, &[(0, 0), (0, 0), (1, 0), (2, 1), (1, 1)]), &["<cat>", "dog & bone", "\"eel\""]);
        assert!(
            page.contains("<th scope=\"row\">&lt;cat&gt;</th><td class=\"right\" style=\"--s:46%\">2</td>"),
            "{page}"
        );
        assert!(
            page.contains("<td>dog &amp; bone</td><td>&quot;eel&quot;</td><td class=\"n\">1</td>"),
            "{page}"
        );
        // Nobody was an eel.
        assert!(
            page.contains(
                "<td>&quot;eel&quot;</td><td class=\"n\">0</td><td class=\"n\">0</td><td class=\"n\">–</td>"
            ),
            "{page}"
        );
        assert!(page.contains("Accuracy 0.6 of 5 examples"), "{page}");
    }

    #[test]
    fn many_classes_are_a_picture_and_a_list_of_mistakes() {
        let all: Vec<(i32, i32)> = (0..100).flat_map(|i| [(i, i), (i, i), ((i * i) % 100, i)]).collect();
        let page = html(&matrix(100, &all), &[]);
        assert!(page.contains("<img class=\"pixels plot\"") && !page.contains("class=\"matrix"));
        assert!(page.contains("What was mistaken most: 20 of 96 pairs"), "{page}");
        assert!(page.len() < 60_000, "{}", page.len());
        let page = html(&matrix(1500, &[(3, 3)]), &[]);
        assert!(!page.contains("<img") && !page.contains("mistaken"));
        assert!(page.contains("The first 1,000 of 1,500 classes"));
    }

    #[test]
    fn nothing_counted_is_no_table() {
        assert!(html(&matrix(2, &[]), &[]).contains("no example was counted"));
        assert_eq!(ConfusionMatrix::new(4).classes(), 4);
        let _ = Indices::from([0]);
    }
}
