CREATE TABLE users (
    id BIGSERIAL PRIMARY KEY,
    login VARCHAR(64) NOT NULL,
    password_hash BYTEA NOT NULL CHECK (octet_length(password_hash) = 32),
    tags TEXT[] NOT NULL DEFAULT '{}',
    score DOUBLE PRECISION DEFAULT 0,
    last_ip INET,
    CONSTRAINT score_is_sane CHECK (score >= 0 AND score < 1000)
);
CREATE UNIQUE INDEX users_login ON users (lower(login));
