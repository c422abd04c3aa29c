-- +goose Up
-- Who may read which channel for some time, by a request that was granted. One whose until has come is over, whatever its row says.
create table break_glass (
    ask      text    not null,
    person   text    not null,
    channel  text    not null,
    until    bigint  not null,
    reads    integer not null,
    ended_at bigint,
    ended_by text    not null,
    constraint break_glass_pk primary key (ask),
    constraint break_glass_ended check ((ended_at is null) = (ended_by = ''))
);

-- Whose messages, or whose channel, was read: they are told at due_at. A row stays, so that nobody is told twice.
create table break_glass_told (
    ask     text   not null,
    person  text   not null,
    read_at bigint not null,
    due_at  bigint not null,
    told_at bigint,
    constraint break_glass_told_pk primary key (ask, person),
    constraint break_glass_told_ask foreign key (ask) references break_glass (ask)
);
create index break_glass_told_due on break_glass_told (due_at) where told_at is null;

-- +goose Down
drop table break_glass_told;
drop table break_glass;
