"""Plants faults in the source of the backward rules, one at a time, and shows which test finds each.

    python scripts/mutants.py                       # everything; about half an hour
    python scripts/mutants.py --only normalize      # files whose path has this in it
    python scripts/mutants.py --limit 30            # so many mutants, spread evenly
    python scripts/mutants.py --list                # what would be planted

Faults that wrap the results of a rule (a factor, the sign, zeros, a missing sum, ..) are planted at run time by
crates/autograd/src/check/tests/mutants.rs, in every rule, in every `cargo test`. This script plants those that stand inside a
rule or a kernel: a term lost among several, operands exchanged, the wrong side of a tie, a vector's tail forgotten.

It works on a copy of the tree under target/mutants. There every rule becomes `match fault { 17 => wrong, _ => right }`,
so that one build has all the mutants, and an environment variable chooses. Edits that do not compile are dropped. A
mutant meets the laws of the operations that reach it first, then the other tests. Results are kept in
target/mutants/results.tsv: a second run goes on where the first one stopped (--fresh forgets them).
Needs Python 3.9 and nothing else.
"""

import argparse, collections, json, os, pathlib, re, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target/mutants"
TREE = WORK / "tree"
RULES = "crates/autograd/src/ops"
# The kernels that only backward rules call, and those that a rule calls for its own operation's reverse.
KERNELS = {
    "crates/tensor/src/ops/conv/direct.rs": ["fn input_grad", "fn weight_grad", "fn weight_grad_blocks"],
    "crates/tensor/src/ops/interpolation.rs": ["fn interpolate_axis_grad"],
    "crates/tensor/src/ops/normalize/channels.rs": ["fn gradients", "impl Kernel for Gradient<'_>"],
    "crates/tensor/src/ops/normalize/columns.rs": ["impl Kernel for Products<'_>", "impl Kernel for Gradient<'_>"],
    "crates/tensor/src/ops/normalize/rows.rs": ["fn gradients", "impl Kernel for Gradients<'_>"],
    "crates/tensor/src/ops/pool/plane.rs": ["fn avg_plane_grad"],
    "crates/tensor/src/ops/pool/scatter.rs": ["fn plane_scatter"],
    "crates/tensor/src/array/views.rs": ["fn unslice"],
    "crates/tensor/src/ops/indexing/mod.rs": ["fn scatter_add", "fn index_add"],
    "crates/tensor/src/ops/conv/unfold.rs": ["fn fold"],
}
# Free functions of rules, beside `backward` and `backward_fused`.
HELPERS = ["fn chain", "fn strong_product", "fn winners_share", "fn tangent", "fn through_statistics", "fn rows", "fn adjoint",
           "fn by_later_coefficients"]
LAWS = "autograd/planted"
OTHER_TESTS = [
    f"autograd/{test}"
    for test in ["conventions", "bug_classes", "golden", "golden_layers", "layers", "losses", "conv", "compositions", "tape"]
]
# Those of kernels know sizes that fill tiles and threads.
KERNEL_TESTS = [f"tensor/{test}" for test in ["conv", "indexing", "layouts", "normalize", "patches", "pool"]]
# How long a test program may take before it counts as one that does not end.
SECONDS = 180

HOOK = '''
/// Which fault is planted.
#[allow(missing_docs)]
pub mod planted {
    use crate::Tensor;
    use std::{collections::BTreeSet, env::var, sync::{LazyLock, Mutex}};

    static CHOSEN: LazyLock<u32> = LazyLock::new(|| var("FAULT").map_or(0, |n| n.parse().unwrap()));
    static RECORDS: LazyLock<bool> = LazyLock::new(|| var("FAULT").is_err());
    pub static REACHED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

    pub fn fault(region: u32) -> u32 {
        if *RECORDS {
            REACHED.lock().unwrap().insert(region);
        }
        *CHOSEN
    }

    /// The elements in the order in which they lie in memory, under the same shape.
    pub fn as_stored(x: &Tensor) -> Tensor {
        let mut axes: Vec<isize> = (0..x.rank() as isize).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(x.strides()[axis as usize].unsigned_abs()));
        let mut y = x.clone();
        for (axis, &stride) in x.strides().iter().enumerate() {
            if stride < 0 {
                y = y.flip(axis as isize);
            }
        }
        y.permute(axes).contiguous().reshape(x.shape())
    }
}
'''

