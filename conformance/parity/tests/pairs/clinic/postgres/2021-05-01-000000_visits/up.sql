CREATE TABLE visits (
    id UUID NOT NULL,
    patient_id UUID NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    visit_day DATE NOT NULL,
    room SMALLINT CHECK (room BETWEEN 1 AND 99),
    fee NUMERIC(10, 2) NOT NULL DEFAULT 0.00,
    state TEXT NOT NULL DEFAULT 'planned',
    CONSTRAINT visits_pk PRIMARY KEY (id),
    CONSTRAINT visits_state CHECK (state IN ('planned', 'done', 'missed')),
    CONSTRAINT one_a_day UNIQUE (patient_id, visit_day)
);
CREATE INDEX visits_open ON visits (visit_day DESC) WHERE state = 'planned' AND room IS NOT NULL;
