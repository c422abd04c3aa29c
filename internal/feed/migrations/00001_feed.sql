-- +goose Up
create table feed_counter (
    id  integer not null constraint feed_counter_one check (id = 1),
    seq bigint  not null,
    constraint feed_counter_pk primary key (id)
);
insert into feed_counter (id, seq) values (1, 0);

create table feed_events (
    seq     bigint not null,
    at      bigint not null,
    kind    text   not null,
    subject text   not null,
    data    text   not null,
    constraint feed_events_pk primary key (seq)
);

create table feed_cursors (
    name        text   not null,
    seq         bigint not null,
    holder      text   not null,
    lease_until bigint not null,
    constraint feed_cursors_pk primary key (name)
);

-- +goose Down
drop table feed_cursors;
drop table feed_events;
drop table feed_counter;
