//! Just enough of HTML to fill in the sign-in and consent forms.

use url::Url;

/// A form of a page.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent to.
    pub action: Url,
    /// The names and values of its hidden inputs.
    pub hidden: Vec<(String, String)>,
}

impl Form {
    /// The first form in `html`, its action resolved against the page's URL.
    #[must_use]
    pub fn first(html: &str, page: &Url) -> Option<Self> {
        let (_, from_form) = html.split_once("<form")?;
        let (attributes, rest) = from_form.split_once('>')?;
        let (content, _) = rest.split_once("</form")?;
        let action = attribute(attributes, "action").unwrap_or_default();
        let action = page.join(&action).ok()?;
        let inputs = content.split("<input").skip(1).filter_map(|piece| piece.split_once('>'));
        let hidden = inputs.filter_map(|(input, _)| {
            let is_hidden = attribute(input, "type").as_deref() == Some("hidden");
            let name = attribute(input, "name").filter(|_| is_hidden)?;
            Some((name, attribute(input, "value").unwrap_or_default()))
        });
        Some(Self { action, hidden: hidden.collect() })
    }
}

/// The unescaped value of a double-quoted attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) =
        tag.split_once(&format!(" {name}=\"")).or_else(|| tag.split_once(&format!("\n{name}=\"")))?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

/// Resolves the entities that template engines write.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after.split_once(';').and_then(|(name, tail)| Some((entity(name)?, tail)));
        let (character, tail) = entity.unwrap_or(('&', after));
        plain.push(character);
        rest = tail;
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_gives_its_target_and_hidden_inputs() {
        let page = Url::parse("https://edge.example/authorize?x=1").unwrap();
        let html = r#"<p>Hi</p><form method="post" action="/consent">
            <input type="hidden" name="t" value="a&amp;b&#x27;c&#34;">
            <input name="comment" value="shown"><input type="hidden" name="empty">
            <button name="decision" value="approve">Yes</button></form>"#;
        let form = Form::first(html, &page).unwrap();
        assert_eq!(form.action.as_str(), "https://edge.example/consent");
        let expected =
            [("t", "a&b'c\""), ("empty", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.hidden, expected);
    }
}
