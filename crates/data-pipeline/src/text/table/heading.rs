//! What stands above the names of a CSV file, and what stands between its cells.

/// The most frequent one; of equals, a comma.
fn delimiter(line: &str) -> u8 {
    let count = |delimiter: u8| line.bytes().filter(|&byte| byte == delimiter).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

/// What a line such as `sep=;` says, which Excel writes and reads above all others.
fn told_separator(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    let (key, separator) = line.split_at_checked(4)?;
    match separator.as_bytes() {
        [one] if key.eq_ignore_ascii_case("sep=") => Some(*one),
        _ => None,
    }
}

/// What stands above the names of a CSV file: blank lines, and one that says what is between cells.
#[derive(Default)]
pub(super) struct AboveNames {
    pub(super) lines: u64,
    told: Option<u8>,
}

impl AboveNames {
    /// Takes the next line. If it is that of the names, gives what stands between cells.
    pub(super) fn pass(&mut self, line: &str) -> Option<u8> {
        let told = match self.told {
            None => told_separator(line),
            Some(_) => None,
        };
        if told.is_none() && !line.trim().is_empty() {
            return Some(self.told.unwrap_or_else(|| delimiter(line)));
        }
        self.told = self.told.or(told);
        self.lines += 1;
        None
    }
}
