//! A node that publishes through a wallet.
#![cfg(all(feature = "wallet", feature = "relay"))]

mod common;

use std::fs;
use std::process::Command;
use std::sync::Arc;

use common::{Database, Running, Signal, eventually, http, node, run};
use data_encoding::HEXLOWER;
use mock_relay::MockRelay;
use mock_wallet::{Answer, MockWallet, WALLET_ID};
use prism_fixtures::Identity;
use serde_json::{Value, json};

const PASSPHRASE: &str = "secret of nobody";
const OPERATIONS: &str = "/api/submissions/signed-operations";

/// The flags of a wallet, the passphrase of which is in the environment.
fn with_wallet(mut command: Command, url: &str) -> Command {
    command.args(["--port", "0", "--network", "custom", "--dlt-sink", "wallet"]);
    command.args([
        "--cardano-wallet-base-url",
        url,
        "--cardano-wallet-wallet-id",
        WALLET_ID,
    ]);
    command.args(["--cardano-wallet-payment-addr", "addr_test1mock"]);
    command.env("NPRISM_CARDANO_WALLET_PASSPHRASE", PASSPHRASE);
    command.env("RUST_LOG", "trace");
    command
}

fn submitter(url: &str) -> Running {
    Running::start(with_wallet(node(&["submitter"]), url))
}

fn body(operations: &[&[u8]]) -> String {
    let operations: Vec<_> = operations.iter().map(|bytes| HEXLOWER.encode(bytes)).collect();
    json!({ "signed_operations": operations }).to_string()
}

fn create(index: u64) -> Vec<u8> {
    Identity::new(9, index).create().bytes
}

fn post(node: &Running, body: &str) -> (u16, Value) {
    let (status, answer) = http(&node.address(), "POST", OPERATIONS, body);
    let answer = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
    (status, answer)
}

async fn wallet() -> (Arc<MockRelay>, MockWallet) {
    let relay = Arc::new(MockRelay::start(42).await);
    let wallet = MockWallet::start(Arc::clone(&relay), PASSPHRASE).await;
    (relay, wallet)
}

/// From the request to the DID document, over wallet, chain and relay; and the passphrase appears nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_through_a_wallet_appears_on_the_chain_is_read_back_and_resolves() {
    let (relay, wallet) = wallet().await;
    let database = Database::sqlite();
    let passphrase = database.path("passphrase");
    fs::write(&passphrase, format!("{PASSPHRASE}\n")).unwrap();
    let mut command = with_wallet(database.node(&["indexer", "--dlt-source", "relay"]), &wallet.url());
    command.env_remove("NPRISM_CARDANO_WALLET_PASSPHRASE");
    command.arg("--cardano-wallet-passphrase-file").arg(&passphrase);
    command.arg("--cardano-relay").arg(relay.address());
    command.args(["--cardano-network-magic", "42", "--confirmation-blocks", "0"]);
    command.args(["--cardano-system-start", "2023-11-14T22:13:20Z"]);
    let node = Running::start(command);
    node.wait_until_ready(200);

    let identity = Identity::new(9, 1);
    let create = Identity::new(9, 1).create();
    let request = body(&[&create.bytes]);
    let (status, answer) = post(&node, &request);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["operation_ids"], json!([create.id().to_string()]));
    let on_chain = relay.blocks()[0].transaction_ids[0];
    assert_eq!(answer["tx_id"], HEXLOWER.encode(&on_chain));
    let path = format!("/1.0/identifiers/{}", identity.did());
    let document = eventually("the DID resolves", || {
        let (status, document) = node.get(&path);
        (status == 200).then_some(document)
    });
    assert!(document.contains(identity.did().as_str()), "{document}");
    let transaction = node.get(&format!("/api/transactions/{}", HEXLOWER.encode(&on_chain)));
    assert_eq!(transaction.0, 200, "{}", transaction.1);

    assert_eq!(post(&node, &request), (200, answer));
    assert_eq!((wallet.requests(), wallet.published().len()), (1, 1));
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(PASSPHRASE));
}

/// What the wallet refuses is a problem that says what to do, without the passphrase, and the next submission goes through.
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_wallet_are_problems_that_say_what_to_do() {
    let (_relay, wallet) = wallet().await;
    let node = submitter(&wallet.url());
    let error = |status, code, message: &str| Answer::Error {
        status,
        code,
        message: message.to_owned(),
    };
    let answers = [
        (error(403, "not_enough_money", "I need 1 ada"), 502, "send it some"),
        (error(403, "no_utxos_available", ""), 502, "send it some"),
        (error(403, "wrong_encryption_passphrase", PASSPHRASE), 502, "passphrase"),
        (error(404, "no_such_wallet", ""), 502, "is not there"),
        (error(403, "transaction_is_too_big", ""), 413, "submit fewer"),
        (error(503, "wallet_not_responding", ""), 503, "does not respond"),
        (error(425, "mempool_is_full", ""), 503, "no room"),
        (error(500, "created_invalid_transaction", ""), 502, "refused"),
        (error(403, "a_new_code", "new words"), 502, "a_new_code: new words"),
        (
            error(400, "bad_request", &format!("Error in {PASSPHRASE}")),
            502,
            "does not take",
        ),
        (
            Answer::Text {
                status: 404,
                body: "not here".to_owned(),
            },
            502,
            "base URL",
        ),
    ];
    let request = body(&[&create(1)]);
    for (answer, status, text) in answers {
        wallet.answer(answer.clone());
        let (found, problem) = post(&node, &request);
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(found, status, "{answer:?}: {problem}");
        assert!(
            detail.contains(text) && detail.contains("nothing was published"),
            "{detail}"
        );
        assert!(!detail.contains(PASSPHRASE), "{detail}");
    }
    assert_eq!(wallet.published().len(), 0);
    assert_eq!(post(&node, &request).0, 200);
    node.signal(Signal::TERM);
    assert!(!node.end().stderr.contains(PASSPHRASE));
}

