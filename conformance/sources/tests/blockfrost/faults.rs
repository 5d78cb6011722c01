//! What can go wrong between the node and a Blockfrost.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use dlt_source::{DltSource, SourceError, SourceEvent};
use dlt_source_blockfrost::{ApiKey, BlockfrostOptions, TimeLimits};
use mock_blockfrost::{Answer, Metadata, MockBlockfrost};
use node_storage_contract::{Network, PublishedBlock};

use super::{
    MAGIC, block, limits, mock, next_error, noise, options, publish, read_all, read_to_error, refused, source,
    source_with,
};

const KEY: &str = "customSecretOfNobody";

fn key() -> ApiKey {
    ApiKey::new(KEY).unwrap()
}

fn chain() -> Vec<PublishedBlock> {
    (1..=8).map(|number| block(1, number, 2)).collect()
}

/// What passes, one request at a time, is not even noticed.
#[tokio::test]
async fn failure_that_passes_is_repeated() {
    let chain = chain();
    for answer in [
        Answer::error(500, "An unexpected response was received from the backend."),
        Answer::error(502, "Bad gateway"),
        Answer::text(503, "<html>maintenance</html>"),
        Answer::text(504, ""),
        Answer::text(404, "default backend - 404"),
        Answer::error(429, "Usage is over limit."),
        Answer::error(429, "Usage is over limit.").with_header("retry-after", "86400"),
        Answer::error(503, "Later.").with_header("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
        Answer::cut("[{\"tx_hash\": \"ab"),
        Answer::text(200, "{\"height\": 5, \"ha"),
        Answer::text(200, ""),
        Answer::text(200, "<html>log in to this network first</html>"),
    ] {
        for resource in ["blocks/latest", "metadata", "txs/", "blocks/8"] {
            let mock = mock(&chain).await;
            mock.answer(resource, 3, answer.clone());
            let mut source = source(&mock, None).await;
            assert_eq!(read_all(&mut source).await, chain, "{answer:?} of {resource}");
        }
    }
}

/// What lasts longer is reported as what passes, and followed by what would have come.
#[tokio::test]
async fn failure_that_lasts_is_an_error_that_passes() {
    let chain = chain();
    for (answer, text) in [
        (
            Answer::error(500, "An unexpected response."),
            "500 Internal Server Error: An unexpected response.",
        ),
        (
            Answer::error(429, "Usage is over limit."),
            "429 Too Many Requests: Usage is over limit.",
        ),
        (Answer::error(402, "Usage is over limit."), "midnight UTC"),
        (Answer::error(418, "IP has been auto-banned."), "banned"),
        (Answer::cut("["), "connection"),
        (Answer::text(200, "["), "EOF"),
    ] {
        for resource in ["metadata", "txs/"] {
            let mock = mock(&chain).await;
            mock.answer(resource, 4, answer.clone());
            let one_by_one = options(&mock).confirmations(0).concurrency(NonZeroUsize::MIN);
            let mut source = source_with(one_by_one, None).await;
            let (read, error) = read_to_error(&mut source).await;
            assert!(read.is_empty() && error.is_retryable(), "{answer:?}: {error:?}");
            assert!(error.to_string().contains(text), "{answer:?}: {error}");
            let mut read = Vec::new();
            loop {
                match source.next().await {
                    Ok(SourceEvent::Blocks { blocks, .. }) => read.extend(blocks),
                    Ok(_) => break,
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            }
            assert_eq!(read, chain, "{answer:?} of {resource}");
        }
    }
}

/// Somebody who asks on is banned.
#[tokio::test]
async fn nothing_is_asked_while_blockfrost_wants_rest() {
    for status in [402, 418] {
        let mock = mock(&chain()).await;
        let limits = TimeLimits {
            rest: Duration::from_hours(1),
            ..limits()
        };
        let mut source = source_with(options(&mock).limits(limits), None).await;
        mock.answer("", 1, Answer::error(status, "Usage is over limit."));
        assert!(next_error(&mut source).await.is_retryable());
        mock.take_requests();
        assert!(within_polls(source.next(), 200).await.is_none());
        assert!(mock.take_requests().is_empty(), "{status}");
    }
}

/// What a future answers if it is ready within so many polls.
async fn within_polls<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|context| {
            Poll::Ready(match future.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        if let Some(answer) = polled.await {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn key_that_is_refused_or_missing_ends_reading_and_is_not_shown() {
    let mock = MockBlockfrost::start(MAGIC, Some("customOther")).await;
    let error = refused(options(&mock).key(key())).await;
    let text = error.to_string();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(
        text.contains("refuses the key")
            && text.contains("Invalid project token.")
            && text.contains("--blockfrost-api-key"),
        "{text}"
    );
    let text = refused(options(&mock)).await.to_string();
    assert!(
        text.contains("asks for a key") && text.contains("--blockfrost-api-key-file"),
        "{text}"
    );
    // One that repeats what it was given.
    mock.answer("genesis", 1, Answer::error(403, &format!("{KEY} is no key")));
    let error = refused(options(&mock).key(key())).await;
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("… is no key") && !shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn key_is_sent_and_shown_by_nothing() {
    let mock = MockBlockfrost::start(MAGIC, Some(KEY)).await;
    publish(&mock, &chain());
    let options = options(&mock).key(key()).confirmations(0);
    let mut source = source_with(options.clone(), None).await;
    assert_eq!(read_all(&mut source).await, chain());
    let shown = format!("{options:?} {source:?}");
    assert!(shown.contains("127.0.0.1") && !shown.contains(KEY), "{shown}");
}

/// A redirect would take the key to somebody else.
#[tokio::test]
async fn redirect_is_not_followed() {
    let (mock, other) = (mock(&chain()).await, mock(&chain()).await);
    let elsewhere = format!("{}/genesis", other.url());
    mock.answer("genesis", 1, Answer::text(301, "").with_header("location", &elsewhere));
    let error = refused(options(&mock).key(key())).await;
    assert!(
        !error.is_retryable() && error.to_string().contains("--blockfrost-base-url"),
        "{error:?}"
    );
    assert!(other.take_requests().is_empty());
}

#[tokio::test]
async fn address_without_a_blockfrost_is_named() {
    let mock = mock(&chain()).await;
    let url = mock.url().replace("/api/v0", "/api");
    let not_there = refused(BlockfrostOptions::new(&url, Network::Custom).unwrap()).await;
    mock.answer("genesis", 1, Answer::text(404, "<html>Not Found</html>"));
    let of_somebody_else = refused(options(&mock)).await;
    mock.answer("genesis", 1, Answer::error(400, "Invalid path."));
    for error in [not_there, of_somebody_else, refused(options(&mock)).await] {
        assert!(
            !error.is_retryable() && error.to_string().contains("--blockfrost-base-url"),
            "{error:?}"
        );
    }
}

/// What was never reached is told at once, since it may be named wrongly; what was reached comes again. Both are waited for.
#[tokio::test]
async fn blockfrost_that_is_not_there_is_told_at_once_and_waited_for() {
    let url = "http://reader:secret@127.0.0.1:1/api/v0";
    let options = BlockfrostOptions::new(url, Network::Custom)
        .unwrap()
        .limits(limits())
        .key(key());
    let error = refused(options).await;
    let text = error.to_string();
    assert!(error.is_retryable(), "{error:?}");
    for expected in [
        "Blockfrost at http://127.0.0.1:1/api/v0",
        "refused",
        "--blockfrost-base-url",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("secret") && !text.contains(KEY), "{text}");

    let mock = mock(&chain()).await;
    let mut source = source(&mock, None).await;
    read_all(&mut source).await;
    drop(mock);
    for _ in 0..2 {
        let error = next_error(&mut source).await;
        assert!(error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn answer_that_can_not_be_is_malformed_and_named() {
    let chain = chain();
    for (resource, answer, named) in [
        ("blocks/latest", r#"{"hash": "ab", "height": 8, "slot": 160}"#, "hash"),
        ("blocks/latest", r#"{"height": 8, "slot": 160}"#, "hash"),
        ("blocks/latest", r#"{"hash": 5, "height": 8, "slot": 160}"#, "string"),
        ("blocks/latest", "[]", "blocks/latest"),
        ("metadata", r#"[{"metadata": "a0"}]"#, "tx_hash"),
        ("metadata", r#"[{"tx_hash": "AB", "metadata": "a0"}]"#, "tx_hash"),
        ("metadata", r#"{"tx_hash": "ab"}"#, "metadata"),
        ("txs/", r#"{"block": "ab"}"#, "block_height"),
    ] {
        let mock = mock(&chain).await;
        mock.answer(resource, 1, Answer::text(200, answer));
        let error = next_error(&mut source(&mock, None).await).await;
        assert!(matches!(error, SourceError::Malformed { .. }), "{answer}: {error:?}");
        assert!(error.to_string().contains(named), "{answer}: {error}");
    }
}

#[tokio::test]
async fn metadata_that_is_not_hexadecimal_is_malformed() {
    let chain = chain();
    for text in ["a", "xy", "\\xa0"] {
        let mock = mock(&chain).await;
        mock.chain(|mock| {
            let entry = noise(&chain[0], 10, Metadata::Text(text.to_owned()), true);
            mock.blocks[0].transactions.push(entry);
        });
        let error = next_error(&mut source(&mock, None).await).await;
        assert!(
            matches!(error, SourceError::Malformed { .. }) && error.to_string().contains("hexadecimal"),
            "{text}: {error:?}"
        );
    }
}

#[tokio::test]
async fn answer_that_is_too_long_is_not_read_to_its_end() {
    let mock = mock(&chain()).await;
    mock.answer("blocks/latest", 1, Answer::text(200, &" ".repeat(3_000_000)));
    let error = next_error(&mut source(&mock, None).await).await;
    assert!(
        !error.is_retryable() && error.to_string().contains("longer than"),
        "{error:?}"
    );
}
