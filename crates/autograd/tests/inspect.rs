//! What is shown of a tape, to the letter.

use gradus_autograd::{inspect::Phase, prelude::*};

/// The text with this file's lines counted from `start`, so that it does not change when the file grows.
fn relative(text: &str, start: u32) -> String {
    let marker = concat!(file!(), ":");
    let mut parts = text.split(marker);
    let mut result = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        let line: u32 = part[..digits].parse().unwrap();
        result += &format!("model.rs:{}{}", line - start, &part[digits..]);
    }
    result
}

#[track_caller]
fn shows(text: &str, start: u32, expected: &str) {
    let found = relative(text, start);
    assert!(found == expected, "it shows\n{found}instead of\n{expected}");
}

#[test]
fn lines() {
    let start = line!();
    let (w, b) = (Param::new(Tensor::ones([3, 4])), Param::new([0.0; 4]));
    let tape = Tape::new();
    let x = tape.constant(Tensor::ones([2, 3]));
    let h = (x.matmul(&tape.param(&w)) + tape.param(&b)).relu();
    let p = h.transpose(0, 1).softmax(0);
    let y = (p * 2.0).max_axes(0, false).mean();
    let unused = h.exp();
    assert_eq!(unused.shape(), [2, 4]);
    let names = [("layer.weight".to_string(), &w), ("layer.bias".to_string(), &b)];
    shows(
        &y.graph().params(&names).name(x, "x").name(y, "loss").to_string(),
        start,
        r#"%0   x             = constant                               [2, 3]  24 B          model.rs:3
%1   layer.weight  = param                                  [3, 4]  48 B          model.rs:4
%2                 = matmul %0 %1                           [2, 4]  32 B          model.rs:4
%3   layer.bias    = param                                  [4]     16 B          model.rs:4
%4                 = add %2 %3                              [2, 4]  32 B          model.rs:4
%5                 = relu %4                                [2, 4]  32 B          model.rs:4
%6                 = permute([1, 0]) %5                     [4, 2]   0 B          model.rs:5
%7                 = softmax { axis: 0 } %6                 [4, 2]  32 B          model.rs:5
%8                 = mul_scalar(2.0) %7                     [4, 2]  32 B          model.rs:6
%9                 = max { axes: [0], keepdims: false } %8  [2]      8 B  + 40 B  model.rs:6
%10                = sum { axes: all, keepdims: false } %9  []       4 B          model.rs:6
%11  loss          = div_scalar(2.0) %10                    []       4 B          model.rs:6
12 values, 264 B held and 40 B saved
"#,
    );
    shows(
        &tape.memory().to_string(),
        start,
        r#"values   held  saved
     5  160 B    0 B  model.rs:4
     4   48 B   40 B  model.rs:6
     2   32 B    0 B  model.rs:5
     1   32 B    0 B  model.rs:7
     1   24 B    0 B  model.rs:3
    13  296 B   40 B  in all
"#,
    );
}

#[test]
fn diagrams() {
    let tape = Tape::new();
    let (x, y) = (tape.var(1.0), tape.var([2.0, 3.0]));
    let z = (x * y).tanh() * 0.5;
    let graph = z.graph().name(x, "x").name(y, "the \"y\"");
    shows(
        &graph.dot(),
        0,
        r#"digraph {
  node [fontname=Helvetica];
  v0 [label="x\n1", style=filled, fillcolor=orange];
  v1 [label="the \"y\"\n[2]", style=filled, fillcolor=orange];
  f2 [label="mul", shape=box, style=filled, fillcolor=lightblue];
  v2 [label="[2]", color=orange];
  f3 [label="tanh", shape=box, style=filled, fillcolor=lightblue];
  v3 [label="[2]", color=orange];
  f4 [label="mul_scalar(0.5)", shape=box, style=filled, fillcolor=lightblue];
  v4 [label="[2]", color=orange];
  v0 -> f2;
  v1 -> f2;
  f2 -> v2;
  v2 -> f3;
  f3 -> v3;
  v3 -> f4;
  f4 -> v4;
}
"#,
    );
    shows(
        &graph.mermaid(),
        0,
        r#"graph LR
  v0(["x<br>1"])
  v1(["the #quot;y#quot;<br>[2]"])
  f2["mul"]
  v2(["[2]"])
  f3["tanh"]
  v3(["[2]"])
  f4["mul_scalar(0.5)"]
  v4(["[2]"])
  v0 --> f2
  v1 --> f2
  f2 --> v2
  v2 --> f3
  f3 --> v3
  v3 --> f4
  f4 --> v4
  classDef variable fill:#fa3
  class v0,v1 variable
  classDef operation fill:#ade
  class f2,f3,f4 operation
"#,
    );
}

