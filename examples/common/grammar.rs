//! A small language whose sentences are drawn, so that what can be known of it is known: which words are alike, what is to
//! what as what, and how well its text can be predicted at best.
//!
//! ```text
//! the NOUN VERB his|her THING .
//! the NOUN who saw the NOUN VERB his|her THING .        every second sentence
//! ```
//!
//! The pronoun goes by the sex of the first noun, the thing by its role.

use gradus::tensor::Rng;

/// A man, a woman of the same role, and the three things that go with it.
pub(crate) const ROLES: [([&str; 2], [&str; 3]); 6] = [
    (["king", "queen"], ["crown", "throne", "palace"]),
    (["monk", "nun"], ["prayer", "chapel", "psalm"]),
    (["actor", "actress"], ["stage", "script", "mask"]),
    (["waiter", "waitress"], ["tray", "menu", "apron"]),
    (["wizard", "witch"], ["wand", "potion", "broom"]),
    (["boy", "girl"], ["toy", "kite", "school"]),
];
const VERBS: [&str; 6] = ["likes", "shows", "misses", "wants", "paints", "hides"];

/// Words of a sentence on average.
pub(crate) const LENGTH: f64 = 8.0;

/// The entropy of a sentence, in nats: what nobody can predict of it. Nouns, whether there is a "who", the verb and the thing
/// are drawn evenly; all else follows.
pub(crate) fn entropy() -> f64 {
    let [nouns, verbs, things] = [2.0 * ROLES.len() as f64, VERBS.len() as f64, 3.0].map(f64::ln);
    1.5 * nouns + 2f64.ln() + verbs + things
}

/// So many sentences, with a blank behind each word.
pub(crate) fn text(sentences: usize, rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..sentences {
        let (role, sex) = (rng.below(ROLES.len()), rng.below(2));
        let (people, things) = ROLES[role];
        text += &format!("the {} ", people[sex]);
        if rng.below(2) == 1 {
            text += &format!("who saw the {} ", ROLES[rng.below(ROLES.len())].0[rng.below(2)]);
        }
        let [verb, thing] = [VERBS[rng.below(VERBS.len())], things[rng.below(3)]];
        text += &format!("{verb} {} {thing} . ", ["his", "her"][sex]);
    }
    text
}

/// The share of some texts' sentences that are of the language. What stands behind the last full stop of each does not count.
pub(crate) fn grammatical(texts: &[String]) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (text, _) in texts.iter().filter_map(|text| text.rsplit_once('.')) {
        for sentence in text.split('.') {
            right += usize::from(is_sentence(&sentence.split_whitespace().collect::<Vec<_>>()));
            all += 1;
        }
    }
    right as f64 / (all as f64).max(1.0)
}

/// Whether these words, without the full stop, are a sentence.
fn is_sentence(words: &[&str]) -> bool {
    let role = |noun: &str| ROLES.into_iter().find(|(people, _)| people.contains(&noun));
    let ([noun, rest @ ..], true) = (words.get(1..).unwrap_or(&[]), words.first() == Some(&"the")) else {
        return false;
    };
    let rest = match rest {
        ["who", "saw", "the", other, rest @ ..] if role(other).is_some() => rest,
        rest => rest,
    };
    let (Some((people, things)), [verb, pronoun, thing]) = (role(noun), rest) else { return false };
    let fits = *pronoun == if people[0] == *noun { "his" } else { "her" };
    VERBS.contains(verb) && fits && things.contains(thing)
}
