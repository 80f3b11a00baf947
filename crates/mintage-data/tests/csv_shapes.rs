//! Delimited text in every shape that programs and people write it in: the same cells come out, or what was left out
//! is said.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, io::Write};

use common::{failure, rows, spec};
use mintage_data::{DataKind, Error, SourceSpec, Table, table::read};
use proptest::prelude::*;

fn read_as(name: &str, bytes: impl AsRef<[u8]>, described: SourceSpec) -> Result<Table, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    read(&SourceSpec { source: path.display().to_string(), ..described })
}

fn csv(bytes: impl AsRef<[u8]>) -> Table {
    read_as("t.csv", bytes, SourceSpec::default()).unwrap()
}

/// Names, a bar, and cells with nothing for what is missing.
fn shown(table: &Table) -> String {
    let names: Vec<&str> = table.names().collect();
    let cells = rows(table);
    let lines =
        cells.iter().map(|row| row.iter().map(|cell| cell.unwrap_or("")).collect::<Vec<_>>().join(" "));
    format!("{}|{}", names.join(" "), lines.collect::<Vec<_>>().join("/"))
}

#[test]
fn what_excel_pandas_r_and_databases_write() {
    for (what, text, wanted) in [
        (
            "Excel tells the delimiter",
            "\u{feff}sep=;\r\nname;qty\r\napple;14\r\npear;12\r\n",
            "name qty|apple 14/pear 12",
        ),
        (
            "every line ends in a comma",
            "a,b,c\n6,x,0.3,\n19,z,0.1,\n12,z,0.2,\n",
            "a b c|6 x 0.3/19 z 0.1/12 z 0.2",
        ),
        ("the names end in one, too", "a,b,\n6,x,\n19,z,\n", "a b|6 x/19 z"),
        ("Excel's empty rows at the end", "a,b\n1,x\n2,y\n,\n,\n", "a b|1 x/2 y"),
        ("the index of pandas", ",a,b\n0,5,x\n1,6,y\n", "column_1 a b|0 5 x/1 6 y"),
        (
            "names of pandas are numbers",
            ",0,1,2\n0,0.72,0.7,a\n1,0.21,0.6,b\n",
            "column_1 0 1 2|0 0.72 0.7 a/1 0.21 0.6 b",
        ),
        (
            "years",
            "land,2019,2020,2021\nA,26,88,79\nB,41,12,27\n",
            "land 2019 2020 2021|A 26 88 79/B 41 12 27",
        ),
        ("months", "shop;2024-01;2024-02\nA;1,5;7\nB;2,5;9\n", "shop 2024-01 2024-02|A 1,5 7/B 2,5 9"),
        (
            "R has no name for names of rows",
            "\"x\",\"y\"\n\"1\",0.5,\"a\"\n\"2\",0.7,\"b\"\n",
            "column_1 x y|1 0.5 a/2 0.7 b",
        ),
        (
            "R keeps cells apart by spaces",
            "\"x\" \"y\"\n\"1\" 0.5 \"a b\"\n\"2\" 0.7 \"b\"\n",
            "column_1 x y|1 0.5 a b/2 0.7 b",
        ),
        (
            "MySQL escapes quotes",
            "\"a\",\"b\"\n\"say \\\"hi\\\" to\",\"1\"\n\"x\",\"2\"\n",
            "a b|say \"hi\" to 1/x 2",
        ),
        (
            "PostgreSQL draws a rule and counts",
            "id | name | qty\n---+---+---\n1 | x | 5\n2 | y | 6\n(2 rows)\n",
            "id name qty|1 x 5/2 y 6",
        ),
        (
            "PostgreSQL pads its columns",
            " id |  name  | price \n----+--------+-------\n  0 | bob    |  7.30\n  1 | carla  |\n",
            "id name price|0 bob 7.30/1 carla ",
        ),
        (
            "MySQL draws a box",
            "+----+------+\n| id | name |\n+----+------+\n|  0 | bob  |\n| 11 | al c |\n+----+------+\n2 rows in set\n",
            "id name|0 bob/11 al c",
        ),
        (
            "a table of Markdown",
            "| id | name | price |\n|----|:-----|------:|\n| 0 | bob | 5.84 |\n| 1 |  | 8.02 |\n",
            "id name price|0 bob 5.84/1  8.02",
        ),
        (
            "a space behind each comma",
            "39, State-gov, 77516, <=50K\n50, Private, 83311, >50K\n38, Private, 2646, <=50K\n",
            "column_1 column_2 column_3 column_4|39 State-gov 77516 <=50K/50 Private 83311 >50K/38 Private 2646 <=50K",
        ),
        (
            "padded numbers",
            "d,v\n  5188,  95.3\n   672, 128.6\n 75504,   1.7\n",
            "d v|5188 95.3/672 128.6/75504 1.7",
        ),
        ("spaces behind dates", "d,v\n2020-01-12 , 1 \n2020-03-21 , 19 \n", "d v|2020-01-12 1/2020-03-21 19"),
        (
            "amounts in spaces",
            "g;val\nb; $6,566.06 \na; $(709.61)\na; $1.00 \n",
            "g val|b $6,566.06/a $(709.61)/a $1.00",
        ),
        ("spaces that are text", "a,b\nx, y\nz,w \nu,v\nu,vv\n", "a b|x  y/z w /u v/u vv"),
        ("padding and quotes", "a , b\n\"x\" , 1\n\"y, z\" , 2\nu , 3\n", "a b|x 1/y, z 2/u 3"),
        (
            "columns below each other",
            "name    age   score\ncarla   45    0.59  \nbob     9     0.24\n",
            "name age score|carla 45 0.59/bob 9 0.24",
        ),
        (
            "the cars of UCI",
            "18.0   8   307.0\t\"chevrolet malibu\"\n15.0   8   350.0\t\"buick\"\n9.0    4   97.0 \t\"vw 1131\"\n",
            "column_1 column_2 column_3 column_4|18.0 8 307.0 chevrolet malibu/15.0 8 350.0 buick/9.0 4 97.0 vw 1131",
        ),
        (
            "numbers count on",
            "0,1,blue\n1,1,red\n2,0,red\n3,0,blue\n",
            "column_1 column_2 column_3|0 1 blue/1 1 red/2 0 red/3 0 blue",
        ),
        ("comments", "# made by x\n# on Monday\na,b\n1,2\n# a note\n3,4\n", "a b|1 2/3 4"),
        ("names in a comment", "##version=2\n#id\tname\n1\tx\n2\ty\n", "id name|1 x/2 y"),
        (
            "a title and a blank line",
            "Sales of 2024\n\nshop;qty;sum\nA;1;2,5\nB;2;3,5\n",
            "shop qty sum|A 1 2,5/B 2 3,5",
        ),
        (
            "a title of Excel",
            "Sales,,\n,,\nshop,qty,sum\nA,1,2\nB,2,3\nC,4,5\n",
            "shop qty sum|A 1 2/B 2 3/C 4 5",
        ),
        ("a sum below", "shop,qty,sum\nA,1,2\nB,2,3\nC,4,5\nTotal\n", "shop qty sum|A 1 2/B 2 3/C 4 5"),
        ("rows that end early", "a,b,c\n1,2\n3\n4,5,6\n7,8,9\n", "a b c|1 2 /3  /4 5 6/7 8 9"),
        ("an old Mac", "a;b\r1;x\r2;y\r", "a b|1 x/2 y"),
        ("pipes", "a|b\n1|x, y\n2|z\n", "a b|1 x, y/2 z"),
        ("decimal commas", "price;sum\n1,5;2,5\n3,5;4,5\n", "price sum|1,5 2,5/3,5 4,5"),
        ("decimal commas in one column", "price\n1,5\n3,5\n4,5\n", "price|1,5/3,5/4,5"),
        ("spaces before quotes", "a, b\n1, \"x, y\"\n2, \"z\"\n", "a b|1 x, y/2 z"),
        ("quotes that are inches", "a\tb\n5\" pipe\t1\n\"odd\t2\n", "a b|5\" pipe 1/\"odd 2"),
        ("NUL bytes behind the text", "a,b\n1,x\n2,y\n\0\0\0\0\0\0\0\0", "a b|1 x/2 y"),
        ("the same name twice", "a,a,b\n1,2,3\n4,5,6\n", "a a_2 b|1 2 3/4 5 6"),
        ("one row of names and one of values", "a,b\n1,2\n", "a b|1 2"),
        (
            "no names",
            "5.1,3.5,x\n4.9,3.0,x\n7.0,3.2,y\n",
            "column_1 column_2 column_3|5.1 3.5 x/4.9 3.0 x/7.0 3.2 y",
        ),
    ] {
        assert_eq!(shown(&csv(text)), wanted, "{what}");
    }
    let tabs = read_as("t.tsv", "a,b\tc\n1,2\t3\n", SourceSpec::default()).unwrap();
    assert_eq!(shown(&tabs), "a,b c|1,2 3");
}