HARNESS = '''
//! With FAULT: the first law that an operation of OPS breaks. Without: which operations reach which regions.
use gradus_autograd::{check, ops};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn planted() {
    std::panic::set_hook(Box::new(|_| ()));
    let names = std::env::var("OPS").unwrap_or_default();
    let wanted = |name: &str| names.is_empty() || names.split(',').any(|n| n == name);
    let seeds = if std::env::var("FAULT").is_ok() { 48 } else { 16 };
    for spec in ops::ALL.iter().filter(|spec| wanted(spec.name)) {
        gradus_tensor::planted::REACHED.lock().unwrap().clear();
        for seed in 0..seeds {
            let found = catch_unwind(AssertUnwindSafe(|| check::laws(spec, seed, 2 + seed as usize % 4)));
            let said = match found {
                Ok(Ok(())) => continue,
                Ok(Err(violation)) => violation.law.to_string(),
                Err(_) => "it panics".to_string(),
            };
            println!("KILLED\\t{}: {said}", spec.name);
            return;
        }
        let reached = gradus_tensor::planted::REACHED.lock().unwrap();
        println!("REACHED\\t{}\\t{}", spec.name, reached.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    }
}
'''

Mutant = collections.namedtuple("Mutant", "id fault place old new text")
OPEN, CLOSE = "([{", ")]}"


def closing(text, at):
    """The position of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in OPEN) - (text[i] in CLOSE)
        if depth == 0:
            return i
    raise ValueError("brackets do not match")


def expression_end(text, at):
    """Where the expression that begins at `at`, the value of a table's field, ends: at its comma or the row's end."""
    depth = 0
    for i in range(at, len(text)):
        if depth == 0 and (text[i] == "," or text[i] in CLOSE):
            return i
        depth += (text[i] in OPEN) - (text[i] in CLOSE)
    raise ValueError("an expression does not end")


def without_comments(text):
    """The same text, as long, with comments, strings and attributes blank: nothing in them is mutated or a bracket."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    return re.sub(r'//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\\n])\'|#!?\[[^\]\n]*\]', blank, text)


def regions(path, text):
    """(name, start, end) of the bodies to mutate, without their braces."""
    bare, found = without_comments(text), []
    heads = KERNELS.get(path) or HELPERS + ["fn backward", "fn backward_fused"]
    macros = [(m.start(), closing(bare, bare.index("{", m.start()))) for m in re.finditer("macro_rules!", bare)]
    in_macro = lambda at: any(a < at < b for a, b in macros)
    name_before = lambda at: ([""] + re.findall(r'const NAME: &\'static str = "(\w+)"|^    (\w+)(?: "\w+":|(?:\(.*\))? => \w+)',
                                                 text[:at], re.M))[-1]
    for head in heads:
        for m in re.finditer(r"\b" + re.escape(head) + r"(?=[<(\s{])", bare):
            start = bare.index("{", m.end() if head.startswith("impl") else closing(bare, bare.index("(", m.end())))
            if head.startswith("impl"):
                start = bare.index("{", closing(bare, bare.index("(", start)))
            body = bare[start + 1:closing(bare, start)]
            if "$rule" in bare[m.end():start] or "unary!" in body or "$derivative" in body:
                continue
            owner = "".join(name_before(m.start()) or "") if path.startswith(RULES) else ""
            found.append((f"{owner} {head.removeprefix('fn ')}".strip(), start + 1, closing(bare, start)))
    for m in re.finditer(r"(derivative|slope): \|[\w, ]*\| |rule: \|cx\| (?={)|, \|cx\| (?={)", bare):
        if in_macro(m.start()):
            continue
        field = m.group(1) or "rule"
        owner = "".join(name_before(m.start()) or "")
        if bare[m.end()] == "{" and field == "rule":
            found.append((f"{owner} {field}", m.end() + 1, closing(bare, m.end())))
        else:
            found.append((f"{owner} {field}", m.end(), expression_end(bare, m.end())))
    return sorted(set(found), key=lambda r: r[1])


