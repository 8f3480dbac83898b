//! Pages of reports as a browser gets them: whole, of nothing but themselves, and with texts that are only texts.

use gradus_autograd::{check::gradcheck, prelude::*};
use gradus_nn::{
    Conv2d, Flatten, Layer, Linear, MaxPool2d, Module, Relu, Sequential, Summary,
    metrics::ConfusionMatrix,
    module,
    report::RunReport,
    train::{Distributions, History, Kind, Record},
};
use std::collections::{BTreeMap, HashSet};

/// What is never closed.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// A tag of a page, with its attributes.
struct Tag<'a> {
    name: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
}

/// The opening tags of a page; panics where tags do not match, or an attribute has no quotes.
fn tags(page: &str) -> Vec<Tag<'_>> {
    let (mut tags, mut open, mut rest) = (Vec::new(), Vec::new(), page);
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let inner = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &rest[..rest.len().min(80)]);
            continue;
        }
        if inner.starts_with('!') {
            continue;
        }
        let (name, mut list) = inner.split_once(' ').unwrap_or((inner, ""));
        let name = name.trim_end_matches('/');
        let mut attributes = BTreeMap::new();
        while let Some((key, value)) = list.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("quotes end");
            assert!(attributes.insert(key.trim(), value).is_none(), "{key} twice in {inner}");
            list = after;
        }
        assert!(matches!(list.trim(), "" | "/"), "{inner}");
        if !VOID.contains(&name) && !inner.ends_with('/') {
            open.push(name);
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("a style ends")..];
        }
        tags.push(Tag { name, attributes });
    }
    assert!(open.is_empty(), "{open:?} stay open");
    tags
}

/// What every page must be.
fn examine(page: &str) -> Vec<Tag<'_>> {
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    let tags = tags(page);
    let mut ids = HashSet::new();
    for tag in &tags {
        assert!(!["script", "link", "iframe", "object", "form", "base"].contains(&tag.name), "{}", tag.name);
        for (&key, value) in &tag.attributes {
            assert!(!key.starts_with("on"), "{key}");
            assert!(
                !matches!(key, "src" | "href")
                    || value.starts_with("data:image/png;base64,")
                    || value.starts_with("#s")
            );
            assert!(key != "id" || ids.insert(*value), "{value} twice");
        }
        if tag.name == "img" {
            assert!(tag.attributes.get("alt").is_some_and(|alt| !alt.is_empty()));
        }
        if tag.name == "svg" {
            assert!(tag.attributes.contains_key("aria-label") || tag.attributes.contains_key("aria-hidden"));
        }
        if tag.name == "th" {
            assert!(tag.attributes.contains_key("scope"));
        }
    }
    for target in tags.iter().filter_map(|tag| tag.attributes.get("href")) {
        assert!(ids.contains(&target[1..]), "{target} leads nowhere");
    }
    assert!(
        !page.contains("http:")
            && !page.contains("https:")
            && !page.contains("url(")
            && !page.contains("@import")
    );
    tags
}

/// Writes a page into the folder `REPORT_PAGES`, if there is such a variable: for scripts/report.py.
fn keep(name: &str, page: &str) {
    if let Some(folder) = std::env::var_os("REPORT_PAGES") {
        let folder = std::path::Path::new(&folder);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(name).with_extension("html"), page).unwrap();
    }
}

fn history(epochs: usize) -> History {
    let mut history = History::default();
    for epoch in 1..=epochs {
        let mut record = Record::default();
        record.put("loss", if epoch == 7 { f64::NAN } else { 2.0 / epoch as f64 });
        record.put("val_loss", 2.5 / epoch as f64);
        record.put("lr", 0.1);
        history.push(record);
    }
    history
}

#[derive(Clone)]
struct Net {
    layers: Sequential,
}
module!(Net { layers });

impl Layer for Net {
    fn forward<V: Value>(&self, x: V) -> V {
        self.layers.forward(x)
    }
}

