-- +goose Up
create table audit_tree (
    id   integer not null constraint audit_tree_one check (id = 1),
    size bigint  not null,
    constraint audit_tree_pk primary key (id)
);
insert into audit_tree (id, size) values (1, 0);

create table audit_records (
    seq     bigint not null,
    at      bigint not null,
    actor   text   not null,
    action  text   not null,
    subject text   not null,
    leaf    text   not null,
    constraint audit_records_pk primary key (seq)
);
create index audit_records_subject on audit_records (subject, seq);
create index audit_records_actor on audit_records (actor, seq);
create index audit_records_action on audit_records (action, seq);

-- What is personal stands apart: erasing a row here leaves the chain whole.
create table audit_personal (
    seq     bigint not null,
    salt    text   not null,
    payload text   not null,
    constraint audit_personal_pk primary key (seq)
);

create table audit_hashes (
    idx  bigint not null,
    hash text   not null,
    constraint audit_hashes_pk primary key (idx)
);

-- +goose Down
drop table audit_hashes;
drop table audit_personal;
drop table audit_records;
drop table audit_tree;