#[test]
fn what_is_left_out_is_said() {
    let note = |text: &str| csv(text).notes.join("; ");
    let damaged = csv([format!("n,v\n{}", "Zoë,1\n".repeat(20)).as_bytes(), b"Zo\xff,2\n"].concat());
    assert!(damaged.notes.join("").contains("some bytes are no UTF-8"), "{:?}", damaged.notes);
    assert_eq!(rows(&damaged)[0][0], Some("Zoë"));
    let body: String = (0..100).map(|i| format!("{i},x\n")).collect();
    let long = note(&format!("a,b\n{body}7,y,z\n"));
    assert!(
        long.contains("1 line has more cells") && long.contains("line 102: has 3 cells, and the header 2"),
        "{long}"
    );
    assert!(note(&format!("a,b\n{body}7\n8,y\n")).contains("1 line has fewer cells"));
    assert!(note("a,b,c\n1,2,3\n4,5,6\nTotal\n").contains("`Total`, stands below the table"));
    assert!(note("a,b\n1,\"x\n2,y\n").contains("all quotes are taken for letters"));
    assert!(note("a,b\n1,2\n3,4\n\0\0\0").contains("3 NUL bytes are left out"));
    assert!(note("a,a\n1,2\n").contains("one is called `a_2` here"));
    let failed = |text: &str| failure(read_as("t.csv", text, SourceSpec::default()));
    assert!(failed("a,b\n1,2,3,4\n4,5,6,7\n7,8\n").contains("line 2: has 4 cells, and the header 2"));
    let strict = SourceSpec { strict: true, ..SourceSpec::default() };
    assert!(
        failure(read_as("t.csv", "a,b,c\n1,2,3\n4\n5,6,7\n", strict)).contains("t.csv, line 3: has 1 cell")
    );
}

