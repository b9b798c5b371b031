//! Hooks of forges: `/hooks/ID`. What one says is not read, but held against its signature: it is a hint that something moved.

use std::{sync::Arc, time::Duration};

use app::error::Error;
use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{Path, Request, State},
    middleware::from_fn,
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use ring::hmac::{self, Context, HMAC_SHA256};
use subtle::ConstantTimeEq as _;

use super::{problem::Problem, request};
use crate::control::Control;

/// The largest body: the largest that a forge sends. It is never held as a whole.
const LARGEST: u64 = 25 << 20;
/// How long it may take to come.
const WITHIN: Duration = Duration::from_secs(30);

/// The hooks.
pub fn router(control: &Arc<Control>) -> Router {
    Router::new().route("/hooks/{id}", post(hook)).with_state(Arc::clone(control)).layer(from_fn(request::to_its_end))
}

/// What a hook shows for itself.
enum Shown {
    /// The secret itself, as GitLab does.
    Secret(Vec<u8>),
    /// A signature over the body.
    Signature(Vec<u8>),
}

fn shown(headers: &HeaderMap) -> Option<Shown> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(secret) = text("x-gitlab-token") {
        return Some(Shown::Secret(secret.as_bytes().to_vec()));
    }
    let github = text("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
    let signature = github.or_else(|| text("x-forgejo-signature")).or_else(|| text("x-gitea-signature"))?;
    hex::decode(signature).ok().map(Shown::Signature)
}

fn not_believed() -> Response {
    let sentence =
        "This hook is not believed: its signature or token is not good, or there is none for it. `berth mirror hook` makes a new secret.";
    Problem(Error::unauthenticated("bad_signature", sentence)).into_response()
}

async fn hook(State(control): State<Arc<Control>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(shown) = shown(&parts.headers) else { return not_believed() };
    let hook = match control.hook(&id).await {
        Ok(Some(hook)) => hook,
        Ok(None) => return not_believed(),
        Err(error) => return Problem(error).into_response(),
    };
    let good = match shown {
        Shown::Secret(secret) => bool::from(secret.ct_eq(&hook.secret)),
        Shown::Signature(signature) => match tokio::time::timeout(WITHIN, signed(body, &hook.secret)).await {
            Ok(Ok(wanted)) => bool::from(signature.ct_eq(&wanted)),
            Ok(Err(error)) => return Problem(error).into_response(),
            Err(_) => {
                return Problem(Error::unavailable("too_slow", "The hook's body did not come in time. Send it again.")).into_response();
            }
        },
    };
    if !good {
        return not_believed();
    }
    match control.hooked(&hook).await {
        Ok(()) => (StatusCode::ACCEPTED, "The repository is going to be fetched.\n").into_response(),
        Err(error) => Problem(error).into_response(),
    }
}

/// What the signature of a body is with this secret. The body is read piece by piece and kept nowhere.
async fn signed(body: Body, secret: &[u8]) -> Result<Vec<u8>, Error> {
    let too_large = || Error::too_large("too_large", "A hook's body has at most 25 MiB.");
    let mut context = Context::with_key(&hmac::Key::new(HMAC_SHA256, secret));
    if body.size_hint().lower() > LARGEST {
        return Err(too_large());
    }
    let (mut pieces, mut read) = (body.into_data_stream(), 0_u64);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Error::invalid("bad_body", "The hook's body broke off."))?;
        read = read.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if read > LARGEST {
            return Err(too_large());
        }
        context.update(&piece);
    }
    Ok(context.sign().as_ref().to_vec())
}
