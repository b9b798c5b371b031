//! A value that must be nowhere: the ways in which programs print it, cut into writes, and the places to look for it.

use std::path::Path;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use server::{
    args,
    store::{Db, Query as _},
};

/// A way in which a program prints a value.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What is printed.
    pub(crate) printed: String,
    /// What of it is the value's alone: in Base64 within a longer text, some letters hold bits of what stands around it.
    pub(crate) core: String,
}

/// A value in the forms programs print one in.
pub(crate) fn forms(value: &str) -> Vec<Form> {
    let bytes = |form: fn(u8) -> String, between: &str| value.bytes().map(form).collect::<Vec<_>>().join(between);
    let (lower, percent) = (hex::encode(value), utf8_percent_encode(value, NON_ALPHANUMERIC).to_string());
    let whole = |name, printed: String| Form { name, core: printed.clone(), printed };
    let within = |name, printed: String, from: usize| Form { name, core: printed[from..from + value.len()].to_owned(), printed };
    vec![
        whole("as it is", value.to_owned()),
        Form { name: "within a word", printed: format!("x{value}x"), core: value.to_owned() },
        whole("base64", STANDARD.encode(value)),
        within("base64 with a line end", STANDARD.encode(format!("{value}\n")), 0),
        within("base64 within a text, by one", STANDARD.encode(format!("a{value}and more")), 4),
        within("base64 within a text, by two", STANDARD.encode(format!("ab{value}and more")), 4),
        whole("base64 of URLs", URL_SAFE_NO_PAD.encode(value)),
        whole("HEX", lower.to_uppercase()),
        whole("hex", lower),
        whole("hex in pairs", bytes(|byte| format!("{byte:02x}"), " ")),
        whole("hex with colons", bytes(|byte| format!("{byte:02x}"), ":")),
        whole("form", percent.replace("%20", "+")),
        whole("URL", percent),
        whole("URL, every byte", bytes(|byte| format!("%{byte:02X}"), "")),
        whole("URL in lower case", bytes(|byte| format!("%{byte:02x}"), "")),
        whole("JSON", json!(value).to_string().trim_matches('"').to_owned()),
        whole("HTML", value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")),
        whole("shell", value.replace('\'', r"'\''")),
    ]
}

/// A text in two writes, cut after its first letter, at a third, in the middle and before its last; and in as many writes as
/// it has letters.
pub(crate) fn cuts(text: &str) -> Vec<Vec<String>> {
    let letters: Vec<char> = text.chars().collect();
    let of = |letters: &[char]| letters.iter().collect::<String>();
    let cut = |at: usize| vec![of(&letters[..at]), of(&letters[at..])];
    let mut all: Vec<Vec<String>> = [1, letters.len() / 3, letters.len() / 2, letters.len() - 1].map(cut).into();
    all.push(letters.iter().map(char::to_string).collect());
    all
}

/// The forms that are in these bytes, also where they were put into JSON.
pub(crate) fn found(bytes: &[u8], forms: &[Form]) -> Vec<&'static str> {
    let json = |text: &str| json!(text).to_string().trim_matches('"').to_owned();
    let needles = forms.iter().flat_map(|form| [form.core.clone(), json(&form.core)]);
    let finder = aho_corasick::AhoCorasick::new(needles).unwrap();
    let mut names: Vec<_> = finder.find_overlapping_iter(bytes).map(|hit| forms[hit.pattern().as_usize() / 2].name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Where any of them is in a file of a folder, however deep; and how many files there are.
pub(crate) fn in_folder(folder: &Path, forms: &[Form]) -> (Vec<String>, usize) {
    let (mut hits, mut files) = (Vec::new(), 0);
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            let (more, count) = in_folder(&path, forms);
            hits.extend(more);
            files += count;
        } else if let Ok(bytes) = std::fs::read(&path) {
            files += 1;
            hits.extend(found(&bytes, forms).into_iter().map(|name| format!("{name} in {}", path.display())));
        }
    }
    (hits, files)
}

/// Where any of them is in a column of a database; and how many columns there are.
pub(crate) async fn in_columns(db: &Db, forms: &[Form]) -> (Vec<String>, usize) {
    let postgres = matches!(db, Db::Postgres { .. });
    let columns = if postgres {
        "SELECT CAST(table_name AS TEXT) AS t, CAST(column_name AS TEXT) AS c FROM information_schema.columns WHERE table_schema = 'public'"
    } else {
        "SELECT m.name AS t, c.name AS c FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    };
    let columns = db.fetch_all(columns, args![]).await.unwrap();
    let mut hits = Vec::new();
    for row in &columns {
        let (table, column) = (row.text("t").unwrap(), row.text("c").unwrap());
        // As digits, whatever type a column has.
        let value = if postgres {
            format!("encode(convert_to(CAST(\"{column}\" AS TEXT), 'UTF8'), 'hex')")
        } else {
            format!("hex(CAST(\"{column}\" AS BLOB))")
        };
        let rows =
            db.fetch_all(&format!("SELECT {value} AS value FROM \"{table}\" WHERE \"{column}\" IS NOT NULL"), args![]).await.unwrap();
        for row in rows {
            let bytes = hex::decode(row.text("value").unwrap()).unwrap();
            hits.extend(found(&bytes, forms).into_iter().map(|name| format!("{name} in {table}.{column}")));
        }
    }
    (hits, columns.len())
}
