//! The known word that somebody most likely meant.

/// The nearest of `known` to `word`, if any is near: up to a third of its letters wrong, missing,
/// superfluous or swapped with their neighbour, or one being the beginning of the other. Case is no
/// difference.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .filter_map(|candidate| score(&word, &candidate.to_lowercase()).map(|score| (score, candidate)))
        .min_by_key(|(score, _)| *score)
        .map(|(_, candidate)| candidate)
}

/// A sentence for `help:` about a word that is not known.
pub(crate) fn one_of(word: &str, known: &[&str]) -> String {
    match (nearest(word, known.iter().copied()), known) {
        (Some(near), [_]) => format!("did you mean `{near}`?"),
        (Some(near), _) => format!("did you mean `{near}`? Known are {}", known.join(", ")),
        (None, [only]) => format!("write `{only}`"),
        (None, _) => format!("write one of {}", known.join(", ")),
    }
}

/// Lower is nearer; `None` is not near.
fn score(word: &str, candidate: &str) -> Option<(usize, usize)> {
    let distance = distance(word, candidate);
    let begins = word.len() >= 2 && (candidate.starts_with(word) || word.starts_with(candidate));
    let near = distance <= (word.chars().count() / 3).max(1);
    // A word of one letter is one change away from any other.
    let alike = near && word.len().max(candidate.len()) > 1 && distance < candidate.len();
    match (begins, alike) {
        (true, _) => Some((distance.min(1), distance)),
        (false, true) => Some((distance, distance)),
        (false, false) => None,
    }
}

/// Optimal string alignment: Levenshtein's distance with swapped neighbours as one change.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let words = ["3des", "aes128", "aes192", "aes256", "Connected", "Disconnected", "policy", "strongswan-5.9"];
        let cases = [
            ("aes", Some("aes128")),
            ("ase256", Some("aes256")),
            ("connected", Some("Connected")),
            ("disconected", Some("Disconnected")),
            ("polciy", Some("policy")),
            ("strongswan", Some("strongswan-5.9")),
            ("des", Some("3des")),
            ("openvpn", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }

    #[test]
    fn counts_changes() {
        let cases = [("", "", 0), ("ab", "ba", 1), ("abc", "", 3), ("kitten", "sitting", 3), ("é", "e", 1)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
