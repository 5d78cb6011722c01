//! What the wallet's errors mean for whoever submits.

use dlt_sink::SubmitError;
use serde::Deserialize;

use crate::Passphrase;

/// Most characters of the wallet's own words that are passed on.
const MAX_MESSAGE_LENGTH: usize = 300;

/// An error of the API.
#[derive(Debug, Deserialize)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    #[serde(default)]
    message: String,
}

impl ApiError {
    /// The wallet's words on one short line. `None` where they repeat the passphrase, as an error about the request may.
    fn words(&self, passphrase: &Passphrase) -> Option<String> {
        if self.message.contains(passphrase.expose()) || self.code.contains(passphrase.expose()) {
            return None;
        }
        let message: String = self
            .message
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(MAX_MESSAGE_LENGTH)
            .collect();
        let code: String = self.code.chars().filter(|one| !one.is_control()).take(64).collect();
        Some(format!("{code}: {message}"))
    }

    /// The error for whoever submits. `None` where the code is not one of those after which nothing was published.
    pub(crate) fn refusal(&self, passphrase: &Passphrase) -> Option<SubmitError> {
        let (kind, meaning) = meaning(&self.code)?;
        let text = match self.words(passphrase) {
            Some(words) => format!("{meaning} ({words})"),
            None => meaning.to_owned(),
        };
        Some(kind(text))
    }

    /// The same for a code that is not known, of a request that was certainly refused.
    pub(crate) fn unknown_refusal(&self, passphrase: &Passphrase) -> SubmitError {
        let words = self
            .words(passphrase)
            .unwrap_or_else(|| "its words are withheld".to_owned());
        SubmitError::Refused(format!("the wallet refused the transaction ({words})"))
    }
}

/// Makes an error of its text.
type Kind = fn(String) -> SubmitError;

/// What a code means, where it says that nothing was published.
fn meaning(code: &str) -> Option<(Kind, &'static str)> {
    let refused: Kind = SubmitError::Refused;
    let unavailable: Kind = SubmitError::Unavailable;
    let too_large: Kind = SubmitError::TooLarge;
    Some(match code {
        "not_enough_money" | "cannot_cover_fee" | "no_utxos_available" | "insufficient_collateral" => (
            refused,
            "the wallet has not enough ada that it can spend: send it some, or wait until its pending transactions are confirmed",
        ),
        "wrong_encryption_passphrase" => (refused, "the passphrase that the node was given is not the wallet's"),
        "no_such_wallet" => (refused, "the wallet with the id that the node was given is not there"),
        "no_root_key" => (refused, "the wallet can't sign: it was made from a public key"),
        "invalid_wallet_type" => (
            refused,
            "the wallet is of a type that can't publish: a Shelley wallet is needed",
        ),
        "utxo_too_small" => (
            refused,
            "the payment of 1 ada is less than the ledger allows for this address",
        ),
        "bad_request" | "not_acceptable" | "unsupported_media_type" => (
            refused,
            "the wallet does not take the request: look at the payment address, and at the version of the wallet",
        ),
        "unsupported_era" | "node_not_yet_in_recent_era" | "tx_not_in_node_era" => (
            refused,
            "the wallet's Cardano node is in an era in which it makes no transactions: it is synchronizing, or the wallet is too old",
        ),
        "created_invalid_transaction" | "rejected_by_core_node" => {
            (refused, "Cardano refused the transaction that the wallet made")
        }
        "transaction_is_too_big" => (
            too_large,
            "the wallet can't make a transaction of these operations that Cardano allows: submit fewer at once",
        ),
        "wallet_not_responding" => (unavailable, "the wallet does not respond to its own server"),
        "wallet_not_initialized" => (unavailable, "the wallet is being set up"),
        "mempool_is_full" => (
            unavailable,
            "the wallet's Cardano node has no room for further transactions",
        ),
        "already_withdrawing" => (
            unavailable,
            "the wallet has a transaction under way that has to end first",
        ),
        "network_unreachable" | "network_query_failed" => (unavailable, "the wallet does not reach its Cardano node"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> ApiError {
        ApiError {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn words_that_repeat_the_passphrase_are_withheld() {
        let passphrase = Passphrase::new("hunter2").unwrap();
        let refusal = error("bad_request", "Error in $.passphrase: hunter2").refusal(&passphrase);
        let text = refusal.unwrap().to_string();
        assert!(
            !text.contains("hunter2") && text.contains("does not take the request"),
            "{text}"
        );
        let text = error("new", "hunter2 is wrong")
            .unknown_refusal(&passphrase)
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn words_are_short_and_on_one_line() {
        let passphrase = Passphrase::new("hunter2").unwrap();
        let message = format!("a\nb{}", "c".repeat(1_000));
        let text = error("not_enough_money", &message)
            .refusal(&passphrase)
            .unwrap()
            .to_string();
        assert!(
            text.contains("a bc") && text.len() < 600 && !text.contains('\n'),
            "{text}"
        );
    }
}
