//! Words as vectors, by counting and by prediction (the second book, chapters 2 and 3), on its sentence of seven words.
//! A singular value decomposition is not part of gradus; the one here is for matrices as small as these.

use gradus::prelude::*;

/// "You say goodbye and I say hello." by word, in order of first appearance.
const SENTENCE: [usize; 8] = [0, 1, 2, 3, 4, 1, 5, 6];
const WORDS: usize = 7;
const YOU: usize = 0;
const I: usize = 4;

/// How often each word stands beside each other one.
fn neighbours() -> Tensor {
    let mut counts = Tensor::zeros([WORDS, WORDS]);
    for pair in SENTENCE.windows(2) {
        counts.as_mut_slice()[pair[0] * WORDS + pair[1]] += 1.0;
        counts.as_mut_slice()[pair[1] * WORDS + pair[0]] += 1.0;
    }
    counts
}

#[test]
fn words_in_like_company_are_alike() {
    let counts = neighbours();
    let similarity =
        counts.select(0, YOU as isize).cosine_similarity(&counts.select(0, I as isize), 0).item();
    assert!((similarity - 0.707_106_77).abs() < 1e-6, "{similarity}");
}

/// Positive pointwise mutual information: `max(0, log2(c_ij n / (n_i n_j)))`.
fn mutual_information() -> Tensor {
    let counts = neighbours();
    let (total, by_word) = (counts.sum(), counts.sum_axes(0, false));
    let chance = by_word.outer(&by_word) / total;
    (counts / chance).log2().clamp_min(0.0)
}

#[test]
fn mutual_information_of_neighbours() {
    let information = mutual_information();
    let expected = [
        [0.0, 1.807, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1.807, 0.0, 0.807, 0.0, 0.807, 0.807, 0.0],
        [0.0, 0.807, 0.0, 1.807, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.807, 0.0, 1.807, 0.0, 0.0],
        [0.0, 0.807, 0.0, 1.807, 0.0, 0.0, 0.0],
        [0.0, 0.807, 0.0, 0.0, 0.0, 0.0, 2.807],
        [0.0, 0.0, 0.0, 0.0, 0.0, 2.807, 0.0],
    ];
    let off = (&information - Tensor::from(expected)).abs().max().item();
    assert!(off < 1e-3, "{information}");
}

type Matrix = [[f64; WORDS]; WORDS];

fn transposed(a: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Vectors of length 1, `U` and `V` by columns, and values from the largest to the least with `A = U S Vᵀ`, by rotations that
/// turn two columns of A at a time until all are at right angles (M. Hestenes, 1958).
fn singular_values(a: &Matrix) -> (Matrix, [f64; WORDS], Matrix) {
    let (mut us, mut v) = (transposed(a), transposed(a).map(|_| [0.0; WORDS])); // a row each column
    (0..WORDS).for_each(|i| v[i][i] = 1.0);
    for _sweep in 0..30 {
        for (p, q) in (0..WORDS).flat_map(|q| (0..q).map(move |p| (p, q))) {
            let (pp, qq, pq) = (dot(&us[p], &us[p]), dot(&us[q], &us[q]), dot(&us[p], &us[q]));
            if pq.abs() <= 1e-16 * (pp * qq).sqrt() {
                continue;
            }
            let zeta = (qq - pp) / (2.0 * pq);
            let tangent = 1f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
            let cos = 1.0 / tangent.hypot(1.0);
            for columns in [&mut us, &mut v] {
                let (x, y) = (columns[p], columns[q]);
                columns[p] = std::array::from_fn(|k| cos * (x[k] - tangent * y[k]));
                columns[q] = std::array::from_fn(|k| cos * (y[k] + tangent * x[k]));
            }
        }
    }
    let length = |column: &[f64; WORDS]| dot(column, column).sqrt();
    let mut order: Vec<usize> = (0..WORDS).collect();
    order.sort_by(|&i, &j| length(&us[j]).total_cmp(&length(&us[i])));
    let values: [f64; WORDS] = std::array::from_fn(|i| length(&us[order[i]]));
    let u = std::array::from_fn(|i| us[order[i]].map(|x| if values[i] > 1e-9 { x / values[i] } else { 0.0 }));
    (transposed(&u), values, transposed(&std::array::from_fn(|i| v[order[i]])))
}

fn in_f64(tensor: &Tensor) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| tensor.get([i, j]).into()))
}

#[test]
fn the_decomposition_is_one() {
    let random = in_f64(&Tensor::randn([WORDS, WORDS], &mut Rng::seed(5)));
    for (a, rank) in [(in_f64(&mutual_information()), 6), (random, WORDS)] {
        let (u, s, v) = singular_values(&a);
        assert!(s.windows(2).all(|pair| pair[0] >= pair[1]) && s[rank - 1] > 1e-3, "{s:?}");
        assert!(s[rank..].iter().all(|&s| s < 1e-12), "{s:?}");
        let (columns_u, columns_v) = (transposed(&u), transposed(&v));
        for i in 0..WORDS {
            for j in 0..WORDS {
                let product: f64 = (0..WORDS).map(|k| u[i][k] * s[k] * v[j][k]).sum();
                assert!(
                    (product - a[i][j]).abs() < 1e-12,
                    "U S V' at {i}, {j}: {product} is not {}",
                    a[i][j]
                );
                let one = if i == j { 1.0 } else { 0.0 };
                assert!((dot(&columns_v[i], &columns_v[j]) - one).abs() < 1e-12);
                // Where a value is 0 there is no vector.
                assert!(i.max(j) >= rank || (dot(&columns_u[i], &columns_u[j]) - one).abs() < 1e-12);
            }
        }
    }
}