fn full(name: &str, epochs: usize) -> RunReport {
    let mut rng = Rng::seed(0);
    let layers = Sequential::new()
        .push(Conv2d::new(1, 3, 3, &mut rng))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(27, 3, &mut rng));
    let (net, x) = (Net { layers }, Tensor::randn([4, 1, 8, 8], &mut rng));
    let labels = Indices::from([0, 1, 2, 0]);
    let loss = |tape: &Tape| -> f32 { net.forward(tape.constant(&x)).cross_entropy(&labels).item() };
    let mut distributions = Distributions::default();
    for step in 0..3 {
        distributions.look(step, &net, |tape| net.forward(tape.constant(&x)).cross_entropy(&labels));
    }
    let mut matrix = ConfusionMatrix::new(3);
    matrix.add(&Indices::from([0, 1, 1, 2]), &labels);
    let tape = Tape::training(0);
    let recorded = net.forward(tape.constant(&x)).cross_entropy(&labels);
    let profile = recorded.profile(1);
    assert!(loss(&Tape::new()).is_finite());
    let mut report = RunReport::new(name);
    report
        .fact(name, name)
        .note(name, format!("{name}\n{name}"))
        .history(&history(epochs))
        .confusion_matrix(name, &matrix, &[name, "b", "c"])
        .predictions(name, &Tensor::from([1.0, 2.0]), &Tensor::from([1.5, 2.5]))
        .pictures(name, &x, &[name, "2", "3", "4"])
        .summary(&Summary::new(&net, [1, 1, 8, 8]))
        .distributions(&distributions)
        .tape(&recorded.graph().params(&net.params()).name(recorded, name).times(&profile))
        .profile(&profile)
        .gradcheck(&gradcheck(|v| v[0].square().sum(), &[Tensor::from([0.5])]));
    report
}

