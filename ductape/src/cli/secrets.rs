//! What must never be told: passwords, tokens and keys, in URLs and in the environment.

use std::sync::Mutex;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Words that tell of a secret, in the names of variables and of a URL's parameters.
const TELLING: [&str; 8] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "signature",
];

/// Keeps the secrets of every URL that the command line and DUCTAPE_URL hold, before anything can go
/// wrong that would be told with them.
pub fn keep_those_of_the_command_line() {
    let arguments = std::env::args_os().skip(1);
    for text in arguments.chain(std::env::var_os("DUCTAPE_URL")) {
        keep_those_of_url(&text.to_string_lossy());
    }
    for (name, value) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            matches!(
                name,
                "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" | "PGPASSWORD"
            )
        }) {
            keep(&value.to_string_lossy());
        }
    }
}

/// Keeps a secret.
pub fn keep(secret: &str) {
    // A shorter one would be found in every other word; URLs are looked through apart from this.
    if secret.chars().count() < 4 {
        return;
    }
    if let Ok(mut secrets) = SECRETS.lock()
        && !secrets.iter().any(|known| known == secret)
    {
        secrets.push(secret.to_owned());
        // The longest first, so that none is left half shown.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }
}

/// Whether a variable's or parameter's name tells of a secret.
pub fn tells_of_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

/// Keeps the secrets that a URL holds.
pub fn keep_those_of_url(url: &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    for part in [place, rest] {
        if let Some((user, password)) = part
            .rsplit_once('@')
            .and_then(|(login, _)| login.split_once(':'))
            && user != password
        {
            keep(password);
            keep(&decoded(password));
        }
    }
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if tells_of_a_secret(name) {
            keep(value);
            keep(&decoded(value));
        }
    }
}

/// A text with its percent signs resolved.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text without any secret: those that are kept, and what stands where URLs have theirs.
pub fn hide(text: &str) -> String {
    let mut text = text.to_owned();
    if let Ok(secrets) = SECRETS.lock() {
        for secret in secrets.iter() {
            text = replace_word(&text, secret);
        }
    }
    hide_in_urls(&text)
}

/// Replaces a secret where it is not merely a part of a longer word.
fn replace_word(text: &str, secret: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let (before, found) = rest.split_at(at);
        let (found, after) = found.split_at(secret.len());
        result.push_str(before);
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let part_of_a_word = (joins(before.chars().next_back()) && joins(found.chars().next()))
            || (joins(after.chars().next()) && joins(found.chars().next_back()));
        result.push_str(if part_of_a_word { found } else { HIDDEN });
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Hides `password` in every `scheme://user:password@…`, and the values of telling parameters.
fn hide_in_urls(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        result.push_str(before);
        result.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'))
            .unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        result.push_str(&hide_in_url(url));
        rest = tail;
    }
    result.push_str(rest);
    result
}

fn hide_in_url(url: &str) -> String {
    // A password may hold a question mark that nobody escaped: the last @ ends it.
    let start = url.rfind('@').unwrap_or(0);
    let (place, query) = match url.get(start..).and_then(|rest| rest.split_once('?')) {
        Some((_, query)) => (
            url.get(..url.len() - query.len() - 1).unwrap_or(url),
            Some(query),
        ),
        None => (url, None),
    };
    let mut shown = match place.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    if let Some(query) = query {
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) if tells_of_a_secret(name) => format!("{name}={HIDDEN}"),
                _ => pair.to_owned(),
            })
            .collect();
        shown.push('?');
        shown.push_str(&pairs.join("&"));
    }
    shown
}
