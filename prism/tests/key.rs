//! Public keys of a creation: curves, usages and encodings (edge-cases.md#create).

mod common;

use common::{History, creates, creation, key, signed_by_master};
use did_prism::proto::{KeyUsage, PublicKey};
use prism_fixtures::message::{compressed_key, coordinates_key, create_did, public_key, uncompressed_public_key};
use prism_fixtures::{ED25519_PUBLIC_KEYS, Signed, x25519_public_key};

const SECP256K1: &str = "secp256k1";

/// A creation with one more key.
fn with_key(other_key: PublicKey) -> Signed {
    creation(vec![other_key], vec![], &[])
}

#[test]
fn c3_master_keys_are_secp256k1() {
    let x25519 = x25519_public_key(1, "master1");
    for (curve, data) in [("Ed25519", &ED25519_PUBLIC_KEYS[0]), ("X25519", &x25519)] {
        assert!(
            !creates(&with_key(compressed_key("master1", KeyUsage::MasterKey, curve, data))),
            "{curve}"
        );
    }
    assert!(creates(&with_key(public_key(
        "master1",
        KeyUsage::MasterKey,
        &key("master1")
    ))));
}

#[test]
fn c4_vdr_keys_are_secp256k1() {
    let x25519 = x25519_public_key(1, "vdr0");
    for (curve, data) in [("Ed25519", &ED25519_PUBLIC_KEYS[0]), ("X25519", &x25519)] {
        assert!(
            !creates(&with_key(compressed_key("vdr0", KeyUsage::VdrKey, curve, data))),
            "{curve}"
        );
    }
    assert!(creates(&with_key(public_key("vdr0", KeyUsage::VdrKey, &key("vdr0")))));
}

#[test]
fn c6_usage_0_and_unknown_usages_are_rejected() {
    for usage in [0, 9, 100, -1, i32::MAX] {
        let mut other = public_key("other", KeyUsage::IssuingKey, &key("other"));
        other.usage = usage;
        assert!(!creates(&with_key(other)), "{usage}");
    }
}

#[test]
fn c20_keys_without_data_or_with_an_unknown_curve_are_rejected() {
    let mut without_data = public_key("other", KeyUsage::IssuingKey, &key("other"));
    without_data.key_data = None;
    assert!(!creates(&with_key(without_data)));

    let other = key("other");
    for curve in [
        "",
        "Secp256k1",
        "SECP256K1",
        "secp256k1 ",
        "secp256r1",
        "ed25519",
        "ED25519",
        "x25519",
        "P-256",
    ] {
        for data in [&other.compressed()[..], &ED25519_PUBLIC_KEYS[0]] {
            let compressed = compressed_key("other", KeyUsage::IssuingKey, curve, data);
            assert!(!creates(&with_key(compressed)), "{curve:?}");
        }
        let coordinates = coordinates_key("other", KeyUsage::IssuingKey, curve, &other.x(), &other.y());
        assert!(!creates(&with_key(coordinates)), "{curve:?}");
    }
}

#[test]
fn c21_both_forms_of_a_point_give_the_same_jwk() {
    let other = key("other");
    let document = History::created_by(&creation(
        vec![
            public_key("compressed", KeyUsage::IssuingKey, &other),
            uncompressed_public_key("coordinates", KeyUsage::IssuingKey, &other),
        ],
        vec![],
        &[],
    ))
    .document();
    let methods = &document["verificationMethod"];
    let base64url = |bytes: [u8; 32]| data_encoding::BASE64URL_NOPAD.encode(&bytes);
    let jwk = serde_json::json!({
        "kty": "EC", "crv": SECP256K1, "x": base64url(other.x()), "y": base64url(other.y()),
    });
    assert_eq!(methods[0]["publicKeyJwk"], jwk);
    assert_eq!(methods[1]["publicKeyJwk"], jwk);
}

#[test]
fn c21_a_master_key_given_by_coordinates_signs_too() {
    let keys = vec![uncompressed_public_key("master0", KeyUsage::MasterKey, &key("master0"))];
    assert!(creates(&signed_by_master(&create_did(keys, vec![], &[]))));
}

