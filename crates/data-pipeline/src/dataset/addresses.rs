//! Fifty-nine State of the Union addresses that the crate contains, 1790 to 2021: real English text
//! in the public domain that needs no download.
//!
//! Source and changes: `data/README.md`.

use std::io::Read;

use flate2::read::GzDecoder;

const TEXT: &[u8] = include_bytes!("../../data/addresses.txt.gz");

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The year in which it was given or sent.
    pub year: u32,
    /// The president whose address it is.
    pub president: String,
    /// Its sentences in order.
    pub sentences: Vec<String>,
}

/// All 59 addresses in the order of years.
///
/// ```
/// let addresses = data_pipeline::dataset::addresses::load();
/// assert_eq!((addresses.len(), addresses[0].year), (59, 1790));
/// assert_eq!(addresses[18].president, "Abraham Lincoln");
/// assert!(addresses[58].sentences.len() > 100);
/// ```
pub fn load() -> Vec<Address> {
    let mut text = String::new();
    GzDecoder::new(TEXT).read_to_string(&mut text).expect("the embedded file is whole");
    let mut addresses: Vec<Address> = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ").and_then(|head| head.split_once(' ')) {
            Some((year, president)) => addresses.push(Address {
                year: year.parse().expect("a year"),
                president: president.to_owned(),
                sentences: Vec::new(),
            }),
            None => {
                let address = addresses.last_mut().expect("a heading comes first");
                address.sentences.push(line.to_owned());
            }
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_year_and_sentences() {
        let addresses = load();
        assert_eq!(addresses.iter().map(|a| a.sentences.len()).sum::<usize>(), 15_903);
        assert!(addresses.windows(2).all(|pair| pair[0].year < pair[1].year));
        let longest = addresses.iter().flat_map(|a| &a.sentences).map(String::len).max();
        assert_eq!(longest, Some(3825));
        assert!(addresses.iter().all(|a| a.sentences.iter().all(|s| s.trim() == s)));
    }
}
