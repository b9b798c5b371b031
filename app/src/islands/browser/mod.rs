//! What the islands do in the browser. Nothing in here ever puts text in as markup, but for the server's own pages.

pub(super) mod clock;
pub(super) mod confirm;
pub(super) mod copy;
pub(super) mod editor;
pub(super) mod live;
pub(super) mod log;
pub(super) mod palette;

use wasm_bindgen::{JsCast, JsValue, closure::Closure, convert::FromWasmAbi};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Document, DomParser, Element, EventTarget, Headers, RequestInit, Response, SupportedType, Window};

use crate::locales::Lang;

fn window() -> Option<Window> {
    web_sys::window()
}

fn document() -> Option<Document> {
    window()?.document()
}

/// The language of the page.
fn lang() -> Lang {
    let code = document().and_then(|document| document.document_element()).and_then(|root| root.get_attribute("lang"));
    Lang::from_code(code.as_deref().unwrap_or_default()).unwrap_or(Lang::En)
}

/// Every element that a selector finds.
fn all(document: &Document, selector: &str) -> Vec<Element> {
    let Ok(found) = document.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok()).collect()
}

/// Listens for as long as the page lives.
fn listen<E: FromWasmAbi + 'static>(target: &EventTarget, event: &str, hear: impl FnMut(E) + 'static) {
    let closure = Closure::<dyn FnMut(E)>::new(hear);
    // Fails only for a name that is no event.
    let _ = target.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// A page of the console as it is now; an error where it leads elsewhere, to sign in for instance.
async fn page_at(address: &str) -> Result<Document, JsValue> {
    let window = window().ok_or(JsValue::NULL)?;
    let answer: Response = JsFuture::from(window.fetch_with_str(address)).await?.dyn_into()?;
    page_of(&answer).await
}

/// The page that a form of the console answers with, where it is the page itself.
async fn page_after(address: &str, fields: &[(&str, &str)]) -> Result<Document, JsValue> {
    let encode = |text: &str| js_sys::encode_uri_component(text).as_string().unwrap_or_default();
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let (form, headers) = (RequestInit::new(), Headers::new()?);
    headers.set("content-type", "application/x-www-form-urlencoded")?;
    form.set_method("POST");
    form.set_headers(&headers);
    form.set_body(&body.join("&").into());
    let window = window().ok_or(JsValue::NULL)?;
    let answer: Response = JsFuture::from(window.fetch_with_str_and_init(address, &form)).await?.dyn_into()?;
    page_of(&answer).await
}

async fn page_of(answer: &Response) -> Result<Document, JsValue> {
    if !answer.ok() || answer.redirected() {
        return Err(JsValue::NULL);
    }
    let text = JsFuture::from(answer.text()?).await?.as_string().ok_or(JsValue::NULL)?;
    DomParser::new()?.parse_from_string(&text, SupportedType::TextHtml)
}

/// Does something once, later.
fn later(ms: i32, act: impl FnOnce() + 'static) {
    let closure = Closure::once_into_js(act);
    if let Some(window) = window() {
        let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(closure.unchecked_ref(), ms);
    }
}
