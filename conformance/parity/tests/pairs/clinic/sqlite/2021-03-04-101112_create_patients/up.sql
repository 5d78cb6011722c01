CREATE TABLE patients (
    id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    full_name VARCHAR(80) NOT NULL CHECK (length(full_name) > 0),
    sex TEXT CHECK (sex IN ('other', 'male', 'female')) NOT NULL DEFAULT 'other',
    notes TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(notes)),
    photo BLOB,
    is_active BOOLEAN NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME
);

CREATE TRIGGER patients_touch AFTER UPDATE ON patients FOR EACH ROW
BEGIN
    UPDATE patients SET updated_at = CASE WHEN 1 THEN CURRENT_TIMESTAMP END WHERE id = NEW.id;
END;
