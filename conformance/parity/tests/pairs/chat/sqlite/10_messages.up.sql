CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL REFERENCES rooms (id),
    author INTEGER REFERENCES users (id) ON DELETE SET NULL,
    body TEXT NOT NULL,
    sent_at INTEGER NOT NULL DEFAULT (unixepoch()),
    deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    CHECK (deleted = 0 OR body = '')
);
CREATE VIRTUAL TABLE messages_search USING fts5 (body, content = messages, content_rowid = id);
CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN
    INSERT INTO messages_search (rowid, body) VALUES (new.id, new.body);
END;
CREATE INDEX messages_live ON messages (room_id, sent_at) WHERE deleted = 0;
CREATE VIEW live_messages AS
SELECT m.id, r.name AS room, m.body FROM messages AS m JOIN rooms AS r ON r.id = m.room_id WHERE m.deleted = 0;
CREATE TRIGGER messages_fixed_update BEFORE UPDATE OF sent_at ON messages BEGIN
    SELECT RAISE(ABORT, 'no; never');
END;
CREATE TRIGGER messages_fixed_delete BEFORE DELETE ON messages BEGIN
    SELECT RAISE(ABORT, 'no; never');
END;
