//! The style: its parts put together and minified by lightningcss. What browsers of today read is left as it is.

use std::path::Path;

use lightningcss::{
    bundler::{Bundler, FileProvider},
    printer::PrinterOptions,
    stylesheet::{MinifyOptions, ParserOptions},
};

use crate::Failure;

/// The style that starts at `main`, as one small file.
pub fn bundle(main: &Path) -> Result<Vec<u8>, Failure> {
    let files = FileProvider::new();
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    let mut sheet = bundler.bundle(main).map_err(|error| format!("{}: {error}", main.display()))?;
    sheet.minify(MinifyOptions::default()).map_err(|error| format!("{}: {error}", main.display()))?;
    let printed = sheet.to_css(PrinterOptions { minify: true, ..PrinterOptions::default() })?;
    Ok(printed.code.into_bytes())
}
