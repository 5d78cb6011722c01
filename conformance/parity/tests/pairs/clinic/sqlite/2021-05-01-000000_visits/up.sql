create table "visits" (
    "id" char(36) not null primary key,
    "patient_id" char(36) not null,
    "visit_day" date not null,
    "room" smallint,
    "fee" numeric(10, 2) not null default 0,
    "state" text not null default 'planned',
    check ("room" >= 1 and "room" <= 99),
    check ("state" = 'planned' or "state" = 'done' or "state" = 'missed'),
    unique ("patient_id", "visit_day"),
    foreign key ("patient_id") references "patients" on delete cascade
);
create index "visits_open" on "visits" ("visit_day" desc) where "room" is not null and "state" = 'planned';
