//! The table that `make bench` prints.

/// A row of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Its number among the budgets; none for what has no budget.
    pub(crate) number: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// Row 0: the same of the machine alone, or of what it is compared with.
    pub(crate) limit: String,
    /// What it came to.
    pub(crate) figure: String,
    /// What it may come to.
    pub(crate) budget: String,
    /// Whether it does; none where nothing was promised, or nothing could be measured.
    pub(crate) met: Option<bool>,
}

/// Rows as they come.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

const HEADS: [&str; 6] = ["row", "what", "row 0", "figure", "budget", "met"];

impl Table {
    /// Adds a row, and says it at once: the whole takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("bench: {} {}: {} (row 0: {}; budget: {}) {}", row.number, row.what, row.figure, row.limit, row.budget, met(&row));
        self.0.push(row);
    }

    /// Prints all of them side by side.
    pub(crate) fn print(&self) {
        let cells = self.0.iter().map(|row| [row.number, &row.what, &row.limit, &row.figure, &row.budget, met(row)]);
        let lines: Vec<[&str; 6]> = std::iter::once(HEADS).chain(cells).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        for line in &lines {
            let padded: Vec<String> =
                line.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column))).collect();
            println!("{}", padded.join("  ").trim_end());
        }
    }
}

fn met(row: &Row) -> &'static str {
    match row.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    }
}

/// Seconds as people read them.
pub(crate) fn said(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