#[test]
fn anomalies() {
    let start = line!();
    let tape = Tape::new();
    let x = tape.var([[2.0, -1.0, 0.5]]);
    let y = (x + 0.5).log() * 2.0;
    let anomaly = y.sum().find_anomaly().unwrap();
    assert_eq!((anomaly.phase, anomaly.op), (Phase::Forward, "log"));
    shows(
        &format!("{anomaly}\n"),
        start,
        r#"NaN was born in the forward of %2 = log %1, recorded at model.rs:3
  the value        [1, 3]: 1 of 3 is NaN, at [0, 1]
  input 0, %1      [1, 3]: -0.5 at [0, 1], from add_scalar at model.rs:3
"#,
    );

    let start = line!();
    let tape = Tape::new();
    let x = tape.var([4.0, 0.0]);
    let y = x.sqrt().sum();
    let anomaly = y.find_anomaly().unwrap();
    assert_eq!((anomaly.phase, anomaly.op), (Phase::Backward, "sqrt"));
    shows(
        &format!("{anomaly}\n"),
        start,
        r#"Infinity was born in the backward of %1 = sqrt %0, recorded at model.rs:3
  the gradient by input 0, %0, [2]: 1 of 2 is infinite, at [1]
  gradient of %1   [2]: 1.0 at [1]
  input 0, %0      [2]: 0.0 at [1], from var at model.rs:2
"#,
    );

    let start = line!();
    let tape = Tape::new();
    let x = tape.var([80.0, 1.0]);
    let y = (x * 2.0).exp().sum();
    shows(
        &format!("{}\n", y.find_anomaly().unwrap()),
        start,
        r#"Infinity was born in the forward of %2 = exp %1, recorded at model.rs:3
  the value        [2]: 1 of 2 is infinite, at [0]
  input 0, %1      [2]: 160.0 at [0], from mul_scalar at model.rs:3
"#,
    );

    let start = line!();
    let tape = Tape::new();
    let x = tape.var([f32::NAN, 1.0]);
    shows(
        &format!("{}\n", (x * 2.0).find_anomaly().unwrap()),
        start,
        r#"NaN in the var %0, made at model.rs:2
  the value        [2]: 1 of 2 is NaN, at [0]
"#,
    );

    // An input of another shape.
    let start = line!();
    let tape = Tape::new();
    let (x, y) = (tape.var([[1e30, 1.0], [2.0, 3.0]]), tape.var([1e30, 1.0]));
    let z = x * y;
    shows(
        &format!("{}\n", z.find_anomaly().unwrap()),
        start,
        r#"Infinity was born in the forward of %2 = mul %0 %1, recorded at model.rs:3
  the value        [2, 2]: 1 of 4 is infinite, at [0, 0]
  input 0, %0      [2, 2]: 1e30 at [0, 0], from var at model.rs:2
  input 1, %1      [2]: from 1.0 to 1e30, from var at model.rs:2
"#,
    );
    // A sum of gradients that are sound each.
    let start = line!();
    let x = tape.var(0.3);
    let y = (x * 1e38 + x * 1e38) * 3.0;
    shows(
        &format!("{}\n", y.find_anomaly().unwrap()),
        start,
        r#"Infinity in the gradient of %3 = var, recorded at model.rs:1
  the cotangent that the sweep began with, or the sum of what several uses gave, []: 1 of 1 is infinite, at []
"#,
    );
}

