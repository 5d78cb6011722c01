BEGIN;
CREATE TABLE doctors (id UUID PRIMARY KEY, badge VARCHAR(12) NOT NULL, UNIQUE (badge));
ALTER TABLE visits ADD COLUMN doctor_id UUID REFERENCES doctors (id) ON DELETE SET NULL;
ALTER TABLE visits RENAME COLUMN room TO room_number;
CREATE INDEX visits_doctor ON visits USING btree (doctor_id);
COMMIT;
