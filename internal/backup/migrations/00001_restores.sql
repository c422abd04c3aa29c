-- +goose Up
-- The last time this database was restored from a backup. While opened_at is null nobody but the restorer gets in.
create table restores (
    id          integer not null constraint restores_one check (id = 1),
    restored_at bigint  not null,
    taken_at    bigint  not null,
    audit_size  bigint  not null,
    audit_root  text    not null,
    replayed_at bigint,
    replayed_to bigint  not null,
    replayed_by text    not null,
    opened_at   bigint,
    opened_by   text    not null,
    reason      text    not null,
    constraint restores_pk primary key (id)
);

-- Sources of which somebody says that they have told everything anew, where nothing proves it.
create table restore_sources (
    source text   not null,
    at     bigint not null,
    actor  text   not null,
    reason text   not null,
    constraint restore_sources_pk primary key (source)
);

-- What was taken away after the backup and has to be looked after until the database is opened.
create table restore_demands (
    seq     bigint not null,
    kind    text   not null,
    subject text   not null,
    object  text   not null,
    note    text   not null,
    constraint restore_demands_pk primary key (seq, kind, subject, object)
);

-- +goose Down
drop table restore_demands;
drop table restore_sources;
drop table restores;
