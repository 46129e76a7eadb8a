//! HTML as plain text, in one pass that nothing can upset: for what the converter should not see.

/// Tags that end a line.
const BLOCKS: [&str; 16] =
    ["p", "div", "br", "li", "ul", "ol", "tr", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"];

/// Drops the tags, keeps the lines, reads the usual entities.
pub(super) fn of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        push(&mut text, before);
        let Some((tag, after)) = after.split_once('>') else {
            rest = "";
            break;
        };
        let closing = tag.starts_with('/');
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        if name == "li" && !closing {
            end_line(&mut text);
            text.push_str("- ");
        } else if BLOCKS.contains(&name.as_str()) {
            end_line(&mut text);
        }
        rest = after;
    }
    push(&mut text, rest);
    text.trim().to_owned()
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') && !text.ends_with("- ") {
        text.push('\n');
    }
}

fn push(text: &mut String, piece: &str) {
    let piece = piece
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        // Last, so that "&amp;lt;" stays "&lt;".
        .replace("&amp;", "&");
    let blank = piece.trim().is_empty() && (text.is_empty() || text.ends_with('\n'));
    if !blank {
        text.push_str(&piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_lists_stay_readable() {
        let html = "<div><p>Details for <strong>item 1</strong>.</p><ul><li>step one</li><li><p>step two</p></li></ul></div>";
        assert_eq!(of_html(html), "Details for item 1.\n- step one\n- step two");
    }

    #[test]
    fn entities_and_broken_tags_do_no_harm() {
        assert_eq!(of_html("a &amp;lt; b &lt;i&gt;"), "a &lt; b <i>");
        assert_eq!(of_html("a <b"), "a");
        assert_eq!(of_html("<p></p>"), "");
    }
}
