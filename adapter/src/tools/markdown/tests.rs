use std::time::{Duration, Instant};

use super::*;

#[test]
fn what_people_write_stays_readable() {
    let cases = [
        (
            "<div><p>Details for <strong>item 1</strong>.</p><ul><li>one</li><li><p>two</p></li></ul></div>",
            "Details for **item 1**.\n\n- one\n- two",
        ),
        (
            "<ol><li><p>a</p><ul><li><p>b</p></li></ul></li><li>c</li></ol><blockquote><p>q</p></blockquote><hr><h2>H</h2>",
            "1. a\n\n   - b\n2. c\n\n> q\n\n- - -\n\n## H",
        ),
        (
            "<pre><code class=\"language-rust\">fn main() {\n    let a = &lt;b&gt;;\n}</code></pre><p>and <code>x*y</code></p>",
            "```rust\nfn main() {\n    let a = <b>;\n}\n```\n\nand `x*y`",
        ),
        (
            "<p>See <a href=\"https://example.com/a\">this</a> and <a href=\"https://example.com\">https://example.com</a></p>",
            "See [this](https://example.com/a) and <https://example.com>",
        ),
        ("<p>caf\u{e9} &amp;lt; &nbsp;</p><p></p>", "caf\u{e9} &lt;"),
    ];
    for (html, markdown) in cases {
        assert_eq!(of_html(html), markdown);
    }
}

#[test]
fn what_planes_editor_adds_is_read() {
    let task = "<ul data-type=\"taskList\"><li data-checked=\"true\" data-type=\"taskItem\"><label><input type=\"checkbox\" \
        checked=\"checked\"><span></span></label><div><p>done</p></div></li><li data-checked=\"false\"><div><p>open</p></div></li></ul>";
    assert_eq!(of_html(task), "- [x] done\n- [ ] open");
    let mention = "<p>Hi <mention-component entity_identifier=\"3a928978-131c-4fc9-a8bb-c6784b89c5de\" \
        entity_name=\"user_mention\"></mention-component>, see</p><image-component src=\"a\"></image-component>";
    let text = of_html(mention);
    assert_eq!(text, "Hi @3a928978-131c-4fc9-a8bb-c6784b89c5de, see\n\n[image]");
    let name = |id: &str| (id == "3a928978-131c-4fc9-a8bb-c6784b89c5de").then_some("alice");
    assert_eq!(name_mentions(&text, name), "Hi @alice, see\n\n[image]");
    assert_eq!(name_mentions("a@b @\u{e9}", name), "a@b @\u{e9}");
    assert_eq!(of_html("<p>x<img src=\"data:image/png;base64,AAAA\" alt=\"a cat\"></p>"), "x[image: a cat]");
}

#[test]
fn tables_are_not_padded() {
    let html = "<table><tbody><tr><th><p>A</p></th><th><p>B</p></th></tr><tr><td><p>1</p></td><td><p>2 | x</p><p>y</p></td></tr>\
        </tbody></table><p>after</p>";
    assert_eq!(of_html(html), "| A | B |\n|-|-|\n| 1 | 2 \\| x y |\n\nafter");
}

#[test]
fn deep_broken_or_endless_html_becomes_plain_text_at_once() {
    let deep = |tag: &str, times: usize| {
        format!("{}<p>x</p>{}", format!("<{tag}>").repeat(times), format!("</{tag}>").repeat(times))
    };
    let formatting: String = (0..10_000).map(|n| format!("<b id=\"{n}\"><p>")).collect();
    let repeated: String = (0..90).map(|n| format!("<b id=\"{n}\">")).collect();
    let repeated = format!("<p>{repeated}{}{}</p>", "<div>x</div>".repeat(20_000), "</b>".repeat(90));
    let lines = vec!["x"; 20_000].join("\n");
    let words = "x".repeat(LONGEST);
    let long = format!("<p>{words}</p>");
    for (html, text) in [
        (deep("div", 20_000), "x"),
        (deep("blockquote", 10_000), "x"),
        (formatting, ""),
        (repeated, lines.as_str()),
        (long, words.as_str()),
    ] {
        let started = Instant::now();
        assert!(of_html(&html) == text, "{} bytes of {:.20}", html.len(), html);
        // Repaired and converted, they would take the square of their length: most of a minute each, or more.
        assert!(started.elapsed() < Duration::from_secs(20), "{:?} for {html:.20}", started.elapsed());
    }
}

#[test]
fn the_deepest_html_that_is_converted_fits_a_small_stack() {
    let nested = "<ul><li>".repeat(DEEPEST / 2) + "x" + &"</li></ul>".repeat(DEEPEST / 2);
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let text = small.spawn(move || of_html(&nested)).unwrap().join().unwrap();
    assert!(text.ends_with("- x"), "{text}");
}

#[test]
fn long_text_is_cut_with_a_mark_and_goes_on_from_there() {
    assert_eq!(cut("äöü", 3), "äöü");
    assert_eq!(cut("äöüß", 3), "äöü… [1 more characters]");
    assert_eq!(part("äöüßx", 0, 3, "from"), "äöü… [2 more characters: from=3]");
    assert_eq!(part("äöüßx", 3, 3, "from"), "ßx");
    assert_eq!(part("äöüßx", 9, 3, "from"), "");
}
