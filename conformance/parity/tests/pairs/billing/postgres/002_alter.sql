-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE accounts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ALTER COLUMN owner DROP DEFAULT;
ALTER TABLE accounts ALTER COLUMN owner SET DEFAULT 'nobody';
ALTER TABLE accounts ADD COLUMN temporary TEXT;
ALTER TABLE accounts DROP COLUMN temporary;
ALTER TABLE accounts RENAME TO bank_accounts;
CREATE INDEX CONCURRENTLY entries_memo ON ledger.entries (memo, booked_at) WHERE memo IS NOT NULL AND memo <> 'x';
DO $$ BEGIN EXECUTE 'ALTER TABLE ledger.entries ADD COLUMN tax INTEGER DEFAULT 0'; END $$;
-- +goose Down
ALTER TABLE bank_accounts RENAME TO accounts;
