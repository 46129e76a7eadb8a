//! Whether HTML is as an editor writes it: every tag closed in order, nothing nested without bound.
//!
//! The converter builds a tree and walks it by recursion, and a parser repairs wrong HTML by copying elements, without bound
//! in the worst case. What passes here is parsed as it stands, so both stay proportional to its length.
//!
//! Closed in order is not enough for that: where a `<div>` begins, an open `<p>` ends, and every `<b>` in it is made anew
//! for the text of every `<div>` to come. So nothing that can end another element begins inside one that is made anew.

/// Elements without an end tag.
const VOID: [&str; 9] = ["br", "hr", "img", "input", "col", "wbr", "area", "source", "embed"];
/// Elements a parser makes anew where they were closed out of order (HTML, section 13.2.4.3).
const FORMATTING: [&str; 13] =
    ["a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"];
/// Other elements that can begin inside those and end nothing; so can the editor's own, which have a dash.
const INLINE: [&str; 7] = ["br", "img", "kbd", "mark", "span", "sub", "sup"];
/// Elements whose content is no HTML, or HTML of other rules.
const FOREIGN: [&str; 15] = [
    "script",
    "style",
    "textarea",
    "title",
    "xmp",
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "plaintext",
    "svg",
    "math",
    "template",
    "select",
    // Formatting with rules of its own, and obsolete.
    "nobr",
];

/// Whether every tag of `html` is closed in order, and at most `deepest` are open at once.
pub(super) fn is_plain(html: &str, deepest: usize) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let right = match after.strip_prefix('/') {
            Some(after) => end_tag(after).map(|(name, after)| (open.pop() == Some(name), after)),
            None => start_tag(after).map(|(name, after)| {
                let fits = may_begin(name, &open);
                if !VOID.contains(&name) {
                    open.push(name);
                }
                (fits && open.len() <= deepest, after)
            }),
        };
        match right {
            Some((true, after)) => rest = after,
            Some((false, _)) | None => return false,
        }
    }
    open.is_empty()
}

/// Whether an element can begin inside those that are open without ending one of them.
fn may_begin(name: &str, open: &[&str]) -> bool {
    let formatting = open.iter().any(|open| FORMATTING.contains(open));
    let inline = FORMATTING.contains(&name) || INLINE.contains(&name) || name.contains('-');
    let second_link = name == "a" && open.contains(&"a");
    (inline || !formatting) && !second_link && !FOREIGN.contains(&name)
}

/// The name and what follows `</name>`.
fn end_tag(text: &str) -> Option<(&str, &str)> {
    let (name, after) = name(text)?;
    Some((name, after.strip_prefix('>')?))
}

/// The name and what follows `<name attribute="value" …>`, from behind the `<`.
fn start_tag(text: &str) -> Option<(&str, &str)> {
    let (name, mut rest) = name(text)?;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\n', '\r', '\t']);
        if let Some(after) = trimmed.strip_prefix('>') {
            return Some((name, after));
        }
        if VOID.contains(&name)
            && let Some(after) = trimmed.strip_prefix("/>")
        {
            return Some((name, after));
        }
        if trimmed.len() == rest.len() {
            return None;
        }
        rest = attribute(trimmed)?;
    }
}

/// What follows one attribute, quoted or without a value.
fn attribute(text: &str) -> Option<&str> {
    let end = text.find(|c: char| c.is_whitespace() || "=/>\"'<".contains(c)).filter(|end| *end > 0)?;
    let after = text.get(end..)?;
    let Some(value) = after.strip_prefix('=') else { return Some(after) };
    let quote = value.chars().next().filter(|quote| "\"'".contains(*quote))?;
    value.get(1..)?.split_once(quote).map(|(_, after)| after)
}

fn name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-')?;
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    begins.then(|| text.split_at_checked(end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_writes_is_plain() {
        for html in [
            "",
            "no tags & no bounds > 3",
            "<p class=\"a > b\">x<br>y<br/>z <img src='a' alt=\"\" /></p><h1>t</h1>",
            "<ul data-type=\"taskList\"><li data-checked=\"true\"><input type=\"checkbox\" checked><p>a</p></li></ul>",
            "<mention-component id=\"1\" entity_name=\"user_mention\"></mention-component>",
            "<p><strong><em><span class=\"x\">a<br></span></em><mention-component></mention-component></strong></p>",
            "<pre><code>a</code></pre><blockquote><p><a href=\"x\"><code>b</code></a></p></blockquote>",
        ] {
            assert!(is_plain(html, 10), "{html}");
        }
    }

    #[test]
    fn what_a_parser_would_have_to_repair_is_not() {
        for html in [
            "<p>",
            "</p>",
            "<b><p></b></p>",
            "<p><p></p>",
            "a < b",
            "<b",
            "<P></P>",
            "<b x=1></b>",
            "<b/>",
            "<b\"x\"></b>",
            "<b x=\"></b>",
            "<!-- </b> --><b></b>",
            "<script></script>",
            "<b></b x>",
            "<b x=\"1\"y></b>",
            "<>",
            "</>",
            "<-a></-a>",
            // Each ends an element that is open, and leaves formatting behind that is repeated from then on.
            "<p><b><div>x</div><div>y</div></b></p>",
            "<li><b><li>x</li></b></li>",
            "<table><b><tr>x</tr></b></table>",
            "<button><i><span><button>x</button></span></i></button>",
            "<a href=\"x\"><b><a href=\"y\">x</a></b></a>",
            "<nobr>x</nobr>",
        ] {
            assert!(!is_plain(html, 10), "{html}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "<b>".repeat(depth) + &"</b>".repeat(depth);
        assert!(is_plain(&nested(10), 10));
        assert!(!is_plain(&nested(11), 10));
    }
}
