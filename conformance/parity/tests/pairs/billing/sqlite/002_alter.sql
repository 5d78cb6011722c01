-- +goose Up
ALTER TABLE accounts ADD COLUMN owner TEXT NOT NULL DEFAULT 'nobody';
ALTER TABLE accounts ADD COLUMN temporary TEXT;
ALTER TABLE accounts DROP COLUMN temporary;
ALTER TABLE accounts RENAME TO bank_accounts;
CREATE INDEX entries_memo ON entries (memo, booked_at) WHERE memo != 'x' AND memo NOT NULL;
ALTER TABLE entries ADD COLUMN tax INTEGER DEFAULT 0;
-- +goose Down
ALTER TABLE bank_accounts RENAME TO accounts;
