//! Every field on every cell of kinds and families; chunks, cancelling, schemas and sinks on models of the demo's data.

#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::LazyLock, time::Duration};

use mintage_data::{IfExists, PgDefaults, SourceSpec, table::TextKind};
use mintage_nn::DeviceChoice;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    AnyData, Control, Family, Recipe, Run,
    generate::fields::{Field, REQUEST},
    train,
};

/// A kind, the table of the demo's database that holds such items, and its column of labels.
const TABLES: [(DataKind, &str, Option<&str>); 6] = [
    (DataKind::Image, "products", Some("category")),
    (DataKind::Table, "census", None),
    (DataKind::Text, "texts", Some("language")),
    (DataKind::Music, "tunes", None),
    (DataKind::Audio, "sounds", Some("digit")),
    (DataKind::Video, "clips", Some("action")),
];

/// The data of a kind, few of them.
fn data(kind: DataKind) -> (Recipe, AnyData) {
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mintage-cli/assets/demo.db");
    let (_, table, label) = TABLES.into_iter().find(|(of, ..)| *of == kind).unwrap();
    let mut recipe = Recipe::for_source(&database.display().to_string());
    recipe.set(&format!("data.table=\"{table}\"")).unwrap();
    if let Some(label) = label {
        recipe.set(&format!("data.label=\"{label}\"")).unwrap();
    }
    if kind == DataKind::Text {
        recipe.set("data.column=\"text\"").unwrap();
        recipe.set("data.kind=\"text\"").unwrap();
    }
    for setting in ["model.size=tiny", "train.seed=1", "train.steps=1"] {
        recipe.set(setting).unwrap();
    }
    let data = AnyData::open(&recipe.data).unwrap();
    (recipe, data)
}

/// A model of one step.
fn trained(recipe: &Recipe, data: &AnyData) -> (TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::create(&folder.path().join("run"), recipe).unwrap();
    let stop = AtomicBool::new(false);
    let control = Control { stop: &stop, clock: &|| Duration::ZERO };
    train(recipe, data, &mut run, &DeviceChoice::Cpu, &control, &mut |_| {}).unwrap();
    let model = Model::load(run.dir(), &DeviceChoice::Cpu).unwrap();
    (folder, model)
}

/// A request with one field, of a value that is right for it.
fn asking(field: &Field, kind: DataKind) -> Request {
    let item = match kind {
        DataKind::Text => json!({ "text": "the sea" }),
        // Whether the file is there is asked after whether the field has a meaning.
        _ => json!({ "file": "nowhere" }),
    };
    let value = match field.name {
        "n" | "seed" | "length" | "top_k" => json!(2),
        "where" => json!([]),
        "given" | "fill" => json!({ "rows": [{ "age": 30 }] }),
        "prompt" | "key" => json!("a"),
        "continue" | "like" => item,
        "between" => json!([item, item]),
        "blend" => json!({ "anchors": [{ "seed": 1 }, { "seed": 2 }], "weights": [1, 3] }),
        "frames" => json!(8),
        "endless" => json!(true),
        "stop" => json!(["."]),
        "match" => json!("[a-z]+"),
        "json_shape" => json!("{\"a\": \"integer\"}"),
        "metre" => json!("4/4"),
        "range" => json!("40..90"),
        _ => json!(0.5),
    };
    let mut request = json!({ field.name: value });
    if field.name == "strength" {
        request["like"] = json!({ "file": "nowhere" });
    }
    if field.name == "repetition" {
        request["repetition"] = json!(1.5);
    }
    Request::parse(&request.to_string()).unwrap()
}

