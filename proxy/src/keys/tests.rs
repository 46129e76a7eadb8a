use super::*;

fn ring(list: &str) -> KeyRing {
    KeyRing::parse(&Secret::new(list)).unwrap()
}

fn line(id: &str, byte: u8) -> String {
    format!("{id}:{}", URL_SAFE_NO_PAD.encode([byte; 32]))
}

#[test]
fn what_is_sealed_opens_only_under_its_own_purpose_and_name() {
    let ring = KeyRing::ephemeral();
    let blob = ring.seal(Purpose::Session, b"session:a", b"plain");
    let opened = ring.open(Purpose::Session, b"session:a", &blob).unwrap();
    assert_eq!((opened.plain.as_slice(), opened.current), (b"plain".as_slice(), true));
    assert_eq!(ring.open(Purpose::Session, b"session:b", &blob).err(), Some(SealError::Broken));
    assert_eq!(ring.open(Purpose::Grant, b"session:a", &blob).err(), Some(SealError::Broken));
    assert_ne!(blob, ring.seal(Purpose::Session, b"session:a", b"plain"), "nonces differ");
}

#[test]
fn every_changed_or_missing_byte_breaks_the_seal() {
    let ring = KeyRing::ephemeral();
    let blob = ring.seal(Purpose::Session, b"name", b"plain");
    for index in 0..blob.len() {
        let mut changed = blob.clone();
        changed[index] ^= 1;
        assert!(ring.open(Purpose::Session, b"name", &changed).is_err(), "byte {index} changed");
        assert!(ring.open(Purpose::Session, b"name", &blob[..index]).is_err(), "cut at {index}");
    }
}

#[test]
fn an_old_key_still_opens_and_a_dropped_one_is_told_from_a_broken_seal() {
    let blob = ring(&line("one", 1)).seal(Purpose::Session, b"name", b"plain");
    let rotated = ring(&format!("{}\n{}", line("two", 2), line("one", 1)));
    assert!(!rotated.open(Purpose::Session, b"name", &blob).unwrap().current);
    assert_eq!(
        ring(&line("two", 2)).open(Purpose::Session, b"name", &blob).err(),
        Some(SealError::UnknownKey)
    );
    assert_eq!(ring(&line("one", 9)).open(Purpose::Session, b"name", &blob).err(), Some(SealError::Broken));
}

#[test]
fn a_hash_made_before_a_rotation_still_matches_after_it() {
    let old = ring(&line("one", 1)).mac(Purpose::Digest, b"code");
    let rotated = ring(&format!("{},{}", line("two", 2), line("one", 1)));
    assert_ne!(rotated.mac(Purpose::Digest, b"code"), old);
    assert!(rotated.mac_matches(Purpose::Digest, b"code", &old));
    assert!(rotated.macs(Purpose::Digest, b"code").any(|mac| mac == old));
    assert!(!rotated.mac_matches(Purpose::Cookie, b"code", &old));
    assert!(!rotated.mac_matches(Purpose::Digest, b"code", &old[..31]));
}

#[test]
fn signing_keys_come_current_first_and_are_like_no_other_key() {
    let rotated = ring(&format!("{}\n{}", line("two", 2), line("one", 1)));
    let keys = rotated.signing_keys();
    assert_eq!(keys.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    assert!(keys.iter().all(|(_, key)| *key != [2; 32] && *key != [1; 32]));
    assert_ne!(keys[0].1, keys[1].1);
}

#[test]
fn both_base64_alphabets_comments_and_blank_entries_are_read() {
    let standard = base64::engine::general_purpose::STANDARD.encode([0xfb; 32]);
    let urlsafe = URL_SAFE_NO_PAD.encode([0xfb; 32]);
    assert!(standard.contains('+') && urlsafe.contains('-'));
    let list = format!("# the new one, since May\n\n a : {standard} \nb:{urlsafe},\n");
    assert_eq!(ring(&list).ids(), ["a", "b"]);
}

#[test]
fn a_list_that_does_not_fit_is_refused_by_position() {
    let good = line("a", 1);
    let long = line("12345678901234567", 1);
    let cases = [
        (String::new(), InvalidKeys::Empty),
        ("# nothing".into(), InvalidKeys::Empty),
        (format!("{good}\nnocolon"), InvalidKeys::Shape(2)),
        (":AAAA".into(), InvalidKeys::Id(1)),
        (long, InvalidKeys::Id(1)),
        ("a b:AAAA".into(), InvalidKeys::Id(1)),
        ("a:AAAA".into(), InvalidKeys::Length(1)),
        ("a:not base64!".into(), InvalidKeys::Length(1)),
        (format!("{good},{good}"), InvalidKeys::Repeated(2)),
    ];
    for (list, problem) in cases {
        assert_eq!(KeyRing::parse(&Secret::new(list.clone())).err(), Some(problem), "{list}");
    }
}

#[test]
fn a_passphrase_names_its_own_key() {
    let ring = |text: &str| KeyRing::from_passphrase(&Secret::new(text));
    let one = ring("0123456789abcdef0123456789abcdef").unwrap();
    let again = ring("0123456789abcdef0123456789abcdef").unwrap();
    let other = ring("0123456789abcdef0123456789abcdeX").unwrap();
    let blob = one.seal(Purpose::Session, b"name", b"plain");
    assert!(again.open(Purpose::Session, b"name", &blob).is_ok());
    assert_eq!(other.open(Purpose::Session, b"name", &blob).err(), Some(SealError::UnknownKey));
    assert_eq!(ring("too short").err(), Some(InvalidKeys::ShortPassphrase));
}

#[test]
fn a_generated_line_is_a_key_list_and_nothing_shows_a_key() {
    let generated = KeyRing::generate_line();
    let ring = KeyRing::parse(&generated).unwrap();
    let shown = format!("{ring:?}");
    let (id, key) = generated.expose().split_once(':').unwrap();
    assert!(shown.contains(id) && !shown.contains(key), "{shown}");
    assert_ne!(KeyRing::generate_line(), generated);
}
