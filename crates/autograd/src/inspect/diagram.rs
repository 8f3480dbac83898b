//! A tape as a computational graph, for Graphviz and for Mermaid.

use super::{graph::Graph, origin};
use std::fmt::Write;

/// A box or an ellipse of a diagram.
struct Shape {
    id: String,
    label: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Variable,
    Constant,
    Computed,
    Operation,
}

struct Diagram {
    shapes: Vec<Shape>,
    /// From one shape to another.
    edges: Vec<(String, String)>,
}

impl Graph<'_> {
    /// The computational graph in the language of Graphviz: an ellipse for each value, filled for variables, and a
    /// box for each operation. Values of one element show it.
    ///
    /// `dot -Tsvg graph.dot > graph.svg` draws it.
    pub fn dot(&self) -> String {
        let Diagram { shapes, edges } = self.diagram();
        let mut text = String::from("digraph {\n  node [fontname=Helvetica];\n");
        for Shape { id, label, kind } in shapes {
            let style = match kind {
                Kind::Variable => "style=filled, fillcolor=orange",
                Kind::Constant => "style=filled, fillcolor=lightgray",
                Kind::Computed => "color=orange",
                Kind::Operation => "shape=box, style=filled, fillcolor=lightblue",
            };
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(text, "  {id} [label=\"{label}\", {style}];");
        }
        for (from, to) in edges {
            let _ = writeln!(text, "  {from} -> {to};");
        }
        text + "}\n"
    }

    /// The computational graph in the language of Mermaid, which many pages of documentation draw by themselves: the
    /// same shapes as in [`dot`](Graph::dot).
    pub fn mermaid(&self) -> String {
        let Diagram { shapes, edges } = self.diagram();
        let mut text = String::from("graph LR\n");
        for Shape { id, label, kind } in &shapes {
            let label = label.replace('"', "#quot;").replace('\n', "<br>");
            let _ = match kind {
                Kind::Operation => writeln!(text, "  {id}[\"{label}\"]"),
                _ => writeln!(text, "  {id}([\"{label}\"])"),
            };
        }
        for (from, to) in edges {
            let _ = writeln!(text, "  {from} --> {to}");
        }
        let classes = [
            (Kind::Variable, "variable", "fill:#fa3"),
            (Kind::Constant, "constant", "fill:#ddd"),
            (Kind::Operation, "operation", "fill:#ade"),
        ];
        for (kind, class, style) in classes {
            let of_kind: Vec<&str> = shapes.iter().filter(|s| s.kind == kind).map(|s| &s.id[..]).collect();
            if !of_kind.is_empty() {
                let _ = writeln!(text, "  classDef {class} {style}\n  class {} {class}", of_kind.join(","));
            }
        }
        text
    }

    fn diagram(&self) -> Diagram {
        let mut diagram = Diagram { shapes: Vec::new(), edges: Vec::new() };
        for &id in &self.shown {
            let node = &self.nodes[id];
            let value = format!("v{id}");
            let first = if node.is_later_output() { node.inputs[0] as usize } else { id };
            if let Some(step) = &node.step {
                let label = super::graph::attributed(&**step);
                diagram.shapes.push(Shape { id: format!("f{id}"), label, kind: Kind::Operation });
                diagram.edges.extend(node.inputs.iter().map(|i| (format!("v{i}"), format!("f{id}"))));
            }
            let kind = match (node.inputs.is_empty(), node.needs) {
                (false, _) => Kind::Computed,
                (true, true) => Kind::Variable,
                (true, false) => Kind::Constant,
            };
            diagram.shapes.push(Shape { id: value.clone(), label: self.label(id), kind });
            if !node.inputs.is_empty() {
                diagram.edges.push((format!("f{first}"), value));
            }
        }
        diagram
    }

    /// The name, if there is one, and the number or the shape.
    fn label(&self, id: usize) -> String {
        let content = match &self.nodes[id].value {
            Some(value) if value.numel() == 1 => format!("{}", value.iter().next().unwrap_or_default()),
            Some(value) => value.shape().to_string(),
            None => format!("{} dropped", origin(&self.nodes, id)),
        };
        match self.name_of(id) {
            Some(name) => format!("{name}\n{content}"),
            None => content,
        }
    }
}
