//! What the values of a column of Parquet stand for, and how they are written out.

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

/// What the values of a column stand for, beside how they are stored.
#[derive(Clone, Copy)]
pub(super) enum Values {
    /// What they are stored as.
    Stored,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers of which so many digits stand behind the point.
    Decimal(usize),
    /// Days since 1970-01-01.
    Date,
}

impl Values {
    /// Those of a column; none where they are neither text nor numbers.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let stored = match column.physical_type() {
            Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY => None,
            _ => Some(Self::Stored),
        };
        let places = |scale: i32| usize::try_from(scale).ok().map(Self::Decimal);
        if is_unsigned(column) {
            return stored.and(Some(Self::Unsigned));
        }
        // Old writers note the converted type alone.
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Decimal { scale, .. }), _) => places(*scale),
            (None, ConvertedType::DECIMAL) => places(column.type_scale()),
            (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => {
                stored.and(Some(Self::Date))
            }
            (
                Some(
                    LogicalType::String
                    | LogicalType::Enum
                    | LogicalType::Json
                    | LogicalType::Integer { .. }
                    // All values are null.
                    | LogicalType::Unknown,
                ),
                _,
            )
            | (
                None,
                ConvertedType::NONE
                | ConvertedType::UTF8
                | ConvertedType::ENUM
                | ConvertedType::JSON
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64,
            ) => stored,
            _ => None,
        }
    }
}

/// Whether whole numbers of a column have no sign.
pub(crate) fn is_unsigned(column: &ColumnDescriptor) -> bool {
    let old = [
        ConvertedType::UINT_8,
        ConvertedType::UINT_16,
        ConvertedType::UINT_32,
        ConvertedType::UINT_64,
    ];
    old.contains(&column.converted_type())
        || matches!(column.logical_type_ref(), Some(LogicalType::Integer { is_signed: false, .. }))
}

/// The type of a column for messages, such as `TIMESTAMP`.
pub(super) fn type_name(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(logical), _) => {
            let whole = format!("{logical:?}");
            whole.split([' ', '{']).next().unwrap_or(&whole).to_uppercase()
        }
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, old) => old.to_string(),
    }
}

/// Bytes of a decimal at most; those of 76 digits have 32.
const LONGEST_DECIMAL: usize = 64;

/// A whole number (two's complement, the highest byte first) of which `places` digits stand behind
/// the point.
pub(super) fn decimal(bytes: &[u8], places: usize) -> Result<String, ParquetError> {
    if bytes.len() > LONGEST_DECIMAL {
        return Err(ParquetError::General(format!("a decimal of {} bytes", bytes.len())));
    }
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut rest = bytes.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in rest.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    // The last digit first.
    let mut digits = String::new();
    while rest.iter().any(|&byte| byte != 0) || digits.len() <= places {
        if places > 0 && digits.len() == places {
            digits.push('.');
        }
        let mut last = 0;
        for byte in &mut rest {
            let number = last << 8 | u32::from(*byte);
            *byte = (number / 10) as u8;
            last = number % 10;
        }
        digits.extend(char::from_digit(last, 10));
    }
    if is_negative {
        digits.push('-');
    }
    Ok(digits.chars().rev().collect())
}

/// The date so many days after 1970-01-01, in the Gregorian calendar: `2024-02-29`.
pub(super) fn date(days: i64) -> String {
    /// Days of 400 years, after which the calendar begins anew.
    const CYCLE: i64 = 146_097;
    // Years begin on 1 March, so that the day of a leap year is their last. Day 0 is 0000-03-01.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * cycle + year + i64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_their_point_and_their_sign() {
        let of = |number: i64, places| decimal(&number.to_be_bytes(), places).expect("short");
        assert_eq!([of(10, 1), of(5, 2), of(0, 0), of(0, 2)], ["1.0", "0.05", "0", "0.00"]);
        assert_eq!([of(-1, 0), of(-1234, 2), of(-7, 3)], ["-1", "-12.34", "-0.007"]);
        assert_eq!(of(i64::MIN, 0), i64::MIN.to_string());
        assert_eq!(of(i64::MAX, 0), i64::MAX.to_string());
        assert_eq!(decimal(&[0xff, 0x38], 2).expect("short"), "-2.00");
        assert_eq!(decimal(&[], 1).expect("short"), "0.0");
        assert!(decimal(&[1; 65], 0).is_err());
    }

    #[test]
    fn days_are_dates() {
        let dates = [-719_528, -1, 0, 59, 11_016, 19_782, 2_932_896].map(date);
        let wanted = [
            "0000-01-01",
            "1969-12-31",
            "1970-01-01",
            "1970-03-01",
            "2000-02-29",
            "2024-02-29",
            "9999-12-31",
        ];
        assert_eq!(dates, wanted);
    }
}