#[test]
fn what_is_said_of_a_file_counts() {
    let with = |text: &str, described| shown(&read_as("t.csv", text, described).unwrap());
    let yes = SourceSpec { header: Some(true), ..SourceSpec::default() };
    assert_eq!(with("1,2\n3,4\n", yes), "1 2|3 4");
    let no = SourceSpec { header: Some(false), ..SourceSpec::default() };
    assert_eq!(with("a,b\n3,4\n", no), "column_1 column_2|a b/3 4");
    let colon = SourceSpec { delimiter: Some(":".into()), skip: Some(2), ..SourceSpec::default() };
    assert_eq!(with("x\ny:z:1\na:b\n3:4\n", colon), "a b|3 4");
    let tab = SourceSpec { delimiter: Some("tab".into()), ..SourceSpec::default() };
    assert_eq!(with("a,x\tb\n3\t4\n", tab), "a,x b|3 4");
    let percent = SourceSpec { comment: Some('%'), ..SourceSpec::default() };
    assert_eq!(with("% no\na,b\n3,4\n%5,6\n", percent), "a b|3 4");
    let koi = SourceSpec { encoding: Some("koi8-r".into()), ..SourceSpec::default() };
    let bytes = encoding_rs::KOI8_R.encode("город,n\nмск,1\n").0.into_owned();
    assert_eq!(shown(&read_as("t.csv", bytes, koi).unwrap()), "город n|мск 1");
    let cp = SourceSpec { encoding: Some("cp1252".into()), ..SourceSpec::default() };
    assert_eq!(shown(&read_as("t.csv", b"a,b\n\xe9,\x80\n", cp).unwrap()), "a b|é €");
    let utf16 = SourceSpec { encoding: Some("utf-16".into()), ..SourceSpec::default() };
    let bytes: Vec<u8> = "\u{feff}a,b\né,7\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(shown(&read_as("t.csv", bytes, utf16).unwrap()), "a b|é 7");
    let rows = SourceSpec { kind: Some(DataKind::Table), ..SourceSpec::default() };
    assert_eq!(shown(&read_as("t.dat", "a;b\n1;2\n", rows).unwrap()), "a b|1 2");
    for (described, why) in [
        (
            SourceSpec { delimiter: Some("ab".into()), ..SourceSpec::default() },
            "`ab` cannot keep cells apart",
        ),
        (SourceSpec { comment: Some('a'), ..SourceSpec::default() }, "cannot begin lines of comments"),
        (
            SourceSpec { encoding: Some("klingon".into()), ..SourceSpec::default() },
            "is no encoding that is known",
        ),
    ] {
        assert!(failure(read_as("t.csv", "a,b\n1,2\n", described)).contains(why), "{why}");
    }
    let json = SourceSpec { header: Some(true), ..SourceSpec::default() };
    assert!(failure(read_as("t.jsonl", "{\"a\":1}\n", json)).contains("is no delimited text"));
}

