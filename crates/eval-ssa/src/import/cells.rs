//! The cells of a table in CSV, with the lines that its rows stand in.

use super::{ImportError, error};
use metrics::words::counted;

/// What stands in a cell that a stray quote opens, and what is to be done about it.
const OPEN_QUOTE: &str = "a cell begins with a quote that no other one closes before the next cell \
                          or row, so that the rows behind it would become part of it: close it, or \
                          write it twice within quotes";

/// A header and its rows.
pub(super) struct Cells {
    /// The names of the columns, without blanks around them; none in an empty file.
    pub(super) header: Vec<String>,
    /// The first line of each row, and its cells: as many as there are names.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Cells {
    /// Reads a table whose cells are split by commas, or as its header is by semicolons or tabs, or
    /// as Excel's line `sep=;` above the header says.
    pub(super) fn read(text: &str) -> Result<Self, ImportError> {
        let text = text.trim_start_matches('\u{feff}');
        let bytes = text.as_bytes();
        let (separator, start) = above_header(text);
        if let Some(at) = open_quote(&bytes[start..], separator) {
            let line = 1 + line_ends(&bytes[..start + at]);
            return Err(error(format!("line {line}"), OPEN_QUOTE));
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(&bytes[start..]);
        let mut rows: Vec<(usize, Vec<String>)> = Vec::new();
        let (mut at, mut line) = (0, 1);
        for record in reader.records() {
            let record = record.map_err(|fault| error("the table", fault.to_string()))?;
            let begins = record.position().map_or(0, |place| place.byte() as usize) + start;
            // Empty lines before it, and the second half of a line end, are part of a record.
            let blank = bytes[begins..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let begins = begins + blank.count();
            line += line_ends(&bytes[at..begins]);
            at = begins;
            let cells: Vec<String> = record.iter().map(str::to_owned).collect();
            if let Some((_, header)) = rows.first().filter(|(_, names)| names.len() != cells.len())
            {
                let cells = counted(cells.len(), "cell");
                let fault = format!("it has {cells}, and the header {}", header.len());
                return Err(error(format!("line {line}"), fault));
            }
            rows.push((line, cells));
        }
        if rows.is_empty() {
            return Ok(Self { header: Vec::new(), rows });
        }
        let (_, header) = rows.remove(0);
        Ok(Self { header: header.iter().map(|name| name.trim().to_owned()).collect(), rows })
    }
}

/// How many lines end in a text, by LF, CR LF or CR.
fn line_ends(bytes: &[u8]) -> usize {
    let ends =
        |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    (0..bytes.len()).filter(|at| ends(*at)).count()
}

/// What splits the cells of a table, and where its header begins.
fn above_header(text: &str) -> (u8, usize) {
    let (mut told, mut start) = (None, 0);
    for line in text.split_inclusive('\n') {
        match told_separator(line) {
            Some(found) if told.is_none() => told = Some(found),
            _ if line.trim().is_empty() => {}
            _ => return (told.unwrap_or_else(|| separator(line)), start),
        }
        start += line.len();
    }
    (told.unwrap_or(b','), start)
}

/// What a line such as `sep=;` says, which Excel writes above a table.
fn told_separator(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    let (key, separator) = line.split_at_checked(4)?;
    match separator.as_bytes() {
        [one] if key.eq_ignore_ascii_case("sep=") => Some(*one),
        _ => None,
    }
}

/// What splits the cells of a table, by its header.
fn separator(line: &str) -> u8 {
    let header = line.split('\r').next().unwrap_or_default();
    let count = |separator: u8| header.bytes().filter(|byte| *byte == separator).count();
    match (count(b','), count(b';'), count(b'\t')) {
        (0, 0, 1..) => b'\t',
        (0, 1.., _) => b';',
        _ => b',',
    }
}

/// Where a quote opens a cell that takes in rows of their own: one that nothing closes, or only a
/// quote in the middle of another cell.
fn open_quote(bytes: &[u8], separator: u8) -> Option<usize> {
    let ends = |byte: u8| byte == separator || byte == b'\n' || byte == b'\r';
    let is_blank = |byte: &&u8| **byte == b' ' || (**byte == b'\t' && separator != b'\t');
    let (mut at, mut is_start) = (0, true);
    while at < bytes.len() {
        if !(is_start && bytes[at] == b'"') {
            is_start = ends(bytes[at]);
            at += 1;
            continue;
        }
        let begin = at;
        at += 1;
        // Up to a quote that is not doubled.
        loop {
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'"'), Some(b'"')) => at += 2,
                (Some(b'"'), _) => break,
                (Some(_), _) => at += 1,
                (None, _) => return Some(begin),
            }
        }
        let behind = bytes[at + 1..].iter().find(|byte| !is_blank(byte));
        let is_closed = behind.is_none_or(|byte| ends(*byte));
        let has_lines = bytes[begin..at].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if !is_closed && has_lines {
            return Some(begin);
        }
        at += 1;
        is_start = false;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Cells::read(text).err().expect(text).to_string()
    }

    #[test]
    fn a_quote_that_nothing_closes_is_named_by_its_line() {
        for (text, line) in [
            ("a,b\nHi,\"open\nfoo,bar\n", "line 2:"),
            ("a,b\r\nx,y\r\nHi,\"open\r\nfoo,bar", "line 3:"),
            ("a,b\nHi,\"open", "line 2:"),
            ("a,b\nHi,\"open\nfoo,\"bar\"\n", "line 2:"),
            ("\"a,b\nHi,x\n", "line 1:"),
            ("sep=;\na;b\nHi;\"open\nfoo;bar\n", "line 3:"),
        ] {
            let fault = fault(text);
            assert!(fault.starts_with(line) && fault.contains("quote"), "{text:?}: {fault}");
        }
        for text in [
            "a,b\n\"two\nlines\",\"a \"\"quote\"\"\"\n",
            "a,b\n5\" disk,the \"best\n",
            "a,b\n\"x\" ,\"\"\n",
            "a,b\n\"x\"y,z\n",
        ] {
            assert_eq!(Cells::read(text).expect(text).rows.len(), 1, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n", "\r"] {
            for bom in ["", "\u{feff}"] {
                let rows = ["a,b", "1,2", "", "\"two", "lines\",3", "4,5", ""].join(end);
                let cells = Cells::read(&format!("{bom}{rows}")).expect("a table");
                assert_eq!(cells.header, ["a", "b"]);
                let lines: Vec<usize> = cells.rows.iter().map(|(line, _)| *line).collect();
                assert_eq!(lines, [2, 4, 6], "{end:?} {bom:?}");
                let fault = fault(&format!("{bom}{rows}6{end}"));
                assert!(fault.starts_with("line 7: it has 1 cell"), "{fault}");
            }
        }
        assert!(Cells::read("").expect("nothing").header.is_empty());
    }

    #[test]
    fn excel_says_what_splits_cells() {
        for text in ["sep=;\na;b\n1,0;2\n", "\n\"SEP=;\"\r\n\r\na;b\r\n1,0;2\r\n"] {
            let cells = Cells::read(text).expect("a table");
            assert_eq!(
                (&cells.header[..], &cells.rows[0].1[..]),
                (&["a".to_owned(), "b".to_owned()][..], &["1,0".to_owned(), "2".to_owned()][..])
            );
        }
    }
}
