-- +goose Up
create table authz_tuples (
    user_ref    text not null,
    relation    text not null,
    object      text not null,
    valid_from  bigint,
    valid_until bigint,
    constraint authz_tuples_pk primary key (user_ref, relation, object)
);
create index authz_tuples_object on authz_tuples (object, relation);

create table authz_counter (
    id  integer not null constraint authz_counter_one check (id = 1),
    seq bigint  not null,
    constraint authz_counter_pk primary key (id)
);
insert into authz_counter (id, seq) values (1, 0);

create table authz_log (
    seq         bigint  not null,
    n           integer not null,
    op          text    not null constraint authz_log_op check (op in ('write', 'delete')),
    user_ref    text    not null,
    relation    text    not null,
    object      text    not null,
    valid_from  bigint,
    valid_until bigint,
    at          bigint  not null,
    constraint authz_log_pk primary key (seq, n)
);

create table authz_engine (
    id          integer not null constraint authz_engine_one check (id = 1),
    applied_seq bigint  not null,
    store_id    text    not null,
    model_id    text    not null,
    model_hash  text    not null,
    holder      text    not null,
    lease_until bigint  not null,
    constraint authz_engine_pk primary key (id)
);
insert into authz_engine (id, applied_seq, store_id, model_id, model_hash, holder, lease_until) values (1, 0, '', '', '', '', 0);

-- +goose Down
drop table authz_engine;
drop table authz_log;
drop table authz_counter;
drop table authz_tuples;
