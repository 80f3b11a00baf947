//! What the command says of itself: a change of a flag or of its words has to be seen and meant.

use insta::assert_snapshot;

use crate::helpers::Place;

#[test]
fn the_command_lists_its_verbs() {
    assert_snapshot!(Place::new().ok("--help").text());
}

#[test]
fn train_explains_its_flags() {
    assert_snapshot!(Place::new().ok("train --help").text());
}

#[test]
fn sample_groups_its_flags_by_kind() {
    assert_snapshot!(Place::new().ok("sample --help").text());
}

#[test]
fn sweep_explains_its_flags() {
    assert_snapshot!(Place::new().ok("sweep --help").text());
}

#[test]
fn models_shows_what_works_with_what() {
    assert_snapshot!(Place::new().ok("models").text());
}

#[test]
fn no_verb_and_a_mistyped_flag_are_errors_that_help() {
    let place = Place::new();
    assert!(place.refused("").contains("Usage: mintage"));
    assert!(place.refused("train shop.db --sise tiny").contains("'--size'"));
    assert!(place.refused("trian shop.db").contains("'train'"));
}