#[test]
fn c22_secp256k1_coordinates_have_32_bytes_each_and_lie_on_the_curve() {
    let other = key("other");
    let (x, y) = (other.x(), other.y());
    let mut off_curve = y;
    off_curve[31] ^= 1;
    let padded = |coordinate: &[u8]| [&[0], coordinate].concat();
    for (name, x, y) in [
        ("off the curve", x.to_vec(), off_curve.to_vec()),
        ("x of 31 bytes", x[1..].to_vec(), y.to_vec()),
        ("y of 31 bytes", x.to_vec(), y[1..].to_vec()),
        ("x of 33 bytes", padded(&x), y.to_vec()),
        ("y of 33 bytes", x.to_vec(), padded(&y)),
        ("no x", vec![], y.to_vec()),
        ("no y", x.to_vec(), vec![]),
        ("all zero", vec![0; 32], vec![0; 32]),
        ("beyond the field", vec![0xff; 32], vec![0xff; 32]),
    ] {
        let coordinates = coordinates_key("other", KeyUsage::IssuingKey, SECP256K1, &x, &y);
        assert!(!creates(&with_key(coordinates)), "{name}");
    }
}

#[test]
fn c22_compressed_secp256k1_keys_have_33_bytes_with_prefix_2_or_3() {
    let other = key("other");
    let compressed = other.compressed();
    let with_prefix = |prefix: u8| [&[prefix], &compressed[1..]].concat();
    for prefix in [2, 3] {
        let both_points = compressed_key("other", KeyUsage::IssuingKey, SECP256K1, &with_prefix(prefix));
        assert!(creates(&with_key(both_points)), "prefix {prefix}");
    }
    for (name, data) in [
        ("prefix 5", with_prefix(5)),
        ("prefix 0", with_prefix(0)),
        ("prefix 4 with 33 bytes", with_prefix(4)),
        ("x alone", compressed[1..].to_vec()),
        ("34 bytes", [&compressed[..], &[0]].concat()),
        ("empty", vec![]),
        ("x beyond the field", [&[2][..], &[0xff; 32]].concat()),
        // 5 is the x coordinate of no point.
        ("x of no point", [&[2][..], &[0; 31], &[5]].concat()),
    ] {
        assert!(
            !creates(&with_key(compressed_key(
                "other",
                KeyUsage::IssuingKey,
                SECP256K1,
                &data
            ))),
            "{name}"
        );
    }
}

#[test]
fn c23_ed25519_keys_are_32_bytes_that_are_a_point() {
    for point in &ED25519_PUBLIC_KEYS {
        assert!(creates(&with_key(compressed_key(
            "other",
            KeyUsage::IssuingKey,
            "Ed25519",
            point
        ))));
    }
    let point = ED25519_PUBLIC_KEYS[0];
    for (name, data) in [
        ("31 bytes", point[..31].to_vec()),
        ("33 bytes", [&point[..], &[0]].concat()),
        ("empty", vec![]),
        // 2 is the y coordinate of no point.
        ("no point", [&[2][..], &[0; 31]].concat()),
    ] {
        assert!(
            !creates(&with_key(compressed_key(
                "other",
                KeyUsage::IssuingKey,
                "Ed25519",
                &data
            ))),
            "{name}"
        );
    }
}

#[test]
fn c23_x25519_keys_are_32_bytes() {
    let point = x25519_public_key(1, "other");
    let create = |data: &[u8]| {
        creates(&with_key(compressed_key(
            "other",
            KeyUsage::KeyAgreementKey,
            "X25519",
            data,
        )))
    };
    assert!(create(&point));
    assert!(!create(&point[..31]));
    assert!(!create(&[&point[..], &[0]].concat()));
    assert!(!create(&[]));
}

#[test]
fn c23_ed25519_and_x25519_keys_stand_in_the_compressed_form_alone() {
    let x25519 = x25519_public_key(1, "other");
    for (curve, point) in [("Ed25519", &ED25519_PUBLIC_KEYS[0]), ("X25519", &x25519)] {
        for y in [&[][..], &[0; 32]] {
            let coordinates = coordinates_key("other", KeyUsage::IssuingKey, curve, point, y);
            assert!(!creates(&with_key(coordinates)), "{curve}");
        }
    }
}

#[test]
fn c24_two_keys_may_be_the_same_point() {
    let create = with_key(public_key(
        "authentication0",
        KeyUsage::AuthenticationKey,
        &key("master0"),
    ));
    assert!(creates(&create));
}
