//! Teams, services, targets and runs whose names may fit some words. Only what may fit is read; how well it does is judged
//! above.

use app::model::{EnvironmentName, RunState, ServiceName, TeamName};

use super::{
    Query, Row, Value,
    db::{Result, readable},
    events::Of,
};

/// Most rows of one kind that are read.
const MOST: usize = 100;

/// What is looked for, and where.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Among these teams.
    pub of: &'a Of<'a>,
    /// Every one of these fits `team/service`, or what the service does.
    pub words: &'a [&'a str],
}

/// The values and the conditions of one look.
struct Look {
    values: Vec<Value>,
    conditions: Vec<String>,
}

impl Look {
    /// Among the teams asked for; none where there are none.
    fn new(of: &Of<'_>) -> Option<Self> {
        let mut look = Self { values: Vec::new(), conditions: Vec::new() };
        if let Of::Teams(teams) = of {
            if teams.is_empty() {
                return None;
            }
            let places: Vec<String> = teams.iter().map(|team| look.bind(team)).collect();
            look.conditions.push(format!("t.id IN ({})", places.join(", ")));
        }
        Some(look)
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Each word fits the name letter by letter, or stands in the text.
    fn words(&mut self, words: &[&str], name: &str, text: Option<&str>) {
        for word in words {
            let letters = self.bind(pattern(word, true));
            let mut fits = format!(r"lower({name}) LIKE {letters} ESCAPE '\'");
            if let Some(text) = text {
                let whole = self.bind(pattern(word, false));
                fits = format!(r"({fits} OR lower({text}) LIKE {whole} ESCAPE '\')");
            }
            self.conditions.push(fits);
        }
    }

    fn with(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    async fn rows(self, q: impl Query, select: &str, order: &str) -> Result<Vec<Row>> {
        let conditions = if self.conditions.is_empty() { "1 = 1".to_owned() } else { self.conditions.join(" AND ") };
        q.fetch_all(format!("{select} WHERE {conditions} ORDER BY {order} LIMIT {MOST}"), self.values).await
    }
}

/// A word as a pattern of `LIKE`: with anything around it, and (`apart`) between its letters.
pub(super) fn pattern(word: &str, apart: bool) -> String {
    let mut pattern = String::from("%");
    for letter in word.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
        if apart {
            pattern.push('%');
        }
    }
    if !apart {
        pattern.push('%');
    }
    pattern
}

const NAME: &str = "t.name || '/' || s.name";
const OF_SERVICES: &str =
    "SELECT t.name AS team, s.name AS service, s.description AS detail FROM services s JOIN teams t ON t.id = s.team_id";

/// The teams.
pub async fn teams(q: impl Query, wanted: &Wanted<'_>) -> Result<Vec<TeamName>> {
    let Some(mut look) = Look::new(wanted.of) else { return Ok(Vec::new()) };
    look.words(wanted.words, "t.name", None);
    let rows = look.rows(q, "SELECT t.name AS team FROM teams t", "length(t.name), t.name").await?;
    Ok(readable(&rows, |row| row.parsed("team")))
}

/// A service, with its team and what it does.
pub type ServiceRow = (TeamName, ServiceName, String);

fn service(row: &Row) -> Result<ServiceRow> {
    Ok((row.parsed("team")?, row.parsed("service")?, row.text("detail")?))
}

/// The services.
pub async fn services(q: impl Query, wanted: &Wanted<'_>) -> Result<Vec<ServiceRow>> {
    let Some(mut look) = Look::new(wanted.of) else { return Ok(Vec::new()) };
    look.words(wanted.words, NAME, Some("s.description"));
    let rows = look.with("s.deleted_at IS NULL").rows(q, OF_SERVICES, "length(s.name), t.name, s.name").await?;
    Ok(readable(&rows, service))
}

/// The services in these environments.
pub async fn targets(q: impl Query, wanted: &Wanted<'_>, within: &[&EnvironmentName]) -> Result<Vec<(ServiceRow, EnvironmentName)>> {
    let Some(mut look) = Look::new(wanted.of) else { return Ok(Vec::new()) };
    look.words(wanted.words, NAME, None);
    let places: Vec<String> = within.iter().map(|name| look.bind(name.as_str())).collect();
    let look = look.with("s.deleted_at IS NULL").with(format!("e.name IN ({})", places.join(", ")));
    let select = "SELECT t.name AS team, s.name AS service, s.description AS detail, e.name AS environment
          FROM targets g JOIN services s ON s.id = g.service_id JOIN teams t ON t.id = s.team_id
          JOIN environments e ON e.id = g.environment_id";
    let rows = look.rows(q, select, "length(s.name), t.name, s.name, e.position").await?;
    Ok(readable(&rows, |row| Ok((service(row)?, row.parsed("environment")?))))
}

/// The runs of this number.
pub async fn runs(q: impl Query, wanted: &Wanted<'_>, number: u64) -> Result<Vec<(ServiceRow, RunState)>> {
    let Some(mut look) = Look::new(wanted.of) else { return Ok(Vec::new()) };
    look.words(wanted.words, NAME, None);
    let place = look.bind(number);
    let look = look.with("r.service_id = s.id AND s.deleted_at IS NULL").with(format!("r.number = {place}"));
    // In this order: there are far more runs than services, and each service has one of this number at most.
    let select = "SELECT t.name AS team, s.name AS service, r.title AS detail, r.state
          FROM services s JOIN teams t ON t.id = s.team_id CROSS JOIN runs r";
    let rows = look.rows(q, select, "r.created_at DESC").await?;
    Ok(readable(&rows, |row| Ok((service(row)?, row.named("state", RunState::from_name)?))))
}

/// The runs of the commits that begin like this, in small letters.
pub async fn commits(q: impl Query, wanted: &Wanted<'_>, beginning: &str) -> Result<Vec<(ServiceRow, u64, RunState)>> {
    let Some(mut look) = Look::new(wanted.of) else { return Ok(Vec::new()) };
    look.words(wanted.words, NAME, None);
    // As a range, which the index serves in every collation: `g` comes after what a hash is made of.
    let (from, to) = (look.bind(beginning), look.bind(format!("{beginning}g")));
    let look = look.with("s.id = r.service_id AND t.id = s.team_id AND s.deleted_at IS NULL");
    let look = look.with(format!("r.commit_id >= {from} AND r.commit_id < {to}"));
    // In this order: few runs are of one commit, and many are of a team.
    let select = "SELECT t.name AS team, s.name AS service, r.title AS detail, r.number, r.state
          FROM runs r CROSS JOIN services s CROSS JOIN teams t";
    let rows = look.rows(q, select, "r.created_at DESC").await?;
    Ok(readable(&rows, |row| Ok((service(row)?, row.num("number")?, row.named("state", RunState::from_name)?))))
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn what_means_something_to_the_database_is_only_a_letter() {
        assert_eq!(pattern("ab", true), "%a%b%");
        assert_eq!(pattern("A_%", false), r"%a\_\%%");
    }
}
