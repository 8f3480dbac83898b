//! Reports of runs: pages that people look at.

mod chart;
mod confusion;
mod curves;
mod distributions;
mod html;
mod paint;
mod pictures;
mod regression;
mod tables;
mod tape;

use crate::{
    metrics::ConfusionMatrix,
    save::{DataError, write_atomically},
    summary::Summary,
    train::{Distributions, History},
};
use gradus_autograd::{
    check,
    inspect::{Graph, Profile},
};
use gradus_tensor::Tensor;
use html::text;
use std::{
    fmt::{Display, Write},
    path::Path,
};

/// A run on one page of HTML: what the model is, how it was trained, how good it is, what is within.
///
/// The page is one file that needs no other: no network, no script, pictures within. It is light or dark as the reader's system is, fits
/// narrow windows, and everything drawn has its numbers in a table beside it. Texts of yours are shown as they are, whatever characters
/// they have. Sections come in the order in which they are added; those of one kind may come several times.
///
/// Whatever the size of a run, the page stays one that can be sent: curves and histograms of long runs are thinned out, with
/// all peaks; what is left out is said.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Layer, Linear, Module, Relu, Sequential, Summary, data::digits, gradcheck_model};
/// use gradus_nn::{metrics::{ConfusionMatrix, predict}, report::RunReport};
/// use gradus_nn::train::{Distributions, Epoch, Trainer};
///
/// let mut rng = Rng::seed(0);
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let (train, test) = digits.split(1400, &mut rng);
/// let few = train.select(&(0..50).collect::<Vec<_>>());
/// let mut net = Sequential::new().push(Linear::new(64, 20, &mut rng)).push(Relu).push(Linear::new(20, 10, &mut rng));
///
/// // The loss of a few examples, which is looked at, timed and checked.
/// fn loss<'t>(net: &Sequential, tape: &'t Tape, few: &gradus_nn::data::Dataset) -> Var<'t> {
///     net.forward(tape.constant(few.inputs())).cross_entropy(few.labels())
/// }
/// let mut distributions = Distributions::default();
/// let mut look = |epoch: &mut Epoch<'_, Sequential>| {
///     distributions.look(epoch.number, epoch.model, |tape| loss(epoch.model, tape, &few));
/// };
/// let mut trainer = Trainer::new(Adam::new(0.01), 50, 1);
/// trainer.fit(&mut net, &train, 3, |y, labels| y.cross_entropy(labels), &mut [&mut look]);
///
/// let guesses = predict(&net, test.inputs(), 500).argmax(-1);
/// let mut matrix = ConfusionMatrix::new(10);
/// matrix.add(&guesses, test.labels());
/// let wrong: Vec<usize> = (0..test.len()).filter(|&i| guesses.as_slice()[i] != test.labels().as_slice()[i]).collect();
/// let captions: Vec<String> = wrong.iter().map(|&i| format!("{} for {}", guesses.as_slice()[i], test.get(i).1)).collect();
///
/// let mut report = RunReport::new("Digits");
/// report.fact("seed", 0).fact("accuracy", format!("{:.4}", matrix.accuracy()));
/// report.history(trainer.history()).confusion_matrix("Test digits", &matrix, &[]);
/// report.pictures("Misclassified", &test.select(&wrong).inputs().reshape([wrong.len(), 8, 8]), &captions);
/// report.summary(&Summary::new(&net, [1, 64])).distributions(&distributions);
/// let tape = Tape::training(0);
/// let recorded = loss(&net, &tape, &few);
/// report.profile(&recorded.profile(5)).tape(&recorded.graph().params(&net.params()));
/// report.gradcheck(&gradcheck_model(&net, |tape| loss(&net, tape, &few)));
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("report.html");
/// report.save(&path)?;
/// # assert!(std::fs::read_to_string(path)?.starts_with("<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunReport {
    title: String,
    facts: Vec<(String, String)>,
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    title: String,
    html: String,
}

impl RunReport {
    /// With nothing but a title.
    pub fn new(title: impl Display) -> RunReport {
        RunReport { title: title.to_string(), facts: Vec::new(), sections: Vec::new() }
    }

