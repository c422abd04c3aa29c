-- +goose Up
-- Guesses of passwords, by login name, by account and by address, as hashes. They are counted before they are sent.
create table session_tries (
    kind     text    not null,
    value    text    not null,
    failures integer not null,
    last_at  bigint  not null,
    constraint session_tries_pk primary key (kind, value)
);
create index session_tries_last on session_tries (last_at);

-- +goose Down
drop table session_tries;
