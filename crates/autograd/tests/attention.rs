//! Attention as one operation: against the products and the softmax that it stands for, on sizes that the laws' samples do not have.

use gradus_autograd::prelude::*;

/// What the operation gives, and its gradients, beside a composition of the weights and a product.
fn compare(lead: &[usize], [queries, keys, d, size]: [usize; 4], mask: Option<Tensor>, is_causal: bool) {
    let mut rng = Rng::seed(queries as u64);
    // As layers split heads: the axis of heads behind that of steps.
    let mut part = |steps: usize, size: usize| match lead {
        [n, heads] => Tensor::randn([*n, steps, *heads, size], &mut rng).transpose(1, 2),
        _ => Tensor::randn([lead, &[steps, size]].concat(), &mut rng),
    };
    let [q, k, v] = [part(queries, d) * 2.0, part(keys, d), part(keys, size)];
    let g = part(queries, size);
    let both = [true, false].map(|in_one| {
        let tape = Tape::new();
        let inputs = [&q, &k, &v].map(|x| tape.var(x));
        let mask = mask.as_ref().map(|mask| tape.constant(mask));
        let options = AttentionOptions { mask: mask.as_ref(), is_causal, ..Default::default() };
        let [q, k, v] = &inputs;
        let y = match in_one {
            true => q.scaled_dot_product_attention(k, v, options),
            false => q.attention_weights(k, options).matmul(v),
        };
        assert_eq!(tape.to_string().contains("scaled_dot_product_attention"), in_one);
        let gradients = y.backward_from(g.contiguous());
        [y.value(), gradients[inputs[0]].clone(), gradients[inputs[1]].clone(), gradients[inputs[2]].clone()]
    });
    for (k, (one, composed)) in both[0].iter().zip(&both[1]).enumerate() {
        let (off, largest) = ((one - composed).abs().max().item(), composed.abs().max().item());
        assert!(off <= 4e-6 * largest, "{k} of {lead:?} {queries} {keys}: off by {off} beside {largest}");
    }
}

#[test]
fn blocks_of_queries_give_what_the_whole_matrix_gives() {
    for is_causal in [false, true] {
        compare(&[], [5, 7, 3, 4], None, is_causal);
        compare(&[2], [64, 64, 8, 8], None, is_causal);
        compare(&[2, 3], [65, 130, 16, 5], None, is_causal);
        compare(&[1, 2], [200, 90, 8, 16], None, is_causal);
        // One head alone, whose products the threads share.
        compare(&[1], [300, 300, 32, 32], None, is_causal);
        let mut rng = Rng::seed(9);
        let mut mask =
            |shape: &[usize]| Some(Tensor::uniform(shape, 0.0, 1.0, &mut rng).map(|x| f32::from(x > 0.3)));
        compare(&[2, 3], [70, 80, 8, 8], mask(&[70, 80]), is_causal);
        compare(&[2, 3], [70, 80, 8, 8], mask(&[2, 1, 1, 80]), is_causal);
        compare(&[2, 3], [70, 80, 8, 8], mask(&[2, 3, 70, 80]), is_causal);
    }
}

#[test]
fn a_block_has_the_same_bits_with_any_number_of_threads() {
    let mut rng = Rng::seed(3);
    let [q, k, v] = [(); 3].map(|()| Tensor::randn([3, 150, 16], &mut rng));
    let run = || {
        let tape = Tape::new();
        let inputs = [&q, &k, &v].map(|x| tape.var(x));
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        let y = inputs[0].scaled_dot_product_attention(&inputs[1], &inputs[2], options);
        let gradients = y.square().sum().backward();
        (y.value(), inputs.map(|x| gradients[x].clone()))
    };
    let expected = run();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(run), expected, "{threads} threads");
    }
}

/// What queries do not see gets no gradient, whatever stands there.
#[test]
fn hidden_keys_and_queries_that_see_nothing() {
    let tape = Tape::new();
    let q = tape.var([[1.0, 2.0], [0.5, -1.0]]);
    let k = tape.var([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]]);
    let v = tape.var([[1.0], [2.0], [50.0]]);
    let mask = tape.var([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]);
    let y =
        q.scaled_dot_product_attention(&k, &v, AttentionOptions { mask: Some(&mask), ..Default::default() });
    // Scores 1/√2 and 2/√2.
    let share = 1.0 / (1.0 + (-1.0f32 / 2f32.sqrt()).exp());
    let found = y.value().to_vec();
    assert!((found[0] - (1.0 - share) - 2.0 * share).abs() < 1e-6 && found[1] == 0.0, "{found:?}");
    let gradients = y.sum().backward();
    assert_eq!(gradients[q].to_vec()[2..], [0.0, 0.0]);
    assert_eq!(gradients[k].to_vec()[4..], [0.0, 0.0]);
    assert_eq!(gradients[v].to_vec()[2], 0.0);
    assert!(gradients.get(mask).is_none());
}
