//! What is wrong with recipes, options and flags: refused as in `errors.rs`, with the place in the recipe
//! where there is one.

use insta::assert_snapshot;

use crate::helpers::Place;

#[test]
fn a_recipe_shows_the_place_that_is_wrong() {
    let place = Place::new();
    place.shop("shop.db", 30);
    let refused = |text: &str| {
        place.write("recipe.toml", text);
        place.refused("train recipe.toml")
    };
    let data = "[data]\nsource = \"shop.db\"\n";
    assert_snapshot!(refused(&format!("{data}[train]\nsede = 3\n")), @r"
    error: unknown field `sede`, expected one of `time`, `steps`, `seed`, `patience`, `previews`, `valid_items`, `precision`
     --> recipe.toml:4:1
      |
    4 | sede = 3
      | ^^^^
      hint: did you mean `seed`?
    ");
    assert_snapshot!(refused(&format!("{data}[train]\nseed = \"three\"\n")), @r#"
    error: invalid type: string "three", expected a whole number
     --> recipe.toml:4:8
      |
    4 | seed = "three"
      |        ^^^^^^^
    "#);
    assert_snapshot!(refused(&format!("{data}[trian]\nseed = 3\n")), @r"
    error: unknown field `trian`, expected one of `data`, `model`, `train`
     --> recipe.toml:3:2
      |
    3 | [trian]
      |  ^^^^^
      hint: did you mean `train`?
    ");
    assert_snapshot!(refused("[data]\nsource = \"shop.db\"\nfit = \"stretch\"\n"), @r#"
    error: unknown variant `stretch`, expected `crop` or `fit`
     --> recipe.toml:3:7
      |
    3 | fit = "stretch"
      |       ^^^^^^^^^
    "#);
    assert_snapshot!(refused(&format!("{data}[model]\nfamily = \"vqvea\"\n")), @r#"
    error: unknown variant `vqvea`, expected one of `vae`, `gan`, `vqvae`, `flow`, `ar`, `mixture`
     --> recipe.toml:4:10
      |
    4 | family = "vqvea"
      |          ^^^^^^^
      hint: did you mean `vqvae`?
    "#);
    assert_snapshot!(refused(&format!("{data}[model]\nsize = \"tiny\"\nwidht = 8\n")), @r"
    error: model.widht: the model has no such option
     --> recipe.toml:5:1
      |
    5 | widht = 8
      | ^^^^^^^^^
      hint: did you mean `width`? the options are batch, blocks, code_dim, codes, commitment, gradient, grid, guidance, label_drop, lr, palette, prior_layers, prior_lookup, prior_lr, prior_start, prior_width, quantizer, width
    ");
    assert_snapshot!(refused(&format!("{data}[model]\nwidth = \"wide\"\n")), @r#"
    error: model.width: invalid type: string "wide", expected a whole number
     --> recipe.toml:4:1
      |
    4 | width = "wide"
      | ^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(refused(&format!("{data}[train]\ntime = \"soon\"\n")), @r#"
    error: `soon` is no length of time
     --> recipe.toml:4:1
      |
    4 | time = "soon"
      | ^^^^^^^^^^^^^
      hint: write it like 90s, 10m or 1h30m
    "#);
    assert_snapshot!(refused("[data]\nsource = \"shop.db\n"), @r#"
    error: invalid basic string, expected `"`
     --> recipe.toml:2:18
      |
    2 | source = "shop.db
      |                  ^
    "#);
    assert_snapshot!(refused("[train]\nseed = 3\n"), @r#"
    error: missing field `data`
     --> recipe.toml:1:1
      |
    1 | [train]
      | ^
      hint: two lines are enough: [data] and source = "…"
    "#);
    assert_snapshot!(place.refused("train recipes.toml"), @r"
    error: recipes.toml: there is no such recipe
      hint: `mintage init SOURCE` writes one
    ");
}

#[test]
fn options_and_flags_that_mean_nothing() {
    let place = Place::new();
    place.pictures("pictures", 30);
    assert_snapshot!(place.refused("train pictures -s model.widht=8"), @r"
    error: model.widht: the model has no such option
      hint: did you mean `width`? the options are batch, blocks, code_dim, codes, commitment, gradient, grid, guidance, label_drop, lr, palette, prior_layers, prior_lookup, prior_lr, prior_start, prior_width, quantizer, width
    ");
    assert_snapshot!(place.refused("train pictures -s train.sede=8"), @r"
    error: train.sede: unknown field `sede`, expected one of `time`, `steps`, `seed`, `patience`, `previews`, `valid_items`, `precision`
      hint: did you mean `seed`?
    ");
    assert_snapshot!(place.refused("train pictures -s modell.width=8"), @r"
    error: no section `modell`
      hint: the sections are data, model and train
    ");
    assert_snapshot!(place.refused("train pictures -s width"), @r"
    error: `width` is no assignment
      hint: write it like -s model.width=64
    ");
    assert_snapshot!(place.refused("train pictures -s model.width=wide"), @r#"error: model.width: invalid type: string "wide", expected a whole number"#);
    assert_snapshot!(place.refused("train pictures --time nonsense"), @r"
    error: `nonsense` is no length of time
      hint: write it like 90s, 10m or 1h30m
    ");
    assert_snapshot!(place.refused("train pictures --device tpu"), @"error: unknown device `tpu`: choose auto, cpu or vulkan");
    assert_snapshot!(place.refused("train pictures --device vulkan"), @"error: this build has no `vulkan` device: build it with `--features vulkan`, or use --device cpu");
    assert_snapshot!(place.refused("train pictures --name ../outside"), @r"
    error: `../outside` cannot be the name of a run
      hint: it becomes the name of a folder; choose the folder it lies in with --runs
    ");
    assert_snapshot!(place.refused("train pictures --threads 0"), @r"
    error: `0` is no number of threads
      hint: a number from 1 to 1024
    ");
}

#[test]
fn numbers_that_nothing_can_be_trained_with() {
    let place = Place::new();
    place.pictures("pictures", 30);
    let refused = |line: &str| place.refused(&format!("train pictures {line}"));
    assert_snapshot!(refused("--model vqvae -s model.prior_start=1.5"), @"error: model.prior_start: must be between 0 and 1");
    assert_snapshot!(refused("--model flow -s model.label_drop=-0.1"), @"error: model.label_drop: must be between 0 and 1");
    assert_snapshot!(refused("--model gan -s model.penalty=-2"), @"error: model.penalty: must be at least 0");
    assert_snapshot!(refused("--model gan -s model.lr=nan"), @"error: model.lr: must be at least 0");
    assert_snapshot!(refused("--model vae -s model.beta=inf"), @"error: model.beta: must be at least 0");
    assert_snapshot!(refused("--model vae -s model.width=-3"), @"error: model.width: invalid value: integer `-3`, expected a whole number");
}

/// Whatever a number is, it is refused or trained with; a panic would be exit code 70.
#[test]
fn no_option_makes_it_panic() {
    let place = Place::new();
    place.pictures("pictures", 30);
    let of_all = "width=0 width=1 width=7 batch=0 batch=1 blocks=0 lr=0 lr=-1 lr=nan";
    let of_one = [
        ("vae", "latent=0 latent=1 importance=0 beta=-1 warmup=0 label_drop=2"),
        (
            "vae -s latents=grid",
            "channels=0 grid=0 grid=1 grid=64 arch=mlp kl_weight=-1 prior_layers=0 prior_width=2 prior_width=7 \
             prior_start=0 prior_start=1",
        ),
        (
            "vqvae",
            "codes=0 codes=1 code_dim=0 grid=0 grid=1 grid=64 prior_layers=0 prior_width=0 prior_start=1",
        ),
        (
            "gan",
            "latent=0 penalty=-1 penalty_every=0 augment=2 penalty_end=2 beta2_start=0 beta2_start=1 recoveries=99",
        ),
        ("flow", "steps=0 steps=100000000000 guidance=-1 autoguidance=-1 autoguidance=2"),
    ];
    let mut panics = Vec::new();
    for (family, options) in of_one {
        for option in of_all.split(' ').chain(options.split(' ')) {
            let line = format!("train pictures --model {family} --size tiny --steps 3 -s {option}");
            let done = place.run(&line);
            if !matches!(done.code, Some(0 | 2)) {
                panics.push(format!("{line}: {:?} {}", done.code, done.stderr));
            }
        }
    }
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

#[test]
fn a_gan_that_diverges_is_said_to_begin_anew() {
    let place = Place::new();
    place.pictures("pictures", 30);
    let done = place.run("train pictures --model gan --size tiny --steps 30 -s batch=4 -s lr=1e30");
    assert!(done.stderr.contains("training begins anew"), "{}", done.stderr);
}
