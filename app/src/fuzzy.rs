//! How well words fit a name: pure, the same for things of the store and for pages.

/// How well every word of `query` fits `text`, in any order; none where one does not. An empty query fits everything alike.
pub fn fits(query: &str, text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    query.to_lowercase().split_whitespace().map(|word| fit(word, &text)).sum()
}

/// How well one word fits: as the beginning, the beginning of a part, somewhere, or letter by letter.
fn fit(word: &str, text: &str) -> Option<u32> {
    let rest = u32::try_from(text.chars().count().saturating_sub(word.chars().count())).unwrap_or(u32::MAX).min(50);
    if text.starts_with(word) {
        return Some(400 - rest);
    }
    let begins = |at: usize| text[..at].chars().next_back().is_some_and(|before| !before.is_alphanumeric());
    if text.match_indices(word).any(|(at, _)| begins(at)) {
        return Some(300 - rest);
    }
    if text.contains(word) {
        return Some(200 - rest);
    }
    letters(word, text).map(|gaps| 100_u32.saturating_sub(gaps).max(1))
}

/// The letters in their order with others between them: how many are between.
fn letters(word: &str, text: &str) -> Option<u32> {
    let (mut gaps, mut rest, mut begun) = (0, text, false);
    for letter in word.chars() {
        let at = rest.find(letter)?;
        gaps += if begun { u32::try_from(at).unwrap_or(u32::MAX) } else { 0 };
        rest = &rest[at + letter.len_utf8()..];
        begun = true;
    }
    Some(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_the_better() {
        let score = |query: &str, text: &str| fits(query, text);
        assert_eq!(score("", "anything"), Some(0));
        for (query, better, worse) in [
            ("ord", "orders", "border"),
            ("ord", "shop-orders", "border"),
            ("ord", "border", "outer-road"),
            ("orders", "orders", "orders-api"),
            ("shop ord", "shop/orders", "workshop/border"),
        ] {
            assert!(score(query, better) > score(query, worse), "{query}: {better} before {worse}");
            assert!(score(query, worse).is_some(), "{query} fits {worse}");
        }
        for (query, text) in [("xyz", "orders"), ("sro", "orders"), ("orders no", "orders"), ("oo", "order")] {
            assert_eq!(score(query, text), None, "{query} does not fit {text}");
        }
        assert!(score("토큰", "토큰 tokens").is_some());
    }
}
