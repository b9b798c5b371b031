//! Telling a forge how a commit fares: what each one's API takes, and the call itself. Who is told is checked to be outside.

use std::{net::IpAddr, sync::Arc, time::Duration};

use app::{
    model::{Forge, RunState},
    said,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Client, RequestBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::reach::{self, Unreachable};

/// How long a forge may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest description that every forge takes, in characters.
const LONGEST: usize = 140;
/// So much of an answer is read, in bytes.
const READ: usize = 4 << 10;

/// What a forge is told.
#[derive(Clone, Debug)]
pub struct Status<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The branch or tag that the run is of, or the ref of a proposed change; none: it is not known any more.
    pub branch: Option<&'a str>,
    /// The service.
    pub service: &'a str,
    /// The number of the run.
    pub run: u64,
    /// How that is.
    pub state: RunState,
    /// The address of its page.
    pub url: &'a str,
}

/// Where it is told.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Whose API is spoken.
    pub forge: Forge,
    /// Where the forge is, without a path.
    pub origin: &'a str,
    /// What it calls the repository.
    pub project: &'a str,
    /// Who tells.
    pub token: &'a str,
}

/// Why a forge did not take what it was told, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A call as it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Where to.
    pub url: String,
    /// Who makes it: a name and a value.
    pub header: (&'static str, String),
    /// What is said.
    pub body: Value,
}

/// What the four states of GitHub and Gitea are, and the five of GitLab.
const fn named(forge: Forge, state: RunState) -> &'static str {
    match (forge, state) {
        (_, RunState::Queued) => "pending",
        (Forge::Gitlab, RunState::Running) => "running",
        (_, RunState::Running) => "pending",
        (_, RunState::Passed | RunState::Skipped) => "success",
        (Forge::Gitlab, RunState::Cancelled | RunState::Superseded) => "canceled",
        (Forge::Gitlab, RunState::Failed | RunState::TimedOut | RunState::Errored | RunState::Lost) => "failed",
        (_, RunState::Failed | RunState::TimedOut) => "failure",
        (_, RunState::Errored | RunState::Lost | RunState::Cancelled | RunState::Superseded) => "error",
    }
}

/// The call that tells a forge; none where it has no API.
pub fn call(place: &Place<'_>, status: &Status<'_>) -> Option<Call> {
    let state = named(place.forge, status.state);
    let says: String = format!("run {}: {}", status.run, status.state.name().replace('_', " ")).chars().take(LONGEST).collect();
    let context = format!("berth/{}", status.service);
    let origin = place.origin.trim_end_matches('/');
    let (project, commit, url) = (place.project, status.commit, status.url);
    let body = json!({ "state": state, "target_url": url, "description": says, "context": context });
    let bearer = ("authorization", format!("Bearer {}", place.token));
    Some(match place.forge {
        Forge::Git => return None,
        Forge::Github if origin == "https://github.com" => {
            Call { url: format!("https://api.github.com/repos/{project}/statuses/{commit}"), header: bearer, body }
        }
        Forge::Github => Call { url: format!("{origin}/api/v3/repos/{project}/statuses/{commit}"), header: bearer, body },
        Forge::Gitea => {
            let header = ("authorization", format!("token {}", place.token));
            Call { url: format!("{origin}/api/v1/repos/{project}/statuses/{commit}"), header, body }
        }
        Forge::Gitlab => {
            let project = utf8_percent_encode(project, NON_ALPHANUMERIC);
            let mut body = json!({ "state": state, "target_url": url, "description": says, "name": context });
            // Without it a branch that holds the commit is looked for: of a change from a fork there is none, and it is not taken.
            if let Some(branch) = status.branch {
                body["ref"] = json!(branch.strip_prefix("refs/tags/").unwrap_or(branch));
            }
            Call {
                url: format!("{origin}/api/v4/projects/{project}/statuses/{commit}"),
                header: ("private-token", place.token.into()),
                body,
            }
        }
    })
}

/// Makes the calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    http: Client,
    private: bool,
}

/// Looks names up, and gives no address that is not to be gone to.
struct Outside {
    private: bool,
}

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let at = reach::reach(name.as_str(), 0, private).await?;
            Ok(Box::new(std::iter::once(at)) as Addrs)
        })
    }
}

