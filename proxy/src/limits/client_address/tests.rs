use super::*;

fn trusted(list: &[&str]) -> TrustedProxies {
    let mut trusted = TrustedProxies::none();
    for text in list {
        trusted.add(text).unwrap();
    }
    trusted
}

/// Who asks through `peer`, which sends these lines, where 10.0.0.0/28 and 2001:db8:ffff::/48 are proxies of ours.
fn who(peer: &str, lines: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-forwarded-for", http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    let trusted = trusted(&["10.0.0.0/28", "2001:db8:ffff::/48"]);
    ClientAddress::of(peer.parse().unwrap(), &headers, &trusted).to_string()
}

#[test]
fn a_peer_that_is_not_trusted_speaks_for_itself_only() {
    for lines in [&[][..], &["203.0.113.9"], &["10.0.0.1"], &["rubbish"]] {
        assert_eq!(who("198.51.100.7", lines), "198.51.100.7");
        assert_eq!(who("10.0.0.16", lines), "10.0.0.16", "just outside");
        assert_eq!(who("::ffff:198.51.100.7", lines), "198.51.100.7");
    }
    let none = TrustedProxies::none();
    let mut headers = HeaderMap::new();
    headers.append("x-forwarded-for", "203.0.113.9".parse().unwrap());
    let peer = "127.0.0.1".parse().unwrap();
    assert_eq!(ClientAddress::of(peer, &headers, &none), ClientAddress::of_peer(peer));
}

#[test]
fn the_client_is_the_last_that_is_no_proxy_of_ours_whatever_stands_before_it() {
    for (lines, client) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (&["127.0.0.1,203.0.113.9"], "203.0.113.9"),
        (&["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (&["rubbish, 203.0.113.9"], "203.0.113.9"),
        (&["\u{fc}, 203.0.113.9"], "203.0.113.9"),
        (&["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9,10.0.0.2 , 10.0.0.3"], "203.0.113.9"),
        (&["198.51.100.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        (&["198.51.100.1, \u{fc}", "203.0.113.9"], "203.0.113.9"),
        (&["203.0.113.9, 2001:db8:ffff::7"], "203.0.113.9"),
        (&["10.0.0.16"], "10.0.0.16"),
    ] {
        for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:ffff:1::1"] {
            assert_eq!(who(peer, lines), client, "{lines:?} through {peer}");
        }
    }
}

#[test]
fn an_address_is_read_in_the_forms_that_proxies_write() {
    for (entry, client) in [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ("\t203.0.113.9 ", "203.0.113.9"),
    ] {
        assert_eq!(who("10.0.0.1", &[entry]), client, "{entry}");
    }
}

#[test]
fn where_nobody_can_be_told_it_is_the_peer() {
    for lines in [
        &[][..],
        &[""],
        &["10.0.0.2, 10.0.0.3"],
        &["203.0.113.9,"],
        &["203.0.113.9, rubbish"],
        &["203.0.113.9", ""],
        &["203.0.113.9, rubbish, 10.0.0.2"],
        &["203.0.113.9, \u{fc}"],
        &["unknown"],
        &["_hidden"],
        &["\"[2001:db8::9]:4711\""],
        &["2001:db8::9%1"],
        &["[fe80::9%1]:4711"],
        &["203.0.113.09"],
        &["203.0.113"],
        &["0x7f.1"],
        &["203.0.113.9:port"],
        &["203.0.113.9:65536"],
        &["[203.0.113.9]"],
        &["2001:db8::9]"],
        &["203.0.113.9 198.51.100.1"],
        &["203.0.113.9;198.51.100.1"],
    ] {
        assert_eq!(who("10.0.0.1", lines), "10.0.0.1", "{lines:?}");
    }
}

#[test]
fn an_address_is_counted_with_its_neighbours() {
    let of = |text: &str| ClientAddress::of_peer(text.parse().unwrap());
    assert_eq!(of("203.0.113.9").host(), "203.0.113.9");
    assert_eq!(of("::ffff:203.0.113.9").host(), "203.0.113.9");
    assert_eq!(of("203.0.113.9").network(), "203.0.113.0");
    assert_eq!(of("2001:db8:1:2:3:4:5:6").host(), "2001:db8:1:2::");
    assert_eq!(of("2001:db8:1:2:3:4:5:6").network(), "2001:db8:1::");
}

#[test]
fn proxies_are_addresses_or_networks_and_never_everybody() {
    let mut proxies = TrustedProxies::none();
    for good in ["10.0.0.7", "10.0.0.0/28", "::1", "2001:db8::/32", "128.0.0.0/1", "10.0.0.7/32"] {
        assert_eq!(proxies.add(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("", InvalidProxy::Malformed),
        ("proxy.example", InvalidProxy::Malformed),
        ("10.0.0.0/33", InvalidProxy::Malformed),
        ("10.0.0.0/", InvalidProxy::Malformed),
        ("10.0.0.0/+8", InvalidProxy::Malformed),
        ("10.0.0.0/8/8", InvalidProxy::Malformed),
        ("10.0.0.0/255.0.0.0", InvalidProxy::Malformed),
        ("::ffff:10.0.0.1", InvalidProxy::Malformed),
        ("2001:db8::/129", InvalidProxy::Malformed),
        ("10.0.0.1/28", InvalidProxy::HostBits),
        ("2001:db8::1/64", InvalidProxy::HostBits),
        ("0.0.0.0/0", InvalidProxy::Everybody),
        ("::/0", InvalidProxy::Everybody),
    ] {
        assert_eq!(proxies.add(bad), Err(why), "{bad}");
    }
    let (one, all_v4) = (trusted(&["10.0.0.7"]), trusted(&["0.0.0.0/1", "128.0.0.0/1"]));
    let holds = |proxies: &TrustedProxies, text: &str| proxies.holds(text.parse().unwrap());
    assert!(holds(&one, "10.0.0.7") && !holds(&one, "10.0.0.6") && !holds(&one, "::10.0.0.7"));
    assert!(holds(&all_v4, "255.255.255.255") && !holds(&all_v4, "::"));
}
