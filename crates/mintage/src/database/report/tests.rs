#![allow(clippy::unwrap_used)]

use mintage_data::database::{Store, Table};

use super::*;
use crate::{
    database::{
        dials::TableDials,
        filled::numbers,
        judge::{ChildShare, TableScores},
        measures::Means,
        pairs::PairDetected,
        proof::Written,
        testing,
    },
    report::Dial,
};

fn scores() -> DatabaseScores {
    let score = |of: &str, score: f64| Score { of: of.to_owned(), score };
    let child = ChildShare { from: 0, to: 0, source: 0.5, new: 0.25 };
    DatabaseScores {
        cardinality: vec![score("orders.of", 0.9)],
        shapes: (0..20).map(|i| score(&format!("orders.<c{i}>"), f64::from(i) / 20.0)).collect(),
        trends: Vec::new(),
        hops: vec![vec![score("orders.a, b\"c.b", 0.625)]],
        detection: vec![Detected {
            table: "b\"c".to_owned(),
            accuracy: 0.75,
            low: 0.6,
            high: 0.85,
            reasons: vec!["size".to_owned(), "orders.of: mean of a".to_owned()],
            by: "size; its children: mean of orders.a".to_owned(),
        }],
        pairs: vec![PairDetected {
            of: "orders.of".to_owned(),
            table: "orders".to_owned(),
            key: 0,
            parent: "b\"c".to_owned(),
            accuracy: 0.8125,
            low: 0.7,
            high: 0.9,
            alone: 0.53125,
            reasons: vec!["orders.<late>".to_owned()],
        }],
        sequences: vec![SequenceScores {
            table: "orders".to_owned(),
            time: "day <of>".to_owned(),
            ordered: Some(1.0),
            unique: None,
            gaps: Some(0.8125),
            steps: Some(0.6875),
            columns: vec![score("orders.a", 0.6875)],
        }],
        tables: vec![TableScores {
            table: "orders".to_owned(),
            shapes: Some(Interval::certain(0.475)),
            trends: None,
        }],
        keys: vec![KeyScores {
            of: "orders.of".to_owned(),
            table: "orders".to_owned(),
            key: 0,
            parent: "b\"c".to_owned(),
            cardinality: 0.9,
            pairs: Some(Interval { value: 0.6, low: 0.5, high: 0.7 }),
            children: vec![child, ChildShare { from: 1, to: 1, ..child }],
        }],
        means: Means {
            hops: vec![Some(Interval { value: 0.625, low: 0.5, high: 0.71 })],
            ..Means::default()
        },
    }
}

fn dials() -> DatabaseDials {
    let words = |name: &str, what: &str| [(name.to_owned(), what.to_owned())].into();
    let dial = Dial { score: 83.2, low: 80.1, high: 86.4 };
    let table = TableDials {
        table: "b\"c".to_owned(),
        n: 60,
        dials: [("coverage".to_owned(), dial)].into(),
        unmeasured: words("utility", "cannot be measured with <60> rows"),
    };
    DatabaseDials {
        dials: [("fidelity".to_owned(), dial)].into(),
        unmeasured: words("novelty", "cannot be measured of any table"),
        measured: words("fidelity", "the mean of 3 tables"),
        keys: None,
        tables: vec![table],
    }
}

fn proof(shared: usize) -> Proof {
    let counted = |of: &str, failed: usize| Counted { of: of.to_owned(), checked: 40, failed };
    let table = TableProof {
        table: "b\"c".to_owned(),
        rows: 40,
        is_kept: false,
        unique: vec![counted("id", 0)],
        not_null: Vec::new(),
        keys: Vec::new(),
        personal: vec![counted("e-mail <of>", shared)],
        written: vec![Written { column: "remark <of>".to_owned(), by: "an n-gram model".to_owned() }],
    };
    let kept = TableProof { table: "towns".to_owned(), is_kept: true, ..table.clone() };
    Proof { tables: vec![table, kept], ..Proof::default() }
}

fn page(proof: &Proof) -> String {
    let table = |name: &str| Table { name: name.to_owned(), ..Table::default() };
    let tables = vec![table("b\"c"), table("orders")];
    let schema = Schema { store: Store::Sqlite, tables, views: Vec::new(), unreadable: Vec::new() };
    let (scores, dials) = (scores(), dials());
    let rows = testing::table("b\"c", Vec::new(), vec![numbers("id", 1..=8)]);
    let (_, _, plans) = testing::planned(vec![rows]);
    let report = DatabaseReport {
        name: "<run>",
        source: "shop.db",
        schema: &schema,
        plans: &plans,
        scores: &scores,
        floor: &scores,
        ceiling: Some(&scores),
        dials: &dials,
        proof,
        seed: 7,
    };
    report.to_html().unwrap()
}

