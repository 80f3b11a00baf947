//! Nothing leaks: passwords stand nowhere, no server is contacted that the user did not name, and what a stranger's
//! folder links to stays where it is.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::symlink,
    thread,
    time::Duration,
};

use crate::helpers::{Place, QUICK};

/// A port of this machine at which nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn a_password_stands_in_no_message_and_in_no_file() {
    let place = Place::new();
    place.shop("shop.db", 40);
    place.write("listed.toml", format!("[data]\nsource = [\"postgres://anna:geheim@{NOWHERE}/d\"]\n"));
    place.write("named.toml", format!("[data]\nsource = \"postgres://anna:geheim@{NOWHERE}/d\"\n"));
    place.write(
        "held.toml",
        format!("[data]\nsource = \"shop.db\"\nholdout = \"postgres://anna:geheim@{NOWHERE}/d\"\n"),
    );
    let mut lines = vec![
        "train listed.toml".to_owned(),
        "train named.toml".to_owned(),
        "train named.toml --yes".to_owned(),
        "train held.toml --yes --dry-run".to_owned(),
        format!("train shop.db --holdout postgres://anna:geheim@{NOWHERE}/d --dry-run"),
    ];
    let spellings = [
        format!("postgres://anna:geheim@{NOWHERE}/d"),
        format!("Postgres://anna:geheim@{NOWHERE}/d"),
        format!("postgres:/anna:geheim@{NOWHERE}/d"),
        format!("postgres://{NOWHERE}/d?user=anna&password=geheim"),
        "mysql://anna:geheim@host/d".to_owned(),
        "http://anna:geheim@host/d".to_owned(),
        "host=h,password=geheim".to_owned(),
        format!("anna:geheim@{NOWHERE}/d"),
        format!("postgres//anna:geheim@{NOWHERE}/d"),
        format!("postgres://{NOWHERE}/d?user=anna&pass%77ord=geheim"),
    ];
    for verb in ["inspect", "train", "init -o recipe.toml"] {
        lines.extend(spellings.iter().map(|spelling| format!("{verb} {spelling}")));
    }
    for line in &lines {
        let done = place.run(line);
        let said = format!("{}{}", done.stderr, done.text());
        assert!(!said.contains("geheim"), "mintage {line}\n{said}");
        for (path, bytes) in place.files().iter().filter(|(path, _)| !path.ends_with("shop.db")) {
            let written = String::from_utf8_lossy(bytes);
            let ours = !["listed.toml", "named.toml", "held.toml"].iter().any(|name| path.ends_with(name));
            assert!(!(ours && written.contains("geheim")), "mintage {line} wrote it to {}", path.display());
        }
    }
}

/// A server that asks for a password in clear, and what is sent to it. It waits for one visitor.
fn curious_server() -> (u16, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let visit = move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        // "N": no TLS here; "R" with 3: your password, please.
        for answer in [&b"N"[..], b"R\0\0\0\x08\0\0\0\x03", b""] {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => heard.extend(&buffer[..n]),
                _ => break,
            }
            if stream.write_all(answer).is_err() {
                break;
            }
        }
        heard
    };
    (port, thread::spawn(visit))
}

#[test]
fn a_strangers_model_contacts_nobody_and_gets_no_password() {
    let place = Place::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, ["a", "b"][i / 3 % 2])).collect();
    place.write("rows.csv", format!("n,k\n{rows}"));
    place.ok("train rows.csv --model mixture --size tiny --steps 3 --name theirs");
    let (port, visit) = curious_server();
    let address = format!("postgres://boss@127.0.0.1:{port}/shop");
    for file in ["config.json", "recipe.toml"] {
        let name = format!("runs/theirs/{file}");
        place.write(&name, place.text(&name).replace("\"rows.csv\"", &format!("\"{address}\"")));
    }
    let said = place.refused("evaluate theirs");
    assert!(said.contains(&format!("the model names {address} as its source")), "{said}");
    assert!(said.contains("--source SOURCE"), "{said}");
    place.write("recipe.toml", format!("[data]\nsource = \"{address}\"\n"));
    for line in ["score theirs rows.csv", "train recipe.toml --dry-run"] {
        assert!(place.refused(line).contains("was not asked for"), "{line}");
    }
    assert!(place.refused("train --resume theirs --steps 20").contains("the run names"));
    assert!(!visit.is_finished());
    // A yes is one to the connection, not to a password that is for another host.
    let mut asked = place.mintage(&["evaluate", "theirs", "--yes"]);
    let done = asked.env("PGPASSWORD", "geheim").env("PGHOST", "db.example").output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let heard = String::from_utf8_lossy(&visit.join().unwrap()).into_owned();
    assert!(heard.contains("boss") && !heard.contains("geheim"), "{heard:?}");
}

