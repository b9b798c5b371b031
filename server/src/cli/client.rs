//! The HTTP client: bearer token, deadlines, problems read into sentences.

use std::{error::Error as _, path::Path, time::Duration};

use app::model::Page;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::failure::{Done, Failure};

/// How long an answer may take. Long work answers at once and is followed as a stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a stream may be silent: the server sends a sign of life every 15 s.
const SILENCE: Duration = Duration::from_secs(50);

/// A server, and the token to it.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `url`.
    pub(super) fn new(url: &str, token: Option<String>) -> Done<Self> {
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::new(format!("`{url}` is no address. Give one like http://127.0.0.1:8080.")));
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none());
        // A proxy is for the outside.
        if ["//127.", "//localhost", "//[::1]"].iter().any(|local| url.contains(local)) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Failure::new(format!("The HTTP client cannot start: {error}.")))?;
        Ok(Self { http, url, token })
    }

    /// The server's address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Done<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let request = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
        let body = response.bytes().await.unwrap_or_default();
        Err(Failure::from_problem(status.as_u16(), request, &body))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return Failure::new(format!(
                "{} did not answer within {} s. Try again, or look at the server's log.",
                self.url,
                PATIENCE.as_secs()
            ));
        }
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(|cause| cause.source()) {
            cause = Some(deeper);
        }
        let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
        Failure::new(format!("{} cannot be reached: {cause}. Is `berth serve` running there?", self.url))
    }

    /// Asks for a document.
    pub(super) async fn get(&self, path: &str) -> Done<Value> {
        document(self.send(self.request(Method::GET, path).timeout(PATIENCE)).await?).await
    }

    /// Asks for a listing, page after page.
    pub(super) async fn all(&self, path: &str) -> Done<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page: Page<Value> = read(self.get(&format!("{path}?limit=200{cursor}")).await?)?;
            items.extend(page.items);
            let Some(next) = page.next else { return Ok(json!({ "items": items, "next": null })) };
            cursor = format!("&cursor={next}");
        }
    }

    /// Asks for a change. Sent once: a key makes a repetition by whatever lies between harmless.
    pub(super) async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Done<Value> {
        let request = self.request(Method::POST, path).header("idempotency-key", crate::clock::new_id());
        document(self.send(request.json(body).timeout(PATIENCE)).await?).await
    }

    /// Sends a file. Its end may be far: only the connection has a deadline.
    pub(super) async fn upload(&self, path: &str, file: &Path) -> Done<Value> {
        let unread = |error: std::io::Error| Failure::new(format!("{} cannot be read: {error}.", file.display()));
        let opened = tokio::fs::File::open(file).await.map_err(unread)?;
        let size = opened.metadata().await.map_err(unread)?.len();
        let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::with_capacity(opened, 64 << 10));
        let request = self.request(Method::POST, path).header("content-type", "application/octet-stream").header("content-length", size);
        document(self.send(request.body(body)).await?).await
    }

    /// Sets something.
    pub(super) async fn put(&self, path: &str, body: &(impl Serialize + Sync)) -> Done<Value> {
        document(self.send(self.request(Method::PUT, path).json(body).timeout(PATIENCE)).await?).await
    }

    /// Changes something.
    pub(super) async fn patch(&self, path: &str, body: &(impl Serialize + Sync)) -> Done<Value> {
        document(self.send(self.request(Method::PATCH, path).json(body).timeout(PATIENCE)).await?).await
    }

    /// Removes something.
    pub(super) async fn delete(&self, path: &str) -> Done<()> {
        self.send(self.request(Method::DELETE, path).timeout(PATIENCE)).await.map(|_| ())
    }

    /// Asks for the content of a file, in pieces.
    pub(super) async fn bytes(&self, path: &str) -> Done<BoxStream<'static, Done<Bytes>>> {
        let response = tokio::time::timeout(PATIENCE, self.send(self.request(Method::GET, path)))
            .await
            .map_err(|_| Failure::new(format!("{} did not answer within {} s.", self.url, PATIENCE.as_secs())))??;
        let broke = |error: reqwest::Error| Failure::new(format!("The transfer broke off: {error}. Try again."));
        Ok(response.bytes_stream().map(move |piece| piece.map_err(broke)).boxed())
    }

    /// Opens a stream of server-sent events.
    pub(super) async fn stream(&self, path: &str) -> Done<BoxStream<'static, Done<Message>>> {
        let request = self.request(Method::GET, path).header("accept", "text/event-stream");
        let response = tokio::time::timeout(PATIENCE, self.send(request))
            .await
            .map_err(|_| Failure::new(format!("{} did not answer within {} s.", self.url, PATIENCE.as_secs())))??;
        Ok(messages(response.bytes_stream()).boxed())
    }
}

