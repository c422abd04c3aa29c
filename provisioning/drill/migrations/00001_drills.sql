-- +goose Up
-- Drills, and who and what stands on the stage of one that is under way. running is 1 until everything is struck again.
create table drills (
    id         text    not null,
    actor      text    not null,
    started_at bigint  not null,
    ended_at   bigint,
    running    integer not null,
    channel    text    not null,
    leaver     text    not null,
    witness    text    not null,
    verdict    text    not null constraint drills_verdict check (verdict in ('', 'passed', 'failed', 'incomplete')),
    took       bigint  not null,
    result     text    not null,
    constraint drills_pk primary key (id)
);
create unique index drills_one on drills (running) where running = 1;
create index drills_started on drills (started_at);

-- +goose Down
drop table drills;