/// What the book prints of the vector of "you", and that in two dimensions the words in like company lie together.
#[test]
fn few_numbers_say_most_of_a_word() {
    let (u, s, _) = singular_values(&in_f64(&mutual_information()));
    let expected = [3.168, 3.168, 2.703, 2.703, 1.514, 1.514, 0.0];
    assert!(s.iter().zip(expected).all(|(s, expected)| (s - expected).abs() < 1e-3), "{s:?}");
    // Values stand in pairs, so that the vectors of a pair may be turned and have other signs: the book's is
    // 0.3409, 0, -0.1205, 0, 0, -0.9323, 0, and the length of each pair is fixed.
    let you = &u[YOU];
    for (pair, expected) in [(0, 0.3409), (2, 0.1205), (4, 0.9323)] {
        let length = you[pair].hypot(you[pair + 1]);
        assert!((length - expected).abs() < 5e-5, "{you:?}");
    }
    let distance = |a: usize, b: usize| (u[a][0] - u[b][0]).hypot(u[a][1] - u[b][1]);
    const GOODBYE: usize = 2;
    const HELLO: usize = 5;
    assert!(distance(I, GOODBYE) < 1e-6 && distance(YOU, I) < 0.1);
    let others = (0..WORDS).filter(|word| ![YOU, I, GOODBYE, HELLO].contains(word));
    assert!(others.into_iter().all(|word| distance(YOU, word) > distance(YOU, HELLO) + 0.2));
}

/// Both directions of word2vec: a vector for each word, and scores of all words.
struct WordVectors {
    vectors: Param,
    scores: Param,
}
module!(WordVectors { vectors, scores });

/// The words with one on each side: the two beside them, and they themselves.
fn contexts() -> ([Indices; 2], Indices) {
    let of = |column: usize| SENTENCE.windows(3).map(|words| words[column] as i32).collect::<Indices>();
    ([of(0), of(2)], of(1))
}

/// Trains by batches of three and gives the mean loss of the last 100 steps, which the entropy of what cannot be known
/// bounds from below.
fn train(loss: impl for<'t> Fn(Var<'t>, Var<'t>, &[Indices; 2], &Indices) -> Var<'t>) -> f64 {
    let mut rng = Rng::seed(1);
    let small = Init::Normal(0.01);
    let mut model = WordVectors {
        vectors: Param::new(small.weight([WORDS, 5], &mut rng)),
        scores: Param::new(small.weight([WORDS, 5], &mut rng)),
    };
    let (([before, after], words), mut adam) = (contexts(), Adam::new(0.001));
    let mut tape = Tape::new();
    let mut losses = Vec::new();
    for _ in 0..1000 {
        // Six examples, two batches an epoch.
        let mut order: Vec<usize> = (0..6).collect();
        rng.shuffle(&mut order);
        for drawn in order.chunks(3) {
            let pick = |all: &Indices| drawn.iter().map(|&i| all.as_slice()[i]).collect::<Indices>();
            let (beside, words) = ([pick(&before), pick(&after)], pick(&words));
            let (value, gradients, ()) = tape.step(|tape| {
                let (vectors, scores) = (tape.param(&model.vectors), tape.param(&model.scores));
                (loss(vectors, scores, &beside, &words), ())
            });
            adam.step(&mut model, &gradients);
            losses.push(f64::from(value));
        }
    }
    losses[losses.len() - 100..].iter().sum::<f64>() / 100.0
}

/// A word from the mean of the vectors beside it. Between "goodbye" and "i" nobody can tell which: ln 2 in two of six.
#[test]
fn a_word_from_its_neighbours() {
    let loss = train(|vectors, scores, [before, after], words| {
        let mean = (vectors.embedding(before) + vectors.embedding(after)) * 0.5;
        mean.linear(&scores, None).cross_entropy(words)
    });
    let least = 2.0 * 2f64.ln() / 6.0;
    assert!((least..0.7).contains(&loss), "{loss}");
}

/// Both neighbours from a word, the two losses added. Beside "say" there are four words, beside the others two: at least
/// 2 (2 ln 4 + 4 ln 2) / 6.
#[test]
fn neighbours_from_a_word() {
    let loss = train(|vectors, scores, [before, after], words| {
        let y = vectors.embedding(words).linear(&scores, None);
        y.cross_entropy(before) + y.cross_entropy(after)
    });
    let least = 2.0 * (2.0 * 4f64.ln() + 4.0 * 2f64.ln()) / 6.0;
    assert!((least..1.25 * least).contains(&loss), "{loss}, at least {least}");
}