#[test]
fn infinities_that_were_given_are_no_anomaly() {
    let tape = Tape::new();
    let x = tape.var([[1.0, 2.0, 3.0]]);
    let mask = tape.constant([[0.0, 1.0, 0.0]]);
    let y = x.masked_fill(&mask, f32::NEG_INFINITY).softmax(1);
    assert!(y.square().sum().find_anomaly().is_none());
    // All masked: here the softmax makes a NaN of it, and is named.
    let y = x.masked_fill(&tape.constant([[1.0, 1.0, 1.0]]), f32::NEG_INFINITY);
    let difference = y - y;
    assert_eq!(difference.sum().find_anomaly().unwrap().op, "sub");
}

/// What a panic says.
fn message(f: impl FnOnce()) -> Option<String> {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    payload.downcast_ref::<String>().cloned().or(payload.downcast_ref::<&str>().map(ToString::to_string))
}

#[test]
fn the_anomaly_mode_stops_a_step() {
    let w = Param::new([1.0, 0.0]);
    let mut tape = Tape::new();
    let silent = tape.step(|tape| (tape.param(&w).sqrt().sum(), ()));
    assert!(silent.1[&w].get([1]).is_infinite());
    tape.detect_anomaly(true);
    let said = message(|| drop(tape.step(|tape| (tape.param(&w).sqrt().sum(), ())))).unwrap();
    assert!(said.starts_with("Infinity was born in the backward of %1 = sqrt %0, recorded at "), "{said}");
    tape.clear();
    let said = message(|| drop(tape.step(|tape| (tape.param(&w).log().mean(), ())))).unwrap();
    assert!(said.starts_with("Infinity was born in the forward of %1 = log %0"), "{said}");
    tape.clear();
    // In a checkpoint, whose values are gone when the sweep comes.
    let in_checkpoint = |tape: &Tape| {
        tape.place().checkpoint(|| (tape.param(&w) - 2.0).log()).sum();
    };
    assert!(
        message(|| in_checkpoint(&tape)).unwrap().starts_with("NaN was born in the forward of %2 = log %1")
    );
    tape.clear();
    // With hooks, and through a sound step.
    let x = tape.var([4.0, 0.0]);
    let said = message(|| drop(x.sqrt().sum().backward_with(Hooks::new().read(x, |_| ())))).unwrap();
    assert!(said.starts_with("Infinity was born in the backward"), "{said}");
    assert!(message(|| drop(x.square().sum().backward())).is_none());
    tape.detect_anomaly(false);
    assert!(message(|| drop(x.sqrt().sum().backward())).is_none());
}

#[test]
fn profiles() {
    let tape = Tape::new();
    let x = tape.var(Tensor::ones([64, 64]));
    let y = x.place().checkpoint(|| x.matmul(&x).tanh()) + tape.constant(1.0).exp();
    let profile = y.sum().profile(3);
    let ops: Vec<&str> = profile.steps.iter().map(|step| step.op).collect();
    assert_eq!(ops, ["matmul", "tanh", "exp", "add", "sum"]);
    for step in &profile.steps {
        assert!(!step.forward.is_zero());
        assert_eq!(step.backward.is_zero(), step.op == "exp", "{step:?}");
    }
    let text = profile.to_string();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("operation  runs"), "{text}");
    assert!(lines.next().unwrap().starts_with("matmul        1"), "{text}");
    let listing = tape.graph().times(&profile).to_string();
    assert!(listing.lines().next().unwrap().trim().starts_with("forward  backward"), "{listing}");
    assert_eq!(listing.matches("µs").count(), 10, "{listing}");
}