#[test]
fn the_page_escapes_names_and_shows_numbers() {
    let page = page(&proof(0));
    assert!(page.contains("&lt;run&gt;") && !page.contains("<run>") && !page.contains("<script"), "{page}");
    assert!(page.contains("b&quot;c") && !page.contains("<c0>") && page.contains("seed 7"), "{page}");
    assert!(page.contains("50 is the best, a mere guess; less, as of few rows, is chance"), "{page}");
    assert!(page.contains("told 75.0") && page.contains("class=\"wash q2\""), "{page}");
    assert!(
        page.contains("size; its children: mean of orders.a")
            && page.contains("60.0")
            && page.contains("class=\"chart\""),
        "{page}"
    );
    assert!(page.contains("pairs over 1 key") && page.contains("62.5"), "{page}");
    assert!(page.contains("half against half 62.5"), "{page}");
    assert!(
        page.contains("81.2") && page.contains("orders.a 68.8") && page.contains("day &lt;of&gt;"),
        "{page}"
    );
    // The worst of twenty.
    assert!(page.contains("&lt;c14&gt;") && !page.contains("&lt;c15&gt;"), "{page}");
}

#[test]
fn the_page_shows_dials_intervals_and_pairs() {
    let page = page(&proof(0));
    assert!(page.contains("<b>83</b>") && page.contains("(80–86)"), "{page}");
    assert!(
        page.contains("From the mean of 3 tables.") && page.contains("Is every kind of real row"),
        "{page}"
    );
    assert!(page.contains("cannot be measured of any table"), "{page}");
    // Of a table.
    assert!(page.contains("83 (80–86)") && page.contains("with &lt;60&gt; rows"), "{page}");
    // Of a mean, of a classifier, and none where a single number stands behind it.
    assert!(page.contains("62.5</b> <span class=\"soft nowrap\">(50.0–71.0)</span>"), "{page}");
    assert!(page.contains("60.0 (50.0–70.0)"), "{page}");
    assert_eq!(with_interval(Some(scores().detection[0].interval())), "75.0 (60.0–85.0)");
    assert_eq!(with_interval(Some(Interval::certain(0.475))), "47.5");
    assert_eq!(with_interval(None), "–");
    // Of a pair of tables: joined, the child alone, and the rest.
    assert!(page.contains("81.2 (70.0–90.0)") && page.contains("53.1") && page.contains("28.1"), "{page}");
    assert!(page.contains("orders.&lt;late&gt;"), "{page}");
}

#[test]
fn what_is_shared_is_said() {
    let whole = page(&proof(0));
    let said = "values that are made afresh or may point at a person are shared with the source";
    assert!(whole.contains(&format!("<b>0</b> {said}")), "{whole}");
    assert!(whole.contains("towns") && whole.contains("kept as they are"), "{whole}");
    assert!(whole.contains("written: remark &lt;of&gt; by an n-gram model"), "{whole}");
    let redrawn = "texts are drawn from the source";
    assert!(!whole.contains(redrawn));
    assert!(page(&Proof { text: TextMode::Redraw, ..proof(3) }).contains(redrawn));
    let broken = page(&proof(3));
    assert!(broken.contains(&format!("<b>3</b> {said}")) && broken.contains("e-mail &lt;of&gt;"), "{broken}");
}

#[test]
fn tables_and_keys_are_painted_by_their_scores() {
    let schema =
        Schema { store: Store::Sqlite, tables: Vec::new(), views: Vec::new(), unreadable: Vec::new() };
    let (scores, dials, proof) = (scores(), dials(), proof(0));
    let report = DatabaseReport {
        name: "",
        source: "",
        schema: &schema,
        plans: &[],
        scores: &scores,
        floor: &scores,
        ceiling: None,
        dials: &dials,
        proof: &proof,
        seed: 1,
    };
    let paint = report.paint();
    assert_eq!(paint.tables["b\"c"], Mark { badness: 0.5, label: "told 75.0".to_owned() });
    let key = &paint.keys[&("orders".to_owned(), 0)];
    assert!(key.label == "90.0 / 60.0" && (key.badness - 0.5).abs() < 1e-9, "{key:?}");
}