#[test]
fn a_strangers_holdout_contacts_nobody_either() {
    let place = Place::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, ["a", "b"][i / 3 % 2])).collect();
    place.write("rows.csv", format!("n,k\n{rows}"));
    place.ok("train rows.csv --model mixture --size tiny --steps 3 --name theirs");
    let (port, visit) = curious_server();
    let address = format!("postgres://boss@127.0.0.1:{port}/shop");
    let mut config = place.json("runs/theirs/config.json");
    config["source"]["holdout"] = address.clone().into();
    place.write("runs/theirs/config.json", config.to_string());
    for line in ["evaluate theirs", "evaluate theirs --source rows.csv", "score theirs rows.csv"] {
        let said = place.refused(line);
        assert!(said.contains(&format!("the model names {address} as its holdout")), "{line}: {said}");
        assert!(said.contains("was not asked for"), "{line}: {said}");
    }
    assert!(!visit.is_finished());
    let mut asked = place.mintage(&["evaluate", "theirs", "--source", "rows.csv", "--yes"]);
    let done = asked.env("PGPASSWORD", "geheim").env("PGHOST", "db.example").output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let heard = String::from_utf8_lossy(&visit.join().unwrap()).into_owned();
    assert!(heard.contains("boss") && !heard.contains("geheim"), "{heard:?}");
}

/// A pipe that nobody writes to would be waited for, and a device fill the memory.
#[test]
fn pipes_and_devices_in_a_model_are_refused_at_once() {
    let place = Place::new();
    place.pictures("pictures", 30);
    place.ok(&format!("train pictures --model vae {QUICK} --name m"));
    let dir = place.path("runs/m");
    for (file, line) in [
        ("config.json", "sample m -n 1 -o new.png"),
        ("model.safetensors", "sample m -n 1 -o new.png"),
        ("codec/image.json", "sample m -n 1 -o new.png"),
        ("recipe.toml", "train --resume m --steps 20"),
        ("options.toml", "train --resume m --steps 20"),
        ("run.json", "train --resume m --steps 20"),
        (".lock", "train --resume m --steps 20"),
        ("metrics.jsonl", "train --resume m --steps 20"),
        ("times.jsonl", "train --resume m --steps 20"),
    ] {
        let (path, kept) = (dir.join(file), dir.join("kept"));
        fs::rename(&path, &kept).unwrap();
        for device in [false, true] {
            match device {
                true => symlink("/dev/zero", &path).unwrap(),
                false => assert!(place.program("mkfifo").arg(&path).status().unwrap().success()),
            }
            let line: Vec<&str> =
                [env!("CARGO_BIN_EXE_mintage")].into_iter().chain(line.split(' ')).collect();
            let done = place.program("timeout").arg("60").args(line).output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(2), "{file}: {said}");
            assert!(said.contains("error: "), "{file}: {said}");
            fs::remove_file(&path).unwrap();
        }
        fs::rename(&kept, &path).unwrap();
    }
}

#[test]
fn a_finished_model_without_its_configuration_is_said_so() {
    let place = Place::new();
    place.pictures("pictures", 30);
    place.ok(&format!("train pictures --model vae {QUICK} --name m"));
    let config = place.read("runs/m/config.json");
    place.write("runs/m/config.json", &config[..config.len() / 2]);
    let said = place.refused("sample m -n 1 -o new.png");
    assert!(said.contains("runs/m/config.json: cannot be read"), "{said}");
    fs::remove_file(place.path("runs/m/config.json")).unwrap();
    let said = place.refused("sample m -n 1 -o new.png");
    assert!(said.contains("has no config.json, though its training was finished"), "{said}");
}

#[test]
fn export_takes_the_model_and_follows_no_link() {
    let place = Place::new();
    place.shop("shop.db", 40);
    place.ok(&format!("train shop.db --model vae {QUICK} --name theirs"));
    place.write("secret.txt", "geheim");
    let inside = |name: &str| place.path("runs/theirs").join(name);
    symlink(place.path("secret.txt"), inside("samples/id_rsa.txt")).unwrap();
    symlink(place.path("secret.txt"), inside("README.md")).unwrap();
    place.write("elsewhere/more.txt", "geheim");
    symlink(place.path("elsewhere"), inside("samples/up.png")).unwrap();
    place.write("runs/theirs/samples/notes.key", "geheim");
    place.write("runs/theirs/codec/other.json", "geheim");
    place.ok("export theirs -o theirs-model");
    let copied: Vec<String> = place
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(place.path("theirs-model")))
        .map(|(path, bytes)| {
            assert!(!String::from_utf8_lossy(&bytes).contains("geheim"), "{}", path.display());
            path.strip_prefix(place.path("theirs-model")).unwrap().display().to_string()
        })
        .collect();
    let expected =
        ["README.md", "codec/image.json", "config.json", "model.safetensors", "recipe.toml", "samples/"];
    assert!(copied.iter().all(|name| expected.iter().any(|known| name.starts_with(known))), "{copied:?}");
    // A preview each step, and no link.
    assert_eq!(copied.iter().filter(|name| name.starts_with("samples/step-")).count(), 6, "{copied:?}");
    place.ok("sample theirs-model -n 4 -o new.png");
    // A folder that is not there yet, inside of what is copied, would be copied into itself.
    assert!(place.refused("export theirs -o runs/theirs/samples/x").contains("lies inside the model"));
    let weights = inside("model.safetensors");
    fs::rename(&weights, place.path("weights")).unwrap();
    symlink(place.path("weights"), &weights).unwrap();
    assert!(place.refused("export theirs -o again").contains("is a link, which is not followed"));
}