/// Nothing is sent twice where nobody knows what became of it, not even by whoever asks again within the minute.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_said_and_not_tried_again() {
    let (_relay, wallet) = wallet().await;
    let node = submitter(&wallet.url());
    let broken = Answer::Text {
        status: 500,
        body: "Something went wrong".to_owned(),
    };
    for (index, answer) in (1..).zip([Answer::AcceptedWithoutId, broken]) {
        wallet.answer(answer);
        let request = body(&[&create(index)]);
        let first = post(&node, &request);
        assert_eq!(first.0, 504, "{first:?}");
        assert!(first.1["detail"].as_str().unwrap().contains("may have been published"));
        assert_eq!(post(&node, &request), first);
    }
    assert_eq!(wallet.requests(), 2);
}

/// A wallet that is not ready is asked for no transaction, and readiness says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_submitter_is_as_ready_as_its_wallet_and_has_no_other_routes() {
    let (_relay, wallet) = wallet().await;
    let node = submitter(&wallet.url());
    node.wait_until_ready(200);
    wallet.set_state("syncing");
    let (status, problem) = node.get("/readyz");
    assert!(status == 503 && problem.contains("93.5 %"), "{problem}");
    let (status, problem) = post(&node, &body(&[&create(1)]));
    assert_eq!(status, 503, "{problem}");
    wallet.set_state("not_responding");
    assert_eq!(node.get("/readyz").0, 503);
    assert_eq!(wallet.requests(), 0);
    for path in [
        "/api/dids",
        "/api/indexer-stats",
        "/1.0/identifiers/did:prism:a",
        "/1.0/identifiers/a/b",
    ] {
        let (status, answer) = node.get(path);
        assert!(status == 404 && answer.contains("no such route"), "{path}: {answer}");
    }
    assert!(node.get("/api/_system/metadata").1.contains("submitter"));
    let (_, description) = node.get("/openapi.json");
    assert!(description.contains("/api/submissions/objects") && !description.contains("/api/dids"));
    drop(wallet);
    let (status, problem) = post(&node, &body(&[&create(1)]));
    assert!(
        status == 503 && problem["detail"].as_str().unwrap().contains("nothing was published"),
        "{problem}"
    );
}

/// What is too large for a transaction is refused with what fits, and is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_a_transaction_is_refused_with_what_does() {
    let (_relay, wallet) = wallet().await;
    let node = submitter(&wallet.url());
    let operations: Vec<_> = (1..=200).map(create).collect();
    let operations: Vec<_> = operations.iter().map(Vec::as_slice).collect();
    let (status, problem) = post(&node, &body(&operations));
    assert_eq!(status, 413, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    let (_, rest) = detail.split_once("the first ").unwrap();
    let fitting: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(wallet.requests(), 0);
    assert_eq!(post(&node, &body(&operations[..=fitting])).0, 413);
    assert_eq!(post(&node, &body(&operations[..fitting])).0, 200);
}

#[test]
fn flags_of_a_wallet_that_are_missing_or_wrong_are_usage_errors_without_secrets() {
    let url = "http://127.0.0.1:1";
    let outcomes = [
        (run(node(&["submitter"])), "--dlt-sink"),
        (run(node(&["submitter", "--dlt-sink", "purse"])), "wallet"),
        (
            run(node(&["submitter", "--dlt-sink", "wallet"])),
            "--cardano-wallet-base-url",
        ),
        (
            run(node(&["submitter", "--cardano-wallet-wallet-id", WALLET_ID])),
            "--dlt-sink wallet",
        ),
        (
            run(with_wallet(node(&["submitter"]), &format!("http://u:{PASSPHRASE}@h"))),
            "user or password",
        ),
        (
            {
                let mut command = with_wallet(node(&["submitter"]), url);
                command.env_remove("NPRISM_CARDANO_WALLET_PASSPHRASE");
                run(command)
            },
            "--cardano-wallet-passphrase-file",
        ),
        (
            {
                let mut command = with_wallet(node(&["submitter"]), url);
                command.args(["--cardano-wallet-passphrase-file", "/nowhere/at/all"]);
                run(command)
            },
            "/nowhere/at/all",
        ),
    ];
    for (outcome, text) in outcomes {
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains(PASSPHRASE), "{}", outcome.stderr);
    }
}
