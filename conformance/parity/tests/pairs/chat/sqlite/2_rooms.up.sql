CREATE TABLE rooms (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    name_length INTEGER GENERATED ALWAYS AS (length(name)) STORED
);
CREATE TABLE members (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    room_id INTEGER NOT NULL REFERENCES rooms ON DELETE CASCADE ON UPDATE CASCADE,
    role TEXT NOT NULL DEFAULT 'reader',
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_owner ON members (room_id) WHERE role = 'owner';
CREATE INDEX members_by_user ON members (user_id, room_id DESC);
