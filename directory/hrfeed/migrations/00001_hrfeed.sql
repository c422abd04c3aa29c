-- +goose Up
-- What was handed in, without what it said of anybody: findings hold lines, columns and reasons, no values.
create table hr_files (
    id        text   not null,
    source_id text   not null,
    sha256    text   not null,
    name      text   not null,
    kind      text   not null,
    origin    text   not null,
    at        bigint not null,
    micros    bigint not null,
    applied   boolean not null,
    error     text   not null,
    counts    text   not null,
    findings  text   not null,
    constraint hr_files_pk primary key (id)
);
create index hr_files_by_source on hr_files (source_id, at);
create index hr_files_by_content on hr_files (source_id, sha256);

-- How the columns of a source are read, where an administrator said it.
create table hr_mappings (
    source_id  text   not null,
    mapping    text   not null,
    actor      text   not null,
    updated_at bigint not null,
    constraint hr_mappings_pk primary key (source_id)
);

-- Ids of signed messages that were taken.
create table hr_messages (
    source_id  text   not null,
    message_id text   not null,
    at         bigint not null,
    constraint hr_messages_pk primary key (source_id, message_id)
);
create index hr_messages_old on hr_messages (at);

-- +goose Down
drop table hr_messages;
drop table hr_mappings;
drop table hr_files;
