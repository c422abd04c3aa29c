-- +goose Up
-- Second factors of administrators: the secret is sealed. A code is taken once: last_step is the newest that was.
create table session_factors (
    person       text    not null,
    secret       text    not null,
    created_at   bigint  not null,
    confirmed_at bigint,
    last_step    bigint  not null,
    failures     integer not null,
    locked_at    bigint,
    constraint session_factors_pk primary key (person)
);

-- Codes for who lost the second factor, as hashes; each is taken once.
create table session_recovery (
    person  text   not null,
    hash    text   not null,
    used_at bigint,
    constraint session_recovery_pk primary key (person, hash)
);

alter table sessions add column stepped_at bigint;

-- +goose Down
alter table sessions drop column stepped_at;
drop table session_recovery;
drop table session_factors;
