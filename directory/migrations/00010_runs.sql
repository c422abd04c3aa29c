-- +goose Up
-- The newest runs of each source, for people. counts and findings are JSON.
create table source_runs (
    id         text    not null,
    source_id  text    not null,
    kind       text    not null,
    started_at bigint  not null,
    ended_at   bigint,
    ok         boolean not null,
    error      text    not null,
    counts     text    not null,
    findings   text    not null,
    proof      text    not null,
    constraint source_runs_pk primary key (id),
    constraint source_runs_source foreign key (source_id) references sources (id)
);
create index source_runs_newest on source_runs (source_id, started_at, id);

-- +goose Down
drop table source_runs;
