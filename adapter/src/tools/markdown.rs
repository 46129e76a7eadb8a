//! Plane's HTML as Markdown, and long text in parts.

mod nesting;
mod plain;

use std::sync::LazyLock;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::options::{BrStyle, BulletListMarker, HrStyle, LinkStyle, Options};
use htmd::{Element, HtmlToMarkdown};

use crate::plane::path::Uuid;

/// Elements open at once; an editor's lists and tables stay far below. Deeper HTML becomes plain text.
const DEEPEST: usize = 100;
/// Longest HTML that is converted, in bytes; longer becomes plain text.
const LONGEST: usize = 256 * 1024;

/// Characters of an id.
const UUID: usize = 36;

static CONVERTER: LazyLock<HtmlToMarkdown> = LazyLock::new(|| {
    let options = Options {
        br_style: BrStyle::Backslash,
        bullet_list_marker: BulletListMarker::Dash,
        hr_style: HrStyle::Dashes,
        link_style: LinkStyle::InlinedPreferAutolinks,
        ol_number_spacing: 1,
        ul_bullet_spacing: 1,
        ..Options::default()
    };
    HtmlToMarkdown::builder()
        .options(options)
        .add_handler(vec!["mention-component"], mention)
        .add_handler(vec!["img", "image-component"], image)
        .add_handler(vec!["li"], list_item)
        .add_handler(vec!["td", "th"], cell)
        .add_handler(vec!["tr"], row)
        .add_handler(vec!["table"], table)
        .build()
});

/// The HTML of a description or comment as Markdown. People mentioned in it are `@` and their id.
pub(super) fn of_html(html: &str) -> String {
    if html.len() > LONGEST || !nesting::is_plain(html, DEEPEST) {
        return plain::of_html(html);
    }
    match CONVERTER.convert(html) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => plain::of_html(html),
    }
}

/// Replaces `@` and an id by `@` and a name, where `name` knows the id.
pub(super) fn name_mentions<'n>(text: &str, name: impl Fn(&str) -> Option<&'n str>) -> String {
    let mut parts = text.split('@');
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        named.push('@');
        match part.get(..UUID).and_then(&name).zip(part.get(UUID..)) {
            Some((name, rest)) => named.extend([name, rest]),
            None => named.push_str(part),
        }
    }
    named
}

/// Whether somebody is mentioned, by id.
pub(super) fn has_mention(text: &str) -> bool {
    text.split('@').skip(1).any(|part| part.get(..UUID).and_then(Uuid::parse).is_some())
}

/// Cuts at `most` characters, with a mark that says how much is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    let missing = text.chars().count().saturating_sub(most);
    if missing == 0 {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most).collect();
    format!("{kept}… [{missing} more characters]")
}

/// `most` characters of a long text from `from` on, with a mark that says how to go on: `argument` set to where the next
/// part begins.
pub(super) fn part(text: &str, from: usize, most: usize, argument: &str) -> String {
    let rest = text.chars().count().saturating_sub(from);
    let kept: String = text.chars().skip(from).take(most).collect();
    if rest <= most {
        return kept;
    }
    format!("{kept}… [{} more characters: {argument}={}]", rest - most, from + most)
}

fn attribute(element: &Element, name: &str) -> Option<String> {
    let found = element.attrs.iter().find(|attribute| &*attribute.name.local == name)?;
    Some(found.value.to_string())
}

fn mention(_: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    Some(format!("@{}", attribute(&element, "entity_identifier")?).into())
}

/// Pictures are not shown to a model; an address inside the text can be longer than all of it.
fn image(_: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let alternative = attribute(&element, "alt").filter(|text| !text.trim().is_empty());
    Some(alternative.map_or_else(|| "[image]".to_owned(), |text| format!("[image: {text}]")).into())
}

fn list_item(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let mark = match attribute(&element, "data-checked").as_deref() {
        Some("true") => "- [x] ",
        Some(_) => "- [ ] ",
        None => return handlers.fallback(element),
    };
    let content = handlers.walk_children(element.node).content;
    Some(format!("\n{mark}{}", content.trim().replace('\n', "\n  ")).into())
}

// Tables are not padded to even columns, which costs as much as the widest cell in every row.

fn cell(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node).content;
    let words: Vec<&str> = content.split_whitespace().collect();
    Some(format!(" {} |", words.join(" ").replace('|', "\\|")).into())
}

fn row(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node).content;
    Some(format!("|{}\n", content.replace('\n', " ")).into())
}

fn table(handlers: &dyn Handlers, element: Element) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node).content;
    let mut lines = content.lines().filter(|line| line.starts_with('|'));
    let header = lines.next()?;
    let columns = header.matches('|').count() - header.matches("\\|").count() - 1;
    let mut text = format!("\n\n{header}\n|{}", "-|".repeat(columns));
    for line in lines {
        text.push('\n');
        text.push_str(line.trim_end());
    }
    Some(format!("{text}\n\n").into())
}

#[cfg(test)]
mod tests;
