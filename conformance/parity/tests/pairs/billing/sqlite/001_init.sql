-- +goose Up
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE,
    currency TEXT NOT NULL DEFAULT 'EUR' CHECK (upper(currency) = currency),
    kind INTEGER NOT NULL CHECK (kind IN (3, 2, 1)),
    closed_at TIMESTAMP
);
CREATE TABLE entries (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    position INTEGER NOT NULL,
    amount BIGINT NOT NULL CHECK (amount != 0),
    booked_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    memo TEXT,
    PRIMARY KEY (account_id, position)
);

-- +goose Down
DROP TABLE entries;
DROP TABLE accounts;