#[test]
fn a_full_page_is_whole_and_has_every_section() {
    let page = full("A run", 12).to_html();
    keep("full", &page);
    let tags = examine(&page);
    let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
    assert_eq!((count("h1"), count("section"), count("h2")), (1, 10, 10));
    assert!(count("table") >= 10 && count("svg") >= 8 && count("img") >= 4 + 12);
    for part in ["layers.0.weight", "loss is not finite in 1 epoch: epoch 7", "12 epochs", "conv2d"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn texts_are_shown_as_they_are() {
    let name = "<script>alert('1')</script> & \"quoted\" </h1><img src=x onerror=y>\0";
    let page = full(name, 3).to_html();
    keep("names", &page);
    examine(&page);
    // As many as with a harmless name, so all of it is text.
    let harmless = full("name", 3).to_html();
    assert_eq!(tags(&page).len(), tags(&harmless).len());
    assert!(!page.contains('\0') && !page.contains("alert('1')"));
    assert!(page.contains(
        "<h1>&lt;script&gt;alert(&#x27;1&#x27;)&lt;&#x2F;script&gt; &amp; &quot;quoted&quot; &lt;&#x2F;h1&gt;"
    ));
}

#[test]
fn the_smallest_page_and_empty_sections_are_whole() {
    examine(&RunReport::new("").to_html());
    let mut report = RunReport::new("empty");
    report
        .note("note", "")
        .history(&History::default())
        .confusion_matrix("matrix", &ConfusionMatrix::new(2), &[])
        .predictions("numbers", &Tensor::zeros([0]), &Tensor::zeros([0]))
        .pictures("pictures", &Tensor::zeros([0, 1, 2, 2]), &[""; 0])
        .distributions(&Distributions::default())
        .tape(&Tape::new().graph());
    keep("empty", &report.to_html());
    examine(&report.to_html());
}

/// What is large, long or lost: as it comes from real runs, and from none that went well.
#[test]
fn large_things_make_pages_that_can_be_sent() {
    let mut rng = Rng::seed(5);
    let mut distributions = Distributions::default();
    for step in 1..=20 {
        for i in 0..500 {
            let spread = if i % 7 == 0 { 1e-6 } else { step as f32 };
            let tensor = Tensor::randn([40], &mut rng) * spread;
            distributions.add(
                Kind::Weight,
                &format!("encoder.blocks.{i}.attention.query.weight"),
                step,
                &tensor,
            );
        }
        distributions.add(Kind::Gradient, "lost", step, &Tensor::full([3], f32::NAN));
        distributions.add(Kind::Gradient, "once", step, &Tensor::full([3], 0.1));
    }
    let labels: Indices = (0..5000).map(|i| i % 100).collect();
    let guess =
        |label: i32, rng: &mut Rng| if rng.uniform(0.0, 1.0) < 0.7 { label } else { rng.below(100) as i32 };
    let guesses: Indices = labels.iter().map(|label| guess(label, &mut rng)).collect();
    let mut matrix = ConfusionMatrix::new(100);
    matrix.add(&guesses, &labels);
    let names: Vec<String> = (0..100).map(|class| format!("class number {class} & co.")).collect();
    let x = Tensor::randn([10_000], &mut rng);
    let pictures = Tensor::uniform([70, 3, 120, 100], 0.0, 1.0, &mut rng);
    let tape = Tape::new();
    let mut y = tape.var(Tensor::ones([4, 4]));
    let first = y;
    for i in 0..300 {
        y = if i % 5 == 0 { y.tanh() + first * y.sigmoid() } else { y.matmul(&first).softmax(-1) };
    }
    let mut report = RunReport::new("Large");
    report
        .fact(
            "a name that is much longer than its box is wide",
            "a_value_without_any_place_to_break_it_at_all",
        )
        .history(&history(1000))
        .confusion_matrix(
            "A hundred classes",
            &matrix,
            &names.iter().map(|name| &name[..]).collect::<Vec<_>>(),
        )
        .predictions("Regression", &(&x + Tensor::randn([10_000], &mut rng) * 0.2), &x)
        .pictures("Ten megabytes", &pictures, &vec!["a caption, not short"; 70])
        .distributions(&distributions)
        .tape(&y.graph());
    let page = report.to_html();
    keep("large", &page);
    examine(&page);
    assert!(page.len() < 4 << 20, "{}", page.len());

    let mut medium = ConfusionMatrix::new(30);
    medium.add(&guesses.iter().map(|c| c % 30).collect(), &labels.iter().map(|c| c % 30).collect());
    let mut lost = History::default();
    for epoch in 0..30 {
        let mut record = Record::default();
        record.put("loss", if epoch < 12 { 10f64.powi(epoch) } else { f64::NAN });
        record.put("val_loss", f64::INFINITY);
        lost.push(record);
    }
    let mut report = RunReport::new("Lost, and with thirty classes");
    report.history(&lost).confusion_matrix(
        "Thirty",
        &medium,
        &names[..30].iter().map(|n| &n[..]).collect::<Vec<_>>(),
    );
    report.history(&history(1));
    keep("lost", &report.to_html());
    examine(&report.to_html());
}

#[test]
fn runs_of_any_length_make_pages_that_can_be_sent() {
    for epochs in [1, 2, 61, 1000, 20_000] {
        let mut report = RunReport::new("run");
        report.history(&history(epochs));
        let page = report.to_html();
        examine(&page);
        assert!(page.len() < 150_000, "{epochs}: {}", page.len());
    }
}

#[test]
fn a_page_replaces_the_one_before_it_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    for title in ["first", "second"] {
        RunReport::new(title).save(&path).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains(&format!("<h1>{title}</h1>")));
    }
    let error = RunReport::new("x").save(dir.path().join("no/such/folder.html")).unwrap_err();
    assert!(error.to_string().contains("folder.html"), "{error}");
}

#[test]
#[should_panic = "report: 2 names for 3 classes"]
fn as_many_names_as_classes() {
    RunReport::new("").confusion_matrix("", &ConfusionMatrix::new(3), &["a", "b"]);
}

#[test]
#[should_panic = "report: 2 pictures with 1 captions"]
fn as_many_captions_as_pictures() {
    RunReport::new("").pictures("", &Tensor::zeros([2, 4, 4]), &["a"]);
}

#[test]
#[should_panic = "report: predictions [2] for targets [2, 1]"]
fn as_many_targets_as_predictions() {
    RunReport::new("").predictions("", &Tensor::zeros([2]), &Tensor::zeros([2, 1]));
}