#[test]
fn json_as_python_writes_it() {
    let json = |text: &str| read_as("t.json", text, SourceSpec::default());
    for text in [
        r#"[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]"#,
        "[\n  {\"a\": 1,\n   \"b\": \"x\"},\n  {\"a\": 2, \"b\": \"y\"}\n]\n",
        "{\"a\": 1, \"b\": \"x\"}\n{\"a\": 2, \"b\": \"y\"}\n",
        "{\n\"a\": 1, \"b\": \"x\"}\n{\"a\": 2,\n \"b\": \"y\"}\n",
        r#"{"count": 2, "next": null, "data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}"#,
        r#"{"a": [1, 2], "b": ["x", "y"]}"#,
        r#"{"a": {"0": 1, "1": 2}, "b": {"1": "y", "0": "x"}}"#,
        r#"{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}"#,
        r#"{"schema": {"fields": []}, "data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}"#,
    ] {
        assert_eq!(shown(&json(text).unwrap()), "a b|1 x/2 y", "{text}");
    }
    let odd = json(r#"[{"a": NaN}, {"a": -Infinity}, {"a": 1.5}, {"a": null}]"#).unwrap();
    assert_eq!(shown(&odd), "a|NaN/-Infinity/1.5/");
    assert_eq!(odd.columns[0].declaration.ty, mintage_data::Type::Real);
    for (text, why) in [
        ("[{\"a\": 1},\n {\"a\" 2}]", "line 2: expected `:`"),
        ("[[1, 2], [3, 4]]", "is a list where an object is needed"),
        ("[{\"a\": 1}", "the list has no end"),
        ("{\"name\": \"x\", \"size\": 3}", "no list of objects is in it"),
        ("{\"a\": [1, 2], \"b\": [1]}", "`b` has 1 values, and `a` has 2"),
        ("[]", "is empty"),
        ("7", "line 1"),
    ] {
        let error = json(text).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let wide: String = (0..10_001).map(|i| format!("\"c{i}\":{i},")).collect();
    let error = failure(json(&format!("[{{{wide}\"z\":1}}]")));
    assert!(error.contains("more than 10000 columns"), "{error}");
}

#[test]
fn packed_files_have_one_limit() {
    let dir = tempfile::tempdir().unwrap();
    let line = "1,2\n".repeat(1 << 18);
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(b"a,b\n").unwrap();
    for _ in 0..80 {
        packed.write_all(line.as_bytes()).unwrap();
    }
    let packed = packed.finish().unwrap();
    for name in ["t.csv.zst", "t.jsonl.zst", "t.txt.zst", "t.idx.zst"] {
        let path = dir.path().join(name);
        fs::write(&path, &packed).unwrap();
        let source = SourceSpec { limit: Some(10), ..spec(path.display().to_string()) };
        let error = match name {
            "t.csv.zst" => read(&source).map(|_| ()).unwrap_err(),
            "t.txt.zst" => mintage_data::TextSource::open(&source).map(|_| ()).unwrap_err(),
            _ => continue,
        };
        assert!(error.to_string().contains("unpacks to more than 64 MiB"), "{name}: {error}");
        assert!(error.hint().unwrap().contains("unpack it yourself"), "{name}");
    }
}

/// How a file may be written.
#[derive(Clone, Debug)]
struct Style {
    delimiter: char,
    quote_all: bool,
    line_end: &'static str,
    bom: bool,
    last_line_end: bool,
    trailing: bool,
    title: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let delimiter = prop_oneof![Just(','), Just(';'), Just('\t'), Just('|')];
    let line_end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (delimiter, any::<[bool; 5]>(), line_end).prop_map(|(delimiter, flags, line_end)| {
        let [quote_all, bom, last_line_end, trailing, title] = flags;
        Style { delimiter, quote_all, line_end, bom, last_line_end, trailing, title }
    })
}

fn written(style: &Style, lines: &[Vec<String>]) -> String {
    let mut text = if style.bom { "\u{feff}".to_owned() } else { String::new() };
    if style.title {
        text.push_str(&format!("A title{0}{0}", style.line_end));
    }
    let cell = |cell: &String| {
        let special = cell.contains([style.delimiter, '"', '\n', '\r']);
        if special || style.quote_all { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    for (i, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().map(cell).collect();
        text.push_str(&cells.join(&style.delimiter.to_string()));
        if style.trailing {
            text.push(style.delimiter);
        }
        if i + 1 < lines.len() || style.last_line_end {
            text.push_str(style.line_end);
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_dialect_gives_back_the_cells(
        style in style(),
        texts in proptest::collection::vec(("[a-zж]{1,6}", "[a-z ,;|\"ж]{0,3}[a-z]{1,4}", 0..1000u32), 4..30),
    ) {
        let mut lines = vec![vec!["name".to_owned(), "words".to_owned(), "price".to_owned()]];
        lines.extend(texts.iter().enumerate().map(|(i, (name, words, price))| {
            vec![format!("{name}{i}"), words.trim().to_owned(), format!("{price}.5")]
        }));
        let table = csv(written(&style, &lines));
        let found: Vec<Vec<String>> =
            rows(&table).iter().map(|row| row.iter().map(|cell| cell.unwrap_or("").to_owned()).collect()).collect();
        prop_assert_eq!(table.names().collect::<Vec<_>>(), ["name", "words", "price"]);
        prop_assert_eq!(&found, &lines[1..]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, name in "t\\.(csv|tsv|json|jsonl|parquet|db)") {
        let _ = read_as(&name, bytes, SourceSpec::default());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c,;|\"'#\\\\ \n\r\t0-9.{}\\[\\]:-]{0,200}", name in "t\\.(csv|tsv|json|jsonl)") {
        let _ = read_as(&name, text, SourceSpec::default());
    }
}
