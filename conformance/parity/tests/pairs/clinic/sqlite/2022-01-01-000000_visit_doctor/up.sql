PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE doctors (id TEXT NOT NULL PRIMARY KEY, badge VARCHAR(12) NOT NULL UNIQUE);
CREATE TABLE visits_new (
    id TEXT NOT NULL PRIMARY KEY,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    visit_day DATE NOT NULL,
    room_number SMALLINT CHECK (room_number BETWEEN 1 AND 99),
    fee NUMERIC(10, 2) NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'done', 'missed')),
    doctor_id TEXT REFERENCES doctors (id) ON DELETE SET NULL,
    UNIQUE (patient_id, visit_day)
);
INSERT INTO visits_new (id, patient_id, visit_day, room_number, fee, state)
SELECT id, patient_id, visit_day, room, fee, state FROM visits;
DROP TABLE visits;
ALTER TABLE visits_new RENAME TO visits;
CREATE INDEX visits_open ON visits (visit_day DESC) WHERE state = 'planned' AND room_number IS NOT NULL;
CREATE INDEX visits_doctor ON visits (doctor_id);
COMMIT;
PRAGMA foreign_keys = ON;