    /// Adds a setting or a result, such as a seed or an accuracy; it stands above all sections.
    pub fn fact(&mut self, name: impl Display, value: impl Display) -> &mut RunReport {
        self.facts.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds a text. Its lines stay lines.
    pub fn note(&mut self, title: impl Display, note: impl Display) -> &mut RunReport {
        let lines: Vec<String> = note.to_string().lines().map(text).collect();
        self.section(title, format!("<p>{}</p>\n", lines.join("<br>")))
    }

    /// Adds what a model is made of.
    pub fn summary(&mut self, summary: &Summary) -> &mut RunReport {
        self.section("Model", tables::summary(summary))
    }

    /// Adds the curves of all metrics over the epochs, those of one quantity in one chart, such as `loss` and `val_loss`. Where a curve
    /// spans many sizes it is logarithmic; where it is not finite it has a gap with a cross below, and the epochs are said.
    pub fn history(&mut self, history: &History) -> &mut RunReport {
        self.section("Curves", curves::html(history))
    }

    /// Adds a confusion matrix, whose classes have these names; without names they are counted from 0. More than 30 classes are a
    /// picture, with a list of what is mistaken most.
    ///
    /// # Panics
    /// When there are names, and not as many as classes.
    #[track_caller]
    pub fn confusion_matrix(
        &mut self,
        title: impl Display,
        matrix: &ConfusionMatrix,
        names: &[&str],
    ) -> &mut RunReport {
        let classes = matrix.classes();
        assert!(
            names.is_empty() || names.len() == classes,
            "report: {} names for {classes} classes",
            names.len()
        );
        self.section(title, confusion::html(matrix, names))
    }

    /// Adds predicted numbers against the right ones, of any one shape: each over its target, and the usual measures of error.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn predictions(
        &mut self,
        title: impl Display,
        predictions: &Tensor,
        targets: &Tensor,
    ) -> &mut RunReport {
        self.section(title, regression::html(predictions, targets))
    }

    /// Adds pictures `[n, h, w]`, `[n, 1, h, w]` or `[n, 3, h, w]`, each with a caption: the first 60 of them, brought to at most 128
    /// pixels a side. 0 is black and 1 white; where elements lie outside, as those of normalised images do, the least
    /// is black and the greatest white.
    ///
    /// # Panics
    /// When the shape is another, or there are not as many captions.
    #[track_caller]
    pub fn pictures(
        &mut self,
        title: impl Display,
        pictures: &Tensor,
        captions: &[impl AsRef<str>],
    ) -> &mut RunReport {
        self.section(title, pictures::html(pictures, captions))
    }

    /// Adds how weights, gradients and activations are spread over the run.
    pub fn distributions(&mut self, distributions: &Distributions) -> &mut RunReport {
        self.section("Distributions", distributions::html(distributions))
    }

    /// Adds what a tape recorded, operation by operation, with the flow of values drawn beside it; the first 1000.
    pub fn tape(&mut self, graph: &Graph<'_>) -> &mut RunReport {
        self.section("Tape", tape::html(graph))
    }

    /// Adds how long each operation and each line of the program takes.
    pub fn profile(&mut self, profile: &Profile) -> &mut RunReport {
        self.section("Profile", tables::profile(profile))
    }

    /// Adds what a gradient check found.
    pub fn gradcheck(&mut self, report: &check::Report) -> &mut RunReport {
        self.section("Gradient check", tables::gradcheck(report))
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = text(&self.title);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
             <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
            include_str!("page.css")
        );
        if !self.facts.is_empty() {
            page.push_str("<dl>\n");
            for (name, value) in &self.facts {
                let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", text(name), text(value));
            }
            page.push_str("</dl>\n");
        }
        if self.sections.len() > 1 {
            page.push_str("<nav aria-label=\"Sections\">\n");
            for (i, section) in self.sections.iter().enumerate() {
                let _ = writeln!(page, "<a href=\"#s{i}\">{}</a>", text(&section.title));
            }
            page.push_str("</nav>\n");
        }
        page.push_str("</header>\n<main>\n");
        for (i, Section { title, html }) in self.sections.iter().enumerate() {
            let title = text(title);
            let _ = writeln!(
                page,
                "<section id=\"s{i}\" aria-labelledby=\"t{i}\">\n<h2 id=\"t{i}\">{title}</h2>\n{html}</section>"
            );
        }
        let _ = writeln!(
            page,
            "</main>\n<footer>Written by gradus {}.</footer>\n</body>\n</html>",
            env!("CARGO_PKG_VERSION")
        );
        page
    }

    /// Writes the page to a file, which is complete or as it was before: a run can write its report after every epoch.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), DataError> {
        write_atomically(path, self.to_html())
    }

    fn section(&mut self, title: impl Display, html: String) -> &mut RunReport {
        self.sections.push(Section { title: title.to_string(), html });
        self
    }
}
