CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login VARCHAR(64) NOT NULL,
    password_hash BLOB NOT NULL CHECK (length(password_hash) = 32),
    tags TEXT NOT NULL DEFAULT '[]',
    score REAL DEFAULT 0.0 CHECK (0 <= score AND score < 1000),
    last_ip TEXT
);
CREATE UNIQUE INDEX users_login ON users (login COLLATE NOCASE);
