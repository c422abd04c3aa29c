-- +goose Up
-- What people are told. about holds ids, keys and instants, never a name: texts are made of kind and about when somebody reads.
create table notices (
    id      text   not null,
    person  text   not null,
    kind    text   not null,
    about   text   not null,
    key     text   not null,
    at      bigint not null,
    read_at bigint,
    constraint notices_pk primary key (id),
    constraint notices_key unique (person, key)
);
create index notices_inbox on notices (person, at, id);
create index notices_old on notices (at);

-- +goose Down
drop table notices;
