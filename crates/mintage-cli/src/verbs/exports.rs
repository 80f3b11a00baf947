//! What `sweep` and `compare` write of a comparison: to the terminal, and to the files that were asked for.

use std::path::Path;

use crate::{
    args::Exports,
    comparison::{Comparison, drawing, page, tables},
    context::Context,
    failure::CliError,
    text::shell,
};

/// The tables over seeds, and what has to be known beside them.
pub fn text(comparison: &Comparison) -> String {
    let mut text = tables::dials(comparison);
    if !comparison.metrics.is_empty() {
        text.push_str(&format!("\n{}", tables::metrics(comparison)));
    }
    text.push_str(&format!("\n{}\n", tables::LEGEND));
    comparison.notes().iter().for_each(|note| text.push_str(&format!("{note}\n")));
    text
}

/// Writes every file that was asked for. `about` says what was compared, `commands` how it is made again.
pub fn write(
    exports: &Exports,
    comparison: &Comparison,
    title: &str,
    about: &[String],
    commands: &[String],
    context: &Context,
) -> Result<(), CliError> {
    let save = |path: &Path, text: String| {
        mintage::generate::make_parent(path)?;
        mintage_data::write_through(path, text.as_bytes()).map_err(CliError::io(path))?;
        context.ui.field("made", &shell(path));
        Ok::<_, CliError>(())
    };
    if let Some(path) = &exports.csv {
        save(path, tables::csv(comparison))?;
    }
    if let Some(path) = &exports.latex {
        save(path, tables::latex(comparison))?;
    }
    if let Some(path) = &exports.html {
        save(path, page::html(comparison, title, about, commands)?)?;
    }
    if let Some(path) = &exports.svg {
        save(path, drawing::file(comparison))?;
    }
    Ok(())
}