def operand_right(bare, at):
    """The end of the term that begins at `at`."""
    depth = 0
    for i in range(at, len(bare)):
        if depth == 0 and (bare[i] in CLOSE + ",;" or re.match(r" [-+<>=] | [<>=!]= | \{|\.\.|\n\s*[-+}]", bare[i:])):
            return i
        depth += (bare[i] in OPEN) - (bare[i] in CLOSE)
    return len(bare.rstrip())


def operand_left(bare, at):
    """The start of the term that ends at `at`."""
    depth = 0
    for i in range(at - 1, -1, -1):
        if depth == 0:
            if bare[i] in OPEN + ",;|":
                return i + 1 + (len(bare[i + 1:]) - len(bare[i + 1:].lstrip()))
            if re.match(r" [-+=<>] | [<>=!+]= ", bare[max(i - 2, 0):i + 2]) or bare[i - 1:i + 1] == "= ":
                return i + 1
        depth += (bare[i] in CLOSE) - (bare[i] in OPEN)
    return len(bare) - len(bare.lstrip())


def edits(text):
    """(fault, start, end, replacement) of a region's text."""
    bare = without_comments(text)
    each = lambda pattern: re.finditer(pattern, bare)
    for m in each(r" ([-+]) (?!=)|\n\s*([-+]) "):
        sign, right = m.group(1) or m.group(2), operand_right(bare, m.end())
        left = operand_left(bare, m.start())
        yield "sign of a term", m.start(), m.end(), " - " if sign == "+" else " + "
        yield "lost term", m.start(), right, ""
        if sign == "+":
            yield "lost term", left, m.end(), ""
        a, b = text[left:m.start()], text[m.end():right]
        if sign == "-":
            yield "swapped operands", left, right, f"{b} - {a}"
    for m in each(r"(?<=[\s(|,])-(?=[a-z(])"):
        yield "sign", m.start(), m.end(), ""
    for m in each(r" ([*/]) (?!=)"):
        right = re.compile(r"&?[\w.:]+(\([^()]*(\([^()]*\)[^()]*)*\))?(\.\w+(\([^()]*\))?)*|\(").match(bare, m.end())
        if right:
            end = closing(bare, right.end() - 1) + 1 if right.group() == "(" else right.end()
            yield "lost factor", m.start(), end, ""
        yield "lost factor" if m.group(1) == "*" else "swapped operands", m.start(), m.end(), {"*": " / ", "/": " * "}[m.group(1)]
    for m in each(r"(?<![\w.])(\d+\.\d+)(?!\w)"):
        if float(m.group()) != 0:
            yield "factor 1.001", m.start(), m.end(), repr(round(float(m.group()) * 1.001, 9))
    for m in each(r"\.(strong_mul|masked_fill)\("):
        yield "lost factor" if m.group(1) == "strong_mul" else "lost mask", m.start(), closing(bare, m.end() - 1) + 1, ".clone()"
    for m in each(r"\.(t|contiguous|flip|square|round|exp|log|rsqrt|sqrt|sign|is_finite)\("):
        fault = {"t": "transposed", "contiguous": "ignored stride", "flip": "reversed"}.get(m.group(1), "lost function")
        end = closing(bare, m.end() - 1) + 1
        if m.group(1) == "contiguous":
            start = re.search(r"[\w.]*$", bare[:m.start()]).start()
            yield fault, start, end, f"crate::planted::as_stored(&{text[start:m.start()]})"
        elif m.group(1) != "is_finite":
            yield fault, m.start(), end, ""
    for m in each(r"(\w+)\.(matmul|lt|gt|le|ge)\(&?([\w.()]+?)\)(?=[;,). ])"):
        a, f, b = m.groups()
        yield "swapped operands", m.start(), m.end(), f"{b}.{f}(&{a})"
    for m in each(r"\.(lt|le|gt|ge)\("):
        yield "wrong tie", m.start(), m.end(), {"lt": ".le(", "le": ".lt(", "gt": ".ge(", "ge": ".gt("}[m.group(1)]
    for m in each(r"(?<=[\w)]) (<|<=|>|>=|==|&&|\|\|) (?![A-Z])"):
        if not bare[:m.start()].rstrip().endswith("while i"):
            other = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "&&": "||", "||": "&&"}[m.group(1)]
            yield "wrong tie" if m.group(1) in "<=>=" else "wrong choice", m.start(), m.end(), f" {other} "
    for m in each(r"\.(sum|mean)_axes\("):
        other = "mean" if m.group(1) == "sum" else "sum"
        yield "mean for sum" if other == "mean" else "sum for mean", m.start(), m.end(), f".{other}_axes("
    for m in each(r" \+= "):
        yield "= for +=", m.start(), m.end(), " = "
    for m in each(r"while (\w+) < ([\w.()]+) \{"):
        yield "lost tail", m.start(), m.end(), f"while {m.group(1)} + S::LANES <= {m.group(2)} {{"
    for m in each(r"\.(positions\(\)|enumerate\(\)|zip\(&?\w+\))(?=[ .;{])"):
        yield "lost first", m.end(), m.end(), ".skip(1)"
    for m in each(r"&\[(&?[\w.]+), (&?[\w.]+)\]|(?<=\()\[(\w+), (\w+)\](?=, )"):
        a, b = (m.group(1), m.group(2)) if m.group(1) else (m.group(3), m.group(4))
        yield "swapped operands", m.start(), m.end(), f"&[{b}, {a}]" if m.group(1) else f"[{b}, {a}]"
    for m in each(r"\b(inputs|outputs|statistics|along|sums)\[([012])\]"):
        yield "stale value", m.start(), m.end(), f"{m.group(1)}[{[1, 0, 1][int(m.group(2))]}]"
    for m in each(r"cx\.add\(([01]),") if "cx.add(1," in bare else []:
        yield "swapped results", m.start(), m.end(), f"cx.add({1 - int(m.group(1))},"
    if re.search(r"\bx\b", bare) and "cx" not in bare and "\n" not in bare.strip():
        yield "swapped operands", 0, len(text), re.sub(r"\bx\b", "y", text)
    if re.search(r"\by\b", bare) and "cx" not in bare and "\n" not in bare.strip():
        yield "swapped operands", 0, len(text), re.sub(r"\by\b", "x", text)


