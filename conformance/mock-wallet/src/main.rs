//! A cardano-wallet and a relay to try the node with, which need no network and no money.
//!
//! usage: mock-wallet [PORT]    prints how to start a node that publishes and reads
#![allow(clippy::expect_used, reason = "a tool for trying things out")]

use std::future::pending;
use std::sync::Arc;

use mock_relay::MockRelay;
use mock_wallet::{MockWallet, WALLET_ID};

/// The magic of the network that the relay is of.
const MAGIC: u32 = 42;

/// What the wallet takes.
const PASSPHRASE: &str = "only for trying out";

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8090".to_owned());
    let relay = Arc::new(MockRelay::start(MAGIC).await);
    let wallet = MockWallet::start_at(Arc::clone(&relay), PASSPHRASE, &format!("127.0.0.1:{port}")).await;
    println!(
        "NPRISM_CARDANO_WALLET_PASSPHRASE='{PASSPHRASE}' \\\n  cargo run -p neoprism-node -- indexer --db-backend sqlite --network custom \\\n  --dlt-source relay --cardano-relay {} --cardano-network-magic {MAGIC} \\\n  --cardano-system-start 2024-01-01T00:00:00Z --confirmation-blocks 0 \\\n  --dlt-sink wallet --cardano-wallet-base-url {} --cardano-wallet-wallet-id {WALLET_ID} \\\n  --cardano-wallet-payment-addr addr_test1mock",
        relay.address(),
        wallet.url()
    );
    pending::<()>().await;
}