async fn document(response: Response) -> Done<Value> {
    let body = response.bytes().await.map_err(|error| Failure::new(format!("The answer broke off: {error}. Try again.")))?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body)
        .map_err(|_| Failure::new("The answer is no JSON. Is this the address of a Berth? See `berth context list`."))
}

/// Reads a document of the server into its type.
pub(super) fn read<T: DeserializeOwned>(document: Value) -> Done<T> {
    serde_json::from_value(document)
        .map_err(|error| Failure::new(format!("The answer does not read ({error}). Server and command line may be of different versions.")))
}

/// The rows of a listing, which comes bare or as a page.
pub(super) fn rows<T: DeserializeOwned>(document: Value) -> Done<Vec<T>> {
    match document {
        Value::Object(mut page) if page.contains_key("items") => read(page.remove("items").unwrap_or_default()),
        other => read(other),
    }
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Its name; empty where it has none.
    pub(super) event: String,
    /// Its text.
    pub(super) data: String,
}

/// Reads server-sent events (HTML standard, 9.2.6) out of bytes as they come.
fn messages(bytes: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static) -> impl Stream<Item = Done<Message>> + Send {
    async_stream::try_stream! {
        let mut bytes = Box::pin(bytes);
        let mut reader = Reader::default();
        loop {
            let next = tokio::time::timeout(SILENCE, bytes.next()).await.map_err(|_| Failure::new("The stream fell silent."))?;
            let Some(chunk) = next else { break };
            let chunk = chunk.map_err(|error| Failure::new(format!("The stream broke off: {error}.")))?;
            for message in reader.take(&chunk) {
                yield message;
            }
        }
    }
}

#[derive(Default)]
struct Reader {
    line: Vec<u8>,
    message: Message,
    has_data: bool,
}

impl Reader {
    fn take(&mut self, chunk: &[u8]) -> Vec<Message> {
        let mut done = Vec::new();
        for byte in chunk {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            done.extend(self.line(line.trim_end_matches('\r')));
        }
        done
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return std::mem::take(&mut self.has_data).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" => {
                if self.has_data {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, data: &str) -> Message {
        Message { event: event.into(), data: data.into() }
    }

    #[test]
    fn events_are_read_across_chunks() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(b": hello\n\nevent: li"), []);
        assert_eq!(reader.take(b"ne\ndata: {\"a\":1}\n"), []);
        assert_eq!(
            reader.take(b"\nevent: end\r\ndata:\r\n\r\ndata: a\ndata: b\n\n"),
            [message("line", "{\"a\":1}"), message("end", ""), message("", "a\nb")]
        );
    }

    #[test]
    fn a_problem_becomes_its_sentence() {
        let failure = Failure::from_problem(409, None, br#"{"code":"name_taken","detail":"Taken.","request_id":"r1"}"#);
        assert_eq!(
            (failure.sentence.as_str(), failure.code.as_deref(), failure.request.as_deref()),
            ("Taken.", Some("name_taken"), Some("r1"))
        );
        assert!(Failure::from_problem(502, None, b"<html>").sentence.contains("502"));
        assert!(Failure::from_problem(401, None, br#"{"detail":"No."}"#).sentence.contains("berth login"));
    }

    #[test]
    fn an_address_without_a_scheme_is_refused() {
        assert!(Client::new("localhost:8080", None).is_err());
    }
}