def shown(text):
    return " ".join(text.split())


def mutants_of(path, text, first):
    """The regions of a file, each with its mutants."""
    found, seen = [], set()
    for name, start, end in regions(path, text):
        body, own = text[start:end], []
        for fault, a, b, new in edits(body):
            wrong = body[:a] + new + body[b:]
            if shown(wrong) in seen or shown(wrong) == shown(body):
                continue
            seen.add(shown(wrong))
            # The lines around the edit, as far as they say enough.
            x, y = body.rfind("\n", 0, a) + 1, body.find("\n", b) if "\n" in body[b:] else len(body)
            own.append(Mutant(first, fault, f"{path.split('/src/')[1]}, {name}", shown(body[x:y]), shown(body[x:a] + new + body[b:y]), wrong))
            first += 1
        seen.clear()
        found.append((start, end, own))
    return found, first


def planted(path, text, found, dropped):
    """The file with its mutants in it, and the lines on which each one stands."""
    out, lines, at = [], {}, 0
    hook = "crate" if path.startswith("crates/tensor") else "::gradus_tensor"
    line = lambda: sum(part.count("\n") for part in out) + 1
    for start, end, own in found:
        own = [m for m in own if m.id not in dropped]
        out.append(text[at:start])
        if own:
            out.append(f"\nmatch {hook}::planted::fault({own[0].id}) {{\n")
            for m in own:
                begin = line()
                out.append(f"{m.id} => {{\n{m.text}\n}}\n")
                lines[m.id] = (begin, line())
            out.append("_ => {")
        out.append(text[start:end])
        if own:
            out.append("}\n}\n")
        at = end
    out.append(text[at:])
    return "".join(out), lines


