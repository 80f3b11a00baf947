//! Crashes, strangers, links and several writers: what was kept is not lost, and what is not ours is not touched.

use std::fs;

use mintage_data::{ImageShape, Images};
use serde_json::json;

use super::{IMAGES, goods, keep_all, kept, pg, to_goods};
use crate::{generate::Samples, kept::Kept};

/// Three images of two pixels.
fn small() -> Samples {
    let shape = ImageShape { channels: 1, height: 1, width: 2 };
    let classes = vec!["a".to_owned(), "b".to_owned()];
    Samples::Image(Images { shape, pixels: vec![1, 2, 3, 4, 5, 6], labels: vec![0, 1, 2], classes })
}

#[test]
fn a_line_that_a_crash_has_cut_off_is_dropped_and_nothing_else() {
    let (_dir, kept) = kept();
    let provenance = IMAGES.1.provenance(1, json!({}));
    kept.keep(&small(), &[0, 1], &provenance, 0).unwrap();
    let list = kept.dir.join("kept.jsonl");
    let whole = fs::read(&list).unwrap();
    kept.keep(&small(), &[2], &provenance, 0).unwrap();
    let longer = fs::read(&list).unwrap();
    for cut in whole.len()..longer.len() - 1 {
        fs::write(&list, &longer[..cut]).unwrap();
        assert_eq!(kept.list().unwrap().len(), 2, "{cut}");
    }
    fs::write(&list, &longer[..longer.len() - 9]).unwrap();
    assert_eq!(kept.keep(&small(), &[2], &provenance, 0).unwrap(), ["3"]);
    assert_eq!(fs::read(&list).unwrap(), longer);
    // One that is whole but for its end counts, and is ended.
    fs::write(&list, &longer[..longer.len() - 1]).unwrap();
    assert_eq!(kept.keep(&small(), &[0], &provenance, 0).unwrap(), ["4"]);
    assert_eq!(kept.list().unwrap().len(), 4);
    // In the middle it is damage.
    fs::write(&list, [&whole[..9], b"\n", &longer[..]].concat()).unwrap();
    let error = Kept::open(&kept.dir).unwrap_err();
    assert!(error.to_string().contains("line 1") && error.hint().is_some(), "{error}");
}

