//! Forms: a field with its hint and its error beside it, everything typed kept; questions before what cannot be undone.

use leptos::prelude::*;

use super::sentence;
use crate::{caller::Caller, locales::Lang};

/// A form of a page, as it was sent if it was sent. Several rows may have the same verb: `of` tells them apart.
pub struct Formed<'a> {
    caller: &'a Caller,
    verb: &'static str,
    of: Option<String>,
}

impl<'a> Formed<'a> {
    /// The form of this verb.
    pub fn new(caller: &'a Caller, verb: &'static str) -> Self {
        Self { caller, verb, of: None }
    }

    /// The form of this verb in a row: its hidden field `of` has this value.
    pub fn of(caller: &'a Caller, verb: &'static str, of: impl Into<String>) -> Self {
        Self { caller, verb, of: Some(of.into()) }
    }

    /// Whether this is the form that was sent.
    pub fn sent(&self) -> bool {
        let verb = self.caller.verb();
        (verb == self.verb || verb.strip_suffix("-plan") == Some(self.verb))
            && self.of.as_deref().unwrap_or_default() == self.caller.form.get("of")
    }

    /// What was typed there; `or` where the form was not sent.
    pub fn value(&self, name: &str, or: &str) -> String {
        if self.sent() { self.caller.form.raw(name).unwrap_or_default().to_owned() } else { or.to_owned() }
    }

    /// Whether a box was ticked; `or` where the form was not sent.
    pub fn ticked(&self, name: &str, value: &str, or: bool) -> bool {
        if self.sent() { self.caller.form.all(name).any(|one| one == value) } else { or }
    }

    /// What is wrong with a field.
    pub fn error(&self, name: &str) -> Option<AnyView> {
        let problem = self.caller.problem.as_ref().filter(|_| self.sent())?;
        (problem.field.as_deref() == Some(name)).then(|| sentence(self.caller.lang, &self.caller.lang.error(problem)))
    }

    /// What is wrong with the form as a whole, or with a field it does not show (`shown` lists those it does).
    pub fn trouble(&self, shown: &[&str]) -> AnyView {
        let problem = self.caller.problem.as_ref().filter(|_| self.sent());
        match problem.filter(|problem| problem.field.as_deref().is_none_or(|field| !shown.contains(&field))) {
            Some(problem) => {
                view! { <p class="say bad" role="alert" tabindex="-1" autofocus=true>{sentence(self.caller.lang, &self.caller.lang.error(problem))}</p> }.into_any()
            }
            None => ().into_any(),
        }
    }

    /// The hidden fields that name the form.
    pub fn names(&self) -> AnyView {
        let of = self.of.clone().map(|of| view! { <input type="hidden" name="of" value=of /> });
        view! { <input type="hidden" name="do" value=self.verb />{of} }.into_any()
    }

    fn id(&self, name: &str) -> String {
        match &self.of {
            Some(of) => format!("{}-{of}-{name}", self.verb),
            None => format!("{}-{name}", self.verb),
        }
    }
}

/// Text as the content of a `<textarea>`. Leptos writes that element's content as it stands, so it is escaped here; the line
/// break in front is the one that browsers take away.
pub fn typed(text: &str) -> String {
    format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;"))
}

/// A field with one line of text.
pub struct Field<'a> {
    /// Its name in the form.
    pub name: &'a str,
    /// Its label.
    pub label: &'a str,
    /// `text`, `email`, `password`, `number`.
    pub kind: &'static str,
    /// What fills it: `username`, `current-password` …; `off` where nothing does.
    pub fill: &'static str,
    /// What it holds at first.
    pub value: &'a str,
    /// One sentence that helps.
    pub hint: &'a str,
    /// Whether it must be filled.
    pub required: bool,
    /// Whether one begins to type there as the page opens: on pages without a navigation to go past.
    pub first: bool,
}