/// Every field is used or refused, by every family; and what the schema says can be asked is what can be asked.
fn check_fields(kind: DataKind) {
    let (mut recipe, data) = data(kind);
    for family in Family::ALL {
        recipe.model.family = Some(family);
        if crate::train::resolve(&recipe, &data).is_err() {
            continue;
        }
        let (_folder, model) = trained(&recipe, &data);
        assert_eq!((model.kind(), model.config.model.family()), (kind, family));
        let schema = schema(&model).unwrap();
        for field in REQUEST {
            let refused = asking(field, kind).check(&model).err().map(|error| error.to_string());
            let is_refused = refused.as_ref().is_some_and(|why| why.contains("has no meaning for"));
            assert_eq!(is_refused, !field.suits(kind, family), "{kind:?} {family:?} {field:?} {refused:?}");
            if !field.suits(kind, family) {
                assert!(schema["properties"].get(field.name).is_none(), "{kind:?} {family:?} {field:?}");
            }
        }
        check_drawing(&model);
    }
}

/// Chunks come to what is drawn at once, the same seed to the same items, and a flag that is set to none.
fn check_drawing(model: &Model) {
    let n = if model.kind() == DataKind::Table { 40 } else { 3 };
    let mut request = Request { n: Some(n), seed: Some(7), ..Request::default() };
    match model.kind() {
        DataKind::Text => request.length = Some(12),
        DataKind::Music => request.length = Some(1),
        _ => {}
    }
    let (mut heard, mut last) = (0, 0);
    let whole = model
        .generate(&request)
        .unwrap()
        .all(&mut |progress| {
            heard += 1;
            if let Progress::Work { done, total } = progress {
                assert!(done <= total && total > 0, "{done} of {total}");
                last = done;
            }
        })
        .unwrap();
    assert_eq!(whole.len(), n);
    assert!(heard > 0 && last > 0);
    let mut chunks = 0;
    generate(model, &request, &Arc::new(AtomicBool::new(false)), &mut |samples| {
        chunks += samples.len();
        Ok(())
    })
    .unwrap();
    assert_eq!(chunks, n);
    assert_eq!(model.generate(&request).unwrap().all(&mut |_| {}).unwrap(), whole);
    let other = Request { seed: Some(8), ..request.clone() };
    assert_ne!(model.generate(&other).unwrap().all(&mut |_| {}).unwrap(), whole);

    let one = Request { n: None, seed: None, ..request.clone() };
    if fields::find("blend").unwrap().suits(model.kind(), model.config.model.family()) {
        check_blend(model, &one);
    }

    // Without a seed it is the one that stands for none, and says so.
    let (fresh, named) =
        (Request { seed: None, ..request.clone() }, Request { seed: Some(DEFAULT_SEED), ..request.clone() });
    let mut fresh = model.generate(&fresh).unwrap();
    assert_eq!((fresh.seed(), fresh.provenance().seed), (DEFAULT_SEED, DEFAULT_SEED));
    assert_eq!(fresh.all(&mut |_| {}).unwrap(), model.generate(&named).unwrap().all(&mut |_| {}).unwrap());

    let set = Arc::new(AtomicBool::new(true));
    let mut cancelled = model.generate(&request).unwrap().cancelled_by(set);
    assert!(matches!(cancelled.all(&mut |_| {}), Err(Error::Cancelled)));
}

