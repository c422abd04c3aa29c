-- +goose Up
-- What is known of somebody is to stay. lift_by asked for an end of it; lifted_by, another person, agreed.
create table legal_holds (
    id        text   not null,
    person    text   not null,
    reason    text   not null,
    made_by   text   not null,
    since     bigint not null,
    lift_by   text   not null,
    lifted_by text   not null,
    lifted_at bigint,
    constraint legal_holds_pk primary key (id)
);
create unique index legal_holds_open on legal_holds (person) where lifted_at is null;

-- One administrator asks for somebody to be erased, another one does it. scrubbed_at: since when the files hold nothing of it.
create table erasures (
    id           text   not null,
    person       text   not null,
    asked_by     text   not null,
    asked_at     bigint not null,
    lapses_at    bigint not null,
    confirmed_by text   not null,
    done_at      bigint,
    closed_at    bigint,
    scrubbed_at  bigint,
    erased       text   not null,
    constraint erasures_pk primary key (id)
);
create unique index erasures_open on erasures (person) where closed_at is null;
create index erasures_unscrubbed on erasures (done_at) where done_at is not null and scrubbed_at is null;

-- +goose Down
drop table erasures;
drop table legal_holds;
