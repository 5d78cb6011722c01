-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION always_true() RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true;';
-- +goose StatementEnd
CREATE SCHEMA ledger;
CREATE TABLE accounts (
    id SERIAL PRIMARY KEY,
    number CHAR(10) NOT NULL UNIQUE,
    currency CHAR(3) NOT NULL DEFAULT 'EUR' CHECK (currency = upper(currency)),
    kind SMALLINT NOT NULL CHECK (kind IN (1, 2, 3)),
    closed_at TIMESTAMP(3)
);
CREATE TABLE ledger.entries (
    account_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    booked_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    memo TEXT,
    PRIMARY KEY (account_id, position)
);
ALTER TABLE ledger.entries ADD CONSTRAINT entries_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE RESTRICT;

-- +goose Down
DROP TABLE ledger.entries;
DROP TABLE accounts;