/// A blend at a corner is what its seed alone gives, and near it something else; items are anchors where there is an encoder.
fn check_blend(model: &Model, one: &Request) {
    let blend = |anchors: serde_json::Value, weights: [f64; 4]| {
        let anchors = serde_json::from_value(anchors).unwrap();
        let blend = Some(Blend { anchors, weights: weights.to_vec() });
        let request = Request { blend, n: None, seed: Some(5), ..one.clone() };
        model.generate(&request).and_then(|mut generation| generation.all(&mut |_| {}))
    };
    let seeds = || json!([{ "seed": 1 }, { "seed": 2 }, { "seed": 3 }, { "seed": 4 }]);
    let alone = |seed| {
        let request = Request { n: Some(1), seed: Some(seed), ..one.clone() };
        model.generate(&request).unwrap().all(&mut |_| {}).unwrap()
    };
    assert_eq!(blend(seeds(), [1.0, 0.0, 0.0, 0.0]).unwrap(), alone(1));
    assert_eq!(blend(seeds(), [0.0, 0.0, 2.0, 0.0]).unwrap(), alone(3));
    let middle = blend(seeds(), [0.3, 0.3, 0.2, 0.2]).unwrap();
    assert_eq!(middle.len(), 1);
    if !matches!(model.kind(), DataKind::Text | DataKind::Music) {
        assert!((1..5).all(|seed| middle != alone(seed)));
    }
    let output = Output::default();
    let encoding = Encoding::for_kind(model.kind());
    let provenance = model.provenance(0, json!({}));
    let file = alone(6).encode(encoding.unwrap(), &output, &provenance).unwrap();
    use base64::Engine;
    let item = json!({ "base64": base64::engine::general_purpose::STANDARD.encode(&file) });
    let mixed = |weights| blend(json!([{ "seed": 1 }, item, { "seed": 3 }, item]), weights);
    match model.config.model.family() {
        Family::Gan => {
            let error = mixed([1.0, 0.0, 0.0, 0.0]).unwrap_err().to_string();
            assert!(error.starts_with("`blend` cannot be met"), "{error}");
        }
        _ => {
            assert_eq!(mixed([1.0, 0.0, 0.0, 0.0]).unwrap(), alone(1));
            assert_eq!(mixed([0.2, 0.2, 0.3, 0.3]).unwrap().len(), 1);
            assert_eq!(mixed([0.0, 1.0, 0.0, 0.0]).unwrap(), mixed([0.0, 0.0, 0.0, 1.0]).unwrap());
        }
    }
    for weights in [[0.0; 4], [-1.0, 1.0, 1.0, 1.0], [f64::NAN, 1.0, 1.0, 1.0]] {
        assert!(blend(seeds(), weights).is_err(), "{weights:?}");
    }
    assert!(blend(json!([{ "seed": 1 }]), [1.0; 4]).is_err());
}

#[test]
fn every_field_of_images() {
    check_fields(DataKind::Image);
}

#[test]
fn every_field_of_rows() {
    check_fields(DataKind::Table);
}

#[test]
fn every_field_of_texts() {
    check_fields(DataKind::Text);
}

#[test]
fn every_field_of_music() {
    check_fields(DataKind::Music);
}

#[test]
fn every_field_of_sounds() {
    check_fields(DataKind::Audio);
}

#[test]
fn every_field_of_clips() {
    check_fields(DataKind::Video);
}

static TEXTS: LazyLock<(TempDir, Model)> = LazyLock::new(|| {
    let (mut recipe, data) = data(DataKind::Text);
    recipe.model.family = Some(Family::Ar);
    trained(&recipe, &data)
});

static ROWS: LazyLock<(TempDir, Model)> = LazyLock::new(|| {
    let (mut recipe, data) = data(DataKind::Table);
    recipe.model.family = Some(Family::Mixture);
    trained(&recipe, &data)
});

