//! Pages of files of rows, of folders, and of single files.

use std::fs;

use mintage_data::browse::{BrowseRow, BrowseType, Cell, ItemId, PageRequest, SourceKind};
use serde_json::json;

use super::{all, column, failure, gif, gray, midi, of, open, png, types, wav};

#[test]
fn files_of_rows_are_paged_sorted_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.csv");
    let lines: Vec<String> = (0..50)
        .map(|i| {
            let age = if i % 10 == 9 { String::new() } else { (20 + i).to_string() };
            format!("{i},\"na\"\"me, {i}\",{age},{},2024-0{}-01\n", ["true", "false"][i % 2], i % 9 + 1)
        })
        .collect();
    fs::write(&path, format!("id,name,age,ok,day\n{}", lines.concat())).unwrap();
    let browser = open(&path);
    assert_eq!((browser.kind(), browser.tables().unwrap()), (SourceKind::File, vec![String::new()]));
    let rows = all(&browser, &PageRequest::default());
    assert_eq!(column(&rows, 0), (0..50).map(Cell::Integer).collect::<Vec<_>>());
    let page = browser.page(&PageRequest { limit: 1, ..PageRequest::default() }).unwrap();
    {
        use BrowseType::*;
        assert_eq!(types(&page), [Integer, Text, Integer, Boolean, Datetime]);
    }
    assert_eq!(page.rows[0].cells[1], Cell::Text("na\"me, 0".to_owned()));
    let asked = |filters: &[&str], sort: &str| {
        let filters = filters.iter().map(|filter| filter.to_string()).collect();
        all(&browser, &PageRequest { filters, sort: Some(sort.to_owned()), ..PageRequest::default() })
    };
    let items = |rows: &[BrowseRow]| rows.iter().map(|row| row.item.0).collect::<Vec<_>>();
    assert_eq!(items(&asked(&["age=30..35", "ok=true"], "-age")), [14, 12, 10]);
    assert_eq!(items(&asked(&["age="], "id")), [9, 19, 29, 39, 49]);
    assert_eq!(items(&asked(&["day=2024-09..2024-09"], "-id")), [44, 35, 26, 17, 8]);
    assert_eq!(items(&asked(&[], "age"))[45..], [9, 19, 29, 39, 49]);
    assert_eq!(browser.media(None, ItemId(3), "name").unwrap().bytes, b"na\"me, 3");
    assert!(failure(browser.media(None, ItemId(50), "name")).contains("has no row 50"));
    assert!(failure(browser.media(None, ItemId(9), "age")).contains("is empty"));
    assert!(failure(browser.page(&of("people"))).contains("which has no name"));
    fs::write(dir.path().join("a.jsonl"), "{\"a\": 1.5, \"b\": \"x\"}\n{\"a\": 2}\n").unwrap();
    let json = serde_json::to_value(
        open(&dir.path().join("a.jsonl")).page(&PageRequest { limit: 5, ..PageRequest::default() }).unwrap(),
    )
    .unwrap();
    assert_eq!(
        json,
        json!({
            "table": "", "tables": [""], "total": 2, "offset": 0,
            "columns": [{"name": "a", "type": "number"}, {"name": "b", "type": "text"}],
            "rows": [{"i": 0, "cells": [1.5, "x"]}, {"i": 1, "cells": [2.0, null]}]
        })
    );
}