#[test]
fn keeps_nothing_where_one_item_cannot_be_kept() {
    let (_dir, kept) = kept();
    let provenance = IMAGES.1.provenance(1, json!({}));
    kept.keep(&small(), &[0], &provenance, 0).unwrap();
    assert!(kept.keep(&small(), &[0, 3], &provenance, 0).unwrap_err().to_string().contains("no item 3"));
    let Samples::Image(mut images) = small() else { panic!("images") };
    images.classes[1] = "x".repeat(5000);
    let error = kept.keep(&Samples::Image(images), &[0, 1], &provenance, 0).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    fs::rename(kept.dir.join("kept.jsonl"), kept.dir.join("away")).unwrap();
    fs::create_dir(kept.dir.join("kept.jsonl")).unwrap();
    assert!(kept.keep(&small(), &[1, 2], &provenance, 0).is_err());
    fs::remove_dir(kept.dir.join("kept.jsonl")).unwrap();
    fs::rename(kept.dir.join("away"), kept.dir.join("kept.jsonl")).unwrap();
    let names: Vec<_> =
        fs::read_dir(kept.dir.join("kept")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!((names, kept.list().unwrap().len()), (vec!["1.png".into()], 1));
}

#[cfg(unix)]
#[test]
fn rejects_links() {
    use std::os::unix::fs::symlink;
    let provenance = IMAGES.1.provenance(1, json!({}));
    for place in ["kept", "kept.jsonl", "kept.lock"] {
        let (dir, kept) = kept();
        let outside = dir.path().join("outside");
        match place {
            "kept" => fs::create_dir(&outside).unwrap(),
            _ => fs::write(&outside, "").unwrap(),
        }
        symlink(&outside, dir.path().join(place)).unwrap();
        let error = kept.keep(&small(), &[0], &provenance, 0).unwrap_err();
        assert!(error.to_string().contains("is a link"), "{place}: {error}");
        let is_empty = if outside.is_dir() {
            fs::read_dir(&outside).unwrap().count() == 0
        } else {
            fs::read(&outside).unwrap().is_empty()
        };
        assert!(is_empty, "{place}");
    }
    let (dir, kept) = kept();
    let ids = kept.keep(&small(), &[0], &provenance, 0).unwrap();
    let file = dir.path().join("kept/1.png");
    fs::rename(&file, dir.path().join("moved.png")).unwrap();
    symlink(dir.path().join("moved.png"), &file).unwrap();
    assert!(kept.samples(&ids).unwrap_err().to_string().contains("is a link"));
    assert!(kept.bytes("1").unwrap_err().to_string().contains("is a link"));
}

#[test]
fn rejects_a_list_of_a_stranger_that_is_none() {
    let (_dir, kept) = kept();
    let provenance = IMAGES.1.provenance(1, json!({}));
    kept.keep(&small(), &[0], &provenance, 0).unwrap();
    let list = kept.dir.join("kept.jsonl");
    let good = fs::read_to_string(&list).unwrap();
    let cases = [
        ("\"id\":\"1\"", "\"id\":\"../1\"", "name that is none"),
        ("\"id\":\"1\"", "\"id\":\"\"", "name that is none"),
        ("\"width\":2", "\"width\":99999999", "shape"),
        ("\"channels\":1", "\"channels\":0", "shape"),
        ("\"kind\":\"image\"", "\"kind\":\"text\"", "another kind"),
    ];
    for (from, to, said) in cases {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        fs::write(&list, bad).unwrap();
        let error = kept.list().unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    fs::write(&list, format!("{good}{good}")).unwrap();
    assert!(kept.list().unwrap_err().to_string().contains("there already"));
    // A shape that is possible and not that of the file.
    fs::write(&list, good.replace("\"width\":2", "\"width\":1024")).unwrap();
    assert!(kept.samples(&["1".to_owned()]).unwrap_err().to_string().contains("another picture"));
    let clip = good.replace("{\"image\":{", "{\"video\":{\"frames\":4000000000,\"fps\":\"1.0\",");
    fs::write(&list, clip.replace("\"kind\":\"image\"", "\"kind\":\"video\"")).unwrap();
    assert!(kept.list().unwrap_err().to_string().contains("is no clip"));
}

#[test]
fn an_undo_does_not_remove_files_of_others() {
    let (dir, kept) = kept();
    let victim = dir.path().join("victim.txt");
    fs::write(&victim, "mine").unwrap();
    let hash = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(b"mine"));
    let path = victim.display().to_string();
    let line = json!({ "wrote": { "batch": "b", "at": 0, "ids": [], "place": "", "trace":
        { "files": { "path": path, "is_new": true, "files": [[path, hash]] } } } });
    fs::write(kept.dir.join("kept.jsonl"), format!("{line}\n")).unwrap();
    let undone = kept.undo("b", &pg()).unwrap();
    assert!(undone.notes[0].contains("nothing says") && victim.exists(), "{:?}", undone.notes);
}

#[test]
fn a_batch_that_a_kill_has_cut_off_can_be_taken_back() {
    let (dir, kept) = kept();
    let model = &IMAGES.1;
    let path = dir.path().join("shop.db");
    goods(&path);
    let ids = keep_all(&kept, model, 2, 1);
    let batch = kept.write(&ids, model, &to_goods(&path), &pg(), false, 9).unwrap().batch.unwrap();
    let list = kept.dir.join("kept.jsonl");
    let text = fs::read_to_string(&list).unwrap();
    let without: String =
        text.lines().filter(|line| !line.starts_with("{\"wrote\"")).map(|line| format!("{line}\n")).collect();
    assert_ne!(without, text);
    fs::write(&list, without).unwrap();
    let known = kept.batches().unwrap().remove(0);
    assert_eq!((known.written.batch.as_str(), known.written.complete), (batch.as_str(), false));
    assert_eq!(kept.undo(&batch, &pg()).unwrap().removed, 2);
}

#[test]
fn writers_take_turns() {
    let (_dir, kept) = kept();
    let provenance = IMAGES.1.provenance(1, json!({}));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    kept.keep(&small(), &[0, 1, 2], &provenance, 0).unwrap();
                }
            });
        }
    });
    let ids: Vec<String> = kept.list().unwrap().into_iter().map(|item| item.id).collect();
    let expected: Vec<String> = (1..=60).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
    assert_eq!(kept.samples(&ids).unwrap().len(), 60);
}
