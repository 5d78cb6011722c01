CREATE TABLE messages (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id INTEGER NOT NULL REFERENCES rooms (id),
    author BIGINT REFERENCES users (id) ON DELETE SET NULL,
    body TEXT NOT NULL,
    sent_at BIGINT NOT NULL DEFAULT (extract(epoch FROM now()))::bigint,
    deleted BOOLEAN NOT NULL DEFAULT false,
    search TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED,
    CHECK (NOT deleted OR body = '')
);
CREATE INDEX messages_search ON messages USING gin (search);
CREATE INDEX CONCURRENTLY messages_live ON messages (room_id, sent_at) WHERE NOT deleted;
CREATE VIEW live_messages AS
SELECT m.id, r.name AS room, m.body FROM messages m JOIN rooms r ON r.id = m.room_id WHERE NOT m.deleted;
CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no; never''; END';
CREATE TRIGGER messages_fixed BEFORE UPDATE OF sent_at OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION forbid();
