//! Synthetic sentences in English and French, for translation without any data: they have no
//! licence that keeps them out of the repository.
//!
//! How they are made: somebody, with an article and at most one adjective, does something, or two
//! things, at a place. French adjectives agree and stand where French has them; articles are
//! elided. Articles, adjectives, actions and places are drawn anew for each sentence, and no
//! sentence comes twice, so that what is measured was never trained on.

use std::collections::BTreeSet;

use augment::rng::Rng;

/// English, French, whether it is feminine, whether an article before it loses its vowel.
type Noun = (&'static str, &'static str, bool, bool);
const NOUNS: [Noun; 16] = [
    ("man", "homme", false, true),
    ("woman", "femme", true, false),
    ("boy", "garçon", false, false),
    ("girl", "fille", true, false),
    ("child", "enfant", false, true),
    ("dog", "chien", false, false),
    ("cat", "chat", false, false),
    ("horse", "cheval", false, false),
    ("bird", "oiseau", false, true),
    ("cow", "vache", true, false),
    ("nurse", "infirmière", true, true),
    ("singer", "chanteuse", true, false),
    ("student", "étudiant", false, true),
    ("teacher", "professeur", false, false),
    ("neighbour", "voisine", true, false),
    ("worker", "ouvrier", false, true),
];

/// English, French for both genders, whether it stands before the noun.
type Adjective = (&'static str, [&'static str; 2], bool);
const ADJECTIVES: [Adjective; 10] = [
    ("small", ["petit", "petite"], true),
    ("tall", ["grand", "grande"], true),
    ("young", ["jeune", "jeune"], true),
    ("pretty", ["joli", "jolie"], true),
    ("happy", ["heureux", "heureuse"], false),
    ("tired", ["fatigué", "fatiguée"], false),
    ("quiet", ["calme", "calme"], false),
    ("curious", ["curieux", "curieuse"], false),
    ("strong", ["fort", "forte"], false),
    ("white", ["blanc", "blanche"], false),
];

const ACTIONS: [[&str; 2]; 14] = [
    ["sleeps", "dort"],
    ["runs", "court"],
    ["sings", "chante"],
    ["jumps", "saute"],
    ["waits", "attend"],
    ["eats", "mange"],
    ["laughs", "rit"],
    ["walks", "marche"],
    ["dances", "danse"],
    ["plays", "joue"],
    ["dreams", "rêve"],
    ["drinks", "boit"],
    ["falls", "tombe"],
    ["works", "travaille"],
];

const PLACES: [[&str; 2]; 12] = [
    ["in the park", "dans le parc"],
    ["near the river", "près de la rivière"],
    ["on the beach", "sur la plage"],
    ["in front of a house", "devant une maison"],
    ["behind a tree", "derrière un arbre"],
    ["under the bridge", "sous le pont"],
    ["in the snow", "dans la neige"],
    ["at the market", "au marché"],
    ["on a bench", "sur un banc"],
    ["in the street", "dans la rue"],
    ["between two cars", "entre deux voitures"],
    ["at the station", "à la gare"],
];

/// What two actions are joined by.
const AND: [&str; 2] = ["and", "et"];

/// English and French, which say the same.
pub(super) type Pair = [String; 2];

fn pick<T: Copy>(of: &[T], rng: &mut Rng) -> T {
    of[rng.below(of.len())]
}

/// Somebody in both languages.
fn somebody(rng: &mut Rng) -> Pair {
    let (english, french, feminine, elided) = pick(&NOUNS, rng);
    let known = rng.chance(0.4);
    let adjective = rng.chance(0.6).then(|| pick(&ADJECTIVES, rng));
    let article = if known { "The" } else { "A" };
    let of_gender = usize::from(feminine);
    let before = adjective.filter(|(_, _, before)| *before);
    let behind = adjective.filter(|(_, _, before)| !before);
    let article_in_french = match (known, elided && before.is_none()) {
        (true, true) => "L'".to_owned(),
        (true, false) => ["Le ", "La "][of_gender].to_owned(),
        (false, _) => ["Un ", "Une "][of_gender].to_owned(),
    };
    let words = [before, behind].map(|it| it.map(|(_, both, _)| both[of_gender]));
    let [before, behind] = words;
    let french: Vec<&str> = before.into_iter().chain([french]).chain(behind).collect();
    let english: Vec<&str> =
        [article].into_iter().chain(adjective.map(|(word, _, _)| word)).chain([english]).collect();
    [english.join(" "), article_in_french + &french.join(" ")]
}

fn sentence(rng: &mut Rng) -> Pair {
    let (first, second) = (pick(&ACTIONS, rng), pick(&ACTIONS, rng));
    let (twice, place) = (rng.chance(0.4) && first != second, pick(&PLACES, rng));
    let who = somebody(rng);
    [0, 1].map(|language| {
        let mut words = vec![who[language].as_str(), first[language]];
        if twice {
            words.extend([AND[language], second[language]]);
        }
        words.push(place[language]);
        words.join(" ") + "."
    })
}

/// This many pairs, none of which comes twice; always the same ones.
pub(super) fn pairs(count: usize) -> Vec<Pair> {
    let (mut rng, mut seen) = (Rng::new(30), BTreeSet::new());
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let pair = sentence(&mut rng);
        if seen.insert(pair[0].clone()) {
            all.push(pair);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_agree_and_none_comes_twice() {
        let all = pairs(3_000);
        let english: BTreeSet<&String> = all.iter().map(|pair| &pair[0]).collect();
        assert_eq!(english.len(), 3_000);
        assert_eq!(all[..2_000], pairs(2_000));
        for [english, french] in &all {
            assert!(english.ends_with('.') && french.ends_with('.'), "{english} {french}");
            let feminine = ["femme", "fille", "vache", "infirmière", "chanteuse", "voisine"];
            let of_woman = feminine.iter().any(|noun| french.contains(noun));
            let wrong = if of_woman { ["Un ", "Le "] } else { ["Une ", "La "] };
            assert!(!wrong.iter().any(|article| french.starts_with(article)), "{french}");
            for noun in ["homme", "enfant", "oiseau", "infirmière", "étudiant", "ouvrier"] {
                assert!(!french.starts_with(&format!("Le {noun}")), "{french}");
            }
        }
    }
}
