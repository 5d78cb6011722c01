CREATE EXTENSION IF NOT EXISTS citext;

CREATE TYPE sex AS ENUM ('female', 'male', 'other');

CREATE DOMAIN short_text AS VARCHAR(80) CHECK (VALUE <> '');

CREATE TABLE patients (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    email CITEXT NOT NULL UNIQUE,
    full_name short_text NOT NULL,
    sex sex NOT NULL DEFAULT 'other',
    notes JSONB NOT NULL DEFAULT '{}',
    photo BYTEA,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ
);

COMMENT ON TABLE patients IS 'People; with a semicolon';

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TRIGGER patients_touch BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