impl Caller {
    /// One that goes to private networks only where it is let.
    ///
    /// # Errors
    /// Where there is no TLS to be had.
    pub fn new(private: bool) -> reqwest::Result<Self> {
        let http = Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(ANSWER_WITHIN)
            .dns_resolver(Arc::new(Outside { private }))
            .build()?;
        Ok(Self { http, private })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Where the forge did not take it, in a sentence.
    pub async fn make(&self, call: &Call) -> Result<(), Refused> {
        let url: Url = call.url.parse().map_err(|_| Refused(said::status_unsent(&call.url)))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        // What is an address already is looked up by nobody.
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if !self.private && literal.is_ok_and(reach::is_private) {
            return Err(Refused(said::mirror_private(&host)));
        }
        answered(&host, self.http.post(url).header(call.header.0, &call.header.1).json(&call.body)).await
    }
}

async fn answered(host: &str, request: RequestBuilder) -> Result<(), Refused> {
    let unsent = |error: reqwest::Error| {
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(Unreachable::Private(_)) = inner.downcast_ref::<Unreachable>() {
                return Refused(said::mirror_private(host));
            }
            source = inner.source();
        }
        Refused(said::status_unsent(host))
    };
    let mut answer = request.send().await.map_err(unsent)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut text = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        text.extend_from_slice(&piece);
        if text.len() >= READ {
            break;
        }
    }
    // GitLab refuses what it knows already.
    if status == 400 && String::from_utf8_lossy(&text).contains("Cannot transition status") {
        return Ok(());
    }
    Err(Refused(match status.as_u16() {
        401 | 403 | 404 => said::status_refused(host, status.as_u16()),
        status => said::status_answered(host, status),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forge_is_spoken_to_in_its_own_words() {
        let status = Status {
            commit: "c0ffee",
            branch: Some("refs/merge-requests/3/head"),
            service: "orders",
            run: 7,
            state: RunState::Failed,
            url: "https://b/r/7",
        };
        let place = |forge, origin| Place { forge, origin, project: "acme/shop", token: "t" };
        let told = json!({ "state": "failure", "target_url": "https://b/r/7", "description": "run 7: failed", "context": "berth/orders" });
        let cases = [
            (Forge::Github, "https://github.com", "https://api.github.com/repos/acme/shop/statuses/c0ffee", "Bearer t"),
            (Forge::Github, "https://ghe.example", "https://ghe.example/api/v3/repos/acme/shop/statuses/c0ffee", "Bearer t"),
            (Forge::Gitea, "https://git.example", "https://git.example/api/v1/repos/acme/shop/statuses/c0ffee", "token t"),
        ];
        for (forge, origin, url, header) in cases {
            let made = call(&place(forge, origin), &status).unwrap();
            assert_eq!((made.url.as_str(), made.header.1.as_str(), &made.body), (url, header, &told));
        }
        let made = call(&place(Forge::Gitlab, "https://gitlab.com"), &status).unwrap();
        assert_eq!(made.url, "https://gitlab.com/api/v4/projects/acme%2Fshop/statuses/c0ffee");
        assert_eq!(
            (made.header, &made.body["state"], &made.body["name"]),
            (("private-token", "t".into()), &json!("failed"), &json!("berth/orders"))
        );
        assert_eq!(made.body["ref"], json!("refs/merge-requests/3/head"));
        assert_eq!(call(&place(Forge::Git, "https://x"), &status), None);
        for state in RunState::ALL {
            let github = ["pending", "success", "failure", "error"].contains(&named(Forge::Github, state));
            assert!(github && ["pending", "running", "success", "failed", "canceled"].contains(&named(Forge::Gitlab, state)), "{state:?}");
        }
    }

    #[tokio::test]
    async fn nobody_in_a_private_network_is_told_anything() {
        let caller = Caller::new(false).unwrap();
        for host in ["127.0.0.1:1", "localhost:1", "[::1]:1", "10.0.0.1"] {
            let call = Call { url: format!("http://{host}/"), header: ("x", String::new()), body: json!({}) };
            let refused = caller.make(&call).await.unwrap_err();
            assert!(refused.0.contains("private network"), "{host}: {refused}");
        }
    }
}
