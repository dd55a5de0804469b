//! The event file of a run, read back with a reader of the test's own, says what the record says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::lab;

/// CRC-32C, bit by bit.
fn crc(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// Takes `n` bytes from the front.
fn take<'a>(data: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (head, rest) = data.split_at(n);
    *data = rest;
    head
}

fn varint(data: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(data, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The fields of a message: number and bytes (a varint as eight little-endian bytes).
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let value = match key & 7 {
            0 => varint(&mut data).to_le_bytes().to_vec(),
            1 => take(&mut data, 8).to_vec(),
            2 => {
                let length = varint(&mut data) as usize;
                take(&mut data, length).to_vec()
            }
            5 => take(&mut data, 4).to_vec(),
            wire => panic!("wire type {wire}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// Steps and values of all events with a summary; checks every checksum and the first event.
fn read(path: &Path) -> Vec<(u64, BTreeMap<String, f32>)> {
    let bytes = fs::read(path).unwrap();
    let mut data = bytes.as_slice();
    let mut rows = Vec::new();
    let mut first = true;
    while !data.is_empty() {
        let header = take(&mut data, 8);
        let length = u64::from_le_bytes(header.try_into().unwrap()) as usize;
        let masked = |of: &[u8], data: &mut &[u8]| {
            let expected = crc(of).rotate_right(15).wrapping_add(0xa282_ead8);
            assert_eq!(take(data, 4), expected.to_le_bytes());
        };
        masked(header, &mut data);
        let event = take(&mut data, length);
        masked(event, &mut data);
        let event: BTreeMap<_, _> = fields(event).into_iter().collect();
        assert!(f64::from_le_bytes(event[&1].as_slice().try_into().unwrap()) > 1.7e9);
        if first {
            assert_eq!(event[&3], b"brain.Event:2");
            first = false;
            continue;
        }
        let mut values = BTreeMap::new();
        for (_, value) in fields(&event[&5]) {
            let value: BTreeMap<_, _> = fields(&value).into_iter().collect();
            let tag = String::from_utf8(value[&1].clone()).unwrap();
            values.insert(tag, f32::from_le_bytes(value[&2].as_slice().try_into().unwrap()));
        }
        rows.push((u64::from_le_bytes(event[&2].as_slice().try_into().unwrap()), values));
    }
    rows
}

/// What the event file of a folder says; there is exactly one.
pub(crate) fn rows(folder: &Path) -> Vec<(u64, BTreeMap<String, f32>)> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let is_events =
        |p: &std::path::PathBuf| p.file_name().unwrap().to_string_lossy().contains("tfevents");
    let files: Vec<_> = names.filter(is_events).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    read(&files[0])
}

/// The record in the event file's numbers.
pub(crate) fn record_as_events(folder: &Path) -> Vec<(u64, BTreeMap<String, f32>)> {
    let single = |(name, value): (String, Option<f64>)| (name, value.unwrap() as f32);
    let rows = lab::record(folder).into_iter();
    rows.map(|(step, values)| (step, values.into_iter().map(single).collect())).collect()
}

#[test]
fn events_and_record_agree() {
    let folder = tempfile::tempdir().unwrap();
    lab::run(folder.path(), &lab::setup(11), &mut ()).unwrap();
    let rows = rows(folder.path());
    assert_eq!(rows, record_as_events(folder.path()));
    let steps: Vec<_> = rows.iter().map(|r| r.0).collect();
    // Logged every 2 steps and at the last; evaluated every 5 and at the last.
    assert_eq!(steps, [2, 4, 5, 6, 8, 10, 10, 11, 11]);
    let names: Vec<_> = rows[0].1.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["flop", "grad_norm", "loss", "loss/shrink", "loss/sup", "lr", "note/largest"]
    );
    assert_eq!(rows[2].1.keys().collect::<Vec<_>>(), ["eval/accuracy"]);
    assert!(record_is_finite(&rows));
}

fn record_is_finite(rows: &[(u64, BTreeMap<String, f32>)]) -> bool {
    rows.iter().flat_map(|r| r.1.values()).all(|v| v.is_finite())
}