impl<'a> Field<'a> {
    /// A line of text that must be filled.
    pub fn text(name: &'a str, label: &'a str) -> Self {
        Self { name, label, kind: "text", fill: "off", value: "", hint: "", required: true, first: false }
    }

    /// The field, shown.
    pub fn show(self, form: &Formed<'_>) -> AnyView {
        let id = form.id(self.name);
        let error = form.error(self.name);
        let value = if self.kind == "password" { String::new() } else { form.value(self.name, self.value) };
        let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
        let said: Vec<String> =
            [(!self.hint.is_empty()).then(|| hint_id.clone()), error.as_ref().map(|_| error_id.clone())].into_iter().flatten().collect();
        let described = (!said.is_empty()).then(|| said.join(" "));
        let focused = error.is_some() || self.first && form.caller.problem.is_none();
        let plain = matches!(self.name, "name" | "repository" | "branch" | "environment" | "host" | "path" | "image" | "confirm");
        view! {
            <div class="field">
                <label for=id.clone()>{self.label.to_owned()}</label>
                <input
                    id=id
                    name=self.name.to_owned()
                    type=self.kind
                    value=value
                    autocomplete=self.fill
                    required=self.required
                    autocapitalize=plain.then_some("none")
                    spellcheck=plain.then_some("false")
                    aria-describedby=described
                    aria-invalid=error.as_ref().map(|_| "true")
                    autofocus=focused
                />
                {(!self.hint.is_empty()).then(|| view! { <span class="hint" id=hint_id>{self.hint.to_owned()}</span> })}
                {error.map(|error| view! { <span class="error" id=error_id role="alert">{error}</span> })}
            </div>
        }
        .into_any()
    }
}

/// A button that sends a form.
pub fn submit(class: &'static str, word: &str) -> AnyView {
    view! { <button class=format!("btn {class}")>{word.to_owned()}</button> }.into_any()
}

/// A question before something that cannot be undone. Opens in place, also without JavaScript.
pub struct Confirm<'a> {
    /// What the button that opens it says.
    pub open: &'a str,
    /// What will happen, in a sentence.
    pub says: &'a str,
    /// What the button that does it says.
    pub does: &'a str,
    /// The name to be typed first, if it is asked for.
    pub name: Option<&'a str>,
    /// Whether it destroys something.
    pub bad: bool,
}

/// A question that takes a further value along.
pub struct ConfirmWith<'a> {
    ask: Confirm<'a>,
    name: &'static str,
    value: String,
}

impl ConfirmWith<'_> {
    /// The question, shown.
    pub fn show(self, t: Lang, form: &Formed<'_>) -> AnyView {
        let along = view! { <input type="hidden" name=self.name value=self.value /> };
        self.ask.shown(t, form, along.into_any())
    }
}

impl<'a> Confirm<'a> {
    /// Takes a further value along.
    pub fn with(self, name: &'static str, value: String) -> ConfirmWith<'a> {
        ConfirmWith { ask: self, name, value }
    }
    /// The question, shown; `form` names what is sent.
    pub fn show(self, t: Lang, form: &Formed<'_>) -> AnyView {
        self.shown(t, form, ().into_any())
    }

    fn shown(self, t: Lang, form: &Formed<'_>, along: AnyView) -> AnyView {
        let class = if self.bad { "btn bad" } else { "btn" };
        let asks = self.name.map(|name| {
            let label = t.type_name(name);
            let field = Field { value: "", ..Field::text("confirm", &label) };
            view! { <div data-confirm-name=name.to_owned()>{field.show(form)}</div> }
        });
        view! {
            <details class="confirm" open=form.sent()>
                <summary class=class>{self.open.to_owned()}</summary>
                <form method="post" class="pop">
                    {form.names()}
                    {along}
                    {form.trouble(&["confirm"])}
                    <p>{self.says.to_owned()}</p>
                    {asks}
                    <button class=if self.bad { "btn main danger" } else { "btn main" }>{self.does.to_owned()}</button>
                </form>
            </details>
        }
        .into_any()
    }
}