def write(path, text):
    """Only what has changed, so that cargo builds no more than it must."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def cargo(*arguments):
    command = ["cargo", *arguments, "--message-format=json", "--manifest-path", str(TREE / "Cargo.toml")]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(WORK / "build"), RUSTFLAGS="-Awarnings", CARGO_INCREMENTAL="0")
    # The rules are large with all their mutants in them, and their speed does not matter here; that of kernels does.
    config = ["--config", "profile.dev.package.gradus-autograd.opt-level=0", "--config", "profile.dev.debug=0"]
    run = subprocess.run(command + config, capture_output=True, text=True, env=environment)
    return run, [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def spans_of(message):
    for span in message["spans"]:
        while span:
            yield span["file_name"], span["line_start"], span["line_end"]
            span = (span.get("expansion") or {}).get("span")
    for child in message.get("children", []):
        yield from spans_of(child)


def copy_tree():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            try:
                write(TREE / name, source.read_text())
            except UnicodeDecodeError:
                target = TREE / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())


def build(files, all_found):
    """Plants, drops what does not compile, and gives the mutants that are left and the test programs."""
    dropped, step = set(), "check"
    write(TREE / "crates/autograd/tests/planted.rs", HARNESS)
    manifest = TREE / "crates/autograd/Cargo.toml"
    write(manifest, (ROOT / "crates/autograd/Cargo.toml").read_text() + '\n[[test]]\nname = "planted"\n')
    while True:
        lines = {}
        for path, text in files.items():
            mutated, at = planted(path, text, all_found[path], dropped)
            if path == "crates/tensor/src/lib.rs":
                mutated = text + HOOK
            write(TREE / path, mutated)
            lines[path] = at
        tests = sorted({LAWS, *OTHER_TESTS, *KERNEL_TESTS})
        targets = ["--lib"] if step == "check" else ["--test", "suite", "--test", "planted"]
        packages = ["-p", "gradus-tensor", "-p", "gradus-autograd"]
        run, messages = cargo(*(["check"] if step == "check" else ["test", "--no-run"]), *packages, *targets)
        errors = [m["message"] for m in messages if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
        if run.returncode == 0 and step == "check":
            step = "test"
            continue
        if run.returncode == 0:
            name = lambda m: f"{pathlib.Path(m['manifest_path']).parent.name}/{m['target']['name']}"
            built = {name(m): m["executable"] for m in messages if m.get("executable")}
            # A file of tests is a part of its crate's program.
            part = lambda test: [built[test]] if test in built else [built[test.split("/")[0] + "/suite"], test.split("/")[1] + "::"]
            return dropped, {test: part(test) for test in tests}
        guilty = {
            id
            for error in errors
            for file, start, end in spans_of(error)
            for id, (a, b) in lines.get(file, {}).items()
            if a <= start <= b
        }
        if not guilty:
            sys.exit("\n".join(e["rendered"] or "" for e in errors[:3]) or run.stderr[-3000:])
        print(f"{len(guilty)} edits do not compile", flush=True)
        dropped |= guilty


def run_program(program, seconds=SECONDS, **variables):
    environment = dict(os.environ, RUST_BACKTRACE="0", **variables)
    arguments = [*program, "--nocapture"] if "planted" in os.path.basename(program[0]) else program
    try:
        return subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=seconds, cwd=TREE / "crates/autograd")
    except subprocess.TimeoutExpired:
        return None


def verdict(mutant, specs, programs):
    # The operation that the rule belongs to knows best.
    specs = sorted(specs, key=lambda name: f" {name} " not in f" {mutant.place} ")
    run = run_program(programs[LAWS], FAULT=str(mutant.id), OPS=",".join(specs)) if specs else ""
    if run is None:
        return "killed", "laws: runs without end"
    if specs:
        said = re.search(r"KILLED\t(.*)", run.stdout)
        if said:
            return "killed", "laws, " + said.group(1)
        if run.returncode != 0:
            return "killed", "laws: the program ends"
    for name in OTHER_TESTS if mutant.place.startswith("ops/") else KERNEL_TESTS + OTHER_TESTS:
        run = run_program(programs[name], FAULT=str(mutant.id))
        if run is None or run.returncode != 0:
            failed = re.findall(r"^test (\w+) \.\.\. FAILED", run.stdout if run else "", re.M)
            return "killed", f"{name}, {failed[0] if failed else 'it ends'}"
    return "SURVIVED", "not reached by any law" if not specs else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="files whose path has this in it")
    parser.add_argument("--limit", type=int, default=0, help="so many mutants, spread evenly")
    parser.add_argument("--list", action="store_true", help="only say what would be planted")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    options = parser.parse_args()
    names = [str(p.relative_to(ROOT)) for p in sorted((ROOT / RULES).rglob("*.rs"))] + list(KERNELS)
    texts = {name: (ROOT / name).read_text() for name in names + ["crates/tensor/src/lib.rs"]}
    all_found, first = {}, 1
    for name in names:
        found, first = mutants_of(name, texts[name], first)
        all_found[name] = found if options.only in name else []
    all_found["crates/tensor/src/lib.rs"] = []
    mutants = [m for found in all_found.values() for _, _, own in found for m in own]
    if options.list:
        for m in mutants:
            print(f"{m.place}: {m.fault}\n    {m.old}\n    {m.new}")
        return print(f"{len(mutants)} mutants")
    copy_tree()
    start = time.time()
    dropped, programs = build(texts, all_found)
    mutants = [m for m in mutants if m.id not in dropped]
    print(f"{len(mutants)} mutants compile, {len(dropped)} do not; built in {time.time() - start:.0f} s", flush=True)
    # A region has the number of its first mutant.
    region = {m.id: left[0].id for f in all_found.values() for _, _, own in f for left in [[m for m in own if m.id not in dropped]] for m in left}
    reached = run_program(programs[LAWS], seconds=3600)
    if reached is None or reached.returncode != 0 or "KILLED" in reached.stdout:
        sys.exit("the unchanged rules break a law")
    specs = collections.defaultdict(list)
    for line in re.findall(r"REACHED\t(\w+)\t([\d,]+)", reached.stdout):
        for number in line[1].split(","):
            specs[int(number)].append(line[0])
    if options.limit:
        mutants = mutants[:: max(1, len(mutants) // options.limit)][: options.limit]
    results = WORK / "results.tsv"
    if options.fresh:
        results.unlink(missing_ok=True)
    known = {}
    if results.exists():
        for line in results.read_text().splitlines():
            place, fault, old, new, *found = line.split("\t")
            known[place, fault, old, new] = found
    with results.open("a") as log:
        for m in mutants:
            key = (m.place, m.fault, m.old, m.new)
            if key not in known:
                known[key] = verdict(m, specs[region[m.id]], programs)
                print("\t".join([*key, *known[key]]), file=log, flush=True)
            print(f"{known[key][0]:8}  {m.fault:17} {m.place}\n    {m.old}\n    {m.new}\n    {known[key][1]}", flush=True)
    counts = collections.Counter(known[m.place, m.fault, m.old, m.new][0] for m in mutants)
    by_fault = collections.Counter((m.fault, known[m.place, m.fault, m.old, m.new][0]) for m in mutants)
    print("\n| fault | planted | found |\n|---|---|---|")
    for fault in sorted({fault for fault, _ in by_fault}):
        killed, survived = by_fault[fault, "killed"], by_fault[fault, "SURVIVED"]
        print(f"| {fault} | {killed + survived} | {killed} |")
    print(f"| all | {len(mutants)} | {counts['killed']} |")


main()