#[test]
fn a_file_that_was_not_made_is_not_written_over() {
    let place = Place::new();
    place.shop("shop.db", 40);
    place.ok(&format!("train shop.db --model vae {QUICK} --name shop"));
    fs::write(place.path("photo.png"), "a photo").unwrap();
    for line in [
        "sample shop -n 1 -o photo.png",
        "sample shop -o photo.png --if-exists append",
        "reconstruct shop -o photo.png",
    ] {
        let said = place.refused(line);
        assert!(said.contains("photo.png is there already, and was not made by mintage"), "{line}: {said}");
        assert_eq!(fs::read(place.path("photo.png")).unwrap(), b"a photo", "{line}");
    }
    place.ok("sample shop -n 1 -o photo.png --if-exists replace");
    // What was made may be made anew.
    place.ok("sample shop -n 4 -o photo.png");
    fs::create_dir(place.path("new")).unwrap();
    assert!(place.refused("sample shop -n 2 -o new/ --if-exists replace").contains("keeps what it has"));
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let place = Place::new();
    place.shop("shop.db", 40);
    place.ok(&format!("train shop.db --model vae {QUICK} --name shop"));
    let before = place.files();
    // A file size limit stands for a full disk.
    let line = "trap '' XFSZ; ulimit -f 8; exec \"$0\" export shop -o shop-model";
    let done = place.program("bash").args(["-c", line, env!("CARGO_BIN_EXE_mintage")]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("shop-model/model.safetensors: File too large"), "{said}");
    assert_eq!(place.files(), before);
    // What a killed one has left is removed.
    place.write(".mintage-export-aB3dE9/config.json", "half");
    place.ok("export shop -o shop-model");
    assert!(!place.path(".mintage-export-aB3dE9").exists());
}

#[test]
fn names_from_outside_do_not_command_the_terminal() {
    let place = Place::new();
    place.write("\u{1b}[2Jevil.csv", "a,b\n1,2\n");
    let said = place.refused_args(&["train", "\u{1b}[2Jevil.csv"]);
    assert!(!said.contains('\u{1b}') && said.contains("\\u{1b}[2Jevil"), "{said}");
    place.write("recipe.toml", "[data]\nsource = \"x\"\n\"\u{9b}31m\" = 1\n");
    assert!(!place.refused("train recipe.toml").contains('\u{9b}'));
}

#[test]
fn the_size_of_images_is_not_the_size_of_the_model() {
    let said = Place::new().refused("train shop.db --size 128");
    assert!(said.contains("-s data.size=128"), "{said}");
}

/// Names of files are bytes, and need not be texts.
#[test]
fn files_may_have_names_that_are_no_texts() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let place = Place::new();
    place.shop("shop.db", 300);
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let shop = name(b"caf\xe9.db");
    fs::rename(place.path("shop.db"), place.root().join(shop)).unwrap();
    let run = |args: &[&str], names: &[&OsStr]| {
        let done = place.mintage(args).args(names).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{args:?} {names:?}: {said}");
        (String::from_utf8(done.stdout).unwrap(), said)
    };
    let (found, said) = run(&["inspect"], &[shop]);
    assert!(said.contains("mintage train $'caf\\xe9.db'"), "what is proposed can be typed: {said}");
    assert!(found.contains("caf\u{10ffe9}.db (sqlite)"), "{found}");
    run(&["train", "--model", "vae", "--size", "tiny", "--steps", "2", "--name", "m"], &[shop]);
    // What the run has learned from is found again.
    run(&["evaluate", "m"], &[]);
    run(&["sample", "--seed", "1", "m", "-n", "2", "-o"], &[name(b"new\xff/")]);
    let made = fs::read_dir(place.root().join(name(b"new\xff"))).unwrap();
    let pictures = made.filter(|file| file.as_ref().unwrap().path().extension() == Some("png".as_ref()));
    assert_eq!(pictures.count(), 2);
    run(&["export", "m", "-o"], &[name(b"mod\xc3")]);
    let (_, said) = run(&["sample", "-n", "2", "-o", "new.png"], &[name(b"mod\xc3")]);
    assert!(said.contains("new.png"), "{said}");
    let refused = place.mintage(&["inspect"]).arg(name(b"\xe9")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