#[test]
fn a_text_ends_when_it_is_cancelled_and_begins_with_its_prompt() {
    let model = &TEXTS.1;
    let request = Request {
        seed: Some(1),
        prompt: Some("the ".to_owned()),
        length: Some(100_000),
        endless: true,
        ..Request::default()
    };
    let flag = Arc::new(AtomicBool::new(false));
    let mut text = String::new();
    let end = model.generate(&request).unwrap().cancelled_by(flag.clone()).all(&mut |progress| {
        if let Progress::Text { index, new } = progress {
            assert_eq!(index, 0);
            text.push_str(new);
            flag.store(text.chars().count() > 20, Ordering::Relaxed);
        }
    });
    assert!(matches!(end, Err(Error::Cancelled)));
    assert!(text.starts_with("the ") && text.chars().count() < 200, "{text}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_drawn() {
    let refused = |model: &Model, json: &str| {
        let request = Request::parse(json).unwrap();
        let error = request.check(model).and_then(|()| model.generate(&request).map(drop)).unwrap_err();
        format!("{error} | {}", error.hint().unwrap_or_default())
    };
    let (texts, rows) = (&TEXTS.1, &ROWS.1);
    assert!(refused(texts, r#"{"where": {"language": "klingon"}}"#).contains("no class `klingon`"));
    assert!(refused(texts, r#"{"where": {"mood": "x"}}"#).contains("is not conditioned on `mood`"));
    assert!(refused(texts, r#"{"like": {"text": "a"}}"#).contains("has no encoder"));
    assert!(refused(texts, r#"{"given": {"rows": []}}"#).contains("`given` has no meaning"));
    assert!(refused(texts, r#"{"continue": {"file": "/nowhere/a.txt"}}"#).contains("/nowhere/a.txt"));
    assert!(refused(rows, r#"{"where": {"agee": 3}}"#).contains("age"));
    assert!(refused(rows, r#"{"where": {"age": {"from": 900}}}"#).contains("age"));
    assert!(refused(rows, r#"{"temperature": -1}"#).contains("must be 0 or more"));
}

#[test]
fn errors_name_the_field_to_blame() {
    let field = |model: &Model, json: &str| {
        let error = model.generate(&Request::parse(json).unwrap()).map(drop).unwrap_err();
        assert!(error.is_callers(), "{error}");
        error.blamed_field().unwrap_or_default()
    };
    let (texts, rows) = (&TEXTS.1, &ROWS.1);
    for (json, blamed) in [
        (r#"{"where": {"language": "klingon"}}"#, "where"),
        (r#"{"where": {"mood": "x"}}"#, "where"),
        (r#"{"continue": {"file": "/nowhere/a.txt"}}"#, "continue"),
        (r#"{"continue": {"base64": "/w=="}}"#, "continue"),
        (r#"{"like": {"text": "a"}}"#, "like"),
        (r#"{"match": "("}"#, "match"),
        (r#"{"json_shape": "[]"}"#, "json_shape"),
        (r#"{"top_p": 2}"#, "top_p"),
    ] {
        assert_eq!(field(texts, json), blamed, "{json}");
    }
    for (json, blamed) in [
        (r#"{"where": {"agee": 3}}"#, "where"),
        (r#"{"where": {"age": {"from": 900}}}"#, "where"),
        (r#"{"given": {"file": "/nowhere.csv"}}"#, "given"),
        (r#"{"where": {"age": 30}, "given": {"rows": [{"age": 40}]}}"#, "where"),
    ] {
        assert_eq!(field(rows, json), blamed, "{json}");
    }
}

#[test]
fn a_schema_lists_conditions_with_their_values() {
    let rows = schema(&ROWS.1).unwrap();
    let conditions = &rows["properties"]["where"];
    assert_eq!(conditions["items"]["type"], "string", "{conditions}");
    let age = &conditions["properties"]["age"]["anyOf"];
    let range = age.as_array().unwrap().iter().find(|way| way["type"] == "object").unwrap();
    assert!(range["properties"]["from"]["type"] == "number", "{age}");
    let sex = &conditions["properties"]["sex"]["anyOf"][0]["enum"];
    assert!(sex.as_array().unwrap().iter().any(|value| value.as_str() == Some("Female")), "{sex}");
    assert!(rows["properties"].get("like").is_none() && rows["properties"].get("given").is_some());
    let texts = schema(&TEXTS.1).unwrap();
    let classes = &texts["properties"]["where"]["properties"]["language"]["enum"];
    assert!(classes.as_array().is_some_and(|classes| classes.len() > 1), "{texts}");
    // An autoregressive model has no encoder, but goes on from anything.
    assert!(texts["properties"].get("like").is_none() && texts["properties"].get("continue").is_some());
    assert!(texts["allOf"].to_string().contains(r#"["prompt","continue"]"#), "{texts}");
    assert!(texts["properties"].get("guidance").is_some() && texts.get("dependentRequired").is_none());
}

#[test]
fn a_schema_offers_only_the_forms_that_an_item_can_have() {
    let forms = |schema: &serde_json::Value, field: &str| -> Vec<String> {
        let forms = schema["properties"][field]["oneOf"].as_array().unwrap();
        forms.iter().map(|form| form["required"][0].as_str().unwrap().to_owned()).collect()
    };
    let texts = &TEXTS.1;
    assert_eq!(forms(&schema(texts).unwrap(), "continue"), ["base64", "text", "file"]);
    assert_eq!(forms(&schema_with(texts, false).unwrap(), "continue"), ["base64", "text"]);
    assert_eq!(forms(&schema(&ROWS.1).unwrap(), "given"), ["rows", "file"]);
    assert_eq!(forms(&schema_with(&ROWS.1, false).unwrap(), "given"), ["rows"]);

    let (mut recipe, data) = data(DataKind::Image);
    recipe.model.family = Some(Family::Vae);
    let (_folder, images) = trained(&recipe, &data);
    let images = schema_with(&images, false).unwrap();
    assert_eq!(forms(&images, "like"), ["base64"]);
    assert_eq!(images["dependentRequired"]["strength"], json!(["like"]));
    let anchors = &images["properties"]["blend"]["properties"]["anchors"]["items"]["oneOf"];
    assert_eq!(anchors.as_array().unwrap().len(), 2, "{anchors}");
}

#[test]
fn limits_are_the_callers() {
    let refused = |model: &Model, json: &str, limits: Limits| {
        let request = Request::parse(json).unwrap();
        let generation = model.generate_within(&request, &limits);
        let error = generation.and_then(|mut generation| generation.all(&mut |_| {})).unwrap_err();
        assert!(error.is_callers(), "{error}");
        error.blamed_field().unwrap()
    };
    let (texts, rows, all) = (&TEXTS.1, &ROWS.1, Limits::default);
    for model in [texts, rows] {
        let huge = format!(r#"{{"n": {}}}"#, usize::MAX);
        assert_eq!(refused(model, &huge, all()), "n");
        assert_eq!(refused(model, r#"{"n": 9}"#, Limits { max_items: 8, ..all() }), "n");
        assert_eq!(refused(model, r#"{"n": 9}"#, Limits { max_bytes: 800, ..all() }), "n");
    }
    // Rows that are taken a chunk at a time are not held.
    let request = Request::parse(r#"{"n": 9}"#).unwrap();
    let mut streamed = rows.generate_within(&request, &Limits { max_bytes: 800, ..all() }).unwrap();
    assert_eq!(streamed.next_chunk(&mut |_| {}).unwrap().unwrap().len(), 9);
    let short = || Limits { max_prompt_chars: 3, ..all() };
    assert_eq!(refused(texts, r#"{"prompt": "the sea"}"#, short()), "prompt");
    assert_eq!(refused(texts, r#"{"continue": {"text": "the sea"}}"#, short()), "continue");
    assert_eq!(refused(texts, r#"{"stop": ["th", "e sea"]}"#, short()), "stop");
    assert_eq!(refused(texts, r#"{"match": "[a-z]+"}"#, Limits { max_pattern_bytes: 3, ..all() }), "match");
    assert_eq!(
        refused(texts, r#"{"match": "\\w{50}"}"#, Limits { max_automaton_bytes: 9999, ..all() }),
        "match"
    );
    let cells = || Limits { max_cells: 1, ..all() };
    assert_eq!(refused(rows, r#"{"fill": {"rows": [{"age": 30}, {}]}}"#, cells()), "fill");
    assert_eq!(refused(rows, r#"{"given": {"rows": [{"agee": 30}]}}"#, cells()), "given");
    assert_eq!(refused(rows, r#"{"given": {"rows": [{"age": "old"}]}}"#, all()), "given");
}

#[test]
fn rows_of_nothing_are_rows() {
    for field in ["given", "fill"] {
        let request = Request::parse(&format!(r#"{{"{field}": {{"rows": [{{}}, {{}}]}}}}"#)).unwrap();
        assert_eq!(ROWS.1.generate(&request).unwrap().all(&mut |_| {}).unwrap().len(), 2);
    }
}

#[test]
fn rows_go_to_every_place_with_what_made_them() {
    let (dir, pg) = (tempfile::tempdir().unwrap(), PgDefaults::default());
    let model = &ROWS.1;
    let request = Request::parse(r#"{"n": 20, "seed": 3, "where": {"sex": "Female"}}"#).unwrap();
    for name in ["a.csv", "a.jsonl", "a.parquet", "a.db"] {
        let path = dir.path().join(name).display().to_string();
        let output = Output { table: Some("new".to_owned()), ..Output::to(&path) };
        let sink = Sink::open(&output, model, &pg).unwrap();
        let written = sink.write(&mut model.generate(&request).unwrap(), &mut |_| {}).unwrap();
        assert_eq!(written.n, 20);
        let spec = SourceSpec { source: path.clone(), ..SourceSpec::default() };
        let made = made_by(&spec).unwrap();
        assert_eq!(made.len(), 1, "{path}");
        assert_eq!(made[0].provenance.options, json!({ "where": ["sex=Female"] }));
        assert_eq!(made[0].provenance.seed, 3);
        let again = Output { if_exists: IfExists::Fail, ..output };
        let refused = Sink::open(&again, model, &pg)
            .and_then(|sink| sink.write(&mut model.generate(&request).unwrap(), &mut |_| {}));
        assert!(refused.is_err(), "{path}");
    }
    let mut csv = Vec::new();
    let mut out = |text: &[u8]| {
        csv.extend_from_slice(text);
        Ok(())
    };
    let mut generation = model.generate(&request).unwrap();
    Sink::stream_rows(&mut generation, TextKind::Csv, &Output::to("-"), &mut out, &mut |_| {}).unwrap();
    let text = String::from_utf8(csv).unwrap();
    assert_eq!(text.lines().count(), 21);
    assert!(text.lines().skip(1).all(|line| line.contains("Female")));
}

#[test]
fn an_output_is_refused_before_time_is_spent() {
    let pg = PgDefaults::default();
    let refused = |model: &Model, json: serde_json::Value| {
        let output: Output = serde_json::from_value(json).unwrap();
        Sink::open(&output, model, &pg).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(&TEXTS.1, json!({ "out": "a.png" })).contains("makes texts"));
    assert!(refused(&TEXTS.1, json!({ "out": "a.txt", "grid": "2x2" })).contains("`grid` has no meaning"));
    assert!(refused(&ROWS.1, json!({ "out": "a.csv", "bits": 24 })).contains("`bits` has no meaning"));
    assert!(refused(&ROWS.1, json!({ "out": "a.jsonl", "encoding": "utf-8" })).contains("a.jsonl"));
    assert!(refused(&ROWS.1, json!({ "out": "a.csv", "delimiter": "xy" })).contains("cannot separate"));
}

#[test]
fn a_place_is_looked_at_again_before_it_is_written_to() {
    let (dir, pg) = (tempfile::tempdir().unwrap(), PgDefaults::default());
    let (model, path) = (&TEXTS.1, dir.path().join("a.txt"));
    let request = Request { n: Some(1), length: Some(5), ..Request::default() };
    let output = Output::to(path.display().to_string());
    let draw = || model.generate(&request).unwrap().all(&mut |_| {}).unwrap();
    let provenance = model.generate(&request).unwrap().provenance();

    let sink = Sink::open(&output, model, &pg).unwrap();
    std::fs::write(&path, "by hand").unwrap();
    let error = sink.write_samples(&draw(), &provenance).unwrap_err();
    assert!(error.to_string().contains("was not made by mintage") && error.blamed_field() == Some("out"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "by hand");

    // What was made may be made again, but a single text cannot be added to.
    std::fs::remove_file(&path).unwrap();
    let write = |if_exists| {
        let output = Output { if_exists, ..output.clone() };
        Sink::open(&output, model, &pg).and_then(|sink| sink.write_samples(&draw(), &provenance))
    };
    let written = write(IfExists::Append).unwrap();
    assert_eq!((written.n, written.kind), (1, DataKind::Text));
    let json = written.to_json(&provenance, true, Some(&draw()));
    assert_eq!(
        (&json["n"], &json["seed"], &json["texts"].as_array().unwrap().len()),
        (&json!(1), &json!(0), &1)
    );
    write(IfExists::Fail).unwrap();
    assert_eq!(write(IfExists::Append).unwrap_err().blamed_field(), Some("if_exists"));
    write(IfExists::Replace).unwrap();
}
