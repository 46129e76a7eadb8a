"""A broken reference fails the check of the documentation; run on the pages as they are, but for one line."""

import pytest

import check

SECURITY = "docs/security.md"
BROKEN = [
    (SECURITY, "`proxy/src/oauth/codes.rs`", "`proxy/src/oauth/kodes.rs`", "names code that does not exist"),
    (SECURITY, "::nobody_but_the_configured_proxies_is_answered`", "::nobody`", "names a test that does not exist"),
    (SECURITY, "run-check.sh::dependencies`", "run-check.sh::nothing`", "names a test that does not exist"),
    (SECURITY, "incidents.md#a-users-account", "incidents.md#an-account", "has no such heading"),
    (SECURITY, "incidents.md#a-users-account", "incident.md#a-users-account", "does not exist"),
    (SECURITY, "| T7 | T |", "| T7 | X |", "is none of S, T, R, I, D, E"),
    (SECURITY, "| T9 |", "| T10 |", "the threats are numbered"),
    (SECURITY, "| T9 | I |", "| T9 | I | one cell too many |", "a threat has six cells"),
    (SECURITY, "`only_a_cookie_we_signed_names_a_browser`", "`gone`", "names a test that does not exist: gone"),
    (SECURITY, "\n| 12 |", "\n| 13 |", "the checklist has the numbers"),
    ("docs/configuration.md", "\n[tools]", "\n[tools", "is no TOML"),
    ("helm/mcp-edge/values.yaml", "docs/valkey.md", "docs/redis.md", "names docs/redis.md, which does not exist"),
]


@pytest.mark.parametrize(("page", "right", "wrong", "said"), BROKEN)
def test_a_broken_reference_is_found(monkeypatch, capsys, page, right, wrong, said):
    read = check.text_of
    assert right in read(page)
    monkeypatch.setattr(check, "text_of", lambda name: read(name).replace(right, wrong) if name == page else read(name))
    assert check.main() == 1
    assert f"{page}:" in (printed := capsys.readouterr().out) and said in printed


def test_as_they_are_the_pages_hold():
    assert check.main() == 0


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Order, and what goes wrong without", "order-and-what-goes-wrong-without"),
        ("A user's account", "a-users-account"),
        ("`make chart` and [links](x.md)", "make-chart-and-links"),
        ("keys_status – twice", "keys_status--twice"),
    ],
)
def test_an_anchor_is_made_as_on_github(heading, anchor):
    assert check.anchors(f"# {heading}\n```\n# no heading\n```\n") == {anchor}