#[test]
fn folders_show_files_with_their_labels() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for i in 0..10u8 {
        write(&format!("{}/{i}'\"..;.png", ["кот", "dog"][usize::from(i) % 2]), &png(i * 20, 6, 6));
    }
    write("README.md", "О животных <script>".as_bytes());
    let browser = open(dir.path());
    assert_eq!(browser.kind(), SourceKind::Folder);
    let rows = all(&browser, &PageRequest::default());
    assert_eq!(rows.len(), 11);
    let page = browser.page(&PageRequest { limit: 20, ..PageRequest::default() }).unwrap();
    let names: Vec<&str> = page.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, types(&page)[2]), (vec!["file", "label", "item"], BrowseType::Image));
    let json = serde_json::to_value(&page).unwrap();
    let bytes = "О животных <script>".len();
    assert_eq!(
        json["rows"][0]["cells"],
        json!(["README.md", null, {"media": "text", "type": "text/plain; charset=utf-8", "bytes": bytes,
               "name": "README.md", "text": "О животных <script>"}])
    );
    assert_eq!(json["rows"][1]["cells"][1], json!("dog"));
    let request = PageRequest {
        filters: vec!["label=кот".to_owned()],
        sort: Some("-file".to_owned()),
        limit: 20,
        ..PageRequest::default()
    };
    let page = browser.page(&request).unwrap();
    assert_eq!(page.total, 5);
    for (row, i) in page.rows.iter().zip([8, 6, 4, 2, 0u8]) {
        let media = browser.media(None, row.item, "item").unwrap();
        assert_eq!((gray(&media), media.name.unwrap()), (i * 20, format!("{i}'\"..;.png")));
    }
    let sorted = PageRequest { sort: Some("item".to_owned()), ..PageRequest::default() };
    assert!(failure(browser.page(&sorted)).contains("holds files"));
    let labels = serde_json::to_value(browser.histograms(None).unwrap()).unwrap();
    assert_eq!(labels["columns"]["label"]["values"], json!([["dog", 5], ["кот", 5]]));
    assert!(failure(browser.media(None, ItemId(11), "item")).contains("has no row"));
    // What has gone since it was listed.
    fs::remove_dir_all(dir.path().join("dog")).unwrap();
    let page = browser.page(&PageRequest { limit: 20, ..PageRequest::default() }).unwrap();
    assert_eq!(page.rows[1].cells[2], Cell::Missing);
    assert!(browser.media(None, page.rows[1].item, "item").is_err());
    let gone = dir.path().to_owned();
    drop(dir);
    assert!(failure(browser.page(&PageRequest::default())).contains(&gone.display().to_string()));
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_of_a_folder_are_refused() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (inner, secret) = (dir.path().join("inner"), dir.path().join("secret.txt"));
    fs::create_dir(&inner).unwrap();
    fs::write(&secret, "geheim").unwrap();
    fs::write(inner.join("a.txt"), "open").unwrap();
    symlink(inner.join("a.txt"), inner.join("b.txt")).unwrap();
    symlink(&secret, inner.join("c.txt")).unwrap();
    symlink("../secret.txt", inner.join("d.txt")).unwrap();
    let browser = open(&inner);
    let page = browser.page(&PageRequest { limit: 10, ..PageRequest::default() }).unwrap();
    assert_eq!(column(&page.rows, 0), ["a.txt", "b.txt"].map(|name| Cell::Text(name.to_owned())));
    assert_eq!(page.notes, ["2 links that lead out of the folder are left out"]);
    assert_eq!(browser.media(None, ItemId(1), "item").unwrap().bytes, b"open");
    // A file that becomes such a link after it was listed.
    fs::remove_file(inner.join("a.txt")).unwrap();
    symlink(&secret, inner.join("a.txt")).unwrap();
    assert!(failure(browser.media(None, ItemId(0), "item")).contains("leads out of the folder"));
    let page = browser.page(&PageRequest { limit: 10, ..PageRequest::default() }).unwrap();
    assert_eq!(column(&page.rows, 1), [Cell::Missing, Cell::Missing]);
    assert!(!serde_json::to_string(&page).unwrap().contains("geheim"));
}

#[test]
fn single_files_and_idx_are_tables_too() {
    let dir = tempfile::tempdir().unwrap();
    let russian = "Не наше дело, что и как говорят об этом другие люди. ".repeat(10);
    for (name, bytes, ty) in [
        ("a.mid", midi(), BrowseType::Music),
        ("a.wav", wav(), BrowseType::Audio),
        ("a.gif", gif(2), BrowseType::Video),
        ("b.gif", gif(1), BrowseType::Image),
        ("a.txt", encoding_rs::WINDOWS_1251.encode(&russian).0.into_owned(), BrowseType::Text),
        ("a.bin", vec![0, 1, 2, 3], BrowseType::Blob),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let browser = open(&path);
        let page = browser.page(&PageRequest { limit: 9, ..PageRequest::default() }).unwrap();
        assert_eq!((browser.kind(), page.total, types(&page)[1]), (SourceKind::File, 1, ty), "{name}");
        let media = browser.media(None, page.rows[0].item, "item").unwrap();
        assert_eq!(media.name.as_deref(), Some(name));
        let expected = if name == "a.txt" { russian.clone().into_bytes() } else { bytes };
        assert_eq!(media.bytes, expected, "{name}");
    }
    let idx = |dims: &[u32], bytes: &[u8]| {
        let head = [vec![0, 0, 8, dims.len() as u8], dims.iter().flat_map(|d| d.to_be_bytes()).collect()];
        [head.concat(), bytes.to_vec()].concat()
    };
    let pixels: Vec<u8> = (0..12u8).flat_map(|i| [i * 20; 4]).collect();
    fs::write(dir.path().join("train-images-idx3-ubyte"), idx(&[12, 2, 2], &pixels)).unwrap();
    fs::write(dir.path().join("train-labels-idx1-ubyte"), idx(&[12], &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]))
        .unwrap();
    for path in [dir.path().to_owned(), dir.path().join("train-images-idx3-ubyte")] {
        let browser = open(&path);
        assert_eq!(browser.kind(), SourceKind::Idx);
        let request = PageRequest { filters: vec!["label=1".to_owned()], ..PageRequest::default() };
        let rows = all(&browser, &request);
        assert_eq!(rows.iter().map(|row| row.item.0).collect::<Vec<_>>(), [1, 4, 7, 10]);
        assert_eq!(gray(&browser.media(None, ItemId(7), "item").unwrap()), 140);
    }
}
